// grouping/balanced.hpp: groups of equal or bounded size, as kernels like them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// A cheapest assignment under bounds, and the proof that it is.
struct assignment_result {
  std::vector<std::int32_t> labels;  ///< the group of each point
  double cost = 0;                   ///< sum of the costs of all points in their groups
  double lower_bound = 0;            ///< no assignment within the bounds costs less: the value of the dual problem at
                                     ///< `prices`, so that whoever doubts it can add it up again
  std::vector<double> prices;        ///< of a place in each group, positive only where it is full, negative only where
                                     ///< it has the minimum: every point is where cost + price is smallest
  std::int64_t moved = 0;            ///< points that are not in the group that is cheapest for them alone
};

/// Assigns n points to k groups so that group g gets `minimum[g]` to `maximum[g]` points and the sum of the costs is
/// the smallest possible: a minimum-cost flow, solved exactly by successive shortest paths with potentials (Edmonds &
/// Karp 1972; Tomizawa 1971). Every point starts in its cheapest group; points then move, one path between groups at a
/// time, from groups that are too large to such as have room. `cost - lower_bound` is rounding error.
///
/// @param exec     where to run
/// @param costs    [n, k], finite, n >= 1, k >= 1; cost of a point (row) in a group (column)
/// @param minimum  [k], at least 0
/// @param maximum  [k], at least `minimum`
/// @throws invalid_argument  if shapes do not match, a cost is not finite, or n is not between the sum of the minima
///                           and that of the maxima
///
/// Allocates about (16 n + 40 k) k bytes. Synchronises. Cost: n k log n to begin, then for each point that has to move
/// a shortest path among k groups, at most k^2. One thread. Deterministic; among equal costs the lower group and the
/// lower point win.
template <executor Exec>
assignment_result bounded_assignment(const Exec& exec, matrix_view<const double, memory_of<Exec>> costs,
                                     std::span<const std::int64_t> minimum, std::span<const std::int64_t> maximum);

/// What `balanced_kmeans` and `balanced_spectral` may be asked for.
struct balanced_options {
  int groups = 8;  ///< number of groups, 1 to the number of columns
  /// Sizes are multiples of this, except that of the last group, which lacks what the columns lack to be a multiple.
  /// (128 columns each, the last perhaps short: `multiple = 128`, `groups` = columns / 128 rounded up.)
  std::int64_t multiple = 1;
  std::int64_t minimum = 0;  ///< smallest size of a group (the short one may be smaller); 0 in both: as equal as can be
  std::int64_t maximum = 0;  ///< largest size; 0 with a minimum: no limit
  int max_iterations = 100;  ///< of centres and assignments, at least 1
  float tolerance = 1e-6F;   ///< stop when the inertia falls by less than this share; 0: only when no label changes
  int restarts = 10;         ///< of the k-means that gives the first centres
  int kmeans_iterations = 300;    ///< of one such start
  double eigen_tolerance = 1e-5;  ///< of the eigenvectors; `balanced_spectral` only
  bool dense_fallback = true;     ///< of the eigensolver; `balanced_spectral` only
  std::uint64_t seed = 0;         ///< of everything drawn
  progress_callback progress{};   ///< phases "eigenvectors", "k-means" and "balancing"; may cancel
};

/// The groups, and what happened on the way.
struct balanced_result {
  partition groups;        ///< numbered in order of first appearance, but a short group last
  matrix<float> centres;   ///< [groups, d], the means of the groups
  double inertia = 0;      ///< sum of squared distances of the points to the mean of their group
  double unbalanced = 0;   ///< the inertia of k-means without bounds, from which it started
  double gap = 0;          ///< of the last assignment: (cost - lower bound) / cost; rounding error, 0 if the cost is 0
  std::int64_t moved = 0;  ///< points that the bounds keep from their nearest centre, in the last assignment
  int iterations = 0;      ///< assignments made
  bool converged = false;  ///< false if `max_iterations` ended it
  std::int64_t isolated = 0;  ///< columns with no affinity to any other; `balanced_spectral` only
};

/// Divides points into groups of bounded size so that the sum of squared distances to the groups' means is small: from
/// the centres of `kmeans`, `bounded_assignment` to the centres and means of the groups in turn (Bradley, Bennett &
/// Demiriz 2000, "Constrained k-means clustering"). Each assignment is optimal for its centres; the whole is a local
/// optimum, as with k-means.
///
/// Sizes, n columns in k groups: with `multiple` 1, floor(n / k) or one more, or within [minimum, maximum]. With a
/// larger multiple m there are ceil(n / m) units of m columns, of which one lacks m ceil(n / m) - n. Groups get equally
/// many units, or one more, or as many as lie within [minimum, maximum]; which groups get more is decided by their
/// sizes in k-means, and then stays. The short unit goes to the group that has most room, and that group is numbered
/// last.
///
/// @param exec    where to run
/// @param points  [n, d], finite, n >= 1, d >= 1
/// @throws invalid_argument  if `points` is empty or not finite, an option is out of its range, or no sizes satisfy the
///                           options
/// @throws cancelled         if the callback says so
///
/// Allocates as `kmeans` and `bounded_assignment`, 8 n k bytes for costs. Synchronises. Cost: k-means, and for each
/// iteration 2 n k d operations and an assignment. Deterministic, the same to the bit for every number of threads.
template <executor Exec>
balanced_result balanced_kmeans(const Exec& exec, matrix_view<const float, memory_of<Exec>> points,
                                const balanced_options& options = {});

/// Groups of bounded size straight from affinities: `balanced_kmeans` of the points that `spectral` uses, the rows of
/// the `groups` largest eigenvectors of `D^-1/2 A D^-1/2`, scaled to length 1. Isolated columns count as the origin,
/// which is equally far from everything, and so fill the groups that have room.
///
/// @param exec      where to run
/// @param affinity  [n, n], n >= 1, finite, not negative, symmetric to the bit; the diagonal is checked but counts as 0
/// @throws invalid_argument  if `affinity` is not that, or as `balanced_kmeans`
/// @throws numerical_error   if the eigensolver does not converge and `dense_fallback` is false
/// @throws cancelled         if the callback says so
///
/// With more connected components than groups the eigenvectors of the repeated eigenvalue 1 are any of many, and so are
/// the groups; they are those of the seed. Allocates as `spectral` besides. Deterministic, the same to the bit for
/// every number of threads.
template <executor Exec>
balanced_result balanced_spectral(const Exec& exec, matrix_view<const float, memory_of<Exec>> affinity,
                                  const balanced_options& options = {});

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/balanced/host.inl>
#endif
