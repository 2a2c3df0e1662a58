// Sorts rows of keys with what belongs to them: the kernel body.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>

namespace miq::information::detail {

/// Sorts each row of keys ascending, its payload along; equal keys stay in their order. Merges runs of 1, 2, 4, ...: an
/// element goes to its place in its own run plus the number of elements of the other run before it. One row per block;
/// log2(n)^2 / 2 reads an element.
struct row_sort_body {
  static constexpr int lanes = 256;

  std::int64_t rows = 0;
  std::int64_t columns = 0;               // n
  std::uint64_t* keys = nullptr;          // [rows, n]
  std::int32_t* payload = nullptr;        // [rows, n]
  std::uint64_t* other_keys = nullptr;    // [rows, n], scratch
  std::int32_t* other_payload = nullptr;  // [rows, n], scratch
  const std::int32_t* wanted = nullptr;   // [rows] or null: rows whose number is 0 are left as they are

  std::int64_t blocks() const { return rows; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t row, std::byte*) const {
    if (wanted != nullptr && wanted[row] == 0) return;
    std::uint64_t* from = keys + row * columns;
    std::uint64_t* to = other_keys + row * columns;
    std::int32_t* from_payload = payload + row * columns;
    std::int32_t* to_payload = other_payload + row * columns;
    for (std::int64_t run = 1; run < columns; run *= 2) {
      for (std::int64_t i = group.rank(); i < columns; i += group.size()) {
        const auto pair = i / (2 * run) * (2 * run);  // both runs begin here
        const auto middle = pair + run < columns ? pair + run : columns;
        const auto end = pair + 2 * run < columns ? pair + 2 * run : columns;
        const auto key = from[i];
        const bool left = i < middle;
        auto low = left ? middle : pair;
        auto rest = left ? end - middle : middle - pair;
        while (rest > 0) {
          const auto half = rest / 2;
          const bool before = left ? from[low + half] < key : from[low + half] <= key;
          low = before ? low + half + 1 : low;
          rest = before ? rest - half - 1 : half;
        }
        const auto place = left ? i + (low - middle) : pair + (i - middle) + (low - pair);
        to[place] = key;
        to_payload[place] = from_payload[i];
      }
      group.sync();
      auto* const keys_before = from;
      from = to;
      to = keys_before;
      auto* const payload_before = from_payload;
      from_payload = to_payload;
      to_payload = payload_before;
    }
    if (from == keys + row * columns) return;
    for (std::int64_t i = group.rank(); i < columns; i += group.size()) {
      to[i] = from[i];
      to_payload[i] = from_payload[i];
    }
  }
};

}  // namespace miq::information::detail
