// Fits of scales that are products of a row's factor and another: the kernel bodies. What they compute is what
// detail/rank_one.hpp computes, sums in another order.
#pragma once

#include <miq/quantization/detail/fit/body.hpp>

namespace miq::quantization::detail {

/// Mean squares of the rows' weights that are not 0, in units of the columns' factors. One row per block.
template <class T>
struct row_squares_body {
  static constexpr int lanes = 128;

  masked_weights<T> weights;
  const double* inverse = nullptr;   // [columns], 1 / factor^2
  double* inverse_square = nullptr;  // [rows], 1 / mean square, or 0 where there is no weight
  double* factor = nullptr;          // [rows], its root, or 0

  std::int64_t blocks() const { return weights.rows; }
  std::int64_t scratch_bytes() const { return sum_slots * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t r, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<double*>(scratch);
    const double total = sum_of_terms(group, weights.columns, slots, [&](std::int64_t c) {
      const auto w = static_cast<double>(weights.at(r, c).value);
      return w * w * inverse[c];
    });
    const double present = sum_of_terms(group, weights.columns, slots,
                                        [&](std::int64_t c) { return weights.at(r, c).value != 0 ? 1.0 : 0.0; });
    if (group.rank() != 0) return;
    inverse_square[r] = total > 0 ? present / total : 0;
    factor[r] = total > 0 ? std::sqrt(total / present) : 0;
  }
};

/// Sums of the columns' squares in units of the rows' factors, over tiles of rows.
template <class T>
struct column_squares_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile_rows = 256;
  static constexpr std::int64_t tile_columns = 256;

  masked_weights<T> weights;
  const double* inverse_square = nullptr;  // [rows]
  double* sums = nullptr;                  // [row tiles, columns]
  double* counts = nullptr;                // [row tiles, columns], weights that are not 0

  static std::int64_t tiles(std::int64_t rows) { return divided_up(rows, tile_rows); }
  std::int64_t blocks() const { return tiles(weights.rows) * divided_up(weights.columns, tile_columns); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto across = divided_up(weights.columns, tile_columns);
    const auto tile = block / across;
    const auto first = block % across * tile_columns;
    const auto last = first + tile_columns < weights.columns ? first + tile_columns : weights.columns;
    const auto last_row = (tile + 1) * tile_rows < weights.rows ? (tile + 1) * tile_rows : weights.rows;
    for (auto c = first + group.rank(); c < last; c += group.size()) {
      double sum = 0;
      double count = 0;
      for (auto r = tile * tile_rows; r < last_row; ++r) {
        const auto w = static_cast<double>(weights.at(r, c).value);
        sum += w * w * inverse_square[r];
        count += w != 0 ? 1 : 0;
      }
      sums[tile * weights.columns + c] = sum;
      counts[tile * weights.columns + c] = count;
    }
  }
};

/// The factor of every owner (a column, or a group of them), 0 where there is no weight. One owner a block.
struct owner_factors_body {
  static constexpr int lanes = 128;

  std::int64_t columns = 0;
  std::int64_t tiles = 0;
  const double* sums = nullptr;    // [tiles, columns]
  const double* counts = nullptr;  // [tiles, columns]
  std::int64_t owners = 0;
  const std::int32_t* start = nullptr;    // [owners + 1] into members, or null: owner i is column i
  const std::int32_t* members = nullptr;  // [columns]
  double* factor = nullptr;               // [owners]

  std::int64_t blocks() const { return owners; }
  std::int64_t scratch_bytes() const { return sum_slots * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t owner, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<double*>(scratch);
    const std::int64_t size = start == nullptr ? 1 : start[owner + 1] - start[owner];
    const auto place = [&](std::int64_t i) {
      const auto c = start == nullptr ? owner : static_cast<std::int64_t>(members[start[owner] + i % size]);
      return i / size * columns + c;
    };
    const double total = sum_of_terms(group, tiles * size, slots, [&](std::int64_t i) { return sums[place(i)]; });
    const double present = sum_of_terms(group, tiles * size, slots, [&](std::int64_t i) { return counts[place(i)]; });
    if (group.rank() == 0) factor[owner] = total > 0 ? std::sqrt(total / present) : 0;
  }
};

/// Gives factors that are 0 the mean of the others' logarithms, rounds, and hands them out. One block.
struct complete_factors_body {
  static constexpr int lanes = 128;

