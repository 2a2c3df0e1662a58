// obs/device_machine.cuh: runs the schedules of obs/detail on a stream: bodies as kernels, products by cuBLAS.
#pragma once

#include <miq/core/launch.cuh>

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
    if (rows == 0 || columns == 0 || depth == 0) return;
    const float minus = -1;
    const float one = 1;
    miq::detail::check_blas(cublasSgemm_64(exec.blas(), CUBLAS_OP_N, CUBLAS_OP_N, columns, rows, depth, &minus, b,
                                           b_leading, a, a_leading, &one, c, c_leading),
                            name);
  }
};

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
