// What `rank_correlation` does on a device, step by step, on a machine as histogram/schedule.hpp asks for.
#pragma once

#include <algorithm>
#include <cstdint>

#include <miq/core/detail/machine.hpp>
#include <miq/information/detail/histogram/schedule.hpp>
#include <miq/information/detail/rank_correlation/body.hpp>

namespace miq::information::detail {

/// How `rank_correlation` lays out its scratch.
struct rank_plan {
  static constexpr std::int64_t panel_channels = 512;
  /// Tokens whose products are summed in float before they go to double.
  static constexpr std::int64_t chain = 1024;

  std::int64_t tokens = 0;
  std::int64_t channels = 0;
  std::int64_t leading = 0;

  miq::detail::workspace_layout layout;
  sort_layout sorting;
  std::int64_t minimum, maximum, flags, table, scores;
  std::int64_t part = 0, sums = 0;

  rank_plan(std::int64_t token_count, std::int64_t channel_count, bool all_pairs)
      : tokens(token_count),
        channels(channel_count),
        leading((token_count + 3) / 4 * 4),
        sorting(layout, token_count, channel_count) {
    minimum = layout.add<float>(channels);
    maximum = layout.add<float>(channels);
    flags = layout.add<std::uint8_t>(channels);
    table = layout.add<float>(2 * tokens + 1);
    scores = layout.add<float>(channels * leading);
    if (!all_pairs) return;
    part = layout.add<float>(std::min(panel_channels, channels) * channels);
    sums = layout.add<double>(std::min(panel_channels, channels) * channels);
  }
};

/// Standardised normal scores of all channels, in `plan.scores`; counts what is said about channels in `result`, which
/// holds zeros before.
template <class Machine, class Block>
void score_channels(const Machine& machine, const rank_plan& plan, const Block& block,
                    matrix_view<const float, typename Machine::memory_space> samples, rank_correlation_result* result) {
  constexpr const char* name = "rank_correlation";
  auto* const flags = block.template at<std::uint8_t>(plan.flags);
  auto* const table = block.template at<float>(plan.table);
  machine.launch(name, score_table_body{plan.tokens, table});
  machine.launch(
      name, channel_range_body{samples.data(), samples.leading(), plan.tokens, plan.channels,
                               block.template at<float>(plan.minimum), block.template at<float>(plan.maximum), flags});
  for (std::int64_t first = 0; first < plan.channels; first += plan.sorting.channels_at_once) {
    const auto count = std::min(plan.sorting.channels_at_once, plan.channels - first);
    const auto* const sorted = sort_channels(machine, name, samples, first, count, sort_memory(plan.sorting, block));
    auto* const scores = block.template at<float>(plan.scores) + first * plan.leading;
    machine.launch(name, scores_body{samples.data() + first, samples.leading(), plan.tokens, count, sorted, table,
                                     scores, plan.leading});
    machine.launch(name, standard_scores_body{plan.tokens, count, flags + first, sorted, scores, plan.leading, result});
  }
}

/// All pairs. `result` holds zeros before.
template <class Machine, class Block>
void rank_correlation_of_all(const Machine& machine, const rank_plan& plan, const Block& block,
                             matrix_view<const float, typename Machine::memory_space> samples,
                             matrix_view<float, typename Machine::memory_space> mi, float max_correlation,
                             rank_correlation_result* result) {
  using miq::detail::operand;
  constexpr const char* name = "rank_correlation";
  score_channels(machine, plan, block, samples, result);
  auto* const scores = block.template at<float>(plan.scores);
  auto* const part = block.template at<float>(plan.part);
  auto* const sums = block.template at<double>(plan.sums);
  const auto limit = static_cast<double>(max_correlation);
  for (std::int64_t row = 0; row < plan.channels; row += rank_plan::panel_channels) {
    const auto rows = std::min(rank_plan::panel_channels, plan.channels - row), columns = plan.channels - row;
    const auto* const panel = scores + row * plan.leading;
    for (std::int64_t t = 0; t < plan.tokens; t += rank_plan::chain) {
      machine.multiply(name, operand::as_is, operand::transposed, rows, columns,
                       std::min(rank_plan::chain, plan.tokens - t), 1.0F, panel + t, plan.leading, panel + t,
                       plan.leading, 0.0F, part, columns);
      machine.launch(name, add_products_body{rows * columns, part, t == 0, sums});
    }
    machine.launch(
        name, rank_information_body{row, rows, plan.channels, sums, block.template at<std::uint8_t>(plan.flags),
                                    static_cast<double>(plan.tokens), limit * limit, mi.data(), mi.leading(), result});
  }
}

/// Listed pairs, in the machine's memory. `result` holds zeros before.
template <class Machine, class Block>
void rank_correlation_of_list(const Machine& machine, const rank_plan& plan, const Block& block,
                              matrix_view<const float, typename Machine::memory_space> samples,
                              vector_view<const channel_pair, typename Machine::memory_space> pairs,
                              vector_view<float, typename Machine::memory_space> mi, float max_correlation,
                              rank_correlation_result* result) {
  score_channels(machine, plan, block, samples, result);
  const auto limit = static_cast<double>(max_correlation);
  machine.launch("rank_correlation",
                 listed_rank_information_body{
                     plan.tokens, plan.channels, pairs.data(), pairs.size(), block.template at<float>(plan.scores),
                     plan.leading, block.template at<std::uint8_t>(plan.flags), limit * limit, mi.data(), result});
}

}  // namespace miq::information::detail
