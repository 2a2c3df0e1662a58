// grouping/agreement.hpp: how far two divisions of the same columns agree.
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/partition.hpp>
#include <miq/information/normalisation.hpp>

namespace miq::grouping {

/// Adjusted Rand index (Hubert & Arabie 1985): of the pairs of columns, how many both divisions treat alike, brought to
/// a scale on which 1 is perfect agreement and 0 what chance gives; negative where it is worse. 1 if both divide alike,
/// also without columns (scikit-learn's `adjusted_rand_score`).
///
/// @param exec  where to run (on one thread)
/// @param a     [n], any numbers; only which are equal matters
/// @param b     [n]
/// @throws invalid_argument  if the lengths differ
///
/// Allocates about 40 n bytes. Synchronises. Cost: n log n. Symmetric to the bit; independent of the labels' names.
template <executor Exec>
double adjusted_rand_index(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> a,
                           vector_view<const std::int32_t, memory_of<Exec>> b);
template <executor Exec>
double adjusted_rand_index(const Exec& exec, const partition& a, const partition& b);

/// Normalised mutual information: `information::label_information` over the arithmetic or geometric mean, minimum or
/// maximum of the two entropies; 0 to 1 (up to rounding). 1 if both have a single group or no columns, 0 if only one
/// has a single group (scikit-learn's `normalized_mutual_info_score`).
///
/// @param exec  where to run (on one thread)
/// @param a     [n], any numbers; only which are equal matters
/// @param b     [n]
/// @param rule  arithmetic, geometric, minimum or maximum
/// @throws invalid_argument  if the lengths differ or `rule` is none of these
///
/// Allocates about 40 n bytes. Synchronises. Cost: n log n. Symmetric to the bit; independent of the labels' names.
template <executor Exec>
double normalised_information(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> a,
                              vector_view<const std::int32_t, memory_of<Exec>> b,
                              information::normalisation rule = information::normalisation::arithmetic);
template <executor Exec>
double normalised_information(const Exec& exec, const partition& a, const partition& b,
                              information::normalisation rule = information::normalisation::arithmetic);

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/agreement/host.inl>
#endif
