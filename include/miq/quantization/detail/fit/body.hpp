// Fits of grids with scales of their own: the kernel bodies.
#pragma once

#include <miq/quantization/detail/fit/body_tools.hpp>
#include <miq/quantization/detail/fit/grid_search.hpp>
#include <miq/quantization/detail/fit/group_table.hpp>

namespace miq::quantization::detail {

MIQ_HOST_DEVICE inline void count_fit(const fitted_grid& one, fit_result* result) {
  if (result == nullptr) return;
  if (one.empty) add_atomically(&result->empty, std::int64_t{1});
  if (one.clipped) add_atomically(&result->clipped, std::int64_t{1});
  if (one.rescaled) add_atomically(&result->rescaled, std::int64_t{1});
}

MIQ_HOST_DEVICE inline void count_not_finite(std::int64_t seen, std::int64_t* counter) {
  if (seen != 0 && counter != nullptr) add_atomically(counter, seen);
}

/// Range of the weights of one owner, as words that `raise_atomically` raises from 0: the magnitudes of the lowest and
/// the highest.
struct range_words {
  std::uint32_t below = 0;
  std::uint32_t above = 0;

  MIQ_HOST_DEVICE value_range range() const {
    return {0.0F - miq::detail::bits_as<float>(below), miq::detail::bits_as<float>(above)};
  }
};

/// Where the error of one grid is evaluated.
struct grid_evaluation {
  reciprocal_steps steps;

  MIQ_HOST_DEVICE explicit grid_evaluation(const affine_grid& grid)
      : steps(grid.scale, grid.zero, highest_step(grid.maximum_code, grid.zero_free), grid.zero_free) {}

  /// Cost 0 gives 0, whatever the finite value.
  MIQ_HOST_DEVICE float error(float value, float cost) const {
    const float difference = steps.difference(value);
    return cost * difference * difference;
  }
};

/// Candidate k of a search; 0 is the grid of the whole range.
MIQ_HOST_DEVICE inline affine_grid candidate_of(const value_range& range, int bits, const fit_options& options,
                                                std::int64_t k) {
  return k == 0 ? fit_range(range, bits, options).grid : clip_candidate(range, bits, options, static_cast<int>(k) - 1);
}

/// The grid that a search of candidates ends with: candidate 0 is the whole range's.
MIQ_HOST_DEVICE inline fitted_grid searched_grid(const value_range& range, int bits, const fit_options& options,
                                                 std::int32_t index) {
  auto fitted = fit_range(range, bits, options);
  if (index == 0 || index == candidate_error::none) return fitted;
  fitted.grid = clip_candidate(range, bits, options, index - 1);
  fitted.clipped = clip_step(bits, options, index - 1) > 0;
  return fitted;
}

/// Whether the grid of a range is searched at all, and how many candidates there are then, the whole range's included.
MIQ_HOST_DEVICE inline std::int64_t candidates_of(const value_range& range, int bits, const fit_options& options) {
  const bool empty = range.lowest == 0 && range.highest == 0;
  return 1 + (empty ? 0 : clip_candidates(bits, options));
}

/// Weights are evaluated in runs of this many, in float; runs are added up in double.
inline constexpr std::int64_t error_run = 32;
/// Run i of a grid goes to partial sum i mod `error_parts`; the partial sums are added in their order.
inline constexpr std::int64_t error_parts = 4;
/// Weights in scratch at a time, a multiple of a run for every partial sum.
inline constexpr std::int64_t value_tile = 1024;
/// Candidates that are evaluated at a time.
inline constexpr std::int64_t candidate_batch = 64;

/// Scratch of the bodies that search: weights, their costs, partial sums, the lanes' best.
template <int Lanes>
struct search_scratch {
  double* sums;           // [candidate_batch * error_parts]
  candidate_error* best;  // [Lanes]
  affine_grid* grids;     // [candidate_batch]
  float* values;          // [value_tile]
  float* costs;           // [value_tile]

