// information/histogram_cuda.hpp: `histogram` and `histogram_entropy` (information/histogram.hpp) on a device.
#pragma once

#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/information/histogram_options.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

/// Bytes of scratch of `histogram` for all pairs: with B bins (`max_bins` with `freedman_diaconis`), c T for the codes,
/// two panels of about 4096 T bytes and one of 67 MB; where bins need sorted values, 134 MB for these (8 T if a channel
/// has more than 2^24 tokens). 290 MB for c = 13824, T = 10 000, B = 16. 8 T B for each panel where 4 B > 4096.
std::int64_t histogram_workspace_bytes(std::int64_t tokens, std::int64_t channels,
                                       const histogram_options& options = {});

/// The same for lists of pairs and for entropies, which need no panels.
std::int64_t histogram_list_workspace_bytes(std::int64_t tokens, std::int64_t channels,
                                            const histogram_options& options = {});

/// As `histogram` for all pairs on the host, of samples in device memory. Channels have the host's bins, to the bit of
/// every decision; sums of n ln n are exact integers as there, of logarithms that may differ in the last place, so that
/// information equals the host's but for the rounding to float.
///
/// Does not synchronise; does not allocate if `scratch` is given; may be captured then. Contents are not checked: a
/// channel that holds a NaN or an infinity is counted (`not_finite`), and its information is NaN. Reports no progress.
///
/// Joint counts are products of one-hot codes in 8-bit integers, by cuBLAS: exact, so that the result does not depend
/// on how they are computed, and is symmetric to the bit. Cost: c^2 B^2 T / 2 multiply-adds of bytes (half of the
/// matrix; 2.4e14 at c = 13824, B = 16, T = 10 000, a quarter of a second at the peak of an H200), c^2 B^2 / 2
/// look-ups, and where bins need it the sort. With `freedman_diaconis` B is `max_bins` whatever bins the rule finds:
/// set it no larger than needed.
///
/// @param samples  [T, c], T from 2 to 2^31 - 1
/// @param mi       [c, c], written whole
/// @param scratch  `histogram_workspace_bytes(T, c, options)`
/// @throws invalid_argument  for shapes and options as on the host
MIQ_CUDA_API void histogram(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            matrix_view<float, device_memory> mi, result_ref<histogram_result, device_memory> result,
                            const histogram_options& options = {}, device_workspace scratch = {});

/// The same for listed pairs, in device memory; a channel with itself gives 0, and the bits are those of all pairs. A
/// pair of channels that there are not gives NaN. Cost: T increments of counters in shared memory a pair.
///
/// @param mi       [pairs.size()]
/// @param scratch  `histogram_list_workspace_bytes(T, c, options)`
MIQ_CUDA_API void histogram(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            vector_view<const channel_pair, device_memory> pairs, vector_view<float, device_memory> mi,
                            result_ref<histogram_result, device_memory> result, const histogram_options& options = {},
                            device_workspace scratch = {});

/// The same two, returning the result: synchronise with the stream, take 64 bytes more from the executor's resource.
MIQ_CUDA_API histogram_result histogram(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                        matrix_view<float, device_memory> mi, const histogram_options& options = {},
                                        device_workspace scratch = {});
MIQ_CUDA_API histogram_result histogram(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                        vector_view<const channel_pair, device_memory> pairs,
                                        vector_view<float, device_memory> mi, const histogram_options& options = {},
                                        device_workspace scratch = {});

/// As `histogram_entropy` on the host; NaN for channels that are not finite. Does not synchronise; does not allocate if
/// `scratch`, of `histogram_list_workspace_bytes(T, c, options)`, is given; may be captured then.
MIQ_CUDA_API void histogram_entropy(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                    vector_view<float, device_memory> entropies,
                                    result_ref<histogram_result, device_memory> result,
                                    const histogram_options& options = {},
                                    histogram_entropy_kind kind = histogram_entropy_kind::discrete,
                                    device_workspace scratch = {});

/// The same, returning the result: synchronises.
MIQ_CUDA_API histogram_result histogram_entropy(const cuda_executor& exec,
                                                matrix_view<const float, device_memory> samples,
                                                vector_view<float, device_memory> entropies,
                                                const histogram_options& options = {},
                                                histogram_entropy_kind kind = histogram_entropy_kind::discrete,
                                                device_workspace scratch = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
