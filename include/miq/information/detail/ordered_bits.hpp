// Integers that order as floats do, to sort by.
#pragma once

#include <bit>
#include <cstdint>

namespace miq::information::detail {

/// For finite values; both zeros are one.
constexpr std::uint32_t ordered_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value == 0.0F ? 0.0F : value);
  return bits ^ ((bits >> 31) != 0 ? 0xFFFFFFFFU : 0x80000000U);
}

/// The value back.
constexpr float value_of_ordered_bits(std::uint32_t bits) {
  return std::bit_cast<float>(bits ^ ((bits >> 31) != 0 ? 0x80000000U : 0xFFFFFFFFU));
}

}  // namespace miq::information::detail