  static constexpr std::int64_t bytes() {
    return candidate_batch * error_parts * static_cast<std::int64_t>(sizeof(double)) +
           Lanes * static_cast<std::int64_t>(sizeof(candidate_error)) +
           candidate_batch * static_cast<std::int64_t>(sizeof(affine_grid)) +
           2 * value_tile * static_cast<std::int64_t>(sizeof(float));
  }
  MIQ_HOST_DEVICE explicit search_scratch(std::byte* scratch)
      : sums(reinterpret_cast<double*>(scratch)),
        best(reinterpret_cast<candidate_error*>(sums + candidate_batch * error_parts)),
        grids(reinterpret_cast<affine_grid*>(best + Lanes)),
        values(reinterpret_cast<float*>(grids + candidate_batch)),
        costs(values + value_tile) {}

  /// Begins a batch of candidates: that of the whole range is candidate 0, those of the search are 1, 2... Lanes have
  /// to meet before they use it.
  template <class Group>
  MIQ_HOST_DEVICE void begin_batch(const Group& group, const value_range& range, int bits, const fit_options& options,
                                   std::int64_t first, std::int64_t candidates) const {
    for (std::int64_t i = group.rank(); i < candidate_batch * error_parts; i += group.size()) sums[i] = 0;
    for (std::int64_t i = group.rank(); i < candidate_batch && first + i < candidates; i += group.size())
      grids[i] = candidate_of(range, bits, options, first + i);
  }

  /// Adds the errors of `count` weights in scratch to the partial sums of the batch.
  template <class Group>
  MIQ_HOST_DEVICE void add_errors(const Group& group, std::int64_t count, std::int64_t batch) const {
    for (std::int64_t item = group.rank(); item < batch * error_parts; item += group.size()) {
      const auto part = item % error_parts;
      if (part * error_run >= count) continue;
      const grid_evaluation grid(grids[item / error_parts]);
      double sum = sums[item];
      for (auto from = part * error_run; from < count; from += error_parts * error_run) {
        const auto to = from + error_run < count ? from + error_run : count;
        float run = 0;
        for (auto i = from; i < to; ++i) run += grid.error(values[i], costs[i]);
        sum += static_cast<double>(run);
      }
      sums[item] = sum;
    }
  }

  /// Candidate i of the batch.
  MIQ_HOST_DEVICE double error(std::int64_t i) const {
    double total = sums[i * error_parts];
    for (std::int64_t part = 1; part < error_parts; ++part) total += sums[i * error_parts + part];
    return total;
  }
};

/// Where fitted grids go.
struct grid_places {
  float* scale = nullptr;  // [1 or rows, grid columns]; null where only errors are asked for
  std::int64_t scale_leading = 0;
  float* zero = nullptr;
  std::int64_t zero_leading = 0;
  fit_result* result = nullptr;  // holds zeros before; may be null

  MIQ_HOST_DEVICE void put(std::int64_t row, std::int64_t column, const fitted_grid& one) const {
    if (scale != nullptr) {
      scale[row * scale_leading + column] = one.grid.scale;
      zero[row * zero_leading + column] = one.grid.zero;
    }
    count_fit(one, result);
  }
};

/// The widths of a fit: the table's, or one for all.
MIQ_HOST_DEVICE inline int width_of(const std::uint8_t* bits, std::int64_t i, int one_width) {
  return one_width != 0 ? one_width : static_cast<int>(bits[i]);
}

/// Grids of every row in every group: one of them a block, its range, its search and all.
template <class T>
struct row_fit_body {
  static constexpr int lanes = 64;

  masked_weights<T> weights;
  group_table table;
  fit_options options;
  const float* column_weights = nullptr;  // [columns] or null: 1
  int one_width = 0;                      // 0: the table's
  grid_places out;
  std::int64_t* counter = nullptr;  // of weights that are not finite, or null
  double* errors = nullptr;         // [rows, groups] or null

