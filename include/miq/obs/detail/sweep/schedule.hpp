// The sweep on a machine (core/detail/machine.hpp): what is launched in which order, and where it finds its scratch.
#pragma once

#include <algorithm>
#include <cstdint>

#include <miq/core/detail/machine.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/detail/selection/body.hpp>
#include <miq/obs/detail/sweep/body.hpp>

namespace miq::obs::detail {

/// How the columns are cut. Masks are chosen for `mask_block` columns at once; panels of at most `panel` columns are
/// settled by one launch each, and what they leave to the later columns of their span is one product each; what a span
/// leaves to the columns behind it is one product of `span` columns' depth, which makes the most of the arithmetic.
struct sweep_cut {
  bool chosen_together;
  std::int64_t mask_block;
  std::int64_t panel;
  std::int64_t span;

  explicit sweep_cut(const sweep_options& options) {
    constexpr auto widest = settle_panel_body<grid_kind::none>::widest;
    panel = options.mask == mask_scope::n_of_m ? widest / options.pattern_width * options.pattern_width : widest;
    chosen_together = options.mask == mask_scope::column_block || options.mask == mask_scope::row;
    mask_block = chosen_together ? options.column_block : panel;
    span = std::max<std::int64_t>(1, 4 * widest / mask_block) * mask_block;
  }
};

/// The scratch of a sweep on a device.
struct device_sweep_scratch {
  device_sweep_scratch(std::int64_t rows, std::int64_t columns, const sweep_options& options)
      : cut(options),
        leading((columns + 31) / 32 * 32),
        errors_leading((std::min(columns, cut.span) + 31) / 32 * 32),
        mask_leading((std::min(columns, cut.mask_block) + 31) / 32 * 32),
        tie_blocks(options.mask == mask_scope::column_block
                       ? std::max(blocks_of_rows(rows, std::min(columns, cut.mask_block)),
                                  blocks_of_rows(rows, last_mask_block(columns)))
                       : 0),
        work(layout.add<float>(rows * leading)),
        errors(layout.add<float>(rows * errors_leading)),
        units(layout.add<float>(columns)),
        mask(layout.add<std::uint8_t>(cut.chosen_together ? rows * mask_leading : 0)),
        // What follows begins as zeros.
        cleared(layout.add<std::int64_t>(options.mask == mask_scope::column_block ? selection_words : 0)),
        loss(layout.add<double>(rows)),
        ties(layout.add<std::int64_t>(tie_blocks)) {}

  std::int64_t last_mask_block(std::int64_t columns) const {
    const auto rest = columns % cut.mask_block;
    return rest == 0 ? std::min(columns, cut.mask_block) : rest;
  }

