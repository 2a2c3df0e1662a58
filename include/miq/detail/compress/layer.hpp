// One layer: target, mask, refit, bits, grids, sweep. Everything here is in the order of the sweep until the end.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <miq/calibration/statistics.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/core/progress.hpp>
#include <miq/detail/column_order/permutation.hpp>
#include <miq/detail/compress/bits.hpp>
#include <miq/detail/compress/checks.hpp>
#include <miq/detail/compress/layer_backend.hpp>
#include <miq/detail/compress/phase_timer.hpp>
#include <miq/obs/mask_options.hpp>
#include <miq/obs/refit_options.hpp>
#include <miq/obs/target_options.hpp>
#include <miq/quantization/detail/storage/counts.hpp>

namespace miq::detail {

/// A layer on its way, on host or device.
template <layer_backend Backend>
class layer_compression {
  using given_weights = typename Backend::given_weights;
  using layer_type = typename Backend::layer;
  using weight_view = typename Backend::template view<float>;
  using byte_view = typename Backend::template view<std::uint8_t>;
  template <class T>
  using owned = typename Backend::template owned<T>;

 public:
  layer_compression(const Backend& backend, const given_weights& given,
                    const calibration::statistics_view<typename Backend::space>& statistics,
                    const typename Backend::inputs& shared, const compress_options& options,
                    const progress_callback& progress)
      : backend_(backend),
        given_(given),
        statistics_(statistics),
        shared_(shared),
        options_(options),
        progress_(progress),
        rows_(given.rows()),
        columns_(given.columns()) {}

  layer_type run() {
    check();
    layer_type layer;
    layer.groups = shared_.groups;
    layer.weights = backend_.template result<float>(rows_, columns_);
    layer.kept = backend_.template result<std::uint8_t>(rows_, columns_);
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
    require(rows_ > 0 && columns_ > 0, "compress: weights must not be empty, got ", shape_text(rows_, columns_));
    require(statistics_.columns() == columns_ && shared_.upper.columns() == columns_ &&
                shared_.groups.columns() == columns_,
            "compress: statistics and prepared inputs must describe the weights' ", columns_, " columns, got ",
            statistics_.columns(), " and ", shared_.upper.columns());
    require(
        !needs_hessian(options_) || shared_.hessian.columns() == columns_,
        "compress: prepared inputs hold no hessian, which target, mask search and refit need; prepare them with the "
        "same options");
    if (shared_.drift)
      require(shared_.drift->moment.rows() == columns_ && shared_.drift->moment.columns() == columns_ &&
                  static_cast<std::int64_t>(shared_.drift->second_mean.size()) == columns_,
              "compress: drift of the prepared inputs must be ", shape_text(columns_, columns_), ", got ",
              shape_text(shared_.drift->moment.rows(), shared_.drift->moment.columns()));
    backend_.require_finite(given_);
  }

  /// Weights, target and labels in the order of the sweep.
  void set_out(layer_report& report) {
    const auto variance = backend_.diagonal(statistics_.covariance);
    mean_ = backend_.fetch(statistics_.mean);
    second_moment_.resize(variance.size());
    std::vector<std::int64_t> dead;
    for (std::size_t c = 0; c < variance.size(); ++c) {
      second_moment_[c] = variance[c] + mean_[c] * mean_[c];
      if (variance[c] == 0 && mean_[c] == 0) dead.push_back(static_cast<std::int64_t>(c));
    }
    if (shared_.factor.dead == 0) dead.clear();
    dense_ = backend_.weights_in_order(given_, shared_.order, dead);
    labels_.assign(shared_.groups.labels().begin(), shared_.groups.labels().end());
    if (!shared_.order.empty())
      for (std::size_t c = 0; c < labels_.size(); ++c)
        labels_[c] = shared_.groups.labels()[static_cast<std::size_t>(shared_.order[c])];
    upper_diagonal_ = backend_.diagonal(shared_.upper.view());
    column_cost_.resize(upper_diagonal_.size());
    std::transform(upper_diagonal_.begin(), upper_diagonal_.end(), column_cost_.begin(),
                   [](float u) { return 1 / (u * u); });
    if (!shared_.drift || options_.target_strength == 0) return;
    const phase_timer timer(report.seconds.target);
    report_progress(progress_, "target", 0);
    weight_view moment = shared_.drift->moment.view();
    owned<float> ordered;
    if (!shared_.order.empty()) {
      ordered = backend_.square_in_order(moment, shared_.order);
      moment = ordered.view();
    }
    target_ = backend_.template scratch<float>(rows_, columns_);
    auto held = backend_.copy(shared_.hessian);
    backend_.add_target_ridge(dense_.view(), held, options_.target_ridge);
    auto upper = backend_.template scratch<float>(columns_, columns_);
    backend_.factor(held.view(), upper, options_.factor);
    const auto shifted =
        backend_.shift_target(dense_.view(), moment, upper.view(), target_, {.strength = options_.target_strength});
    report.target_change = shifted.change;
  }

