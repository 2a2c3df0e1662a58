// grouping/group_by_information.hpp: from mutual information to groups in one call, by any of the ways to group.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/grouping/balanced.hpp>
#include <miq/grouping/dendrogram.hpp>
#include <miq/grouping/group_count.hpp>
#include <miq/grouping/hierarchical.hpp>
#include <miq/grouping/information_grouping_options.hpp>
#include <miq/grouping/kmeans.hpp>
#include <miq/grouping/partition.hpp>
#include <miq/grouping/spectral.hpp>
#include <miq/information/normalisation.hpp>

namespace miq::grouping {

/// Divides columns into groups by their mutual information.
///
/// The *affinity* a of two columns is their normalised information, within 0 and 1 (where normalisation is `none`: the
/// information itself, in nats); negative estimates count as 0. Their *distance* is sqrt(1 - a^2) (where it is `none`:
/// that of the information coefficient). The *profile* of a column is its row of affinities, with 1 for itself: columns
/// are near if they share information with the same columns.
///
/// @param exec       where to run. Synchronises.
/// @param mi         [c, c], c >= 1, finite, in nats, of any estimator; the upper triangle without the diagonal is read
/// @param entropies  [c], in nats; may be empty unless the normalisation needs them, see `information::normalise`
/// @param progress   phases as of `choose_group_count`, `choose_by_silhouette` and the balanced functions, which may
///                   cancel; else it is asked between the parts only: spectral, linkage and kmeans do not report inside
/// @throws invalid_argument  as the parts do; for `balanced` with `hierarchical`, the eigengap without `spectral`, or
///                           `groups` beyond the number of columns
/// @throws numerical_error, cancelled  as the parts do
///
/// Allocates 4 c^2 bytes for affinities, as much for distances where those are needed (`hierarchical`, or a number that
/// is chosen), and what the parts do. Deterministic, the same to the bit for every number of threads.
template <executor Exec>
information_grouping_result group_by_information(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                                                 vector_view<const float, memory_of<Exec>> entropies,
                                                 const information_grouping_options& options = {},
                                                 const progress_callback& progress = {});

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/group_by_information/host.inl>
#endif
