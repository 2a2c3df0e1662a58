#pragma once

namespace miq {

inline cuda_executor::cuda_executor(cudaStream_t stream, const cuda_executor_options& options)
    : stream_(stream), resource_(options.resource != nullptr ? options.resource : &default_device_memory()) {
  detail::require(options.blas_workspace >= 0, "cuda_executor: blas_workspace must not be negative, got ",
                  options.blas_workspace);
  check_cuda(cudaGetDevice(&device_), "cuda_executor: cudaGetDevice");
  const auto attribute = [&](cudaDeviceAttr which) {
    int value = 0;
    check_cuda(cudaDeviceGetAttribute(&value, which, device_), "cuda_executor: cudaDeviceGetAttribute");
    return value;
  };
  const int capability =
      attribute(cudaDevAttrComputeCapabilityMajor) * 10 + attribute(cudaDevAttrComputeCapabilityMinor);
  if (capability < minimum_compute_capability)
    throw cuda_error(detail::join_message("cuda_executor: device ", device_, " must have compute capability 7.5, has ",
                                          capability / 10, ".", capability % 10),
                     static_cast<int>(cudaErrorNoKernelImageForDevice));
  multiprocessors_ = attribute(cudaDevAttrMultiProcessorCount);
  block_memory_ = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);

  blas_ = {options.blas, false};
  if (options.blas == nullptr) {
    cublasHandle_t made = nullptr;
    check_blas(cublasCreate(&made), "cuda_executor: cublasCreate");
    blas_ = {made, true};
  }
  check_blas(cublasSetStream(blas(), stream), "cuda_executor: cublasSetStream");
  if (options.blas == nullptr && options.blas_workspace > 0) {
    blas_memory_ = device_array<std::byte>(options.blas_workspace, stream, *resource_);
    check_blas(cublasSetWorkspace(blas(), blas_memory_.data(), static_cast<std::size_t>(options.blas_workspace)),
               "cuda_executor: cublasSetWorkspace");
  }
  check_blas(cublasSetMathMode(blas(), CUBLAS_PEDANTIC_MATH), "cuda_executor: cublasSetMathMode");
  check_blas(cublasSetPointerMode(blas(), CUBLAS_POINTER_MODE_HOST), "cuda_executor: cublasSetPointerMode");

  solver_ = {options.solver, false};
  if (options.solver == nullptr) {
    cusolverDnHandle_t made = nullptr;
    check_solver(cusolverDnCreate(&made), "cuda_executor: cusolverDnCreate");
    solver_ = {made, true};
  }
  check_solver(cusolverDnSetStream(solver(), stream), "cuda_executor: cusolverDnSetStream");
}

template <class From, class Source, class T, class Target>
requires std::same_as<std::remove_const_t<From>, T>
void copy(const cuda_executor& exec, matrix_view<From, Source> from, matrix_view<T, Target> to) {
  using detail::shape_text;
  detail::require(from.rows() == to.rows() && from.columns() == to.columns(), "copy: the destination must be ",
                  shape_text(from.rows(), from.columns()), ", got ", shape_text(to.rows(), to.columns()));
  if (from.empty()) return;
  check_cuda(cudaMemcpy2DAsync(to.data(), static_cast<std::size_t>(to.leading()) * sizeof(T), from.data(),
                               static_cast<std::size_t>(from.leading()) * sizeof(T),
                               static_cast<std::size_t>(from.columns()) * sizeof(T),
                               static_cast<std::size_t>(from.rows()), cudaMemcpyDefault, exec.stream()),
             "copy: cudaMemcpy2DAsync");
}

template <class From, class Source, class T, class Target>
requires std::same_as<std::remove_const_t<From>, T>
void copy(const cuda_executor& exec, vector_view<From, Source> from, vector_view<T, Target> to) {
  detail::require(from.size() == to.size(), "copy: the destination must hold ", from.size(), " elements, got ",
                  to.size());
  if (from.empty()) return;
  check_cuda(cudaMemcpyAsync(to.data(), from.data(), static_cast<std::size_t>(from.size()) * sizeof(T),
                             cudaMemcpyDefault, exec.stream()),
             "copy: cudaMemcpyAsync");
}

}  // namespace miq
