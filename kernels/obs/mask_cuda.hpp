// obs/mask_cuda.hpp: `select_mask` (obs/mask.hpp) on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/weights_view.hpp>
#include <miq/obs/mask_options.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {

/// Device memory that `select_mask` needs: at most about 100 KiB. Host arithmetic.
MIQ_CUDA_API std::int64_t select_mask_workspace_bytes(const cuda_executor& exec, std::int64_t rows,
                                                      std::int64_t columns, const mask_options& options = {});

/// As `select_mask` on the host, of weights in device memory; masks are those of the host to the bit. How many weights
/// are masked follows from the shape, so that nothing need be waited for.
///
/// Contents are not checked: a saliency that is not a number, or overflows, counts as infinite.
///
/// @param exec  scratch comes from `scratch`, or from the executor's resource where that is empty. With `scratch` it
///              does not allocate; never synchronises; may be captured.
/// @throws invalid_argument, out_of_memory  as the host; cuda_error  if a launch fails
///
/// Cost: five launches for the layer or for each block of columns, which read its weights four times (five where not
/// all of the ties are masked); one launch for rows and patterns. Deterministic.
MIQ_CUDA_API std::int64_t select_mask(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                      vector_view<const float, device_memory> column_saliency,
                                      matrix_view<std::uint8_t, device_memory> kept, const mask_options& options = {},
                                      device_workspace scratch = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