  std::int64_t owners = 0;
  const double* owned = nullptr;  // [owners], may be `factor` where there is no `owner_of`
  std::int64_t count = 0;
  const std::int32_t* owner_of = nullptr;  // [count], or null: i
  bool rounds = false;                     // to `format`
  scale_format format = scale_format::float32;
  double* factor = nullptr;   // [count]
  double* inverse = nullptr;  // [count], 1 / factor^2, or null
  float* stored = nullptr;    // [count], the factor in float, or null

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return sum_slots * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<double*>(scratch);
    const double logarithms =
        sum_of_terms(group, owners, slots, [&](std::int64_t i) { return owned[i] > 0 ? std::log(owned[i]) : 0.0; });
    const double present = sum_of_terms(group, owners, slots, [&](std::int64_t i) { return owned[i] > 0 ? 1.0 : 0.0; });
    const double mean = present > 0 ? std::exp(logarithms / present) : 1;
    for (std::int64_t i = group.rank(); i < count; i += group.size()) {
      double value = owned[owner_of == nullptr ? i : owner_of[i]];
      value = value > 0 ? value : mean;
      if (inverse != nullptr) inverse[i] = 1 / (value * value);
      if (rounds) value = static_cast<double>(stored_scale(static_cast<float>(value), format));
      factor[i] = value;
      if (stored != nullptr) stored[i] = static_cast<float>(value);
    }
  }
};

/// What weights and costs are in units of the factors.
template <class T>
struct unit_weights {
  masked_weights<T> weights;
  const double* row = nullptr;            // [rows]
  const double* column = nullptr;         // [columns]
  const float* column_weights = nullptr;  // [columns] or null: 1

  struct value {
    double value;
    double cost;
    bool counts;
    bool finite;
  };
  MIQ_HOST_DEVICE value at(std::int64_t r, std::int64_t c) const {
    const auto one = weights.at(r, c);
    const double unit = row[r] * column[c];
    return {static_cast<double>(one.value) / unit,
            unit * unit * (column_weights == nullptr ? 1.0 : static_cast<double>(column_weights[c])), one.counts,
            one.finite};
  }
};

/// The largest magnitude and the largest cost of each group, as bits of doubles that are 0 before.
struct unit_range_words {
  std::uint64_t reach = 0;
  std::uint64_t cost = 0;
};

/// Tiles of the matrix that bodies over units go by.
struct unit_tile {
  static constexpr std::int64_t rows = 64;
  static constexpr std::int64_t columns = 256;
  std::int64_t first_row, last_row, first, last;

  static std::int64_t count(std::int64_t row_count, std::int64_t column_count) {
    return divided_up(row_count, rows) * divided_up(column_count, columns);
  }
  MIQ_HOST_DEVICE unit_tile(std::int64_t block, std::int64_t row_count, std::int64_t column_count) {
    const auto across = divided_up(column_count, columns);
    first_row = block / across * rows;
    last_row = first_row + rows < row_count ? first_row + rows : row_count;
    first = block % across * columns;
    last = first + columns < column_count ? first + columns : column_count;
  }
};

template <class T>
struct unit_range_body {
  static constexpr int lanes = 256;

  unit_weights<T> units;
  const std::int32_t* labels = nullptr;  // [columns]
  unit_range_words* ranges = nullptr;    // [groups]
  std::int64_t* counter = nullptr;       // of weights that are not finite, or null

  std::int64_t blocks() const { return unit_tile::count(units.weights.rows, units.weights.columns); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const unit_tile tile(block, units.weights.rows, units.weights.columns);
    for (auto c = tile.first + group.rank(); c < tile.last; c += group.size()) {
      double reach = 0;
      double cost = 0;
      std::int64_t not_finite = 0;
      for (auto r = tile.first_row; r < tile.last_row; ++r) {
        const auto one = units.at(r, c);
        not_finite += one.finite ? 0 : 1;
        if (!one.counts) continue;
        const double magnitude = std::fabs(one.value);
        reach = magnitude > reach ? magnitude : reach;
        cost = one.cost > cost ? one.cost : cost;
      }
      auto& shared = ranges[labels[c]];
      raise_atomically(&shared.reach, miq::detail::bits_as<std::uint64_t>(reach));
      raise_atomically(&shared.cost, miq::detail::bits_as<std::uint64_t>(cost));
      count_not_finite(not_finite, counter);
    }
  }
};

