// The logarithm and the exponential that turn correlations into information and back, many at a time.
#pragma once

#include <cstdint>

#include <miq/core/detail/vector_lanes.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

using miq::detail::double_lanes;
using miq::detail::long_lanes;
using miq::detail::wide_lanes;

/// -1/2 ln(1 - q) for q in [0, 1). Relative error below 1e-9 for q up to 1 - 1e-6.
///
/// 1 - q = 2^k m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(f / (2 + f)) with f = m - 1, as a series of odd powers
/// (its argument stays below 0.1716, the first term left out below 5e-11 of the sum). Where k = 0, f is -q itself, so
/// small q lose nothing.
inline wide_lanes information_of_square(wide_lanes q) {
  constexpr std::int64_t root_half = 0x3FE6A09E667F3BCD, one = 0x3FF0000000000000, mantissa = 0x000FFFFFFFFFFFFF;
  const auto shifted = miq::detail::reinterpret_lanes<long_lanes>(1.0 - q) + (one - root_half);
  const auto exponent = shifted >> 52;  // k + 1023, never negative
  const auto m = miq::detail::reinterpret_lanes<wide_lanes>((shifted & mantissa) + root_half);
  // Integers up to 2^52 become doubles by way of the bits of 2^52 + integer.
  const auto k = miq::detail::reinterpret_lanes<wide_lanes>(exponent | 0x4330000000000000) - (0x1p52 + 1023.0);
  const auto f = miq::detail::select(exponent == 1023, -q, m - 1.0);
  const auto s = f / (f + 2.0), z = s * s;
  const auto tail = z * (z * (z * (z * (z * (1.0 / 11) + 1.0 / 9) + 1.0 / 7) + 1.0 / 5) + 1.0 / 3);
  return -(s + s * tail) - k * 0.34657359027997264;  // ln(2) / 2
}

/// 2^k and e^r - 1 with e^y = 2^k e^r, for y in [-700, 0]; |r| is at most ln(2) / 2. Relative error of e^r - 1 below
/// 3e-11, by its Taylor polynomial of degree 9.
struct split_exponential {
  wide_lanes power, rest;
};

inline split_exponential split_exponential_of(wide_lanes y) {
  // Adding 1.5 * 2^52 rounds to an integer, which is then in the low bits.
  const auto rounded = y * 1.4426950408889634 + 0x1.8p52;
  const auto k = rounded - 0x1.8p52;
  const auto r = (y - k * 0x1.62E42FEEp-1) - k * 0x1.A39EF35793C76p-33;  // ln(2) in two parts
  const auto power = miq::detail::reinterpret_lanes<wide_lanes>(
      ((miq::detail::reinterpret_lanes<long_lanes>(rounded) & 0xFFFF) << 52) + 0x3FF0000000000000);
  auto series = r * (1.0 / 362880) + 1.0 / 40320;
  series = series * r + 1.0 / 5040;
  series = series * r + 1.0 / 720;
  series = series * r + 1.0 / 120;
  series = series * r + 1.0 / 24;
  series = series * r + 1.0 / 6;
  series = series * r + 0.5;
  return {power, r + r * r * series};
}

/// What is below -700 underflows float by far, and is raised to it.
inline wide_lanes at_least_minus_700(wide_lanes y) { return miq::detail::select(y < -700.0, wide_lanes{} - 700.0, y); }

/// exp(y) for y <= 0; below -700 as at -700.
inline wide_lanes exponential(wide_lanes y) {
  const auto e = split_exponential_of(at_least_minus_700(y));
  return e.power + e.power * e.rest;
}

/// 1 - exp(y) for y <= 0, accurate near 0.
inline wide_lanes one_minus_exponential(wide_lanes y) {
  const auto e = split_exponential_of(at_least_minus_700(y));
  return (1.0 - e.power) - e.power * e.rest;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
