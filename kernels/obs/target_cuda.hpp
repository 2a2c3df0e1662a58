// obs/target_cuda.hpp: the functions of obs/target.hpp on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/weights_view.hpp>
#include <miq/obs/target_options.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {

/// Device memory that `shift_target` and `shift_target_to_outputs` need: 2 * rows * columns floats. Host arithmetic.
MIQ_CUDA_API std::int64_t target_workspace_bytes(const cuda_executor& exec, std::int64_t rows, std::int64_t columns);

/// As `shift_target` on the host, of matrices in device memory, by cuBLAS. Contents are not checked: rows that are not
/// finite are counted in the result.
///
/// @param weights  in float or 16 bits; W* is in float
/// @param exec     scratch comes from `scratch`, or from the executor's resource where that is empty. With `scratch` it
///                 does not allocate; never synchronises; may be captured.
/// @param result   one object in device memory
/// @throws invalid_argument, out_of_memory  as the host; cuda_error  if a launch fails
///
/// Cost: a little more than 2 * rows * c^2 multiply-adds. Deterministic but for what cuBLAS promises.
MIQ_CUDA_API void shift_target(const cuda_executor& exec, const weights_view<device_memory>& weights,
                               matrix_view<const float, device_memory> difference,
                               matrix_view<const float, device_memory> upper, matrix_view<float, device_memory> shifted,
                               result_ref<device_target_result, device_memory> result,
                               const target_options& options = {}, device_workspace scratch = {});

/// As `shift_target_to_outputs` on the host; all else as above.
MIQ_CUDA_API void shift_target_to_outputs(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                          matrix_view<const float, device_memory> residual,
                                          matrix_view<const float, device_memory> upper,
                                          matrix_view<float, device_memory> shifted,
                                          result_ref<device_target_result, device_memory> result,
                                          const target_options& options = {}, device_workspace scratch = {});

/// The same, returning the result: these synchronise with the stream, and take 24 bytes from the
/// executor's resource.
/// @throws numerical_error  if a row is not finite
MIQ_CUDA_API target_result shift_target(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                        matrix_view<const float, device_memory> difference,
                                        matrix_view<const float, device_memory> upper,
                                        matrix_view<float, device_memory> shifted, const target_options& options = {},
                                        device_workspace scratch = {});
MIQ_CUDA_API target_result shift_target_to_outputs(const cuda_executor& exec,
                                                   const weights_view<device_memory>& weights,
                                                   matrix_view<const float, device_memory> residual,
                                                   matrix_view<const float, device_memory> upper,
                                                   matrix_view<float, device_memory> shifted,
                                                   const target_options& options = {}, device_workspace scratch = {});

/// Device memory that `add_target_ridge` needs: at most 512 bytes per column. Host arithmetic.
MIQ_CUDA_API std::int64_t target_ridge_workspace_bytes(const cuda_executor& exec, std::int64_t rows,
                                                       std::int64_t columns);

/// As `add_target_ridge` on the host. Does not allocate if a workspace is given, does not synchronise, may be captured.
/// Contents are not checked: where weights or diagonal are not finite the diagonal becomes NaN, which `factor` rejects.
MIQ_CUDA_API void add_target_ridge(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                   matrix_view<float, device_memory> hessian, double share,
                                   device_workspace scratch = {});

/// As `mean_output` on the host. Does not allocate, does not synchronise, may be captured; contents are not checked.
MIQ_CUDA_API void mean_output(const cuda_executor& exec, const weights_view<device_memory>& weights,
                              vector_view<const float, device_memory> mean, vector_view<float, device_memory> output);

/// As `correct_bias` on the host. Does not allocate, does not synchronise, may be captured; contents are not checked.
MIQ_CUDA_API void correct_bias(const cuda_executor& exec, const weights_view<device_memory>& weights,
                               vector_view<const float, device_memory> mean,
                               vector_view<const float, device_memory> target,
                               vector_view<const float, device_memory> bias,
                               vector_view<float, device_memory> corrected);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
