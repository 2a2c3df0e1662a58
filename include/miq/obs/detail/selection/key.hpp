// How selections order weights, on the host, in vector lanes and on a device: the key, its digits, the rule for ties.
#pragma once

#include <cstdint>

#include <miq/core/numeric_types.hpp>

namespace miq::obs::detail {

/// The saliency `(weight * unit)^2` as an integer that orders like it: the bits of a float that is not negative. What
/// overflowed to NaN, whose sign and payload must not leave the range of keys, counts as infinite.
MIQ_HOST_DEVICE inline std::uint32_t saliency_key(float weight, float unit) {
  const float root = weight * unit;
  const auto key = miq::detail::bits_as<std::uint32_t>(root * root) & 0x7FFFFFFFU;
  return key < 0x7F800000U ? key : 0x7F800000U;
}

/// Which of several weights of the same key, more than there is room for, are kept: those that come first by row, then
/// column, or those that come last. Masks keep the last; a mask search may keep either.
enum class tie_rule { first_stay, first_go };

/// The 31 bits of a key are looked at in three digits, from the highest.
inline constexpr int digits = 3;
inline constexpr std::int64_t digit_bins = 2048;
MIQ_HOST_DEVICE constexpr int digit_shift(int digit) { return digit == 0 ? 20 : (digit == 1 ? 10 : 0); }
MIQ_HOST_DEVICE constexpr std::int32_t bins_of_digit(int digit) { return digit == 0 ? 2048 : 1024; }
/// The bits of the digits before one.
MIQ_HOST_DEVICE constexpr std::uint32_t bits_above(int digit) {
  return digit == 0 ? 0U : 0xFFFFFFFFU << digit_shift(digit - 1);
}

}  // namespace miq::obs::detail
