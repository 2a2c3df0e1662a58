#pragma once

#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/grouping/information_grouping_options.hpp>

namespace miq::grouping::detail {

/// Validates the options before any work is done.
inline void require_grouping_options(const information_grouping_options& options, std::int64_t columns) {
  using miq::detail::require;
  require(columns > 0, "group_by_information: mi must have at least one column, got 0");
  require(options.groups >= 0 && options.groups <= columns, "group_by_information: groups must be 0 (chosen) to ",
          columns, ", the number of columns, got ", options.groups);
  require(options.groups > 0 || options.max_groups >= 2, "group_by_information: max_groups must be at least 2, got ",
          options.max_groups);
  const bool hierarchical = options.method == grouping_method::hierarchical;
  require(!(options.balanced && hierarchical),
          "group_by_information: balanced groups need grouping_method::spectral or kmeans; a cut of a tree has the "
          "sizes that it has");
  require(options.groups > 0 || options.criterion == group_count_criterion::silhouette ||
              (options.method == grouping_method::spectral && !options.balanced),
          "group_by_information: group_count_criterion::eigengap belongs to grouping_method::spectral without balance; "
          "use silhouette");
  require(options.multiple >= 1, "group_by_information: multiple must be at least 1, got ", options.multiple);
}

}  // namespace miq::grouping::detail
