// Codes of whole matrices, and back: the kernel bodies.
#pragma once

#include <miq/core/matrix_view.hpp>
#include <miq/quantization/detail/fit/body_tools.hpp>
#include <miq/quantization/grid_set.hpp>

namespace miq::quantization::detail {

/// The grids of a layer as kernels read them.
struct grid_pointers {
  const float* scale = nullptr;  // [1 or rows, grid columns]
  std::int64_t scale_leading = 0;
  const float* zero = nullptr;
  std::int64_t zero_leading = 0;
  bool own_rows = false;
  const std::uint8_t* bits = nullptr;         // [grid columns]
  const std::int32_t* column_grid = nullptr;  // [columns]
  const float* row_factor = nullptr;          // [rows] or null
  grid_symmetry symmetry = grid_symmetry::asymmetric;

  grid_pointers() = default;
  template <class Space>
  explicit grid_pointers(const grid_set_view<Space>& grids)
      : scale(grids.scale.data()),
        scale_leading(grids.scale.leading()),
        zero(grids.zero.data()),
        zero_leading(grids.zero.leading()),
        own_rows(grids.scale.rows() != 1),
        bits(grids.bits.data()),
        column_grid(grids.column_grid.data()),
        row_factor(grids.row_factor.data()),
        symmetry(grids.symmetry) {}

  /// As `grid_set::at`.
  MIQ_HOST_DEVICE affine_grid at(std::int64_t r, std::int64_t c) const {
    const std::int64_t g = column_grid[c];
    const std::int64_t row = own_rows ? r : 0;
    const float factor = row_factor == nullptr ? 1.0F : row_factor[r];
    affine_grid grid;
    grid.scale = factor * scale[row * scale_leading + g];
    grid.zero = zero[row * zero_leading + g];
    grid.maximum_code = maximum_code(static_cast<int>(bits[g]), symmetry);
    grid.zero_free = symmetry == grid_symmetry::zero_free;
    return grid;
  }
};

/// Tiles of a matrix that elementwise bodies go by: a lane has a column.
struct matrix_tile {
  static constexpr std::int64_t rows = 16;
  static constexpr std::int64_t columns = 256;
  std::int64_t first_row, last_row, first, last;

  static std::int64_t count(std::int64_t row_count, std::int64_t column_count) {
    return divided_up(row_count, rows) * divided_up(column_count, columns);
  }
  MIQ_HOST_DEVICE matrix_tile(std::int64_t block, std::int64_t row_count, std::int64_t column_count) {
    const auto across = divided_up(column_count, columns);
    first_row = block / across * rows;
    last_row = first_row + rows < row_count ? first_row + rows : row_count;
    first = block % across * columns;
    last = first + columns < column_count ? first + columns : column_count;
  }
};

/// Codes of weights: 0 where masked. An infinite weight gets the outermost code of its sign, NaN the code of 0.
template <class T>
struct quantise_body {
  static constexpr int lanes = 256;

  masked_weights<T> weights;
  grid_pointers grids;
  std::uint8_t* codes = nullptr;  // [rows, columns]
  std::int64_t codes_leading = 0;
  std::int64_t* counter = nullptr;  // of kept weights that are not finite

  std::int64_t blocks() const { return matrix_tile::count(weights.rows, weights.columns); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const matrix_tile tile(block, weights.rows, weights.columns);
    for (auto c = tile.first + group.rank(); c < tile.last; c += group.size()) {
      std::int64_t not_finite = 0;
      for (auto r = tile.first_row; r < tile.last_row; ++r) {
        std::int32_t code = 0;
        if (weights.kept == nullptr || weights.kept[r * weights.kept_leading + c] != 0) {
          const auto value = static_cast<float>(weights.weights[r * weights.leading + c]);
          not_finite += is_finite(value) ? 0 : 1;
          code = quantise(value == value ? value : 0.0F, grids.at(r, c));
        }
        codes[r * codes_leading + c] = static_cast<std::uint8_t>(code);
      }
      if (not_finite != 0) add_atomically(counter, not_finite);
    }
  }
};

/// What codes stand for: 0 where masked.
template <class T>
struct dequantise_body {
  static constexpr int lanes = 256;

  const std::uint8_t* codes = nullptr;  // [rows, columns]
  std::int64_t codes_leading = 0;
  const std::uint8_t* kept = nullptr;  // [rows, columns] or null: all
  std::int64_t kept_leading = 0;
  grid_pointers grids;
  T* weights = nullptr;  // [rows, columns]
  std::int64_t leading = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  std::int64_t blocks() const { return matrix_tile::count(rows, columns); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const matrix_tile tile(block, rows, columns);
    for (auto c = tile.first + group.rank(); c < tile.last; c += group.size())
      for (auto r = tile.first_row; r < tile.last_row; ++r) {
        const bool keeps = kept == nullptr || kept[r * kept_leading + c] != 0;
        weights[r * leading + c] =
            static_cast<T>(keeps ? dequantise(codes[r * codes_leading + c], grids.at(r, c)) : 0.0F);
      }
  }
};

}  // namespace miq::quantization::detail
