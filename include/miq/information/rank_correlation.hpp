// information/rank_correlation.hpp: mutual information of a Gaussian copula, from the ranks of the values.
#pragma once

#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/rank_correlation_options.hpp>

namespace miq::information {

/// Mutual information of all pairs of channels, in nats, of the Gaussian copula with their rank correlation (Ince et
/// al. 2017, "A statistical framework for neuroimaging data analysis based on mutual information estimated via a
/// Gaussian copula"): every value becomes the normal score `Phi^-1(r / (T + 1))` of its rank r among the channel's T
/// tokens (equal values share the mean of their ranks), scores are standardised, and `I = -1/2 ln(1 - rho^2)` of the
/// scores.
///
/// It is a lower bound of the information of any pair with Gaussian copula-transformed margins, exact if the copula is
/// Gaussian, and unchanged, to the bit, by increasing maps of any channel. Ties, such as the zeros of a rectifier, are
/// kept together; with many of them the scores are not normal, and the value is only what a linear predictor of the
/// scores can see.
///
/// @param exec     where to run. Synchronises.
/// @param samples  [T, c], finite, 2 <= T < 2^30
/// @param mi       [c, c], written whole, symmetric to the bit; the diagonal is 0
/// @param progress phases "ranks" and "rank correlation"; may cancel, then `mi` is unspecified
/// @throws invalid_argument  for a NaN or an infinity (naming channel and token), too few tokens, shapes that differ,
///                           `mi` overlapping `samples`, options out of range; `mi` is untouched
/// @throws cancelled         if the callback says so
///
/// Cost: c sorts of T values, then T c^2 / 2 multiply-adds in float, summed in double every 512 tokens. Allocates 4 T c
/// bytes, 16 T once and 8 T a thread. Deterministic, the same to the bit for every number of threads (of one build).
/// `few_tokens`: fewer than 100, where independent channels read 0.005 nats or more.
template <executor Exec>
rank_correlation_result rank_correlation(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                         matrix_view<float, memory_of<Exec>> mi,
                                         const rank_correlation_options& options = {},
                                         const progress_callback& progress = {});

/// The same for the listed pairs of columns; a channel with itself gives 0. Only channels that occur are sorted. Sums
/// are in double and in another order than for all pairs, so that values agree to about 1e-6 of |rho|.
///
/// @param mi  [pairs.size()]
template <executor Exec>
rank_correlation_result rank_correlation(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                         std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                                         const rank_correlation_options& options = {},
                                         const progress_callback& progress = {});

/// The same for one pair, x and y [T]. Symmetric to the bit.
template <executor Exec>
double rank_correlation(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                        vector_view<const float, memory_of<Exec>> y, const rank_correlation_options& options = {});

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/rank_correlation/host.inl>
#endif
