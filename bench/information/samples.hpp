// Samples for the benchmarks of information: bench/compare_sklearn.py makes the same.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>

namespace miq_bench {

/// Sums of twelve uniform numbers, nearly Gaussian; each channel is half the one before it and half its own.
inline const miq::matrix<float>& samples(std::int64_t channels, std::int64_t tokens) {
  static std::map<std::pair<std::int64_t, std::int64_t>, miq::matrix<float>> made;
  auto& x = made[{channels, tokens}];
  if (x.empty()) {
    x = miq::matrix<float>(tokens, channels);
    for (std::int64_t t = 0; t < tokens; ++t) {
      double before = 0;
      for (std::int64_t c = 0; c < channels; ++c) {
        double own = -6;
        for (std::int64_t i = 0; i < 12; ++i)
          own +=
              static_cast<double>(miq::random_hash(1, static_cast<std::uint64_t>((t * channels + c) * 12 + i)) >> 40) *
              0x1.0p-24;
        before = 0.5 * before + 0.5 * own;
        x(t, c) = static_cast<float>(before);
      }
    }
  }
  return x;
}

}  // namespace miq_bench
