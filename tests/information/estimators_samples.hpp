// The samples of estimators_reference.py, to the bit.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>

namespace miq_test {

inline double reference_uniform(std::uint64_t seed, std::int64_t index) {
  return static_cast<double>(miq::random_hash(seed, static_cast<std::uint64_t>(index)) >> 40) * 0x1.0p-24;
}

struct reference_samples {
  miq::matrix<float> x{700, 6};
  std::vector<std::int32_t> labels;

  reference_samples() {
    for (std::int64_t t = 0; t < x.rows(); ++t) {
      double a = -6, b = -6;
      for (std::int64_t i = 0; i < 12; ++i) {
        a += reference_uniform(1, 12 * t + i);
        b += reference_uniform(2, 12 * t + i);
      }
      const double c = reference_uniform(3, t);
      const double row[6] = {a, 0.75 * a + 0.5 * b, b * b, c, (c - 0.5) * a, a * std::abs(a)};
      for (std::int64_t k = 0; k < 6; ++k) x(t, k) = static_cast<float>(row[k]);
      labels.push_back(static_cast<std::int32_t>(std::floor(2 * std::abs(a) + 2 * c)));
    }
  }
};

}  // namespace miq_test
