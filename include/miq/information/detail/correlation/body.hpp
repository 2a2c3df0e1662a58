// Information of Gaussian channels from the covariance: the kernel body.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/core/detail/upper_tiles.hpp>
#include <miq/core/group.hpp>
#include <miq/information/correlation.hpp>

namespace miq::information::detail {

/// A channel without variance, or whose smallest and largest values are the same.
MIQ_HOST_DEVICE inline bool is_constant_channel(float variance, const float* minimum, const float* maximum,
                                                std::int64_t c) {
  return variance == 0.0F || (minimum != nullptr && minimum[c] == maximum[c]);
}

/// -1/2 ln(1 - rho^2); a square above `largest_square` is lowered to it, and counted.
MIQ_HOST_DEVICE inline float clamped_information(double square, double largest_square, std::int64_t& clamped) {
  if (square > largest_square) {
    square = largest_square;
    ++clamped;
  }
  return static_cast<float>(-0.5 * std::log1p(-square));
}

/// One tile of the upper triangle a block; its mirror image is written from scratch, so that both are written row by
/// row. What is counted is added to `result`, which holds zeros before.
struct correlation_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 32;

  std::int64_t columns = 0;
  const float* covariance = nullptr;  // [columns, columns], the upper triangle is read
  std::int64_t covariance_leading = 0;
  const float* minimum = nullptr;  // [columns] or null
  const float* maximum = nullptr;
  double largest_square = 0;  // squares of correlations above it are lowered to it
  float* mi = nullptr;        // [columns, columns]
  std::int64_t mi_leading = 0;
  correlation_result* result = nullptr;

  std::int64_t blocks() const { return miq::detail::upper_tiles(columns, tile); }
  std::int64_t scratch_bytes() const {
    return tile * (tile + 1) * static_cast<std::int64_t>(sizeof(float)) +
           lanes * static_cast<std::int64_t>(sizeof(std::int64_t));
  }

  MIQ_HOST_DEVICE float variance(std::int64_t c) const { return covariance[c * covariance_leading + c]; }
  MIQ_HOST_DEVICE bool constant(std::int64_t c) const { return is_constant_channel(variance(c), minimum, maximum, c); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const values = reinterpret_cast<float*>(slots + lanes);
    const auto at = miq::detail::upper_tile(block, columns, tile);
    std::int64_t clamped = 0;
    std::int64_t constants = 0;
    for (std::int64_t k = group.rank(); k < at.rows * at.columns; k += group.size()) {
      const auto i = at.row + k / at.columns;
      const auto j = at.column + k % at.columns;
      float value = 0;
      if (i < j && !constant(i) && !constant(j)) {
        // In double, the square has no rounding that float would show, however near to 1 it is.
        const auto c = static_cast<double>(covariance[i * covariance_leading + j]);
        const double square =
            (c * c) * ((1.0 / static_cast<double>(variance(j))) * (1.0 / static_cast<double>(variance(i))));
        value = clamped_information(square, largest_square, clamped);
      }
      if (i == j && constant(i)) ++constants;
      if (i <= j) mi[i * mi_leading + j] = value;
      values[(i - at.row) * (tile + 1) + (j - at.column)] = value;
    }
    group.sync();
    for (std::int64_t k = group.rank(); k < at.rows * at.columns; k += group.size()) {
      const auto i = at.row + k % at.rows;
      const auto j = at.column + k / at.rows;
      if (i < j) mi[j * mi_leading + i] = values[(i - at.row) * (tile + 1) + (j - at.column)];
    }
    clamped = sum_over_lanes(group, clamped, slots);
    constants = sum_over_lanes(group, constants, slots);
    if (group.rank() == 0) {
      if (clamped != 0) add_atomically(&result->clamped, clamped);
      if (constants != 0) add_atomically(&result->constant, constants);
    }
  }
};

/// The elements of a square matrix that a list of pairs names.
struct listed_elements_body {
  static constexpr int lanes = 256;

  const channel_pair* pairs = nullptr;
  std::int64_t count = 0;
  const float* matrix = nullptr;  // [columns, columns]
  std::int64_t columns = 0;
  float* values = nullptr;  // [count]

  std::int64_t blocks() const { return (count + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const std::int64_t end = (block + 1) * lanes < count ? (block + 1) * lanes : count;
    for (std::int64_t p = block * lanes + group.rank(); p < end; p += group.size())
      values[p] = matrix[pairs[p].first * columns + pairs[p].second];
  }
};

}  // namespace miq::information::detail
