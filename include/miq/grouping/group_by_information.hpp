// grouping/group_by_information.hpp: from mutual information to groups in one call, by any of the ways to group.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/grouping/balanced.hpp>
#include <miq/grouping/dendrogram.hpp>
#include <miq/grouping/group_count.hpp>
#include <miq/grouping/hierarchical.hpp>
#include <miq/grouping/kmeans.hpp>
#include <miq/grouping/partition.hpp>
#include <miq/grouping/spectral.hpp>
#include <miq/information/normalisation.hpp>

namespace miq::grouping {

/// How columns are put together.
enum class grouping_method {
  spectral,      ///< `spectral` of the affinities
  hierarchical,  ///< `linkage` of the distances and a cut; Ward's of the columns' profiles
  kmeans         ///< `kmeans` of the columns' profiles
};

/// What `group_by_information` may be asked for.
struct information_grouping_options {
  grouping_method method = grouping_method::spectral;
  int groups = 8;       ///< number of groups, at most the number of columns; 0: chosen from 2 to `max_groups`
  int max_groups = 16;  ///< the most that are tried where `groups` is 0
  group_count_criterion criterion = group_count_criterion::silhouette;  ///< the eigengap belongs to `spectral`
  linkage_method linkage = linkage_method::average;                     ///< of `hierarchical`
  bool balanced = false;      ///< groups of equal size, by `balanced_spectral` or `balanced_kmeans`
  std::int64_t multiple = 1;  ///< of balanced groups: their sizes are multiples of it, see `balanced_options`
  information::normalisation normalisation = information::normalisation::information_coefficient;  ///< of the affinity
  std::uint64_t seed = 0;  ///< of everything drawn
};

/// The groups, and what happened on the way.
struct information_grouping_result {
  partition groups;
  std::vector<int> candidates;      ///< numbers of groups that were tried, where it was chosen
  std::vector<double> silhouettes;  ///< the score of each
  dendrogram tree;                  ///< of `hierarchical`; else empty
  std::int64_t clipped = 0;         ///< pairs i < j whose negative information counted as 0
  std::int64_t isolated = 0;        ///< columns without affinity to any other; not known to `hierarchical`
};

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

#include <miq/grouping/detail/group_by_information.inl>
