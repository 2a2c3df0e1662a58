// obs/refit_cuda.hpp: `refit` (obs/refit.hpp) on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/obs/refit_options.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {

/// Scratch that `refit` needs on a device: about 4 * rows * c floats, rows * c with 0 iterations, and 256 * (rows + c)
/// more. Host arithmetic.
MIQ_CUDA_API std::int64_t refit_workspace_bytes(const cuda_executor& exec, std::int64_t rows, std::int64_t columns,
                                                const refit_options& options = {});

/// As `refit` on the host: the same preconditioner and step lengths, sums of products in another order. Scalars stay on
/// the device: all iterations are enqueued, and rows that are done are carried along with a direction of zeros.
///
/// Shapes, options and overlaps are checked; contents are counted in `result`.
///
/// @param exec    scratch comes from `scratch`, or from the executor's resource where that is empty. With `scratch` it
///                does not allocate (cuBLAS's workspace is the executor's); never synchronises; may be captured.
/// @param losses  [refit_loss_count]: 1/2 tr (W - W0)(H + D)(W - W0)^T before the first and after each iteration, not
///                finite if products overflow
/// @param result  one object in device memory
/// @throws invalid_argument, out_of_memory  as the host; cuda_error  if a launch fails
///
/// Cost: (iterations + 1) * rows * c^2 multiply-adds by cuBLAS. Columns go in blocks of 256, a block in leaves of 64,
/// which one launch solves for all rows, with a small product after each: 8 or 9 calls for a block, two passes over all
/// blocks for an iteration. Deterministic but for what cuBLAS promises.
MIQ_CUDA_API void refit(const cuda_executor& exec, const refit_inputs<device_memory>& in,
                        const refit_outputs<device_memory>& out, vector_view<double, device_memory> losses,
                        result_ref<device_refit_result, device_memory> result, const refit_options& options = {},
                        device_workspace scratch = {});

/// The same, returning the result: synchronises with the stream, may not be captured. Takes 32 bytes and 8 for each
/// loss from the executor's resource.
/// @throws invalid_argument  also if the inputs hold values that are not finite, or the Hessian's diagonal negative
///                           ones; outputs are unspecified then
/// @throws numerical_error   if products overflow; outputs are unspecified
MIQ_CUDA_API refit_result refit(const cuda_executor& exec, const refit_inputs<device_memory>& in,
                                const refit_outputs<device_memory>& out, const refit_options& options = {},
                                device_workspace scratch = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
