#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

#include <miq/core/detail/finite.hpp>

namespace miq {

inline compress_options sparsegpt_options(double sparsity, int bits) {
  compress_options options;
  options.sparsity = sparsity;
  options.timing = mask_timing::inside_sweep;
  options.factor.rule = obs::damping_rule::mean_diagonal;
  options.grouping = column_grouping::single;
  options.average_bits = bits;
  options.fit = {.layout = quantization::grid_layout::per_row_and_group, .range = quantization::range_rule::min_max};
  return options;
}

inline compress_options enhanced_options(double sparsity, double average_bits) {
  compress_options options;
  options.sparsity = sparsity;
  options.grouping = column_grouping::each_column;
  options.average_bits = average_bits;
  options.importance = bit_importance::mixed;
  return options;
}

inline compress_options mi_options(double sparsity, double average_bits) {
  compress_options options;
  options.sparsity = sparsity;
  options.average_bits = average_bits;
  return options;
}

namespace detail {

/// Adds the time between construction and destruction to a phase.
class phase_timer {
 public:
  explicit phase_timer(double& seconds) : seconds_(seconds) {}
  phase_timer(const phase_timer&) = delete;
  phase_timer& operator=(const phase_timer&) = delete;
  ~phase_timer() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

inline void check_compress_options(const compress_options& options) {
  require(options.mask != obs::mask_rule::given,
          "compress: mask must not be mask_rule::given; use obs::sweep for that");
  require(options.sparsity >= 0 && options.sparsity < 1, "compress: sparsity must be in [0, 1), got ",
          options.sparsity);
  require(options.groups >= 0, "compress: groups must be at least 0 (0: chosen), got ", options.groups);
  require(options.groups > 0 || options.max_groups >= 2, "compress: max_groups must be at least 2, got ",
          options.max_groups);
  if (!options.quantise) return;
  require(options.average_bits >= quantization::minimum_bits && options.average_bits <= quantization::maximum_bits,
          "compress: average_bits must be 1 to 8, got ", options.average_bits);
  require(options.grouping != column_grouping::single || options.average_bits == std::floor(options.average_bits),
          "compress: average_bits must be a whole number where all columns share one width, got ",
          options.average_bits);
}

inline grouping::information_grouping_options grouping_options_of(std::int64_t columns,
                                                                  const compress_options& options) {
  grouping::information_grouping_options how;
  how.method = options.grouping == column_grouping::hierarchical ? grouping::grouping_method::hierarchical
               : options.grouping == column_grouping::kmeans     ? grouping::grouping_method::kmeans
                                                                 : grouping::grouping_method::spectral;
  how.groups = static_cast<int>(std::min<std::int64_t>(options.groups, columns));
  how.max_groups = options.max_groups;
  how.criterion = options.criterion;
  how.linkage = options.linkage;
  how.balanced = options.balanced;
  how.multiple = options.group_multiple;
  how.normalisation = options.normalisation;
  how.seed = options.seed;
  return how;
}

/// What can be said against a grouping by information before any work is done.
inline void check_information_options(const calibration::statistics_view<>& seen, matrix_view<const float> samples,
                                      const compress_options& options) {
  if (!std::holds_alternative<information::correlation_options>(options.estimator)) {
    require(!samples.empty(), "prepare: the estimator ", information::name_of(options.estimator),
            " needs samples; give the overload some, such as calibration::accumulator keeps with sample_tokens");
    require(samples.columns() == seen.columns(), "prepare: samples must have the statistics' ", seen.columns(),
            " columns, got ", samples.columns());
  }
  require(!information::detail::needs_entropies(options.normalisation) ||
              information::entropies_of(options.estimator) == information::entropy_kind::discrete,
          "prepare: normalisation::", information::detail::name_of(options.normalisation),
          " needs discrete entropies, which the estimator histogram has and ", information::name_of(options.estimator),
          " has not; use normalisation::information_coefficient");
  grouping::detail::require_grouping_options(grouping_options_of(seen.columns(), options), seen.columns());
}

inline void group_by_information(const host_executor& exec, const calibration::statistics_view<>& seen,
                                 matrix_view<const float> samples, const compress_options& options,
                                 const progress_callback& progress, prepared_inputs& shared) {
  const auto columns = seen.columns();
  std::vector<float> entropies;
  {
    const phase_timer timer(shared.seconds.information);
    report_progress(progress, "information", 0.3);
    shared.mi = matrix<float>(columns, columns);
    const auto* const gaussian = std::get_if<information::correlation_options>(&options.estimator);
    const bool wants_entropies = information::detail::needs_entropies(options.normalisation);
    entropies.resize(wants_entropies ? static_cast<std::size_t>(columns) : 0);
    if (gaussian != nullptr) {
      shared.sample_tokens = seen.tokens;
      shared.information = information::correlation(exec, seen, shared.mi, *gaussian);
    } else {
      shared.sample_tokens = samples.rows();
      shared.information = information::mutual_information(exec, samples, shared.mi.view(), options.estimator,
                                                           part_of(progress, 0.3, 0.7, "information"));
      if (wants_entropies) information::entropies(exec, samples, vector_view<float>(entropies), options.estimator);
    }
  }
  const phase_timer timer(shared.seconds.grouping);
  auto found = grouping::group_by_information(exec, shared.mi, entropies, grouping_options_of(columns, options),
                                              part_of(progress, 0.7, 1, "grouping"));
  shared.groups = std::move(found.groups);
  shared.clipped_information = found.clipped;
  shared.isolated = found.isolated;
  shared.candidate_groups = std::move(found.candidates);
  shared.silhouettes = std::move(found.silhouettes);
}

inline prepared_inputs prepare_on(const host_executor& exec, const calibration::statistics_view<>& seen,
                                  matrix_view<const float> samples, const compress_options& options,
                                  const progress_callback& progress) {
  check_compress_options(options);
  const auto columns = seen.columns();
  if (groups_by_information(options.grouping)) check_information_options(seen, samples, options);
  prepared_inputs shared;
  {
    const phase_timer timer(shared.seconds.factor);
    report_progress(progress, "factor", 0);
    shared.upper = matrix<float>(columns, columns);
    matrix<float> hessian(columns, columns, exec.resource());
    calibration::hessian(exec, seen, hessian);
    shared.factor = obs::factor(exec, hessian, shared.upper, options.factor);
  }
  switch (options.grouping) {
    case column_grouping::single:
      shared.groups = grouping::partition::single(columns);
      break;
    case column_grouping::each_column:
      shared.groups = grouping::partition::each_alone(columns);
      break;
    case column_grouping::spectral:
    case column_grouping::hierarchical:
    case column_grouping::kmeans:
      group_by_information(exec, seen, samples, options, progress, shared);
      break;
  }
  report_progress(progress, "prepare", 1);
  return shared;
}

/// `mean_r W_rj^2 / U_jj^2` of every column.
inline void conditional_importance(matrix_view<const float> weights, const matrix<float>& upper, std::span<float> out) {
  std::vector<double> squares(out.size());
  for (std::int64_t r = 0; r < weights.rows(); ++r)
    for (std::int64_t c = 0; c < weights.columns(); ++c)
      squares[static_cast<std::size_t>(c)] += static_cast<double>(weights(r, c)) * static_cast<double>(weights(r, c));
  for (std::int64_t c = 0; c < weights.columns(); ++c) {
    const double diagonal = static_cast<double>(upper(c, c));
    out[static_cast<std::size_t>(c)] = static_cast<float>(squares[static_cast<std::size_t>(c)] /
                                                          static_cast<double>(weights.rows()) / (diagonal * diagonal));
  }
}

/// Bits of every group under the budget; writes importances and the budget into the report.
inline std::vector<int> choose_bits(const host_executor& exec, matrix_view<const float> weights,
                                    const calibration::statistics_view<>& seen, const prepared_inputs& shared,
                                    const compress_options& options, const matrix<std::uint8_t>& kept,
                                    std::vector<double>& importances, layer_report& report) {
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  const auto groups = shared.groups.groups();
  std::vector<float> of_column(static_cast<std::size_t>(columns));
  if (options.importance == bit_importance::mixed) {
    allocation::importance(exec, weights, seen, allocation::importance_measure::mixed, of_column);
  } else {
    conditional_importance(weights, shared.upper, of_column);
  }
  // Kept weights of each column: counted where the mask is known, else the expected share.
  std::vector<double> kept_weights(static_cast<std::size_t>(columns),
                                   static_cast<double>(rows) * (1 - options.sparsity));
  if (options.mask == obs::mask_rule::none) {
    std::fill(kept_weights.begin(), kept_weights.end(), static_cast<double>(rows));
  } else if (!kept.empty()) {
    const auto counts = quantization::detail::kept_by_column(kept);
    std::copy(counts.begin(), counts.end(), kept_weights.begin());
  }
  double all_kept = 0;
  std::vector<allocation::bit_item> items(static_cast<std::size_t>(groups));
  importances.assign(static_cast<std::size_t>(groups), 0.0);
  for (std::int64_t g = 0; g < groups; ++g) {
    auto& item = items[static_cast<std::size_t>(g)];
    double total = 0;
    for (const auto c : shared.groups.members(g)) {
      const double count = kept_weights[static_cast<std::size_t>(c)];
      item.weights += count;
      total += count * static_cast<double>(of_column[static_cast<std::size_t>(c)]);
    }
    all_kept += item.weights;
    item.importance = item.weights > 0 ? total / item.weights : 0;
    importances[static_cast<std::size_t>(g)] = item.importance;
    const auto metadata = quantization::metadata_of_group(rows, columns, shared.groups.size(g), groups,
                                                          options.fit.layout, options.fit.symmetry, options.fit.format);
    item.fixed_bits = metadata.fixed_bits;
    item.bits_per_bit = metadata.bits_per_bit;
  }
  if (groups == 1 && options.grouping == column_grouping::single) return {static_cast<int>(options.average_bits)};
  const double uniform = all_kept * options.average_bits + static_cast<double>(rows) * (16 + options.average_bits);
  const double mask = all_kept < static_cast<double>(rows * columns) ? static_cast<double>(rows * columns) : 0;
  report.budget_bits = uniform + mask;
  auto budget = options.budget;
  budget.maximum_bits = std::min(budget.maximum_bits, quantization::maximum_bits);
  return allocation::allocate_bits(items, uniform, budget).bits;
}

/// The weights with the columns that never carried a signal set to 0, so that masks take them first.
inline matrix<float> without_dead_columns(matrix_view<const float> weights,
                                          const calibration::statistics_view<>& seen) {
  matrix<float> result(weights);
  for (std::int64_t c = 0; c < weights.columns(); ++c)
    if (seen.covariance(c, c) == 0 && seen.mean[c] == 0)
      for (std::int64_t r = 0; r < weights.rows(); ++r) result(r, c) = 0;
  return result;
}

inline compressed_layer compress_on(const host_executor& exec, matrix_view<const float> given_weights,
                                    const calibration::statistics_view<>& seen, const prepared_inputs& shared,
                                    const compress_options& options, const progress_callback& progress) {
  check_compress_options(options);
  const auto rows = given_weights.rows();
  const auto columns = given_weights.columns();
  require(!given_weights.empty(), "compress: weights must not be empty, got ", shape_text(rows, columns));
  require(seen.columns() == columns && shared.upper.columns() == columns && shared.groups.columns() == columns,
          "compress: statistics and prepared inputs must describe the weights' ", columns, " columns, got ",
          seen.columns(), " and ", shared.upper.columns());
  require_finite(exec, given_weights, "compress", "weights");
  const bool single = shared.groups.groups() == 1 && options.grouping == column_grouping::single;
  const auto live = shared.factor.dead > 0 ? without_dead_columns(given_weights, seen) : matrix<float>();
  const matrix_view<const float> weights = live.empty() ? given_weights : live.view();

  compressed_layer layer;
  layer.groups = shared.groups;
  layer.weights = matrix<float>(rows, columns);
  layer.kept = matrix<std::uint8_t>(rows, columns);
  layer.row_loss.resize(static_cast<std::size_t>(rows));
  layer.report.damping = shared.factor.damping;
  layer.report.damping_raised = shared.factor.raised;
  layer.report.dead = shared.factor.dead;
  obs::sweep_options sweep{options.mask, options.sparsity, options.column_block};
  obs::sweep_inputs<> in{.weights = weights, .upper = shared.upper};
  std::vector<double> importances;

  matrix<std::uint8_t> mask;
  if (options.quantise) {
    if (options.timing == mask_timing::before_sweep && options.mask != obs::mask_rule::none) {
      const phase_timer timer(layer.report.seconds.mask);
      mask = matrix<std::uint8_t>(rows, columns, exec.resource());
      obs::sweep(exec, in, {.kept = mask}, sweep, {},
                 [&](std::string_view, double done) { return !progress || progress("mask", done / 2); });
      sweep.mask = obs::mask_rule::given;
      in.kept = mask;
    }
    {
      const phase_timer timer(layer.report.seconds.allocation);
      layer.bits = choose_bits(exec, weights, seen, shared, options, mask, importances, layer.report);
    }
    const phase_timer timer(layer.report.seconds.fit);
    const std::vector<std::uint8_t> widths(layer.bits.begin(), layer.bits.end());
    std::vector<float> column_cost;
    if (options.fit.range == quantization::range_rule::clip_search) {
      column_cost.resize(static_cast<std::size_t>(columns));
      for (std::int64_t c = 0; c < columns; ++c)
        column_cost[static_cast<std::size_t>(c)] = 1 / (shared.upper(c, c) * shared.upper(c, c));
    }
    layer.grids = quantization::fit_grids(exec, weights, shared.groups.labels(), widths, options.fit, column_cost,
                                          in.kept, &layer.report.fit);
    layer.codes = matrix<std::uint8_t>(rows, columns);
  } else {
    layer.bits.assign(static_cast<std::size_t>(shared.groups.groups()), 16);
  }

  const auto grids = layer.grids.view();
  if (options.quantise) in.grids = &grids;
  {
    const phase_timer timer(layer.report.seconds.sweep);
    const double before = mask.empty() ? 0 : 0.5;
    const auto result = obs::sweep(
        exec, in, {.weights = layer.weights, .codes = layer.codes, .kept = layer.kept, .row_loss = layer.row_loss},
        sweep, {}, [&](std::string_view phase, double done) {
          return !progress || progress(phase, before + done * (1 - before));
        });
    layer.report.loss = result.loss;
    layer.report.clamped = result.clamped;
  }

  layer.report.storage = options.quantise ? quantization::storage_of(layer.kept, layer.grids, shared.groups.labels(),
                                                                     shared.groups.groups())
                                          : quantization::storage_of_unquantised(layer.kept);
  const auto kept_columns = quantization::detail::kept_by_column(layer.kept);
  layer.report.groups.resize(layer.bits.size());
  for (std::int64_t g = 0; g < shared.groups.groups(); ++g) {
    auto& report = layer.report.groups[static_cast<std::size_t>(g)];
    report.columns = shared.groups.size(g);
    report.bits = layer.bits[static_cast<std::size_t>(g)];
    if (!importances.empty()) report.importance = importances[static_cast<std::size_t>(g)];
    for (const auto c : shared.groups.members(g)) report.kept += kept_columns[static_cast<std::size_t>(c)];
  }
  if (!shared.mi.empty() && !single) {
    const auto information = grouping::describe_groups(exec, shared.mi, shared.groups);
    for (std::size_t g = 0; g < layer.report.groups.size(); ++g) {
      layer.report.groups[g].mi_within = information.within[g];
      layer.report.groups[g].mi_between = information.between[g];
    }
  }
  return layer;
}

}  // namespace detail

template <executor Exec>
prepared_inputs prepare(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& seen,
                        matrix_view<const float, memory_of<Exec>> samples, const compress_options& options,
                        const progress_callback& progress) {
  return detail::prepare_on(exec, seen, samples, options, progress);
}

template <executor Exec>
prepared_inputs prepare(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& seen,
                        const compress_options& options, const progress_callback& progress) {
  return detail::prepare_on(exec, seen, {}, options, progress);
}

template <executor Exec>
compressed_layer compress(const Exec& exec, matrix_view<const float, memory_of<Exec>> weights,
                          const calibration::statistics_view<memory_of<Exec>>& seen, const prepared_inputs& shared,
                          const compress_options& options, const progress_callback& progress) {
  return detail::compress_on(exec, weights, seen, shared, options, progress);
}

template <executor Exec>
compressed_layer compress(const Exec& exec, matrix_view<const float, memory_of<Exec>> weights,
                          const calibration::statistics_view<memory_of<Exec>>& seen,
                          matrix_view<const float, memory_of<Exec>> samples, const compress_options& options,
                          const progress_callback& progress) {
  const auto shared = detail::prepare_on(exec, seen, samples, options, detail::part_of(progress, 0, 0.4));
  auto layer = detail::compress_on(exec, weights, seen, shared, options, detail::part_of(progress, 0.4, 1));
  layer.report.seconds.factor = shared.seconds.factor;
  layer.report.seconds.information = shared.seconds.information;
  layer.report.seconds.grouping = shared.seconds.grouping;
  return layer;
}

template <executor Exec>
compressed_layer compress(const Exec& exec, matrix_view<const float, memory_of<Exec>> weights,
                          const calibration::statistics_view<memory_of<Exec>>& seen, const compress_options& options,
                          const progress_callback& progress) {
  return compress(exec, weights, seen, matrix_view<const float, memory_of<Exec>>{}, options, progress);
}

}  // namespace miq
