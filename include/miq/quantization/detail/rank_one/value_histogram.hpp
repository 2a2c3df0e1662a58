// What a search of grids needs to know of many weights: how much weight lies where. One pass over the weights, after
// which a grid costs a few operations a level, however many weights there are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <miq/quantization/affine_grid.hpp>
#include <miq/quantization/detail/fit/grid_search.hpp>

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
    const auto bin = std::clamp<std::int64_t>(bin_of_value(value, reach_, per_unit_), 0, bins_ - 1);
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
    return histogram_error(moments{moments_.data(), bins_, reach_, per_unit_}, grid);
  }

 private:
  /// What `histogram_error` reads.
  struct moments {
    const double* below;  // [bins + 1, 3]
    std::int64_t bin_count;
    double largest;
    double bins_of_unit;

    MIQ_HOST_DEVICE std::int64_t bins() const { return bin_count; }
    MIQ_HOST_DEVICE double reach() const { return largest; }
    MIQ_HOST_DEVICE double per_unit() const { return bins_of_unit; }
    MIQ_HOST_DEVICE double squares() const { return below[3 * bin_count + 2]; }
    MIQ_HOST_DEVICE double costs(std::int64_t first, std::int64_t last) const {
      return below[3 * last] - below[3 * first];
    }
    MIQ_HOST_DEVICE double firsts(std::int64_t first, std::int64_t last) const {
      return below[3 * last + 1] - below[3 * first + 1];
    }
  };

  double reach_;
  std::int64_t bins_;
  double per_unit_;
  std::vector<double> moments_;  // [bins + 1, 3]; after `finish` of all values below the bin
};

}  // namespace miq::quantization::detail