  /// What the layer should compute.
  weight_view target() const { return target_.empty() ? dense_.view() : target_.view(); }
  /// What the sweep that quantises begins with.
  weight_view start() const { return start_.empty() ? target() : start_.view(); }
  /// Empty where the sweep chooses the mask.
  byte_view mask() const { return mask_.view(); }

  std::vector<float> column_saliency() const {
    std::vector<float> of(static_cast<std::size_t>(columns_), 1.0F);
    for (std::size_t c = 0; c < of.size(); ++c) {
      const auto own = shared_.order.empty() ? c : static_cast<std::size_t>(shared_.order[c]);
      if (options_.saliency == mask_saliency::obs) of[c] = 1 / upper_diagonal_[c];
      if (options_.saliency == mask_saliency::wanda) of[c] = std::sqrt(second_moment_[own]);
    }
    return of;
  }

  obs::sweep_options sweep_options_of(obs::mask_scope mask) const {
    return {.mask = mask == obs::mask_scope::layer ? obs::mask_scope::column_block : mask,
            .sparsity = options_.sparsity,
            .column_block = options_.column_block,
            .pattern_kept = options_.pattern_kept,
            .pattern_width = options_.pattern_width};
  }

  /// Selects the mask at once, by saliencies; N:M groups are those of the layer's own order.
  void select(std::span<const float> saliency) {
    const bool pattern = options_.mask == obs::mask_scope::n_of_m;
    const obs::mask_options how{.scope = options_.mask,
                                .sparsity = options_.sparsity,
                                .pattern_kept = options_.pattern_kept,
                                .pattern_width = options_.pattern_width};
    if (!pattern || shared_.order.empty()) {
      backend_.select_mask(target(), saliency, mask_, how);
      return;
    }
    auto own = backend_.copy(target_.empty() ? dense_ : target_);
    backend_.from_order(own, shared_.order);
    std::vector<float> own_saliency(saliency.size());
    for (std::size_t c = 0; c < saliency.size(); ++c)
      own_saliency[static_cast<std::size_t>(shared_.order[c])] = saliency[c];
    backend_.select_mask(own.view(), own_saliency, mask_, how);
    mask_ = backend_.in_order(mask_, shared_.order);
  }

