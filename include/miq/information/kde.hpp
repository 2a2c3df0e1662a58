// information/kde.hpp: mutual information from kernel density estimates.
#pragma once

#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/kde_options.hpp>

namespace miq::information {

/// Mutual information of two channels, in nats: the mean over tokens t of `ln(p(x, y) / (p(x) p(y)))`, for densities by
/// Gaussian product kernels (Moon, Rajagopalan and Lall 1995). With `K(t, s) = exp(-(x_t - x_s)^2 / (2 h^2))`, widths
/// and constants cancel:
///
///     I = mean_t ln(n sum_s K_x(t, s) K_y(t, s) / (sum_s K_x(t, s) sum_s K_y(t, s)))
///
/// over all s and with n = T (resubstitution), or over s != t and with n = T - 1 (leave one out).
///
/// Smoothing lowers the information: of Gaussian channels by `1/2 ln(1 - r^2)` for r = rho / (1 + T^(-1/3)) instead of
/// rho, about. With heavy tails the two rules and the two densities differ most: `silverman` keeps the resolution of
/// the bulk, and left out of their own density the tokens of the tails then make estimates too low, even far below 0.
/// Atoms (the zeros of a ReLU) are smoothed like everything else.
///
/// Kernels and their products are float, added up 64 at a time (relative error of a density about 1e-6 up to 65536
/// tokens), logarithms and their mean exact sums of 2^-32 nats. Units and signs of channels do not matter beyond that
/// rounding, nor does the order of the tokens. Swapped channels give the same bits, and a pair alone, in a list and in
/// a matrix.
///
/// @param exec  where to run
/// @param x, y  one value per token, the same number of tokens: at least 2; fewer than 100 are few (`few_tokens` below)
/// @returns the estimate; 0 if a channel is constant. A channel and itself: finite, limited by the kernels' width
/// @throws invalid_argument  if sizes differ, tokens are too few, a value is NaN or infinite, or the rule is none
///
/// Cost: 4 T^2 exponentials, each channel on one thread. Allocates 8 bytes per token, and 8 more for each thread.
/// Deterministic.
template <executor Exec>
double kde(const Exec& exec, vector_view<const float, memory_of<Exec>> x, vector_view<const float, memory_of<Exec>> y,
           const kde_options& options = {});

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
/// Cost: T^2 exponentials a channel and 2 T^2 per pair: for most pairs of many channels, ask for all. Allocates 4 bytes
/// a token and channel that occurs. Deterministic, and independent of the number of threads.
template <executor Exec>
kde_result kde(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples, std::span<const channel_pair> pairs,
               vector_view<float, memory_of<Exec>> mi, const kde_options& options = {},
               const progress_callback& progress = {});

/// The same for all pairs.
///
/// @param mi  [channels, channels], written whole, symmetric to the bit; the diagonal is 0. Must not overlap `samples`
///
/// Cost: for each token the product of the channels' kernel rows [c, T] with themselves: T^2 c^2 / 2 multiplications
/// and additions, T^2 c (c / 128 + 1) exponentials, T c^2 / 2 logarithms. Allocates 4 bytes per token and channel, and
/// 400 KB a thread. Errors as above.
template <executor Exec>
kde_result kde(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
               matrix_view<float, memory_of<Exec>> mi, const kde_options& options = {},
               const progress_callback& progress = {});

/// Differential entropy of each channel in its own unit, in nats: minus the mean over tokens of `ln p(x_t)` (Beirlant,
/// Dudewicz, Gyoerfi and van der Meulen 1997), with the width of the line. Minus infinity for a constant channel.
///
/// @param entropies  [channels]
/// @throws invalid_argument  as above; `entropies` is untouched
///
/// Cost: T^2 exponentials a channel.
template <on_host Exec>
kde_result kde_entropy(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                       vector_view<float, memory_of<Exec>> entropies, const kde_options& options = {});

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/kde/host.inl>
#endif
