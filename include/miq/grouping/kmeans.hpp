// grouping/kmeans.hpp: k-means clustering with a careful start.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/kmeans_options.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// Divides points into `options.groups` groups, none empty, so that the sum of squared distances to the groups' means
/// is small: Lloyd's iteration (1982) from several greedy k-means++ starts (Arthur & Vassilvitskii 2007, section 2.2;
/// in the variant that draws `2 + floor(ln groups)` candidates for each centre and keeps the one that lowers the sum
/// most). Points as near to two centres go to the one with the lower number.
///
/// A group that loses all its points takes the point that lies farthest from its centre, among groups of two and more
/// (ties: the lower index). So there are always `options.groups` groups, even where points coincide.
///
/// @param exec    where to run
/// @param points  [n, d], finite, n >= 1, d >= 1
/// @throws invalid_argument  if `points` is empty or not finite, or an option is out of its range
///
/// Distances are those of points moved to their mean and scaled by a power of two, in single precision; the inertia is
/// summed in double precision from differences. Allocates 4 n d bytes, and about (32 + 4 ln groups) n + 12 groups * d
/// bytes for each start, of which at most 17 are held at a time. Synchronises. Cost: restarts * (2 + ln groups +
/// iterations) * 2 n d groups operations; starts are spread over the threads. Deterministic, the same to the bit for
/// every number of threads.
template <executor Exec>
kmeans_result kmeans(const Exec& exec, matrix_view<const float, memory_of<Exec>> points,
                     const kmeans_options& options = {});

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/kmeans/host.inl>
#endif
