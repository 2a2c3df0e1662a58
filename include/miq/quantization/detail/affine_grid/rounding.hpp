// How a value is rounded to a grid: the one rule that `quantise`, fits and sweeps follow, for a float, the lanes of a
// vector, or a lane of a device.
#pragma once

#include <miq/core/version.hpp>

namespace miq::quantization::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// What a value is rounded to.
enum class grid_kind {
  none,      ///< nothing: it stays as it is
  affine,    ///< the levels of one range
  zero_free  ///< the nearest level of its own sign
};

template <class Value>
MIQ_HOST_DEVICE inline Value smaller_of(Value a, Value b) {
  return a < b ? a : b;
}
template <class Value>
MIQ_HOST_DEVICE inline Value larger_of(Value a, Value b) {
  return a > b ? a : b;
}

/// Half to even, for |x| below 2^22; beyond that it stays far outside any grid, which is all that counts. NaN stays
/// NaN.
template <class Value>
MIQ_HOST_DEVICE inline Value rounded(Value x) {
  constexpr float rounder = 0x1.8p23F;
  return (x + rounder) - rounder;
}

/// A grid as the rule reads it: step k, 0 to `highest`, is at `scale * (k + offset)`. Of a grid without zero both
/// halves are measured from 0 outwards, in magnitudes.
template <class Value>
struct grid_steps {
  Value scale;
  Value fraction;  // what is added before rounding
  Value whole;     // and afterwards: an integer, so that it moves no tie; 0 without zero
  Value offset;
  Value highest;

  /// The nearest step to `position` = magnitude / scale, before the ends of the grid.
  template <grid_kind Kind>
  MIQ_HOST_DEVICE Value wanted(Value position) const {
    if constexpr (Kind == grid_kind::zero_free)
      return rounded(position + fraction);
    else
      return rounded(position + fraction) + whole;
  }
  /// The step that it gets.
  MIQ_HOST_DEVICE Value within(Value wanted_step) const { return larger_of(smaller_of(wanted_step, highest), Value{}); }
  MIQ_HOST_DEVICE Value at(Value step) const { return scale * (step + offset); }
};

/// @param zero     as `affine_grid::zero`: a multiple of 1/2
/// @param highest  the largest code, or the outermost step of a half
template <grid_kind Kind, class Value>
MIQ_HOST_DEVICE inline grid_steps<Value> steps_of(Value scale, Value zero, Value highest) {
  if constexpr (Kind == grid_kind::zero_free) {
    return {scale, -zero, Value{}, zero, highest};
  } else {
    const Value whole = rounded(zero - 0.25F);  // the floor, of multiples of 1/2
    return {scale, zero - whole, whole, -zero, highest};
  }
}

/// What is measured in steps of a value.
template <grid_kind Kind, class Value>
MIQ_HOST_DEVICE inline Value magnitude_of(Value value) {
  if constexpr (Kind == grid_kind::zero_free)
    return larger_of(value, -value);
  else
    return value;
}

/// What a value becomes.
template <class Value>
struct grid_level {
  Value value;
  Value code;
  decltype(Value{} < Value{}) clamped;  // it was beyond an outermost level
};

template <grid_kind Kind, class Value>
MIQ_HOST_DEVICE inline grid_level<Value> nearest_level(Value value, const grid_steps<Value>& grid) {
  const Value wanted = grid.template wanted<Kind>(magnitude_of<Kind>(value) / grid.scale);
  const Value step = grid.within(wanted);
  const Value level = grid.at(step);
  if constexpr (Kind == grid_kind::zero_free) {
    const auto negative = value < Value{};
    return {negative ? -level : level, negative ? grid.highest - step : grid.highest + 1.0F + step, step < wanted};
  } else {
    return {level, step, step != wanted};
  }
}

/// The rule in the searches of a device, without divisions in the loop over values: multiplies by the reciprocal of the
/// scale. A value that this puts on the level beside the rule's is halfway between the two, but for 2^-22 of its
/// position, so that both cost the same up to rounding.
struct reciprocal_steps {
  grid_steps<float> grid;  // one for both kinds: on magnitudes, a grid without zero is an affine one
  bool zero_free;
  float raise;   // 2^64 where the scale is so small that its reciprocal is no float, else 1
  float factor;  // 1 / (scale * raise)

  MIQ_HOST_DEVICE reciprocal_steps(float scale, float zero, float highest, bool without_zero)
      : grid(without_zero ? steps_of<grid_kind::zero_free>(scale, zero, highest)
                          : steps_of<grid_kind::affine>(scale, zero, highest)),
        zero_free(without_zero),
        raise(scale >= 0x1.0p-126F ? 1.0F : 0x1.0p64F),
        factor(1.0F / (scale * raise)) {}

  /// A value's distance from its level, either sign.
  MIQ_HOST_DEVICE float difference(float value) const {
    const float magnitude = zero_free ? magnitude_of<grid_kind::zero_free>(value) : value;
    return magnitude - grid.at(grid.within(grid.wanted<grid_kind::affine>(magnitude * raise * factor)));
  }
};

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::quantization::detail
