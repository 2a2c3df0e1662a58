// Spectral clustering on a machine: the matrix there, the graph's few numbers on the host.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include <miq/grouping/detail/eigenpairs/schedule.hpp>
#include <miq/grouping/detail/graph/schedule.hpp>
#include <miq/grouping/detail/kmeans/schedule.hpp>
#include <miq/grouping/detail/spectral/embedding.hpp>
#include <miq/grouping/spectral.hpp>

namespace miq::grouping::detail {

/// The memory of `spectral_on_machine` for n columns; `phase` is used by one part after the other.
struct spectral_layout {
  miq::detail::workspace_layout layout;
  std::int64_t faults, sums, names, smallest, connected, inverse_root, points, normalised, phase;

  spectral_layout(std::int64_t n, const spectral_options& options) {
    const std::int64_t k = options.groups;
    faults = layout.add<matrix_faults>(1);
    sums = layout.add<double>(n);
    names = layout.add<std::int32_t>(n);
    smallest = layout.add<std::int32_t>(n);
    connected = layout.add<std::int32_t>(n);
    inverse_root = layout.add<double>(n);
    points = layout.add<float>(n * k);
    normalised = layout.add<float>(n * n);
    // Where there are isolated columns, the others are fewer and get one group less, which may need more: fewer vectors
    // may go to the block iteration where more would go to the dense solver, and more starts of k-means fit together.
    std::int64_t most = 0;
    for (auto own = std::max<std::int64_t>(1, k - 1); own <= k; ++own) {
      auto clusters = kmeans_options_of(options);
      clusters.groups = static_cast<int>(own);
      most = std::max({most, eigenpairs_layout(n, own, eigen_options_of(options).dense_up_to).layout.bytes(),
                       kmeans_layout(n, own, clusters).layout.bytes()});
    }
    phase = layout.add<std::byte>(most);
  }
};

/// Components of the graph of positive elements: in each round every column looks for the smallest name around it, and
/// the host joins what that shows. A component that has a neighbour with a smaller name is joined to another in every
/// round, so that a round for each halving is the usual case and one for all where the matrix is dense.
template <class Machine>
void find_components_on_machine(const Machine& machine, const float* m, std::int64_t leading, std::int64_t n,
                                std::int32_t* names, std::int32_t* smallest, affinity_graph& graph) {
  std::vector<std::int32_t> parent(static_cast<std::size_t>(n));
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](std::int32_t c) {
    while (parent[static_cast<std::size_t>(c)] != c) {
      auto& up = parent[static_cast<std::size_t>(c)];
      up = parent[static_cast<std::size_t>(up)];
      c = up;
    }
    return c;
  };
  auto left = static_cast<std::int64_t>(graph.connected.size());  // components, as far as is known
  std::vector<std::int32_t> own(static_cast<std::size_t>(n)), seen(own.size());
  for (bool joined = true; joined && left > 1;) {
    for (std::int64_t c = 0; c < n; ++c) own[static_cast<std::size_t>(c)] = root(static_cast<std::int32_t>(c));
    machine.store(own.data(), n, names);
    machine.launch("spectral: neighbours", smallest_neighbour_body{m, leading, n, names, smallest});
    machine.fetch(smallest, n, seen.data());
    joined = false;
    for (std::int64_t c = 0; c < n; ++c) {
      auto a = root(static_cast<std::int32_t>(c)), b = root(seen[static_cast<std::size_t>(c)]);
      if (a == b) continue;
      parent[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);  // roots are the smallest columns
      joined = true;
      --left;
    }
  }
  graph.component.clear();
  graph.connected_components = 0;
  std::vector<std::int32_t> number(static_cast<std::size_t>(n), -1);
  for (const auto c : graph.connected) {
    auto& name = number[static_cast<std::size_t>(root(static_cast<std::int32_t>(c)))];
    if (name < 0) name = static_cast<std::int32_t>(graph.connected_components++);
    graph.component.push_back(name);
  }
}

/// Checks the affinities and finds their graph, the same as `graph_of` on the host.
template <class Machine>
affinity_graph graph_on_machine(const Machine& machine, const float* affinity, std::int64_t leading, std::int64_t n,
                                const char* function, const spectral_layout& at, std::byte* scratch) {
  require_symmetric_on_machine(machine, affinity, leading, n, function, "affinity", sign_rule::not_negative,
                               diagonal_rule::any, place<matrix_faults>(scratch, at.faults));
  auto* const sums = place<double>(scratch, at.sums);
  machine.launch("spectral: sums of rows", row_sums_body{affinity, leading, n, sums});
  std::vector<double> degrees(static_cast<std::size_t>(n));
  machine.fetch(sums, n, degrees.data());
  auto graph = graph_of_degrees(degrees);
  find_components_on_machine(machine, affinity, leading, n, place<std::int32_t>(scratch, at.names),
                             place<std::int32_t>(scratch, at.smallest), graph);
  return graph;
}

/// @param affinity  [n, n] in the machine's memory
/// @param scratch   `spectral_layout(n, options).layout.bytes()` bytes there, aligned
template <class Machine>
spectral_result spectral_on_machine(const Machine& machine, const float* affinity, std::int64_t leading, std::int64_t n,
                                    const spectral_options& options, std::byte* scratch) {
  const spectral_layout at(n, options);
  auto* const phase = place<std::byte>(scratch, at.phase);
  const auto graph = graph_on_machine(machine, affinity, leading, n, "spectral", at, scratch);
  eigenpairs_result pairs;
  if (needs_vectors(graph, options.groups)) {
    const auto connected = static_cast<std::int64_t>(graph.connected.size());
    const std::vector<std::int32_t> columns(graph.connected.begin(), graph.connected.end());
    const normalised_affinity_body body{affinity,
                                        leading,
                                        connected,
                                        place<std::int32_t>(scratch, at.connected),
                                        place<double>(scratch, at.inverse_root),
                                        place<float>(scratch, at.normalised)};
    machine.store(columns.data(), connected, place<std::int32_t>(scratch, at.connected));
    machine.store(graph.inverse_root.data(), connected, place<double>(scratch, at.inverse_root));
    machine.launch("spectral: normalised affinities", body);
    pairs = largest_eigenpairs_on_machine(machine, body.normalised, connected, connected,
                                          static_cast<int>(connected_groups(graph, options.groups)),
                                          eigen_options_of(options), phase);
  }
  const auto cluster = [&](const matrix<float>& points, const kmeans_options& how) {
    auto* const there = place<float>(scratch, at.points);
    machine.store(points.data(), points.size(), there);
    return kmeans_on_machine(machine, there, points.columns(), points.rows(), points.columns(), how, phase);
  };
  return spectral_result_of(graph, std::move(pairs), options, cluster);
}

}  // namespace miq::grouping::detail
