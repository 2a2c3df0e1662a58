#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include <miq/information/detail/binning.hpp>
#include <miq/information/detail/joint_counts.hpp>

namespace miq::information {
namespace detail {

/// n ln n in fixed point, with as many digits as T ln T leaves: sums of them are exact and have no order.
class fixed_point_entropy {
 public:
  explicit fixed_point_entropy(std::int64_t tokens) : tokens_(tokens) {
    const auto count = static_cast<double>(tokens);
    shift_ = 60 - static_cast<int>(std::ceil(std::log2(count * std::log(count) + 1)));
    table_.resize(static_cast<std::size_t>(std::min<std::int64_t>(tokens, most_tabulated) + 1));
    for (std::size_t n = 0; n < table_.size(); ++n) table_[n] = rounded(static_cast<double>(n));
  }

  std::int64_t operator()(std::int32_t n) const {
    return n <= most_tabulated ? table_[static_cast<std::size_t>(n)] : rounded(static_cast<double>(n));
  }

  /// A sum of terms n ln n, divided by T.
  double per_token(std::int64_t sum) const {
    return std::ldexp(static_cast<double>(sum), -shift_) / static_cast<double>(tokens_);
  }
  std::int64_t whole() const { return (*this)(static_cast<std::int32_t>(tokens_)); }

 private:
  std::int64_t rounded(double n) const { return n < 2 ? 0 : std::llround(std::ldexp(n * std::log(n), shift_)); }

  static constexpr std::int32_t most_tabulated = 0xFFFF;

  std::int64_t tokens_;
  int shift_ = 0;
  std::vector<std::int64_t> table_;
};

/// The James-Stein shrinkage of Hausser and Strimmer: p = shrink / cells + (1 - shrink) n / T.
struct shrinkage {
  double shrink = 1;
  double count = 0;  ///< T

  /// @param squares  sum of n^2
  shrinkage(double squares, double tokens, double cells) : count(tokens) {
    const double sum = squares / (tokens * tokens);
    const double away = sum - 1 / cells;  // sum of (p - 1 / cells)^2
    if (away > 0 && tokens > 1) shrink = std::clamp((1 - sum) / ((tokens - 1) * away), 0.0, 1.0);
  }

  /// -p ln p of a cell (or a margin of cells) that `n` tokens reach and whose share of the target is `target`, in
  /// fixed point, so that sums have no order.
  std::int64_t term(double n, double target) const {
    const double p = shrink * target + (1 - shrink) * n / count;
    return p > 0 ? std::llround(std::ldexp(-p * std::log(p), 52)) : 0;
  }
  static double value(std::int64_t terms) { return std::ldexp(static_cast<double>(terms), -52); }
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

  double information(joint_counter& counter, std::int64_t i, std::int64_t j) const {
    const auto x = static_cast<std::size_t>(i), y = static_cast<std::size_t>(j);
    if (channels_.used[x] == 1 || channels_.used[y] == 1) return 0;
    if (how_ == entropy_estimator::james_stein) return shrunk_information(counter, i, j);
    std::int64_t sum = 0, cells = 0;
    for (const auto n : counter.cells(i, j)) {
      sum += logarithms_(n);
      cells += n > 0;
    }
    const double plug_in = logarithms_.per_token((logarithms_.whole() - sums_[x]) + (sum - sums_[y]));
    if (how_ == entropy_estimator::plug_in) return std::max(plug_in, 0.0);  // below 0 by rounding only
    return plug_in + static_cast<double>(channels_.used[x] + channels_.used[y] - cells - 1) /
                         (2 * static_cast<double>(channels_.tokens));
  }

 private:
  static double square(std::int32_t n) { return static_cast<double>(n) * static_cast<double>(n); }

  std::int64_t margin_terms(const shrinkage& shrunk, std::int64_t c) const {
    const auto place = static_cast<std::size_t>(c);
    const auto used = channels_.used[place], bins = channels_.bins[place];
    std::int64_t terms = (bins - used) * shrunk.term(0, 1.0 / bins);
    for (std::int32_t k = 0; k < used; ++k) terms += shrunk.term(channels_.counts(c, k), 1.0 / bins);
    return terms;
  }

