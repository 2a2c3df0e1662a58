// Finds the k smallest of many non-negative keys: an exact count, by histograms of their digits.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include <miq/core/executor.hpp>

namespace miq::obs::detail {

/// Keys of one block of columns: the bits of a saliency as an integer, so that order is kept. Key (r, c) lies at
/// `keys[c * stride + r]`.
struct saliency_keys {
  std::int32_t* keys;
  std::int64_t stride;
  std::int64_t rows;
  std::int64_t columns;
};

inline constexpr std::int64_t columns_per_select_task = 8;
inline constexpr std::int64_t rows_per_select_task = 256;
inline constexpr std::int64_t select_bins = 2048;

constexpr std::int64_t select_tasks(std::int64_t columns) {
  return (columns + columns_per_select_task - 1) / columns_per_select_task;
}

/// Integers of scratch that `smallest_keys` needs.
constexpr std::int64_t select_scratch(std::int64_t rows, std::int64_t columns) {
  return std::max(select_tasks(columns) * select_bins, (rows + rows_per_select_task - 1) / rows_per_select_task);
}

/// Returns a limit such that exactly `count` keys are at most the limit. Where several keys tie at it and not all are
/// wanted, the first by row, then column, keep their key, and the others are raised above the limit.
///
/// Each digit takes one pass over the keys: 11, 11 and 9 bits of the 31 that a non-negative key has.
/// `first_digit(task)` may be used to fill keys while they are counted: it is called before the first pass reads the
/// task's columns.
template <class FillTask>
std::int32_t smallest_keys(const host_executor& exec, const saliency_keys& all, std::int64_t count,
                           std::int32_t* scratch, FillTask&& fill_task) {
  const auto tasks = select_tasks(all.columns);
  struct digit {
    int shift;
    int bits;
  };
  constexpr std::array<digit, 3> digits{{{20, 11}, {9, 11}, {0, 9}}};
  std::int32_t prefix = 0;
  std::int64_t wanted = count;  // among the keys that share the prefix
  std::int64_t ties = 0;
  for (std::size_t d = 0; d < digits.size(); ++d) {
    const auto [shift, bits] = digits[d];
    const std::int32_t bins = 1 << bits;
    exec.parallel_for(tasks, [&](std::int64_t task) {
      auto* histogram = scratch + task * select_bins;
      std::fill_n(histogram, bins, 0);
      if (d == 0) fill_task(task);
      const auto last = std::min(all.columns, (task + 1) * columns_per_select_task);
      for (auto c = task * columns_per_select_task; c < last; ++c) {
        const auto* keys = all.keys + c * all.stride;
        if (d == 0) {
          for (std::int64_t r = 0; r < all.rows; ++r) ++histogram[keys[r] >> shift];
        } else {
          const int above = shift + bits;
          const auto expected = prefix >> above;
          for (std::int64_t r = 0; r < all.rows; ++r)
            if (keys[r] >> above == expected) ++histogram[(keys[r] >> shift) & (bins - 1)];
        }
      }
    });
    if (count == 0) return -1;  // the keys are filled, and none is wanted
    for (std::int32_t bin = 0;; ++bin) {
      std::int64_t here = 0;
      for (std::int64_t task = 0; task < tasks; ++task) here += scratch[task * select_bins + bin];
      if (here >= wanted) {
        prefix |= bin << shift;
        ties = here;
        break;
      }
      wanted -= here;
    }
  }
  if (ties == wanted) return prefix;

  // Some of the ties stay: count them by tiles of rows, then let each tile know how many it may keep.
  const auto tiles = (all.rows + rows_per_select_task - 1) / rows_per_select_task;
  const auto rows_of = [&](std::int64_t tile) {
    return std::pair{tile * rows_per_select_task, std::min(all.rows, (tile + 1) * rows_per_select_task)};
  };
  exec.parallel_for(tiles, [&](std::int64_t tile) {
    const auto [first, last] = rows_of(tile);
    std::int32_t here = 0;
    for (std::int64_t c = 0; c < all.columns; ++c)
      for (auto r = first; r < last; ++r) here += all.keys[c * all.stride + r] == prefix ? 1 : 0;
    scratch[tile] = here;
  });
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const auto here = std::min<std::int64_t>(scratch[tile], wanted);
    scratch[tile] = static_cast<std::int32_t>(here);
    wanted -= here;
  }
  exec.parallel_for(tiles, [&](std::int64_t tile) {
    const auto [first, last] = rows_of(tile);
    auto left = scratch[tile];
    for (auto r = first; r < last; ++r)
      for (std::int64_t c = 0; c < all.columns; ++c) {
        auto& key = all.keys[c * all.stride + r];
        if (key == prefix && left-- <= 0) ++key;
      }
  });
  return prefix;
}

}  // namespace miq::obs::detail
