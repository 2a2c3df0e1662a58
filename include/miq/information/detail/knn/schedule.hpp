// Mutual information from nearest neighbours on a machine: which bodies run, in which order, on which memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/workspace.hpp>
#include <miq/information/detail/knn/body.hpp>
#include <miq/information/detail/knn/checks.hpp>
#include <miq/information/detail/knn/digamma_table.hpp>
#include <miq/information/detail/samples/row_sort_body.hpp>
#include <miq/information/knn.hpp>

namespace miq::information::detail {

/// The memory of `knn_on_machine`, for so many prepared channels; `listed` pairs are of a list, negative: all.
struct knn_layout {
  miq::detail::workspace_layout layout;
  std::int64_t batch;  ///< pairs that are searched together
  std::int64_t values, order, first, places[2], each, to_spread, digamma, columns, pairs, sums, phase;
  std::int64_t keys, payload, other_keys, other_payload;  ///< of the sorts, from `phase`
  std::int64_t partner, counters[2], place, other_place;  ///< of the pairs, from `phase`

  knn_layout(std::int64_t tokens, std::int64_t channels, std::int64_t listed) {
    constexpr std::int64_t together = std::int64_t{1} << 23;  // points of the pairs of a batch, about
    const auto all = channels * tokens;
    const auto count = listed < 0 ? miq::detail::upper_tiles(channels, 1) : listed;
    batch = std::min(count, std::max<std::int64_t>(together / tokens, 1));
    values = layout.add<std::int32_t>(all);
    order = layout.add<std::int32_t>(all);
    first = layout.add<std::int32_t>(all);
    for (auto& role : places) role = layout.add<std::int32_t>(all);
    each = layout.add<knn_channel>(channels);
    to_spread = layout.add<std::int32_t>(channels);
    digamma = layout.add<std::int64_t>(tokens + 2);
    columns = layout.add<std::int64_t>(listed < 0 ? 0 : channels);
    pairs = layout.add<channel_pair>(listed < 0 ? 0 : listed);
    sums = layout.add<std::int64_t>(batch);
    miq::detail::workspace_layout sorting, searching;
    keys = sorting.add<std::uint64_t>(all);
    payload = sorting.add<std::int32_t>(all);
    other_keys = sorting.add<std::uint64_t>(all);
    other_payload = sorting.add<std::int32_t>(all);
    partner = searching.add<std::int32_t>(batch * tokens);
    for (auto& side : counters) side = searching.add<std::int32_t>(batch * tokens);
    place = searching.add<std::int32_t>(batch * tokens);
    other_place = searching.add<std::int32_t>(batch * tokens);
    phase = layout.add<std::byte>(std::max(sorting.bytes(), searching.bytes()));
  }
};

template <int Most, class Machine>
void search_on_machine(const Machine& machine, const knn_channels& a, const knn_pairs& pairs,
                       const std::int32_t* partner, const std::int64_t* digamma, const knn_options& options,
                       std::int64_t* sums) {
  const auto rest = static_cast<std::int64_t>(1 / digamma_table::unit) / options.neighbours;
  machine.launch("knn: neighbours", knn_search_body<Most>{a, pairs, partner, digamma, options.neighbours,
                                                          options.variant == ksg_variant::second, rest, sums});
}

/// @param samples  [tokens, ...] in the machine's memory
/// @param columns  the channels that are used, of the samples; empty: the first `channels`
/// @param pairs    of their places, each in the order of the samples' columns; null: all, to mi [channels, leading]
/// @param result   there; holds what is known at the start
/// @param scratch  `knn_layout(tokens, channels, ...).layout.bytes()` bytes there, aligned
template <class Machine>
void knn_on_machine(const Machine& machine, const float* samples, std::int64_t samples_leading, std::int64_t tokens,
                    std::int64_t channels, std::span<const std::int64_t> columns,
                    const std::vector<channel_pair>* pairs, float* mi, std::int64_t mi_leading,
                    const knn_options& options, knn_result* result, std::byte* scratch) {
  const auto listed = pairs != nullptr ? static_cast<std::int64_t>(pairs->size()) : -1;
  if (listed == 0) return;
  const knn_layout at(tokens, channels, listed);
  const auto placed = [&]<class T>(T*& to, std::int64_t offset) { to = reinterpret_cast<T*>(scratch + offset); };
  knn_channels a;
  a.channels = channels;
  a.tokens = tokens;
  a.noise = options.noise;
  a.seed = options.seed;
  placed(a.values, at.values);
  placed(a.order, at.order);
  placed(a.first, at.first);
  for (int role = 0; role < 2; ++role) placed(a.places[role], at.places[role]);
  placed(a.each, at.each);
  placed(a.to_spread, at.to_spread);
  placed(a.keys, at.phase + at.keys);
  placed(a.payload, at.phase + at.payload);
  row_sort_body sort;
  sort.rows = channels;
  sort.columns = tokens;
  sort.keys = a.keys;
  sort.payload = a.payload;
  placed(sort.other_keys, at.phase + at.other_keys);
  placed(sort.other_payload, at.phase + at.other_payload);
  std::int64_t *used = nullptr, *digamma_values = nullptr, *sums = nullptr;
  channel_pair* list = nullptr;
  placed(used, at.columns);
  placed(digamma_values, at.digamma);
  placed(sums, at.sums);
  placed(list, at.pairs);
  if (listed > 0) {
    machine.store(columns.data(), channels, used);
    machine.store(pairs->data(), listed, list);
  }

  machine.launch("knn: psi", digamma_body{tokens + 1, digamma_values});
  machine.launch("knn: keys", knn_keys_body{samples, samples_leading, listed > 0 ? used : nullptr, a});
  machine.launch("knn: sort", sort);
  machine.launch("knn: fixed point", knn_standardise_body{a});
  sort.wanted = a.to_spread;
  machine.launch("knn: sort spread values", sort);
  machine.launch("knn: places", knn_places_body{a});
  machine.launch("knn: sort deals", sort);
  machine.launch("knn: other places", knn_other_places_body{a});
  machine.launch("knn: channels", knn_count_body{a, result});

  knn_arrange_body arrange;
  arrange.a = a;
  arrange.sums = sums;
  placed(arrange.partner, at.phase + at.partner);
  for (int side = 0; side < 2; ++side) placed(arrange.counters[side], at.phase + at.counters[side]);
  placed(arrange.place, at.phase + at.place);
  placed(arrange.other_place, at.phase + at.other_place);
  const auto count = listed < 0 ? miq::detail::upper_tiles(channels, 1) : listed;
  for (std::int64_t begin = 0; begin < count; begin += at.batch) {
    const knn_pairs batch{listed > 0 ? list : nullptr, channels, begin, std::min(at.batch, count - begin)};
    arrange.pairs = batch;
    machine.launch("knn: points", arrange);
    if (options.neighbours <= 4)
      search_on_machine<4>(machine, a, batch, arrange.partner, digamma_values, options, sums);
    else if (options.neighbours <= 16)
      search_on_machine<16>(machine, a, batch, arrange.partner, digamma_values, options, sums);
    else
      search_on_machine<0>(machine, a, batch, arrange.partner, digamma_values, options, sums);
    machine.launch("knn: estimates", knn_finish_body{a, batch, sums, knn_start(options, tokens), options.clip_negative,
                                                     mi, mi_leading, result});
  }
}

}  // namespace miq::information::detail
