// What `histogram` does on a device, step by step, on a machine that also sorts and multiplies bytes.
//
// Besides what core/detail/machine.hpp says it has
//   sort_rows(keys, other, rows, columns, offsets, scratch)
//       sorts each row of `keys` [rows, columns]; `other` is as large, `offsets` are where rows begin; returns the one
//       of the two that holds the result
//   multiply_codes(rows, columns, tokens, left, right, leading, out, out_leading)
//       out [rows, columns] = left right^T of bytes, in 32-bit integers; all sizes but `rows` and `columns` are
//       multiples of 16, these of 4
// The device's is in kernels/information/detail/samples/machine.cuh.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <miq/core/workspace.hpp>
#include <miq/information/detail/histogram/body.hpp>

namespace miq::information::detail {

/// Channels that are sorted at once: about so many values.
inline constexpr std::int64_t sorted_at_once = std::int64_t{1} << 24;

/// Bytes that a library's sort may ask for besides its two buffers; checked when it runs.
inline constexpr std::int64_t sort_scratch_bytes = 4096;

/// Memory for the sort of some channels, and where it lies.
struct sort_layout {
  std::int64_t channels_at_once = 0;
  std::int64_t keys = 0, other = 0, offsets = 0, scratch = 0;

  sort_layout(miq::detail::workspace_layout& layout, std::int64_t tokens, std::int64_t channels)
      : channels_at_once(std::min(channels, std::max<std::int64_t>(1, sorted_at_once / tokens))),
        keys(layout.add<std::uint32_t>(channels_at_once * tokens)),
        other(layout.add<std::uint32_t>(channels_at_once * tokens)),
        offsets(layout.add<std::int32_t>(channels_at_once + 1)),
        scratch(layout.add<std::byte>(sort_scratch_bytes)) {}
};

/// What the sort of one call works in.
struct sort_memory {
  std::uint32_t* keys = nullptr;
  std::uint32_t* other = nullptr;
  std::int32_t* offsets = nullptr;
  std::byte* scratch = nullptr;

  template <class Block>
  sort_memory(const sort_layout& at, const Block& block)
      : keys(block.template at<std::uint32_t>(at.keys)),
        other(block.template at<std::uint32_t>(at.other)),
        offsets(block.template at<std::int32_t>(at.offsets)),
        scratch(block.template at<std::byte>(at.scratch)) {}
};

/// Sorted keys of the channels `first` and on: [count, tokens].
template <class Machine>
const std::uint32_t* sort_channels(const Machine& machine, const char* name,
                                   matrix_view<const float, typename Machine::memory_space> samples, std::int64_t first,
                                   std::int64_t count, const sort_memory& memory) {
  machine.launch(name,
                 channel_keys_body{samples.data() + first, samples.leading(), samples.rows(), count, memory.keys});
  machine.launch(name, segment_offsets_body{count, samples.rows(), memory.offsets});
  return machine.sort_rows(memory.keys, memory.other, count, samples.rows(), memory.offsets, memory.scratch);
}

/// How `histogram` lays out its scratch, and in which pieces it goes.
struct histogram_plan {
  std::int64_t tokens = 0;
  std::int64_t channels = 0;
  bool sorts = false;
  double wanted = 0, sturges = 0;  // bins
  std::int64_t slots = 0;
  std::int64_t leading = 0;
  std::int64_t panel_channels = 0;  // 0: no panels, for lists and entropies

  miq::detail::workspace_layout layout;
  sort_layout sorting;
  std::int64_t minimum, maximum, flags, bins, used, sums, counts, codes, table, table_entries;
  std::int64_t left = 0, right = 0, cells = 0;

  /// One-hot rows of a panel, about.
  static constexpr std::int64_t panel_rows = 4096;

