// Bits of a layer's groups.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>

#include <miq/detail/column_permutation.hpp>
#include <miq/detail/compress_checks.hpp>

namespace miq::detail {

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

/// A layer whose groups get their bits. Everything is in the order of the sweep.
struct bits_problem {
  const host_executor& exec;
  matrix_view<const float> weights;            // that the sweep begins with
  matrix_view<const std::uint8_t> kept;        // empty: the sweep will choose
  std::span<const std::int32_t> labels;        // of the columns
  std::span<const float> column_cost;          // 1 / U_jj^2
  const calibration::statistics_view<>& seen;  // in the layer's own order
  const prepared_inputs& shared;
  const compress_options& options;

  std::int64_t rows() const { return weights.rows(); }
  std::int64_t columns() const { return weights.columns(); }
  std::int64_t groups() const { return shared.groups.groups(); }

  /// Kept weights of each column: counted where the mask is known, else the expected share.
  std::vector<double> kept_weights() const {
    const bool pattern = options.mask == obs::mask_rule::n_of_m;
    const double expected = options.mask == obs::mask_rule::none ? 1
                            : pattern
                                ? static_cast<double>(options.pattern_kept) / static_cast<double>(options.pattern_width)
                                : 1 - options.sparsity;
    std::vector<double> counts(static_cast<std::size_t>(columns()), static_cast<double>(rows()) * expected);
    if (!kept.empty()) {
      const auto exact = quantization::detail::kept_by_column(kept);
      std::copy(exact.begin(), exact.end(), counts.begin());
    }
    return counts;
  }

  /// What every group stores, codes and metadata.
  std::vector<allocation::bit_item> items(std::span<const double> kept_by_column) const {
    std::vector<allocation::bit_item> result(static_cast<std::size_t>(groups()));
    for (std::int64_t c = 0; c < columns(); ++c)
      result[static_cast<std::size_t>(labels[static_cast<std::size_t>(c)])].weights +=
          kept_by_column[static_cast<std::size_t>(c)];
    for (std::int64_t g = 0; g < groups(); ++g) {
      auto& item = result[static_cast<std::size_t>(g)];
      const auto metadata =
          quantization::metadata_of_group(rows(), columns(), shared.groups.size(g), groups(), options.fit.layout,
                                          options.fit.symmetry, options.fit.format);
      item.fixed_bits = metadata.fixed_bits;
      item.bits_per_bit = metadata.bits_per_bit;
    }
    return result;
  }

  /// Importances by `options.importance`, the mean over each group's kept weights.
  void add_importances(std::span<const double> kept_by_column, std::vector<allocation::bit_item>& result) const {
    std::vector<float> of_column(static_cast<std::size_t>(columns()));
    if (options.importance == bit_importance::mixed) {
      std::vector<float> natural(of_column.size());
      auto own = matrix<float>(weights);
      columns_from_order(own, shared.order, exec.resource());
      allocation::importance(exec, own.view(), seen, allocation::importance_measure::mixed, natural);
      for (std::size_t c = 0; c < natural.size(); ++c)
        of_column[c] = natural[shared.order.empty() ? c : static_cast<std::size_t>(shared.order[c])];
    } else {
      conditional_importance(weights, shared.upper, of_column);
    }
    std::vector<double> totals(result.size());
    for (std::size_t c = 0; c < of_column.size(); ++c)
      totals[static_cast<std::size_t>(labels[c])] += kept_by_column[c] * static_cast<double>(of_column[c]);
    for (std::size_t g = 0; g < result.size(); ++g)
      result[g].importance = result[g].weights > 0 ? totals[g] / result[g].weights : 0;
  }

  /// Chooses the bits; writes importances, budget, gap and headroom into the report.
  std::vector<int> solve(std::vector<double>& importances, layer_report& report) const {
    const auto kept_by_column = kept_weights();
    auto all = items(kept_by_column);
    std::vector<int> bits;
    if (groups() == 1 && options.grouping == column_grouping::single) {
      bits = {static_cast<int>(options.average_bits)};
    } else {
      const double all_kept = std::accumulate(kept_by_column.begin(), kept_by_column.end(), 0.0);
      const double uniform =
          all_kept * options.average_bits + static_cast<double>(rows()) * (16 + options.average_bits);
      const double mask =
          all_kept < static_cast<double>(rows() * columns()) ? static_cast<double>(rows() * columns()) : 0;
      report.budget_bits = uniform + mask;
      const double for_groups =
          uniform - quantization::metadata_of_layer(rows(), options.fit.layout, options.fit.format);
      auto budget = options.budget;
      budget.maximum_bits = std::min(budget.maximum_bits, quantization::maximum_bits);
      if (options.allocation == bit_allocation::by_importance) {
        add_importances(kept_by_column, all);
        bits = allocation::allocate_bits(all, for_groups, budget).bits;
      } else {
        bits = by_rate_and_distortion(all, for_groups, budget, report);
      }
    }
    for (const auto& item : all) importances.push_back(item.importance);
    describe(bits, kept_by_column, report);
    return bits;
  }

  std::vector<int> by_rate_and_distortion(std::span<const allocation::bit_item> all, double for_groups,
                                          const allocation::budget_options& budget, layer_report& report) const {
    require(budget.minimum_bits >= quantization::minimum_bits && budget.minimum_bits <= budget.maximum_bits,
            "compress: minimum_bits of budget must be 1 to maximum_bits, which is ", budget.maximum_bits, ", got ",
            budget.minimum_bits);
    std::vector<int> widths;
    for (int b = budget.minimum_bits; b <= budget.maximum_bits; ++b) widths.push_back(b);
    const std::vector<std::uint8_t> as_bytes(widths.begin(), widths.end());
    const auto errors =
        quantization::grid_errors(exec, weights, labels, groups(), as_bytes, options.fit, column_cost, kept);
    const auto choice = allocation::rate_distortion(allocation::bit_curves(errors, widths, all), for_groups);
    report.allocation_gap = choice.gap();
    std::vector<int> bits;
    for (const auto option : choice.chosen) bits.push_back(widths[static_cast<std::size_t>(option)]);
    return bits;
  }

  void describe(std::span<const int> bits, std::span<const double> kept_by_column, layer_report& report) const {
    std::vector<double> costs(kept_by_column.size());
    std::vector<int> widths(kept_by_column.size());
    std::vector<double> squares(kept_by_column.size());
    for (std::int64_t r = 0; r < rows(); ++r)
      for (std::int64_t c = 0; c < columns(); ++c)
        if (kept.empty() || kept(r, c) != 0)
          squares[static_cast<std::size_t>(c)] +=
              static_cast<double>(weights(r, c)) * static_cast<double>(weights(r, c));
    for (std::size_t c = 0; c < costs.size(); ++c) {
      const double count = kept.empty() ? static_cast<double>(rows()) : kept_by_column[c];
      costs[c] = count > 0 ? squares[c] / count * static_cast<double>(column_cost[c]) : 0;
      widths[c] = bits[static_cast<std::size_t>(labels[c])];
    }
    const auto gained = allocation::realised(costs, kept_by_column, widths);
    report.headroom_bits = gained.headroom_bits;
    report.realised_bits = gained.gain_bits;
  }
};

}  // namespace miq::detail
