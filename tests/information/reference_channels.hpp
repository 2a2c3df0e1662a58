// The five channels that histogram_reference.py and rank_reference.py describe.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>

namespace miq_test {

/// Uniform, correlated with it, rectified (half zeros), discrete, skewed: [600, 5].
inline miq::matrix<float> reference_channels() {
  miq::matrix<float> x(600, 5);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    const auto u = [&](std::int64_t k) {
      return static_cast<float>(miq::random_hash(7, static_cast<std::uint64_t>(8 * t + k)) >> 40) * 0x1p-24F;
    };
    x(t, 0) = u(0);
    x(t, 1) = 0.75F * u(0) + 0.25F * u(1);
    x(t, 2) = std::max(u(2) - 0.5F, 0.0F);
    x(t, 3) = std::floor(u(3) * 5) + std::floor(u(0) * 2);
    x(t, 4) = u(0) * u(1) * u(1);
  }
  return x;
}

}  // namespace miq_test
