// core/machine.cuh: the machine (core/detail/machine.hpp) that is a stream of a device; needs nvcc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/detail/machine.hpp>
#include <miq/core/launch.cuh>

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// Kernels, cuBLAS and copies on the executor's stream. Only `with_scratch` allocates; `fetch` and `fetch_rows`
/// synchronise.
class stream_machine {
 public:
  using memory_space = device_memory;

  explicit stream_machine(const cuda_executor& exec) : exec_(exec) {}

  template <class Body>
  void launch(const char* name, const Body& body) const {
    device::launch(exec_, name, body);
  }

  /// cuBLAS counts by columns, so it gets the transposed problem: c^T = alpha op(b)^T op(a)^T + beta c^T.
  void multiply(const char* name, detail::operand op_a, detail::operand op_b, std::int64_t rows, std::int64_t columns,
                std::int64_t depth, float alpha, const float* a, std::int64_t a_leading, const float* b,
                std::int64_t b_leading, float beta, float* c, std::int64_t c_leading) const {
    if (rows == 0 || columns == 0) return;
    check_blas(cublasSgemm_64(exec_.blas(), operation(op_b), operation(op_a), columns, rows, depth, &alpha, b,
                              b_leading, a, a_leading, &beta, c, c_leading),
               name);
  }
  /// In float, and in double where a folder asks for it.
  template <class T>
  void multiply_many(const char* name, std::int64_t count, detail::operand op_a, detail::operand op_b,
                     std::int64_t rows, std::int64_t columns, std::int64_t depth, T alpha, const T* a,
                     std::int64_t a_leading, std::int64_t a_stride, const T* b, std::int64_t b_leading,
                     std::int64_t b_stride, T* c, std::int64_t c_leading, std::int64_t c_stride) const {
    if (count == 0 || rows == 0 || columns == 0) return;
    const T beta = 0;
    const auto multiply = [&](const auto& gemm) {
      return gemm(exec_.blas(), operation(op_b), operation(op_a), columns, rows, depth, &alpha, b, b_leading, b_stride,
                  a, a_leading, a_stride, &beta, c, c_leading, c_stride, count);
    };
    if constexpr (std::is_same_v<T, double>)
      check_blas(multiply(cublasDgemmStridedBatched_64), name);
    else
      check_blas(multiply(cublasSgemmStridedBatched_64), name);
  }

  template <class T>
  void clear(T* to, std::int64_t count) const {
    check_cuda(cudaMemsetAsync(static_cast<void*>(to), 0, static_cast<std::size_t>(count) * sizeof(T), exec_.stream()),
               "cudaMemsetAsync");
  }
  template <class T>
  void copy(const T* from, std::int64_t count, T* to) const {
    miq::copy(exec_, vector_view<const T, device_memory>(from, count), vector_view<T, device_memory>(to, count));
  }
  /// The runtime copies pageable memory to a place of its own before it returns.
  template <class T>
  void store(const T* from, std::int64_t count, T* to) const {
    miq::copy(exec_, vector_view<const T>(from, count), vector_view<T, device_memory>(to, count));
  }
  template <class T>
  void fetch(const T* from, std::int64_t count, T* to) const {
    miq::copy(exec_, vector_view<const T, device_memory>(from, count), vector_view<T>(to, count));
    exec_.synchronise();
  }
  template <class T>
  void fetch_rows(const T* from, std::int64_t leading, std::int64_t rows, std::int64_t columns, T* to) const {
    miq::copy(exec_, matrix_view<const T, device_memory>(from, rows, columns, leading),
              matrix_view<T>(to, rows, columns));
    exec_.synchronise();
  }

  template <class Function>
  void with_scratch(const char* name, const detail::workspace_layout& layout, const Function& f) const {
    f(detail::device_scratch(name, layout, {}, exec_.stream(), exec_.resource()));
  }

 protected:
  const cuda_executor& exec_;

 private:
  static cublasOperation_t operation(detail::operand of) {
    return of == detail::operand::as_is ? CUBLAS_OP_N : CUBLAS_OP_T;
  }
};
static_assert(detail::execution_machine<stream_machine>);

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