  /// @param all_pairs  whether panels are needed
  histogram_plan(std::int64_t token_count, std::int64_t channel_count, const histogram_options& options, bool all_pairs)
      : tokens(token_count),
        channels(channel_count),
        sorts(options.edges == bin_edges::equal_frequency || options.rule == bin_count_rule::freedman_diaconis),
        wanted(wanted_bins(options, token_count)),
        sturges(std::ceil(std::log2(static_cast<double>(token_count)) + 1)),
        slots(options.rule == bin_count_rule::freedman_diaconis
                  ? options.max_bins
                  : static_cast<std::int64_t>(std::clamp(wanted, 2.0, static_cast<double>(options.max_bins)))),
        leading((token_count + 15) / 16 * 16),
        sorting(layout, sorts ? token_count : 1, sorts ? channel_count : 1) {
    minimum = layout.add<float>(channels);
    maximum = layout.add<float>(channels);
    flags = layout.add<std::uint8_t>(channels);
    bins = layout.add<std::int32_t>(channels);
    used = layout.add<std::int32_t>(channels);
    sums = layout.add<std::int64_t>(channels);
    counts = layout.add<std::int32_t>(channels * slots);
    codes = layout.add<std::uint8_t>(channels * leading);
    table_entries = std::min<std::int64_t>(tokens, most_tabulated) + 1;
    table = layout.add<std::int64_t>(table_entries);
    if (!all_pairs) return;
    // A multiple of 4, so that all extents of products are.
    panel_channels = std::min(std::max<std::int64_t>(1, panel_rows / slots / 4) * 4, (channels + 3) / 4 * 4);
    left = layout.add<std::int8_t>(panel_channels * slots * leading);
    right = layout.add<std::int8_t>(panel_channels * slots * leading);
    cells = layout.add<std::int32_t>(panel_channels * slots * panel_channels * slots);
  }

  /// What the rule asks for, where it does not depend on the channel.
  static double wanted_bins(const histogram_options& options, std::int64_t token_count) {
    const auto count = static_cast<double>(token_count);
    if (options.rule == bin_count_rule::square_root) return std::ceil(std::sqrt(count));
    if (options.rule == bin_count_rule::sturges) return std::ceil(std::log2(count) + 1);
    return options.bins;
  }

