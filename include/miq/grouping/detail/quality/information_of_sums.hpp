// The information that groups keep, from sums inside and between them.
#pragma once

#include <cstdint>
#include <span>

#include <miq/grouping/group_information.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping::detail {

/// From the sums over all ordered pairs inside each group, and with one column inside.
inline group_information information_of_sums(const partition& groups, std::span<const double> inside,
                                             std::span<const double> around) {
  const auto columns = static_cast<double>(groups.columns());
  group_information result;
  result.within.assign(static_cast<std::size_t>(groups.groups()), 0.0);
  result.between.assign(result.within.size(), 0.0);
  double kept = 0, crossing = 0, pairs_inside = 0;
  for (std::size_t g = 0; g < inside.size(); ++g) {
    const auto size = static_cast<double>(groups.size(static_cast<std::int64_t>(g)));
    if (size > 1) result.within[g] = inside[g] / (size * (size - 1));
    if (size < columns) result.between[g] = around[g] / (size * (columns - size));
    kept += inside[g];
    crossing += around[g];
    pairs_inside += size * (size - 1);
  }
  const double pairs_across = columns * (columns - 1) - pairs_inside;
  if (pairs_inside > 0) result.mean_within = kept / pairs_inside;
  if (pairs_across > 0) result.mean_between = crossing / pairs_across;
  result.kept = kept / 2;
  result.total = (kept + crossing) / 2;
  if (result.total > 0) result.kept_share = result.kept / result.total;
  return result;
}

}  // namespace miq::grouping::detail
