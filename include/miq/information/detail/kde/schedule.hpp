// Mutual information from kernel densities on a machine: which bodies and products run, in which order, on which
// memory.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/detail/machine.hpp>
#include <miq/core/workspace.hpp>
#include <miq/information/detail/kde/body.hpp>
#include <miq/information/detail/knn/body.hpp>
#include <miq/information/detail/samples/row_sort_body.hpp>

namespace miq::information::detail {

/// The memory of `kde_on_machine`, for so many prepared channels; `listed` pairs are of a list, negative: all.
struct kde_layout {
  miq::detail::workspace_layout layout;
  std::int64_t block = 0;     ///< channels of a block
  std::int64_t together = 0;  ///< tokens whose rows are multiplied together
  std::int64_t units, each, columns, pairs, joint, phase;
  std::int64_t keys, payload, other_keys, other_payload;  ///< of the sort, from `phase`
  std::int64_t rows[2] = {}, products = 0;                ///< of all pairs, from `phase`

  kde_layout(std::int64_t tokens, std::int64_t channels, std::int64_t listed) {
    constexpr std::int64_t room = std::int64_t{1} << 26;  // floats of rows and products, about
    const auto all = channels * tokens;
    block = std::min<std::int64_t>(channels, 1024);
    const auto each_token = 2 * block * tokens + block * block;
    together = std::clamp<std::int64_t>(room / each_token, 1, std::min<std::int64_t>(tokens, 64));
    units = layout.add<float>(all);
    each = layout.add<kde_channel>(channels);
    columns = layout.add<std::int64_t>(listed < 0 ? 0 : channels);
    pairs = layout.add<channel_pair>(listed < 0 ? 0 : listed);
    joint = layout.add<std::int64_t>(listed < 0 ? block * block : listed);
    miq::detail::workspace_layout sorting, multiplying;
    keys = sorting.add<std::uint64_t>(all);
    payload = sorting.add<std::int32_t>(all);
    other_keys = sorting.add<std::uint64_t>(all);
    other_payload = sorting.add<std::int32_t>(all);
    if (listed < 0) {
      for (auto& side : rows) side = multiplying.add<float>(together * block * tokens);
      products = multiplying.add<float>(together * block * block);
    }
    phase = layout.add<std::byte>(std::max(sorting.bytes(), multiplying.bytes()));
  }
};

/// @param samples  [tokens, ...] in the machine's memory
/// @param columns  the channels that are used, of the samples; empty: the first `channels`
/// @param pairs    of their places, each in the order of the samples' columns; null: all, to mi [channels, leading]
/// @param result   there; holds what is known at the start
/// @param scratch  `kde_layout(tokens, channels, ...).layout.bytes()` bytes there, aligned
template <class Machine>
void kde_on_machine(const Machine& machine, const float* samples, std::int64_t samples_leading, std::int64_t tokens,
                    std::int64_t channels, std::span<const std::int64_t> columns,
                    const std::vector<channel_pair>* pairs, float* mi, std::int64_t mi_leading,
                    const kde_options& options, kde_result* result, std::byte* scratch) {
  const auto listed = pairs != nullptr ? static_cast<std::int64_t>(pairs->size()) : -1;
  if (listed == 0) return;
  const kde_layout at(tokens, channels, listed);
  const auto placed = [&]<class T>(T*& to, std::int64_t offset) { to = reinterpret_cast<T*>(scratch + offset); };
  kde_arrays a;
  a.channels = channels;
  a.tokens = tokens;
  a.leave_one_out = options.leave_one_out;
  placed(a.units, at.units);
  placed(a.each, at.each);
  std::int64_t *used = nullptr, *joint = nullptr;
  channel_pair* list = nullptr;
  placed(used, at.columns);
  placed(joint, at.joint);
  placed(list, at.pairs);
  if (listed > 0) {
    machine.store(columns.data(), channels, used);
    machine.store(pairs->data(), listed, list);
  }
  const std::int64_t* const picked = listed > 0 ? used : nullptr;

  knn_channels keyed;
  keyed.channels = channels;
  keyed.tokens = tokens;
  placed(keyed.keys, at.phase + at.keys);
  placed(keyed.payload, at.phase + at.payload);
  row_sort_body sort;
  sort.rows = channels;
  sort.columns = tokens;
  sort.keys = keyed.keys;
  sort.payload = keyed.payload;
  placed(sort.other_keys, at.phase + at.other_keys);
  placed(sort.other_payload, at.phase + at.other_payload);
  machine.launch("kde: keys", knn_keys_body{samples, samples_leading, picked, keyed});
  machine.launch("kde: sort", sort);
  const bool silverman = options.rule == bandwidth_rule::silverman;
  machine.launch("kde: widths", kde_units_body{a, samples, samples_leading, picked, keyed.keys, silverman,
                                               kernel_width_factor(silverman, 2), kernel_width_power(tokens, 2)});
  machine.launch("kde: channels", kde_count_body{a, result});
  machine.launch("kde: densities of channels", kde_alone_body{a});

  const auto others = static_cast<double>(options.leave_one_out ? tokens - 1 : tokens);
  kde_finish_body finish;
  finish.a = a;
  finish.joint = joint;
  finish.start = std::log(others);
  finish.clip_negative = options.clip_negative;
  finish.mi = mi;
  finish.leading = mi_leading;
  finish.result = result;
  if (listed > 0) {
    machine.clear(joint, listed);
    machine.launch("kde: densities of pairs", kde_pair_body{a, list, listed, joint, result});
    finish.pairs = list;
    finish.rows = listed;
    finish.columns = 1;
    machine.launch("kde: estimates", finish);
    return;
  }
  using miq::detail::operand;
  float *rows[2] = {}, *products = nullptr;
  for (int side = 0; side < 2; ++side) placed(rows[side], at.phase + at.rows[side]);
  placed(products, at.phase + at.products);
  for (std::int64_t r = 0; r < channels; r += at.block)
    for (std::int64_t c = r; c < channels; c += at.block) {
      finish.first_row = r;
      finish.first_column = c;
      finish.rows = std::min(at.block, channels - r);
      finish.columns = std::min(at.block, channels - c);
      machine.clear(joint, finish.rows * finish.columns);
      for (std::int64_t t = 0; t < tokens; t += at.together) {
        const auto count = std::min(at.together, tokens - t);
        machine.launch("kde: rows", kde_rows_body{a, t, count, r, finish.rows, rows[0]});
        if (r != c) machine.launch("kde: rows", kde_rows_body{a, t, count, c, finish.columns, rows[1]});
        const float* const right = r != c ? rows[1] : rows[0];
        machine.multiply_many("kde: products", count, operand::as_is, operand::transposed, finish.rows, finish.columns,
                              tokens, 1.0F, rows[0], tokens, finish.rows * tokens, right, tokens,
                              finish.columns * tokens, products, finish.columns, finish.rows * finish.columns);
        machine.launch("kde: logarithms",
                       kde_logarithms_body{a, count, finish.rows, finish.columns, r, c, products, joint, result});
      }
      machine.launch("kde: estimates", finish);
    }
}

}  // namespace miq::information::detail
