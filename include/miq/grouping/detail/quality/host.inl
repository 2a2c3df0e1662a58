#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/detail/finite.hpp>
#include <miq/core/matrix.hpp>
#include <miq/grouping/detail/quality/information_of_sums.hpp>
#include <miq/grouping/quality.hpp>

namespace miq::grouping {
namespace detail {

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
