#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>

#include <miq/calibration/detail/upper_blocks.hpp>
#include <miq/information/detail/checks.hpp>
#include <miq/information/detail/elementary.hpp>

namespace miq::information {
namespace detail {

inline bool is_constant(const calibration::statistics_view<>& seen, std::int64_t c) {
  return seen.covariance(c, c) == 0.0F || (!seen.minimum.empty() && seen.minimum[c] == seen.maximum[c]);
}

/// What `correlation` and `gaussian_entropy` ask of statistics alike.
inline void require_statistics(const char* function, const calibration::statistics_view<>& seen) {
  const auto columns = seen.covariance.columns();
  require(seen.covariance.rows() == columns, function, ": the covariance must be square, got ",
          shape_text(seen.covariance.rows(), columns));
  require(seen.minimum.size() == seen.maximum.size() && (seen.minimum.empty() || seen.minimum.size() == columns),
          function, ": minimum and maximum must both have ", columns, " elements or none, got ", seen.minimum.size(),
          " and ", seen.maximum.size());
  require(seen.tokens >= 2, function, ": at least 2 tokens must have been seen, got ", seen.tokens);
  for (std::int64_t c = 0; c < columns; ++c)
    require(seen.covariance(c, c) >= 0.0F && seen.covariance(c, c) <= std::numeric_limits<float>::max(), function,
            ": variances must be finite and not negative, got ", seen.covariance(c, c), " for column ", c);
}

inline void correlation_on(const host_executor& exec, const calibration::statistics_view<>& seen, matrix_view<float> mi,
                           result_ref<correlation_result> result, const correlation_options& options) {
  require_statistics("correlation", seen);
  const auto columns = seen.covariance.columns();
  require(mi.rows() == columns && mi.columns() == columns, "correlation: mi must be ", shape_text(columns, columns),
          " to match the statistics, got ", shape_text(mi.rows(), mi.columns()));
  require(!miq::detail::overlap(seen.covariance, matrix_view<const float>(mi)),
          "correlation: mi must not overlap the covariance");
  require(options.max_correlation > 0.0F && options.max_correlation < 1.0F,
          "correlation: max_correlation must be within (0, 1), got ", options.max_correlation);
  require_finite_upper(exec, "correlation", "covariances", seen.covariance);

  correlation_result found;
  found.few_tokens = seen.tokens < 100;
  for (std::int64_t c = 0; c < columns; ++c) found.constant += is_constant(seen, c);

  // In double, C_ij^2 / (C_ii C_jj) has no rounding that float would show, however near to 1 it is.
  const auto inverse_variance = [&](std::int64_t c) {
    return is_constant(seen, c) ? 0.0 : 1.0 / static_cast<double>(seen.covariance(c, c));
  };
  const auto limit = static_cast<double>(options.max_correlation) * static_cast<double>(options.max_correlation);
  std::atomic<std::int64_t> clamped{0};
  calibration::detail::write_symmetric(
      exec, mi,
      [&](std::int64_t first, std::int64_t count, double* scales) {
        for (std::int64_t k = 0; k < count; ++k) scales[k] = inverse_variance(first + k);
      },
      [&](std::int64_t i, std::int64_t first, std::int64_t count, const double* scales, float* values) {
        using miq::detail::half_float_lanes;
        const auto scale = inverse_variance(i);
        const float* const covariance = &seen.covariance(i, first);
        long_lanes beyond{};
        for (std::int64_t k = 0; k < count; k += double_lanes) {
          const auto part = std::min<std::int64_t>(double_lanes, count - k);
          const auto c = miq::detail::widen(part == double_lanes
                                                ? miq::detail::load<half_float_lanes>(covariance + k)
                                                : miq::detail::load_first<half_float_lanes>(covariance + k, part));
          auto square = (c * c) * (miq::detail::load<wide_lanes>(scales + k) * scale);
          const auto over = square > limit;
          beyond -= over;
          square = miq::detail::select(over, wide_lanes{} + limit, square);
          miq::detail::store(values + k, miq::detail::narrow(information_of_square(square)));
        }
        std::int64_t sum = 0;
        for (int k = 0; k < double_lanes; ++k) sum += beyond[k];
        if (sum > 0) clamped.fetch_add(sum, std::memory_order_relaxed);
      });
  found.clamped = clamped.load();
  *result = found;
}

inline correlation_result correlation_on(const host_executor& exec, const calibration::statistics_view<>& seen,
                                         matrix_view<float> mi, const correlation_options& options) {
  correlation_result result;
  correlation_on(exec, seen, mi, result, options);
  return result;
}

inline void gaussian_entropy_on(const host_executor&, const calibration::statistics_view<>& seen,
                                vector_view<float> entropies) {
  require_statistics("gaussian_entropy", seen);
  require(entropies.size() == seen.columns(), "gaussian_entropy: entropies must have ", seen.columns(),
          " elements to match the statistics, got ", entropies.size());
  for (std::int64_t c = 0; c < entropies.size(); ++c)
    entropies[c] = is_constant(seen, c)
                       ? -std::numeric_limits<float>::infinity()
                       : static_cast<float>(0.5 * std::log(2 * std::numbers::pi * std::numbers::e *
                                                           static_cast<double>(seen.covariance(c, c))));
}

}  // namespace detail

template <executor Exec>
void correlation(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& seen,
                 matrix_view<float, memory_of<Exec>> mi, result_ref<correlation_result, memory_of<Exec>> result,
                 const correlation_options& options) {
  detail::correlation_on(exec, seen, mi, result, options);
}

template <executor Exec>
correlation_result correlation(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& seen,
                               matrix_view<float, memory_of<Exec>> mi, const correlation_options& options) {
  return detail::correlation_on(exec, seen, mi, options);
}

template <executor Exec>
void gaussian_entropy(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& seen,
                      vector_view<float, memory_of<Exec>> entropies) {
  detail::gaussian_entropy_on(exec, seen, entropies);
}

}  // namespace miq::information
