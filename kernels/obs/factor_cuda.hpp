// obs/factor_cuda.hpp: `factor` (obs/factor.hpp) on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/obs/factor_options.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {

/// Device memory that `factor` needs for a Hessian of `columns` columns: about columns^2 floats and what cuSOLVER asks
/// for.
MIQ_CUDA_API std::int64_t factor_workspace_bytes(const cuda_executor& exec, std::int64_t columns);

/// As `factor` on the host, of a Hessian in device memory, by cuSOLVER's Cholesky factorisation; its triangle is
/// inverted by blocks, with cuBLAS's products.
///
/// @param exec  scratch comes from `scratch`, or from the executor's resource where that is empty; work in double takes
///              another `16 c^2` bytes from the resource. Waits for the stream once for each share of damping that is
///              tried (and thrice in double), since the host decides what comes next: cannot be captured. The
///              inversion of a factor that was found in float is enqueued and not waited for.
/// @throws invalid_argument   as the host; entries that are not finite, or negative on the diagonal, are counted and
///                            not named
/// @throws numerical_error    if the matrix is not positive definite after all attempts
/// @throws out_of_memory, cuda_error
/// Whatever is thrown but a `cuda_error`, `upper` is untouched.
///
/// Cost: about 0.4 c^3 multiply-adds. Deterministic but for what cuSOLVER and cuBLAS promise.
MIQ_CUDA_API factor_result factor(const cuda_executor& exec, matrix_view<const float, device_memory> hessian,
                                  matrix_view<float, device_memory> upper, const factor_options& options = {},
                                  device_workspace scratch = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
