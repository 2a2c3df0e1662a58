#pragma once

#include <algorithm>
#include <utility>

#include <miq/grouping/detail/silhouette/host.inl>
#include <miq/grouping/detail/spectral/embedding.hpp>
#include <miq/grouping/group_count.hpp>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

template <on_host Exec>
group_count_result choose_group_count_on(const Exec& exec, matrix_view<const float> affinity,
                                         matrix_view<const float> distance, const group_count_options& options) {
  using miq::report_progress;
  using miq::detail::require;
  require_spectral_options(options, "choose_group_count");
  require(options.minimum >= 2, "choose_group_count: minimum must be at least 2, got ", options.minimum);
  require(options.maximum >= options.minimum, "choose_group_count: maximum must be at least the minimum ",
          options.minimum, ", got ", options.maximum);
  const auto graph = graph_of(exec, affinity, "choose_group_count");
  require_distance(exec, distance, "choose_group_count");
  const std::int64_t n = affinity.rows();
  require(distance.rows() == n, "choose_group_count: distance must be ", miq::detail::shape_text(n, n),
          " to match affinity, got ", miq::detail::shape_text(distance.rows(), distance.columns()));
  require(options.minimum <= n, "choose_group_count: minimum must be at most the ", n, " columns of affinity, got ",
          options.minimum);

  report_progress(options.progress, "eigenvectors", 0);
  const auto maximum = static_cast<int>(std::min<std::int64_t>(options.maximum, n));
  group_count_result result;
  result.isolated = static_cast<std::int64_t>(graph.isolated.size());
  result.components = graph.components();
  const auto connected = static_cast<std::int64_t>(graph.connected.size());
  eigenpairs_result pairs;
  if (connected > 0) {
    const auto count = std::min(connected, connected_groups(graph, maximum) + 1);
    pairs = normalised_eigenpairs(exec, affinity, graph, static_cast<int>(count), eigen_options_of(options));
    result.eigenvalues = pairs.values;
    result.eigen_products = pairs.products;
    result.eigen_residual = pairs.residual;
    result.eigen_converged = pairs.converged;
    result.solver = pairs.solver;
  }

  std::vector<double> widths;
  double best = 0;
  for (int groups = options.minimum; groups <= maximum; ++groups) {
    // The eigenvectors are about a third of the whole.
    report_progress(options.progress, "group counts",
                    (1 + 2.0 * (groups - options.minimum) / (maximum - options.minimum + 1)) / 3);
    kmeans_result clusters;
    auto division = divide(exec, graph, pairs.vectors, groups, kmeans_options_of(options), clusters);
    const double width = silhouette_widths(exec, distance, division, widths);
    const auto last = static_cast<std::size_t>(connected_groups(graph, groups));
    const double gap = last >= 1 && last < pairs.values.size()
                           ? static_cast<double>(pairs.values[last - 1]) - static_cast<double>(pairs.values[last])
                           : 0.0;
    result.candidates.push_back(groups);
    result.silhouettes.push_back(width);
    result.eigengaps.push_back(gap);
    const double score = options.criterion == group_count_criterion::silhouette ? width : gap;
    if (result.groups == 0 || score > best) {
      best = score;
      result.groups = groups;
      result.best = std::move(division);
    }
  }
  report_progress(options.progress, "group counts", 1);
  return result;
}

template <on_host Exec>
silhouette_choice choose_by_silhouette_on(const Exec& exec, matrix_view<const float> distance,
                                          std::span<const int> candidates, const std::function<partition(int)>& divide,
                                          const progress_callback& progress) {
  using miq::report_progress;
  using miq::detail::require;
  require(!candidates.empty(), "choose_by_silhouette: candidates must not be empty");
  require_distance(exec, distance, "choose_by_silhouette");
  silhouette_choice result;
  result.candidates.assign(candidates.begin(), candidates.end());
  std::vector<double> widths;
  double best = 0;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    report_progress(progress, "group counts", static_cast<double>(c) / static_cast<double>(candidates.size()));
    partition division = divide(candidates[c]);
    require(division.columns() == distance.rows() && division.groups() >= 2,
            "choose_by_silhouette: divide must make at least 2 groups of the ", distance.rows(),
            " columns of distance, got ", division.groups(), " of ", division.columns(), " for the candidate ",
            candidates[c]);
    const double width = silhouette_widths(exec, distance, division, widths);
    result.silhouettes.push_back(width);
    if (c == 0 || width > best || (width == best && candidates[c] < result.groups)) {
      best = width;
      result.groups = candidates[c];
      result.best = std::move(division);
    }
  }
  report_progress(progress, "group counts", 1);
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
group_count_result choose_group_count(const Exec& exec, matrix_view<const float, memory_of<Exec>> affinity,
                                      matrix_view<const float, memory_of<Exec>> distance,
                                      const group_count_options& options) {
  return detail::choose_group_count_on(exec, affinity, distance, options);
}

template <executor Exec>
silhouette_choice choose_by_silhouette(const Exec& exec, matrix_view<const float, memory_of<Exec>> distance,
                                       std::span<const int> candidates, const std::function<partition(int)>& divide,
                                       const progress_callback& progress) {
  return detail::choose_by_silhouette_on(exec, distance, candidates, divide, progress);
}

}  // namespace miq::grouping
