// information/knn.hpp: mutual information from distances to nearest neighbours (Kraskov, Stoegbauer, Grassberger 2004).
#pragma once

#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/knn_options.hpp>

namespace miq::information {

/// Mutual information of two channels, in nats. With the distance `max(|dx|, |dy|)` of standardised channels and e the
/// distance of token t to its k-th nearest neighbour (Kraskov, Stoegbauer and Grassberger 2004, eqs. 8 and 9):
///
///     first:   I = psi(k) + psi(T) - mean_t [psi(n_x + 1) + psi(n_y + 1)],        n_x = #{s != t: |x_s - x_t| < e}
///     second:  I = psi(k) - 1/k + psi(T) - mean_t [psi(n_x) + psi(n_y)],          n_x = #{s != t: |x_s - x_t| <= e_x}
///
/// where e_x and e_y are the largest |dx| and |dy| among the neighbours up to distance e. Where k or more tokens equal
/// token t in both channels (e = 0), all m of them count, itself included, and the term is psi(m) - psi(m_x) - psi(m_y)
/// for m_x and m_y equal in one channel (Gao, Kannan, Oh and Viswanath 2017, "Estimating mutual information for
/// discrete-continuous mixtures"). With noise that hardly ever happens; without, it makes atoms (the zeros of a ReLU)
/// right.
///
/// Channels are centred and scaled in double and rounded to whole multiples of `sqrt(T) / 7e8` deviations (6.5e-8 at
/// T = 2048, like float); from there on all distances and counts are exact. Equal values are then told apart by noise
/// that depends on the seed, the place of the value in the sorted channel, and the order of its tokens by the other
/// channel: so the estimate is the same, to the bit, for permuted tokens, swapped channels, and for a pair computed
/// alone, in a list or in a matrix.
///
/// @param exec  where to run
/// @param x, y  one value per token, the same number of tokens: at least k + 1, at most 2^24; fewer than 100 or 20 k
///              are few (`few_tokens` of the other entries)
/// @returns the estimate, which may be negative: at independence it scatters around 0 by about 0.8/sqrt(T) for
///          k = 3 (measured). 0 if a channel is constant; without ties psi(T) - psi(k) at most (first), which is what
///          equal channels give
/// @throws invalid_argument  if sizes differ, tokens are too few, a value is NaN or infinite, or an option is out of
///                           range
///
/// Cost: two sorts, then on average about T sqrt(k) log T; T^2 for points without a local scale (outliers of outliers).
/// Allocates about 80 bytes per token. Runs on the calling thread. Deterministic.
template <executor Exec>
double knn(const Exec& exec, vector_view<const float, memory_of<Exec>> x, vector_view<const float, memory_of<Exec>> y,
           const knn_options& options = {});

/// The same for a list of pairs of channels.
///
/// @param samples   [tokens, channels]
/// @param pairs     columns of `samples`, in either order; a channel paired with itself gives 0
/// @param mi        one value per pair
/// @param progress  called on this thread; may cancel, `mi` is then unspecified
/// @throws invalid_argument  as above, or if a pair is out of range or `mi` has another size; `mi` is untouched. The
///                           message names the channel that holds NaN or infinity
/// @throws cancelled         if `progress` returns false
///
/// Cost: one sort a channel, then as above for each pair. Allocates 12 bytes per token and channel that occurs in
/// `pairs` (20 where values tie), and 24 bytes per token and thread. Deterministic, and independent of the number of
/// threads.
template <executor Exec>
knn_result knn(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples, std::span<const channel_pair> pairs,
               vector_view<float, memory_of<Exec>> mi, const knn_options& options = {},
               const progress_callback& progress = {});

/// The same for all pairs.
///
/// @param mi  [channels, channels], written whole, symmetric to the bit; the diagonal is 0. Must not overlap `samples`
///
/// Cost and errors as above; channels / 512 sorts a channel. Allocates 12 bytes (20 where values tie) a token and
/// channel for at most 512 channels at a time, however many there are.
template <executor Exec>
knn_result knn(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
               matrix_view<float, memory_of<Exec>> mi, const knn_options& options = {},
               const progress_callback& progress = {});

/// Differential entropy of each channel in its own unit, in nats (Kozachenko and Leonenko 1987):
/// `h = psi(T) - psi(k) + ln 2 + mean_t ln e`, e the distance of token t to its k-th nearest neighbour.
///
/// Equal values are spread by `noise` as above. Without noise, a value that occurs more than k times makes it minus
/// infinity, which it is for a constant channel in any case. `variant` and `clip_negative` do not matter.
///
/// @param entropies  [channels]
/// @throws invalid_argument  as above; `entropies` is untouched
///
/// Cost: one sort a channel, T (k + 1) comparisons and T logarithms. Permuted tokens give the same bits.
template <on_host Exec>
knn_result knn_entropy(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                       vector_view<float, memory_of<Exec>> entropies, const knn_options& options = {});

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/knn/host.inl>
#endif
