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

/// Writes a symmetric matrix: `fill(i, first, count, values)` gives elements (i, first) to (i, first + count - 1), all
/// within one block and right of the diagonal, `diagonal(i)` those on it. Each value is computed once and written to
/// both places, in tiles, so that the transposed write stays in cache. `fill` may write up to 64 values beyond `count`.
template <class Fill, class Diagonal>
void write_symmetric(const host_executor& exec, matrix_view<float> out, const Fill& fill, const Diagonal& diagonal) {
  const auto columns = out.columns();
  const auto blocks = blocks_of(columns);
  exec.parallel_for(upper_blocks_of(blocks), [&](std::int64_t place) {
    const auto [block_row, block_column] = upper_block_at(place, blocks);
    const auto row_begin = block_row * block_columns, row_count = std::min(block_columns, columns - row_begin);
    const auto column_begin = block_column * block_columns;
    const auto column_count = std::min(block_columns, columns - column_begin);
    alignas(64) float tile[block_columns + 1][block_columns];
    if (block_row != block_column) {
      for (std::int64_t i = 0; i < row_count; ++i) {
        fill(row_begin + i, column_begin, column_count, tile[i]);
        std::copy_n(tile[i], column_count, &out(row_begin + i, column_begin));
      }
      for (std::int64_t j = 0; j < column_count; ++j) {
        float* const to = &out(column_begin + j, row_begin);
        for (std::int64_t i = 0; i < row_count; ++i) to[i] = tile[i][j];
      }
    } else {
      for (std::int64_t i = 0; i < row_count; ++i) {
        if (i + 1 < row_count) fill(row_begin + i, row_begin + i + 1, row_count - i - 1, tile[i]);
        out(row_begin + i, row_begin + i) = diagonal(row_begin + i);
        for (std::int64_t j = i + 1; j < row_count; ++j)
          out(row_begin + i, row_begin + j) = out(row_begin + j, row_begin + i) = tile[i][j - i - 1];
      }
    }
  });
}

}  // namespace miq::calibration::detail
