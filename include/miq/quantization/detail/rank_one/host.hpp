// Fits scales that are products of a row's factor and a column's or a group's.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/quantization/detail/fit/column_groups.hpp>
#include <miq/quantization/detail/fit/grid_search.hpp>
#include <miq/quantization/detail/rank_one/value_histogram.hpp>

namespace miq::quantization::detail {

/// Positive factors such that `row_r * column_c` follows the size of the kept weights.
struct rank_one_factors {
  std::vector<double> row;
  std::vector<double> column;  // of each column, or the same for the columns of a group
};

/// A layer whose rank-one scales are being fitted.
struct rank_one_fit {
  const host_executor& exec;
  matrix_view<const float> weights;
  vector_view<const std::int32_t> labels;
  const fit_options& options;
  vector_view<const float> column_weights;
  matrix_view<const std::uint8_t> kept;
  const column_groups& members;

  static constexpr int rounds = 4;
  static constexpr std::int64_t rows_of_task = 64;
  static constexpr std::int64_t columns_of_task = 64;

  bool keeps(std::int64_t r, std::int64_t c) const { return kept.empty() || kept(r, c) != 0; }
  bool own_columns() const { return options.layout == grid_layout::row_by_column; }
  std::int64_t groups() const { return static_cast<std::int64_t>(members.start.size()) - 1; }

  /// Alternates `column_c^2 = mean_r (w_rc / row_r)^2` and the like for rows, over kept weights that are not 0: one
  /// pass over the weights a round. Rows and columns without any such weight get the mean of the others' logarithms.
  rank_one_factors factors() const {
    const auto rows = weights.rows();
    const auto columns = weights.columns();
    rank_one_factors f{std::vector<double>(static_cast<std::size_t>(rows), 0.0),
                       std::vector<double>(static_cast<std::size_t>(columns), 1.0)};
    const auto tasks = (rows + rows_of_task - 1) / rows_of_task;
    const auto owners = own_columns() ? columns : groups();
    // One slot a task, added up in the order of the tasks: the same for any number of threads.
    std::vector<double> inverse(static_cast<std::size_t>(columns), 1.0);  // 1 / column^2
    std::vector<double> sums(static_cast<std::size_t>(tasks * owners));
    std::vector<double> counts(static_cast<std::size_t>(tasks * owners));
    for (int round = 0; round < rounds; ++round) {
      exec.parallel_for(tasks, [&](std::int64_t task) {
        double* const sum = sums.data() + task * owners;
        double* const count = counts.data() + task * owners;
        std::fill_n(sum, owners, 0.0);
        std::fill_n(count, owners, 0.0);
        for (auto r = task * rows_of_task; r < std::min(rows, (task + 1) * rows_of_task); ++r) {
          double total = 0;
          double present = 0;
          for (std::int64_t c = 0; c < columns; ++c) {
            const double w = keeps(r, c) ? static_cast<double>(weights(r, c)) : 0.0;
            total += w * w * inverse[static_cast<std::size_t>(c)];
            present += w != 0 ? 1 : 0;
          }
          const double square = total > 0 ? total / present : 0;
          f.row[static_cast<std::size_t>(r)] = std::sqrt(square);
          if (square == 0) continue;
          for (std::int64_t c = 0; c < columns; ++c) {
            const auto owner = own_columns() ? c : static_cast<std::int64_t>(labels[c]);
            const double w = keeps(r, c) ? static_cast<double>(weights(r, c)) : 0.0;
            sum[owner] += w * w / square;
            count[owner] += w != 0 ? 1 : 0;
          }
        }
      });
      std::vector<double> owned(static_cast<std::size_t>(owners), 0.0);
      for (std::int64_t o = 0; o < owners; ++o) {
        double total = 0;
        double present = 0;
        for (std::int64_t task = 0; task < tasks; ++task) {
          total += sums[static_cast<std::size_t>(task * owners + o)];
          present += counts[static_cast<std::size_t>(task * owners + o)];
        }
        if (total > 0) owned[static_cast<std::size_t>(o)] = std::sqrt(total / present);
      }
      replace_zeros(owned);
      for (std::int64_t c = 0; c < columns; ++c) {
        const auto owner = static_cast<std::size_t>(own_columns() ? c : static_cast<std::int64_t>(labels[c]));
        f.column[static_cast<std::size_t>(c)] = owned[owner];
        inverse[static_cast<std::size_t>(c)] = 1 / (owned[owner] * owned[owner]);
      }
    }
    replace_zeros(f.row);
    // As they will be stored, so that the search sees what they leave to it.
    for (double& row : f.row) row = static_cast<double>(stored_scale(static_cast<float>(row), options.format));
    if (options.format == scale_format::logarithmic8)
      for (double& column : f.column)
        column = static_cast<double>(stored_scale(static_cast<float>(column), options.format));
    return f;
  }

