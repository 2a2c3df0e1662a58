#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/grouping/detail/graph/checks.hpp>
#include <miq/grouping/detail/silhouette/checks.hpp>
#include <miq/grouping/silhouette.hpp>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Mean width, without the checks; widths in double precision, [n].
template <on_host Exec>
double silhouette_widths(const Exec& exec, matrix_view<const float> distance, const partition& groups,
                         std::vector<double>& widths) {
  const std::int64_t n = distance.rows(), k = groups.groups();
  const auto labels = groups.labels();
  std::vector<double> sizes(static_cast<std::size_t>(k));
  for (std::int64_t g = 0; g < k; ++g) sizes[static_cast<std::size_t>(g)] = static_cast<double>(groups.size(g));
  widths.resize(static_cast<std::size_t>(n));

  // Neighbours often have the same label; four sets of sums keep their additions from waiting for each other.
  constexpr std::int64_t lanes = 4, most_tiles = 64;
  const std::int64_t tile = (n + most_tiles - 1) / most_tiles;
  const std::int64_t tiles = (n + tile - 1) / tile;
  matrix<double> scratch(tiles, lanes * k, exec.resource());
  exec.parallel_for(tiles, [&](std::int64_t t) {
    double* sums = &scratch(t, 0);
    for (std::int64_t i = t * tile; i < std::min(n, (t + 1) * tile); ++i) {
      const float* row = distance.data() + i * distance.leading();
      std::fill_n(sums, lanes * k, 0.0);
      for (std::int64_t j = 0; j + lanes <= n; j += lanes)
        for (std::int64_t l = 0; l < lanes; ++l)
          sums[l * k + labels[static_cast<std::size_t>(j + l)]] += static_cast<double>(row[j + l]);
      for (std::int64_t j = n / lanes * lanes; j < n; ++j)
        sums[labels[static_cast<std::size_t>(j)]] += static_cast<double>(row[j]);
      const std::int64_t own = labels[static_cast<std::size_t>(i)];
      double within = 0, nearest = std::numeric_limits<double>::infinity();
      for (std::int64_t g = 0; g < k; ++g) {
        const double sum = (sums[g] + sums[k + g]) + (sums[2 * k + g] + sums[3 * k + g]);
        const double size = sizes[static_cast<std::size_t>(g)];
        if (g == own)
          within = sum / std::max(1.0, size - 1);
        else
          nearest = std::min(nearest, sum / size);
      }
      const double larger = std::max(within, nearest);
      const bool alone = groups.size(own) == 1;
      widths[static_cast<std::size_t>(i)] = alone || larger == 0 ? 0.0 : (nearest - within) / larger;
    }
  });
  double total = 0;
  for (const auto width : widths) total += width;
  return total / static_cast<double>(n);
}

template <on_host Exec>
double silhouette_on(const Exec& exec, matrix_view<const float> distance, const partition& groups,
                     vector_view<float> widths, bool write) {
  using miq::detail::require;
  require_distance(exec, distance, "silhouette");
  const std::int64_t n = distance.rows();
  require_silhouette_groups(n, groups);
  if (write) {
    require(widths.size() == n, "silhouette: widths must be [", n, "] to match distance, got [", widths.size(), "]");
    require(!miq::detail::overlap(distance, matrix_view<float>(widths.data(), 1, n)),
            "silhouette: widths must not overlap distance");
  }
  std::vector<double> exact;
  const double mean = silhouette_widths(exec, distance, groups, exact);
  if (write)
    for (std::int64_t i = 0; i < n; ++i) widths[i] = static_cast<float>(exact[static_cast<std::size_t>(i)]);
  return mean;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
double silhouette(const Exec& exec, matrix_view<const float, memory_of<Exec>> distance, const partition& groups) {
  return detail::silhouette_on(exec, distance, groups, {}, false);
}

template <executor Exec>
double silhouette(const Exec& exec, matrix_view<const float, memory_of<Exec>> distance, const partition& groups,
                  vector_view<float, memory_of<Exec>> widths) {
  return detail::silhouette_on(exec, distance, groups, widths, true);
}

}  // namespace miq::grouping
