#pragma once

#include <miq/detail/compress_layer.hpp>
#include <miq/detail/compress_prepare.hpp>

namespace miq {

inline compress_options sparsegpt_options(double sparsity, int bits) {
  compress_options options;
  options.sparsity = sparsity;
  options.target_strength = 0;
  options.timing = mask_timing::inside_sweep;
  options.method = mask_method::pruning_sweep;
  options.refit_iterations = -1;
  options.factor.rule = obs::damping_rule::mean_diagonal;
  options.grouping = column_grouping::single;
  options.average_bits = bits;
  options.fit = {.layout = quantization::grid_layout::per_row_and_group, .range = quantization::range_rule::min_max};
  return options;
}

inline compress_options enhanced_options(double sparsity, double average_bits) {
  compress_options options;
  options.sparsity = sparsity;
  options.target_strength = 0;
  options.method = mask_method::pruning_sweep;
  options.refit_iterations = -1;
  options.grouping = column_grouping::each_column;
  options.average_bits = average_bits;
  options.allocation = bit_allocation::by_importance;
  options.importance = bit_importance::mixed;
  options.budget.minimum_bits = 2;
  options.fit = {.layout = quantization::grid_layout::per_column, .range = quantization::range_rule::clip_search};
  return options;
}

inline compress_options mi_options(double sparsity, double average_bits) {
  compress_options options;
  options.sparsity = sparsity;
  options.average_bits = average_bits;
  if (average_bits < 3) options.budget.minimum_bits = 1;  // else the scales could not be paid for
  return options;
}

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
  const auto rest = detail::part_of(progress, 0.4, 1);
  auto layer = detail::compress_on(exec, weights, seen, shared, options, rest);
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
