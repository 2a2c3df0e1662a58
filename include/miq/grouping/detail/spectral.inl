#pragma once

#include <utility>

#include <miq/grouping/detail/spectral_embedding.hpp>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

inline spectral_result spectral_on(const host_executor& exec, matrix_view<const float> affinity,
                                   const spectral_options& options) {
  using miq::detail::require;
  require_spectral_options(options, "spectral");
  require(options.groups >= 1, "spectral: groups must be at least 1, got ", options.groups);
  const auto graph = graph_of(exec, affinity, "spectral");
  require(options.groups <= affinity.rows(), "spectral: groups must be at most the ", affinity.rows(),
          " columns of affinity, got ", options.groups);
  spectral_result result;
  result.isolated = static_cast<std::int64_t>(graph.isolated.size());
  result.components = graph.components();
  eigenpairs_result pairs;
  if (needs_vectors(graph, options.groups)) {
    pairs = normalised_eigenpairs(exec, affinity, graph, static_cast<int>(connected_groups(graph, options.groups)),
                                  eigen_options_of(options));
    result.eigenvalues = std::move(pairs.values);
    result.eigen_products = pairs.products;
    result.eigen_residual = pairs.residual;
    result.eigen_converged = pairs.converged;
    result.solver = pairs.solver;
  }
  kmeans_result clusters;
  clusters.converged = true;
  result.groups = divide(exec, graph, pairs.vectors, options.groups, kmeans_options_of(options), clusters);
  result.inertia = clusters.inertia;
  result.iterations = clusters.iterations;
  result.relocated = clusters.relocated;
  result.kmeans_converged = clusters.converged;
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
spectral_result spectral(const Exec& exec, matrix_view<const float, memory_of<Exec>> affinity,
                         const spectral_options& options) {
  return detail::spectral_on(exec, affinity, options);
}

}  // namespace miq::grouping