/// The histogram of one group, in whole numbers, so that blocks can add to it in any order: cost and cost * value of
/// every bin, entry b + 1 for bin b (entry 0 stays 0), and the sum of cost * value^2. Values and costs are divided by
/// the largest of the group, and then multiplied by 2^61 over the number of weights, so that no sum overflows: each
/// is rounded to 2^-35 of the largest where a group has 2^26 weights.
struct unit_histogram {
  std::int64_t* cost_sums;   // [bins + 1]
  std::int64_t* first_sums;  // [bins + 1]
  std::int64_t* second_sum;  // [1]
  std::int64_t bin_count;
  double largest;  // magnitude
  double largest_cost;
  double one;        // what the largest are in whole numbers
  double per_cost;   // one / largest_cost, or 0
  double per_value;  // 1 / largest, or 0
  double bins_of_unit;

  MIQ_HOST_DEVICE unit_histogram(std::int64_t* sums, std::int64_t bins, double reach, double cost, double weights)
      : cost_sums(sums),
        first_sums(sums + bins + 1),
        second_sum(sums + 2 * (bins + 1)),
        bin_count(bins),
        largest(reach),
        largest_cost(cost),
        one(0x1.0p61 / (weights > 1 ? weights : 1)),
        per_cost(cost > 0 ? one / cost : 0),
        per_value(reach > 0 ? 1 / reach : 0),
        bins_of_unit(reach > 0 ? static_cast<double>(bins) / (2 * reach) : 0) {}

  /// Adds a weight to its bin; what it adds to the second sum is returned.
  MIQ_HOST_DEVICE double add(double value, double cost) const {
    const double share = cost * per_cost;
    const double place = value * per_value;
    const auto bin = clamped(bin_of_value(value, largest, bins_of_unit), 0, bin_count - 1);
    add_atomically(cost_sums + bin + 1, static_cast<std::int64_t>(std::nearbyint(share)));
    add_atomically(first_sums + bin + 1, static_cast<std::int64_t>(std::nearbyint(share * place)));
    return share * place * place;
  }

  // What `histogram_error` reads, once every bin holds the sum of all bins before.
  MIQ_HOST_DEVICE std::int64_t bins() const { return bin_count; }
  MIQ_HOST_DEVICE double reach() const { return largest; }
  MIQ_HOST_DEVICE double per_unit() const { return bins_of_unit; }
  MIQ_HOST_DEVICE double squares() const {
    return static_cast<double>(*second_sum) / one * largest_cost * largest * largest;
  }
  MIQ_HOST_DEVICE double costs(std::int64_t first, std::int64_t last) const {
    return static_cast<double>(cost_sums[last] - cost_sums[first]) / one * largest_cost;
  }
  MIQ_HOST_DEVICE double firsts(std::int64_t first, std::int64_t last) const {
    return static_cast<double>(first_sums[last] - first_sums[first]) / one * largest_cost * largest;
  }
};

/// The histograms of all groups; `sums` holds zeros before.
struct unit_histograms {
  std::int64_t* sums = nullptr;  // [groups, 2 * (bins + 1) + 1]
  std::int64_t bins = 0;
  std::int64_t rows = 0;
  const unit_range_words* ranges = nullptr;  // [groups]
  const std::int32_t* start = nullptr;       // [groups + 1], into the members

  static std::int64_t words(std::int64_t groups, std::int64_t bin_count) { return groups * (2 * (bin_count + 1) + 1); }
  MIQ_HOST_DEVICE unit_histogram of(std::int64_t g) const {
    return {sums + g * (2 * (bins + 1) + 1), bins, miq::detail::bits_as<double>(ranges[g].reach),
            miq::detail::bits_as<double>(ranges[g].cost),
            static_cast<double>(rows) * static_cast<double>(start[g + 1] - start[g])};
  }
};

/// Adds the weights of one tile.
template <class T>
struct histogram_body {
  static constexpr int lanes = 256;

  unit_weights<T> units;
  const std::int32_t* labels = nullptr;  // [columns]
  unit_histograms histograms;

  std::int64_t blocks() const { return unit_tile::count(units.weights.rows, units.weights.columns); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const unit_tile tile(block, units.weights.rows, units.weights.columns);
    for (auto c = tile.first + group.rank(); c < tile.last; c += group.size()) {
      const auto own = histograms.of(labels[c]);
      double second = 0;
      for (auto r = tile.first_row; r < tile.last_row; ++r) {
        const auto weight = units.at(r, c);
        if (!weight.counts) continue;
        second += own.add(weight.value, weight.cost);
      }
      add_atomically(own.second_sum, static_cast<std::int64_t>(std::nearbyint(second)));
    }
  }
};

