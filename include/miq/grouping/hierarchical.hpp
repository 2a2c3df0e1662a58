// grouping/hierarchical.hpp: agglomerative clustering: the two nearest clusters become one, until one is left.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/dendrogram.hpp>
#include <miq/grouping/linkage_method.hpp>

namespace miq::grouping {

/// Agglomerative clustering of columns whose distances are given.
///
/// Single linkage is read off Prim's minimum spanning tree; complete and average linkage follow chains of nearest
/// neighbours (Benzecri 1982; Muellner 2011, "Modern hierarchical, agglomerative clustering algorithms") with the
/// updates of Lance & Williams (1967), so that each tree takes O(n^2).
///
/// Heights of single and complete linkage are the given distances. Those of average linkage are the means over all
/// pairs, summed in double precision from the given distances when the tree is known; the tree itself is decided by
/// means that are rounded to single precision at every merge, so that it may differ from that of exact arithmetic where
/// two means agree to about 1e-6 of their size. (A merge whose mean so comes out below that of a cluster inside it gets
/// the latter's height.)
///
/// Equal distances: of clusters at the same distance the one with the lower index is the nearest, where a cluster's
/// index is the largest of those of its members that were given the merges (the convention of SciPy's nearest-neighbour
/// chain), except that a chain turns back to where it came from. Merges of equal height stay in the order in which they
/// were found. Single and complete linkage thus give SciPy's matrix with ties too; average linkage does wherever both
/// round ties alike.
///
/// @param exec      where to run
/// @param distance  [n, n], n >= 1, finite, not negative, symmetric to the bit, zero diagonal
/// @param method    not `ward`, which is not defined by the distances of points: give `ward_linkage` the coordinates
/// @throws invalid_argument  if `distance` is not that, or `method` is `ward`
///
/// Allocates about 0.2 kB a column; complete and average linkage besides a copy of the distances with room for new
/// clusters, 4.5 n^2 bytes, and 0.6 kB a column. Synchronises. Cost: single linkage reads the distances twice (once to
/// check them); the others read them, copy them, read about 3 n rows of the clusters left, and write n. The chain
/// itself runs on one thread. Deterministic, the same to the bit for every number of threads.
template <executor Exec>
dendrogram linkage(const Exec& exec, matrix_view<const float, memory_of<Exec>> distance, linkage_method method);

/// Ward's minimum variance method on points under the Euclidean distance. The height of a merge of clusters with a and
/// b points is `sqrt(2 a b / (a + b)) |m_a - m_b|` with m their means (SciPy's and scikit-learn's convention; two
/// points are merged at their distance), computed in double precision from the means; the tree is decided in double
/// precision by Lance & Williams' update. Ties as in `linkage`.
///
/// @param exec    where to run
/// @param points  [n, d], finite, n >= 1, d >= 1
/// @throws invalid_argument  if `points` is empty or not finite
///
/// Allocates about 9 n^2 + 12 n d bytes. Synchronises. Cost: n^2 d / 2 squared differences, then as `linkage` with
/// twice the memory traffic. Deterministic, the same to the bit for every number of threads.
template <executor Exec>
dendrogram ward_linkage(const Exec& exec, matrix_view<const float, memory_of<Exec>> points);

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/hierarchical/host.inl>
#endif