  std::int64_t blocks() const { return weights.rows * table.groups; }
  std::int64_t scratch_bytes() const { return search_scratch<lanes>::bytes(); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const search_scratch<lanes> at(scratch);
    const auto r = block / table.groups;
    const auto g = block % table.groups;
    const auto* const members = table.members + table.start[g];
    const auto size = table.group_size(g);
    const int bits = width_of(table.bits, g, one_width);
    const auto range = range_of_row(group, r, members, size, at.values);
    if (options.range == range_rule::min_max) {
      if (group.rank() == 0) out.put(r, g, fit_range(range, bits, options));
      return;
    }
    const auto candidates = candidates_of(range, bits, options);
    candidate_error mine;
    for (std::int64_t first = 0; first < candidates; first += candidate_batch) {
      const auto batch = candidates - first < candidate_batch ? candidates - first : candidate_batch;
      at.begin_batch(group, range, bits, options, first, candidates);
      if (size == 0) group.sync();
      for (std::int64_t tile = 0; tile < size; tile += value_tile) {
        const auto count = size - tile < value_tile ? size - tile : value_tile;
        if (first == 0 || size > value_tile) {
          for (std::int64_t i = group.rank(); i < count; i += group.size()) {
            const auto c = members[tile + i];
            const auto one = weights.at(r, c);
            at.values[i] = one.value;
            at.costs[i] = !one.counts ? 0.0F : (column_weights != nullptr ? column_weights[c] : 1.0F);
          }
        }
        group.sync();
        at.add_errors(group, count, batch);
        group.sync();
      }
      for (std::int64_t i = group.rank(); i < batch; i += group.size())
        mine.consider(at.error(i), static_cast<std::int32_t>(first + i));
      group.sync();
    }
    const auto best = best_over_lanes(group, mine, at.best);
    if (group.rank() != 0) return;
    out.put(r, g, searched_grid(range, bits, options, best.index));
    if (errors != nullptr) errors[r * table.groups + g] = best.error;
  }

 private:
  /// The range, in every lane; counts what is not finite. `slots` is scratch for three floats per lane.
  template <execution_group Group>
  MIQ_HOST_DEVICE value_range range_of_row(const Group& group, std::int64_t r, const std::int32_t* members,
                                           std::int64_t size, float* slots) const {
    value_range mine;
    std::int64_t not_finite = 0;
    for (std::int64_t i = group.rank(); i < size; i += group.size()) {
      const auto one = weights.at(r, members[i]);
      mine.add(one.value);
      not_finite += one.finite ? 0 : 1;
    }
    count_not_finite(not_finite, counter);
    slots[2 * group.rank()] = mine.lowest;
    slots[2 * group.rank() + 1] = mine.highest;
    group.sync();
    value_range range;
    for (std::int32_t lane = 0; lane < group.size(); ++lane) range.add({slots[2 * lane], slots[2 * lane + 1]});
    group.sync();
    return range;
  }
};

/// Ranges of columns or groups: tiles of the matrix raise their owners' words, which are 0 before.
template <class T>
struct range_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile_rows = 64;
  static constexpr std::int64_t tile_columns = 256;

  masked_weights<T> weights;
  const std::int32_t* owners = nullptr;  // [columns]
  range_words* ranges = nullptr;         // [owners]
  std::int64_t* counter = nullptr;       // of weights that are not finite, or null

  std::int64_t blocks() const {
    return divided_up(weights.rows, tile_rows) * divided_up(weights.columns, tile_columns);
  }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto across = divided_up(weights.columns, tile_columns);
    const auto first_row = block / across * tile_rows;
    const auto first = block % across * tile_columns;
    const auto last_row = first_row + tile_rows < weights.rows ? first_row + tile_rows : weights.rows;
    const auto last = first + tile_columns < weights.columns ? first + tile_columns : weights.columns;
    for (auto c = first + group.rank(); c < last; c += group.size()) {
      value_range mine;
      std::int64_t not_finite = 0;
      for (auto r = first_row; r < last_row; ++r) {
        const auto one = weights.at(r, c);
        mine.add(one.value);
        not_finite += one.finite ? 0 : 1;
      }
      auto& shared = ranges[owners[c]];
      // 0 - 0 is +0, whose bits are 0; the negative of 0 would be the largest of all words.
      raise_atomically(&shared.below, miq::detail::bits_as<std::uint32_t>(0.0F - mine.lowest));
      raise_atomically(&shared.above, miq::detail::bits_as<std::uint32_t>(mine.highest + 0.0F));
      count_not_finite(not_finite, counter);
    }
  }
};

/// The min/max grids of ranges, one per lane.
struct fit_ranges_body {
  static constexpr int lanes = 256;

