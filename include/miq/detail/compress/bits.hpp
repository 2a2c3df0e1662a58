// How bits of a layer's groups are chosen.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <miq/allocation/expected_error.hpp>
#include <miq/allocation/headroom.hpp>
#include <miq/allocation/split_groups.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/detail/compress/bits_problem.hpp>
#include <miq/quantization/storage.hpp>

namespace miq::detail {

/// The ways to choose them.
struct bits_solver : bits_problem {
  quantization::grid_metadata metadata(std::int64_t group_columns, std::int64_t group_count) const {
    return quantization::metadata_of_group(rows(), columns(), group_columns, group_count, options.fit.layout,
                                           options.fit.symmetry, options.fit.format);
  }

  /// What every group stores, codes and metadata.
  std::vector<allocation::bit_item> items() const {
    std::vector<allocation::bit_item> result(static_cast<std::size_t>(group_count()));
    for (std::int64_t c = 0; c < columns(); ++c)
      result[static_cast<std::size_t>(labels[static_cast<std::size_t>(c)])].weights +=
          kept_by_column[static_cast<std::size_t>(c)];
    for (std::int64_t g = 0; g < group_count(); ++g) {
      auto& item = result[static_cast<std::size_t>(g)];
      const auto stored = metadata(groups.size(g), group_count());
      item.fixed_bits = stored.fixed_bits;
      item.bits_per_bit = stored.bits_per_bit;
    }
    return result;
  }

  /// Importances by `options.importance`, the mean over each group's kept weights.
  void add_importances(std::vector<allocation::bit_item>& result) const {
    const auto of_column = importances();
    std::vector<double> totals(result.size());
    for (std::size_t c = 0; c < of_column.size(); ++c)
      totals[static_cast<std::size_t>(labels[c])] += kept_by_column[c] * static_cast<double>(of_column[c]);
    for (std::size_t g = 0; g < result.size(); ++g)
      result[g].importance = result[g].weights > 0 ? totals[g] / result[g].weights : 0;
  }

  bits_choice solve(layer_report& report) const {
    const auto per_weight = measured.per_weight();
    auto all = items();
    bits_choice choice;
    choice.labels.assign(labels.begin(), labels.end());
    if (group_count() == 1 && options.grouping == column_grouping::single) {
      choice.bits = {static_cast<int>(options.average_bits)};
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
        add_importances(all);
        choice.bits = allocation::allocate_bits(all, for_groups, budget).bits;
      } else {
        // What an error of the same size relative to a column's grid costs, for a weight.
        const bool own_scale = quantization::has_column_scales(options.fit.layout);
        const auto& costs = own_scale ? per_weight : measured.conditional_variance;
        by_rate_and_distortion(costs, all, for_groups, budget, choice, report);
      }
    }
    for (const auto& item : all) choice.importances.push_back(item.importance);
    choice.importances.resize(choice.bits.size());
    std::vector<int> widths(per_weight.size());
    for (std::size_t c = 0; c < widths.size(); ++c) widths[c] = choice.bits[static_cast<std::size_t>(choice.labels[c])];
    const auto gained = allocation::realised(per_weight, kept_by_column, widths);
    report.headroom_bits = gained.headroom_bits;
    report.realised_bits = gained.gain_bits;
    return choice;
  }

  void by_rate_and_distortion(std::span<const double> costs, std::span<const allocation::bit_item> all,
                              double for_groups, const allocation::budget_options& budget, bits_choice& choice,
                              layer_report& report) const {
    require(budget.minimum_bits >= quantization::minimum_bits && budget.minimum_bits <= budget.maximum_bits,
            "compress: minimum_bits of budget must be 1 to maximum_bits, which is ", budget.maximum_bits, ", got ",
            budget.minimum_bits);
    std::vector<int> widths;
    for (int b = budget.minimum_bits; b <= budget.maximum_bits; ++b) widths.push_back(b);
    const std::vector<std::uint8_t> as_bytes(widths.begin(), widths.end());
    const auto errors = grid_errors(as_bytes);
    const auto whole = allocation::rate_distortion(allocation::bit_curves(errors, widths, all), for_groups);
    report.allocation_gap = whole.gap();
    choice.bits.clear();
    for (const auto option : whole.chosen) choice.bits.push_back(widths[static_cast<std::size_t>(option)]);
    if (!options.split_groups || group_count() == columns()) return;

    // Column indices are counted for twice as many groups, which is the most that there can be.
    const auto grid = metadata(1, 1);
    const bool own_scale = quantization::has_column_scales(options.fit.layout);
    const bool own_zero = options.fit.layout == quantization::grid_layout::per_column;
    allocation::bit_item part;
    part.fixed_bits = 3 + (own_scale ? 0 : grid.fixed_bits);
    part.bits_per_bit = own_zero ? 0 : grid.bits_per_bit;
    std::vector<allocation::bit_item> items_of_columns(static_cast<std::size_t>(columns()));
    double least = 0;  // what whole groups store at the smallest width
    for (std::size_t c = 0; c < items_of_columns.size(); ++c) {
      auto& item = items_of_columns[c];
      item.weights = kept_by_column[c];
      item.fixed_bits = quantization::index_bits(2 * group_count()) + (own_scale ? grid.fixed_bits : 0);
      item.bits_per_bit = own_zero ? grid.bits_per_bit : 0;
      least += allocation::stored_bits(item, widths.front());
    }
    least += static_cast<double>(group_count()) * (allocation::stored_bits(part, widths.front()) + 1);
    if (least > for_groups) return;  // no room for more indices
    const auto of_columns = errors_of_columns(errors, costs);
    auto split = allocation::split_groups(
        {.errors = of_columns, .widths = widths, .costs = costs, .columns = items_of_columns, .part = part},
        grouping::partition(choice.labels), for_groups);
    if (!(split.choice.distortion < whole.distortion)) return;
    report.allocation_gap = split.choice.gap();
    choice.labels.assign(split.groups.labels().begin(), split.groups.labels().end());
    choice.bits = std::move(split.bits);
  }

  /// The errors of groups, dealt out to their columns by what each column has in them.
  matrix<double> errors_of_columns(const matrix<double>& errors, std::span<const double> costs) const {
    std::vector<double> totals(static_cast<std::size_t>(group_count()));
    for (std::size_t c = 0; c < costs.size(); ++c)
      totals[static_cast<std::size_t>(labels[c])] += kept_by_column[c] * costs[c];
    matrix<double> result(columns(), errors.columns());
    for (std::int64_t c = 0; c < columns(); ++c) {
      const auto i = static_cast<std::size_t>(c);
      const auto g = labels[i];
      const double total = totals[static_cast<std::size_t>(g)];
      const double share = total > 0 ? kept_by_column[i] * costs[i] / total : 0;
      for (std::int64_t k = 0; k < errors.columns(); ++k) result(c, k) = share * errors(g, k);
    }
    return result;
  }
};

/// Chooses the bits; writes budget, gap and headroom into the report.
inline bits_choice solve_bits(const bits_problem& problem, layer_report& report) {
  return bits_solver{problem}.solve(report);
}

}  // namespace miq::detail
