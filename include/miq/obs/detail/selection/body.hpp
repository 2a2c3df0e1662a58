// Masks the k least salient of many weights: the kernel bodies. An exact count, ties by row, then column.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/obs/detail/selection/digit_search.hpp>
#include <miq/obs/detail/solver/lane_loops.hpp>

namespace miq::obs::detail {

/// What a selection over all rows of a matrix works on, and what it leaves from kernel to kernel.
template <class T>
struct selection {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const T* weights = nullptr;  ///< [rows, columns]
  std::int64_t leading = 0;
  const float* units = nullptr;        ///< [columns]
  std::int64_t masked = 0;             ///< how many are to be masked, at least 1
  std::int64_t* histograms = nullptr;  ///< [digits, digit_bins], zeros to begin with
  selection_state* states = nullptr;   ///< [digits + 1]
  std::int64_t* ties = nullptr;        ///< [blocks]: keys that equal the limit, of each block's rows

  MIQ_HOST_DEVICE std::int64_t rows_each() const { return rows_of_block(rows, columns); }
  MIQ_HOST_DEVICE std::int64_t blocks() const { return blocks_of_rows(rows, columns); }
  MIQ_HOST_DEVICE std::int64_t first_row(std::int64_t block) const { return block * rows_each(); }
  MIQ_HOST_DEVICE std::int64_t rows_of(std::int64_t block) const {
    const auto first = first_row(block);
    return rows - first < rows_each() ? rows - first : rows_each();
  }
  MIQ_HOST_DEVICE std::uint32_t key(std::int64_t r, std::int64_t c) const {
    return saliency_key(static_cast<float>(weights[r * leading + c]), units[c]);
  }
};

/// Integers that a selection keeps in global memory: histograms and states, of which the former must begin as zeros,
/// and then the ties.
inline constexpr std::int64_t selection_words =
    digits * digit_bins + (digits + 1) * static_cast<std::int64_t>(sizeof(selection_state) / sizeof(std::int64_t));

/// Finds the digit before, and counts the next one of the keys that agree with all found so far.
template <class T>
struct count_digits_body {
  static constexpr int lanes = 256;
  selection<T> of;
  int digit = 0;

  std::int64_t blocks() const { return of.blocks(); }
  std::int64_t scratch_bytes() const {
    return static_cast<std::int64_t>(sizeof(std::int64_t)) * lanes +
           static_cast<std::int64_t>(sizeof(selection_state)) +
           digit_bins * static_cast<std::int64_t>(sizeof(std::int32_t));
  }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const found = reinterpret_cast<selection_state*>(slots + lanes);
    auto* const counts = reinterpret_cast<std::int32_t*>(found + 1);
    const std::int32_t bins = bins_of_digit(digit);
    for (std::int32_t b = group.rank(); b < bins; b += group.size()) counts[b] = 0;
    selection_state state;
    state.wanted = of.masked;
    if (digit > 0) {
      state = digit > 1 ? of.states[digit - 1] : state;
      state = next_digit<selected::smallest>(group, of.histograms + (digit - 1) * digit_bins, digit - 1, state, slots,
                                             found);
      if (block == 0 && group.rank() == 0) of.states[digit] = state;
    }
    group.sync();
    const auto first = of.first_row(block);
    for_elements(group, of.rows_of(block), of.columns, [&](std::int64_t r, std::int64_t c) {
      const auto key = of.key(first + r, c);
      if (agrees(key, state, digit))
        add_atomically(counts + ((key >> digit_shift(digit)) & static_cast<std::uint32_t>(bins - 1)), std::int32_t{1});
    });
    group.sync();
    std::int64_t* const all = of.histograms + digit * digit_bins;
    for (std::int32_t b = group.rank(); b < bins; b += group.size())
      if (counts[b] != 0) add_atomically(all + b, static_cast<std::int64_t>(counts[b]));
  }
};

/// Finds the last digit and, where not all keys that equal the limit are masked, counts them by blocks of rows.
template <class T>
struct count_ties_body {
  static constexpr int lanes = 256;
  selection<T> of;

