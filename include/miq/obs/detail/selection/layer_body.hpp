// Keeps the largest of many values, an exact number of them, in groups of columns or in each row: the kernel bodies.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>
#include <miq/obs/detail/selection/digit_search.hpp>

namespace miq::obs::detail {

/// Groups of columns that are selected in at a time, as many as have histograms.
inline constexpr std::int64_t layer_groups = 256;

/// Chunks of rows that a group's values are cut into: enough blocks for a device.
constexpr std::int64_t layer_chunks(std::int64_t rows, std::int64_t groups) {
  return std::min(rows, std::max<std::int64_t>(64, 1024 / std::max<std::int64_t>(groups, 1)));
}
/// The most that (groups at a time) * chunks comes to.
inline constexpr std::int64_t layer_most_chunks = layer_groups * 64;

/// Keeps in each group of columns, over all rows, the `counts` largest values.
struct layer_selection {
  std::int64_t rows = 0;
  const float* values = nullptr;  // [rows, columns]
  std::int64_t leading = 0;
  const float* units = nullptr;           // [columns]
  const std::int64_t* members = nullptr;  // columns, group by group, ascending in each
  const std::int64_t* begins = nullptr;   // [all groups + 1]: where a group begins in `members`
  const std::int64_t* counts = nullptr;   // [all groups]: how many are kept
  std::int64_t first_group = 0;           // of those that are at hand
  std::int64_t groups = 0, chunks = 0;    // at hand, at most `layer_groups`; of rows
  tie_rule rule = tie_rule::first_stay;
  std::int64_t* histograms = nullptr;  // [groups, digit_bins]: zeros before and after
  selection_state* states = nullptr;   // [groups]
  std::int64_t* ties = nullptr;        // [groups, chunks]: values at the limit
  std::uint8_t* kept = nullptr;        // [rows, columns]
  std::int64_t kept_leading = 0;
  std::int64_t* entered = nullptr;  // or null: kept values that were not kept before are added

  std::int64_t blocks() const { return groups * chunks; }
};

/// One block's part of a selection: a chunk of rows of a group. Places count by row, then member.
struct layer_part {
  MIQ_HOST_DEVICE layer_part(const layer_selection& selection, std::int64_t block)
      : of(selection), group(block % selection.groups), chunk(block / selection.groups) {
    const auto each = (of.rows + of.chunks - 1) / of.chunks;
    row = chunk * each < of.rows ? chunk * each : of.rows;
    rows = of.rows - row < each ? of.rows - row : each;
    const auto all = of.first_group + group;
    members = of.members + of.begins[all];
    size = of.begins[all + 1] - of.begins[all];
    count = of.counts[all];
  }
  MIQ_HOST_DEVICE std::int64_t places() const { return rows * size; }
  MIQ_HOST_DEVICE std::uint32_t key(std::int64_t r, std::int64_t c) const {
    return saliency_key(of.values[r * of.leading + c], of.units[c]);
  }

  /// visit(row, column) for places first, first + step, ... before `end`, without a division for each.
  template <class Visit>
  MIQ_HOST_DEVICE void walk(std::int64_t first, std::int64_t end, std::int64_t step, const Visit& visit) const {
    if (first >= end) return;
    auto r = row + first / size;
    auto at = first % size;
    const auto rows_on = step / size, members_on = step % size;
    for (auto place = first; place < end; place += step) {
      visit(r, members[at]);
      r += rows_on;
      at += members_on;
      if (at >= size) {
        at -= size;
        ++r;
      }
    }
  }

  const layer_selection& of;
  std::int64_t group, chunk;  // of those at hand
  std::int64_t row = 0, rows = 0;
  const std::int64_t* members = nullptr;
  std::int64_t size = 0;
  std::int64_t count = 0;
};

/// Adds the values that are kept to the counts of their groups, which are written here although they are const in a
/// selection.
struct layer_count_body {
  static constexpr int lanes = 256;
  layer_selection of;
  std::int64_t* counts = nullptr;  // [all groups], zeros before

  std::int64_t blocks() const { return of.blocks(); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const layer_part part(of, block);
    std::int64_t here = 0;
    part.walk(group.rank(), part.places(), group.size(), [&](std::int64_t r, std::int64_t c) {
      if (of.kept[r * of.kept_leading + c] != 0) ++here;
    });
    here = sum_over_lanes(group, here, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && here != 0) add_atomically(counts + of.first_group + part.group, here);
  }
};

/// Counts a digit of the keys that share all digits before.
struct layer_histogram_body {
  static constexpr int lanes = 256;
  layer_selection of;
  int digit = 0;

