// grouping/group_count.hpp: how many groups the columns fall into.
#pragma once

#include <functional>
#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/grouping/eigenpairs.hpp>
#include <miq/grouping/group_count_options.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// Divides the columns into `minimum` to `maximum` groups as `spectral` does, all from one eigendecomposition with
/// `maximum` + 1 vectors, scores each division, and chooses the candidate of the largest score; of equal ones the
/// smallest number of groups.
///
/// The eigengap of k groups is `lambda_k - lambda_(k+1)`; 0 if there is no further eigenvalue. Where columns are
/// isolated, one of the k groups is theirs (see `spectral`), and the gap is that of k - 1. Silhouettes are those of all
/// columns, the isolated ones too, under the given distances.
///
/// @param exec      where to run
/// @param affinity  as for `spectral`
/// @param distance  as for `silhouette`, of the same columns
/// @throws invalid_argument  as `spectral` and `silhouette` do; if `minimum` is below 2, above `maximum` or above the
///                           number of columns
/// @throws numerical_error   if the eigensolver does not converge and `dense_fallback` is false
/// @throws cancelled         if the callback says so
///
/// Where two eigenvalues next to a candidate's cut are equal within the tolerance, the candidate's vectors, and so its
/// groups, may differ from those of `spectral`, which computes only as many as it needs.
///
/// Cost: one eigendecomposition, and k-means and a pass over the distances for each candidate. Allocates as `spectral`.
/// Synchronises. Deterministic, the same to the bit for every number of threads.
template <executor Exec>
group_count_result choose_group_count(const Exec& exec, matrix_view<const float, memory_of<Exec>> affinity,
                                      matrix_view<const float, memory_of<Exec>> distance,
                                      const group_count_options& options = {});

/// The number of groups for any way of grouping: calls `divide(k)` for every candidate k and chooses the division with
/// the largest mean silhouette width; of equal ones the smallest candidate. For instance
/// `[&](int k) { return tree.cut_by_count(k); }` for the cuts of one dendrogram, or
/// `[&](int k) { return kmeans(exec, points, {.groups = k}).groups; }`.
///
/// @param exec        where to run
/// @param distance    as for `silhouette`
/// @param candidates  numbers of groups, at least one
/// @param divide      called on the calling thread, one candidate after the other; returns a partition of the columns
///                    of `distance` into at least 2 groups (it need not be k of them)
/// @param progress    phase "group counts"; may cancel
/// @throws invalid_argument  as `silhouette` does, if there are no candidates, or if a partition is not that
/// @throws cancelled         if the callback says so; and whatever `divide` throws
///
/// Cost: for each candidate, `divide` and a pass over the distances. Allocates as `silhouette`. Synchronises.
/// Deterministic if `divide` is.
template <executor Exec>
silhouette_choice choose_by_silhouette(const Exec& exec, matrix_view<const float, memory_of<Exec>> distance,
                                       std::span<const int> candidates, const std::function<partition(int)>& divide,
                                       const progress_callback& progress = {});

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/group_count/host.inl>
#endif
