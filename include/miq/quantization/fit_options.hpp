// quantization/fit_options.hpp: what `fit_grids` may be asked for, and what it reports.
#pragma once

#include <cstdint>

#include <miq/quantization/grid_set.hpp>

namespace miq::quantization {

/// How the range that a grid covers is found.
enum class range_rule {
  min_max,     ///< from the smallest to the largest weight; grids without zero have no gap then
  clip_search  ///< the share of that range with the least squared error, weighted if `column_weights` are given; for
               ///< grids without zero also the gap between their halves
};

/// What `fit_grids` may be asked for.
struct fit_options {
  grid_layout layout = grid_layout::per_row_and_group;
  grid_symmetry symmetry = grid_symmetry::asymmetric;
  scale_format format = scale_format::float16;
  range_rule range = range_rule::min_max;
  int clip_steps = 40;         ///< candidates of the clip search, evenly spaced from the whole range downwards
  double smallest_clip = 0.4;  ///< the smallest share of the range that is tried, in (0, 1]
};

/// What happened on the way.
struct fit_result {
  std::int64_t empty = 0;       ///< grids whose weights are all 0, or all left out by the mask; they cover [-1, 1]
  std::int64_t clipped = 0;     ///< grids for which the clip search kept less than the whole range
  std::int64_t rescaled = 0;    ///< scales outside what `format` holds, moved to the nearest that it does (a factor of
                                ///< rank-one scales that multiplies others is not counted)
  std::int64_t not_finite = 0;  ///< on a device: weights that are NaN or infinite, masked ones too; they are left out
                                ///< as masked ones are. On the host they are an error.
};

}  // namespace miq::quantization
