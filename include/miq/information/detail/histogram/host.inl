#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <miq/information/detail/histogram/binning.hpp>
#include <miq/information/detail/histogram/count_entropy.hpp>
#include <miq/information/detail/histogram/joint_counts.hpp>
#include <miq/information/detail/histogram/tile_counts.hpp>
#include <miq/information/histogram.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// n ln n in fixed point, with as many digits as T ln T leaves: sums of them are exact and have no order.
class fixed_point_entropy {
 public:
  explicit fixed_point_entropy(std::int64_t tokens) : tokens_(tokens) {
    shift_ = n_log_n_shift(tokens);
    table_.resize(static_cast<std::size_t>(std::min<std::int64_t>(tokens, most_tabulated) + 1));
    for (std::size_t n = 0; n < table_.size(); ++n) table_[n] = rounded(static_cast<double>(n));
  }

  std::int64_t operator()(std::int32_t n) const {
    return n <= most_tabulated ? table_[static_cast<std::size_t>(n)] : rounded(static_cast<double>(n));
  }

  /// Adds the terms of `count` numbers of tokens to as many sums.
  void add(const std::int32_t* n, std::int64_t count, std::int64_t* sums) const {
    if (tokens_ > most_tabulated) {
      for (std::int64_t k = 0; k < count; ++k) sums[k] += (*this)(n[k]);
      return;
    }
    const auto* const table = table_.data();
    for (std::int64_t k = 0; k < count; ++k) sums[k] += table[n[k]];
  }

  /// A sum of terms n ln n, divided by T.
  double per_token(std::int64_t sum) const {
    return std::ldexp(static_cast<double>(sum), -shift_) / static_cast<double>(tokens_);
  }
  std::int64_t whole() const { return (*this)(static_cast<std::int32_t>(tokens_)); }

 private:
  std::int64_t rounded(double n) const { return fixed_n_log_n(n, shift_); }

  std::int64_t tokens_;
  int shift_ = 0;
  std::vector<std::int64_t> table_;
};

/// Makes information out of counts. Entries of one channel are computed once.
class count_information {
 public:
  count_information(const binned_channels& channels, entropy_estimator how)
      : channels_(channels), how_(how), logarithms_(channels.tokens) {
    sums_.resize(channels.used.size());
    for (std::size_t c = 0; c < sums_.size(); ++c)
      for (std::int32_t k = 0; k < channels.used[c]; ++k)
        sums_[c] += logarithms_(channels.counts(static_cast<std::int64_t>(c), k));
  }

  double entropy(std::int64_t c) const {
    const auto place = static_cast<std::size_t>(c);
    const auto used = channels_.used[place], bins = channels_.bins[place];
    const auto tokens = static_cast<double>(channels_.tokens);
    if (used == 1) return 0;
    if (how_ == entropy_estimator::james_stein) {
      double squares = 0;
      for (std::int32_t k = 0; k < used; ++k) squares += square(channels_.counts(c, k));
      return shrinkage::value(margin_terms(shrinkage(squares, tokens, bins), c));
    }
    const double plug_in = logarithms_.per_token(logarithms_.whole() - sums_[place]);
    return how_ == entropy_estimator::miller_madow ? plug_in + (used - 1) / (2 * tokens) : plug_in;
  }

  /// Of a pair, from the tokens of every joint code that has some (others may be among them, or not).
  double information(std::int64_t i, std::int64_t j, std::span<const std::int32_t> cells) const {
    if (is_constant(i) || is_constant(j)) return 0;
    if (how_ == entropy_estimator::james_stein) return shrunk_information(i, j, cells);
    std::int64_t sum = 0, used = 0;
    for (const auto n : cells) {
      sum += logarithms_(n);
      used += n > 0;
    }
    return information_of_sums(i, j, sum, used);
  }

  /// Of channel i with all channels of a tile.
  void information(std::int64_t i, const code_tile& tile, tile_counter& counter, double* out) const {
    const auto cells = tile.codes * tile_channels;
    const bool constant = is_constant(i);
    if (how_ == entropy_estimator::james_stein) {
      std::vector<std::int32_t> table;  // [codes of i, codes of the tile, lanes]
      counter.count(i, tile, [&](const std::int32_t* counts) { table.insert(table.end(), counts, counts + cells); });
      std::vector<std::int32_t> own(table.size() / static_cast<std::size_t>(tile_channels));
      for (std::int64_t lane = 0; lane < tile.channels; ++lane) {
        for (std::size_t k = 0; k < own.size(); ++k)
          own[k] = table[k * static_cast<std::size_t>(tile_channels) + static_cast<std::size_t>(lane)];
        out[lane] = constant || is_constant(tile.first + lane) ? 0 : shrunk_information(i, tile.first + lane, own);
      }
      return;
    }
    std::int64_t sums[tile_channels] = {};
    std::int32_t used[tile_channels] = {};
    counter.count(i, tile, [&](const std::int32_t* counts) {
      for (std::int64_t k = 0; k < cells; k += tile_channels) logarithms_.add(counts + k, tile_channels, sums);
      if (how_ == entropy_estimator::miller_madow)
        for (std::int64_t k = 0; k < cells; k += tile_channels)
          for (std::int64_t lane = 0; lane < tile_channels; ++lane) used[lane] += counts[k + lane] > 0;
    });
    for (std::int64_t lane = 0; lane < tile.channels; ++lane)
      out[lane] = constant || is_constant(tile.first + lane)
                      ? 0
                      : information_of_sums(i, tile.first + lane, sums[lane], used[lane]);
  }

