// What spectral grouping and the choice of the number of groups share: the connected columns, their eigenvectors, and
// the division of the points that these give.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory_resource>
#include <utility>
#include <vector>

#include <miq/grouping/detail/eigenpairs/host.inl>
#include <miq/grouping/detail/graph/checks.hpp>
#include <miq/grouping/detail/kmeans/host.inl>
#include <miq/grouping/partition.hpp>
#include <miq/grouping/spectral_options.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// The graph of positive affinities: which columns have any, and its components.
struct affinity_graph {
  std::vector<std::int64_t> connected;    ///< columns with affinity to another, ascending
  std::vector<std::int64_t> isolated;     ///< the others
  std::vector<double> inverse_root;       ///< 1 / sqrt(row sum without the diagonal) of each connected column
  std::vector<std::int32_t> component;    ///< of each connected column, numbered in order of first appearance
  std::int64_t connected_components = 0;  ///< without the isolated columns

  std::int64_t components() const { return connected_components + static_cast<std::int64_t>(isolated.size()); }
};

/// Eight running sums, added up in a fixed order: fast and the same everywhere.
inline double row_sum(const float* row, std::int64_t n) {
  double sums[8] = {};
  std::int64_t c = 0;
  for (; c + 8 <= n; c += 8)
    for (int l = 0; l < 8; ++l) sums[l] += static_cast<double>(row[c + l]);
  for (; c < n; ++c) sums[c % 8] += static_cast<double>(row[c]);
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/// Breadth first. Each row that is visited is compared with the columns not yet reached only.
inline void find_components(matrix_view<const float> affinity, affinity_graph& graph) {
  const auto n = static_cast<std::int64_t>(graph.connected.size());
  graph.component.assign(static_cast<std::size_t>(n), 0);
  std::vector<std::int64_t> unreached, frontier;  // places in `connected`
  for (std::int64_t c = n; c-- > 0;) unreached.push_back(c);
  while (!unreached.empty()) {
    const auto name = static_cast<std::int32_t>(graph.connected_components++);
    const auto reach = [&](std::int64_t place) {
      graph.component[static_cast<std::size_t>(place)] = name;
      frontier.push_back(place);
    };
    reach(unreached.back());
    unreached.pop_back();
    while (!frontier.empty() && !unreached.empty()) {
      const auto from = graph.connected[static_cast<std::size_t>(frontier.back())];
      const float* row = affinity.data() + from * affinity.leading();
      frontier.pop_back();
      std::size_t left = 0;
      for (const auto place : unreached) {
        if (row[graph.connected[static_cast<std::size_t>(place)]] > 0)
          reach(place);
        else
          unreached[left++] = place;
      }
      unreached.resize(left);
    }
    frontier.clear();
  }
}

/// Which columns are connected, from the sums of their affinities; components are left to find.
inline affinity_graph graph_of_degrees(const std::vector<double>& degrees) {
  affinity_graph graph;
  for (std::size_t r = 0; r < degrees.size(); ++r) {
    const double degree = degrees[r];
    (degree > 0 ? graph.connected : graph.isolated).push_back(static_cast<std::int64_t>(r));
    if (degree > 0) graph.inverse_root.push_back(1 / std::sqrt(degree));
  }
  return graph;
}

/// Checks the affinities and finds their graph.
template <on_host Exec>
affinity_graph graph_of(const Exec& exec, matrix_view<const float> affinity, const char* function) {
  require_symmetric(exec, affinity, function, "affinity", sign_rule::not_negative, diagonal_rule::any);
  const std::int64_t n = affinity.rows();
  constexpr std::int64_t tile = 64;
  std::vector<double> degrees(static_cast<std::size_t>(n));
  exec.parallel_for((n + tile - 1) / tile, [&](std::int64_t t) {
    for (std::int64_t r = t * tile; r < std::min(n, (t + 1) * tile); ++r) {
      const float* row = affinity.data() + r * affinity.leading();
      degrees[static_cast<std::size_t>(r)] = row_sum(row, r) + row_sum(row + r + 1, n - r - 1);
    }
  });
  auto graph = graph_of_degrees(degrees);
  find_components(affinity, graph);
  return graph;
}

/// The largest eigenpairs of the normalised affinities of the connected columns.
template <on_host Exec>
eigenpairs_result normalised_eigenpairs(const Exec& exec, matrix_view<const float> affinity,
                                        const affinity_graph& graph, int count, const eigenpairs_options& options) {
  const auto n = static_cast<std::int64_t>(graph.connected.size());
  matrix<float> normalised(n, n, exec.resource());
  constexpr std::int64_t tile = 64;
  exec.parallel_for((n + tile - 1) / tile, [&](std::int64_t t) {
    for (std::int64_t r = t * tile; r < std::min(n, (t + 1) * tile); ++r) {
      const auto at = static_cast<std::size_t>(r);
      const float* row = affinity.data() + graph.connected[at] * affinity.leading();
      // Both factors in one product that does not depend on their order: symmetric to the bit.
      for (std::int64_t c = 0; c < n; ++c) {
        const auto other = static_cast<std::size_t>(c);
        normalised(r, c) = static_cast<float>(static_cast<double>(row[graph.connected[other]]) *
                                              (graph.inverse_root[at] * graph.inverse_root[other]));
      }
      normalised(r, r) = 0;
    }
  });
  return largest_eigenpairs_unchecked(exec, normalised, count, options);
}

/// Rows of the first `count` vectors, scaled to length 1. In a part of the graph that is all but separate, rows are as
/// long as the roots of their degrees; where that length is below 1e-4 of the usual one, their direction is rounding
/// error, and they are scaled as if they had that length: such a part stays near the origin, and together.
inline matrix<float> unit_rows(const affinity_graph& graph, const matrix<float>& vectors, std::int64_t count,
                               std::pmr::memory_resource* resource) {
  matrix<float> points(vectors.rows(), count, resource);
  double degrees = 0;
  for (const double root : graph.inverse_root) degrees += 1 / (root * root);
  // The squares of the lengths sum to `count`.
  const double share = 1e-8 * static_cast<double>(count) / degrees;
  for (std::int64_t r = 0; r < vectors.rows(); ++r) {
    const double root = graph.inverse_root[static_cast<std::size_t>(r)];
    double square = 0;
    for (std::int64_t j = 0; j < count; ++j)
      square += static_cast<double>(vectors(r, j)) * static_cast<double>(vectors(r, j));
    const double factor = 1 / std::sqrt(std::max(square, share / (root * root)));
    for (std::int64_t j = 0; j < count; ++j)
      points(r, j) = static_cast<float>(static_cast<double>(vectors(r, j)) * factor);
  }
  return points;
}

/// How many of `groups` groups the connected columns get; the isolated ones get the rest.
inline std::int64_t connected_groups(const affinity_graph& graph, std::int64_t groups) {
  if (graph.isolated.empty()) return groups;
  return std::min<std::int64_t>(groups - 1, static_cast<std::int64_t>(graph.connected.size()));
}

/// Whether a division into so many groups needs eigenvectors: neither whole components in each group nor every
/// connected column alone.
inline bool needs_vectors(const affinity_graph& graph, std::int64_t groups) {
  const auto own = connected_groups(graph, groups);
  return own > graph.connected_components && own < static_cast<std::int64_t>(graph.connected.size());
}

/// Components joined to `groups` groups, at most as many as there are components: the largest first, each to the group
/// that has the fewest columns so far; of equal ones the first.
inline partition join_components(const affinity_graph& graph, std::int64_t groups) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(graph.connected_components), 0);
  for (const auto component : graph.component) ++sizes[static_cast<std::size_t>(component)];
  std::vector<std::size_t> order(sizes.size());
  for (std::size_t c = 0; c < order.size(); ++c) order[c] = c;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return sizes[a] > sizes[b]; });
  std::vector<std::int64_t> columns(static_cast<std::size_t>(groups), 0);
  std::vector<std::int32_t> group_of(sizes.size());
  for (const auto c : order) {
    const auto smallest = std::min_element(columns.begin(), columns.end());
    *smallest += sizes[c];
    group_of[c] = static_cast<std::int32_t>(smallest - columns.begin());
  }
  std::vector<std::int32_t> labels;
  for (const auto component : graph.component) labels.push_back(group_of[static_cast<std::size_t>(component)]);
  return partition(std::move(labels));
}

