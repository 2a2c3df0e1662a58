// information/kde_cuda.hpp: `kde` (information/kde.hpp) on a device.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/information/kde_options.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `kde` for all pairs on the host, of samples in device memory.
///
/// Widths are the host's; kernels, their products and the sums of these are float: for each token the channels' kernel
/// rows [c, T] by a kernel, their products with one another by cuBLAS, up to 1024 channels a side. Values agree with
/// the host's to about 1e-5 (a density's relative error is at most about T 2^-24, usually its root); logarithms are
/// summed as whole numbers, so that the result is the same to the bit from run to run on the same device and cuBLAS.
/// Symmetric to the bit.
///
/// Contents are not checked: a channel with NaN or infinity has NaN with all others, and is counted in
/// `result.not_finite`.
///
/// @throws invalid_argument  for shapes and options as on the host
///
/// Does not synchronise, may be captured; allocates only if no workspace is given. Cost: T^2 c^2 / 2 multiplications
/// and additions (twice as many up to 1024 channels), T^2 c (c / 1024 + 2) exponentials, T c^2 / 2 logarithms in double
/// precision.
MIQ_CUDA_API void kde(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                      matrix_view<float, device_memory> mi, result_ref<kde_result, device_memory> result,
                      const kde_options& options = {}, device_workspace workspace = {});

/// The same, returning the result: synchronises with the stream. Takes 64 bytes from the executor's resource besides.
MIQ_CUDA_API kde_result kde(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            matrix_view<float, device_memory> mi, const kde_options& options = {},
                            device_workspace workspace = {});

/// The same for a list of pairs, which is on the host; `mi` holds one value per pair. The list is copied to the device,
/// from memory of the call: not to be captured. Cost: T^2 exponentials a channel and 2 T^2 per pair.
MIQ_CUDA_API void kde(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                      std::span<const channel_pair> pairs, vector_view<float, device_memory> mi,
                      result_ref<kde_result, device_memory> result, const kde_options& options = {},
                      device_workspace workspace = {});
MIQ_CUDA_API kde_result kde(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            std::span<const channel_pair> pairs, vector_view<float, device_memory> mi,
                            const kde_options& options = {}, device_workspace workspace = {});

/// Bytes of the workspace for all pairs: 4 per token and channel and 8 MiB at most; besides, the larger of 24 per token
/// and channel and 4 (2 * 1024 T + 2^20) a token of those that are multiplied together, about 256 MiB (more if one
/// token's rows take more).
MIQ_CUDA_API std::int64_t kde_workspace_bytes(std::int64_t tokens, std::int64_t channels);
/// The same for a list: 28 per token and channel that occurs, 24 per pair.
/// @throws invalid_argument  if a pair is not of channels
MIQ_CUDA_API std::int64_t kde_workspace_bytes(std::int64_t tokens, std::int64_t channels,
                                              std::span<const channel_pair> pairs);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
