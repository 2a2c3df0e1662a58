// calibration/machine.cuh: the machine of calibration/detail/moment_run.hpp on a device; needs nvcc.
#pragma once

#include <miq/core/launch.cuh>

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// Runs kernel bodies and matrix products on the executor's stream.
class moment_machine {
 public:
  using memory_space = device_memory;

  explicit moment_machine(const cuda_executor& exec) : exec_(exec) {}

  template <class Body>
  void launch(const char* name, const Body& body) const {
    device::launch(exec_, name, body);
  }

  /// out = left^T right in float, no TF32: row-major matrices are cuBLAS's transposed ones, so that it computes
  /// out^T = right^T left.
  void multiply_columns(std::int64_t rows, std::int64_t columns, std::int64_t tokens, const float* left,
                        std::int64_t left_leading, const float* right, std::int64_t right_leading, float* out,
                        std::int64_t out_leading) const {
    multiply(CUBLAS_OP_N, CUBLAS_OP_T, rows, columns, tokens, left, left_leading, right, right_leading, out,
             out_leading);
  }

  /// out = left right^T.
  void multiply_rows(std::int64_t rows, std::int64_t columns, std::int64_t tokens, const float* left,
                     std::int64_t left_leading, const float* right, std::int64_t right_leading, float* out,
                     std::int64_t out_leading) const {
    multiply(CUBLAS_OP_T, CUBLAS_OP_N, rows, columns, tokens, left, left_leading, right, right_leading, out,
             out_leading);
  }

  void copy(void* to, const void* from, std::int64_t bytes) const {
    detail::check_cuda(
        cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice, exec_.stream()),
        "cudaMemcpyAsync");
  }
  void clear(void* to, std::int64_t bytes) const {
    detail::check_cuda(cudaMemsetAsync(to, 0, static_cast<std::size_t>(bytes), exec_.stream()), "cudaMemsetAsync");
  }

 protected:
  const cuda_executor& exec_;

 private:
  void multiply(cublasOperation_t of_right, cublasOperation_t of_left, std::int64_t rows, std::int64_t columns,
                std::int64_t tokens, const float* left, std::int64_t left_leading, const float* right,
                std::int64_t right_leading, float* out, std::int64_t out_leading) const {
    const float one = 1, zero = 0;
    detail::check_blas(cublasSgemm_64(exec_.blas(), of_right, of_left, columns, rows, tokens, &one, right,
                                      right_leading, left, left_leading, &zero, out, out_leading),
                       "cublasSgemm");
  }
};

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
