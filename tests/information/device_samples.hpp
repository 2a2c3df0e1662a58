// Samples for the tests of estimators on a device.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>

#include "test_support/catch.hpp"

namespace miq_test {

/// Normal, rectified, and rounded channels in turn; the fifth is constant.
inline miq::matrix<float> samples_of(std::int64_t tokens, std::int64_t channels) {
  miq::random_stream random(seed());
  miq::matrix<float> samples(tokens, channels);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double common = random.normal();
    for (std::int64_t c = 0; c < channels; ++c) {
      double value = random.normal() + 0.8 * common;
      if (c % 3 == 1) value = value > 0 ? value : 0.0;
      if (c % 3 == 2) value = std::nearbyint(4 * value) / 4;
      samples(t, c) = c == 4 ? 2.5F : static_cast<float>(value);
    }
  }
  return samples;
}

}  // namespace miq_test
