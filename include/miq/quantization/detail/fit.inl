#pragma once

#include <algorithm>
#include <cmath>
#include <memory_resource>
#include <vector>

namespace miq::quantization {

namespace detail {

using miq::detail::require;
using miq::detail::shape_text;

/// The squared error of quantising `values` on a grid, in double; `costs` may be null.
inline double quantisation_error(const float* values, const float* costs, std::int64_t count, const affine_grid& grid) {
  const float whole = std::floor(grid.zero);
  const float fraction = grid.zero - whole;
  const auto limit = static_cast<float>(grid.maximum_code);
  double total = 0;
  constexpr std::int64_t tile = 256;
  for (std::int64_t first = 0; first < count; first += tile) {
    const auto last = std::min(count, first + tile);
    float partial[16] = {};
    for (auto i = first; i < last; ++i) {
      // Rounds half to even by pushing the fraction out of the mantissa; the clamp keeps the sum in range.
      const float position = std::clamp(values[i] / grid.scale + fraction, -4096.0F, 4096.0F);
      const float rounded = (position + 0x1.8p23F) - 0x1.8p23F;
      const float code = std::clamp(rounded + whole, 0.0F, limit);
      const float error = values[i] - grid.scale * (code - grid.zero);
      partial[(i - first) % 16] += (costs != nullptr ? costs[i] : 1.0F) * error * error;
    }
    for (const float p : partial) total += static_cast<double>(p);
  }
  return total;
}

struct fitted_grid {
  affine_grid grid;
  bool empty = false;
  bool clipped = false;
  bool rescaled = false;
};

/// The grid of one buffer of weights.
inline fitted_grid fit_one(const float* values, const float* costs, std::int64_t count, int bits,
                           const fit_options& options) {
  float lowest = 0;
  float highest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    lowest = std::min(lowest, values[i]);
    highest = std::max(highest, values[i]);
  }
  fitted_grid fitted;
  fitted.empty = lowest == 0 && highest == 0;
  fitted.grid = grid_of_range(lowest, highest, bits, options.symmetry, options.format);
  if (options.format != scale_format::float32) {
    const float exact = grid_of_range(lowest, highest, bits, options.symmetry, scale_format::float32).scale;
    fitted.rescaled = std::abs(fitted.grid.scale - exact) > 0x1.0p-10F * exact;
  }
  if (options.range == range_rule::min_max || fitted.empty) return fitted;
  double least = quantisation_error(values, costs, count, fitted.grid);
  for (int step = 1; step < options.clip_steps; ++step) {
    const double share = 1 - (1 - options.smallest_clip) * step / (options.clip_steps - 1);
    const auto candidate =
        grid_of_range(static_cast<float>(share * static_cast<double>(lowest)),
                      static_cast<float>(share * static_cast<double>(highest)), bits, options.symmetry, options.format);
    const double error = quantisation_error(values, costs, count, candidate);
    if (error < least) {
      least = error;
      fitted.grid = candidate;
      fitted.clipped = true;
    }
  }
  return fitted;
}

/// The columns of every group, group after group.
struct column_groups {
  std::vector<std::int64_t> start;    // [groups + 1]
  std::vector<std::int64_t> columns;  // [columns]
};

inline column_groups columns_by_group(vector_view<const std::int32_t> labels, std::int64_t groups) {
  column_groups result;
  result.start.assign(static_cast<std::size_t>(groups) + 1, 0);
  result.columns.resize(static_cast<std::size_t>(labels.size()));
  for (const auto label : labels) ++result.start[static_cast<std::size_t>(label) + 1];
  for (std::size_t g = 0; g < static_cast<std::size_t>(groups); ++g) result.start[g + 1] += result.start[g];
  auto next = result.start;
  for (std::int64_t c = 0; c < labels.size(); ++c)
    result.columns[static_cast<std::size_t>(next[static_cast<std::size_t>(labels[c])]++)] = c;
  return result;
}

inline void check_fit(matrix_view<const float> weights, vector_view<const std::int32_t> labels,
                      std::span<const std::uint8_t> bits, const fit_options& options,
                      vector_view<const float> column_weights, matrix_view<const std::uint8_t> kept) {
  require(!weights.empty(), "fit_grids: weights must not be empty, got ",
          shape_text(weights.rows(), weights.columns()));
  require(labels.size() == weights.columns(), "fit_grids: labels must name a group for each of the ", weights.columns(),
          " columns, got ", labels.size());
  require(!bits.empty(), "fit_grids: bits must hold a width for every group, got none");
  for (std::size_t g = 0; g < bits.size(); ++g)
    require(bits[g] >= minimum_bits && bits[g] <= maximum_bits, "fit_grids: bits of group ", g, " must be 1 to 8, got ",
            static_cast<int>(bits[g]));
  for (std::int64_t c = 0; c < labels.size(); ++c)
    require(labels[c] >= 0 && labels[c] < static_cast<std::int64_t>(bits.size()), "fit_grids: label of column ", c,
            " must be 0 to ", bits.size() - 1, ", got ", labels[c]);
  require(options.clip_steps >= 2, "fit_grids: clip_steps must be at least 2, got ", options.clip_steps);
  require(options.smallest_clip > 0 && options.smallest_clip <= 1, "fit_grids: smallest_clip must be in (0, 1], got ",
          options.smallest_clip);
  require(column_weights.empty() || column_weights.size() == weights.columns(),
          "fit_grids: column_weights must hold one value for each of the ", weights.columns(), " columns, got ",
          column_weights.size());
  for (std::int64_t c = 0; c < column_weights.size(); ++c)
    require(column_weights[c] >= 0 && std::isfinite(column_weights[c]), "fit_grids: column_weights of column ", c,
            " must be finite and not negative, got ", column_weights[c]);
  require(kept.empty() || (kept.rows() == weights.rows() && kept.columns() == weights.columns()),
          "fit_grids: kept must be ", shape_text(weights.rows(), weights.columns()), " like the weights, got ",
          shape_text(kept.rows(), kept.columns()));
}

inline grid_set fit_grids_on(const host_executor& exec, matrix_view<const float> weights,
                             vector_view<const std::int32_t> labels, std::span<const std::uint8_t> bits,
                             const fit_options& options, vector_view<const float> column_weights,
                             matrix_view<const std::uint8_t> kept, fit_result* result) {
  check_fit(weights, labels, bits, options, column_weights, kept);
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  const auto groups = static_cast<std::int64_t>(bits.size());
  const auto members = columns_by_group(labels, groups);
  const bool own_rows = options.layout == grid_layout::per_row_and_group;
  const bool own_columns = options.layout == grid_layout::per_column;

  grid_set fitted;
  fitted.symmetry = options.symmetry;
  fitted.format = options.format;
  fitted.layout = options.layout;
  const auto grid_columns = own_columns ? columns : groups;
  fitted.scale = matrix<float>(own_rows ? rows : 1, grid_columns);
  fitted.zero = matrix<float>(own_rows ? rows : 1, grid_columns);
  fitted.bits.resize(static_cast<std::size_t>(grid_columns));
  fitted.column_grid.resize(static_cast<std::size_t>(columns));
  for (std::int64_t c = 0; c < columns; ++c)
    fitted.column_grid[static_cast<std::size_t>(c)] = own_columns ? static_cast<std::int32_t>(c) : labels[c];
  for (std::int64_t g = 0; g < grid_columns; ++g)
    fitted.bits[static_cast<std::size_t>(g)] = bits[static_cast<std::size_t>(own_columns ? labels[g] : g)];

  // One task fits the grids of one tile of rows (every group of them), of one group, or of one tile of columns.
  constexpr std::int64_t tile = 16;
  const auto tasks = own_rows ? (rows + tile - 1) / tile : (own_columns ? (columns + tile - 1) / tile : groups);
  std::pmr::vector<fit_result> counts(static_cast<std::size_t>(tasks), exec.resource());
  exec.parallel_for(tasks, [&](std::int64_t task) {
    auto& count = counts[static_cast<std::size_t>(task)];
    std::pmr::vector<float> values(std::pmr::new_delete_resource());
    std::pmr::vector<float> costs(std::pmr::new_delete_resource());
    const auto gather = [&](std::int64_t r, std::int64_t c) {
      if (!kept.empty() && kept(r, c) == 0) return;
      values.push_back(weights(r, c));
      if (!column_weights.empty()) costs.push_back(column_weights[c]);
    };
    const auto fit = [&](std::int64_t row_grid, std::int64_t grid_column) {
      const auto one =
          fit_one(values.data(), costs.empty() ? nullptr : costs.data(), static_cast<std::int64_t>(values.size()),
                  fitted.bits[static_cast<std::size_t>(grid_column)], options);
      fitted.scale(row_grid, grid_column) = one.grid.scale;
      fitted.zero(row_grid, grid_column) = one.grid.zero;
      count.empty += one.empty;
      count.clipped += one.clipped;
      count.rescaled += one.rescaled;
      values.clear();
      costs.clear();
    };
    const auto group_columns = [&](std::int64_t g) {
      return std::span(members.columns)
          .subspan(static_cast<std::size_t>(members.start[static_cast<std::size_t>(g)]),
                   static_cast<std::size_t>(members.start[static_cast<std::size_t>(g) + 1] -
                                            members.start[static_cast<std::size_t>(g)]));
    };
    if (own_rows) {
      for (auto r = task * tile; r < std::min(rows, (task + 1) * tile); ++r)
        for (std::int64_t g = 0; g < groups; ++g) {
          for (const auto c : group_columns(g)) gather(r, c);
          fit(r, g);
        }
    } else if (own_columns) {
      for (auto c = task * tile; c < std::min(columns, (task + 1) * tile); ++c) {
        for (std::int64_t r = 0; r < rows; ++r) gather(r, c);
        fit(0, c);
      }
    } else {
      for (std::int64_t r = 0; r < rows; ++r)
        for (const auto c : group_columns(task)) gather(r, c);
      fit(0, task);
    }
  });
  if (result != nullptr) {
    *result = {};
    for (const auto& count : counts) {
      result->empty += count.empty;
      result->clipped += count.clipped;
      result->rescaled += count.rescaled;
    }
  }
  return fitted;
}

}  // namespace detail

template <executor Exec>
grid_set fit_grids(const Exec& exec, matrix_view<const float, memory_of<Exec>> weights,
                   vector_view<const std::int32_t, memory_of<Exec>> labels, std::span<const std::uint8_t> bits,
                   const fit_options& options, vector_view<const float, memory_of<Exec>> column_weights,
                   matrix_view<const std::uint8_t, memory_of<Exec>> kept, fit_result* result) {
  return detail::fit_grids_on(exec, weights, labels, bits, options, column_weights, kept, result);
}

}  // namespace miq::quantization
