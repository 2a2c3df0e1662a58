// allocation/importance.hpp: how much a column matters, and how much of it the other columns know.
#pragma once

#include <cstdint>

#include <miq/allocation/importance_measure.hpp>
#include <miq/calibration/statistics.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/weights_view.hpp>

namespace miq::allocation {

/// Importance of every column by one measure, in that measure's own unit (`mixed`: none).
///
/// @param exec     where to run; all work goes to its stream. Allocates 7 c doubles from the executor at most.
/// @param weights  [rows, c]; may be an empty view for the measures that do not read it (amplitude, hessian, variance)
/// @param statistics     variances (the covariance's diagonal), means and mean amplitudes of c columns, at least 1
///                       token
/// @param out      [c], written whole, finite and not negative
/// @throws invalid_argument  on a shape that does not fit, a weight or statistic that is not finite (row and column are
///                           named), a mix that is negative, not finite or all zero, or an `out` that overlaps an
///                           input; `out` is untouched
///
/// Cost: reads the weights once. Sums in double, rows ascending: the same to the bit for every number of threads.
template <executor Exec>
void importance(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                const calibration::statistics_view<memory_of<Exec>>& statistics, importance_measure measure,
                vector_view<float, memory_of<Exec>> out, const importance_mix& mix = {});

/// What is done about a covariance that cannot be inverted.
enum class shrinkage {
  none,       ///< the correlations as they are
  given,      ///< the share that the caller gave
  estimated,  ///< the share that Schaefer and Strimmer's formula gives
  raised,     ///< more than that: the smallest step of the ladder with which the inverse exists
};

/// What `redundancy_given_others` may be asked for.
struct redundancy_options {
  /// `estimated` (the default) shrinks only where it must: with tokens <= live columns, or without an inverse.
  /// `none` refuses those cases; `given` always uses `share`. `raised` cannot be asked for.
  shrinkage rule = shrinkage::estimated;
  double share = 0;  ///< `given` only: lambda, 0 to 1
};

/// What was done.
struct redundancy_result {
  shrinkage used = shrinkage::none;
  double share = 0;           ///< lambda of the correlations that were inverted
  double bias = 0;            ///< nats by which each value is too large on average, where `used` is none; else 0
  bool few_tokens = false;    ///< fewer than 2 tokens a live column: bias and scatter are large, or shrinkage decides
  std::int64_t constant = 0;  ///< columns without variance: their redundancy is 0, and the others do not see them
};

/// Redundancy of every column given all the others, in nats: the mutual information between channel j and the rest
/// under a Gaussian model,
///     `I(x_j; x_rest) = 1/2 ln(C_jj [C^-1]_jj)`,
/// since `1 / [C^-1]_jj` is the variance that remains when all other channels are known (Whittaker 1990, "Graphical
/// Models in Applied Multivariate Statistics", chapter 5). Invariant to the channels' scale. Not to be mistaken for
/// the conditional variance given *later* columns, `1 / U_jj^2`, which OBS pays and `obs` computes.
///
/// Shrinkage, where it is used, pulls the correlations R towards independence, `(1 - lambda) R + lambda I`, with
///     `lambda = sum_{i<j} Var(r_ij) / sum_{i<j} r_ij^2`,  `Var(r) = (1 - r^2)^2 / (tokens - 1)`
/// (Schaefer & Strimmer 2005, "A shrinkage approach to large-scale covariance matrix estimation", target D; the
/// variance of a correlation of Gaussian channels), at most 1. If that does not give an inverse, lambda is raised
/// tenfold from at least the rounding error, until it does; lambda = 1, all zeros, always does. A matrix counts as
/// invertible when Cholesky's pivots are positive and no column has less than `sqrt(c) 2^-23` of its variance left, the
/// size of what rounding the covariance to float can do. Tokens count as independent.
///
/// Bias: without shrinkage, of Gaussian tokens, exactly `1/2 [psi((n - 1)/2) - psi((n - p)/2)]` for n tokens and p live
/// columns, whatever their covariance; it is in the result and not subtracted.
///
/// @param exec  where to run. Allocates 2 c^2 doubles from the executor. Synchronises: the ladder decides on the host.
/// @param statistics  covariance [c, c] of at least 2 tokens, of which the upper triangle is read; minimum and maximum,
///                    where they are given, decide which columns are constant
/// @param nats  [c], written whole, not negative
/// @throws invalid_argument  on a shape that does not fit, a covariance that is not finite or has a negative diagonal,
///                           an option out of range, or a `nats` that overlaps an input
/// @throws numerical_error   with `none` or `given`: if there is no inverse
/// `nats` is untouched by both.
///
/// Cost: 2/3 c^3 flops in double for each step of the ladder. The same to the bit for every number of threads.
template <executor Exec>
redundancy_result redundancy_given_others(const Exec& exec,
                                          const calibration::statistics_view<memory_of<Exec>>& statistics,
                                          vector_view<float, memory_of<Exec>> nats,
                                          const redundancy_options& options = {});

/// How the columns of a group become one number.
enum class group_reduction {
  mean,  ///< per weight: what `bit_item::importance` is
  sum,   ///< of the group as a whole
};

/// Importance of groups of columns.
///
/// @param exec     where to run. Allocates 2 doubles per group; on the host it runs on the calling thread.
/// @param columns  [c] importances of columns
/// @param labels   [c] group of every column, 0 to groups - 1, as `grouping::partition::labels()` gives them
/// @param out      [groups], written whole; its size says how many groups there are
/// @throws invalid_argument  on sizes that do not fit, a label out of range, a group without columns, an importance
///                           that is not finite, or an `out` that overlaps `columns`; `out` is untouched
///
/// Cost: reads the columns once, in order, in double.
template <executor Exec>
void group_importance(const Exec& exec, vector_view<const float, memory_of<Exec>> columns,
                      vector_view<const std::int32_t, memory_of<Exec>> labels, vector_view<float, memory_of<Exec>> out,
                      group_reduction reduction = group_reduction::mean);

}  // namespace miq::allocation

#if !defined(MIQ_PRECOMPILED)
#include <miq/allocation/detail/importance/host.inl>
#endif
