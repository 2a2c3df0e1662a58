// The inner loops of the sweep: a tile of rows through one block of columns, rows in vector lanes.
//
// Everything that the sweep keeps is laid out tile by tile: [tile][column][row of the tile], so that a tile's part of a
// block is contiguous, stays in the first cache, and is at the same time the packed operand of the update.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <miq/core/detail/unroll.hpp>
#include <miq/core/detail/vector_transpose.hpp>
#include <miq/obs/detail/selection/key.hpp>
#include <miq/obs/detail/sweep/checks.hpp>
#include <miq/quantization/detail/affine_grid/rounding.hpp>

namespace miq::obs::detail {

inline namespace MIQ_INSTRUCTION_SET {

using miq::detail::byte_lanes;
using miq::detail::float_lanes;
using miq::detail::int_lanes;
using miq::detail::lanes;
using miq::detail::load;
using miq::detail::sixteen_bytes;
using miq::detail::store;
using miq::detail::strip_vectors;
using miq::detail::transpose_copy;
using quantization::detail::grid_kind;

/// The vectors of one strip of rows in one column.
using float_strip = float_lanes[static_cast<std::size_t>(strip_vectors)];
using integer_strip = int_lanes[static_cast<std::size_t>(strip_vectors)];

/// Rows of a tile, on every machine.
inline constexpr std::int64_t tile_rows = 64;
/// Rows of a tile that are in registers together.
inline constexpr std::int64_t strip_rows = strip_vectors * lanes;
static_assert(tile_rows % strip_rows == 0);
/// Columns whose weights stay in registers while they are settled.
inline constexpr int register_columns = 4;
/// Columns of U that are packed side by side for the update; a block's last ones may be packed by 4.
inline constexpr int wide_panel = 6;
inline constexpr int narrow_panel = 4;

/// How the columns of a block are cut into panels: `wide` of 6, then `narrow` of 4, together `padded()` columns.
struct panel_cut {
  std::int64_t wide = 0;
  std::int64_t narrow = 0;

  constexpr explicit panel_cut(std::int64_t width) {
    const auto fours = (width + 3) / 4 * 4;
    while ((fours - 4 * narrow) % wide_panel != 0) ++narrow;  // at most 2
    wide = (fours - 4 * narrow) / wide_panel;
  }
  constexpr std::int64_t padded() const { return wide_panel * wide + narrow_panel * narrow; }
};

/// Packs rows `first` to `last` of U's columns of a block: panel by panel, row by row, zeros where a panel is wider
/// than what is left.
inline void pack_panels(const float* upper, std::int64_t upper_stride, std::int64_t width, std::int64_t first,
                        std::int64_t last, float* packed) {
  const panel_cut cut(width);
  for (std::int64_t panel = 0; panel < cut.wide + cut.narrow; ++panel) {
    const std::int64_t columns = panel < cut.wide ? wide_panel : narrow_panel;
    const auto column =
        panel < cut.wide ? panel * wide_panel : cut.wide * wide_panel + (panel - cut.wide) * narrow_panel;
    const auto there = std::clamp<std::int64_t>(width - column, 0, columns);
    for (auto k = first; k < last; ++k) {
      for (std::int64_t j = 0; j < there; ++j) packed[j] = upper[k * upper_stride + column + j];
      for (auto j = there; j < columns; ++j) packed[j] = 0;
      packed += columns;
    }
  }
}

/// target[Columns][tile_rows] -= errors[depth][tile_rows] * panel[depth][Columns], one strip of rows.
template <int Columns>
inline void update_strip(const float* errors, const float* panel, std::int64_t depth, float* target) {
  float_strip sum[static_cast<std::size_t>(Columns)];
  for (int j = 0; j < Columns; ++j)
    for (int v = 0; v < strip_vectors; ++v) sum[j][v] = load<float_lanes>(target + j * tile_rows + v * lanes);
  for (std::int64_t k = 0; k < depth; ++k) {
    float_strip e;
    for (int v = 0; v < strip_vectors; ++v) e[v] = load<float_lanes>(errors + k * tile_rows + v * lanes);
    for (int j = 0; j < Columns; ++j)
      for (int v = 0; v < strip_vectors; ++v) sum[j][v] -= e[v] * panel[k * Columns + j];
  }
  for (int j = 0; j < Columns; ++j)
    for (int v = 0; v < strip_vectors; ++v) store(target + j * tile_rows + v * lanes, sum[j][v]);
}

/// work -= errors * U for `depth` columns of errors and one tile: `packed` is what `pack_panels` made of those rows.
inline void update_tile(const float* errors, const float* packed, std::int64_t depth, std::int64_t width, float* work) {
  const panel_cut cut(width);
  for (std::int64_t panel = 0; panel < cut.wide; ++panel) {
    for (std::int64_t r = 0; r < tile_rows; r += strip_rows)
      update_strip<wide_panel>(errors + r, packed, depth, work + r);
    packed += wide_panel * depth;
    work += wide_panel * tile_rows;
  }
  for (std::int64_t panel = 0; panel < cut.narrow; ++panel) {
    for (std::int64_t r = 0; r < tile_rows; r += strip_rows)
      update_strip<narrow_panel>(errors + r, packed, depth, work + r);
    packed += narrow_panel * depth;
    work += narrow_panel * tile_rows;
  }
}

/// One block of columns of one tile of rows.
struct sweep_tile {
  std::int64_t width = 0;              ///< columns of the block
  float* work = nullptr;               ///< [width][tile_rows] weights, updated so far; becomes the settled weights
  float* errors = nullptr;             ///< [width][tile_rows] receives (w - q) / U_jj
  const std::int32_t* keys = nullptr;  ///< [width][tile_rows], a weight is masked if its key is at most `limit`
  std::int32_t limit = -1;
  const float* corner = nullptr;              ///< [width, width], the block's corner of U
  const std::int32_t* column_grid = nullptr;  ///< [width]
  const float* scale = nullptr;               ///< [grid columns, grid_stride] from this tile's first row on
  const float* zero = nullptr;
  std::int64_t grid_stride = 0;            ///< distance of two grid columns; 0 where all rows share them
  const float* row_factor = nullptr;       ///< [tile_rows], of the scales; null: 1
  const float* highest_code = nullptr;     ///< [grid columns]; without zero: the outermost level of a half
  std::int32_t* pattern_keys = nullptr;    ///< `keys` where an N:M mask is chosen on the way, else null
  std::int64_t pattern_kept = 0;           ///< N
  std::int64_t pattern_width = 0;          ///< M
  const float* column_saliency = nullptr;  ///< [width], see `saliency_keys`; N:M masks only
  double* loss = nullptr;                  ///< [tile_rows], added to
  std::uint8_t* codes = nullptr;           ///< [width][tile_rows]
  std::uint8_t* kept = nullptr;            ///< [width][tile_rows]
};

struct sweep_counts {
  std::int64_t masked = 0;
  std::int64_t clamped = 0;
};

/// The largest key: never masked.
inline constexpr std::int32_t kept_key = 0x7FFFFFFF;
/// Below every limit: always masked.
inline constexpr std::int32_t padding_key = -0x7FFFFFFF - 1;

/// `saliency_key` of a vector of weights. Apart from that, since nvcc refuses vectors in what is for the device, too.
inline int_lanes saliency_keys_of(float_lanes weight, float unit) {
  const float_lanes root = weight * unit;
  const float_lanes saliency = root * root;
  const int_lanes key = load<int_lanes>(&saliency) & 0x7FFFFFFF;
  return key < 0x7F800000 ? key : int_lanes{} + 0x7F800000;
}

/// The keys of a tile.
inline void saliency_keys(const float* work, const float* column_saliency, std::int64_t width, std::int32_t* keys) {
  for (std::int64_t c = 0; c < width; ++c)
    for (std::int64_t r = 0; r < tile_rows; r += lanes)
      store(keys + c * tile_rows + r,
            saliency_keys_of(load<float_lanes>(work + c * tile_rows + r), column_saliency[c]));
}

/// Settles `Columns` columns from `begin` on for one strip of rows, and makes their errors up in the rest of the block.
template <grid_kind Kind, int Columns>
inline void settle_columns(const sweep_tile& tile, std::int64_t begin, std::int64_t strip, integer_strip& masked_count,
                           integer_strip& clamped_count) {
  float_strip w[static_cast<std::size_t>(Columns)];
  float_strip squares = {};
  for (int j = 0; j < Columns; ++j)
    for (int v = 0; v < strip_vectors; ++v)
      w[j][v] = load<float_lanes>(tile.work + (begin + j) * tile_rows + strip + v * lanes);

  MIQ_UNROLL_VECTORS
  for (int j = 0; j < Columns; ++j) {
    const auto column = begin + j;
    const float* u = tile.corner + column * tile.width + begin;
    const float inverse_diagonal = 1.0F / u[j];
    const auto at = column * tile_rows + strip;
    const float* scales = nullptr;
    const float* zeros = nullptr;
    float highest = 0;
    if constexpr (Kind != grid_kind::none) {
      const auto grid = tile.column_grid[column];
      scales = tile.scale + grid * std::max<std::int64_t>(tile.grid_stride, 1);
      zeros = tile.zero + grid * std::max<std::int64_t>(tile.grid_stride, 1);
      highest = tile.highest_code[grid];
    }
    MIQ_UNROLL_VECTORS
    for (int v = 0; v < strip_vectors; ++v) {
      const auto offset = v * lanes;
      const int_lanes masked = load<int_lanes>(tile.keys + at + offset) <= tile.limit;
      float_lanes settled = w[j][v];
      if constexpr (Kind != grid_kind::none) {
        float_lanes scale;
        float_lanes zero;
        if (tile.grid_stride != 0) {
          scale = load<float_lanes>(scales + strip + offset);
          zero = load<float_lanes>(zeros + strip + offset);
        } else {
          scale = float_lanes{} + scales[0];
          zero = float_lanes{} + zeros[0];
        }
        if (tile.row_factor != nullptr) scale *= load<float_lanes>(tile.row_factor + strip + offset);
        namespace rule = quantization::detail::vectors;
        const auto level =
            rule::nearest_level<Kind>(settled, rule::steps_of<Kind>(scale, zero, float_lanes{} + highest));
        clamped_count[v] -= level.clamped & ~masked;
        settled = level.value;
        const int_lanes stored = masked ? int_lanes{} : __builtin_convertvector(level.code, int_lanes);
        store(tile.codes + at + offset, __builtin_convertvector(stored, byte_lanes));
      }
      settled = masked ? float_lanes{} : settled;
      store(tile.kept + at + offset, __builtin_convertvector(masked + 1, byte_lanes));
      masked_count[v] -= masked;
      const float_lanes error = (w[j][v] - settled) * inverse_diagonal;
      store(tile.work + at + offset, settled);
      store(tile.errors + at + offset, error);
      squares[v] += error * error;
      for (int k = j + 1; k < Columns; ++k) w[k][v] -= error * u[k];
      w[j][v] = error;
    }
  }
  for (int v = 0; v < strip_vectors; ++v)
    for (int lane = 0; lane < lanes; ++lane)
      tile.loss[strip + v * lanes + lane] += 0.5 * static_cast<double>(squares[v][lane]);

  const float* u = tile.corner + begin * tile.width;
  for (auto k = begin + Columns; k < tile.width; ++k) {
    float* target = tile.work + k * tile_rows + strip;
    float_strip sum;
    for (int v = 0; v < strip_vectors; ++v) sum[v] = load<float_lanes>(target + v * lanes);
    for (int j = 0; j < Columns; ++j)
      for (int v = 0; v < strip_vectors; ++v) sum[v] -= w[j][v] * u[j * tile.width + k];
    for (int v = 0; v < strip_vectors; ++v) store(target + v * lanes, sum[v]);
  }
}

/// Chooses the mask of one group of an N:M pattern from `column` on, for one strip of rows: of its columns the
/// `pattern_kept` most salient stay, by the weights as they are now; ties by column.
inline void choose_pattern(const sweep_tile& tile, std::int64_t column, std::int64_t strip) {
  const auto width = std::min(tile.pattern_width, tile.width - column);
  const auto masked = static_cast<std::int32_t>(std::max<std::int64_t>(width - tile.pattern_kept, 0));
  for (std::int64_t row = strip; row < strip + strip_rows; row += lanes) {
    int_lanes keys[largest_pattern];
    for (std::int64_t c = 0; c < width; ++c)
      keys[c] = saliency_keys_of(load<float_lanes>(tile.work + (column + c) * tile_rows + row),
                                 tile.column_saliency[column + c]);
    for (std::int64_t c = 0; c < width; ++c) {
      int_lanes before = {};  // how many go first
      for (std::int64_t other = 0; other < width; ++other)
        before -= other < c ? keys[other] <= keys[c] : keys[other] < keys[c];
      std::int32_t* const to = tile.pattern_keys + (column + c) * tile_rows + row;
      const int_lanes padding = load<int_lanes>(to) == padding_key;
      store(to, (padding | (before < masked)) ? int_lanes{} + padding_key : int_lanes{} + kept_key);
    }
  }
}

/// Takes a tile through its block.
template <grid_kind Kind>
inline sweep_counts settle_tile(const sweep_tile& tile) {
  sweep_counts counts;
  const bool by_registers = tile.pattern_keys == nullptr || tile.pattern_width % register_columns == 0;
  for (std::int64_t strip = 0; strip < tile_rows; strip += strip_rows) {
    integer_strip masked = {};
    integer_strip clamped = {};
    for (std::int64_t column = 0; column < tile.width;) {
      if (tile.pattern_keys != nullptr && column % tile.pattern_width == 0) choose_pattern(tile, column, strip);
      if (by_registers && column + register_columns <= tile.width) {
        settle_columns<Kind, register_columns>(tile, column, strip, masked, clamped);
        column += register_columns;
      } else {
        settle_columns<Kind, 1>(tile, column, strip, masked, clamped);
        ++column;
      }
    }
    for (int v = 0; v < strip_vectors; ++v)
      for (int lane = 0; lane < lanes; ++lane) {
        counts.masked += masked[v][lane];
        counts.clamped += clamped[v][lane];
      }
  }
  return counts;
}

/// In every row of a tile the `count` smallest keys become 0 and the others `kept_key`; ties by column. Finds the
/// count-th smallest of all rows at once, bit by bit.
inline void keep_largest_of_rows(std::int32_t* keys, std::int64_t width, std::int64_t count) {
  for (std::int64_t r = 0; r < tile_rows; r += lanes) {
    std::int32_t* column = keys + r;
    int_lanes found = {};
    for (int bit = 30; bit >= 0 && count > 0; --bit) {
      const int_lanes tried = found | (std::int32_t{1} << bit);
      int_lanes below = {};
      for (std::int64_t c = 0; c < width; ++c) below -= load<int_lanes>(column + c * tile_rows) < tried;
      found = below < static_cast<std::int32_t>(count) ? tried : found;
    }
    int_lanes left = int_lanes{} + static_cast<std::int32_t>(count);  // ties that may be masked
    for (std::int64_t c = 0; c < width; ++c) left += load<int_lanes>(column + c * tile_rows) < found;
    for (std::int64_t c = 0; c < width; ++c) {
      const int_lanes key = load<int_lanes>(column + c * tile_rows);
      const int_lanes tie = (key == found) & (left > 0);
      left += tie;
      store(column + c * tile_rows, (key < found) | tie ? int_lanes{} : int_lanes{} + kept_key);
    }
  }
}

}  // namespace MIQ_INSTRUCTION_SET

}  // namespace miq::obs::detail