 private:
  bool is_constant(std::int64_t c) const { return channels_.used[static_cast<std::size_t>(c)] == 1; }

  /// From the sum of n ln n over the joint codes, and the number of those that occur.
  double information_of_sums(std::int64_t i, std::int64_t j, std::int64_t sum, std::int64_t used) const {
    const auto x = static_cast<std::size_t>(i), y = static_cast<std::size_t>(j);
    const double plug_in = logarithms_.per_token((logarithms_.whole() - sums_[x]) + (sum - sums_[y]));
    if (how_ == entropy_estimator::plug_in) return std::max(plug_in, 0.0);  // below 0 by rounding only
    return plug_in + static_cast<double>(channels_.used[x] + channels_.used[y] - used - 1) /
                         (2 * static_cast<double>(channels_.tokens));
  }

  static double square(std::int32_t n) { return static_cast<double>(n) * static_cast<double>(n); }

  std::int64_t margin_terms(const shrinkage& shrunk, std::int64_t c) const {
    const auto place = static_cast<std::size_t>(c);
    const auto used = channels_.used[place], bins = channels_.bins[place];
    std::int64_t terms = (bins - used) * shrunk.term(0, 1.0 / bins);
    for (std::int32_t k = 0; k < used; ++k) terms += shrunk.term(channels_.counts(c, k), 1.0 / bins);
    return terms;
  }

  double shrunk_information(std::int64_t i, std::int64_t j, std::span<const std::int32_t> counts) const {
    const double cells = static_cast<double>(channels_.bins[static_cast<std::size_t>(i)]) *
                         static_cast<double>(channels_.bins[static_cast<std::size_t>(j)]);
    std::int64_t squares = 0, used = 0;
    for (const auto n : counts) {
      squares += static_cast<std::int64_t>(n) * n;
      used += n > 0;
    }
    const shrinkage shrunk(static_cast<double>(squares), static_cast<double>(channels_.tokens), cells);
    std::int64_t joint = (static_cast<std::int64_t>(cells) - used) * shrunk.term(0, 1 / cells);
    for (const auto n : counts)
      if (n > 0) joint += shrunk.term(n, 1 / cells);
    // A divergence, below 0 by rounding only.
    return std::max(0.0, shrinkage::value(margin_terms(shrunk, i) + margin_terms(shrunk, j) - joint));
  }

  const binned_channels& channels_;
  entropy_estimator how_;
  fixed_point_entropy logarithms_;
  std::vector<std::int64_t> sums_;  ///< sum of n ln n of each channel
};

template <on_host Exec>
histogram_result histogram_on(const Exec& exec, matrix_view<const float> samples, std::span<const channel_pair> pairs,
                              vector_view<float> mi, const histogram_options& options,
                              const progress_callback& progress) {
  require_pairs("histogram", pairs, samples.columns(), mi);
  histogram_result result;
  const auto channels = bin_channels(exec, "histogram", samples, options, progress, 0.2, result);
  const count_information information(channels, options.estimator);
  std::vector<joint_counter> counters(static_cast<std::size_t>(exec.threads()), joint_counter(channels));
  std::vector<std::int64_t> negative(counters.size());
  for_listed_pairs(exec, pairs, mi, progress, "histogram", 0.2, 1,
                   [&](std::int64_t slot, std::int64_t i, std::int64_t j) {
                     const auto own = static_cast<std::size_t>(slot);
                     return finished_estimate(information.information(i, j, counters[own].cells(i, j)),
                                              options.clip_negative, negative[own]);
                   });
  for (const auto n : negative) result.negative += n;
  return result;
}

