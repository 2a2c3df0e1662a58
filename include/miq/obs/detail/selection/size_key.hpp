// How selections order values: by size in units of their column, ties by place.
#pragma once

#include <cstdint>

#include <miq/core/numeric_types.hpp>

namespace miq::obs::detail {

/// The size of a value in units of its column, `(value * unit)^2`, as an integer that orders like it.
MIQ_HOST_DEVICE inline std::uint32_t size_key(float value, float unit) {
  const float scaled = value * unit;
  return miq::detail::bits_as<std::uint32_t>(scaled * scaled);
}

/// Which of several values of the same size, more than there is room for, are kept: those that come first by row, then
/// column, or those that come last.
enum class tie_rule { first_stay, first_go };

/// Keys are looked at in three digits, from the highest.
inline constexpr int key_digits = 3;
inline constexpr std::int64_t keep_bins = 2048;
MIQ_HOST_DEVICE constexpr int key_shift(int digit) { return digit == 0 ? 21 : digit == 1 ? 10 : 0; }
MIQ_HOST_DEVICE constexpr std::int32_t key_bins(int digit) { return digit == 2 ? 1024 : 2048; }
/// The bits of the digits before one.
MIQ_HOST_DEVICE constexpr std::uint32_t key_bits_above(int digit) {
  return digit == 0 ? 0U : 0xFFFFFFFFU << key_shift(digit - 1);
}

}  // namespace miq::obs::detail