  double shrunk_information(joint_counter& counter, std::int64_t i, std::int64_t j) const {
    const double cells = static_cast<double>(channels_.bins[static_cast<std::size_t>(i)]) *
                         static_cast<double>(channels_.bins[static_cast<std::size_t>(j)]);
    const auto counts = counter.cells(i, j);
    std::int64_t squares = 0, used = 0;
    for (const auto n : counts) {
      squares += static_cast<std::int64_t>(n) * n;
      used += n > 0;
    }
    const shrinkage shrunk(static_cast<double>(squares), static_cast<double>(channels_.tokens), cells);
    std::int64_t joint = (static_cast<std::int64_t>(cells) - used) * shrunk.term(0, 1 / cells);
    for (const auto n : counts)
      if (n > 0) joint += shrunk.term(n, 1 / cells);
    return shrinkage::value(margin_terms(shrunk, i) + margin_terms(shrunk, j) - joint);
  }

  const binned_channels& channels_;
  entropy_estimator how_;
  fixed_point_entropy logarithms_;
  std::vector<std::int64_t> sums_;  ///< sum of n ln n of each channel
};

/// A counter and a count of negative estimates for every thread.
struct histogram_slot {
  joint_counter counter;
  std::int64_t negative = 0;
};

template <class Run>
void with_histogram_slots(const host_executor& exec, const binned_channels& channels, const histogram_options& options,
                          histogram_result& result, const Run& run) {
  const count_information information(channels, options.estimator);
  std::vector<histogram_slot> slots;
  slots.reserve(static_cast<std::size_t>(exec.threads()));
  for (int k = 0; k < exec.threads(); ++k) slots.push_back({joint_counter(channels, exec.resource())});
  run([&](std::int64_t slot, std::int64_t i, std::int64_t j) {
    auto& own = slots[static_cast<std::size_t>(slot)];
    return finished_estimate(information.information(own.counter, i, j), options.clip_negative, own.negative);
  });
  for (const auto& slot : slots) result.negative += slot.negative;
}

inline histogram_result histogram_on(const host_executor& exec, matrix_view<const float> samples,
                                     std::span<const channel_pair> pairs, vector_view<float> mi,
                                     const histogram_options& options, const progress_callback& progress) {
  require_pairs("histogram", pairs, samples.columns(), mi);
  histogram_result result;
  const auto channels = bin_channels(exec, "histogram", samples, options, progress, 0.2, result);
  with_histogram_slots(exec, channels, options, result, [&](const auto& pair) {
    for_listed_pairs(exec, pairs, mi, progress, "histogram", 0.2, 1, pair);
  });
  return result;
}

inline histogram_result histogram_on(const host_executor& exec, matrix_view<const float> samples, matrix_view<float> mi,
                                     const histogram_options& options, const progress_callback& progress) {
  require_mi("histogram", samples, mi);
  histogram_result result;
  const auto channels = bin_channels(exec, "histogram", samples, options, progress, 0.05, result);
  with_histogram_slots(exec, channels, options, result, [&](const auto& pair) {
    for_all_pairs(exec, mi, joint_counter::tile, progress, "histogram", 0.05, 1, pair);
  });
  return result;
}

inline double histogram_on(const host_executor& exec, vector_view<const float> x, vector_view<const float> y,
                           const histogram_options& options) {
  const auto samples = side_by_side(exec, "histogram", x, y);
  histogram_result result;
  const auto channels = bin_channels(exec, "histogram", samples, options, {}, 1, result);
  joint_counter counter(channels, exec.resource());
  const auto value = count_information(channels, options.estimator).information(counter, 0, 1);
  return options.clip_negative ? std::max(value, 0.0) : value;
}

inline histogram_result histogram_entropy_on(const host_executor& exec, matrix_view<const float> samples,
                                             vector_view<float> entropies, const histogram_options& options,
                                             histogram_entropy_kind kind) {
  require(entropies.size() == samples.columns(), "histogram_entropy: entropies must have ", samples.columns(),
          " elements to match the samples, got ", entropies.size());
  const bool differential = kind == histogram_entropy_kind::differential;
  require(!differential || options.edges == bin_edges::equal_width,
          "histogram_entropy: a differential entropy needs bin_edges::equal_width");
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