  std::int64_t owners = 0;
  const range_words* ranges = nullptr;  // [owners]
  const std::uint8_t* bits = nullptr;   // [owners]
  fit_options options;
  grid_places out;

  std::int64_t blocks() const { return divided_up(owners, lanes); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto last = (block + 1) * lanes < owners ? (block + 1) * lanes : owners;
    for (auto i = block * lanes + group.rank(); i < last; i += group.size())
      out.put(0, i, fit_range(ranges[i].range(), static_cast<int>(bits[i]), options));
  }
};

/// The errors of all candidates over a part of a group: some rows of one chunk of its columns. A batch of candidates of
/// one part a block.
template <class T>
struct part_errors_body {
  static constexpr int lanes = 128;

  masked_weights<T> weights;
  group_table table;
  fit_options options;
  const float* column_weights = nullptr;  // [columns] or null: 1
  int one_width = 0;                      // 0: the table's
  const range_words* ranges = nullptr;    // [groups]
  std::int64_t part_rows = 1;             // rows of a part
  std::int64_t candidates = 1;            // the most that a group has
  double* errors = nullptr;               // [chunks, row parts, candidates]

  std::int64_t row_parts() const { return divided_up(weights.rows, part_rows); }
  std::int64_t blocks() const { return table.chunks * row_parts() * divided_up(candidates, candidate_batch); }
  std::int64_t scratch_bytes() const { return search_scratch<lanes>::bytes(); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const search_scratch<lanes> at(scratch);
    const auto batches = divided_up(candidates, candidate_batch);
    const auto first = block % batches * candidate_batch;
    const auto part = block / batches;
    const auto down = divided_up(weights.rows, part_rows);
    const auto chunk = part / down;
    const auto first_row = part % down * part_rows;
    const auto rows = weights.rows - first_row < part_rows ? weights.rows - first_row : part_rows;
    const auto g = table.chunk_group[chunk];
    const auto* const members = table.members + table.chunk_first[chunk];
    const auto across = table.chunk_size(chunk);
    const int bits = width_of(table.bits, g, one_width);
    const auto range = ranges[g].range();
    const auto own = candidates_of(range, bits, options);
    if (first >= own) return;
    const auto batch = own - first < candidate_batch ? own - first : candidate_batch;
    at.begin_batch(group, range, bits, options, first, own);
    const auto values = rows * across;
    for (std::int64_t tile = 0; tile < values; tile += value_tile) {
      const auto count = values - tile < value_tile ? values - tile : value_tile;
      for (std::int64_t i = group.rank(); i < count; i += group.size()) {
        // 32 bits: a part has at most 2^20 rows of 64 columns, and dividing 64 bits takes a subroutine.
        const auto place = static_cast<std::uint32_t>(tile + i);
        const std::int32_t c = members[place % static_cast<std::uint32_t>(across)];
        const auto one = weights.at(first_row + place / static_cast<std::uint32_t>(across), c);
        at.values[i] = one.value;
        at.costs[i] = !one.counts ? 0.0F : (column_weights != nullptr ? column_weights[c] : 1.0F);
      }
      group.sync();
      at.add_errors(group, count, batch);
      group.sync();
    }
    for (std::int64_t i = group.rank(); i < batch; i += group.size())
      errors[part * candidates + first + i] = at.error(i);
  }
};

/// The best candidate of every group, one group per block.
struct choose_body {
  static constexpr int lanes = 256;

  group_table table;
  fit_options options;
  int one_width = 0;
  const range_words* ranges = nullptr;  // [groups]
  std::int64_t row_parts = 1;
  std::int64_t candidates = 1;
  const double* part_errors = nullptr;  // [chunks, row parts, candidates]
  grid_places out;
  double* errors = nullptr;  // [groups], `errors_stride` apart, or null
  std::int64_t errors_stride = 1;

