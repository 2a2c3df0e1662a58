// grouping/spectral.hpp: groups of columns that share information, by the eigenvectors of their affinities.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/eigenpairs.hpp>
#include <miq/grouping/kmeans.hpp>
#include <miq/grouping/partition.hpp>
#include <miq/grouping/spectral_options.hpp>

namespace miq::grouping {

/// Spectral clustering (Ng, Jordan & Weiss 2002): with D the row sums of the affinities A, diagonal left out, the
/// eigenvectors of the k largest eigenvalues of `D^-1/2 A D^-1/2` give every column a point in k dimensions; the points
/// are scaled to length 1 and divided by `kmeans`.
///
/// Columns without affinity to any other (isolated: row sum 0) have no such point and take no part in the above. Where
/// there are some, the last of the `groups` groups is theirs, and the connected columns are divided into the others; if
/// there are fewer connected columns than that, each is alone and the isolated ones are divided over the groups left,
/// neighbours together (`partition::contiguous`); so they are if all columns are isolated. With one group everything is
/// in it. (Numbers are then given by first appearance.)
///
/// The eigenvalue 1 is repeated once for every connected component; all are found. With as many groups as components
/// each component is one group; with fewer, whole components are joined, the largest first, each to the group that has
/// the fewest columns so far (any such division cuts nothing; this one is even). Neither takes eigenvectors. A column
/// whose point has less than 1e-4 of the length that is usual for its row sum (its affinities are negligible beside the
/// others') is scaled as if it had that length, and so stays near the origin.
///
/// @param exec      where to run
/// @param affinity  [n, n], n >= 1, finite, not negative, symmetric to the bit; the diagonal is checked but counts as 0
/// @throws invalid_argument  if `affinity` is not that, or an option is out of its range (groups beyond n among them)
/// @throws numerical_error   if the eigensolver does not converge and `dense_fallback` is false
///
/// Allocates a normalised copy of the affinities (4 n^2 bytes) besides what `largest_eigenpairs` and `kmeans` do.
/// Synchronises. Deterministic, the same to the bit for every number of threads.
template <executor Exec>
spectral_result spectral(const Exec& exec, matrix_view<const float, memory_of<Exec>> affinity,
                         const spectral_options& options = {});

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/spectral/host.inl>
#endif