  std::int64_t blocks() const { return of.blocks(); }
  std::int64_t scratch_bytes() const {
    return static_cast<std::int64_t>(sizeof(std::int64_t)) * lanes + static_cast<std::int64_t>(sizeof(selection_state));
  }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const found = reinterpret_cast<selection_state*>(slots + lanes);
    const auto state = next_digit<selected::smallest>(group, of.histograms + (digits - 1) * digit_bins, digits - 1,
                                                      of.states[digits - 1], slots, found);
    if (block == 0 && group.rank() == 0) of.states[digits] = state;
    if (state.ties == state.wanted) return;
    std::int64_t here = 0;
    const auto first = of.first_row(block);
    for_elements(group, of.rows_of(block), of.columns,
                 [&](std::int64_t r, std::int64_t c) { here += of.key(first + r, c) == state.limit ? 1 : 0; });
    here = sum_over_lanes(group, here, slots);
    if (group.rank() == 0) of.ties[block] = here;
  }
};

/// Writes the mask: 0 where a weight is masked, 1 elsewhere. Clears the histograms for the next selection.
template <class T>
struct apply_selection_body {
  static constexpr int lanes = 256;
  selection<T> of;
  std::uint8_t* kept = nullptr;  // [rows, columns]
  std::int64_t kept_leading = 0;

  std::int64_t blocks() const { return of.blocks(); }
  std::int64_t scratch_bytes() const { return static_cast<std::int64_t>(sizeof(std::int64_t)) * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    const selection_state state = of.states[digits];
    const auto first = of.first_row(block);
    const auto there = of.rows_of(block);
    for (auto b = block * group.size() + group.rank(); b < digits * digit_bins; b += of.blocks() * group.size())
      of.histograms[b] = 0;
    if (state.ties == state.wanted) {
      for_elements(group, there, of.columns, [&](std::int64_t r, std::int64_t c) {
        kept[(first + r) * kept_leading + c] = of.key(first + r, c) > state.limit ? 1 : 0;
      });
      return;
    }
    std::int64_t before = 0;  // ties in the rows of the blocks before
    for (std::int64_t b = group.rank(); b < block; b += group.size()) before += of.ties[b];
    before = sum_over_lanes(group, before, slots);
    const auto elements = there * of.columns;
    for (std::int64_t start = 0; start < elements; start += group.size()) {
      const auto k = start + group.rank();
      const bool mine = k < elements;
      const auto r = mine ? first + k / of.columns : first;
      const auto c = mine ? k % of.columns : 0;
      const auto key = of.key(r, c);
      const bool tie = mine && key == state.limit;
      const auto all = exclusive_sum_over_lanes(group, std::int64_t{tie ? 1 : 0}, slots);
      const auto place = before + slots[group.rank()];
      if (mine) kept[r * kept_leading + c] = key < state.limit || (tie && place < state.wanted) ? 0 : 1;
      before += all;
    }
  }
};

/// The same in every row by itself, or in every `width` columns of a row side by side: one of those a block.
template <class T>
struct mask_segments_body {
  static constexpr int lanes = 128;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t width = 1;        // columns that compete
  std::int64_t masked = 0;       // how many of them are masked
  std::int64_t last_masked = 0;  // and of a last segment with fewer columns
  const T* weights = nullptr;    // [rows, columns]
  std::int64_t leading = 0;
  const float* units = nullptr;  // [columns]
  std::uint8_t* kept = nullptr;  // [rows, columns]
  std::int64_t kept_leading = 0;

