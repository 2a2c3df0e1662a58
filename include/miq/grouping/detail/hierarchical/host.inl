#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include <miq/core/detail/finite.hpp>
#include <miq/core/matrix.hpp>
#include <miq/grouping/detail/graph/checks.hpp>
#include <miq/grouping/detail/hierarchical/neighbour_chain.hpp>
#include <miq/grouping/detail/hierarchical/pair_sums.hpp>
#include <miq/grouping/hierarchical.hpp>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// The tree in SciPy's convention from merges in any order in which parts come before the whole. Heights below those of
/// a part are raised to it.
inline dendrogram tree_of(const std::vector<tree_pair>& merges, std::vector<double> heights) {
  const std::size_t count = merges.size(), n = count + 1;
  const auto part = [&](std::int64_t c) { return static_cast<std::size_t>(c) - n; };
  const auto is_column = [&](std::int64_t c) { return static_cast<std::size_t>(c) < n; };
  for (std::size_t m = 0; m < count; ++m)
    for (const auto c : {merges[m].first, merges[m].second})
      if (!is_column(c)) heights[m] = std::max(heights[m], heights[part(c)]);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return heights[a] < heights[b]; });
  std::vector<std::int64_t> name(count);
  std::vector<cluster_merge> sorted(count);
  for (std::size_t m = 0; m < count; ++m) {
    const auto& merge = merges[order[m]];
    name[order[m]] = static_cast<std::int64_t>(n + m);
    std::int64_t size = 0;
    const auto named = [&](std::int64_t c) {
      const auto result = is_column(c) ? c : name[part(c)];
      size += is_column(c) ? 1 : sorted[part(result)].size;
      return result;
    };
    const auto a = named(merge.first), b = named(merge.second);
    sorted[m] = {std::min(a, b), std::max(a, b), heights[order[m]], size};
  }
  return dendrogram(std::move(sorted));
}

/// The parts by number, from merges that name clusters by index.
inline std::vector<tree_pair> parts_of(const std::vector<chain_merge>& merges) {
  const std::size_t n = merges.size() + 1;
  std::vector<std::int64_t> cluster(n);
  std::iota(cluster.begin(), cluster.end(), std::int64_t{0});
  std::vector<tree_pair> parts;
  parts.reserve(merges.size());
  for (const auto& merge : merges) {
    auto& kept = cluster[static_cast<std::size_t>(merge.second)];
    parts.push_back({cluster[static_cast<std::size_t>(merge.first)], kept});
    kept = static_cast<std::int64_t>(n + parts.size() - 1);
  }
  return parts;
}

/// Prim's algorithm from column 0. Columns in the order in which the tree reaches them, each with the length of its
/// edge, are all that single linkage needs: the groups below a height are the runs without a longer edge.
template <on_host Exec>
dendrogram single_linkage(const Exec& exec, matrix_view<const float> distance) {
  const std::int64_t n = distance.rows();
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  // The columns not yet reached, ascending, their distances to the tree, and the lowest column among the nearest.
  std::pmr::vector<float> nearest(at(n), std::numeric_limits<float>::infinity(), exec.resource());
  std::pmr::vector<float> reached(at(n), 0.0F, exec.resource());  // 0, or infinity for columns of the tree
  struct edge {
    std::int64_t from, to;
    float length;
  };
  std::vector<edge> edges;
  edges.reserve(at(n));
  using vector = miq::detail::float_lanes;
  constexpr std::int64_t step = miq::detail::lanes, block = 64 * step;
  std::int64_t last = 0;
  for (std::int64_t m = 1; m < n; ++m) {
    reached[at(last)] = std::numeric_limits<float>::infinity();
    const float* row = distance.data() + last * distance.leading();
    float smallest = std::numeric_limits<float>::infinity();
    std::int64_t next = -1;
    for (std::int64_t first = 0; first < n; first += block) {
      const std::int64_t end = std::min(n, first + block);
      vector low = std::numeric_limits<float>::infinity() - vector{};
      std::int64_t j = first;
      for (; j + step <= end; j += step) {
        const auto given = miq::detail::load<vector>(row + j);
        auto value = miq::detail::load<vector>(nearest.data() + j);
        value = given < value ? given : value;
        miq::detail::store(nearest.data() + j, value);
        const auto mask = miq::detail::load<vector>(reached.data() + j);
        const vector open = value > mask ? value : mask;
        low = open < low ? open : low;
      }
      float least = std::numeric_limits<float>::infinity();
      for (int l = 0; l < step; ++l) least = std::min(least, low[l]);
      for (; j < end; ++j) {
        nearest[at(j)] = std::min(nearest[at(j)], row[j]);
        least = std::min(least, std::max(nearest[at(j)], reached[at(j)]));
      }
      if (least < smallest) {
        smallest = least;
        next = first;
      }
    }
    while (nearest[at(next)] != smallest || reached[at(next)] != 0) ++next;
    edges.push_back({last, next, smallest});
    last = next;
  }
  std::stable_sort(edges.begin(), edges.end(), [](const edge& a, const edge& b) { return a.length < b.length; });

  // Join along the edges; `root` leads to the column that names a cluster, halving the path on the way.
  std::vector<std::int64_t> above(at(n)), cluster(at(n));
  std::iota(above.begin(), above.end(), std::int64_t{0});
  cluster = above;
  const auto root = [&](std::int64_t c) {
    while (above[at(c)] != c) c = above[at(c)] = above[at(above[at(c)])];
    return c;
  };
  std::vector<tree_pair> parts;
  std::vector<double> heights;
  for (const auto& e : edges) {
    const auto a = root(e.from), b = root(e.to);
    parts.push_back({cluster[at(a)], cluster[at(b)]});
    heights.push_back(static_cast<double>(e.length));
    above[at(a)] = b;
    cluster[at(b)] = n + static_cast<std::int64_t>(parts.size()) - 1;
  }
  return tree_of(parts, std::move(heights));
}

