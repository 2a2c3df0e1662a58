// quantization/grid_set.hpp: the grids of a whole layer, shared inside groups of columns.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/quantization/affine_grid.hpp>

namespace miq::quantization {

/// Who shares a grid.
enum class grid_layout {
  per_row_and_group,  ///< layout A, as GPTQ: every row has a scale and a zero point of its own in every group
  per_group,          ///< layout A, one scale and zero point for all rows of a group
  per_column,         ///< layout B: the bit width is the group's, scale and zero point are the column's
  row_by_group,       ///< rank one: a scale is the row's factor times the group's; the zero point is the group's
  row_by_column       ///< rank one: a scale is the row's factor times the column's; the zero point is the group's
};

/// Whether scales are products of a row's factor and another.
constexpr bool is_rank_one(grid_layout layout) {
  return layout == grid_layout::row_by_group || layout == grid_layout::row_by_column;
}

/// Whether every column has a scale of its own.
constexpr bool has_column_scales(grid_layout layout) {
  return layout == grid_layout::per_column || layout == grid_layout::row_by_column;
}

/// The grids of a layer, without owning them: column c of row r is quantised with scale and zero point
/// `(row_grids == 1 ? 0 : r, column_grid[c])`, and with the bits of that grid column. Where there are row factors, the
/// scale is multiplied by the row's, in float.
template <class Space = host_memory>
struct grid_set_view {
  matrix_view<const float, Space> scale;               ///< [row grids: 1 or rows, grid columns], positive and finite
  matrix_view<const float, Space> zero;                ///< the same shape
  vector_view<const std::uint8_t, Space> bits;         ///< [grid columns], 1 to 8
  vector_view<const std::int32_t, Space> column_grid;  ///< [columns], the grid column of each column
  vector_view<const float, Space> row_factor{};        ///< [rows], positive and finite; empty: all are 1
  grid_symmetry symmetry = grid_symmetry::asymmetric;  ///< one for all
};

/// The grids of a layer, owned.
struct grid_set {
  matrix<float> scale;                    ///< [1 or rows, grid columns]
  matrix<float> zero;                     ///< the same shape
  std::vector<std::uint8_t> bits;         ///< [grid columns]
  std::vector<std::int32_t> column_grid;  ///< [columns]
  std::vector<float> row_factor{};        ///< [rows]; empty unless the layout is of rank one
  grid_symmetry symmetry = grid_symmetry::asymmetric;
  scale_format format = scale_format::float16;
  grid_layout layout = grid_layout::per_row_and_group;

  /// The grid that row r, column c is quantised with.
  affine_grid at(std::int64_t r, std::int64_t c) const {
    const auto g = static_cast<std::int64_t>(column_grid[static_cast<std::size_t>(c)]);
    const auto row = scale.rows() == 1 ? 0 : r;
    const float factor = row_factor.empty() ? 1.0F : row_factor[static_cast<std::size_t>(r)];
    return {factor * scale(row, g), zero(row, g), maximum_code(bits[static_cast<std::size_t>(g)], symmetry),
            symmetry == grid_symmetry::zero_free};
  }

  grid_set_view<> view() const { return {scale, zero, bits, column_grid, row_factor, symmetry}; }
  operator grid_set_view<>() const& { return view(); }
  operator grid_set_view<>() const&& = delete;  // the view would outlive what it sees
};

}  // namespace miq::quantization
