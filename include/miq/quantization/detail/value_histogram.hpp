// What a search of grids needs to know of many weights: how much weight lies where. One pass over the weights, after
// which a grid costs a few operations a level, however many weights there are.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include <miq/quantization/affine_grid.hpp>

namespace miq::quantization::detail {

/// The cost, first and second moments of values in equal bins over [-reach, reach].
class value_histogram {
 public:
  value_histogram(double reach, std::int64_t bins)
      : reach_(reach),
        bins_(bins),
        per_unit_(reach > 0 ? static_cast<double>(bins) / (2 * reach) : 0),
        moments_(static_cast<std::size_t>(3 * (bins + 1))) {}

  double reach() const { return reach_; }

  void add(double value, double cost) {
    const auto bin = std::clamp<std::int64_t>(bin_of(value), 0, bins_ - 1);
    double* at = moments_.data() + 3 * (bin + 1);
    at[0] += cost;
    at[1] += cost * value;
    at[2] += cost * value * value;
  }

  void add(const value_histogram& other) {
    for (std::size_t i = 0; i < moments_.size(); ++i) moments_[i] += other.moments_[i];
  }

  /// Turns bins into sums over all bins before; to be called once, after the last value.
  void finish() {
    for (std::size_t i = 3; i < moments_.size(); ++i) moments_[i] += moments_[i - 3];
  }

  /// Sum of cost * (value - its level)^2, up to the width of a bin at the borders between levels.
  double error(const affine_grid& grid) const {
    double total = moments_[moments_.size() - 1];
    std::int64_t first = 0;
    for (std::int32_t code = 0; code <= grid.maximum_code; ++code) {
      const double level = static_cast<double>(dequantise(code, grid));
      auto last = bins_;
      if (code < grid.maximum_code) {
        const double next = static_cast<double>(dequantise(code + 1, grid));
        last = std::clamp<std::int64_t>(bin_of((level + next) / 2 + 0.5 / per_unit_), first, bins_);
      }
      const double* const from = moments_.data() + 3 * first;
      const double* const to = moments_.data() + 3 * last;
      total += level * (level * (to[0] - from[0]) - 2 * (to[1] - from[1]));
      first = last;
    }
    return std::max(total, 0.0);
  }

 private:
  std::int64_t bin_of(double value) const {
    return static_cast<std::int64_t>(std::floor((value + reach_) * per_unit_));
  }

  double reach_;
  std::int64_t bins_;
  double per_unit_;
  std::vector<double> moments_;  // [bins + 1, 3]; after `finish` of all values below the bin
};

}  // namespace miq::quantization::detail
