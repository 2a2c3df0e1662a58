// What the choice of a mask asks of its arguments, in any memory.
#pragma once

#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/obs/mask_options.hpp>

namespace miq::obs::detail {

using miq::detail::require;
using miq::detail::shape_text;

/// What can be said without reading an element, for any memory.
template <class Space, class T>
void check_select_mask(matrix_view<const T, Space> weights, vector_view<const float, Space> column_saliency,
                       matrix_view<std::uint8_t, Space> kept, const mask_options& options) {
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  require(!weights.empty(), "select_mask: weights must not be empty, got ", shape_text(rows, columns));
  require(column_saliency.size() == columns, "select_mask: column_saliency must hold a value for each of the ", columns,
          " columns, got ", column_saliency.size());
  require(kept.rows() == rows && kept.columns() == columns, "select_mask: kept must be ", shape_text(rows, columns),
          " like the weights, got ", shape_text(kept.rows(), kept.columns()));
  require(!miq::detail::ranges_overlap(weights.data(), miq::detail::spanned_bytes(weights), kept.data(),
                                       miq::detail::spanned_bytes(kept)),
          "select_mask: kept must not overlap weights");
  require(options.scope == mask_scope::layer || options.scope == mask_scope::column_block ||
              options.scope == mask_scope::row || options.scope == mask_scope::n_of_m,
          "select_mask: scope must be mask_scope::layer, column_block, row or n_of_m");
  require(options.sparsity >= 0 && options.sparsity < 1, "select_mask: sparsity must be in [0, 1), got ",
          options.sparsity);
  require(options.column_block >= 1, "select_mask: column_block must be at least 1, got ", options.column_block);
  require(options.pattern_width >= 1, "select_mask: pattern_width must be at least 1, got ", options.pattern_width);
  require(options.pattern_kept >= 1 && options.pattern_kept <= options.pattern_width,
          "select_mask: pattern_kept must be 1 to pattern_width, which is ", options.pattern_width, ", got ",
          options.pattern_kept);
}

}  // namespace miq::obs::detail
