// What k-means asks of its options, and what both machines do alike.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/kmeans_options.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Points drawn for each centre but the first.
inline std::int64_t kmeans_candidates(std::int64_t groups) {
  return 2 + static_cast<std::int64_t>(std::log(static_cast<double>(groups)));
}

/// Throws unless options and points fit each other.
inline void require_kmeans_options(std::int64_t n, std::int64_t d, const kmeans_options& options) {
  using miq::detail::require;
  require(n > 0 && d > 0, "kmeans: points must be [n, d] with n and d at least 1, got ", miq::detail::shape_text(n, d));
  require(options.groups >= 1 && options.groups <= n, "kmeans: groups must be 1 to the ", n, " points, got ",
          options.groups);
  require(options.restarts >= 1, "kmeans: restarts must be at least 1, got ", options.restarts);
  require(options.max_iterations >= 1, "kmeans: max_iterations must be at least 1, got ", options.max_iterations);
  require(options.tolerance >= 0 && std::isfinite(options.tolerance),
          "kmeans: tolerance must be finite and not negative, got ", options.tolerance);
}

/// Labels and centres of a start in order of first appearance, the centres moved back to where the points were.
inline void number_groups(std::span<const std::int32_t> labels, matrix_view<const float> centres, double scale,
                          const std::vector<double>& mean, kmeans_result& result) {
  const partition found(std::vector<std::int32_t>(labels.begin(), labels.end()));
  result.groups = found.canonical();
  result.centres = matrix<float>(centres.rows(), centres.columns());
  for (std::int64_t g = 0; g < centres.rows(); ++g) {
    const auto member = static_cast<std::size_t>(result.groups.members(g)[0]);
    const auto from = static_cast<std::int64_t>(labels[member]);
    for (std::int64_t j = 0; j < centres.columns(); ++j)
      result.centres(g, j) =
          static_cast<float>(static_cast<double>(centres(from, j)) / scale + mean[static_cast<std::size_t>(j)]);
  }
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::grouping::detail
