#pragma once

#include <algorithm>
#include <cmath>
#include <memory_resource>
#include <vector>

#include <miq/core/detail/as_float.hpp>
#include <miq/core/detail/finite.hpp>
#include <miq/core/detail/vector_transpose.hpp>
#include <miq/quantization/detail/fit/checks.hpp>
#include <miq/quantization/detail/fit/column_groups.hpp>
#include <miq/quantization/detail/fit/grid_search.hpp>
#include <miq/quantization/detail/rank_one/host.hpp>
#include <miq/quantization/fit.hpp>

namespace miq::quantization {

namespace detail {

using miq::detail::require;
using miq::detail::shape_text;

inline namespace MIQ_INSTRUCTION_SET {

using miq::detail::float_lanes;
using miq::detail::lanes;

/// The squared error of quantising `values` on a grid, lane by lane in float over 256 values, then in double; `costs`
/// may be null.
template <grid_kind Kind>
double quantisation_error_on(const float* values, const float* costs, std::int64_t count, const affine_grid& grid) {
  constexpr std::int64_t tile = 256;
  const auto steps = vectors::steps_of<Kind>(float_lanes{} + grid.scale, float_lanes{} + grid.zero,
                                             float_lanes{} + highest_step(grid.maximum_code, grid.zero_free));
  double total = 0;
  for (std::int64_t first = 0; first < count; first += tile) {
    const auto last = std::min(count, first + tile);
    float_lanes sum = {};
    for (auto i = first; i < last; i += lanes) {
      float_lanes value = {};
      float_lanes cost = {};
      if (i + lanes <= last) {
        value = miq::detail::load<float_lanes>(values + i);
        cost = costs != nullptr ? miq::detail::load<float_lanes>(costs + i) : float_lanes{} + 1.0F;
      } else {
        for (auto k = i; k < last; ++k) {
          value[k - i] = values[k];
          cost[k - i] = costs != nullptr ? costs[k] : 1.0F;
        }
      }
      value = vectors::magnitude_of<Kind>(value);
      const float_lanes wanted = steps.template wanted<Kind>(value / steps.scale + steps.fraction);
      const float_lanes error = steps.distance(value, steps.within(wanted));
      sum += cost * error * error;
    }
    for (int lane = 0; lane < lanes; ++lane) total += static_cast<double>(sum[lane]);
  }
  return total;
}

inline double quantisation_error(const float* values, const float* costs, std::int64_t count, const affine_grid& grid) {
  return grid.zero_free ? quantisation_error_on<grid_kind::zero_free>(values, costs, count, grid)
                        : quantisation_error_on<grid_kind::affine>(values, costs, count, grid);
}

inline value_range range_of(const float* values, std::int64_t count) {
  float_lanes lowest = {};
  float_lanes highest = {};
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto value = miq::detail::load<float_lanes>(values + i);
    lowest = miq::detail::smaller(value, lowest);
    highest = miq::detail::larger(value, highest);
  }
  value_range range;
  for (int lane = 0; lane < lanes; ++lane) range.add({lowest[lane], highest[lane]});
  for (; i < count; ++i) range.add(values[i]);
  return range;
}

}  // namespace MIQ_INSTRUCTION_SET

/// The grid of one buffer of weights, its range (and the gap of a grid without zero) searched; `least` receives its
/// squared error.
inline fitted_grid search_clip(const float* values, const float* costs, std::int64_t count, int bits,
                               const fit_options& options, double& least) {
  const auto range = range_of(values, count);
  auto fitted = fit_range(range, bits, options);
  least = quantisation_error(values, costs, count, fitted.grid);
  if (fitted.empty) return fitted;
  const int candidates = clip_candidates(bits, options);
  for (int i = 0; i < candidates; ++i) {
    const auto candidate = clip_candidate(range, bits, options, i);
    const double error = quantisation_error(values, costs, count, candidate);
    if (error < least) {
      least = error;
      fitted.grid = candidate;
      fitted.clipped = clip_step(bits, options, i) > 0;
    }
  }
  return fitted;
}

inline void check_fit(matrix_view<const float> weights, vector_view<const std::int32_t> labels,
                      std::span<const std::uint8_t> bits, const fit_options& options,
                      vector_view<const float> column_weights, matrix_view<const std::uint8_t> kept) {
  require(!weights.empty(), "fit_grids: weights must not be empty, got ",
          shape_text(weights.rows(), weights.columns()));
  require(labels.size() == weights.columns(), "fit_grids: labels must name a group for each of the ", weights.columns(),
          " columns, got ", labels.size());
  check_groups("fit_grids", {labels.data(), static_cast<std::size_t>(labels.size())}, bits);
  check_fit_shapes("fit_grids", weights.rows(), weights.columns(), options, column_weights, kept);
  for (std::int64_t c = 0; c < column_weights.size(); ++c)
    require(column_weights[c] >= 0 && std::isfinite(column_weights[c]), "fit_grids: column_weights of column ", c,
            " must be finite and not negative, got ", column_weights[c]);
}

/// One fit under way.
struct grid_fit {
  const host_executor& exec;
  matrix_view<const float> weights;
  vector_view<const std::int32_t> labels;
  const fit_options& options;
  vector_view<const float> column_weights;
  matrix_view<const std::uint8_t> kept;
  const column_groups& members;
  grid_set& fitted;
  double* errors = nullptr;  // [groups], receives the squared errors of a search

