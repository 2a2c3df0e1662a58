#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <vector>

#include <miq/allocation/importance_measure.hpp>
#include <miq/core/error.hpp>

namespace miq::allocation::detail {

/// What importances are made of, on the host, a value per column; the last two only for measures that read weights.
struct importance_sources {
  std::span<const float> variance;
  const float* mean;
  const float* mean_absolute;
  const double* weight_mean_absolute;
  const double* weight_root_mean_square;
};

inline void combine_importances(const importance_sources& from, importance_measure measure,
                                const std::array<double, 5>& shares, float* out) {
  using enum importance_measure;
  const auto measured = [&](importance_measure what, std::size_t j) -> double {
    switch (what) {
      case amplitude:
        return from.mean_absolute[j];
      case hessian:
        return 2 * (double{from.variance[j]} + double{from.mean[j]} * double{from.mean[j]});
      case weight:
        return from.weight_mean_absolute[j];
      case sensitivity:
        return from.weight_root_mean_square[j] * double{from.mean_absolute[j]};
      default:
        return from.variance[j];
    }
  };
  const auto c = from.variance.size();
  std::vector<double> values(c);
  if (measure != mixed) {
    for (std::size_t j = 0; j < c; ++j) values[j] = measured(measure, j);
  } else {
    constexpr std::array parts{amplitude, hessian, weight, sensitivity, variance};
    for (std::size_t m = 0; m < parts.size(); ++m) {
      double largest = 0;
      for (std::size_t j = 0; j < c; ++j) largest = std::max(largest, measured(parts[m], j));
      if (largest > 0)
        for (std::size_t j = 0; j < c; ++j) values[j] += shares[m] * (measured(parts[m], j) / largest);
    }
  }
  for (std::size_t j = 0; j < c; ++j)
    miq::detail::require(values[j] <= double{std::numeric_limits<float>::max()}, "importance: column ", j,
                         " has importance ", values[j], ", beyond the range of float");
  for (std::size_t j = 0; j < c; ++j) out[j] = static_cast<float>(values[j]);
}

}  // namespace miq::allocation::detail
