// grouping/silhouette.hpp: how well each column sits in its group.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// The mean silhouette width (Rousseeuw 1987) of a partition under given distances: with a(i) the mean distance of i to
/// the others of its group and b(i) the smallest mean distance to the members of another group,
/// `s(i) = (b(i) - a(i)) / max(a(i), b(i))`, in [-1, 1]. A column alone in its group scores 0 (as in the paper), and so
/// does one with a(i) = b(i) = 0.
///
/// @param exec      where to run
/// @param distance  [n, n], finite, not negative, symmetric to the bit, zero diagonal
/// @param groups    of n columns, at least 2 groups
/// @throws invalid_argument  if `distance` is not that, or does not match `groups`, or there are fewer than 2 groups
///
/// Cost: reads the distances twice (once to check them); n^2 additions in double precision. Allocates 4 * 64 * groups
/// doubles and n widths. Synchronises. Deterministic, the same to the bit for every number of threads.
template <executor Exec>
double silhouette(const Exec& exec, matrix_view<const float, memory_of<Exec>> distance, const partition& groups);

/// The same; writes the width of every column besides.
/// @param widths  [n]; must not overlap `distance`; untouched if the call throws invalid_argument
template <executor Exec>
double silhouette(const Exec& exec, matrix_view<const float, memory_of<Exec>> distance, const partition& groups,
                  vector_view<float, memory_of<Exec>> widths);

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/silhouette/host.inl>
#endif
