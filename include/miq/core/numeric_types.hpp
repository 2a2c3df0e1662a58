// core/numeric_types.hpp: 16-bit floating-point storage types for the host.
#pragma once

#include <concepts>
#include <cstdint>

#include <miq/core/version.hpp>

namespace miq {

namespace detail {

/// `std::bit_cast` on both machines.
template <class To, class From>
MIQ_HOST_DEVICE constexpr To bits_as(const From& from) {
  return __builtin_bit_cast(To, from);
}

/// IEEE binary16 bits nearest to a float, ties to even; overflow gives infinity, NaN stays NaN.
MIQ_HOST_DEVICE constexpr std::uint16_t float_to_half_bits(float value) {
  const auto bits = bits_as<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // rounds to 65536 or beyond
  if (magnitude >= 0x38800000U) {                                                   // a normal half
    const std::uint32_t rebased = magnitude - 0x38000000U;
    return static_cast<std::uint16_t>(sign | ((rebased + 0xFFFU + ((rebased >> 13) & 1U)) >> 13));
  }
  if (magnitude < 0x33000000U) return static_cast<std::uint16_t>(sign);  // below half of the smallest subnormal
  const std::uint32_t exponent = magnitude >> 23;
  const std::uint32_t mantissa = (magnitude & 0x7FFFFFU) | 0x800000U;
  const std::uint32_t shift = 126U - exponent;  // 14 to 24
  const std::uint32_t rest = mantissa & ((1U << shift) - 1U);
  const std::uint32_t half_unit = 1U << (shift - 1U);
  std::uint32_t result = mantissa >> shift;
  if (rest > half_unit || (rest == half_unit && (result & 1U) != 0U)) ++result;
  return static_cast<std::uint16_t>(sign | result);
}

MIQ_HOST_DEVICE constexpr float half_bits_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0x1FU) return bits_as<float>(sign | 0x7F800000U | (mantissa << 13));
  if (exponent != 0) return bits_as<float>(sign | ((exponent + 112U) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24F;  // exact
  return sign != 0 ? -magnitude : magnitude;
}

MIQ_HOST_DEVICE constexpr std::uint16_t float_to_bfloat_bits(float value) {
  const auto bits = bits_as<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace detail

/// IEEE binary16: the bits of `__half` and `Eigen::half`. Storage only: compute in float.
struct float16 {
  std::uint16_t bits = 0;

  constexpr float16() = default;
  MIQ_HOST_DEVICE constexpr explicit float16(float value) : bits(detail::float_to_half_bits(value)) {}
  MIQ_HOST_DEVICE constexpr operator float() const { return detail::half_bits_to_float(bits); }
};

/// bfloat16: the upper half of a float, the bits of `__nv_bfloat16` and `Eigen::bfloat16`. Storage only.
struct bfloat16 {
  std::uint16_t bits = 0;

  constexpr bfloat16() = default;
  MIQ_HOST_DEVICE constexpr explicit bfloat16(float value) : bits(detail::float_to_bfloat_bits(value)) {}
  MIQ_HOST_DEVICE constexpr operator float() const {
    return detail::bits_as<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

/// The element types that are stored in 16 bits and computed with in float.
template <class T>
concept sixteen_bits = std::same_as<T, float16> || std::same_as<T, bfloat16>;

}  // namespace miq
