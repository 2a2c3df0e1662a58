#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>

#include <miq/core/detail/upper_blocks.hpp>
#include <miq/information/affinity.hpp>
#include <miq/information/detail/affinity/checks.hpp>
#include <miq/information/detail/correlation/elementary.hpp>
#include <miq/information/detail/samples/checks.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// The same, and of the information.
template <on_host Exec>
void require_information(const Exec& exec, const char* function, matrix_view<const float> mi, matrix_view<float> out) {
  require_information_shape(function, mi, out);
  require_finite_upper(exec, function, "mi", mi);
}

/// Writes `map` of each value, taken as 0 where it is negative; returns how many pairs that were.
template <class Map>
std::int64_t map_information(const host_executor& exec, matrix_view<const float> mi, matrix_view<float> out,
                             const Map& map) {
  using miq::detail::half_float_lanes;
  std::atomic<std::int64_t> clipped{0};
  calibration::detail::write_symmetric(
      exec, out, [](std::int64_t, std::int64_t, double*) {},
      [&](std::int64_t i, std::int64_t first, std::int64_t count, const double*, float* values) {
        const float* const from = &mi(i, first);
        long_lanes negative{};
        for (std::int64_t k = 0; k < count; k += double_lanes) {
          const auto part = std::min<std::int64_t>(double_lanes, count - k);
          auto x = miq::detail::widen(part == double_lanes ? miq::detail::load<half_float_lanes>(from + k)
                                                           : miq::detail::load_first<half_float_lanes>(from + k, part));
          const auto below = x < 0.0;
          negative -= below;
          x = miq::detail::select(below, wide_lanes{}, x);
          miq::detail::store(values + k, miq::detail::narrow(map(x)));
        }
        std::int64_t sum = 0;
        for (int k = 0; k < double_lanes; ++k) sum += negative[k];
        if (sum > 0) clipped.fetch_add(sum, std::memory_order_relaxed);
      });
  return clipped.load();
}

/// sqrt(1 - exp(-2 I)).
template <on_host Exec>
std::int64_t write_information_coefficient(const Exec& exec, matrix_view<const float> mi, matrix_view<float> out) {
  return map_information(exec, mi, out, [](wide_lanes x) {
    const auto square = one_minus_exponential(x * -2.0);
    double root[double_lanes];
    for (int k = 0; k < double_lanes; ++k) root[k] = std::sqrt(square[k]);
    return miq::detail::load<wide_lanes>(root);
  });
}

template <on_host Exec>
affinity_result affinity_on(const Exec& exec, matrix_view<const float> mi, matrix_view<float> out) {
  require_information(exec, "affinity", mi, out);
  return {write_information_coefficient(exec, mi, out), 0};
}

template <on_host Exec>
affinity_result distance_on(const Exec& exec, matrix_view<const float> mi, matrix_view<float> out) {
  require_information(exec, "distance", mi, out);
  return {map_information(exec, mi, out, [](wide_lanes x) { return exponential(-x); }), 0};
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
affinity_result affinity(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                         matrix_view<float, memory_of<Exec>> out) {
  return detail::affinity_on(exec, mi, out);
}

template <executor Exec>
affinity_result distance(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                         matrix_view<float, memory_of<Exec>> out) {
  return detail::distance_on(exec, mi, out);
}

}  // namespace miq::information
