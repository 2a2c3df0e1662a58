// The inner loop of the sweep: one tile of rows through one block of columns, rows in vector lanes.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include <miq/core/version.hpp>

namespace miq::obs::detail {

inline namespace MIQ_INSTRUCTION_SET {

/// Rows of one vector, and of one tile: two vectors, so that one step's divisions hide behind the other's.
inline constexpr std::int64_t lane_count = 16;
inline constexpr std::int64_t tile_vectors = 2;
inline constexpr std::int64_t tile_rows = lane_count * tile_vectors;
/// Columns whose weights stay in registers while they are settled.
inline constexpr std::int64_t register_columns = 8;

using float_lanes = float __attribute__((vector_size(sizeof(float) * 16)));
using integer_lanes = std::int32_t __attribute__((vector_size(sizeof(std::int32_t) * 16)));

/// One block of columns of the sweep. Arrays of rows are column by column: element (r, c) at `[c * stride + r]`.
struct sweep_block {
  std::int64_t stride = 0;             ///< rows, padded to whole tiles
  std::int64_t width = 0;              ///< columns of the block
  float* work = nullptr;               ///< [width, stride] weights, updated so far; becomes the settled weights
  float* errors = nullptr;             ///< [width, stride] receives (w - q) / U_jj
  const std::int32_t* keys = nullptr;  ///< [width, stride], a weight is masked if its key is at most `limit`
  std::int32_t limit = -1;
  const float* upper = nullptr;  ///< the block's corner of U
  std::int64_t upper_stride = 0;
  const std::int32_t* column_grid = nullptr;  ///< [width]
  const float* scale = nullptr;               ///< [grid columns, grid_stride]
  const float* zero = nullptr;
  std::int64_t grid_stride = 0;         ///< `stride` where every row has its own grids, 0 where all rows share them
  const float* highest_code = nullptr;  ///< [grid columns]
  double* loss = nullptr;               ///< [stride], added to
};

/// What a tile leaves behind for its caller to write out: row by row.
struct tile_output {
  std::uint8_t codes[1024 * tile_rows];
  std::int64_t clamped = 0;
};

/// Takes rows `first` to `first + tile_rows` through the block. Grids are used if `Quantise`.
template <bool Quantise>
inline void sweep_tile(const sweep_block& block, std::int64_t first, tile_output& out) {
  // Adding and subtracting 1.5 * 2^23 rounds half to even where |x| is below 2^22.
  constexpr float rounder = 0x1.8p23F;
  integer_lanes clamped[tile_vectors] = {};
  for (std::int64_t begin = 0; begin < block.width; begin += register_columns) {
    const auto columns = std::min(register_columns, block.width - begin);
    float_lanes w[register_columns][tile_vectors] = {};
    float_lanes squares[tile_vectors] = {};
    for (std::int64_t j = 0; j < columns; ++j)
      for (std::int64_t v = 0; v < tile_vectors; ++v)
        w[j][v] =
            *reinterpret_cast<const float_lanes*>(block.work + (begin + j) * block.stride + first + v * lane_count);

        // Settles a column, and makes its error up in those behind it that are in registers. w[j] becomes the error.
#pragma GCC unroll 8
    for (std::int64_t j = 0; j < register_columns; ++j) {
      if (j >= columns) break;
      const auto column = begin + j;
      const float* u = block.upper + column * block.upper_stride + begin;
      const float inverse_diagonal = 1.0F / u[j];
      for (std::int64_t v = 0; v < tile_vectors; ++v) {
        const auto row = first + v * lane_count;
        const auto masked =
            *reinterpret_cast<const integer_lanes*>(block.keys + column * block.stride + row) <= block.limit;
        float_lanes settled = w[j][v];
        if constexpr (Quantise) {
          const auto grid = block.column_grid[column];
          float_lanes scale;
          float_lanes zero;
          if (block.grid_stride != 0) {
            scale = *reinterpret_cast<const float_lanes*>(block.scale + grid * block.grid_stride + row);
            zero = *reinterpret_cast<const float_lanes*>(block.zero + grid * block.grid_stride + row);
          } else {
            scale = float_lanes{} + block.scale[grid];
            zero = float_lanes{} + block.zero[grid];
          }
          const float highest = block.highest_code[grid];
          // Zero is an integer, or 1/2 (symmetric, 1 bit), whose fraction goes in before rounding.
          const float_lanes whole = (zero - 0.25F + rounder) - rounder;
          float_lanes position = settled / scale + (zero - whole);
          position = position > 4096.0F ? float_lanes{} + 4096.0F : position;
          position = position < -4096.0F ? float_lanes{} - 4096.0F : position;
          const float_lanes wanted = ((position + rounder) - rounder) + whole;
          float_lanes code = wanted > highest ? float_lanes{} + highest : wanted;
          code = code < 0.0F ? float_lanes{} : code;
          clamped[v] += (code != wanted) & ~masked & 1;
          settled = scale * (code - zero);
          code = masked ? float_lanes{} : code;
          const auto codes = __builtin_convertvector(code, integer_lanes);
          for (std::int64_t lane = 0; lane < lane_count; ++lane)
            out.codes[column * tile_rows + v * lane_count + lane] = static_cast<std::uint8_t>(codes[lane]);
        }
        settled = masked ? float_lanes{} : settled;
        const float_lanes error = (w[j][v] - settled) * inverse_diagonal;
        *reinterpret_cast<float_lanes*>(block.work + column * block.stride + row) = settled;
        *reinterpret_cast<float_lanes*>(block.errors + column * block.stride + row) = error;
        squares[v] += error * error;
        for (std::int64_t k = j + 1; k < register_columns; ++k)
          if (k < columns) w[k][v] -= error * u[k];
        w[j][v] = error;
      }
    }
    for (std::int64_t v = 0; v < tile_vectors; ++v)
      for (std::int64_t lane = 0; lane < lane_count; ++lane)
        block.loss[first + v * lane_count + lane] += 0.5 * static_cast<double>(squares[v][lane]);

    // The rest of the block.
    const float* u = block.upper + begin * block.upper_stride;
    if (columns == register_columns) {
      for (auto k = begin + register_columns; k < block.width; ++k) {
        auto* target = reinterpret_cast<float_lanes*>(block.work + k * block.stride + first);
        float_lanes sum[tile_vectors];
        for (std::int64_t v = 0; v < tile_vectors; ++v) sum[v] = target[v];
#pragma GCC unroll 8
        for (std::int64_t j = 0; j < register_columns; ++j)
          for (std::int64_t v = 0; v < tile_vectors; ++v) sum[v] -= w[j][v] * u[j * block.upper_stride + k];
        for (std::int64_t v = 0; v < tile_vectors; ++v) target[v] = sum[v];
      }
    }
  }
  for (std::int64_t v = 0; v < tile_vectors; ++v)
    for (std::int64_t lane = 0; lane < lane_count; ++lane) out.clamped += clamped[v][lane];
}

}  // namespace MIQ_INSTRUCTION_SET

}  // namespace miq::obs::detail
