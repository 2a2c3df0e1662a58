// One layer: target, mask, refit, bits, grids, sweep. Everything here is in the order of the sweep until the end.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <miq/core/detail/finite.hpp>
#include <miq/detail/compress_bits.hpp>
#include <miq/detail/compress_prepare.hpp>

namespace miq::detail {

/// The weights with the columns that never carried a signal set to 0, so that masks take them first.
inline matrix<float> without_dead_columns(matrix_view<const float> weights,
                                          const calibration::statistics_view<>& seen) {
  matrix<float> result(weights);
  for (std::int64_t c = 0; c < weights.columns(); ++c)
    if (seen.covariance(c, c) == 0 && seen.mean[c] == 0)
      for (std::int64_t r = 0; r < weights.rows(); ++r) result(r, c) = 0;
  return result;
}

/// A layer on its way.
class layer_compression {
 public:
  layer_compression(const host_executor& exec, matrix_view<const float> given,
                    const calibration::statistics_view<>& seen, const prepared_inputs& shared,
                    const compress_options& options, const progress_callback& progress)
      : exec_(exec),
        given_(given),
        seen_(seen),
        shared_(shared),
        options_(options),
        progress_(progress),
        rows_(given.rows()),
        columns_(given.columns()) {}

  compressed_layer run() {
    check();
    compressed_layer layer;
    layer.groups = shared_.groups;
    layer.weights = matrix<float>(rows_, columns_);
    layer.kept = matrix<std::uint8_t>(rows_, columns_);
    layer.row_loss.resize(static_cast<std::size_t>(rows_));
    auto& report = layer.report;
    report.damping = shared_.factor.damping;
    report.damping_raised = shared_.factor.raised;
    report.dead = shared_.factor.dead;
    set_out(report);
    const bool masks_first = chooses_mask_first(options_) && (options_.quantise || refits() || searches());
    if (masks_first) choose_mask(layer);
    sweep(layer, masks_first ? 0.6 : 0);
    finish(layer);
    return layer;
  }

 private:
  bool refits() const { return options_.refit_iterations >= 0; }
  bool searches() const { return options_.method == mask_method::search; }

  void check() const {
    check_compress_options(options_);
    require(!given_.empty(), "compress: weights must not be empty, got ", shape_text(rows_, columns_));
    require(seen_.columns() == columns_ && shared_.upper.columns() == columns_ && shared_.groups.columns() == columns_,
            "compress: statistics and prepared inputs must describe the weights' ", columns_, " columns, got ",
            seen_.columns(), " and ", shared_.upper.columns());
    require(
        !needs_hessian(options_) || shared_.hessian.columns() == columns_,
        "compress: prepared inputs hold no hessian, which target, mask search and refit need; prepare them with the "
        "same options");
    if (shared_.drift)
      require(shared_.drift->moment.rows() == columns_ && shared_.drift->moment.columns() == columns_ &&
                  static_cast<std::int64_t>(shared_.drift->second_mean.size()) == columns_,
              "compress: drift of the prepared inputs must be ", shape_text(columns_, columns_), ", got ",
              shape_text(shared_.drift->moment.rows(), shared_.drift->moment.columns()));
    require_finite(exec_, given_, "compress", "weights");
  }