/// The division of all columns, from that of the connected ones.
inline partition with_isolated(const affinity_graph& graph, const partition& connected, std::int64_t groups) {
  std::vector<std::int32_t> labels(graph.connected.size() + graph.isolated.size());
  for (std::size_t c = 0; c < graph.connected.size(); ++c)
    labels[static_cast<std::size_t>(graph.connected[c])] = connected.labels()[c];
  if (!graph.isolated.empty()) {
    const auto rest =
        partition::contiguous(static_cast<std::int64_t>(graph.isolated.size()), groups - connected.groups());
    for (std::size_t c = 0; c < graph.isolated.size(); ++c)
      labels[static_cast<std::size_t>(graph.isolated[c])] =
          static_cast<std::int32_t>(connected.groups()) + rest.labels()[c];
  }
  return partition(std::move(labels)).canonical();
}

/// All columns in `groups` groups; `vectors` are needed only where `needs_vectors` says so. `cluster(points, options)`
/// is k-means wherever that runs.
template <class Cluster>
partition divide_with(const Cluster& cluster, const affinity_graph& graph, const matrix<float>& vectors,
                      std::int64_t groups, kmeans_options options, kmeans_result& clusters,
                      std::pmr::memory_resource* resource) {
  const auto columns = static_cast<std::int64_t>(graph.connected.size() + graph.isolated.size());
  if (groups == 1) return partition::single(columns);
  const auto own = connected_groups(graph, groups);
  if (!needs_vectors(graph, groups)) {
    const auto connected = static_cast<std::int64_t>(graph.connected.size());
    return with_isolated(graph, own == connected ? partition::each_alone(connected) : join_components(graph, own),
                         groups);
  }
  options.groups = static_cast<int>(own);
  clusters = cluster(unit_rows(graph, vectors, own, resource), options);
  return with_isolated(graph, clusters.groups, groups);
}