  miq::detail::workspace_layout layout;
  sweep_cut cut;
  std::int64_t leading;         // of `work`
  std::int64_t errors_leading;  // of `errors`
  std::int64_t mask_leading;    // of `mask`
  std::int64_t tie_blocks;
  std::int64_t work;     // [rows, columns]: weights in float, updated so far; settled ones stay
  std::int64_t errors;   // [rows, span]
  std::int64_t units;    // [columns]
  std::int64_t mask;     // [rows, mask block]
  std::int64_t cleared;  // histograms and states of the selection
  std::int64_t loss;     // [rows]
  std::int64_t ties;     // [blocks of a selection]
};

/// Enqueues a sweep whose arguments have been checked. `memory` carves the layout out of a block.
template <class Machine, class Memory, class Space, class T>
void sweep_on_machine(const Machine& machine, const device_sweep_scratch& plan, const Memory& memory,
                      const sweep_inputs<Space, T>& in, const sweep_outputs<Space, T>& out,
                      const sweep_options& options, device_sweep_result* counters) {
  const char* const name = "sweep";
  const auto rows = in.weights.rows();
  const auto columns = in.weights.columns();
  const auto& cut = plan.cut;
  auto* const work = memory.template at<float>(plan.work);
  auto* const errors = memory.template at<float>(plan.errors);
  auto* const mask = memory.template at<std::uint8_t>(plan.mask);
  auto* const loss = memory.template at<double>(plan.loss);
  auto* const histograms = memory.template at<std::int64_t>(plan.cleared);
  const auto floor_share = [&](std::int64_t of) {
    return static_cast<std::int64_t>(options.sparsity * static_cast<double>(of));
  };

  // Histograms and losses are contiguous.
  machine.launch(name, clear_body{(plan.loss - plan.cleared) / 8 + rows, histograms});
  machine.launch(name, clear_body{static_cast<std::int64_t>(sizeof(device_sweep_result)) / 8,
                                  reinterpret_cast<std::int64_t*>(counters)});
  machine.launch(name,
                 convert_body<T, float>{rows, columns, in.weights.data(), in.weights.leading(), work, plan.leading});
  const float* units = in.column_saliency.data();
  if (in.column_saliency.empty()) {
    auto* const own = memory.template at<float>(plan.units);
    machine.launch(name, obs_saliency_body{columns, in.upper.data(), in.upper.leading(), own});
    units = own;
  }

  sweep_grids grids;
  if (in.grids) {
    const auto& from = *in.grids;
    const bool shared = from.scale.rows() == 1;
    grids = {
        from.scale.data(), shared ? 0 : from.scale.leading(), from.zero.data(),       shared ? 0 : from.zero.leading(),
        from.bits.data(),  from.column_grid.data(),           from.row_factor.data(), from.bits.size(),
        from.symmetry};
  }

  // One panel; `chosen` is its mask, or null.
  const auto settle = [&](std::int64_t first, std::int64_t width, std::int64_t span_first, const std::uint8_t* chosen,
                          std::int64_t chosen_leading) {
    const auto with = [&](auto body) {
      body.rows = rows;
      body.width = width;
      body.work = work + first;
      body.work_leading = plan.leading;
      body.upper = in.upper.data() + first * in.upper.leading() + first;
      body.upper_leading = in.upper.leading();
      body.errors = errors + (first - span_first);
      body.errors_leading = plan.errors_leading;
      body.mask = chosen;
      body.mask_leading = chosen_leading;
      body.units = units + first;
      if (options.mask == mask_scope::n_of_m) {
        body.pattern_kept = options.pattern_kept;
        body.pattern_width = options.pattern_width;
      }
      body.grids = grids;
      if (in.grids) body.grids.column_grid += first;
      if (!out.codes.empty()) body.codes = out.codes.data() + first;
      body.codes_leading = out.codes.leading();
      if (!out.kept.empty()) body.kept = out.kept.data() + first;
      body.kept_leading = out.kept.leading();
      body.loss = loss;
      body.counters = counters;
      machine.launch(name, body);
    };
    if (!in.grids)
      with(settle_panel_body<grid_kind::none>{});
    else if (in.grids->symmetry == quantization::grid_symmetry::zero_free)
      with(settle_panel_body<grid_kind::zero_free>{});
    else
      with(settle_panel_body<grid_kind::affine>{});
  };

  // Takes the errors of `depth` columns out of the `width` columns from `to` on.
  const auto subtract_product = [&](std::int64_t width, std::int64_t depth, const float* of, const float* upper,
                                    float* to) {
    using miq::detail::operand;
    machine.multiply(name, operand::as_is, operand::as_is, rows, width, depth, -1.0F, of, plan.errors_leading, upper,
                     in.upper.leading(), 1.0F, to, plan.leading);
  };

  for (std::int64_t span_first = 0; span_first < columns; span_first += cut.span) {
    const auto span_last = std::min(columns, span_first + cut.span);
    for (auto block = span_first; block < span_last; block += cut.mask_block) {
      const auto block_last = std::min(columns, block + cut.mask_block);
      const auto width = block_last - block;
      if (options.mask == mask_scope::column_block) {
        const selection<float> all{rows,
                                   width,
                                   work + block,
                                   plan.leading,
                                   units + block,
                                   floor_share(rows * width),
                                   histograms,
                                   reinterpret_cast<selection_state*>(histograms + digits * digit_bins),
                                   memory.template at<std::int64_t>(plan.ties)};
        mask_least_salient(machine, name, all, mask, plan.mask_leading);
      } else if (options.mask == mask_scope::row) {
        mask_segments(machine, name, rows, width, width, floor_share(width), 0, work + block, plan.leading,
                      units + block, mask, plan.mask_leading);
      }
      for (auto first = block; first < block_last; first += cut.panel) {
        const auto last = std::min(block_last, first + cut.panel);
        if (options.mask == mask_scope::given)
          settle(first, last - first, span_first, in.kept.data() + first, in.kept.leading());
        else if (cut.chosen_together)
          settle(first, last - first, span_first, mask + (first - block), plan.mask_leading);
        else
          settle(first, last - first, span_first, nullptr, 0);
        subtract_product(span_last - last, last - first, errors + (first - span_first),
                         in.upper.data() + first * in.upper.leading() + last, work + last);
      }
    }
    subtract_product(columns - span_last, span_last - span_first, errors,
                     in.upper.data() + span_first * in.upper.leading() + span_last, work + span_last);
  }
  machine.launch(name, sum_losses_body{rows, loss, out.row_loss.data(), counters});
  if (!out.weights.empty())
    machine.launch(
        name, convert_body<float, T>{rows, columns, work, plan.leading, out.weights.data(), out.weights.leading()});
}

}  // namespace miq::obs::detail