  /// Weights, target and labels in the order of the sweep.
  void set_out(layer_report& report) {
    const auto live = shared_.factor.dead > 0 ? without_dead_columns(given_, seen_) : matrix<float>();
    dense_ = columns_in_order<float>(live.empty() ? given_ : live.view(), shared_.order, exec_.resource());
    labels_.assign(shared_.groups.labels().begin(), shared_.groups.labels().end());
    if (!shared_.order.empty())
      for (std::size_t c = 0; c < labels_.size(); ++c)
        labels_[c] = shared_.groups.labels()[static_cast<std::size_t>(shared_.order[c])];
    column_cost_.resize(static_cast<std::size_t>(columns_));
    for (std::int64_t c = 0; c < columns_; ++c)
      column_cost_[static_cast<std::size_t>(c)] = 1 / (shared_.upper(c, c) * shared_.upper(c, c));
    if (!shared_.drift || options_.target_strength == 0) return;
    const phase_timer timer(report.seconds.target);
    report_progress(progress_, "target", 0);
    matrix_view<const float> moment = shared_.drift->moment;
    matrix<float> ordered;
    if (!shared_.order.empty()) {
      ordered = square_in_order(moment, shared_.order, exec_.resource());
      moment = ordered;
    }
    target_ = matrix<float>(rows_, columns_, exec_.resource());
    matrix<float> held = shared_.hessian;
    obs::add_target_ridge(exec_, dense_.view(), held.view(), options_.target_ridge);
    matrix<float> upper(columns_, columns_, exec_.resource());
    obs::factor(exec_, held, upper.view(), options_.factor);
    const auto shifted = obs::shift_target(exec_, dense_.view(), moment, upper.view(), target_.view(),
                                           {.strength = options_.target_strength});
    report.target_change = shifted.change;
  }

  /// What the layer should compute.
  matrix_view<const float> target() const { return target_.empty() ? dense_.view() : target_.view(); }
  /// What the sweep that quantises begins with.
  matrix_view<const float> start() const { return start_.empty() ? target() : start_.view(); }

  std::vector<float> column_saliency() const {
    std::vector<float> of(static_cast<std::size_t>(columns_), 1.0F);
    for (std::int64_t c = 0; c < columns_; ++c) {
      const auto own = shared_.order.empty() ? c : shared_.order[static_cast<std::size_t>(c)];
      auto& value = of[static_cast<std::size_t>(c)];
      if (options_.saliency == mask_saliency::obs) value = 1 / shared_.upper(c, c);
      if (options_.saliency == mask_saliency::wanda)
        value = std::sqrt(seen_.covariance(own, own) + seen_.mean[own] * seen_.mean[own]);
    }
    return of;
  }

  obs::sweep_options sweep_options_of(obs::mask_rule mask) const {
    return {.mask = mask,
            .sparsity = options_.sparsity,
            .column_block = options_.column_block,
            .pattern_kept = options_.pattern_kept,
            .pattern_width = options_.pattern_width};
  }

  /// Selects the mask at once, by saliencies; N:M groups are those of the layer's own order.
  void select(std::span<const float> saliency) {
    const bool pattern = options_.mask == obs::mask_rule::n_of_m;
    const obs::mask_options how{.scope = pattern                                    ? obs::selection_scope::n_of_m
                                         : options_.mask == obs::mask_rule::per_row ? obs::selection_scope::row
                                                                                    : obs::selection_scope::layer,
                                .sparsity = options_.sparsity,
                                .pattern_kept = options_.pattern_kept,
                                .pattern_width = options_.pattern_width};
    if (!pattern || shared_.order.empty()) {
      obs::select_mask(exec_, target(), saliency, mask_.view(), how);
      return;
    }
    auto own = matrix<float>(target(), exec_.resource());
    columns_from_order(own, shared_.order, exec_.resource());
    std::vector<float> own_saliency(saliency.size());
    for (std::size_t c = 0; c < saliency.size(); ++c)
      own_saliency[static_cast<std::size_t>(shared_.order[c])] = saliency[c];
    obs::select_mask(exec_, own.view(), own_saliency, mask_.view(), how);
    mask_ = columns_in_order<std::uint8_t>(mask_.view(), shared_.order, exec_.resource());
  }