  template <class Block>
  device_channels arrays(const Block& block) const {
    device_channels of;
    of.tokens = tokens;
    of.channels = channels;
    of.slots = slots;
    of.leading = leading;
    of.shift = n_log_n_shift(tokens);
    of.minimum = block.template at<float>(minimum);
    of.maximum = block.template at<float>(maximum);
    of.flags = block.template at<std::uint8_t>(flags);
    of.bins = block.template at<std::int32_t>(bins);
    of.used = block.template at<std::int32_t>(used);
    of.sums = block.template at<std::int64_t>(sums);
    of.counts = block.template at<std::int32_t>(counts);
    of.codes = block.template at<std::uint8_t>(codes);
    of.table = block.template at<std::int64_t>(table);
    of.table_entries = table_entries;
    return of;
  }
};

/// Cuts all channels into bins, and writes what the result says about channels.
template <class Machine, class Block>
device_channels bin_channels_by_bodies(const Machine& machine, const char* name, const histogram_plan& plan,
                                       const Block& block,
                                       matrix_view<const float, typename Machine::memory_space> samples,
                                       const histogram_options& options, histogram_result* result) {
  const auto of = plan.arrays(block);
  machine.launch(name, n_log_n_table_body{of});
  machine.launch(name, channel_range_body{samples.data(), samples.leading(), plan.tokens, plan.channels, of.minimum,
                                          of.maximum, of.flags});
  const bool by_frequency = options.edges == bin_edges::equal_frequency;
  const bool by_quartiles = options.rule == bin_count_rule::freedman_diaconis;
  const auto at_once = plan.sorts ? plan.sorting.channels_at_once : plan.channels;
  for (std::int64_t first = 0; first < plan.channels; first += at_once) {
    const auto count = std::min(at_once, plan.channels - first);
    const std::uint32_t* sorted = nullptr;
    if (plan.sorts) sorted = sort_channels(machine, name, samples, first, count, sort_memory(plan.sorting, block));
    machine.launch(name, bin_counts_body{of, first, count, plan.wanted, by_quartiles ? sorted : nullptr,
                                         std::cbrt(static_cast<double>(plan.tokens)), plan.sturges, options.max_bins});
    machine.launch(name,
                   codes_body{of, samples.data(), samples.leading(), first, count, by_frequency ? sorted : nullptr});
  }
  machine.launch(name, code_counts_body{of});
  machine.launch(name, channel_summary_body{of, result});
  return of;
}

/// All pairs. Cost: with B codes a channel, c^2 B^2 T / 2 multiply-adds of bytes, and c^2 B^2 / 2 counts written, read
/// and looked up. c = 13824, B = 16, T = 10 000: 2.4e14 multiply-adds, 4.9e14 operations (0.25 s at the 1.98e15 a
/// second of an H200's units for 8-bit integers), 98 GB written and as many read (0.04 s at 4.8 TB/s) and 2.4e10
/// look-ups.
template <class Machine, class Block>
void histogram_of_all(const Machine& machine, const histogram_plan& plan, const Block& block,
                      matrix_view<const float, typename Machine::memory_space> samples,
                      matrix_view<float, typename Machine::memory_space> mi, const histogram_options& options,
                      histogram_result* result) {
  const auto of = bin_channels_by_bodies(machine, "histogram", plan, block, samples, options, result);
  auto* const left = block.template at<std::int8_t>(plan.left);
  auto* const right = block.template at<std::int8_t>(plan.right);
  auto* const cells = block.template at<std::int32_t>(plan.cells);
  const auto padded = [&](std::int64_t first) {
    return std::min(plan.panel_channels, (plan.channels - first + 3) / 4 * 4);
  };
  for (std::int64_t row = 0; row < plan.channels; row += plan.panel_channels) {
    const auto rows = padded(row);
    machine.launch("histogram: codes", one_hot_body{of, row, rows, left});
    for (auto column = row; column < plan.channels; column += plan.panel_channels) {
      const auto columns = padded(column);
      if (column > row) machine.launch("histogram: codes", one_hot_body{of, column, columns, right});
      machine.multiply_codes(rows * plan.slots, columns * plan.slots, plan.leading, left, column > row ? right : left,
                             plan.leading, cells, columns * plan.slots);
      const auto run = [&](auto body) {
        body.of = of;
        body.row = row;
        body.rows = std::min(rows, plan.channels - row);
        body.column = column;
        body.columns = std::min(columns, plan.channels - column);
        body.cells = cells;
        body.cells_leading = columns * plan.slots;
        body.how = options.estimator;
        body.clip_negative = options.clip_negative;
        body.mi = mi.data();
        body.mi_leading = mi.leading();
        body.result = result;
        machine.launch("histogram", body);
      };
      if (options.estimator == entropy_estimator::james_stein)
        run(panel_information_body<true>{});
      else
        run(panel_information_body<false>{});
    }
  }
}

/// Listed pairs, in the machine's memory.
template <class Machine, class Block>
void histogram_of_list(const Machine& machine, const histogram_plan& plan, const Block& block,
                       matrix_view<const float, typename Machine::memory_space> samples,
                       vector_view<const channel_pair, typename Machine::memory_space> pairs,
                       vector_view<float, typename Machine::memory_space> mi, const histogram_options& options,
                       histogram_result* result) {
  const auto of = bin_channels_by_bodies(machine, "histogram", plan, block, samples, options, result);
  const auto run = [&](auto body) {
    body.of = of;
    body.pairs = pairs.data();
    body.count = pairs.size();
    body.how = options.estimator;
    body.clip_negative = options.clip_negative;
    body.mi = mi.data();
    body.result = result;
    machine.launch("histogram", body);
  };
  if (options.estimator == entropy_estimator::james_stein)
    run(listed_information_body<true>{});
  else
    run(listed_information_body<false>{});
}

}  // namespace miq::information::detail
