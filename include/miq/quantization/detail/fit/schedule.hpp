// The order of kernels that fits grids, for whatever runs kernel bodies: a device, or the host in tests.
#pragma once

#include <span>

#include <miq/core/workspace.hpp>
#include <miq/quantization/detail/fit/checks.hpp>
#include <miq/quantization/detail/rank_one/body.hpp>

namespace miq::quantization::detail {

/// Candidates that any group can have with these options, the whole range's included.
inline std::int64_t most_candidates(const fit_options& options) {
  return options.range == range_rule::min_max ? 1 : 1 + clip_candidates(maximum_bits, options);
}

/// Rows of a part of a group (`part_errors_body`): about 2^15 weights of a full chunk, more where there are many
/// chunks, so that there are about 2048 parts or one a chunk; 2^20 at most.
inline std::int64_t rows_of_part(std::int64_t rows, std::int64_t chunks) {
  const auto parts = std::max<std::int64_t>(1, 2048 / std::max<std::int64_t>(1, chunks));
  return std::clamp<std::int64_t>(divided_up(rows, parts), 512, 1 << 20);
}

/// Bins of a group's histogram: fine where there are few groups (detail/rank_one.hpp).
inline std::int64_t bins_for(std::int64_t chunks) { return chunks <= 128 ? 4096 : 512; }

/// Scratch of one fit, or of the errors of one width after the other.
struct fit_layout {
  miq::detail::workspace_layout all;
  std::int64_t part_rows = 0;
  std::int64_t candidates = 0;
  std::int64_t bins = 0;
  std::int64_t tiles = 0;  // of rows, in the sums of columns
  std::int64_t histogram_words = 0;
  std::int64_t ranges = 0, largest = 0, part_errors = 0, grid_errors = 0;
  std::int64_t row = 0, column = 0, inverse = 0, inverse_square = 0, sums = 0, counts = 0, owned = 0;
  std::int64_t unit_ranges = 0, histograms = 0, unit_scale = 0, unit_zero = 0;

  /// @param with_errors  for `measure_errors_on` and not for `fit_on`
  fit_layout(std::int64_t rows, const group_table& table, const fit_options& options, bool with_errors) {
    const auto columns = table.columns;
    const auto groups = table.groups;
    largest = all.add<std::uint32_t>(2);
    if (is_rank_one(options.layout)) {
      bins = bins_for(table.chunks);
      tiles = column_squares_body<float>::tiles(rows);
      histogram_words = unit_histograms::words(groups, bins);
      row = all.add<double>(rows);
      inverse_square = all.add<double>(rows);
      column = all.add<double>(columns);
      inverse = all.add<double>(columns);
      sums = all.add<double>(tiles * columns);
      counts = all.add<double>(tiles * columns);
      owned = all.add<double>(options.layout == grid_layout::row_by_column ? columns : groups);
      unit_ranges = all.add<unit_range_words>(groups);
      histograms = all.add<std::int64_t>(histogram_words);
      unit_scale = all.add<float>(groups);
      unit_zero = all.add<float>(groups);
      return;
    }
    candidates = most_candidates(options);
    const bool searches = options.range == range_rule::clip_search;
    if (options.layout == grid_layout::per_row_and_group) {
      if (with_errors) grid_errors = all.add<double>(rows * groups);
      return;
    }
    ranges = all.add<range_words>(options.layout == grid_layout::per_column ? columns : groups);
    if (options.layout == grid_layout::per_column && with_errors) grid_errors = all.add<double>(columns);
    if (options.layout == grid_layout::per_group && searches) {
      part_rows = rows_of_part(rows, table.chunks);
      part_errors = all.add<double>(table.chunks * divided_up(rows, part_rows) * candidates);
    }
  }
};

/// What a fit reads, and where it writes.
template <class T>
struct fit_arguments {
  masked_weights<T> weights;
  group_table table;
  fit_options options;
  const float* column_weights = nullptr;  // [columns] or null
  grid_places out;
  float* row_factor = nullptr;      // [rows], rank-one layouts only
  std::int64_t* counter = nullptr;  // of weights that are not finite, 0 before; or null
};

/// A fit under way. `Machine` runs bodies in order: `launch(name, body)`. `base` is scratch by the layout.
template <class T, class Machine>
struct machine_fit {
  const Machine& machine;
  const fit_arguments<T>& given;
  const fit_layout& layout;
  std::byte* base;