  void choose_mask(compressed_layer& layer) {
    auto& report = layer.report;
    mask_ = matrix<std::uint8_t>(rows_, columns_, exec_.resource());
    {
      const phase_timer timer(report.seconds.mask);
      const auto saliency = column_saliency();
      if (options_.method == mask_method::selection) {
        report_progress(progress_, "mask", 0.1);
        select(saliency);
      } else {
        if (searches() || refits()) start_ = matrix<float>(rows_, columns_, exec_.resource());
        obs::sweep(exec_, {.weights = target(), .upper = shared_.upper, .column_saliency = saliency},
                   {.weights = start_, .kept = mask_}, sweep_options_of(options_.mask), {},
                   part_of(progress_, 0, 0.2, "mask"));
      }
      if (searches()) search(report);
    }
    if (!refits()) {
      // The sweep makes up for what is masked, from the weights as they were.
      start_ = {};
      return;
    }
    const phase_timer timer(report.seconds.refit);
    matrix<float> fitted(rows_, columns_, exec_.resource());
    const auto result = obs::refit(
        exec_, {.target = target(), .hessian = shared_.hessian, .kept = mask_, .start = start_},
        {.weights = fitted, .row_loss = layer.row_loss},
        {.iterations = options_.refit_iterations, .damping = shared_.factor.damping, .rule = options_.factor.rule}, {},
        part_of(progress_, 0.4, 0.6, "refit"));
    start_ = std::move(fitted);
    report.refit_loss = result.loss;
    for (const double loss : layer.row_loss) report.pruning_loss += loss;
  }

  /// The groups that share widths, which may be parts of those that were prepared.
  void set_groups(std::vector<std::int32_t> labels, grouping::partition& groups) {
    labels_ = std::move(labels);
    auto natural = labels_;
    if (!shared_.order.empty())
      for (std::size_t c = 0; c < labels_.size(); ++c) natural[static_cast<std::size_t>(shared_.order[c])] = labels_[c];
    groups = grouping::partition(std::move(natural));
  }

  void search(layer_report& report) {
    auto how = options_.search;
    how.scope = options_.mask == obs::mask_rule::per_row ? obs::mask_scope::row : obs::mask_scope::layer;
    how.damping = shared_.factor.damping;
    how.rule = options_.factor.rule;
    matrix<std::uint8_t> found(rows_, columns_, exec_.resource());
    matrix<float> weights(rows_, columns_, exec_.resource());
    const auto result =
        obs::mask_search(exec_, {.target = target(), .hessian = shared_.hessian, .kept = mask_, .start = start_},
                         {.kept = found, .weights = weights}, how, {}, part_of(progress_, 0.2, 0.4, "mask"));
    report.exchanged = result.changed;
    mask_ = std::move(found);
    start_ = std::move(weights);
  }

  void sweep(compressed_layer& layer, double begun) {
    auto& report = layer.report;
    obs::sweep_inputs<> in{.weights = start(), .upper = shared_.upper};
    auto mask_rule = options_.mask;
    std::vector<float> saliency;
    if (!mask_.empty()) {
      mask_rule = obs::mask_rule::given;
      in.kept = mask_;
    } else {
      saliency = column_saliency();
      in.column_saliency = saliency;
    }
    quantization::grid_set_view<> grids;
    if (options_.quantise) {
      {
        const phase_timer timer(report.seconds.allocation);
        report_progress(progress_, "allocation", begun);
        auto choice =
            bits_problem{exec_, start(), mask_, labels_, column_cost_, seen_, shared_, options_}.solve(report);
        layer.bits = std::move(choice.bits);
        importances_ = std::move(choice.importances);
        set_groups(std::move(choice.labels), layer.groups);
      }
      const phase_timer timer(report.seconds.fit);
      const std::vector<std::uint8_t> widths(layer.bits.begin(), layer.bits.end());
      const bool weighted = options_.fit.range == quantization::range_rule::clip_search;
      layer.grids = quantization::fit_grids(exec_, start(), labels_, widths, options_.fit,
                                            weighted ? std::span<const float>(column_cost_) : std::span<const float>(),
                                            in.kept, &report.fit);
      layer.codes = matrix<std::uint8_t>(rows_, columns_);
      grids = layer.grids.view();
      in.grids = &grids;
    } else {
      layer.bits.assign(static_cast<std::size_t>(shared_.groups.groups()), 16);
    }
    const phase_timer timer(report.seconds.sweep);
    std::vector<double> row_loss(static_cast<std::size_t>(rows_));
    const auto result = obs::sweep(
        exec_, in, {.weights = layer.weights, .codes = layer.codes, .kept = layer.kept, .row_loss = row_loss},
        sweep_options_of(mask_rule), {}, part_of(progress_, begun, 1));
    for (std::size_t r = 0; r < row_loss.size(); ++r) layer.row_loss[r] += row_loss[r];
    report.loss = report.pruning_loss + result.loss;
    report.clamped = result.clamped;
  }

