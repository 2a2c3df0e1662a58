// obs/mask_options.hpp: which weights are kept, and how many.
#pragma once

#include <cstdint>

namespace miq::obs {

/// Which weights compete with each other for a place.
enum class selection_scope {
  layer,         ///< all: the floor(sparsity * weights) least salient are masked; ties by row, then column
  column_block,  ///< those of a block of columns, all rows: floor(sparsity * weights of the block); ties as above
  row,           ///< those of a row: floor(sparsity * columns); ties by column
  n_of_m         ///< those of a row and `pattern_width` columns side by side, of which `pattern_kept` stay
};

/// What `select_mask` may be asked for.
struct mask_options {
  selection_scope scope = selection_scope::layer;
  double sparsity = 0.5;            ///< share of masked weights in [0, 1); not for n_of_m
  std::int64_t column_block = 128;  ///< columns of a block, at least 1
  std::int64_t pattern_kept = 2;    ///< N of N:M masks
  std::int64_t pattern_width = 4;   ///< M of N:M masks; a last group with fewer columns keeps as many
};

}  // namespace miq::obs