  std::int64_t blocks() const { return table.groups; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(candidate_error)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t g, std::byte* scratch) const {
    const int bits = width_of(table.bits, g, one_width);
    const auto range = ranges[g].range();
    const auto own = candidates_of(range, bits, options);
    const auto first = table.chunk_start[g] * row_parts;
    const auto last = table.chunk_start[g + 1] * row_parts;
    candidate_error mine;
    for (std::int64_t k = group.rank(); k < own; k += group.size()) {
      double sum = 0;
      for (auto part = first; part < last; ++part) sum += part_errors[part * candidates + k];
      mine.consider(sum, static_cast<std::int32_t>(k));
    }
    const auto best = best_over_lanes(group, mine, reinterpret_cast<candidate_error*>(scratch));
    if (group.rank() != 0) return;
    out.put(0, g, searched_grid(range, bits, options, best.index));
    if (errors != nullptr) errors[g * errors_stride] = best.error;
  }
};

/// The search of columns that have grids of their own, a few columns a block, so that rows are read in whole sectors of
/// memory.
template <class T>
struct column_fit_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile_columns = 8;
  static constexpr std::int64_t tile_rows = 128;
  static constexpr std::int64_t batch = 32;  // candidates at a time

  masked_weights<T> weights;
  const std::uint8_t* column_bits = nullptr;  // [columns]
  fit_options options;
  const float* column_weights = nullptr;  // [columns] or null: 1
  int one_width = 0;
  const range_words* ranges = nullptr;  // [columns]
  std::int64_t candidates = 1;          // the most that a column has
  grid_places out;
  double* errors = nullptr;  // [columns] or null

  std::int64_t blocks() const { return divided_up(weights.columns, tile_columns); }
  std::int64_t scratch_bytes() const {
    return batch * tile_columns * static_cast<std::int64_t>(sizeof(double)) +
           tile_columns * static_cast<std::int64_t>(sizeof(candidate_error)) +
           batch * tile_columns * static_cast<std::int64_t>(sizeof(affine_grid)) +
           2 * tile_rows * tile_columns * static_cast<std::int64_t>(sizeof(float));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const sums = reinterpret_cast<double*>(scratch);
    auto* const best = reinterpret_cast<candidate_error*>(sums + batch * tile_columns);
    auto* const grids = reinterpret_cast<affine_grid*>(best + tile_columns);
    auto* const values = reinterpret_cast<float*>(grids + batch * tile_columns);
    auto* const costs = values + tile_rows * tile_columns;
    const auto first_column = block * tile_columns;
    const auto across = weights.columns - first_column < tile_columns ? weights.columns - first_column : tile_columns;
    for (std::int64_t j = group.rank(); j < across; j += group.size()) best[j] = candidate_error{};
    for (std::int64_t first = 0; first < candidates; first += batch) {
      // An item is a candidate of a column; a lane keeps its items to itself until all rows are done.
      for (std::int64_t item = group.rank(); item < batch * tile_columns; item += group.size()) {
        sums[item] = 0;
        if (is_candidate(item, first, first_column))
          grids[item] = candidate(first_column + item % tile_columns, first + item / tile_columns);
      }
      for (std::int64_t tile = 0; tile < weights.rows; tile += tile_rows) {
        const auto down = weights.rows - tile < tile_rows ? weights.rows - tile : tile_rows;
        for (std::int64_t i = group.rank(); i < down * tile_columns; i += group.size()) {
          const auto j = i % tile_columns;
          if (j >= across) continue;
          const auto one = weights.at(tile + i / tile_columns, first_column + j);
          values[i] = one.value;
          costs[i] = !one.counts ? 0.0F : (column_weights != nullptr ? column_weights[first_column + j] : 1.0F);
        }
        group.sync();
        for (std::int64_t item = group.rank(); item < batch * tile_columns; item += group.size()) {
          if (!is_candidate(item, first, first_column)) continue;
          const auto j = item % tile_columns;
          const grid_evaluation grid(grids[item]);
          double sum = sums[item];
          for (std::int64_t from = 0; from < down; from += error_run) {
            const auto to = from + error_run < down ? from + error_run : down;
            float run = 0;
            for (auto i = from; i < to; ++i)
              run += grid.error(values[i * tile_columns + j], costs[i * tile_columns + j]);
            sum += static_cast<double>(run);
          }
          sums[item] = sum;
        }
        group.sync();
      }
      for (std::int64_t j = group.rank(); j < across; j += group.size()) {
        const auto own = own_candidates(first_column + j);
        for (auto k = first; k < first + batch && k < own; ++k)
          best[j].consider(sums[(k - first) * tile_columns + j], static_cast<std::int32_t>(k));
      }
      group.sync();
    }
    for (std::int64_t j = group.rank(); j < across; j += group.size()) {
      const auto c = first_column + j;
      out.put(0, c, searched_grid(ranges[c].range(), width_of(column_bits, c, one_width), options, best[j].index));
      if (errors != nullptr) errors[c] = best[j].error;
    }
  }

 private:
  MIQ_HOST_DEVICE std::int64_t own_candidates(std::int64_t c) const {
    return candidates_of(ranges[c].range(), width_of(column_bits, c, one_width), options);
  }
  MIQ_HOST_DEVICE bool is_candidate(std::int64_t item, std::int64_t first, std::int64_t first_column) const {
    const auto c = first_column + item % tile_columns;
    return c < weights.columns && first + item / tile_columns < own_candidates(c);
  }
  MIQ_HOST_DEVICE affine_grid candidate(std::int64_t c, std::int64_t k) const {
    return candidate_of(ranges[c].range(), width_of(column_bits, c, one_width), options, k);
  }
};

