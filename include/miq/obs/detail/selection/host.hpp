// Finds the k smallest of many non-negative keys: an exact count, by a histogram of their first digits and a closer
// look at those that share the digit of the k-th.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/obs/detail/selection/key.hpp>

namespace miq::obs::detail {

/// Keys of one block of columns, tile by tile: key (r, c) lies at `keys[(r / tile * columns + c) * tile + r % tile]`.
/// Rows beyond `rows` do not count.
struct key_tiles {
  std::int32_t* keys;
  std::int64_t tile;  ///< rows of a tile
  std::int64_t rows;
  std::int64_t columns;

  std::int64_t tiles() const { return (rows + tile - 1) / tile; }
  std::int32_t* of(std::int64_t t) const { return keys + t * columns * tile; }
  std::int64_t rows_of(std::int64_t t) const { return std::min(tile, rows - t * tile); }
};

inline constexpr int first_digit_shift = digit_shift(0);
inline constexpr std::int64_t select_bins = digit_bins;

/// Counts first digits of a tile into a histogram.
inline void count_first_digits(const key_tiles& all, std::int64_t t, std::int32_t* histogram) {
  const auto rows = all.rows_of(t);
  for (std::int64_t c = 0; c < all.columns; ++c) {
    const auto* keys = all.of(t) + c * all.tile;
    for (std::int64_t r = 0; r < rows; ++r) ++histogram[keys[r] >> first_digit_shift];
  }
}

/// Integers of scratch that `smallest_keys` needs besides the histograms.
constexpr std::int64_t select_scratch(std::int64_t tiles, std::int64_t columns, std::int64_t tile) {
  return tiles * columns * tile;
}

/// Returns a limit such that exactly `count` keys are at most the limit. Where several keys tie at it and not all are
/// wanted, the first by row, then column, keep their key, and the others are raised above the limit.
///
/// @param histograms  [tasks, select_bins]: `count_first_digits` of the tiles of each task, `tiles_per_task` in a row
template <on_host Exec>
std::int32_t smallest_keys(const Exec& exec, const key_tiles& all, std::int64_t count, const std::int32_t* histograms,
                           std::int64_t tiles_per_task, std::int32_t* scratch) {
  if (count == 0) return -1;
  const auto tiles = all.tiles();
  const auto tasks = (tiles + tiles_per_task - 1) / tiles_per_task;

  std::int64_t wanted = count;  // among the keys that share the digits found so far
  std::int32_t digit = 0;
  for (;; ++digit) {
    std::int64_t here = 0;
    for (std::int64_t task = 0; task < tasks; ++task) here += histograms[task * select_bins + digit];
    if (here >= wanted) break;
    wanted -= here;
  }

  // The keys with that digit, side by side.
  auto* candidates = scratch;
  const auto start_of = [&](std::int64_t task) {
    std::int64_t start = 0;
    for (std::int64_t before = 0; before < task; ++before) start += histograms[before * select_bins + digit];
    return start;
  };
  exec.parallel_for(tasks, [&](std::int64_t task) {
    auto* next = candidates + start_of(task);
    auto* const end = next + histograms[task * select_bins + digit];
    for (auto t = task * tiles_per_task; t < std::min(tiles, (task + 1) * tiles_per_task); ++t)
      for (std::int64_t c = 0; c < all.columns && next != end; ++c) {
        const auto* keys = all.of(t) + c * all.tile;
        const auto rows = all.rows_of(t);
        for (std::int64_t r = 0; r < rows && next != end; ++r) {
          *next = keys[r];
          next += keys[r] >> first_digit_shift == digit ? 1 : 0;
        }
      }
  });
  auto total = start_of(tasks);

  // Among them, those that share the second digit of the one that is looked for.
  constexpr int second_digit_shift = 9;
  std::array<std::int64_t, 2048> histogram{};
  const auto second_digit = [](std::int32_t key) { return (key >> second_digit_shift) & 2047; };
  for (std::int64_t i = 0; i < total; ++i) ++histogram[static_cast<std::size_t>(second_digit(candidates[i]))];
  std::int32_t second = 0;
  for (; histogram[static_cast<std::size_t>(second)] < wanted; ++second)
    wanted -= histogram[static_cast<std::size_t>(second)];
  auto* const last =
      std::remove_if(candidates, candidates + total, [&](std::int32_t key) { return second_digit(key) != second; });
  std::nth_element(candidates, candidates + wanted - 1, last);
  const auto limit = candidates[wanted - 1];
  const auto below = std::count_if(candidates, last, [&](std::int32_t key) { return key < limit; });
  const auto ties = std::count(candidates, last, limit);
  wanted -= below;
  if (ties == wanted) return limit;

  // Some of the ties stay: count them by tiles, then let each tile know how many it may keep.
  exec.parallel_for(tiles, [&](std::int64_t t) {
    std::int32_t here = 0;
    for (std::int64_t c = 0; c < all.columns; ++c)
      for (std::int64_t r = 0; r < all.rows_of(t); ++r) here += all.of(t)[c * all.tile + r] == limit ? 1 : 0;
    scratch[t] = here;
  });
  for (std::int64_t t = 0; t < tiles; ++t) {
    const auto here = std::min<std::int64_t>(scratch[t], wanted);
    scratch[t] = static_cast<std::int32_t>(here);
    wanted -= here;
  }
  exec.parallel_for(tiles, [&](std::int64_t t) {
    auto left = scratch[t];
    for (std::int64_t r = 0; r < all.rows_of(t); ++r)
      for (std::int64_t c = 0; c < all.columns; ++c) {
        auto& key = all.of(t)[c * all.tile + r];
        if (key == limit && left-- <= 0) ++key;
      }
  });
  return limit;
}

}  // namespace miq::obs::detail