  /// Back to the layer's own order, and the report.
  void finish(compressed_layer& layer) const {
    columns_from_order(layer.weights, shared_.order, exec_.resource());
    columns_from_order(layer.codes, shared_.order, exec_.resource());
    columns_from_order(layer.kept, shared_.order, exec_.resource());
    if (!shared_.order.empty() && options_.quantise) {
      const auto from = layer.grids.column_grid;
      const bool own = quantization::has_column_scales(layer.grids.layout);
      const auto bits = layer.grids.bits;
      for (std::size_t c = 0; c < from.size(); ++c) {
        const auto to = static_cast<std::size_t>(shared_.order[c]);
        layer.grids.column_grid[to] = own ? static_cast<std::int32_t>(to) : from[c];
        if (own) layer.grids.bits[to] = bits[c];
      }
      if (own) {
        columns_from_order(layer.grids.scale, shared_.order, exec_.resource());
        columns_from_order(layer.grids.zero, shared_.order, exec_.resource());
      }
    }
    set_bias_change(layer);

    auto& report = layer.report;
    report.storage = options_.quantise ? quantization::storage_of(layer.kept, layer.grids, layer.groups.labels(),
                                                                  layer.groups.groups())
                                       : quantization::storage_of_unquantised(layer.kept);
    const auto kept_columns = quantization::detail::kept_by_column(layer.kept);
    report.groups.resize(layer.bits.size());
    for (std::int64_t g = 0; g < layer.groups.groups(); ++g) {
      auto& group = report.groups[static_cast<std::size_t>(g)];
      group.parent = shared_.groups.labels()[static_cast<std::size_t>(layer.groups.members(g).front())];
      group.columns = layer.groups.size(g);
      group.bits = layer.bits[static_cast<std::size_t>(g)];
      if (!importances_.empty()) group.importance = importances_[static_cast<std::size_t>(g)];
      for (const auto c : layer.groups.members(g)) group.kept += kept_columns[static_cast<std::size_t>(c)];
    }
    if (shared_.mi.empty()) return;
    const auto information = grouping::describe_groups(exec_, shared_.mi, layer.groups);
    for (std::size_t g = 0; g < report.groups.size(); ++g) {
      report.groups[g].mi_within = information.within[g];
      report.groups[g].mi_between = information.between[g];
    }
  }

  void set_bias_change(compressed_layer& layer) const {
    std::vector<float> dense_mean(seen_.mean.begin(), seen_.mean.end());
    if (shared_.drift)
      for (std::size_t c = 0; c < dense_mean.size(); ++c) dense_mean[c] += shared_.drift->second_mean[c];
    std::vector<float> wanted(static_cast<std::size_t>(rows_));
    layer.bias_change.resize(static_cast<std::size_t>(rows_));
    obs::mean_output(exec_, given_, vector_view<const float>(dense_mean), vector_view<float>(wanted));
    obs::correct_bias(exec_, matrix_view<const float>(layer.weights), seen_.mean, vector_view<const float>(wanted), {},
                      vector_view<float>(layer.bias_change));
  }

  const host_executor& exec_;
  matrix_view<const float> given_;
  const calibration::statistics_view<>& seen_;
  const prepared_inputs& shared_;
  const compress_options& options_;
  const progress_callback& progress_;
  std::int64_t rows_;
  std::int64_t columns_;
  matrix<float> dense_;   // without columns that never carried a signal
  matrix<float> target_;  // empty: dense_
  matrix<float> start_;   // empty: the target
  matrix<std::uint8_t> mask_;
  std::vector<std::int32_t> labels_;
  std::vector<float> column_cost_;
  std::vector<double> importances_;
};

}  // namespace miq::detail
