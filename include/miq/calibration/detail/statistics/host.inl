#pragma once

#include <algorithm>

#include <miq/calibration/detail/accumulator/checks.hpp>
#include <miq/calibration/statistics.hpp>

namespace miq::calibration {
namespace detail {

template <on_host Exec>
void hessian_on(const Exec& exec, const statistics_view<>& statistics, matrix_view<float> out) {
  require_hessian(statistics, out);
  const auto columns = statistics.covariance.columns();
  constexpr std::int64_t strip = 32;
  exec.parallel_for(columns, [&](std::int64_t i) {
    // Products of floats are exact in double and do not mind their order, so symmetry carries over.
    const auto mean = static_cast<double>(statistics.mean[i]);
    const float* const from = &statistics.covariance(i, 0);
    const float* const means = statistics.mean.data();
    float* const to = &out(i, 0);
    std::int64_t j = 0;
    for (; j + strip <= columns; j += strip)
      for (std::int64_t k = 0; k < strip; ++k)
        to[j + k] =
            static_cast<float>(2.0 * (static_cast<double>(from[j + k]) + mean * static_cast<double>(means[j + k])));
    for (; j < columns; ++j)
      to[j] = static_cast<float>(2.0 * (static_cast<double>(from[j]) + mean * static_cast<double>(means[j])));
  });
}

}  // namespace detail

template <executor Exec>
void hessian(const Exec& exec, const statistics_view<memory_of<Exec>>& statistics,
             matrix_view<float, memory_of<Exec>> hessian) {
  detail::hessian_on(exec, statistics, hessian);
}

}  // namespace miq::calibration