  /// Columns of one task where each column has its own grid, rows of one where each row has.
  static constexpr std::int64_t tile = 16;

  std::int64_t row_tiles() const { return (weights.rows() + tile - 1) / tile; }

  void put(std::int64_t row_grid, std::int64_t grid_column, const fitted_grid& one, fit_result& count) const {
    fitted.scale(row_grid, grid_column) = one.grid.scale;
    fitted.zero(row_grid, grid_column) = one.grid.zero;
    count.empty += one.empty ? 1 : 0;
    count.clipped += one.clipped ? 1 : 0;
    count.rescaled += one.rescaled ? 1 : 0;
  }

  static fit_result sum(const std::pmr::vector<fit_result>& counts) {
    fit_result total;
    for (const auto& count : counts) {
      total.empty += count.empty;
      total.clipped += count.clipped;
      total.rescaled += count.rescaled;
    }
    return total;
  }

  int bits(std::int64_t grid_column) const { return fitted.bits[static_cast<std::size_t>(grid_column)]; }

  /// Adds a row to the ranges of all grid columns. A range contains 0, so that a weight left out may count as one.
  void add_row(std::int64_t r, value_range* ranges) const {
    const float* row = weights.data() + r * weights.leading();
    const auto columns = weights.columns();
    if (kept.empty() && fitted.bits.size() == 1) {
      ranges[0].add(range_of(row, columns));
    } else if (kept.empty()) {
      for (std::int64_t c = 0; c < columns; ++c) ranges[fitted.column_grid[static_cast<std::size_t>(c)]].add(row[c]);
    } else {
      const auto* keep = kept.data() + r * kept.leading();
      for (std::int64_t c = 0; c < columns; ++c)
        ranges[fitted.column_grid[static_cast<std::size_t>(c)]].add(keep[c] != 0 ? row[c] : 0.0F);
    }
  }

