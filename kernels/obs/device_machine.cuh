// obs/device_machine.cuh: runs the schedules of obs/detail on a stream: bodies as kernels, products by cuBLAS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <miq/core/launch.cuh>
#include <miq/core/workspace.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// cuBLAS reads columns where miq writes rows: a row-major matrix is its transpose there, so products change sides.
struct machine {
  const cuda_executor& exec;

  template <class Body>
  void launch(const char* name, const Body& body) const {
    miq::device::launch(exec, name, body);
  }

  /// C -= A B, all row-major.
  void subtract_product(const char* name, std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a,
                        std::int64_t a_leading, const float* b, std::int64_t b_leading, float* c,
                        std::int64_t c_leading) const {
    multiply(name, CUBLAS_OP_N, rows, columns, depth, -1, a, a_leading, b, b_leading, 1, c, c_leading);
  }

  /// C = A B, and C = A B^T, all row-major.
  void product(const char* name, std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a,
               std::int64_t a_leading, const float* b, std::int64_t b_leading, float* c, std::int64_t c_leading) const {
    multiply(name, CUBLAS_OP_N, rows, columns, depth, 1, a, a_leading, b, b_leading, 0, c, c_leading);
  }
  void product_of_transposed(const char* name, std::int64_t rows, std::int64_t columns, std::int64_t depth,
                             const float* a, std::int64_t a_leading, const float* b, std::int64_t b_leading, float* c,
                             std::int64_t c_leading) const {
    multiply(name, CUBLAS_OP_T, rows, columns, depth, 1, a, a_leading, b, b_leading, 0, c, c_leading);
  }

  /// A = L L^T in the lower triangle of a row-major matrix without padding; cuSOLVER sees its upper one.
  template <class T>
  std::int64_t cholesky_bytes(std::int64_t n) const {
    return static_cast<std::int64_t>(cholesky_sizes<T>(n, nullptr).device);
  }
  template <class T>
  void cholesky(const char* name, std::int64_t n, T* a, std::byte* scratch, std::int64_t bytes,
                std::int32_t* status) const {
    static_assert(sizeof(int) == sizeof(std::int32_t));
    std::vector<std::byte> host(cholesky_sizes<T>(n, a).host);
    const solver_parameters parameters;
    miq::detail::check_solver(
        cusolverDnXpotrf(exec.solver(), parameters.get(), CUBLAS_FILL_MODE_UPPER, n, type_of<T>, a, n, type_of<T>,
                         scratch, static_cast<std::size_t>(bytes), host.data(), host.size(), status),
        name);
    // cuSOLVER may read the host's scratch until the factorisation is done.
    if (!host.empty()) exec.synchronise();
  }

  /// R X = B, X in B's place, R upper triangular, all row-major: X^T R^T = B^T, where R^T is lower triangular.
  template <class T>
  void solve_upper(const char* name, std::int64_t size, std::int64_t columns, const T* r, std::int64_t r_leading, T* b,
                   std::int64_t b_leading) const {
    const T one = 1;
    if constexpr (std::is_same_v<T, float>)
      miq::detail::check_blas(cublasStrsm_64(exec.blas(), CUBLAS_SIDE_RIGHT, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N,
                                             CUBLAS_DIAG_NON_UNIT, columns, size, &one, r, r_leading, b, b_leading),
                              name);
    else
      miq::detail::check_blas(cublasDtrsm_64(exec.blas(), CUBLAS_SIDE_RIGHT, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N,
                                             CUBLAS_DIAG_NON_UNIT, columns, size, &one, r, r_leading, b, b_leading),
                              name);
  }

  /// An object of the device, when all before is done.
  template <class Object>
  Object fetch(const Object* object) const {
    Object value;
    copy(exec, vector_view<const Object, device_memory>(object, 1), vector_view<Object>(&value, 1));
    exec.synchronise();
    return value;
  }
  template <class Function>
  void with_scratch(const char* name, const miq::detail::workspace_layout& layout, const Function& f) const {
    f(miq::detail::device_scratch(name, layout, {}, exec.stream(), exec.resource()));
  }

 private:
  /// C = alpha A op(B) + beta C.
  void multiply(const char* name, cublasOperation_t of_b, std::int64_t rows, std::int64_t columns, std::int64_t depth,
                float alpha, const float* a, std::int64_t a_leading, const float* b, std::int64_t b_leading, float beta,
                float* c, std::int64_t c_leading) const {
    if (rows == 0 || columns == 0 || depth == 0) return;
    miq::detail::check_blas(cublasSgemm_64(exec.blas(), of_b, CUBLAS_OP_N, columns, rows, depth, &alpha, b, b_leading,
                                           a, a_leading, &beta, c, c_leading),
                            name);
  }

  template <class T>
  static constexpr cudaDataType type_of = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_64F;

  /// What cuSOLVER is told besides: nothing.
  class solver_parameters {
   public:
    solver_parameters() {
      miq::detail::check_solver(cusolverDnCreateParams(&parameters_), "factor: cusolverDnCreateParams");
    }
    solver_parameters(const solver_parameters&) = delete;
    solver_parameters& operator=(const solver_parameters&) = delete;
    ~solver_parameters() { static_cast<void>(cusolverDnDestroyParams(parameters_)); }
    cusolverDnParams_t get() const { return parameters_; }

   private:
    cusolverDnParams_t parameters_ = nullptr;
  };

  struct solver_sizes {
    std::size_t device = 0;
    std::size_t host = 0;
  };
  template <class T>
  solver_sizes cholesky_sizes(std::int64_t n, const T* a) const {
    solver_sizes sizes;
    const solver_parameters parameters;
    miq::detail::check_solver(cusolverDnXpotrf_bufferSize(exec.solver(), parameters.get(), CUBLAS_FILL_MODE_UPPER, n,
                                                          type_of<T>, a, n, type_of<T>, &sizes.device, &sizes.host),
                              "factor: cusolverDnXpotrf_bufferSize");
    return sizes;
  }
};

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