  std::int64_t blocks() const { return of.blocks(); }
  std::int64_t scratch_bytes() const { return digit_bins * static_cast<std::int64_t>(sizeof(std::uint32_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const layer_part part(of, block);
    if (part.count == 0) return;
    auto* const bins = reinterpret_cast<std::uint32_t*>(scratch);
    for (std::int32_t b = group.rank(); b < digit_bins; b += group.size()) bins[b] = 0;
    group.sync();
    const auto above = bits_above(digit);
    const auto limit = digit == 0 ? 0U : of.states[part.group].limit;
    const auto mask = static_cast<std::uint32_t>(bins_of_digit(digit)) - 1;
    part.walk(group.rank(), part.places(), group.size(), [&](std::int64_t r, std::int64_t c) {
      const auto key = part.key(r, c);
      if ((key & above) == limit) add_atomically(bins + ((key >> digit_shift(digit)) & mask), std::uint32_t{1});
    });
    group.sync();
    for (std::int32_t b = group.rank(); b < digit_bins; b += group.size())
      if (bins[b] != 0) add_atomically(of.histograms + part.group * digit_bins + b, static_cast<std::int64_t>(bins[b]));
  }
};

/// Finds the digit, and leaves the histogram empty. One block per group.
struct layer_digit_body {
  static constexpr int lanes = 256;
  layer_selection of;
  int digit = 0;

  std::int64_t blocks() const { return of.groups; }
  std::int64_t scratch_bytes() const {
    return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)) + static_cast<std::int64_t>(sizeof(selection_state));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto count = of.counts[of.first_group + block];
    if (count == 0) return;
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    std::int64_t* const histogram = of.histograms + block * digit_bins;
    selection_state state;
    state.wanted = count;
    if (digit > 0) state = of.states[block];
    state = next_digit<selected::largest>(group, histogram, digit, state, slots,
                                          reinterpret_cast<selection_state*>(slots + lanes));
    if (group.rank() == 0) of.states[block] = state;
    for (std::int32_t b = group.rank(); b < digit_bins; b += group.size()) histogram[b] = 0;
  }
};

/// Counts the values at the limit, where not all of them are kept.
struct layer_ties_body {
  static constexpr int lanes = 256;
  layer_selection of;

  std::int64_t blocks() const { return of.blocks(); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const layer_part part(of, block);
    if (part.count == 0) return;
    const auto state = of.states[part.group];
    if (state.wanted == state.ties) return;
    std::int64_t here = 0;
    part.walk(group.rank(), part.places(), group.size(), [&](std::int64_t r, std::int64_t c) {
      if (part.key(r, c) == state.limit) ++here;
    });
    here = sum_over_lanes(group, here, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0) of.ties[part.group * of.chunks + part.chunk] = here;
  }
};

/// Writes the mask. Only the chunk in which the first and the last ties are told apart is looked at in order.
struct layer_mark_body {
  static constexpr int lanes = 256;
  layer_selection of;

  std::int64_t blocks() const { return of.blocks(); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const layer_part part(of, block);
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    selection_state state;
    if (part.count > 0) state = of.states[part.group];
    const bool first_stay = of.rule == tie_rule::first_stay;
    // Of the ties of this chunk, the first `special` go one way, the others the other way.
    std::int64_t here = 0, special = 0;
    if (state.wanted != state.ties) {
      const std::int64_t* const ties = of.ties + part.group * of.chunks;
      std::int64_t before = 0;
      for (std::int64_t k = group.rank(); k < part.chunk; k += group.size()) before += ties[k];
      before = sum_over_lanes(group, before, slots);
      here = ties[part.chunk];
      special = (first_stay ? state.wanted : state.ties - state.wanted) - before;
      special = special < 0 ? 0 : special > here ? here : special;
    }
    const bool uniform = special == 0 || special == here;
    const bool ties_stay = state.wanted == state.ties || (special == here && here > 0) == first_stay;
    std::int64_t entered = 0;
    const auto mark = [&](std::int64_t r, std::int64_t c, bool keeps) {
      std::uint8_t& out = of.kept[r * of.kept_leading + c];
      if (keeps && out == 0) ++entered;
      out = keeps ? 1 : 0;
    };
    if (uniform) {
      part.walk(group.rank(), part.places(), group.size(), [&](std::int64_t r, std::int64_t c) {
        const auto key = part.key(r, c);
        mark(r, c, part.count > 0 && (key > state.limit || (key == state.limit && ties_stay)));
      });
    } else {
      const auto each = (part.places() + group.size() - 1) / group.size();
      const auto first = group.rank() * each;
      const auto end = first + each < part.places() ? first + each : part.places();
      std::int64_t mine = 0;
      part.walk(first, end, 1, [&](std::int64_t r, std::int64_t c) {
        if (part.key(r, c) == state.limit) ++mine;
      });
      exclusive_sum_over_lanes(group, mine, slots);
      auto tie = slots[group.rank()];
      part.walk(first, end, 1, [&](std::int64_t r, std::int64_t c) {
        const auto key = part.key(r, c);
        bool keeps = key > state.limit;
        if (key == state.limit) keeps = (tie++ < special) == first_stay;
        mark(r, c, keeps);
      });
    }
    if (of.entered == nullptr) return;
    group.sync();  // slots are read above
    entered = sum_over_lanes(group, entered, slots);
    if (group.rank() == 0 && entered != 0) add_atomically(of.entered, entered);
  }
};

/// Keeps in each row as many as were kept before, the largest. One block per row.
struct row_select_body {
  static constexpr int lanes = 256;