  /// Min/max: one pass over the rows. Tiles of rows gather their own ranges, which are joined where rows share grids.
  fit_result by_range() const {
    const auto grid_columns = static_cast<std::int64_t>(fitted.bits.size());
    const bool own_rows = fitted.layout == grid_layout::per_row_and_group;
    const auto rows_of_task = own_rows ? tile : std::max<std::int64_t>(tile, (weights.rows() + 31) / 32);
    const auto tasks = (weights.rows() + rows_of_task - 1) / rows_of_task;
    std::pmr::vector<fit_result> counts(static_cast<std::size_t>(tasks), exec.resource());
    std::pmr::vector<value_range> ranges(static_cast<std::size_t>(tasks * grid_columns), exec.resource());
    exec.parallel_for(tasks, [&](std::int64_t task) {
      auto* mine = ranges.data() + task * grid_columns;
      for (auto r = task * rows_of_task; r < std::min(weights.rows(), (task + 1) * rows_of_task); ++r) {
        add_row(r, mine);
        if (!own_rows) continue;
        for (std::int64_t g = 0; g < grid_columns; ++g) {
          put(r, g, fit_range(mine[g], bits(g), options), counts[static_cast<std::size_t>(task)]);
          mine[g] = {};
        }
      }
    });
    if (!own_rows)
      for (std::int64_t g = 0; g < grid_columns; ++g) {
        for (std::int64_t task = 1; task < tasks; ++task)
          ranges[static_cast<std::size_t>(g)].add(ranges[static_cast<std::size_t>(task * grid_columns + g)]);
        put(0, g, fit_range(ranges[static_cast<std::size_t>(g)], bits(g), options), counts[0]);
      }
    return sum(counts);
  }

