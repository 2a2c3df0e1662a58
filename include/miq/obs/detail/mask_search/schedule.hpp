// The search for a mask on a machine that runs kernel bodies, multiplies and factors matrices: the order of it all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <miq/core/detail/machine.hpp>
#include <miq/core/error.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/detail/mask_search/body.hpp>
#include <miq/obs/detail/selection/layer_body.hpp>
#include <miq/obs/detail/solver/damped_diagonal_body.hpp>
#include <miq/obs/detail/solver/invalid_values_body.hpp>
#include <miq/obs/mask_search_options.hpp>

namespace miq::obs::detail {

/// Scratch of a search on a device, of which the factor gets `for_factor` bytes.
struct mask_search_device_scratch {
  mask_search_device_scratch(std::int64_t rows, std::int64_t columns, const mask_search_options& options,
                             std::int64_t for_factor)
      : factor_bytes(for_factor) {
    both = layout.add<float>(rows * columns);
    moved = layout.add<float>(rows * columns);
    halfway = layout.add<float>(rows * columns);
    damped = layout.add<float>(columns * columns);
    upper = layout.add<float>(columns * columns);
    units = layout.add<float>(columns);
    diagonal = layout.add<float>(columns);
    words = fixed_words + options.levels * std::int64_t{options.iterations};
    if (options.scope != mask_scope::row) {
      counts = layout.add<std::int64_t>(columns);
      members = layout.add<std::int64_t>(columns);
      begins = layout.add<std::int64_t>(columns + 1);
      histograms = layout.add<std::int64_t>(layer_groups * digit_bins);
      states = layout.add<selection_state>(layer_groups);
      ties = layout.add<std::int64_t>(layer_most_chunks);
    }
    results = layout.add<std::int64_t>(words);
    factor = layout.add<std::byte>(for_factor);
  }

  /// In front of the exchanges of each iteration: invalid values, groups, overflown values, weights changed.
  static constexpr std::int64_t fixed_words = 4;

  miq::detail::workspace_layout layout;
  std::int64_t both = 0, moved = 0, halfway = 0;     // [rows, columns]
  std::int64_t damped = 0, upper = 0;                // [columns, columns]
  std::int64_t units = 0, diagonal = 0;              // [columns]
  std::int64_t counts = 0, members = 0, begins = 0;  // [columns], [columns], [columns + 1]
  std::int64_t histograms = 0, states = 0, ties = 0;
  std::int64_t results = 0, words = 0;
  std::int64_t factor = 0, factor_bytes = 0;
};

/// Runs a search. Besides what core/detail/machine.hpp says a machine has
///
///     double factor(columns, damped, upper, penalty, scratch, bytes)   // own_diagonal; the penalty that was used
template <class Machine>
class mask_search_steps {
 public:
  template <class Space, class Memory>
  mask_search_steps(const Machine& machine, const mask_search_inputs<Space>& in, const mask_search_outputs<Space>& out,
                    const mask_search_options& options, const mask_search_device_scratch& plan, const Memory& memory)
      : machine_(machine),
        options_(options),
        hessian_(in.hessian.data()),
        leading_(in.hessian.leading()),
        labels_(options.scope == mask_scope::column_group ? in.labels.data() : nullptr),
        half_(memory.template at<float>(plan.halfway)),
        damped_(memory.template at<float>(plan.damped)),
        upper_(memory.template at<float>(plan.upper)),
        units_(memory.template at<float>(plan.units)),
        diagonal_(memory.template at<float>(plan.diagonal)),
        results_(memory.template at<std::int64_t>(plan.results)),
        words_(plan.words),
        factor_(memory.template at<std::byte>(plan.factor)),
        factor_bytes_(plan.factor_bytes) {
    a_.rows = in.target.rows();
    a_.columns = in.target.columns();
    a_.target = in.target.data();
    a_.target_leading = in.target.leading();
    if (!in.start.empty()) {
      a_.start = in.start.data();
      a_.start_leading = in.start.leading();
    }
    a_.given = in.kept.data();
    a_.given_leading = in.kept.leading();
    a_.kept = out.kept.data();
    a_.kept_leading = out.kept.leading();
    a_.weights = out.weights.data();
    a_.weights_leading = out.weights.leading();
    a_.both = memory.template at<float>(plan.both);
    a_.moved = memory.template at<float>(plan.moved);
    a_.diagonal = diagonal_;
    if (options.scope == mask_scope::row) return;
    counts_ = memory.template at<std::int64_t>(plan.counts);
    members_ = memory.template at<std::int64_t>(plan.members);
    begins_ = memory.template at<std::int64_t>(plan.begins);
    selection_.rows = a_.rows;
    selection_.values = a_.both;
    selection_.leading = a_.columns;
    selection_.units = units_;
    selection_.members = members_;
    selection_.begins = begins_;
    selection_.counts = counts_;
    selection_.histograms = memory.template at<std::int64_t>(plan.histograms);
    selection_.states = memory.template at<selection_state>(plan.states);
    selection_.ties = memory.template at<std::int64_t>(plan.ties);
    selection_.kept = a_.kept;
    selection_.kept_leading = a_.kept_leading;
  }