  static constexpr int rounds = 4;

  template <class U>
  U* at(std::int64_t offset) const {
    return reinterpret_cast<U*>(base + offset);
  }
  template <class U>
  void clear(U* values, std::int64_t count) const {
    machine.launch("fit_grids: clear", fill_body<U>{values, count, U{}});
  }
  std::int64_t grid_columns() const {
    return has_column_scales(given.options.layout) ? given.table.columns : given.table.groups;
  }

  /// Fits, or (with a width) measures the errors of each group, `stride` apart. The `first` run counts what is not
  /// finite, if `prepare` has not.
  void run(int one_width, double* errors, std::int64_t stride, bool first) const {
    switch (given.options.layout) {
      case grid_layout::per_row_and_group:
        return by_row(one_width, errors, stride, first);
      case grid_layout::per_group:
        return by_group(one_width, errors, stride);
      case grid_layout::per_column:
        return by_column(one_width, errors, stride);
      default:
        return unit_fits(one_width, errors, stride);
    }
  }

  /// What all widths share.
  void prepare() const {
    if (is_rank_one(given.options.layout)) return factors_and_histograms();
    if (given.options.layout == grid_layout::per_row_and_group) return;
    const bool own = given.options.layout == grid_layout::per_column;
    clear(at<range_words>(layout.ranges), grid_columns());
    machine.launch("fit_grids: ranges", range_body<T>{given.weights, own ? given.table.places : given.table.labels,
                                                      at<range_words>(layout.ranges), given.counter});
  }

  void by_row(int one_width, double* errors, std::int64_t stride, bool first) const {
    auto* const each = errors != nullptr ? at<double>(layout.grid_errors) : nullptr;
    auto* const counter = first ? given.counter : nullptr;
    machine.launch("fit_grids: rows", row_fit_body<T>{given.weights, given.table, given.options, given.column_weights,
                                                      one_width, given.out, counter, each});
    if (errors != nullptr)
      machine.launch("grid_errors: groups",
                     group_errors_body{given.table, given.weights.rows, each, nullptr, errors, stride});
  }

  void by_group(int one_width, double* errors, std::int64_t stride) const {
    const auto* const ranges = at<range_words>(layout.ranges);
    if (given.options.range == range_rule::min_max) {
      machine.launch("fit_grids: min/max",
                     fit_ranges_body{given.table.groups, ranges, given.table.bits, given.options, given.out});
      return;
    }
    const part_errors_body<T> parts{given.weights,        given.table,       given.options,
                                    given.column_weights, one_width,         ranges,
                                    layout.part_rows,     layout.candidates, at<double>(layout.part_errors)};
    machine.launch("fit_grids: candidates", parts);
    machine.launch("fit_grids: choice", choose_body{given.table, given.options, one_width, ranges, parts.row_parts(),
                                                    layout.candidates, parts.errors, given.out, errors, stride});
  }

  void by_column(int one_width, double* errors, std::int64_t stride) const {
    const auto* const ranges = at<range_words>(layout.ranges);
    if (given.options.range == range_rule::min_max) {
      machine.launch("fit_grids: min/max",
                     fit_ranges_body{given.table.columns, ranges, given.table.column_bits, given.options, given.out});
      return;
    }
    auto* const each = errors != nullptr ? at<double>(layout.grid_errors) : nullptr;
    machine.launch("fit_grids: columns",
                   column_fit_body<T>{given.weights, given.table.column_bits, given.options, given.column_weights,
                                      one_width, ranges, layout.candidates, given.out, each});
    if (errors != nullptr)
      machine.launch("grid_errors: groups", group_errors_body{given.table, 0, nullptr, each, errors, stride});
  }

  unit_histograms histograms() const {
    return {at<std::int64_t>(layout.histograms), layout.bins, given.weights.rows,
            at<unit_range_words>(layout.unit_ranges), given.table.start};
  }

