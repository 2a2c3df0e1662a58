#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/detail/finite.hpp>
#include <miq/core/matrix.hpp>

namespace miq::grouping {
namespace detail {

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

inline namespace MIQ_INSTRUCTION_SET {

template <on_host Exec>
group_information describe_groups_on(const Exec& exec, matrix_view<const float> mi, const partition& groups) {
  using miq::detail::require;
  const std::int64_t n = mi.rows(), k = groups.groups();
  require(n == mi.columns() && n == groups.columns(), "describe_groups: mi must be ",
          miq::detail::shape_text(groups.columns(), groups.columns()), " to match groups, got ",
          miq::detail::shape_text(n, mi.columns()));
  miq::detail::require_finite(exec, mi, "describe_groups", "mi");
  if (n == 0) return information_of_sums(groups, {}, {});
  const auto labels = groups.labels();
  constexpr std::int64_t most_tiles = 64, lanes = 8;
  const std::int64_t tile = (n + most_tiles - 1) / most_tiles, tiles = (n + tile - 1) / tile;
  matrix<double> inside(tiles, k, exec.resource()), around(tiles, k, exec.resource());
  exec.parallel_for(tiles, [&](std::int64_t t) {
    for (std::int64_t i = t * tile; i < std::min(n, (t + 1) * tile); ++i) {
      const float* row = mi.data() + i * mi.leading();
      const auto own = labels[static_cast<std::size_t>(i)];
      double same[lanes] = {}, other[lanes] = {};
      const auto add = [&](std::int64_t begin, std::int64_t end) {
        std::int64_t j = begin;
        const auto one = [&](std::int64_t at, std::int64_t l) {
          const bool mine = labels[static_cast<std::size_t>(at)] == own;
          const double value = static_cast<double>(row[at]);
          same[l] += mine ? value : 0.0;
          other[l] += mine ? 0.0 : value;
        };
        for (; j + lanes <= end; j += lanes)
          for (std::int64_t l = 0; l < lanes; ++l) one(j + l, l);
        for (std::int64_t l = 0; j < end; ++j, ++l) one(j, l);
      };
      add(0, i);
      add(i + 1, n);
      const auto total = [](const double(&s)[lanes]) {
        return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
      };
      inside(t, own) += total(same);
      around(t, own) += total(other);
    }
  });
  std::vector<double> in(static_cast<std::size_t>(k)), out(static_cast<std::size_t>(k));
  for (std::size_t g = 0; g < in.size(); ++g)
    for (std::int64_t t = 0; t < tiles; ++t) {
      in[g] += inside(t, static_cast<std::int64_t>(g));
      out[g] += around(t, static_cast<std::int64_t>(g));
    }
  return information_of_sums(groups, in, out);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
group_information describe_groups(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                                  const partition& groups) {
  return detail::describe_groups_on(exec, mi, groups);
}

}  // namespace miq::grouping
