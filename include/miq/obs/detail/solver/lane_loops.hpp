// Loops that the bodies of the solver share.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>

namespace miq::obs::detail {

/// Calls `f(row, column)` for every element of a [rows, columns] matrix, each on one lane: neighbouring lanes take
/// neighbouring columns, and what lanes are left over by a narrow matrix take further rows. Does not synchronise.
template <class Group, class Function>
MIQ_HOST_DEVICE void for_elements(const Group& group, std::int64_t rows, std::int64_t columns, const Function& f) {
  if (columns <= 0) return;
  const std::int32_t size = group.size();
  const std::int32_t across = columns < size ? static_cast<std::int32_t>(columns) : size;
  const std::int32_t down = size / across;
  const std::int32_t row = group.rank() / across;
  if (row >= down) return;
  for (std::int64_t r = row; r < rows; r += down)
    for (std::int64_t c = group.rank() % across; c < columns; c += across) f(r, c);
}

/// Rows of a block of a body that takes rows of `columns` elements in turn: enough that a block has some work, few
/// enough that there are blocks for every multiprocessor, and never more than about 2048 blocks.
MIQ_HOST_DEVICE constexpr std::int64_t rows_of_block(std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t elements = 4096;
  constexpr std::int64_t most_blocks = 2048;
  const std::int64_t few = columns >= elements ? 1 : elements / (columns < 1 ? 1 : columns);
  const std::int64_t many = (rows + most_blocks - 1) / most_blocks;
  return few > many ? few : many;
}
MIQ_HOST_DEVICE constexpr std::int64_t blocks_of_rows(std::int64_t rows, std::int64_t columns) {
  const auto each = rows_of_block(rows, columns);
  return (rows + each - 1) / each;
}

/// `to = from` for two matrices of any element types.
template <class From, class To>
struct convert_body {
  static constexpr int lanes = 256;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const From* from = nullptr;
  std::int64_t from_leading = 0;
  To* to = nullptr;
  std::int64_t to_leading = 0;

  std::int64_t blocks() const { return blocks_of_rows(rows, columns); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto each = rows_of_block(rows, columns);
    const auto first = block * each;
    const auto there = rows - first < each ? rows - first : each;
    for_elements(group, there, columns, [&](std::int64_t r, std::int64_t c) {
      to[(first + r) * to_leading + c] = static_cast<To>(static_cast<float>(from[(first + r) * from_leading + c]));
    });
  }
};

/// Writes the same byte into all of a matrix.
struct fill_bytes_body {
  static constexpr int lanes = 256;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::uint8_t value = 0;
  std::uint8_t* to = nullptr;
  std::int64_t to_leading = 0;

  std::int64_t blocks() const { return blocks_of_rows(rows, columns); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto each = rows_of_block(rows, columns);
    const auto first = block * each;
    const auto there = rows - first < each ? rows - first : each;
    for_elements(group, there, columns,
                 [&](std::int64_t r, std::int64_t c) { to[(first + r) * to_leading + c] = value; });
  }
};

/// Sets `count` integers to 0.
struct clear_body {
  static constexpr int lanes = 256;
  std::int64_t count = 0;
  std::int64_t* words = nullptr;

  static constexpr std::int64_t words_of_block = 16 * lanes;
  std::int64_t blocks() const { return (count + words_of_block - 1) / words_of_block; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto first = block * words_of_block;
    const auto last = count < first + words_of_block ? count : first + words_of_block;
    for (auto i = first + group.rank(); i < last; i += group.size()) words[i] = 0;
  }
};

/// Partial sums that a range is cut into: part p holds the terms p, p + sum_parts, ... in that order.
inline constexpr std::int32_t sum_parts = 256;

/// term(0) + ... + term(count - 1) in every lane, T being what `term` returns. `slots` is scratch for `sum_parts`
/// values of T; it may be used again after the call. Synchronises.
template <class T, class Group, class Term>
MIQ_HOST_DEVICE T sum_in_parts(const Group& group, std::int64_t count, T* slots, const Term& term) {
  for (std::int32_t part = group.rank(); part < sum_parts; part += group.size()) {
    T sum{};
    for (std::int64_t i = part; i < count; i += sum_parts) sum += term(i);
    slots[part] = sum;
  }
  group.sync();
  for (std::int32_t distance = sum_parts / 2; distance > 0; distance /= 2) {
    for (std::int32_t part = group.rank(); part < distance; part += group.size()) slots[part] += slots[part + distance];
    group.sync();
  }
  const T total = slots[0];
  group.sync();
  return total;
}

}  // namespace miq::obs::detail