  void factors_and_histograms() const {
    const auto rows = given.weights.rows;
    const auto columns = given.table.columns;
    const bool own = given.options.layout == grid_layout::row_by_column;
    const auto owners = own ? columns : given.table.groups;
    auto* const row = at<double>(layout.row);
    auto* const column = at<double>(layout.column);
    auto* const inverse = at<double>(layout.inverse);
    auto* const inverse_square = at<double>(layout.inverse_square);
    auto* const owned = at<double>(layout.owned);
    machine.launch("fit_grids: clear", fill_body<double>{inverse, columns, 1.0});
    for (int round = 0; round < rounds; ++round) {
      machine.launch("fit_grids: row factors", row_squares_body<T>{given.weights, inverse, inverse_square, row});
      machine.launch(
          "fit_grids: column sums",
          column_squares_body<T>{given.weights, inverse_square, at<double>(layout.sums), at<double>(layout.counts)});
      machine.launch("fit_grids: column factors",
                     owner_factors_body{columns, layout.tiles, at<double>(layout.sums), at<double>(layout.counts),
                                        owners, own ? nullptr : given.table.start, given.table.members, owned});
      const bool rounded = round + 1 == rounds && given.options.format == scale_format::logarithmic8;
      machine.launch("fit_grids: column factors",
                     complete_factors_body{owners, owned, columns, own ? nullptr : given.table.labels, rounded,
                                           given.options.format, column, inverse, nullptr});
    }
    machine.launch("fit_grids: row factors", complete_factors_body{rows, row, rows, nullptr, true, given.options.format,
                                                                   row, nullptr, given.row_factor});
    const unit_weights<T> units{given.weights, row, column, given.column_weights};
    auto* const ranges = at<unit_range_words>(layout.unit_ranges);
    clear(ranges, given.table.groups);
    clear(at<std::int64_t>(layout.histograms), layout.histogram_words);
    machine.launch("fit_grids: unit ranges", unit_range_body<T>{units, given.table.labels, ranges, given.counter});
    machine.launch("fit_grids: histograms", histogram_body<T>{units, given.table.labels, histograms()});
    machine.launch("fit_grids: histograms", accumulate_body{histograms(), given.table.groups});
  }

  void unit_fits(int one_width, double* errors, std::int64_t stride) const {
    grid_places unit;
    if (errors == nullptr) unit = {at<float>(layout.unit_scale), 0, at<float>(layout.unit_zero), 0, given.out.result};
    machine.launch("fit_grids: unit grids", unit_fit_body{histograms(), given.table.groups, given.table.bits,
                                                          given.options, one_width, unit, errors, stride});
    if (errors != nullptr) return;
    machine.launch("fit_grids: scales",
                   assemble_body{given.table, given.options.layout == grid_layout::row_by_column, given.options.format,
                                 at<double>(layout.column), unit.scale, unit.zero, given.out.scale, given.out.zero});
  }

  /// Brings some scales within what `logarithmic8` holds.
  void limit(float* scales, std::int64_t rows, std::int64_t columns, std::int64_t leading,
             std::uint32_t* largest) const {
    machine.launch("fit_grids: scales", largest_logarithm_body{scales, rows, columns, leading, largest});
    machine.launch("fit_grids: scales",
                   limit_logarithms_body{scales, rows, columns, leading, largest, given.out.result});
  }
};

/// Fits grids. `given.out.result` holds zeros before.
template <class T, class Machine>
void fit_on(const Machine& machine, const fit_arguments<T>& given, const fit_layout& layout, std::byte* base) {
  const machine_fit<T, Machine> fit{machine, given, layout, base};
  fit.prepare();
  fit.run(0, nullptr, 0, true);
  if (given.options.format != scale_format::logarithmic8) return;
  auto* const largest = fit.template at<std::uint32_t>(layout.largest);
  fit.clear(largest, 2);
  const bool own_rows = given.options.layout == grid_layout::per_row_and_group;
  fit.limit(given.out.scale, own_rows ? given.weights.rows : 1, fit.grid_columns(), given.out.scale_leading, largest);
  if (is_rank_one(given.options.layout))
    fit.limit(given.row_factor, 1, given.weights.rows, given.weights.rows, largest + 1);
}

/// The errors of every group at several widths, [groups, widths]. `given.out` has no places for grids; its result,
/// which may be null and holds zeros before, counts what is not finite once.
template <class T, class Machine>
void measure_errors_on(const Machine& machine, const fit_arguments<T>& given, std::span<const std::uint8_t> widths,
                       const fit_layout& layout, std::byte* base, double* errors) {
  const machine_fit<T, Machine> fit{machine, given, layout, base};
  fit.prepare();
  for (std::size_t w = 0; w < widths.size(); ++w)
    fit.run(static_cast<int>(widths[w]), errors + w, static_cast<std::int64_t>(widths.size()), w == 0);
}

}  // namespace miq::quantization::detail