  /// Clip search. One task fits the grids of one tile of rows (every group of them), of one tile of columns, or of one
  /// group.
  fit_result by_search() const {
    const auto rows = weights.rows();
    const auto columns = weights.columns();
    const auto groups = static_cast<std::int64_t>(members.start.size()) - 1;
    const bool own_rows = fitted.layout == grid_layout::per_row_and_group;
    const bool own_columns = fitted.layout == grid_layout::per_column;
    const auto tasks = own_rows ? row_tiles() : (own_columns ? (columns + tile - 1) / tile : groups);
    std::pmr::vector<fit_result> counts(static_cast<std::size_t>(tasks), exec.resource());
    std::pmr::vector<double> task_errors(static_cast<std::size_t>(errors != nullptr ? tasks * groups : 0),
                                         exec.resource());
    exec.parallel_for(tasks, [&](std::int64_t task) {
      std::pmr::vector<float> values(std::pmr::new_delete_resource());
      std::pmr::vector<float> costs(std::pmr::new_delete_resource());
      const auto gather = [&](std::int64_t r, std::int64_t c) {
        if (!kept.empty() && kept(r, c) == 0) return;
        values.push_back(weights(r, c));
        if (!column_weights.empty()) costs.push_back(column_weights[c]);
      };
      const auto search = [&](std::int64_t row_grid, std::int64_t grid_column, std::int64_t group) {
        double error = 0;
        put(row_grid, grid_column,
            search_clip(values.data(), costs.empty() ? nullptr : costs.data(), static_cast<std::int64_t>(values.size()),
                        bits(grid_column), options, error),
            counts[static_cast<std::size_t>(task)]);
        if (errors != nullptr) task_errors[static_cast<std::size_t>(task * groups + group)] += error;
        values.clear();
        costs.clear();
      };
      if (own_rows) {
        for (auto r = task * tile; r < std::min(rows, (task + 1) * tile); ++r)
          for (std::int64_t g = 0; g < groups; ++g) {
            for (const auto c : members.of(g)) gather(r, c);
            search(r, g, g);
          }
      } else if (own_columns) {
        for (auto c = task * tile; c < std::min(columns, (task + 1) * tile); ++c) {
          for (std::int64_t r = 0; r < rows; ++r) gather(r, c);
          search(0, c, labels[c]);
        }
      } else {
        for (std::int64_t r = 0; r < rows; ++r)
          for (const auto c : members.of(task)) gather(r, c);
        search(0, task, task);
      }
    });
    if (errors != nullptr)
      for (std::int64_t task = 0; task < tasks; ++task)
        for (std::int64_t g = 0; g < groups; ++g) errors[g] += task_errors[static_cast<std::size_t>(task * groups + g)];
    return sum(counts);
  }
};

/// A grid set of the right shape, without scales.
inline grid_set empty_grids(std::int64_t rows, vector_view<const std::int32_t> labels,
                            std::span<const std::uint8_t> bits, const fit_options& options) {
  const auto columns = labels.size();
  const bool own_rows = options.layout == grid_layout::per_row_and_group;
  const bool own_columns = has_column_scales(options.layout);
  const auto grid_columns = own_columns ? columns : static_cast<std::int64_t>(bits.size());
  grid_set fitted;
  fitted.symmetry = options.symmetry;
  fitted.format = options.format;
  fitted.layout = options.layout;
  fitted.scale = matrix<float>(own_rows ? rows : 1, grid_columns);
  fitted.zero = matrix<float>(own_rows ? rows : 1, grid_columns);
  fitted.bits.resize(static_cast<std::size_t>(grid_columns));
  fitted.column_grid.resize(static_cast<std::size_t>(columns));
  for (std::int64_t c = 0; c < columns; ++c)
    fitted.column_grid[static_cast<std::size_t>(c)] = own_columns ? static_cast<std::int32_t>(c) : labels[c];
  for (std::int64_t g = 0; g < grid_columns; ++g)
    fitted.bits[static_cast<std::size_t>(g)] = bits[static_cast<std::size_t>(own_columns ? labels[g] : g)];
  return fitted;
}

/// What a set of rank-one grids becomes once factors and groups are known.
inline fit_result assemble_rank_one(const rank_one_fit& fit, const rank_one_factors& factors,
                                    std::span<const value_histogram> values, std::span<const std::uint8_t> bits,
                                    grid_set& fitted) {
  fit_result counts;
  const auto& options = fit.options;
  fitted.row_factor.resize(factors.row.size());
  for (std::size_t r = 0; r < factors.row.size(); ++r) fitted.row_factor[r] = static_cast<float>(factors.row[r]);
  std::vector<fitted_grid> of_group(bits.size());
  for (std::size_t g = 0; g < bits.size(); ++g) {
    of_group[g] = fit.fit_group(values[g], bits[g]).fit;
    counts.empty += of_group[g].empty ? 1 : 0;
    counts.clipped += of_group[g].clipped ? 1 : 0;
    counts.rescaled += of_group[g].rescaled ? 1 : 0;
  }
  for (std::int64_t c = 0; c < fit.labels.size(); ++c) {
    const auto& own = of_group[static_cast<std::size_t>(fit.labels[c])];
    const auto at = static_cast<std::int64_t>(fitted.column_grid[static_cast<std::size_t>(c)]);
    fitted.zero(0, at) = own.grid.zero;
    fitted.scale(0, at) = stored_scale(
        static_cast<float>(factors.column[static_cast<std::size_t>(c)] * static_cast<double>(own.grid.scale)),
        options.format);
  }
  if (options.format == scale_format::logarithmic8) counts.rescaled += limit_logarithms(fitted.row_factor);
  return counts;
}

template <on_host Exec>
grid_set fit_grids_on(const Exec& exec, matrix_view<const float> weights, vector_view<const std::int32_t> labels,
                      std::span<const std::uint8_t> bits, const fit_options& options,
                      vector_view<const float> column_weights, matrix_view<const std::uint8_t> kept,
                      fit_result* result) {
  check_fit(weights, labels, bits, options, column_weights, kept);
  miq::detail::require_finite(exec, weights, "fit_grids", "weights");
  const auto members = columns_by_group(labels, static_cast<std::int64_t>(bits.size()));
  auto fitted = empty_grids(weights.rows(), labels, bits, options);
  fit_result counts;
  if (is_rank_one(options.layout)) {
    const rank_one_fit fit{exec, weights, labels, options, column_weights, kept, members};
    const auto factors = fit.factors();
    counts = assemble_rank_one(fit, factors, fit.histograms(factors), bits, fitted);
  } else {
    const grid_fit fit{exec, weights, labels, options, column_weights, kept, members, fitted};
    counts = options.range == range_rule::min_max ? fit.by_range() : fit.by_search();
  }
  if (options.format == scale_format::logarithmic8)
    counts.rescaled += limit_logarithms({fitted.scale.data(), static_cast<std::size_t>(fitted.scale.size())});
  if (result != nullptr) *result = counts;
  return fitted;
}

template <on_host Exec>
matrix<double> grid_errors_on(const Exec& exec, matrix_view<const float> weights,
                              vector_view<const std::int32_t> labels, std::int64_t groups,
                              std::span<const std::uint8_t> widths, const fit_options& options,
                              vector_view<const float> column_weights, matrix_view<const std::uint8_t> kept) {
  require(groups >= 1, "grid_errors: groups must be at least 1, got ", groups);
  require(!widths.empty(), "grid_errors: widths must not be empty");
  require(options.range == range_rule::clip_search, "grid_errors: range must be range_rule::clip_search");
  const std::vector<std::uint8_t> one_each(static_cast<std::size_t>(groups), widths[0]);
  check_fit(weights, labels, one_each, options, column_weights, kept);
  for (const auto width : widths)
    require(width >= minimum_bits && width <= maximum_bits, "grid_errors: widths must be 1 to 8, got ",
            static_cast<int>(width));
  miq::detail::require_finite(exec, weights, "grid_errors", "weights");
  const auto members = columns_by_group(labels, groups);
  const auto count = static_cast<std::int64_t>(widths.size());
  matrix<double> errors(groups, count);
  if (is_rank_one(options.layout)) {
    const rank_one_fit fit{exec, weights, labels, options, column_weights, kept, members};
    const auto values = fit.histograms(fit.factors());
    exec.parallel_for(groups * count, [&](std::int64_t i) {
      errors(i / count, i % count) =
          fit.fit_group(values[static_cast<std::size_t>(i / count)], widths[static_cast<std::size_t>(i % count)]).error;
    });
    return errors;
  }
  std::vector<double> of_group(static_cast<std::size_t>(groups));
  for (std::int64_t w = 0; w < count; ++w) {
    const std::vector<std::uint8_t> bits(static_cast<std::size_t>(groups), widths[static_cast<std::size_t>(w)]);
    auto fitted = empty_grids(weights.rows(), labels, bits, options);
    std::fill(of_group.begin(), of_group.end(), 0.0);
    grid_fit{exec, weights, labels, options, column_weights, kept, members, fitted, of_group.data()}.by_search();
    for (std::int64_t g = 0; g < groups; ++g) errors(g, w) = of_group[static_cast<std::size_t>(g)];
  }
  return errors;
}

}  // namespace detail

template <executor Exec>
grid_set fit_grids(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                   vector_view<const std::int32_t, memory_of<Exec>> labels, std::span<const std::uint8_t> bits,
                   const fit_options& options, vector_view<const float, memory_of<Exec>> column_weights,
                   matrix_view<const std::uint8_t, memory_of<Exec>> kept, fit_result* result) {
  return miq::detail::with_float(exec, weights, [&](const auto& typed) {
    return detail::fit_grids_on(exec, typed, labels, bits, options, column_weights, kept, result);
  });
}

template <executor Exec>
matrix<double> grid_errors(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                           vector_view<const std::int32_t, memory_of<Exec>> labels, std::int64_t groups,
                           std::span<const std::uint8_t> widths, const fit_options& options,
                           vector_view<const float, memory_of<Exec>> column_weights,
                           matrix_view<const std::uint8_t, memory_of<Exec>> kept) {
  return miq::detail::with_float(exec, weights, [&](const auto& typed) {
    return detail::grid_errors_on(exec, typed, labels, groups, widths, options, column_weights, kept);
  });
}

}  // namespace miq::quantization
