#pragma once

#include <miq/compress_options.hpp>

namespace miq {

MIQ_API compress_options sparsegpt_options(double sparsity, int bits) {
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

MIQ_API compress_options enhanced_options(double sparsity, double average_bits) {
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

MIQ_API compress_options mi_options(double sparsity, double average_bits) {
  compress_options options;
  options.sparsity = sparsity;
  options.average_bits = average_bits;
  if (average_bits < 3) options.budget.minimum_bits = 1;  // else the scales could not be paid for
  return options;
}

}  // namespace miq