  std::int64_t rows = 0, columns = 0;
  const float* values = nullptr;
  std::int64_t leading = 0;
  const float* units = nullptr;  // [columns]
  std::uint8_t* kept = nullptr;
  std::int64_t kept_leading = 0;
  std::int64_t* entered = nullptr;  // kept values that were not kept before are added
  tie_rule rule = tie_rule::first_stay;

  std::int64_t blocks() const { return rows; }
  std::int64_t scratch_bytes() const {
    return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)) +
           static_cast<std::int64_t>(sizeof(selection_state)) +
           digit_bins * static_cast<std::int64_t>(sizeof(std::uint32_t));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t r, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const found = reinterpret_cast<selection_state*>(slots + lanes);
    auto* const bins = reinterpret_cast<std::uint32_t*>(found + 1);
    const float* const row = values + r * leading;
    std::uint8_t* const out = kept + r * kept_leading;
    std::int64_t before = 0;
    for (std::int64_t c = group.rank(); c < columns; c += group.size()) before += out[c] != 0 ? 1 : 0;
    before = sum_over_lanes(group, before, slots);
    if (before == 0) return;
    selection_state state;
    state.wanted = before;
    for (int digit = 0; digit < digits; ++digit) {
      for (std::int32_t b = group.rank(); b < digit_bins; b += group.size()) bins[b] = 0;
      group.sync();
      const auto above = bits_above(digit);
      const auto mask = static_cast<std::uint32_t>(bins_of_digit(digit)) - 1;
      for (std::int64_t c = group.rank(); c < columns; c += group.size()) {
        const auto key = saliency_key(row[c], units[c]);
        if ((key & above) == state.limit) add_atomically(bins + ((key >> digit_shift(digit)) & mask), std::uint32_t{1});
      }
      group.sync();
      state = next_digit<selected::largest>(group, bins, digit, state, slots, found);
    }
    // Ties go by column: each lane has a range of columns.
    const auto each = (columns + group.size() - 1) / group.size();
    const auto first = group.rank() * each;
    const auto end = first + each < columns ? first + each : columns;
    std::int64_t mine = 0;
    for (auto c = first; c < end; ++c) mine += saliency_key(row[c], units[c]) == state.limit ? 1 : 0;
    exclusive_sum_over_lanes(group, mine, slots);
    auto tie = slots[group.rank()];
    const bool first_stay = rule == tie_rule::first_stay;
    const auto special = first_stay ? state.wanted : state.ties - state.wanted;
    std::int64_t here = 0;
    for (auto c = first; c < end; ++c) {
      const auto key = saliency_key(row[c], units[c]);
      bool keeps = key > state.limit;
      if (key == state.limit) keeps = (tie++ < special) == first_stay;
      if (keeps && out[c] == 0) ++here;
      out[c] = keeps ? 1 : 0;
    }
    group.sync();  // slots are read above
    here = sum_over_lanes(group, here, slots);
    if (group.rank() == 0 && here != 0) add_atomically(entered, here);
  }
};

/// Enqueues a selection in all groups, as many at a time as have histograms. `Machine` has launch(name, body).
template <class Machine>
void keep_largest_of_layer(const Machine& machine, const char* name, layer_selection of, std::int64_t all_groups) {
  for (of.first_group = 0; of.first_group < all_groups; of.first_group += layer_groups) {
    of.groups = std::min(layer_groups, all_groups - of.first_group);
    of.chunks = layer_chunks(of.rows, of.groups);
    for (int digit = 0; digit < digits; ++digit) {
      machine.launch(name, layer_histogram_body{of, digit});
      machine.launch(name, layer_digit_body{of, digit});
    }
    machine.launch(name, layer_ties_body{of});
    machine.launch(name, layer_mark_body{of});
  }
}

}  // namespace miq::obs::detail