  mask_search_result run() {
    begin();
    mask_search_result result;
    double penalty = options_.penalty, before = 0;
    std::int64_t* exchanged = results_ + mask_search_device_scratch::fixed_words;
    for (int level = 0; level < options_.levels; ++level) {
      const double used = machine_.factor(a_.columns, damped_, upper_, penalty, factor_, factor_bytes_);
      if (before > 0) machine_.launch("mask_search: scale", search_scale_body{a_, static_cast<float>(before / used)});
      before = used;
      result.penalties.push_back(used);
      for (int k = 0; k < options_.iterations; ++k) iterate(static_cast<float>(used), exchanged++);
      penalty = std::max(penalty, before) * options_.penalty_factor;
    }
    machine_.launch("mask_search: finish", search_finish_body{a_, results_ + 3});
    std::vector<std::int64_t> seen(static_cast<std::size_t>(words_));
    machine_.fetch(results_, words_, seen.data());
    if (seen[2] > 0) throw numerical_error("mask_search: the products overflowed");
    result.changed = seen[3];
    result.exchanged.assign(seen.begin() + mask_search_device_scratch::fixed_words, seen.end());
    return result;
  }

 private:
  /// H + D, the start, and how many weights are to be kept where. Outputs are written when the inputs are known to be
  /// good.
  void begin() {
    const auto invalid = [&](const float* values, std::int64_t leading, std::int64_t rows, bool hessian) {
      machine_.launch("mask_search: invalid values",
                      invalid_values_body{values, leading, rows, a_.columns, hessian, results_});
    };
    machine_.launch("mask_search: clear", clear_words_body{results_, words_});
    invalid(a_.target, a_.target_leading, a_.rows, false);
    if (a_.start != nullptr) invalid(a_.start, a_.start_leading, a_.rows, false);
    invalid(hessian_, leading_, a_.columns, true);
    if (options_.scope != mask_scope::row) {
      machine_.launch("mask_search: members", group_members_body{labels_, a_.columns, members_, results_});
      machine_.launch("mask_search: groups", group_begins_body{labels_, a_.columns, members_, begins_, results_ + 1});
    }
    std::int64_t seen[2] = {};
    machine_.fetch(results_, 2, seen);
    miq::detail::require(seen[0] == 0, "mask_search: target, start and hessian must be finite, its diagonal not ",
                         "negative, labels 0 to ", a_.columns - 1, ", got ", seen[0], " values that are not");
    groups_ = seen[1];

    machine_.launch("mask_search: diagonal", damped_diagonal_body{hessian_, leading_, a_.columns, options_.damping,
                                                                  options_.rule, diagonal_, nullptr, units_});
    machine_.launch("mask_search: damped", damped_matrix_body{hessian_, leading_, a_.columns, diagonal_, damped_});
    machine_.launch("mask_search: load", search_load_body{a_});
    if (options_.scope == mask_scope::row) return;
    machine_.launch("mask_search: clear", clear_words_body{counts_, a_.columns});
    machine_.launch("mask_search: clear", clear_words_body{selection_.histograms, layer_groups * digit_bins});
    auto of = selection_;
    of.groups = groups_;
    of.chunks = layer_chunks(a_.rows, groups_);
    machine_.launch("mask_search: count", layer_count_body{of, counts_});
  }

  void iterate(float penalty, std::int64_t* exchanged) {
    machine_.launch("mask_search: weigh", search_weigh_body{a_, penalty});
    multiply_by_inverse();
    machine_.launch("mask_search: advance", search_advance_body{a_, results_ + 2});
    if (options_.scope == mask_scope::row) {
      row_select_body body;
      body.rows = a_.rows;
      body.columns = a_.columns;
      body.values = a_.both;
      body.leading = a_.columns;
      body.units = units_;
      body.kept = a_.kept;
      body.kept_leading = a_.kept_leading;
      body.entered = exchanged;
      machine_.launch("mask_search: select", body);
      return;
    }
    selection_.entered = exchanged;
    keep_largest_of_layer(machine_, "mask_search: select", selection_, groups_);
  }

  /// moved = moved U^T U, a block of columns at a time, leaving out what is 0 in U.
  void multiply_by_inverse() const {
    using miq::detail::operand;
    const char* const name = "mask_search: product";
    constexpr std::int64_t block = 512;
    const auto n = a_.columns;
    for (std::int64_t first = 0; first < n; first += block)
      machine_.multiply(name, operand::as_is, operand::transposed, a_.rows, std::min(block, n - first), n - first, 1.0F,
                        a_.moved + first, n, upper_ + first * n + first, n, 0.0F, half_ + first, n);
    for (std::int64_t first = 0; first < n; first += block) {
      const auto width = std::min(block, n - first);
      machine_.multiply(name, operand::as_is, operand::as_is, a_.rows, width, first + width, 1.0F, half_, n,
                        upper_ + first, n, 0.0F, a_.moved + first, n);
    }
  }

  const Machine& machine_;
  mask_search_options options_;
  const float* hessian_;
  std::int64_t leading_;
  const std::int32_t* labels_;
  search_arrays a_;
  layer_selection selection_;
  float* half_;
  float* damped_;
  float* upper_;
  float* units_;
  float* diagonal_;
  std::int64_t* counts_ = nullptr;
  std::int64_t* members_ = nullptr;
  std::int64_t* begins_ = nullptr;
  std::int64_t* results_;
  std::int64_t words_;
  std::byte* factor_;
  std::int64_t factor_bytes_;
  std::int64_t groups_ = 0;
};

}  // namespace miq::obs::detail
