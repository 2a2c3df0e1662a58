// How a value is rounded to a grid: the one rule that `quantise`, fits and sweeps follow, for a float, the lanes of a
// vector, or a lane of a device.
#pragma once

#include <miq/core/version.hpp>

namespace miq::quantization::detail {

/// What a value is rounded to.
enum class grid_kind {
  none,      ///< nothing: it stays as it is
  affine,    ///< the levels of one range
  zero_free  ///< the nearest level of its own sign
};

// nvcc refuses vectors of the host in functions that are for host and device. So the rule stands once, in rule.inl, and is
// compiled for floats on both, and in the namespace `vectors` for whatever the host has.
#define MIQ_RULE MIQ_HOST_DEVICE
#include <miq/quantization/detail/affine_grid/rule.inl>
#undef MIQ_RULE
inline namespace MIQ_INSTRUCTION_SET {
namespace vectors {
#define MIQ_RULE
#include <miq/quantization/detail/affine_grid/rule.inl>
#undef MIQ_RULE
}  // namespace vectors
}  // namespace MIQ_INSTRUCTION_SET

/// The rule in the searches of a device, without divisions in the loop over values: multiplies by the reciprocal of the
/// scale. For scales below 2^126 a value that this puts on the level beside the rule's is halfway between the two, but
/// for 2^-21 of its position, so that both cost the same up to rounding.
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
    const float wanted = grid.wanted<grid_kind::affine>(magnitude * raise * factor + grid.fraction);
    return grid.distance(magnitude, grid.within(wanted));
  }
};

}  // namespace miq::quantization::detail