/// Sums of errors over every group: of its rows' grids, or of its columns'. One group per block.
struct group_errors_body {
  static constexpr int lanes = 128;

  group_table table;
  std::int64_t rows = 0;                  // of `row_errors`
  const double* row_errors = nullptr;     // [rows, groups], or null
  const double* column_errors = nullptr;  // [columns], where there are no errors of rows
  double* errors = nullptr;               // [groups], `errors_stride` apart
  std::int64_t errors_stride = 1;

  std::int64_t blocks() const { return table.groups; }
  std::int64_t scratch_bytes() const { return sum_slots * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t g, std::byte* scratch) const {
    const bool by_row = row_errors != nullptr;
    const auto* const members = table.members + table.start[g];
    const double sum = sum_of_terms(
        group, by_row ? rows : table.group_size(g), reinterpret_cast<double*>(scratch),
        [&](std::int64_t i) { return by_row ? row_errors[i * table.groups + g] : column_errors[members[i]]; });
    if (group.rank() == 0) errors[g * errors_stride] = sum;
  }
};

/// The largest logarithm of some positive scales, above a floor that none is below, as a word that is 0 before.
inline constexpr std::int32_t logarithm_floor = 4096;

struct largest_logarithm_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 4096;

  const float* scales = nullptr;  // [rows, columns]
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t leading = 0;
  std::uint32_t* largest = nullptr;

  std::int64_t blocks() const { return divided_up(rows * columns, tile); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::uint32_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::uint32_t*>(scratch);
    const auto last = (block + 1) * tile < rows * columns ? (block + 1) * tile : rows * columns;
    std::uint32_t mine = 0;
    for (auto i = block * tile + group.rank(); i < last; i += group.size()) {
      const auto k =
          static_cast<std::uint32_t>(logarithm_of_scale(scales[i / columns * leading + i % columns]) + logarithm_floor);
      mine = k > mine ? k : mine;
    }
    slots[group.rank()] = mine;
    group.sync();
    if (group.rank() != 0) return;
    for (std::int32_t lane = 1; lane < group.size(); ++lane) mine = slots[lane] > mine ? slots[lane] : mine;
    raise_atomically(largest, mine);
  }
};

/// Raises the scales whose logarithms lie too far below the largest, and counts them.
struct limit_logarithms_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 4096;

  float* scales = nullptr;  // [rows, columns]
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t leading = 0;
  const std::uint32_t* largest = nullptr;
  fit_result* result = nullptr;

  std::int64_t blocks() const { return divided_up(rows * columns, tile); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto last = (block + 1) * tile < rows * columns ? (block + 1) * tile : rows * columns;
    const auto least = static_cast<std::int32_t>(*largest) - logarithm_floor - logarithmic_range;
    std::int64_t raised = 0;
    for (auto i = block * tile + group.rank(); i < last; i += group.size()) {
      auto& scale = scales[i / columns * leading + i % columns];
      if (logarithm_of_scale(scale) >= least) continue;
      scale = logarithmic_scale(least);
      ++raised;
    }
    if (raised != 0) add_atomically(&result->rescaled, raised);
  }
};

}  // namespace miq::quantization::detail
