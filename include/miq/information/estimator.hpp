// information/estimator.hpp: any estimator of mutual information, chosen at run time.
#pragma once

#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/correlation.hpp>
#include <miq/information/estimate.hpp>
#include <miq/information/estimator_options.hpp>
#include <miq/information/histogram.hpp>
#include <miq/information/kde.hpp>
#include <miq/information/knn.hpp>
#include <miq/information/rank_correlation.hpp>

namespace miq::information {

/// Mutual information of all pairs of columns of `samples` [T, c] by the estimator that `estimator` holds the options
/// of: exactly what the function of that name does.
///
/// @param mi  [c, c], written whole, symmetric to the bit; the diagonal is 0
template <executor Exec>
estimator_result mutual_information(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                    matrix_view<float, memory_of<Exec>> mi, const estimator_options& estimator = {},
                                    const progress_callback& progress = {});

/// The same for the listed pairs.
///
/// @param mi  [pairs.size()]
template <executor Exec>
estimator_result mutual_information(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                    std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                                    const estimator_options& estimator = {}, const progress_callback& progress = {});

/// The same for one pair, x and y [T].
template <executor Exec>
double mutual_information(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                          vector_view<const float, memory_of<Exec>> y, const estimator_options& estimator = {});

/// Entropies of all channels, of the kind that `entropies_of` names.
///
/// @param entropies  [c]
/// @throws invalid_argument  for `rank_correlation`, which has none, and as the estimator's own function does
template <executor Exec>
void entropies(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
               vector_view<float, memory_of<Exec>> entropies, const estimator_options& estimator = {});

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/estimator/host.inl>
#endif
