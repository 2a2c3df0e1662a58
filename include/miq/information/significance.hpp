// information/significance.hpp: whether information is more than chance, and how much of it is bias.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/estimator.hpp>

namespace miq::information {

/// What `permutation_test` may be asked for.
struct permutation_test_options {
  int permutations = 199;  ///< P, at least 1: the smallest p-value is 1 / (P + 1)
  std::uint64_t seed = 0;  ///< of the permutations
};

/// Mutual information of all pairs, with p-values and a bias estimate, for any estimator.
///
/// In each of P rounds the tokens of every channel are permuted independently of all others, which keeps each channel's
/// distribution and breaks every dependence, and all pairs are estimated again:
///
///     p(i, j)    = (1 + #{rounds whose estimate is at least the observed one}) / (P + 1)
///     bias(i, j) = mean of the rounds' estimates: what the estimator reads for independent channels like these
///
/// Estimates that differ by rounding only count as equal (by 4e-6 of |rho| for the Gaussian estimators, 1e-5 nats for
/// `kde`; not at all for `histogram` and `knn`, whose estimates do not depend on the order of tokens). The p-value is
/// exact for exchangeable tokens and counts the observed order as one of the permutations (Phipson and
/// Smyth 2010, "Permutation p-values should never be zero"); the tokens of a text are not quite exchangeable, so
/// neighbouring tokens that resemble each other make it optimistic. P-values of different pairs share permutations and
/// are dependent; nothing corrects for how many pairs there are. `mi - bias` is near 0 for independent channels, and
/// overcorrects strong dependence.
///
/// @param exec       where to run. Synchronises.
/// @param samples    [T, c], as the estimator wants them
/// @param mi         [c, c]: the estimate, as `mutual_information` gives it
/// @param p_values   [c, c], symmetric, diagonal 1
/// @param bias       [c, c], symmetric, diagonal 0; or empty
/// @param progress   the phases "observed" and "permutations"; may cancel, outputs are then unspecified
/// @returns what the estimator reports of the observed samples
/// @throws invalid_argument  if `permutations` is less than 1 or more than 10^6, shapes differ or outputs overlap, and
///                           as the estimator does; outputs are untouched
/// @throws cancelled         if the callback says so
///
/// A pair with a constant channel has p = 1. Cost: P + 1 times that of the estimator, and P c T for permuting.
/// Allocates 4 T c + 4 c^2 bytes besides what the estimator does. Deterministic, the same to the bit for every number
/// of threads.
template <executor Exec>
estimator_result permutation_test(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                  matrix_view<float, memory_of<Exec>> mi, matrix_view<float, memory_of<Exec>> p_values,
                                  matrix_view<float, memory_of<Exec>> bias, const estimator_options& estimator = {},
                                  const permutation_test_options& options = {}, const progress_callback& progress = {});

/// The same for the listed pairs; a channel with itself has p = 1 and bias 0. The permutations are those of the
/// overload for all pairs, so that p-values are the same as there (of estimators whose list and matrix agree to the
/// bit).
///
/// @param mi, p_values, bias  [pairs.size()]; `bias` may be empty
template <executor Exec>
estimator_result permutation_test(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                  std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                                  vector_view<float, memory_of<Exec>> p_values,
                                  vector_view<float, memory_of<Exec>> bias, const estimator_options& estimator = {},
                                  const permutation_test_options& options = {}, const progress_callback& progress = {});

/// The outcome for one pair.
struct pair_significance {
  double mi = 0;
  double p_value = 1;
  double bias = 0;
};

/// The same for one pair, x and y [T].
template <executor Exec>
pair_significance permutation_test(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                                   vector_view<const float, memory_of<Exec>> y, const estimator_options& estimator = {},
                                   const permutation_test_options& options = {});

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/significance/host.inl>
#endif
