// quantization/affine_grid.hpp: one affine grid: what a scale, a zero point and a bit width mean.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/numeric_types.hpp>
#include <miq/core/version.hpp>

namespace miq::quantization {

/// Where the levels of a grid lie.
enum class grid_symmetry {
  asymmetric,  ///< 2^b levels; the range always contains 0, and 0 is a level
  symmetric    ///< levels -(2^(b-1) - 1) ... 2^(b-1) - 1 times the scale; with b = 1 the two levels -scale/2, +scale/2
};

/// How a scale is stored, and therefore how it is rounded and counted.
enum class scale_format {
  float16,  ///< IEEE binary16, 16 bits: scales are rounded to it before anything is quantised with them
  float32   ///< 32 bits
};

constexpr int bits_of(scale_format format) { return format == scale_format::float16 ? 16 : 32; }

/// A grid of evenly spaced levels: code `q` in 0 ... `maximum_code` stands for `scale * (q - zero)`.
///
/// A value w gets the code `clamp(round(w / scale) + zero, 0, maximum_code)`, rounding half to even. `zero` is an
/// integer, but for symmetric grids of 1 bit, where it is 1/2 and the fraction is added before rounding.
struct affine_grid {
  float scale = 1;
  float zero = 0;
  std::int32_t maximum_code = 1;
};

/// Smallest and largest bit width of a grid.
inline constexpr int minimum_bits = 1;
inline constexpr int maximum_bits = 8;

/// The largest code of a grid of `bits` bits: symmetric grids leave the last one unused from 2 bits on.
MIQ_HOST_DEVICE constexpr std::int32_t maximum_code(int bits, grid_symmetry symmetry) {
  return (1 << bits) - (symmetry == grid_symmetry::symmetric && bits > 1 ? 2 : 1);
}

/// The code of a finite value.
MIQ_HOST_DEVICE inline std::int32_t quantise(float value, const affine_grid& grid) {
  const float whole = std::floor(grid.zero);
  const float code = std::nearbyint(value / grid.scale + (grid.zero - whole)) + whole;
  const auto limit = static_cast<float>(grid.maximum_code);
  return static_cast<std::int32_t>(code < 0 ? 0 : (code > limit ? limit : code));
}

/// The value that a code stands for.
MIQ_HOST_DEVICE inline float dequantise(std::int32_t code, const affine_grid& grid) {
  return grid.scale * (static_cast<float>(code) - grid.zero);
}

/// A scale as its format keeps it. A positive scale stays positive and finite: one that the format cannot hold becomes
/// the nearest that it can.
MIQ_HOST_DEVICE constexpr float stored_scale(float scale, scale_format format) {
  if (format == scale_format::float32) return scale;
  const float rounded = static_cast<float>(float16(scale));
  if (rounded == 0 && scale > 0) return 0x1.0p-24F;
  return rounded > 65504.0F ? 65504.0F : rounded;
}

/// The grid that covers [lowest, highest] and 0 with `bits` bits, its outermost levels at the ends of the range: the
/// "min/max" rule. An empty range (both 0) gives the grid of [-1, 1], as the public SparseGPT does.
MIQ_HOST_DEVICE inline affine_grid grid_of_range(float lowest, float highest, int bits, grid_symmetry symmetry,
                                                 scale_format format) {
  lowest = lowest < 0 ? lowest : 0;
  highest = highest > 0 ? highest : 0;
  if (lowest == 0 && highest == 0) {
    lowest = -1;
    highest = 1;
  }
  affine_grid grid;
  grid.maximum_code = maximum_code(bits, symmetry);
  if (symmetry == grid_symmetry::symmetric) {
    const float reach = -lowest > highest ? -lowest : highest;
    grid.zero = static_cast<float>(grid.maximum_code) / 2;
    grid.scale = stored_scale(reach / grid.zero, format);
  } else {
    grid.scale = stored_scale((highest - lowest) / static_cast<float>(grid.maximum_code), format);
    grid.zero = std::nearbyint(-lowest / grid.scale);
    const auto limit = static_cast<float>(grid.maximum_code);
    grid.zero = grid.zero > limit ? limit : grid.zero;
  }
  return grid;
}

}  // namespace miq::quantization
