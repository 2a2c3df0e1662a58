// Takes matrices into the order in which the sweep sees their columns, and back: the kernel bodies.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>

namespace miq::detail {

/// to(r, c) = from(r, order[c]), or with `scatter` to(r, order[c]) = from(r, c); a block takes 32 rows of 256 columns.
/// Elements may be converted on the way. Columns of `from` where `dead` is 1 give 0.
template <class From, class To>
struct column_order_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile_rows = 32;
  static constexpr std::int64_t tile_columns = 256;

  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const From* from = nullptr;
  std::int64_t from_leading = 0;
  To* to = nullptr;
  std::int64_t to_leading = 0;
  const std::int64_t* order = nullptr;  // [columns] or null: as they are
  const std::uint8_t* dead = nullptr;   // [columns of from] or null: none
  bool scatter = false;

  std::int64_t row_tiles() const { return (rows + tile_rows - 1) / tile_rows; }
  std::int64_t blocks() const { return row_tiles() * ((columns + tile_columns - 1) / tile_columns); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto across = (columns + tile_columns - 1) / tile_columns;
    const auto first_row = block / across * tile_rows;
    const auto first_column = block % across * tile_columns;
    const auto end_row = first_row + tile_rows < rows ? first_row + tile_rows : rows;
    const auto end_column = first_column + tile_columns < columns ? first_column + tile_columns : columns;
    for (auto c = first_column + group.rank(); c < end_column; c += group.size()) {
      const auto other = order != nullptr ? order[c] : c;
      const auto source = scatter ? c : other;
      const auto target = scatter ? other : c;
      const bool zero = dead != nullptr && dead[source] != 0;
      for (auto r = first_row; r < end_row; ++r)
        to[r * to_leading + target] = zero ? static_cast<To>(0.0F) : static_cast<To>(from[r * from_leading + source]);
    }
  }
};

/// to(r, c) = from(order[r], order[c]) for a square matrix; a block takes a row.
struct square_order_body {
  static constexpr int lanes = 256;

  std::int64_t size = 0;
  const float* from = nullptr;
  std::int64_t from_leading = 0;
  float* to = nullptr;
  std::int64_t to_leading = 0;
  const std::int64_t* order = nullptr;  // [size]

  std::int64_t blocks() const { return size; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const float* const row = from + order[block] * from_leading;
    for (std::int64_t c = group.rank(); c < size; c += group.size()) to[block * to_leading + c] = row[order[c]];
  }
};

}  // namespace miq::detail
