// What the searches of grids share.
#pragma once

#include <algorithm>
#include <cmath>

#include <miq/quantization/fit.hpp>

namespace miq::quantization::detail {

/// A grid, and what happened to it on the way.
struct fitted_grid {
  affine_grid grid;
  bool empty = false;
  bool clipped = false;
  bool rescaled = false;
};

/// Rounds a scale as its format stores it, and notes if the format could not hold it.
inline void store_scale(fitted_grid& fit, scale_format format) {
  const float exact = fit.grid.scale;
  fit.grid.scale = stored_scale(exact, format);
  const float tolerance = format == scale_format::logarithmic8 ? 0.03F : 0x1.0p-10F;
  fit.rescaled = !(std::abs(fit.grid.scale - exact) <= tolerance * exact);
}

/// The gaps between the halves that a search tries, in steps of 1/2: at most 32 of 1 ... 2^bits.
template <class Use>
void for_each_gap(int bits, const Use& use) {
  const int gaps = 1 << bits;
  for (int gap = 1; gap <= gaps; gap += std::max(1, gaps / 32)) use(0.5F * static_cast<float>(gap));
}

/// The share of the whole range that a step of the search keeps: from 1 down to `smallest_clip`.
inline double clip_share(const fit_options& options, int step) {
  return 1 - (1 - options.smallest_clip) * step / (options.clip_steps - 1);
}

}  // namespace miq::quantization::detail