template <on_host Exec>
histogram_result histogram_on(const Exec& exec, matrix_view<const float> samples, matrix_view<float> mi,
                              const histogram_options& options, const progress_callback& progress) {
  require_mi("histogram", samples, mi);
  histogram_result result;
  const auto channels = bin_channels(exec, "histogram", samples, options, progress, 0.05, result);
  const count_information information(channels, options.estimator);
  const auto count = channels.channels();
  const auto tile_count = (count + tile_channels - 1) / tile_channels;
  std::vector<code_tile> tiles(static_cast<std::size_t>(tile_count));
  for_each_item(exec, tile_count, progress, "bins", 0.05, 0.1, [&](std::int64_t, std::int64_t k) {
    tiles[static_cast<std::size_t>(k)] = make_code_tile(channels, k * tile_channels, exec.resource());
  });

  // One item: a tile with 16 of the channels that come before its last one.
  constexpr std::int64_t strip = 16;
  struct item {
    std::int64_t tile, first;
  };
  std::vector<item> items;
  for (std::int64_t k = 0; k < tile_count; ++k)
    for (std::int64_t x = 0; x < std::min((k + 1) * tile_channels, count); x += strip) items.push_back({k, x});
  struct slot_state {
    joint_counter pairs;
    tile_counter tile;
    std::int64_t negative = 0;
  };
  std::vector<slot_state> slots;
  for (int k = 0; k < exec.threads(); ++k) slots.push_back({joint_counter(channels), tile_counter(channels), 0});
  for_each_item(exec, static_cast<std::int64_t>(items.size()), progress, "histogram", 0.1, 1,
                [&](std::int64_t slot, std::int64_t place) {
                  auto& own = slots[static_cast<std::size_t>(slot)];
                  const auto& at = items[static_cast<std::size_t>(place)];
                  const auto& tile = tiles[static_cast<std::size_t>(at.tile)];
                  const auto last = tile.first + tile.channels;
                  double values[tile_channels];
                  for (auto x = at.first; x < std::min(at.first + strip, last); ++x) {
                    const auto from = std::max(tile.first, x + 1);
                    // Few lanes do not pay for a tile: a pair by counters takes about a tenth of it.
                    const bool by_tile = takes_part(channels, x) && last - from >= fewest_lanes;
                    if (by_tile) information.information(x, tile, own.tile, values);
                    if (x >= tile.first) mi(x, x) = 0.0F;
                    for (auto y = from; y < last; ++y) {
                      const double value = by_tile && takes_part(channels, y)
                                               ? values[y - tile.first]
                                               : information.information(x, y, own.pairs.cells(x, y));
                      mi(x, y) = mi(y, x) = finished_estimate(value, options.clip_negative, own.negative);
                    }
                  }
                });
  for (const auto& own : slots) result.negative += own.negative;
  return result;
}

template <on_host Exec>
double histogram_on(const Exec& exec, vector_view<const float> x, vector_view<const float> y,
                    const histogram_options& options) {
  const auto samples = side_by_side(exec, "histogram", x, y);
  histogram_result result;
  const auto channels = bin_channels(exec, "histogram", samples, options, {}, 1, result);
  joint_counter counter(channels);
  const auto value = count_information(channels, options.estimator).information(0, 1, counter.cells(0, 1));
  return options.clip_negative ? std::max(value, 0.0) : value;
}

template <on_host Exec>
histogram_result histogram_entropy_on(const Exec& exec, matrix_view<const float> samples, vector_view<float> entropies,
                                      const histogram_options& options, histogram_entropy_kind kind) {
  const bool differential = kind == histogram_entropy_kind::differential;
  require_histogram_entropies(samples.columns(), entropies.size(), differential, options);
  histogram_result result;
  const auto channels = bin_channels(exec, "histogram_entropy", samples, options, {}, 1, result);
  const count_information information(channels, options.estimator);
  for (std::int64_t c = 0; c < entropies.size(); ++c) {
    auto value = information.entropy(c);
    if (differential)
      value = channels.used[static_cast<std::size_t>(c)] == 1
                  ? -std::numeric_limits<double>::infinity()
                  : value + std::log(channels.width[static_cast<std::size_t>(c)]);
    entropies[c] = static_cast<float>(value);
  }
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
double histogram(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                 vector_view<const float, memory_of<Exec>> y, const histogram_options& options) {
  return detail::histogram_on(exec, x, y, options);
}

template <executor Exec>
histogram_result histogram(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                           std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                           const histogram_options& options, const progress_callback& progress) {
  return detail::histogram_on(exec, samples, pairs, mi, options, progress);
}

template <executor Exec>
histogram_result histogram(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                           matrix_view<float, memory_of<Exec>> mi, const histogram_options& options,
                           const progress_callback& progress) {
  return detail::histogram_on(exec, samples, mi, options, progress);
}

template <executor Exec>
histogram_result histogram_entropy(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                   vector_view<float, memory_of<Exec>> entropies, const histogram_options& options,
                                   histogram_entropy_kind kind) {
  return detail::histogram_entropy_on(exec, samples, entropies, options, kind);
}

}  // namespace miq::information
