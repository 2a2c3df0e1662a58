// Integers that order as floats do, to sort by.
#pragma once

#include <cstdint>

#include <miq/core/numeric_types.hpp>

namespace miq::information::detail {

/// For finite values; both zeros are one.
MIQ_HOST_DEVICE constexpr std::uint32_t ordered_bits(float value) {
  const auto bits = miq::detail::bits_as<std::uint32_t>(value == 0.0F ? 0.0F : value);
  return bits ^ ((bits >> 31) != 0 ? 0xFFFFFFFFU : 0x80000000U);
}

/// The value back.
MIQ_HOST_DEVICE constexpr float value_of_ordered_bits(std::uint32_t bits) {
  return miq::detail::bits_as<float>(bits ^ ((bits >> 31) != 0 ? 0x80000000U : 0xFFFFFFFFU));
}

}  // namespace miq::information::detail
