// Sums over the rows of every column, and what errors in columns cost: the kernel bodies.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/core/workspace.hpp>
#include <miq/quantization/detail/fit/body_tools.hpp>

namespace miq::allocation::detail {

/// What is summed: kept weights, their squares, their magnitudes.
inline constexpr int column_sum_kinds = 3;

/// Sums over tiles of rows, rows ascending.
template <class T>
struct column_sums_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile_rows = 256;
  static constexpr std::int64_t tile_columns = 256;

  quantization::detail::masked_weights<T> weights;
  double* sums = nullptr;           // [row tiles, column_sum_kinds, columns]
  std::int64_t* counter = nullptr;  // of weights that are not finite, masked ones too; 0 before

  static std::int64_t tiles(std::int64_t rows) { return quantization::detail::divided_up(rows, tile_rows); }
  std::int64_t blocks() const {
    return tiles(weights.rows) * quantization::detail::divided_up(weights.columns, tile_columns);
  }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto across = quantization::detail::divided_up(weights.columns, tile_columns);
    const auto tile = block / across;
    const auto first = block % across * tile_columns;
    const auto last = first + tile_columns < weights.columns ? first + tile_columns : weights.columns;
    const auto last_row = (tile + 1) * tile_rows < weights.rows ? (tile + 1) * tile_rows : weights.rows;
    for (auto c = first + group.rank(); c < last; c += group.size()) {
      double count = 0;
      double squares = 0;
      double magnitudes = 0;
      std::int64_t not_finite = 0;
      for (auto r = tile * tile_rows; r < last_row; ++r) {
        const auto one = weights.at(r, c);
        not_finite += one.finite ? 0 : 1;
        const auto w = static_cast<double>(one.value);
        count += one.counts ? 1 : 0;
        squares += w * w;
        magnitudes += std::fabs(w);
      }
      double* const own = sums + tile * column_sum_kinds * weights.columns + c;
      own[0] = count;
      own[weights.columns] = squares;
      own[2 * weights.columns] = magnitudes;
      if (not_finite != 0) add_atomically(counter, not_finite);
    }
  }
};

/// Adds the tiles' sums, tiles ascending. One sum of one column per lane.
struct join_sums_body {
  static constexpr int lanes = 256;

  const double* sums = nullptr;  // [row tiles, column_sum_kinds, columns]
  std::int64_t tiles = 0;
  std::int64_t columns = 0;
  double* kept = nullptr;        // [columns]
  double* squares = nullptr;     // [columns]
  double* magnitudes = nullptr;  // [columns] or null

  std::int64_t blocks() const { return quantization::detail::divided_up(columns * column_sum_kinds, lanes); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto count = columns * column_sum_kinds;
    const auto last = (block + 1) * lanes < count ? (block + 1) * lanes : count;
    for (auto i = block * lanes + group.rank(); i < last; i += group.size()) {
      double* const to = i < columns ? kept : (i < 2 * columns ? squares : magnitudes);
      if (to == nullptr) continue;
      double sum = 0;
      for (std::int64_t tile = 0; tile < tiles; ++tile) sum += sums[tile * count + i];
      to[i % columns] = sum;
    }
  }
};

/// The diagonal of a matrix, one element a lane.
struct diagonal_body {
  static constexpr int lanes = 256;

  const float* matrix = nullptr;  // [size, size]
  std::int64_t leading = 0;
  std::int64_t size = 0;
  double* diagonal = nullptr;  // [size]

  std::int64_t blocks() const { return quantization::detail::divided_up(size, lanes); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto last = (block + 1) * lanes < size ? (block + 1) * lanes : size;
    for (auto i = block * lanes + group.rank(); i < last; i += group.size())
      diagonal[i] = static_cast<double>(matrix[i * leading + i]);
  }
};

/// Scratch of the sums.
struct column_sums_layout {
  miq::detail::workspace_layout all;
  std::int64_t tiles;
  std::int64_t sums;

  column_sums_layout(std::int64_t rows, std::int64_t columns) : tiles(column_sums_body<float>::tiles(rows)) {
    sums = all.add<double>(tiles * column_sum_kinds * columns);
  }
};

/// Where sums go; `magnitudes` may be null.
struct column_sums_places {
  double* kept;
  double* squares;
  double* magnitudes;
  std::int64_t* counter;  // 0 before
};

/// The sums, in the order of a device. `Machine` runs bodies in order: `launch(name, body)`.
template <class T, class Machine>
void column_sums_on(const Machine& machine, const quantization::detail::masked_weights<T>& weights,
                    const column_sums_layout& layout, std::byte* base, const column_sums_places& out) {
  auto* const sums = reinterpret_cast<double*>(base + layout.sums);
  machine.launch("column_sums: tiles", column_sums_body<T>{weights, sums, out.counter});
  machine.launch("column_sums: columns",
                 join_sums_body{sums, layout.tiles, weights.columns, out.kept, out.squares, out.magnitudes});
}

}  // namespace miq::allocation::detail
