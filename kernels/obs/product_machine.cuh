// obs/product_machine.cuh: runs the steps of refit and mask search on a stream: bodies as kernels, products by cuBLAS.
#pragma once

#include <cstdint>

#include <miq/core/launch.cuh>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// cuBLAS stores matrices by columns: a row-major matrix is its transpose there, so a product's sides change places.
class product_machine {
 public:
  product_machine(const cuda_executor& exec, const char* function) : exec_(exec), function_(function) {}

  template <class Body>
  void launch(const char* name, const Body& body) const {
    miq::device::launch(exec_, name, body);
  }

  /// c = alpha * a * b + beta * c: [rows, columns], [rows, depth], [depth, columns]; c is not read where beta is 0.
  void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                std::int64_t a_leading, const float* b, std::int64_t b_leading, float beta, float* c,
                std::int64_t c_leading) const {
    product(CUBLAS_OP_N, rows, columns, depth, alpha, a, a_leading, b, b_leading, beta, c, c_leading);
  }
  /// The same with the transpose of b, which is [columns, depth].
  void multiply_transposed(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                           std::int64_t a_leading, const float* b, std::int64_t b_leading, float beta, float* c,
                           std::int64_t c_leading) const {
    product(CUBLAS_OP_T, rows, columns, depth, alpha, a, a_leading, b, b_leading, beta, c, c_leading);
  }

 protected:
  const cuda_executor& exec_;

 private:
  void product(cublasOperation_t b_as, std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha,
               const float* a, std::int64_t a_leading, const float* b, std::int64_t b_leading, float beta, float* c,
               std::int64_t c_leading) const {
    if (rows == 0 || columns == 0 || depth == 0) return;
    miq::detail::check_blas(cublasSgemm_64(exec_.blas(), b_as, CUBLAS_OP_N, columns, rows, depth, &alpha, b, b_leading,
                                           a, a_leading, &beta, c, c_leading),
                            function_);
  }

  const char* function_;  // for errors
};

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
