// obs/sweep_cuda.hpp: `sweep` (obs/sweep.hpp) on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/numeric_types.hpp>
#include <miq/obs/sweep_options.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {

/// Device memory that `sweep` needs: about 4 * rows * (columns + span) bytes, where a span is 512 columns or, if that
/// is more, `column_block`; for masks that are chosen in the sweep another rows * column_block. Host arithmetic.
MIQ_CUDA_API std::int64_t sweep_workspace_bytes(const cuda_executor& exec, std::int64_t rows, std::int64_t columns,
                                                const sweep_options& options = {});

/// As `sweep` on the host, of a layer in device memory, in the arithmetic of the host but for the order of additions:
/// codes and masks differ where a weight lies within rounding of a boundary, and losses hardly.
///
/// Shapes, options and overlaps are checked; contents are not. A row that meets weights, a factor or a grid that cannot
/// be worked with (not finite, scales or diagonal entries that are not positive, widths or column_grid out of range)
/// ends with a loss that is not finite, and is counted in the result; its outputs are unspecified.
///
/// @param exec    scratch comes from `scratch`, or from the executor's resource where that is empty. With `scratch` it
///                does not allocate (cuBLAS's workspace is the executor's); never synchronises; may be captured.
/// @param result  one object in device memory
/// @throws invalid_argument, out_of_memory  as the host; cuda_error  if a launch fails
///
/// Cost: rows * columns^2 / 2 multiply-adds by cuBLAS in panels of 128 columns, one launch a panel for what happens
/// inside it, and five small ones for each unstructured mask. Deterministic but for what cuBLAS promises.
MIQ_CUDA_API void sweep(const cuda_executor& exec, const sweep_inputs<device_memory>& in,
                        const sweep_outputs<device_memory>& out, result_ref<device_sweep_result, device_memory> result,
                        const sweep_options& options = {}, device_workspace scratch = {});
/// The same for weights in 16 bits, which are taken as they are, worked on in float and rounded at the end.
MIQ_CUDA_API void sweep(const cuda_executor& exec, const sweep_inputs<device_memory, float16>& in,
                        const sweep_outputs<device_memory, float16>& out,
                        result_ref<device_sweep_result, device_memory> result, const sweep_options& options = {},
                        device_workspace scratch = {});
MIQ_CUDA_API void sweep(const cuda_executor& exec, const sweep_inputs<device_memory, bfloat16>& in,
                        const sweep_outputs<device_memory, bfloat16>& out,
                        result_ref<device_sweep_result, device_memory> result, const sweep_options& options = {},
                        device_workspace scratch = {});

/// The same, returning the result: synchronises with the stream. Takes 32 bytes from the executor's resource.
/// @throws numerical_error  if a row's loss is not finite
MIQ_CUDA_API sweep_result sweep(const cuda_executor& exec, const sweep_inputs<device_memory>& in,
                                const sweep_outputs<device_memory>& out, const sweep_options& options = {},
                                device_workspace scratch = {});
MIQ_CUDA_API sweep_result sweep(const cuda_executor& exec, const sweep_inputs<device_memory, float16>& in,
                                const sweep_outputs<device_memory, float16>& out, const sweep_options& options = {},
                                device_workspace scratch = {});
MIQ_CUDA_API sweep_result sweep(const cuda_executor& exec, const sweep_inputs<device_memory, bfloat16>& in,
                                const sweep_outputs<device_memory, bfloat16>& out, const sweep_options& options = {},
                                device_workspace scratch = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
