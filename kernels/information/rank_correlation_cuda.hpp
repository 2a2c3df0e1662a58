// information/rank_correlation_cuda.hpp: `rank_correlation` (information/rank_correlation.hpp) on a device.
#pragma once

#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/information/rank_correlation_options.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

/// Bytes of scratch of `rank_correlation` for all pairs: 4 c T for the scores, 12 c min(512, c) for products, 134 MB
/// for the sort (8 T if a channel has more than 2^24 tokens; less if there are few values), 8 T.
std::int64_t rank_correlation_workspace_bytes(std::int64_t tokens, std::int64_t channels);

/// The same for lists of pairs, which need no products.
std::int64_t rank_correlation_list_workspace_bytes(std::int64_t tokens, std::int64_t channels);

/// As `rank_correlation` for all pairs on the host, of samples in device memory: channels are sorted by CUB's segmented
/// radix sort, scores looked up by rank, and multiplied by cuBLAS in float (no TF32) in chains of 1024 tokens, which
/// are summed in double. Against the host, |rho| differs by the roundings of float: at most 2^-13, in practice by
/// 2^-20.
///
/// Does not synchronise; does not allocate if `scratch` is given; may be captured then. Contents are not checked: a
/// channel that holds a NaN or an infinity is counted (`not_finite`), and its information is NaN. Reports no progress.
/// Symmetric to the bit, and unchanged to the bit by increasing maps of any channel; deterministic as far as cuBLAS is.
///
/// @param samples  [T, c], 2 <= T < 2^30
/// @param mi       [c, c], written whole
/// @param scratch  `rank_correlation_workspace_bytes(T, c)`
/// @throws invalid_argument  for shapes and options as on the host
MIQ_CUDA_API void rank_correlation(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                   matrix_view<float, device_memory> mi,
                                   result_ref<rank_correlation_result, device_memory> result,
                                   const rank_correlation_options& options = {}, device_workspace scratch = {});

/// The same for listed pairs, in device memory; a channel with itself gives 0, a pair of channels that there are not
/// NaN. All channels are sorted, whether they occur or not. Sums are in double, in a fixed order.
///
/// @param mi       [pairs.size()]
/// @param scratch  `rank_correlation_list_workspace_bytes(T, c)`
MIQ_CUDA_API void rank_correlation(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                   vector_view<const channel_pair, device_memory> pairs,
                                   vector_view<float, device_memory> mi,
                                   result_ref<rank_correlation_result, device_memory> result,
                                   const rank_correlation_options& options = {}, device_workspace scratch = {});

/// The same two, returning the result: synchronise with the stream, take 48 bytes more from the executor's resource.
MIQ_CUDA_API rank_correlation_result rank_correlation(const cuda_executor& exec,
                                                      matrix_view<const float, device_memory> samples,
                                                      matrix_view<float, device_memory> mi,
                                                      const rank_correlation_options& options = {},
                                                      device_workspace scratch = {});
MIQ_CUDA_API rank_correlation_result rank_correlation(const cuda_executor& exec,
                                                      matrix_view<const float, device_memory> samples,
                                                      vector_view<const channel_pair, device_memory> pairs,
                                                      vector_view<float, device_memory> mi,
                                                      const rank_correlation_options& options = {},
                                                      device_workspace scratch = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