  MIQ_HOST_DEVICE std::int64_t segments() const { return (columns + width - 1) / width; }
  std::int64_t blocks() const { return rows * segments(); }
  std::int64_t scratch_bytes() const {
    return static_cast<std::int64_t>(sizeof(std::int64_t)) * lanes +
           static_cast<std::int64_t>(sizeof(selection_state)) +
           digit_bins * static_cast<std::int64_t>(sizeof(std::int32_t));
  }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const found = reinterpret_cast<selection_state*>(slots + lanes);
    auto* const counts = reinterpret_cast<std::int32_t*>(found + 1);
    const auto row = block / segments();
    const auto first = block % segments() * width;
    const auto here = columns - first < width ? columns - first : width;
    const T* const from = weights + row * leading + first;
    const float* const unit = units + first;
    std::uint8_t* const to = kept + row * kept_leading + first;
    selection_state state;
    state.wanted = here < width ? last_masked : masked;
    if (state.wanted == 0) {
      for (std::int64_t c = group.rank(); c < here; c += group.size()) to[c] = 1;
      return;
    }
    for (int digit = 0; digit < digits; ++digit) {
      const std::int32_t bins = bins_of_digit(digit);
      for (std::int32_t b = group.rank(); b < bins; b += group.size()) counts[b] = 0;
      group.sync();
      for (std::int64_t c = group.rank(); c < here; c += group.size()) {
        const auto key = saliency_key(static_cast<float>(from[c]), unit[c]);
        if (agrees(key, state, digit))
          add_atomically(counts + ((key >> digit_shift(digit)) & static_cast<std::uint32_t>(bins - 1)),
                         std::int32_t{1});
      }
      group.sync();
      state = next_digit<selected::smallest>(group, counts, digit, state, slots, found);
    }
    std::int64_t before = 0;
    const bool some = state.ties != state.wanted;
    for (std::int64_t start = 0; start < here; start += group.size()) {
      const auto c = start + group.rank();
      const bool mine = c < here;
      const auto key = mine ? saliency_key(static_cast<float>(from[c]), unit[c]) : 0U;
      const bool tie = mine && key == state.limit;
      std::int64_t place = 0;
      if (some) {
        const auto all = exclusive_sum_over_lanes(group, std::int64_t{tie ? 1 : 0}, slots);
        place = before + slots[group.rank()];
        before += all;
      }
      if (mine) to[c] = key < state.limit || (tie && place < state.wanted) ? 0 : 1;
    }
  }
};

/// The same for narrow segments: each weight counts how many of its segment go before it.
template <class T>
struct mask_pattern_body {
  static constexpr int lanes = 256;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t width = 1;  // at most 64, or it would be slow
  std::int64_t masked = 0;
  std::int64_t last_masked = 0;
  const T* weights = nullptr;
  std::int64_t leading = 0;
  const float* units = nullptr;
  std::uint8_t* kept = nullptr;
  std::int64_t kept_leading = 0;

  std::int64_t blocks() const { return blocks_of_rows(rows, columns); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto each = rows_of_block(rows, columns);
    const auto top = block * each;
    const auto there = rows - top < each ? rows - top : each;
    for_elements(group, there, columns, [&](std::int64_t r, std::int64_t c) {
      const auto row = top + r;
      const auto first = c / width * width;
      const auto last = columns - first < width ? columns : first + width;
      const auto key = saliency_key(static_cast<float>(weights[row * leading + c]), units[c]);
      std::int64_t before = 0;
      for (auto other = first; other < last; ++other) {
        const auto theirs = saliency_key(static_cast<float>(weights[row * leading + other]), units[other]);
        before += theirs < key || (theirs == key && other < c) ? 1 : 0;
      }
      kept[row * kept_leading + c] = before < (last - first < width ? last_masked : masked) ? 0 : 1;
    });
  }
};

/// Masks the `of.masked` least salient weights of a matrix, over all rows. Histograms must be zeros, and are again.
template <class Machine, class T>
void mask_least_salient(const Machine& machine, const char* name, const selection<T>& of, std::uint8_t* kept,
                        std::int64_t kept_leading) {
  if (of.masked == 0) {
    machine.launch(name, fill_bytes_body{of.rows, of.columns, 1, kept, kept_leading});
    return;
  }
  for (int digit = 0; digit < digits; ++digit) machine.launch(name, count_digits_body<T>{of, digit});
  machine.launch(name, count_ties_body<T>{of});
  machine.launch(name, apply_selection_body<T>{of, kept, kept_leading});
}

/// Masks `masked` of every `width` columns of a row, and `last_masked` of a last segment that is narrower.
template <class Machine, class T>
void mask_segments(const Machine& machine, const char* name, std::int64_t rows, std::int64_t columns,
                   std::int64_t width, std::int64_t masked, std::int64_t last_masked, const T* weights,
                   std::int64_t leading, const float* units, std::uint8_t* kept, std::int64_t kept_leading) {
  if (width <= 64)
    machine.launch(name, mask_pattern_body<T>{rows, columns, width, masked, last_masked, weights, leading, units, kept,
                                              kept_leading});
  else
    machine.launch(name, mask_segments_body<T>{rows, columns, width, masked, last_masked, weights, leading, units, kept,
                                               kept_leading});
}

}  // namespace miq::obs::detail
