// reference/quantization_oracle.hpp: affine grids in double precision, written from their definition. Shares nothing
// with the library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace miq_oracle {

/// Rounds to the nearest integer, halves to the even one, by cases.
inline double round_half_even(double x) {
  const double below = std::floor(x);
  const double rest = x - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  return std::fmod(below, 2.0) == 0 ? below : below + 1;
}

/// A positive double rounded to IEEE binary16 (ties to even), kept within its smallest and largest positive values.
inline double nearest_half(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);                       // x = m 2^exponent, m in [1/2, 1)
  const int unit = std::max(exponent - 11, -24);  // the exponent of the last of 11 bits, or of the subnormals
  const double rounded = std::ldexp(round_half_even(std::ldexp(x, -unit)), unit);
  return std::clamp(rounded, std::ldexp(1.0, -24), 65504.0);
}

struct grid {
  double scale = 1;
  double zero = 0;
  int largest = 1;

  double level(double code) const { return scale * (code - zero); }
  /// All levels tried: the code whose level is nearest; of two equally near ones the one that rounding half to even
  /// takes.
  int code_of(double w) const {
    int best = 0;
    for (int q = 1; q <= largest; ++q)
      if (std::abs(level(q) - w) < std::abs(level(best) - w)) best = q;
    return best;
  }
  double error(double w) const {
    const double d = level(code_of(w)) - w;
    return d * d;
  }
};

/// The min/max grid. Half precision scales where `half`.
inline grid grid_of_range(double low, double high, int bits, bool symmetric, bool half) {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  if (low == 0 && high == 0) {
    low = -1;
    high = 1;
  }
  grid g;
  g.largest = symmetric && bits > 1 ? (1 << bits) - 2 : (1 << bits) - 1;
  const auto stored = [&](double s) { return half ? nearest_half(s) : static_cast<double>(static_cast<float>(s)); };
  if (symmetric) {
    g.zero = g.largest / 2.0;
    g.scale = stored(std::max(-low, high) / g.zero);
  } else {
    g.scale = stored((high - low) / g.largest);
    g.zero = std::min<double>(round_half_even(-low / g.scale), g.largest);
  }
  return g;
}

}  // namespace miq_oracle
