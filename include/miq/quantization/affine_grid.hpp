// quantization/affine_grid.hpp: one affine grid: what a scale, a zero point and a bit width mean.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/numeric_types.hpp>
#include <miq/core/version.hpp>
#include <miq/quantization/detail/affine_grid/rounding.hpp>

namespace miq::quantization {

/// Where the levels of a grid lie.
enum class grid_symmetry {
  asymmetric,  ///< 2^b levels; the range always contains 0, and 0 is a level
  symmetric,   ///< levels -(2^(b-1) - 1) ... 2^(b-1) - 1 times the scale; with b = 1 the two levels -scale/2, +scale/2
  zero_free    ///< 2^(b-1) levels on either side of 0 and none at 0: for weights kept by a mask that is stored
};

/// How a scale is stored, and therefore how it is rounded and counted.
enum class scale_format {
  float16,      ///< IEEE binary16, 16 bits: scales are rounded to it before anything is quantised with them
  float32,      ///< 32 bits
  logarithmic8  ///< 2^(k/16) with a whole k, 8 bits: k less the layer's smallest k, which takes 16 bits for each layer
};

constexpr int bits_of(scale_format format) {
  return format == scale_format::float16 ? 16 : (format == scale_format::float32 ? 32 : 8);
}

/// A grid of evenly spaced levels: code `q` in 0 ... `maximum_code` stands for `scale * (q - zero)`.
///
/// A value w gets the code `clamp(round(w / scale) + zero, 0, maximum_code)`, rounding half to even. `zero` is an
/// integer, but for symmetric grids of 1 bit, where it is 1/2 and the fraction is added before rounding.
///
/// The rule is `nearest_level` of detail/affine_grid/rounding.hpp, wherever weights are rounded.
///
/// A grid without zero has two halves of h = (`maximum_code` + 1) / 2 levels each: code q of the upper half stands for
/// `scale * (zero + q - h)`, code h - 1 - i of the lower half for the negative of what h + i stands for. Here `zero` is
/// the distance of the innermost level from 0 in steps, a multiple of 1/2, at least 1/2 and at most 2^(b-1): what lies
/// between the halves is the band that pruning has emptied. A value gets the nearest level of its own sign.
struct affine_grid {
  float scale = 1;
  float zero = 0;
  std::int32_t maximum_code = 1;
  bool zero_free = false;
};

/// Smallest and largest bit width of a grid.
inline constexpr int minimum_bits = 1;
inline constexpr int maximum_bits = 8;

/// The largest code of a grid of `bits` bits: symmetric grids leave the last one unused from 2 bits on.
MIQ_HOST_DEVICE constexpr std::int32_t maximum_code(int bits, grid_symmetry symmetry) {
  return (1 << bits) - (symmetry == grid_symmetry::symmetric && bits > 1 ? 2 : 1);
}

/// The outermost step of a grid: the largest code, or of a grid without zero the outermost level of a half.
MIQ_HOST_DEVICE inline float highest_step(std::int32_t largest_code, bool zero_free) {
  return static_cast<float>(zero_free ? largest_code / 2 : largest_code);
}

/// The code of a finite value.
MIQ_HOST_DEVICE inline std::int32_t quantise(float value, const affine_grid& grid) {
  using detail::grid_kind;
  const float highest = highest_step(grid.maximum_code, grid.zero_free);
  const float code = grid.zero_free ? detail::nearest_level<grid_kind::zero_free>(
                                          value, detail::steps_of<grid_kind::zero_free>(grid.scale, grid.zero, highest))
                                          .code
                                    : detail::nearest_level<grid_kind::affine>(
                                          value, detail::steps_of<grid_kind::affine>(grid.scale, grid.zero, highest))
                                          .code;
  return static_cast<std::int32_t>(code);
}

/// The value that a code stands for.
MIQ_HOST_DEVICE inline float dequantise(std::int32_t code, const affine_grid& grid) {
  if (grid.zero_free) {
    const std::int32_t half_levels = grid.maximum_code / 2 + 1;
    return code < half_levels ? -(grid.scale * (static_cast<float>(half_levels - 1 - code) + grid.zero))
                              : grid.scale * (static_cast<float>(code - half_levels) + grid.zero);
  }
  return grid.scale * (static_cast<float>(code) - grid.zero);
}

/// Steps of `scale_format::logarithmic8` in an octave, and between its smallest and largest scale.
inline constexpr int logarithmic_steps = 16;
inline constexpr int logarithmic_range = 255;

/// The nearest k of a positive scale in 2^(k/16), within what float holds as normal numbers.
MIQ_HOST_DEVICE inline std::int32_t logarithm_of_scale(float scale) {
  const double steps = std::nearbyint(std::log2(static_cast<double>(scale)) * logarithmic_steps);
  const double limit = 126.0 * logarithmic_steps;
  return static_cast<std::int32_t>(steps < -limit ? -limit : (steps > limit ? limit : steps));
}

/// 2^(k/16).
MIQ_HOST_DEVICE inline float logarithmic_scale(std::int32_t k) {
  return static_cast<float>(std::exp2(static_cast<double>(k) / logarithmic_steps));
}

/// A scale as its format keeps it. A positive scale stays positive and finite: one that the format cannot hold becomes
/// the nearest that it can. (Whether all scales of a layer lie within the 255 steps of `logarithmic8` is a question of
/// the layer, which `fit_grids` answers.)
MIQ_HOST_DEVICE inline float stored_scale(float scale, scale_format format) {
  if (format == scale_format::float32) return scale;
  if (format == scale_format::logarithmic8) return logarithmic_scale(logarithm_of_scale(scale));
  const float rounded = static_cast<float>(float16(scale));
  if (rounded == 0 && scale > 0) return 0x1.0p-24F;
  return rounded > 65504.0F ? 65504.0F : rounded;
}

/// The grid without zero whose positive levels run from about `nearest` to `reach`, 0 <= nearest <= reach: the gap
/// becomes the multiple of half a step at which the outermost level is `reach`. `reach` 0 gives the grid of [-1, 1].
MIQ_HOST_DEVICE inline affine_grid grid_of_halves(float nearest, float reach, int bits, scale_format format) {
  affine_grid grid;
  grid.zero_free = true;
  grid.maximum_code = maximum_code(bits, grid_symmetry::zero_free);
  const auto steps = static_cast<float>(grid.maximum_code / 2);  // from the innermost level to the outermost
  if (reach <= 0) {
    nearest = 0;
    reach = 1;
  }
  // nearest / reach = zero / (zero + steps); 1-bit grids have one level a side, at `reach`.
  const float largest = static_cast<float>(grid.maximum_code + 1) / 2;
  const float wanted = steps == 0 ? 0.5F : nearest / (reach - nearest) * steps;
  grid.zero = wanted < largest ? std::nearbyint(2 * wanted) / 2 : largest;
  grid.zero = grid.zero < 0.5F ? 0.5F : grid.zero;
  grid.scale = stored_scale(reach / (grid.zero + steps), format);
  return grid;
}

/// The grid that covers [lowest, highest] and 0 with `bits` bits, its outermost levels at the ends of the range: the
/// "min/max" rule. An empty range (both 0) gives the grid of [-1, 1], as the public SparseGPT does. A grid without zero
/// covers [-reach, reach] without a gap wider than its step.
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
  if (symmetry != grid_symmetry::asymmetric) {
    const float reach = -lowest > highest ? -lowest : highest;
    grid.zero = static_cast<float>(grid.maximum_code) / 2;
    if (symmetry == grid_symmetry::zero_free) return grid_of_halves(0, reach, bits, format);
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
