// The block eigensolver's kernel bodies; its products are the machine's.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>
#include <miq/core/random.hpp>

namespace miq::grouping::detail {

/// Sums of products over all rows, from those of tiles of rows, in double precision and in the order of the tiles.
struct sum_tiles_body {
  static constexpr int lanes = 256;

  const float* partial = nullptr;  // [tiles, size]
  std::int64_t tiles = 0;
  std::int64_t size = 0;
  double* sums = nullptr;  // [size]

  std::int64_t blocks() const { return (size + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (std::int64_t k = block * lanes + group.rank(); k < (block + 1) * lanes && k < size; k += group.size()) {
      double sum = 0;
      for (std::int64_t t = 0; t < tiles; ++t) sum += static_cast<double>(partial[t * size + k]);
      sums[k] = sum;
    }
  }
};

/// Columns [0, columns) of `to` become those of `from`.
struct copy_columns_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t share = 2048;  // elements of a block

  const float* from = nullptr;
  std::int64_t from_leading = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  float* to = nullptr;
  std::int64_t to_leading = 0;

  std::int64_t blocks() const { return (rows * columns + share - 1) / share; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto size = rows * columns;
    for (std::int64_t k = block * share + group.rank(); k < (block + 1) * share && k < size; k += group.size())
      to[k / columns * to_leading + k % columns] = from[k / columns * from_leading + k % columns];
  }
};

/// Normal numbers of a stream, column by column, times `size`.
struct random_columns_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t share = 1024;  // elements of a block

  random_stream random{0};  // where the first element's number is drawn; each takes two outputs
  double size = 1;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  float* to = nullptr;
  std::int64_t leading = 0;

  std::int64_t blocks() const { return (rows * columns + share - 1) / share; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto all = rows * columns;
    for (std::int64_t k = block * share + group.rank(); k < (block + 1) * share && k < all; k += group.size()) {
      random_stream own = random;
      own.skip(2 * static_cast<std::uint64_t>(k));
      to[k % rows * leading + k / rows] = static_cast<float>(size * own.normal());
    }
  }
};

}  // namespace miq::grouping::detail
