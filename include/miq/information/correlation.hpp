// information/correlation.hpp: mutual information and entropy of Gaussian channels, straight from the covariance.
#pragma once

#include <span>

#include <miq/calibration/statistics.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/correlation_options.hpp>

namespace miq::information {

/// Mutual information of all pairs of channels, in nats, under a Gaussian model:
/// `I(i, j) = -1/2 ln(1 - rho_ij^2)` (Cover and Thomas 2006, example 8.5.1; exact if the channels are jointly Gaussian,
/// otherwise what a linear predictor can see).
///
/// @param exec   where to run; all work goes to its stream. Allocates 8 c bytes on the host, does not synchronise.
/// @param statistics   covariance, minimum, maximum and token count of c channels, at least 2 tokens. Only the upper
///                     triangle of the covariance is read.
/// @param mi     [c, c], written whole, symmetric to the bit; the diagonal is 0
/// @param result one object in the executor's memory
/// @throws invalid_argument  if shapes differ, `mi` overlaps the covariance, fewer than 2 tokens were seen (with
///                           2, every |rho| is 1), `max_correlation` is not within (0, 1), or, on the host, the
///                           covariance holds a value that is not finite or a negative variance; `mi` and `result` are
///                           untouched
///
/// Cost: c^2/2 logarithms, reads half of the covariance once (on the host twice). Deterministic. Each value is the
/// formula's, for the given covariance, to 1 unit in the last place of float. At independence the estimate has the bias
/// `1/2 (psi((n-1)/2) - psi((n-2)/2))`, about 1/(2 n) nats for n tokens.
template <executor Exec>
void correlation(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                 matrix_view<float, memory_of<Exec>> mi, result_ref<correlation_result, memory_of<Exec>> result,
                 const correlation_options& options = {});

/// The same, returning the result: synchronises with the stream.
template <executor Exec>
correlation_result correlation(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                               matrix_view<float, memory_of<Exec>> mi, const correlation_options& options = {});

/// The same for the listed pairs of columns: O(1) per pair, the same bits as in the matrix; a channel with itself gives
/// 0.
///
/// @param mi  [pairs.size()]
template <executor Exec>
correlation_result correlation(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                               std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                               const correlation_options& options = {});

/// The same for all pairs of columns of samples: a pass of `calibration::accumulator` over them, whose covariance is
/// made in `mi` and turned into information in place.
///
/// @param samples  [T, c], finite, T >= 2; channels of a size whose squares leave float's range are scaled by a power
///                 of 2 on the way, which changes nothing
/// @param mi       [c, c]
/// @throws cancelled  if the callback says so; `mi` is untouched then
/// Cost: T c^2 / 2 multiply-adds. Allocates what the accumulator does, about 4 (c + 64)^2 bytes: the size of `mi`.
template <executor Exec>
correlation_result correlation(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                               matrix_view<float, memory_of<Exec>> mi, const correlation_options& options = {},
                               const progress_callback& progress = {});

/// The same for the listed pairs. Sums are in double and in another order than for all pairs, so that values agree to
/// about 1e-6 of |rho|. Cost: T multiply-adds per pair. Allocates 4 T bytes for each channel that occurs.
template <executor Exec>
correlation_result correlation(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                               std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                               const correlation_options& options = {}, const progress_callback& progress = {});

/// The same for one pair, x and y [T]. Symmetric to the bit.
template <executor Exec>
double correlation(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                   vector_view<const float, memory_of<Exec>> y, const correlation_options& options = {});

/// Differential entropy of each channel under a Gaussian model, in nats: `h = 1/2 ln(2 pi e C_jj)` (Cover and Thomas
/// 2006, example 8.1.2). Negative where the variance is below 1/(2 pi e); minus infinity for a constant channel. Unlike
/// the mutual information it depends on the channel's unit.
///
/// @param exec       where to run. Does not allocate, does not synchronise.
/// @param statistics       covariance (its diagonal), minimum, maximum and token count, at least 2 tokens
/// @param entropies  [c]
/// @throws invalid_argument  if shapes differ or fewer than 2 tokens were seen; `entropies` is untouched
///
/// Cost: c logarithms. Bias about -1/n nats for n tokens.
template <executor Exec>
void gaussian_entropy(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                      vector_view<float, memory_of<Exec>> entropies);

/// The same of samples [T, c], T >= 2, in a pass of its own. Does not allocate. No option matters.
///
/// @throws invalid_argument  also for samples that are not finite
template <on_host Exec>
void gaussian_entropy(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                      vector_view<float, memory_of<Exec>> entropies, const correlation_options& options = {});

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/correlation/host.inl>
#endif
