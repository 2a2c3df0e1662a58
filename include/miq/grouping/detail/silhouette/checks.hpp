// What silhouettes ask of groups.
#pragma once

#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Throws unless there is a width for every column of a partition.
inline void require_silhouette_groups(std::int64_t n, const partition& groups) {
  using miq::detail::require;
  require(groups.columns() == n, "silhouette: groups must divide the ", n, " columns of distance, got ",
          groups.columns());
  require(groups.groups() >= 2, "silhouette: groups must be at least 2, got ", groups.groups());
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::grouping::detail
