// Widths of kernels, and channels in units of them. For host and device.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/version.hpp>

namespace miq::information::detail {

/// Channels come in units of their width times this, so that a kernel is 2^(-d^2).
inline constexpr double kernel_unit = 1.1774100225154747;  // sqrt(2 ln 2)

/// The smallest kernel value is 2^-62: the product of two is still a normal number, and no density is 0.
inline constexpr float largest_exponent = 62.0F;
inline constexpr float floored_share = 0x1p-50F;  // above it the floor moves a logarithm by less than 2^-12

/// Where a channel lies and how wide its kernels are; 0 for a constant channel.
struct kernel_width {
  double centre = 0, width = 0;
};

/// What the rules multiply a spread by: for the number of dimensions, and for that of tokens.
inline double kernel_width_factor(bool silverman, int dimensions) {
  return dimensions == 1 ? silverman ? 0.9 : std::pow(4.0 / 3.0, 0.2) : 1.0;
}
inline double kernel_width_power(std::int64_t count, int dimensions) {
  return std::pow(static_cast<double>(count), -1.0 / (4 + dimensions));
}

/// Values in an array, for both machines.
struct value_in_array {
  const float* values;
  MIQ_HOST_DEVICE double operator()(std::int64_t p) const { return static_cast<double>(values[p]); }
};

/// Of ascending values, `value(p)` at place p. With `silverman` the quartiles' distance counts where it is less.
template <class Value>
MIQ_HOST_DEVICE kernel_width kernel_width_of(const Value& value, std::int64_t tokens, bool silverman, double factor,
                                             double power) {
  const auto last = static_cast<double>(tokens - 1), count = last + 1;
  const auto quantile = [&](double share) {
    const auto below = static_cast<std::int64_t>(share * last);
    const auto above = below + 1 < tokens - 1 ? below + 1 : tokens - 1;
    return value(below) + (share * last - static_cast<double>(below)) * (value(above) - value(below));
  };
  kernel_width result;
  result.centre = quantile(0.5);
  if (value(0) == value(tokens - 1)) return result;
  double mean = 0, square = 0;
  for (std::int64_t p = 0; p < tokens; ++p) mean += (value(p) - result.centre) / count;
  for (std::int64_t p = 0; p < tokens; ++p) {
    const double away = value(p) - result.centre - mean;
    square += away * away;
  }
  double spread = std::sqrt(square / last);
  const auto quartiles = (quantile(0.75) - quantile(0.25)) / 1.34;
  if (silverman && quartiles > 0 && quartiles < spread) spread = quartiles;
  result.width = spread * factor * power;
  return result;
}

/// A value in kernel units. Where outliers lie further off than float can tell, it does not matter where.
MIQ_HOST_DEVICE inline float in_kernel_units(float value, const kernel_width& width) {
  const double units = (static_cast<double>(value) - width.centre) / (width.width * kernel_unit);
  return static_cast<float>(units < -1e18 ? -1e18 : units > 1e18 ? 1e18 : units);
}

}  // namespace miq::information::detail
