// obs/mask_options.hpp: which weights are kept, and how many.
#pragma once

#include <cstdint>

#include <miq/obs/mask_scope.hpp>

namespace miq::obs {

/// What `select_mask` may be asked for. Masks the floor(sparsity * weights) least salient of the layer or of each block
/// of columns (ties by row, then column), floor(sparsity * columns) of each row (ties by column), or by a pattern.
struct mask_options {
  mask_scope scope = mask_scope::layer;  ///< `layer`, `column_block`, `row` or `n_of_m`
  double sparsity = 0.5;                 ///< share of masked weights in [0, 1); not for n_of_m
  std::int64_t column_block = 128;       ///< columns of a block, at least 1
  std::int64_t pattern_kept = 2;         ///< N of N:M masks
  std::int64_t pattern_width = 4;        ///< M of N:M masks; a last group with fewer columns keeps as many
};

}  // namespace miq::obs
