// Statistics made by hand, for the tests of information.
#pragma once

#include <cmath>
#include <vector>

#include <miq/calibration/statistics.hpp>
#include <miq/core/random.hpp>

#include "calibration/support.hpp"

namespace miq_test {

/// Statistics with a given covariance; as many tokens as one likes, no ranges.
inline miq::calibration::statistics_view<> with_covariance(miq::matrix_view<const float> covariance,
                                                           std::int64_t tokens = 1000) {
  miq::calibration::statistics_view<> seen;
  seen.tokens = tokens;
  seen.covariance = covariance;
  return seen;
}

/// Symmetric; variances over many orders of magnitude, correlations of either sign and any size.
inline miq::matrix<float> random_covariance(std::int64_t columns, std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> c(columns, columns);
  for (std::int64_t i = 0; i < columns; ++i) c(i, i) = static_cast<float>(std::exp(20 * random.uniform() - 10));
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < i; ++j) {
      const auto size = random.below(2) == 0 ? random.uniform() : std::exp(-30 * random.uniform());
      const auto rho = random.below(2) == 0 ? size : -size;
      c(i, j) = c(j, i) =
          static_cast<float>(rho * std::sqrt(static_cast<double>(c(i, i)) * static_cast<double>(c(j, j))));
    }
  return c;
}

/// Half a unit in the last place of float, and a little for the arithmetic before the rounding.
inline bool rounded_right(float got, long double expected) {
  return std::abs(static_cast<long double>(got) - expected) <= 1.01L * 0x1p-24L * std::abs(expected) + 0x1p-150L;
}

}  // namespace miq_test
