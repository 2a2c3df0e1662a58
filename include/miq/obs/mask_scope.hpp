// obs/mask_scope.hpp: among which weights a mask chooses.
#pragma once

namespace miq::obs {

/// Which weights compete with each other for a place. Each function says which of these it knows.
enum class mask_scope {
  none,          ///< nothing is masked
  layer,         ///< all weights
  column_block,  ///< those of a block of `column_block` columns, all rows
  column_group,  ///< those of a group of columns, all rows
  row,           ///< those of a row; inside the sweep those of a row and a block of columns
  n_of_m,        ///< N:M: those of a row and `pattern_width` adjacent columns, of which `pattern_kept` stay
  given          ///< the mask is an input
};

}  // namespace miq::obs
