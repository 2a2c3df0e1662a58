// What column costs are made of on both machines: checks, and costs from sums.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include <miq/allocation/column_costs.hpp>
#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::allocation::detail {

inline void require_permutation(const char* function, vector_view<const std::int64_t> order, std::int64_t columns) {
  using miq::detail::require;
  if (order.empty()) return;
  require(order.size() == columns, function, ": order must hold ", columns, " columns, got ", order.size());
  std::vector<bool> seen(static_cast<std::size_t>(columns));
  for (std::int64_t k = 0; k < columns; ++k) {
    require(order[k] >= 0 && order[k] < columns && !seen[static_cast<std::size_t>(order[k])], function,
            ": order must name every column from 0 to ", columns - 1, " once, got ", order[k], " at place ", k);
    seen[static_cast<std::size_t>(order[k])] = true;
  }
}

/// 1 / u^2 of element (k, k) of the factor.
inline double conditional_variance_of(const char* function, double u, std::int64_t k) {
  const double variance = 1 / (u * u);
  miq::detail::require(u > 0 && std::isfinite(variance) && variance > 0, function,
                       ": the diagonal of upper must be positive and finite, got ", u, " in row ", k);
  return variance;
}

/// The costs of columns from their kept weights, sums of squares and the factor's diagonal.
inline column_costs costs_of_sums(const char* function, const double* kept, const double* squares,
                                  const double* diagonal, std::int64_t columns, vector_view<const std::int64_t> order) {
  const auto n = static_cast<std::size_t>(columns);
  column_costs costs{std::vector<double>(n), std::vector<double>(n), std::vector<double>(kept, kept + columns)};
  for (std::int64_t k = 0; k < columns; ++k)
    costs.conditional_variance[static_cast<std::size_t>(order.empty() ? k : order[k])] =
        conditional_variance_of(function, diagonal[k], k);
  for (std::size_t j = 0; j < n; ++j) costs.mean_square[j] = kept[j] > 0 ? squares[j] / kept[j] : 0;
  return costs;
}

}  // namespace miq::allocation::detail