  static void replace_zeros(std::vector<double>& factors) {
    double logarithms = 0;
    double count = 0;
    for (const double value : factors)
      if (value > 0) {
        logarithms += std::log(value);
        ++count;
      }
    const double mean = count > 0 ? std::exp(logarithms / count) : 1;
    for (double& value : factors) value = value > 0 ? value : mean;
  }

  /// The kept weights of every group in units of their factors, with what an error in such a unit costs.
  std::vector<value_histogram> histograms(const rank_one_factors& f) const {
    struct part {
      std::int64_t group;
      std::int64_t first;  // into the group's columns
      std::int64_t last;
      double reach = 0;
    };
    std::vector<part> parts;
    for (std::int64_t g = 0; g < groups(); ++g) {
      const auto size = static_cast<std::int64_t>(members.of(g).size());
      for (std::int64_t first = 0; first < size; first += columns_of_task)
        parts.push_back({g, first, std::min(size, first + columns_of_task)});
    }
    const auto for_each_value = [&](const part& mine, const auto& use) {
      for (std::int64_t r = 0; r < weights.rows(); ++r)
        for (auto i = mine.first; i < mine.last; ++i) {
          const auto c = members.of(mine.group)[static_cast<std::size_t>(i)];
          if (!keeps(r, c)) continue;
          const double unit = f.row[static_cast<std::size_t>(r)] * f.column[static_cast<std::size_t>(c)];
          use(static_cast<double>(weights(r, c)) / unit,
              unit * unit * (column_weights.empty() ? 1.0 : static_cast<double>(column_weights[c])));
        }
    };
    const auto count = static_cast<std::int64_t>(parts.size());
    exec.parallel_for(count, [&](std::int64_t p) {
      auto& mine = parts[static_cast<std::size_t>(p)];
      for_each_value(mine, [&](double value, double) { mine.reach = std::max(mine.reach, std::abs(value)); });
    });
    std::vector<double> reach(static_cast<std::size_t>(groups()), 0.0);
    for (const auto& one : parts)
      reach[static_cast<std::size_t>(one.group)] = std::max(reach[static_cast<std::size_t>(one.group)], one.reach);
    // Fine where there are few groups; with many, memory is bounded at 50 MB for 4096 parts.
    const std::int64_t bins = count <= 128 ? 4096 : 512;
    std::vector<value_histogram> of_part;
    of_part.reserve(parts.size());
    for (const auto& one : parts) of_part.emplace_back(reach[static_cast<std::size_t>(one.group)], bins);
    exec.parallel_for(count, [&](std::int64_t p) {
      auto& mine = of_part[static_cast<std::size_t>(p)];
      for_each_value(parts[static_cast<std::size_t>(p)], [&](double value, double cost) { mine.add(value, cost); });
    });
    std::vector<value_histogram> result;
    result.reserve(static_cast<std::size_t>(groups()));
    for (std::int64_t g = 0; g < groups(); ++g) result.emplace_back(reach[static_cast<std::size_t>(g)], bins);
    for (std::int64_t p = 0; p < count; ++p)
      result[static_cast<std::size_t>(parts[static_cast<std::size_t>(p)].group)].add(
          of_part[static_cast<std::size_t>(p)]);
    for (auto& one : result) one.finish();
    return result;
  }

  /// The best grid of one group at one width, in units of the factors, and its error.
  struct fitted_group {
    fitted_grid fit;
    double error = 0;
  };

  fitted_group fit_group(const value_histogram& values, int bits) const {
    fitted_group best;
    best.fit = fit_unit_range(values.reach(), bits, options);
    best.error = values.error(best.fit.grid);
    if (best.fit.empty || options.range == range_rule::min_max) return best;
    const int candidates = unit_candidates(bits, options);
    for (int i = 0; i < candidates; ++i) {
      const auto tried = unit_candidate(values.reach(), bits, options, i);
      const double error = values.error(tried.grid);
      if (error < best.error) best = {tried, error};
    }
    return best;
  }
};

/// Brings the logarithms of some scales within the range that 8 bits hold: those too far below the largest are raised.
/// Returns how many.
inline std::int64_t limit_logarithms(std::span<float> scales) {
  std::int32_t largest = -0x7FFFFFFF;
  for (const float scale : scales) largest = std::max(largest, logarithm_of_scale(scale));
  std::int64_t raised = 0;
  for (float& scale : scales)
    if (logarithm_of_scale(scale) < largest - logarithmic_range) {
      scale = logarithmic_scale(largest - logarithmic_range);
      ++raised;
    }
  return raised;
}

}  // namespace miq::quantization::detail
