// grouping/information_grouping_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/grouping/dendrogram.hpp>
#include <miq/grouping/group_count_options.hpp>
#include <miq/grouping/linkage_method.hpp>
#include <miq/grouping/partition.hpp>
#include <miq/information/normalisation_options.hpp>

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

}  // namespace miq::grouping
