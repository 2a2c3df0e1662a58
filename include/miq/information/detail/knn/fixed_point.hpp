// Standardised channels in fixed point: the unit, and the noise that tells equal values apart. For host and device.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/random.hpp>

namespace miq::information::detail {

/// Standardised values are |z| <= sqrt(tokens - 1). In this unit three times the largest still fits 32 bits, so that
/// differences, and sums of a value and a difference, are exact. At 2048 tokens a unit is 6.5e-8 deviations.
MIQ_HOST_DEVICE inline double units_per_deviation(std::int64_t tokens, float noise) {
  return 7.0e8 / (std::sqrt(static_cast<double>(tokens)) + static_cast<double>(noise));
}

/// A value of a channel, moved by `shift` and then to its mean.
MIQ_HOST_DEVICE inline std::int32_t fixed_value(double value, double shift, double mean, double unit) {
  return static_cast<std::int32_t>(std::nearbyint(((value - shift) - mean) * unit));
}

/// n equal values are spread over at least this times sqrt(n) units. Where both channels hold an atom, neighbours are
/// then a hundred units and more apart, and rounding to units adds less than about 0.005 nats.
inline constexpr double spread_per_root = 256;

/// Units over which `count` equal values are spread, `width` at least.
MIQ_HOST_DEVICE inline double spread_of_equals(double width, std::int64_t count) {
  const double least = spread_per_root * std::sqrt(static_cast<double>(count));
  return width < least ? least : width;
}

/// How far the r-th of equal values is moved; `stream` belongs to them.
MIQ_HOST_DEVICE inline std::int64_t noise_of_place(std::uint64_t stream, std::int64_t r, double spread_over) {
  const auto bits = random_hash(stream, static_cast<std::uint64_t>(r)) >> 11;
  return static_cast<std::int64_t>(std::nearbyint((static_cast<double>(bits) * 0x1.0p-53 - 0.5) * spread_over));
}

/// By what the places of equal values are ordered in the other role; 32 bits.
MIQ_HOST_DEVICE inline std::uint64_t deal_of_place(std::uint64_t stream, std::int64_t r) {
  return random_hash(stream, static_cast<std::uint64_t>(r)) >> 32;
}

}  // namespace miq::information::detail