  void choose_mask(layer_type& layer) {
    auto& report = layer.report;
    mask_ = backend_.template scratch<std::uint8_t>(rows_, columns_);
    {
      const phase_timer timer(report.seconds.mask);
      const auto saliency = column_saliency();
      if (options_.method == mask_method::selection) {
        report_progress(progress_, "mask", 0.1);
        select(saliency);
      } else {
        if (searches() || refits()) start_ = backend_.template scratch<float>(rows_, columns_);
        backend_.sweep({.weights = target(),
                        .upper = shared_.upper.view(),
                        .column_saliency = saliency,
                        .settled = start_.empty() ? nullptr : &start_,
                        .kept = &mask_},
                       sweep_options_of(options_.mask), part_of(progress_, 0, 0.2, "mask"));
      }
      if (searches()) search(report);
    }
    if (!refits()) {
      // The sweep makes up for what is masked, from the weights as they were.
      start_ = {};
      return;
    }
    const phase_timer timer(report.seconds.refit);
    auto fitted = backend_.template scratch<float>(rows_, columns_);
    const auto result = backend_.refit(
        target(), shared_.hessian.view(), mask(), start_.view(), fitted, layer.row_loss,
        {.iterations = options_.refit_iterations, .damping = shared_.factor.damping, .rule = options_.factor.rule},
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
    how.scope = options_.mask;
    how.damping = shared_.factor.damping;
    how.rule = options_.factor.rule;
    auto found = backend_.template scratch<std::uint8_t>(rows_, columns_);
    auto weights = backend_.template scratch<float>(rows_, columns_);
    const auto result = backend_.mask_search(target(), shared_.hessian.view(), mask(), start_.view(), found, weights,
                                             how, part_of(progress_, 0.2, 0.4, "mask"));
    report.exchanged = result.changed;
    mask_ = std::move(found);
    start_ = std::move(weights);
  }

  /// By `options.importance`, in the order of the sweep.
  std::vector<float> importances_of_columns() const {
    std::vector<float> of_column(static_cast<std::size_t>(columns_));
    if (options_.importance == bit_importance::mixed) {
      auto own = backend_.copy(!start_.empty() ? start_ : target_.empty() ? dense_ : target_);
      backend_.from_order(own, shared_.order);
      const auto natural = backend_.mixed_importance(own.view(), statistics_);
      for (std::size_t c = 0; c < natural.size(); ++c)
        of_column[c] = natural[shared_.order.empty() ? c : static_cast<std::size_t>(shared_.order[c])];
    } else {
      const auto per_weight = backend_.measure_columns(start(), shared_.upper.view(), {}).per_weight();
      std::transform(per_weight.begin(), per_weight.end(), of_column.begin(),
                     [](double cost) { return static_cast<float>(cost); });
    }
    return of_column;
  }

  bits_choice choose_bits(layer_report& report) const {
    std::vector<double> kept_by_column(static_cast<std::size_t>(columns_), expected_kept(rows_, options_));
    if (!mask_.empty()) {
      const auto exact = backend_.kept_by_column(mask());
      std::copy(exact.begin(), exact.end(), kept_by_column.begin());
    }
    const auto measured = backend_.measure_columns(start(), shared_.upper.view(), mask());
    const bits_problem problem{.row_count = rows_,
                               .labels = labels_,
                               .kept_by_column = kept_by_column,
                               .measured = measured,
                               .groups = shared_.groups,
                               .options = options_,
                               .grid_errors =
                                   [&](std::span<const std::uint8_t> widths) {
                                     return backend_.grid_errors(start(), labels_, shared_.groups.groups(), widths,
                                                                 options_.fit, column_cost_, mask());
                                   },
                               .importances = [&] { return importances_of_columns(); }};
    return solve_bits(problem, report);
  }

  void sweep(layer_type& layer, double begun) {
    auto& report = layer.report;
    sweep_task<typename Backend::memory> data{
        .weights = start(), .upper = shared_.upper.view(), .settled = &layer.weights, .kept = &layer.kept};
    auto scope = options_.mask;
    std::vector<float> saliency;
    if (!mask_.empty()) {
      scope = obs::mask_scope::given;
      data.given = mask();
    } else {
      saliency = column_saliency();
      data.column_saliency = saliency;
    }
    if (options_.quantise) {
      {
        const phase_timer timer(report.seconds.allocation);
        report_progress(progress_, "allocation", begun);
        auto choice = choose_bits(report);
        layer.bits = std::move(choice.bits);
        importances_ = std::move(choice.importances);
        set_groups(std::move(choice.labels), layer.groups);
      }
      const phase_timer timer(report.seconds.fit);
      const std::vector<std::uint8_t> widths(layer.bits.begin(), layer.bits.end());
      const bool weighted = options_.fit.range == quantization::range_rule::clip_search;
      layer.grids = backend_.fit_grids(start(), labels_, widths, options_.fit,
                                       weighted ? std::span<const float>(column_cost_) : std::span<const float>(),
                                       mask(), &report.fit);
      layer.codes = backend_.template result<std::uint8_t>(rows_, columns_);
      data.grids = &layer.grids;
      data.codes = &layer.codes;
    } else {
      layer.bits.assign(static_cast<std::size_t>(shared_.groups.groups()), 16);
    }
    const phase_timer timer(report.seconds.sweep);
    std::vector<double> row_loss(static_cast<std::size_t>(rows_));
    data.row_loss = &row_loss;
    const auto result = backend_.sweep(data, sweep_options_of(scope), part_of(progress_, begun, 1));
    for (std::size_t r = 0; r < row_loss.size(); ++r) layer.row_loss[r] += row_loss[r];
    report.loss = report.pruning_loss + result.loss;
    report.clamped = result.clamped;
  }

  /// Back to the layer's own order, and the report.
  void finish(layer_type& layer) const {
    backend_.from_order(layer.weights, shared_.order);
    backend_.from_order(layer.codes, shared_.order);
    backend_.from_order(layer.kept, shared_.order);
    if (!shared_.order.empty() && options_.quantise) backend_.grids_from_order(layer.grids, shared_.order);
    set_bias_change(layer);

    auto& report = layer.report;
    const auto kept_columns = backend_.kept_by_column(layer.kept.view());
    report.storage = options_.quantise
                         ? quantization::detail::storage_of_counts(rows_, kept_columns, Backend::stored(layer.grids),
                                                                   layer.groups.labels(), layer.groups.groups())
                         : quantization::detail::storage_of_unquantised_counts(rows_, kept_columns);
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
    const auto information = backend_.describe(shared_.mi, layer.groups);
    for (std::size_t g = 0; g < report.groups.size(); ++g) {
      report.groups[g].mi_within = information.within[g];
      report.groups[g].mi_between = information.between[g];
    }
  }

  void set_bias_change(layer_type& layer) const {
    auto dense_mean = mean_;
    if (shared_.drift)
      for (std::size_t c = 0; c < dense_mean.size(); ++c) dense_mean[c] += shared_.drift->second_mean[c];
    layer.bias_change.resize(static_cast<std::size_t>(rows_));
    backend_.bias_change(given_, dense_mean, layer.weights.view(), mean_, layer.bias_change);
  }

  const Backend& backend_;
  given_weights given_;
  const calibration::statistics_view<typename Backend::space>& statistics_;
  const typename Backend::inputs& shared_;
  const compress_options& options_;
  const progress_callback& progress_;
  std::int64_t rows_;
  std::int64_t columns_;
  owned<float> dense_;   // without columns that never carried a signal
  owned<float> target_;  // empty: dense_
  owned<float> start_;   // empty: the target
  owned<std::uint8_t> mask_;
  std::vector<float> mean_;            // of the inputs, in the layer's own order
  std::vector<float> second_moment_;   // the same
  std::vector<float> upper_diagonal_;  // of U
  std::vector<std::int32_t> labels_;
  std::vector<float> column_cost_;
  std::vector<double> importances_;
};

}  // namespace miq::detail
