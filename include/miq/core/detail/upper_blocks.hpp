// The upper triangle of a symmetric matrix as square blocks: how it is dealt out to threads, and how it is mirrored.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::calibration::detail {

/// Columns of a block, and of the tiles in which results are mirrored: 64 x 64 doubles fit every level-2 cache.
inline constexpr std::int64_t block_columns = 64;

constexpr std::int64_t blocks_of(std::int64_t columns) { return (columns + block_columns - 1) / block_columns; }
constexpr std::int64_t upper_blocks_of(std::int64_t blocks) { return blocks * (blocks + 1) / 2; }

/// Place of block (row, column), row <= column, when the blocks lie one block row behind the other.
constexpr std::int64_t upper_block_place(std::int64_t row, std::int64_t column, std::int64_t blocks) {
  return row * blocks - row * (row - 1) / 2 + column - row;
}

struct block_position {
  std::int64_t row = 0, column = 0;
};

/// The inverse of `upper_block_place`, in constant time except for rounding of the root.
inline block_position upper_block_at(std::int64_t place, std::int64_t blocks) {
  // Counted from the end, block rows have 1, 2, 3, ... blocks.
  const auto from_end = upper_blocks_of(blocks) - 1 - place;
  auto last = static_cast<std::int64_t>((std::sqrt(8.0 * static_cast<double>(from_end) + 1.0) - 1.0) / 2.0);
  while (upper_blocks_of(last) > from_end) --last;
  while (upper_blocks_of(last + 1) <= from_end) ++last;
  const auto row = blocks - 1 - last;
  return {row, row + place - upper_block_place(row, row, blocks)};
}

/// Writes a symmetric matrix whose diagonal is 0. `prepare(first, count, scales)` gives whatever belongs to the columns
/// of one block; then `fill(i, first, count, scales, values)` gives elements (i, first) to (i, first + count - 1), all
/// within that block and right of the diagonal, `scales` being those of column `first` and on. It may write values, and
/// read scales, up to the next multiple of 16. Each value is computed once and written to both places, in tiles, so
/// that the transposed write stays in cache.
template <class Prepare, class Fill>
void write_symmetric(const host_executor& exec, matrix_view<float> out, const Prepare& prepare, const Fill& fill) {
  const auto columns = out.columns();
  const auto blocks = blocks_of(columns);
  exec.parallel_for(upper_blocks_of(blocks), [&](std::int64_t place) {
    const auto [block_row, block_column] = upper_block_at(place, blocks);
    const auto row = block_row * block_columns, row_count = std::min(block_columns, columns - row);
    const auto column = block_column * block_columns, column_count = std::min(block_columns, columns - column);
    const bool diagonal = block_row == block_column;
    alignas(64) double scales[block_columns + 16] = {};
    alignas(64) float tile[block_columns][block_columns + 16];
    prepare(column, column_count, scales);
    for (std::int64_t i = 0; i < row_count; ++i) {
      const auto skip = diagonal ? i + 1 : 0;
      if (skip < column_count) fill(row + i, column + skip, column_count - skip, scales + skip, tile[i] + skip);
    }
    if (diagonal)
      for (std::int64_t i = 0; i < row_count; ++i) {
        tile[i][i] = 0.0F;
        for (std::int64_t j = 0; j < i; ++j) tile[i][j] = tile[j][i];
      }
    for (std::int64_t i = 0; i < row_count; ++i) std::copy_n(tile[i], column_count, &out(row + i, column));
    if (!diagonal)
      for (std::int64_t j = 0; j < column_count; ++j) {
        float* const to = &out(column + j, row);
        for (std::int64_t i = 0; i < row_count; ++i) to[i] = tile[i][j];
      }
  });
}

}  // namespace miq::calibration::detail
