#pragma once

#include <utility>

#include <miq/grouping/detail/spectral_embedding.hpp>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

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

template <on_host Exec>
spectral_result spectral_on(const Exec& exec, matrix_view<const float> affinity, const spectral_options& options) {
  require_spectral_shape(options, affinity.rows(), affinity.columns());
  const auto graph = graph_of(exec, affinity, "spectral");
  eigenpairs_result pairs;
  if (needs_vectors(graph, options.groups))
    pairs = normalised_eigenpairs(exec, affinity, graph, static_cast<int>(connected_groups(graph, options.groups)),
                                  eigen_options_of(options));
  return spectral_result_of(
      graph, std::move(pairs), options,
      [&](const matrix<float>& points, const kmeans_options& how) { return kmeans_on(exec, points, how); },
      exec.resource());
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
spectral_result spectral(const Exec& exec, matrix_view<const float, memory_of<Exec>> affinity,
                         const spectral_options& options) {
  return detail::spectral_on(exec, affinity, options);
}

}  // namespace miq::grouping
