// Kept weights of every column: the kernel body.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>

namespace miq::detail {

/// A block takes 256 rows of 256 columns and adds what it counts to `counts`, which holds zeros before.
struct kept_counts_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile_rows = 256;
  static constexpr std::int64_t tile_columns = 256;

  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const std::uint8_t* kept = nullptr;  // [rows, columns]
  std::int64_t leading = 0;
  std::int64_t* counts = nullptr;  // [columns]

  std::int64_t blocks() const {
    return (rows + tile_rows - 1) / tile_rows * ((columns + tile_columns - 1) / tile_columns);
  }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto across = (columns + tile_columns - 1) / tile_columns;
    const auto first_row = block / across * tile_rows;
    const auto first_column = block % across * tile_columns;
    const auto end_row = first_row + tile_rows < rows ? first_row + tile_rows : rows;
    const auto end_column = first_column + tile_columns < columns ? first_column + tile_columns : columns;
    for (auto c = first_column + group.rank(); c < end_column; c += group.size()) {
      std::int64_t count = 0;
      for (auto r = first_row; r < end_row; ++r) count += kept[r * leading + c] != 0 ? 1 : 0;
      if (count != 0) add_atomically(&counts[c], count);
    }
  }
};

}  // namespace miq::detail
