#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <miq/allocation/headroom.hpp>

namespace miq::allocation {
namespace detail {

inline void require_costs(const char* function, std::span<const double> costs, std::span<const double> weights) {
  using miq::detail::require;
  require(costs.size() == weights.size(), function, ": costs and weights must be of the same columns, got ",
          costs.size(), " and ", weights.size());
  for (std::size_t j = 0; j < costs.size(); ++j) {
    require(std::isfinite(costs[j]) && costs[j] >= 0, function, ": cost of column ", j,
            " must be finite and not negative, got ", costs[j]);
    require(std::isfinite(weights[j]) && weights[j] >= 0, function, ": weights of column ", j,
            " must be finite and not negative, got ", weights[j]);
  }
}

}  // namespace detail

MIQ_API headroom_result headroom(std::span<const double> costs, std::span<const double> weights) {
  detail::require_costs("headroom", costs, weights);
  headroom_result result;
  double largest = 0;
  for (std::size_t j = 0; j < costs.size(); ++j) {
    (costs[j] > 0 ? result.weights : result.free_weights) += weights[j];
    if (weights[j] > 0) largest = std::max(largest, costs[j]);
  }
  if (!(result.weights > 0)) return result;
  // Relative to the largest, so that no sum over- or underflows, and equal costs give exactly 0.
  double sum = 0;
  double logarithms = 0;
  for (std::size_t j = 0; j < costs.size(); ++j) {
    if (!(costs[j] > 0) || !(weights[j] > 0)) continue;
    sum += weights[j] * (costs[j] / largest);
    logarithms += weights[j] * (std::log2(costs[j]) - std::log2(largest));
  }
  const double mean = sum / result.weights;
  const double mean_logarithm = logarithms / result.weights;
  result.bits = std::max(0.0, 0.5 * (std::log2(mean) - mean_logarithm));
  result.arithmetic_mean = mean * largest;
  result.geometric_mean = std::exp2(mean_logarithm) * largest;
  return result;
}

MIQ_API realised_headroom realised(std::span<const double> costs, std::span<const double> weights,
                                   std::span<const int> bits) {
  using miq::detail::require;
  require(bits.size() == costs.size(), "realised: bits must hold ", costs.size(), " columns to match costs, got ",
          bits.size());
  for (std::size_t j = 0; j < bits.size(); ++j)
    require(bits[j] >= -64 && bits[j] <= 64, "realised: bits of column ", j, " must be -64 to 64, got ", bits[j]);
  const auto room = headroom(costs, weights);
  realised_headroom result;
  result.headroom_bits = room.bits;
  if (!(room.weights > 0)) return result;
  double widths = 0;
  for (std::size_t j = 0; j < bits.size(); ++j)
    if (costs[j] > 0) widths += weights[j] * bits[j];
  result.average_bits = widths / room.weights;
  double loss = 0;
  for (std::size_t j = 0; j < bits.size(); ++j)
    if (costs[j] > 0)
      loss += weights[j] * (costs[j] / room.arithmetic_mean) * std::exp2(2 * (result.average_bits - bits[j]));
  result.gain_bits = -0.5 * std::log2(loss / room.weights);
  if (room.bits > 0) result.share = result.gain_bits / room.bits;
  return result;
}

}  // namespace miq::allocation
