// Channels with mean 0 and mean square 1, and the information of a pair of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <miq/information/detail/correlation/elementary.hpp>
#include <miq/information/detail/samples/samples.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Moves and scales values to mean 0 and mean square 1, computed in double. Returns false, and leaves zeros, for a
/// constant channel.
inline bool standardise(float* values, std::int64_t count) {
  const auto [low, high] = std::minmax_element(values, values + count);
  if (*low == *high) {
    std::fill_n(values, count, 0.0F);
    return false;
  }
  double sum = 0, squares = 0;
  for (std::int64_t t = 0; t < count; ++t) sum += static_cast<double>(values[t]);
  const double mean = sum / static_cast<double>(count);
  for (std::int64_t t = 0; t < count; ++t) {
    const double away = static_cast<double>(values[t]) - mean;
    squares += away * away;
  }
  const double scale = 1 / std::sqrt(squares / static_cast<double>(count));
  for (std::int64_t t = 0; t < count; ++t)
    values[t] = static_cast<float>((static_cast<double>(values[t]) - mean) * scale);
  return true;
}

/// 1/T sum x y in double; the same to the bit for x and y exchanged.
inline double mean_product(const float* x, const float* y, std::int64_t count) {
  using miq::detail::half_float_lanes;
  wide_lanes sums[4] = {};
  std::int64_t t = 0;
  for (; t + 4 * double_lanes <= count; t += 4 * double_lanes)
    for (int k = 0; k < 4; ++k)
      sums[k] += miq::detail::widen(miq::detail::load<half_float_lanes>(x + t + k * double_lanes)) *
                 miq::detail::widen(miq::detail::load<half_float_lanes>(y + t + k * double_lanes));
  const wide_lanes all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double sum = 0;
  for (int k = 0; k < double_lanes; ++k) sum += all[k];
  for (; t < count; ++t) sum += static_cast<double>(x[t]) * static_cast<double>(y[t]);
  return sum / static_cast<double>(count);
}

/// -1/2 ln(1 - rho^2), |rho| being lowered to `max_correlation` where it exceeds that.
inline float gaussian_information(double square, float max_correlation, std::int64_t& clamped) {
  const double limit = static_cast<double>(max_correlation) * static_cast<double>(max_correlation);
  if (square > limit) {
    square = limit;
    ++clamped;
  }
  return static_cast<float>(information_of_square(wide_lanes{} + square)[0]);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
