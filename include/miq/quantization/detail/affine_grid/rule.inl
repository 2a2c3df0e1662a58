// The rule by which values are rounded to a grid. Included twice by rounding.hpp, which says why; MIQ_RULE stands in front
// of functions.

template <class Value>
MIQ_RULE inline Value smaller_of(Value a, Value b) {
  return a < b ? a : b;
}
template <class Value>
MIQ_RULE inline Value larger_of(Value a, Value b) {
  return a > b ? a : b;
}

/// Half to even, for |x| below 2^22; beyond that it stays far outside any grid, which is all that counts. NaN stays
/// NaN.
template <class Value>
MIQ_RULE inline Value rounded(Value x) {
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

  /// The nearest step to `shifted` = magnitude / scale + fraction, before the ends of the grid. (The sum is the caller's:
  /// what a compiler fuses, it fuses in one expression.)
  template <grid_kind Kind>
  MIQ_RULE Value wanted(Value shifted) const {
    if constexpr (Kind == grid_kind::zero_free)
      return rounded(shifted);
    else
      return rounded(shifted) + whole;
  }
  /// The step that it gets.
  MIQ_RULE Value within(Value wanted_step) const { return larger_of(smaller_of(wanted_step, highest), Value{}); }
  MIQ_RULE Value at(Value step) const { return scale * (step + offset); }
  /// A magnitude's distance from a step.
  MIQ_RULE Value distance(Value magnitude, Value step) const { return magnitude - scale * (step + offset); }
};

/// @param zero     as `affine_grid::zero`: a multiple of 1/2
/// @param highest  the largest code, or the outermost step of a half
template <grid_kind Kind, class Value>
MIQ_RULE inline grid_steps<Value> steps_of(Value scale, Value zero, Value highest) {
  if constexpr (Kind == grid_kind::zero_free) {
    return {scale, -zero, Value{}, zero, highest};
  } else {
    const Value whole = rounded(zero - 0.25F);  // the floor, of multiples of 1/2
    return {scale, zero - whole, whole, -zero, highest};
  }
}

/// What is measured in steps of a value.
template <grid_kind Kind, class Value>
MIQ_RULE inline Value magnitude_of(Value value) {
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
MIQ_RULE inline grid_level<Value> nearest_level(Value value, const grid_steps<Value>& grid) {
  const Value wanted = grid.template wanted<Kind>(magnitude_of<Kind>(value) / grid.scale + grid.fraction);
  const Value step = grid.within(wanted);
  const Value level = grid.at(step);
  if constexpr (Kind == grid_kind::zero_free) {
    const auto negative = value < Value{};
    return {negative ? -level : level, negative ? grid.highest - step : grid.highest + 1.0F + step, step < wanted};
  } else {
    return {level, step, step != wanted};
  }
}
