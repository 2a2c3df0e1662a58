#pragma once

#include <utility>

#include <miq/grouping/detail/spectral/embedding.hpp>
#include <miq/grouping/spectral.hpp>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

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