template <on_host Exec>
dendrogram linkage_on(const Exec& exec, matrix_view<const float> distance, linkage_method method) {
  using miq::detail::require;
  require(method != linkage_method::ward,
          "linkage: Ward's method is not defined by distances; give ward_linkage the coordinates of the points");
  require(method == linkage_method::single || method == linkage_method::complete || method == linkage_method::average,
          "linkage: method must be single, complete or average, got ", static_cast<int>(method));
  require_distance(exec, distance, "linkage");
  const std::int64_t n = distance.rows();
  require(n <= std::numeric_limits<std::int32_t>::max() / 2, "linkage: distance must have at most 2^30 columns, got ",
          n);
  if (n == 1) return dendrogram(std::vector<cluster_merge>{});
  if (method == linkage_method::single) return single_linkage(exec, distance);

  std::vector<chain_merge> found;
  {
    chain::cluster_matrix<float> clusters(exec, n);
    constexpr std::int64_t tile = 64;
    exec.parallel_for((n + tile - 1) / tile, [&](std::int64_t t) {
      for (std::int64_t r = t * tile; r < std::min(n, (t + 1) * tile); ++r) {
        std::copy_n(distance.data() + r * distance.leading(), n, clusters.row(r));
        clusters.finish_row(r);
      }
    });
    found = method == linkage_method::complete ? follow_chain<chain::complete_update>(clusters, n)
                                               : follow_chain<chain::average_update>(clusters, n);
  }
  const auto parts = parts_of(found);
  std::vector<double> heights;
  if (method == linkage_method::complete) {
    for (const auto& merge : found) heights.push_back(merge.height);
  } else {
    heights = sums_between(exec, distance, parts);
    std::vector<double> size(2 * static_cast<std::size_t>(n) - 1, 1.0);
    for (std::size_t m = 0; m < parts.size(); ++m) {
      const double a = size[static_cast<std::size_t>(parts[m].first)];
      const double b = size[static_cast<std::size_t>(parts[m].second)];
      heights[m] /= a * b;
      size[static_cast<std::size_t>(n) + m] = a + b;
    }
  }
  return tree_of(parts, std::move(heights));
}

template <on_host Exec>
dendrogram ward_linkage_on(const Exec& exec, matrix_view<const float> points) {
  using miq::detail::require;
  const std::int64_t n = points.rows(), d = points.columns();
  require(!points.empty(), "ward_linkage: points must be [n, d] with n and d at least 1, got ",
          miq::detail::shape_text(n, d));
  require(n <= std::numeric_limits<std::int32_t>::max() / 2, "ward_linkage: points must be at most 2^30, got ", n);
  miq::detail::require_finite(exec, points, "ward_linkage", "points");
  if (n == 1) return dendrogram(std::vector<cluster_merge>{});
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };

  std::vector<chain_merge> found;
  {
    chain::cluster_matrix<double> clusters(exec, n);
    // Tile by tile, each pair from differences once, written to both places.
    constexpr std::int64_t tile = 32;
    const std::int64_t tiles = (n + tile - 1) / tile;
    exec.parallel_for(tiles, [&](std::int64_t t) {
      for (std::int64_t u = t; u < tiles; ++u) {
        for (std::int64_t i = t * tile; i < std::min(n, (t + 1) * tile); ++i) {
          const float* x = points.data() + i * points.leading();
          for (std::int64_t j = u * tile; j < std::min(n, (u + 1) * tile); ++j) {
            const float* y = points.data() + j * points.leading();
            double sums[8] = {};
            std::int64_t c = 0;
            for (; c + 8 <= d; c += 8)
              for (int l = 0; l < 8; ++l) {
                const double step = static_cast<double>(x[c + l]) - static_cast<double>(y[c + l]);
                sums[l] += step * step;
              }
            for (; c < d; ++c) {
              const double step = static_cast<double>(x[c]) - static_cast<double>(y[c]);
              sums[c % 8] += step * step;
            }
            clusters.row(i)[j] = clusters.row(j)[i] =
                ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
          }
        }
      }
      for (std::int64_t i = t * tile; i < std::min(n, (t + 1) * tile); ++i) clusters.finish_row(i);
    });
    found = follow_chain<chain::ward_update>(clusters, n);
  }
  // Heights from the means of the clusters, each kept in the row of its index.
  matrix<double> means(n, d, exec.resource());
  std::vector<double> size(at(n), 1.0);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t c = 0; c < d; ++c) means(i, c) = static_cast<double>(points(i, c));
  std::vector<double> heights;
  for (const auto& merge : found) {
    const double a = size[at(merge.first)], b = size[at(merge.second)];
    double square = 0;
    for (std::int64_t c = 0; c < d; ++c) {
      const double x = means(merge.first, c), y = means(merge.second, c);
      square += (x - y) * (x - y);
      means(merge.second, c) = (a * x + b * y) / (a + b);
    }
    heights.push_back(std::sqrt(2 * a * b / (a + b) * square));
    size[at(merge.second)] = a + b;
  }
  return tree_of(parts_of(found), std::move(heights));
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
dendrogram linkage(const Exec& exec, matrix_view<const float, memory_of<Exec>> distance, linkage_method method) {
  return detail::linkage_on(exec, distance, method);
}

template <executor Exec>
dendrogram ward_linkage(const Exec& exec, matrix_view<const float, memory_of<Exec>> points) {
  return detail::ward_linkage_on(exec, points);
}

}  // namespace miq::grouping