template <on_host Exec>
partition divide(const Exec& exec, const affinity_graph& graph, const matrix<float>& vectors, std::int64_t groups,
                 const kmeans_options& options, kmeans_result& clusters) {
  return divide_with(
      [&](const matrix<float>& points, const kmeans_options& how) { return kmeans_on(exec, points, how); }, graph,
      vectors, groups, options, clusters, exec.resource());
}

/// Throws unless the options that `spectral` and `choose_group_count` have in common are in their ranges.
template <class Options>
void require_spectral_options(const Options& options, const char* function) {
  using miq::detail::require;
  require(options.restarts >= 1, function, ": restarts must be at least 1, got ", options.restarts);
  require(options.max_iterations >= 1, function, ": max_iterations must be at least 1, got ", options.max_iterations);
  require(options.tolerance >= 0 && std::isfinite(options.tolerance), function,
          ": tolerance must be finite and not negative, got ", options.tolerance);
  require(options.eigen_tolerance >= 0 && std::isfinite(options.eigen_tolerance), function,
          ": eigen_tolerance must be finite and not negative, got ", options.eigen_tolerance);
}

template <class Options>
eigenpairs_options eigen_options_of(const Options& options) {
  eigenpairs_options result;
  result.tolerance = options.eigen_tolerance;
  result.dense_fallback = options.dense_fallback;
  result.seed = options.seed;
  return result;
}

template <class Options>
kmeans_options kmeans_options_of(const Options& options) {
  kmeans_options result;
  result.restarts = options.restarts;
  result.max_iterations = options.max_iterations;
  result.tolerance = options.tolerance;
  result.seed = options.seed;
  return result;
}

/// Throws unless options and affinities fit each other.
inline void require_spectral_shape(const spectral_options& options, std::int64_t rows, std::int64_t columns) {
  using miq::detail::require;
  require_spectral_options(options, "spectral");
  require(options.groups >= 1, "spectral: groups must be at least 1, got ", options.groups);
  require_square(rows, columns, "spectral", "affinity");
  require(options.groups <= rows, "spectral: groups must be at most the ", rows, " columns of affinity, got ",
          options.groups);
}

/// The division and what is told about it. `cluster(points, options)` is k-means wherever that runs.
template <class Cluster>
spectral_result spectral_result_of(const affinity_graph& graph, eigenpairs_result pairs,
                                   const spectral_options& options, const Cluster& cluster,
                                   std::pmr::memory_resource* resource = std::pmr::get_default_resource()) {
  spectral_result result;
  result.isolated = static_cast<std::int64_t>(graph.isolated.size());
  result.components = graph.components();
  if (needs_vectors(graph, options.groups)) {
    result.eigenvalues = std::move(pairs.values);
    result.eigen_products = pairs.products;
    result.eigen_residual = pairs.residual;
    result.eigen_converged = pairs.converged;
    result.solver = pairs.solver;
  }
  kmeans_result clusters;
  clusters.converged = true;
  result.groups =
      divide_with(cluster, graph, pairs.vectors, options.groups, kmeans_options_of(options), clusters, resource);
  result.inertia = clusters.inertia;
  result.iterations = clusters.iterations;
  result.relocated = clusters.relocated;
  result.kmeans_converged = clusters.converged;
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::grouping::detail
