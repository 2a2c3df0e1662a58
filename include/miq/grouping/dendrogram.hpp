// grouping/dendrogram.hpp: the tree that hierarchical clustering makes, and the partitions it holds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// Two clusters that became one: a row of SciPy's linkage matrix. Clusters 0 .. n-1 are the columns themselves; merge m
/// makes cluster n + m.
struct cluster_merge {
  std::int64_t first = 0;   ///< the lower number of the two
  std::int64_t second = 0;  ///< the higher
  double height = 0;        ///< the distance at which they were merged
  std::int64_t size = 0;    ///< columns of both together

  friend bool operator==(const cluster_merge&, const cluster_merge&) = default;
};

/// The n - 1 merges of n columns, lowest first. Immutable; lives on the host. Copies are deep. 32 bytes per column.
class dendrogram {
 public:
  /// No columns.
  dendrogram() = default;

  /// @param merges  in SciPy's convention (`scipy.cluster.hierarchy.linkage`); empty: a single column
  /// @throws invalid_argument  if a cluster is merged twice or before it exists, a size is wrong, or a height is not
  ///                           finite or below the one before
  explicit dendrogram(std::vector<cluster_merge> merges);

  std::int64_t columns() const { return columns_; }
  /// The merges, heights not descending: n - 1 of them. Valid as long as the dendrogram.
  std::span<const cluster_merge> merges() const { return merges_; }

  /// Exactly `count` groups: all merges but the last `count` - 1 are made. (SciPy's `fcluster` with `maxclust` gives
  /// fewer where merges to be told apart have equal heights; here the order of the merges tells them apart.) Groups are
  /// numbered in order of first appearance. Cuts are nested: more groups divide those of fewer.
  /// @throws invalid_argument  unless 1 <= count <= columns()
  partition cut_by_count(std::int64_t count) const;

  /// The groups whose merges are at most `height` high (`fcluster` with `distance`), numbered in order of first
  /// appearance. Below 0: every column alone; infinite: one group.
  /// @throws invalid_argument  if `height` is NaN, or there are no columns
  partition cut_by_height(double height) const;

  /// The columns from left to right so that no branches cross when the tree is drawn, each merge's `first` on the left
  /// (SciPy's `leaves_list`).
  std::vector<std::int64_t> leaf_order() const;

  friend bool operator==(const dendrogram& a, const dendrogram& b) = default;

 private:
  partition cut_after(std::int64_t merges) const;

  std::int64_t columns_ = 0;
  std::vector<cluster_merge> merges_;
};

/// How well a tree keeps the distances: Pearson's correlation of the distances of all pairs i < j with the heights at
/// which the pairs come together (Sokal & Rohlf 1962; SciPy's `cophenet`). NaN where all distances or all heights are
/// equal.
///
/// @param exec      where to run
/// @param tree      of n >= 2 columns
/// @param distance  [n, n], finite, not negative, symmetric to the bit, zero diagonal
/// @throws invalid_argument  if `distance` is not that, or does not match `tree`
///
/// Cost: reads the distances three times; n^2 additions in double precision. Allocates 65 n doubles. Synchronises.
/// Deterministic, the same to the bit for every number of threads.
template <executor Exec>
double cophenetic_correlation(const Exec& exec, const dendrogram& tree,
                              matrix_view<const float, memory_of<Exec>> distance);

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/dendrogram/host.inl>
#endif