/// Turns the bins of a group into sums over all bins before. One group per block.
struct accumulate_body {
  static constexpr int lanes = 256;

  unit_histograms histograms;
  std::int64_t groups = 0;

  std::int64_t blocks() const { return groups; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t g, std::byte* scratch) const {
    const auto own = histograms.of(g);
    accumulate(group, own.cost_sums + 1, reinterpret_cast<std::int64_t*>(scratch));
    accumulate(group, own.first_sums + 1, reinterpret_cast<std::int64_t*>(scratch));
  }

 private:
  template <execution_group Group>
  MIQ_HOST_DEVICE void accumulate(const Group& group, std::int64_t* sums, std::int64_t* slots) const {
    const auto each = divided_up(histograms.bins, group.size());
    const auto first = each * group.rank() < histograms.bins ? each * group.rank() : histograms.bins;
    const auto last = first + each < histograms.bins ? first + each : histograms.bins;
    std::int64_t sum = 0;
    for (auto b = first; b < last; ++b) sum += sums[b];
    exclusive_sum_over_lanes(group, sum, slots);
    sum = slots[group.rank()];
    for (auto b = first; b < last; ++b) sums[b] = sum += sums[b];
    group.sync();
  }
};

/// The grid of every group in units of the factors. One group per block.
struct unit_fit_body {
  static constexpr int lanes = 128;

  unit_histograms histograms;
  std::int64_t groups = 0;
  const std::uint8_t* bits = nullptr;  // [groups]
  fit_options options;
  int one_width = 0;
  grid_places out;           // [1, groups]
  double* errors = nullptr;  // [groups], `errors_stride` apart, or null
  std::int64_t errors_stride = 1;

  std::int64_t blocks() const { return groups; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(candidate_error)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t g, std::byte* scratch) const {
    const auto own = histograms.of(g);
    const int width = width_of(bits, g, one_width);
    auto fit = fit_unit_range(own.reach(), width, options);
    const bool searches = !fit.empty && options.range == range_rule::clip_search;
    const auto candidates = 1 + (searches ? unit_candidates(width, options) : 0);
    candidate_error mine;
    for (std::int32_t k = group.rank(); k < candidates; k += group.size())
      mine.consider(histogram_error(own, candidate(own, width, k).grid), k);
    const auto best = best_over_lanes(group, mine, reinterpret_cast<candidate_error*>(scratch));
    if (group.rank() != 0) return;
    if (best.index != candidate_error::none) fit = candidate(own, width, best.index);
    fit.empty = own.reach() == 0;
    out.put(0, g, fit);
    if (errors != nullptr) errors[g * errors_stride] = best.error;
  }

 private:
  MIQ_HOST_DEVICE fitted_grid candidate(const unit_histogram& own, int width, std::int32_t k) const {
    return k == 0 ? fit_unit_range(own.reach(), width, options) : unit_candidate(own.reach(), width, options, k - 1);
  }
};

/// Scales and zero points of the grid columns from those of groups in units: one grid column per lane.
struct assemble_body {
  static constexpr int lanes = 256;

  group_table table;
  bool own_columns = false;  // otherwise a group's columns share the factor and the grid
  scale_format format = scale_format::float16;
  const double* factor = nullptr;     // [columns]
  const float* unit_scale = nullptr;  // [groups]
  const float* unit_zero = nullptr;   // [groups]
  float* scale = nullptr;             // [grid columns]
  float* zero = nullptr;

  std::int64_t grid_columns() const { return own_columns ? table.columns : table.groups; }
  std::int64_t blocks() const { return divided_up(grid_columns(), lanes); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto count = own_columns ? table.columns : table.groups;
    const auto last = (block + 1) * lanes < count ? (block + 1) * lanes : count;
    for (auto i = block * lanes + group.rank(); i < last; i += group.size()) {
      const auto g = own_columns ? static_cast<std::int64_t>(table.labels[i]) : i;
      if (table.group_size(g) == 0) {
        scale[i] = 0;
        zero[i] = 0;
        continue;
      }
      const auto c = own_columns ? i : static_cast<std::int64_t>(table.members[table.start[g]]);
      scale[i] = stored_scale(static_cast<float>(factor[c] * static_cast<double>(unit_scale[g])), format);
      zero[i] = unit_zero[g];
    }
  }
};

}  // namespace miq::quantization::detail
