// information/knn_cuda.hpp: `knn` (information/knn.hpp) on a device.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/information/knn_options.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `knn` for all pairs on the host, of samples in device memory, to the bit: neighbours, counts and the sums of psi
/// are whole numbers. (Mean and deviation of a channel are sums in the host's order; where the compilers contract
/// products and sums differently, a value within 1e-7 of a unit's half may be rounded the other way.)
///
/// Contents are not checked: a channel with NaN or infinity has NaN with all others, and is counted in
/// `result.not_finite`.
///
/// @throws invalid_argument  for shapes and options as on the host
///
/// Does not synchronise, may be captured; allocates only if no workspace is given. Cost: a sort by merging and one pass
/// by a single lane per channel; then for each pair about 2 sqrt(k T) comparisons a token where channels are
/// independent, T at worst, and where values tie and there is noise a pass over the tokens by two lanes.
MIQ_CUDA_API void knn(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                      matrix_view<float, device_memory> mi, result_ref<knn_result, device_memory> result,
                      const knn_options& options = {}, device_workspace workspace = {});

/// The same, returning the result: synchronises with the stream. Takes 64 bytes from the executor's resource besides.
MIQ_CUDA_API knn_result knn(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            matrix_view<float, device_memory> mi, const knn_options& options = {},
                            device_workspace workspace = {});

/// The same for a list of pairs, which is on the host; `mi` holds one value per pair. The list is copied to the device,
/// from memory of the call: not to be captured.
MIQ_CUDA_API void knn(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                      std::span<const channel_pair> pairs, vector_view<float, device_memory> mi,
                      result_ref<knn_result, device_memory> result, const knn_options& options = {},
                      device_workspace workspace = {});
MIQ_CUDA_API knn_result knn(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            std::span<const channel_pair> pairs, vector_view<float, device_memory> mi,
                            const knn_options& options = {}, device_workspace workspace = {});

/// Bytes of the workspace for all pairs: 20 per token and channel, and the larger of 24 per token and channel and 20 a
/// token and pair of a batch, of which there are about 2^23.
MIQ_CUDA_API std::int64_t knn_workspace_bytes(std::int64_t tokens, std::int64_t channels);
/// The same for a list, of which only the channels that occur count.
/// @throws invalid_argument  if a pair is not of channels
MIQ_CUDA_API std::int64_t knn_workspace_bytes(std::int64_t tokens, std::int64_t channels,
                                              std::span<const channel_pair> pairs);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
