#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <miq/calibration/detail/accumulator/accumulate.hpp>
#include <miq/information/correlation.hpp>
#include <miq/information/detail/correlation/checks.hpp>
#include <miq/information/detail/correlation/elementary.hpp>
#include <miq/information/detail/correlation/standardised.hpp>
#include <miq/information/detail/samples/samples.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

inline bool is_constant(const calibration::statistics_view<>& statistics, std::int64_t c) {
  return statistics.covariance(c, c) == 0.0F ||
         (!statistics.minimum.empty() && statistics.minimum[c] == statistics.maximum[c]);
}

/// The same, and of their contents.
inline void require_statistics(const char* function, const calibration::statistics_view<>& statistics) {
  require_statistics_shape(function, statistics);
  for (std::int64_t c = 0; c < statistics.covariance.columns(); ++c)
    require(statistics.covariance(c, c) >= 0.0F && statistics.covariance(c, c) <= std::numeric_limits<float>::max(),
            function, ": variances must be finite and not negative, got ", statistics.covariance(c, c), " for column ",
            c);
}

/// 0 for a constant channel.
inline std::vector<double> inverse_variances(const calibration::statistics_view<>& statistics) {
  std::vector<double> out(static_cast<std::size_t>(statistics.covariance.columns()));
  for (std::int64_t c = 0; c < statistics.covariance.columns(); ++c)
    if (!is_constant(statistics, c))
      out[static_cast<std::size_t>(c)] = 1.0 / static_cast<double>(statistics.covariance(c, c));
  return out;
}

/// `mi(i, j) = -1/2 ln(1 - C_ij^2 / (C_ii C_jj))`, with the inverses of the variances given apart (0: constant), so
/// that `mi` may be the covariance itself. Returns how many pairs were clamped.
template <on_host Exec>
std::int64_t write_gaussian_information(const Exec& exec, matrix_view<const float> covariances,
                                        const std::vector<double>& inverse_variance, matrix_view<float> mi,
                                        float max_correlation) {
  // In double, C_ij^2 / (C_ii C_jj) has no rounding that float would show, however near to 1 it is.
  const auto limit = static_cast<double>(max_correlation) * static_cast<double>(max_correlation);
  std::atomic<std::int64_t> clamped{0};
  calibration::detail::write_symmetric(
      exec, mi,
      [&](std::int64_t first, std::int64_t count, double* scales) {
        std::copy_n(inverse_variance.begin() + first, count, scales);
      },
      [&](std::int64_t i, std::int64_t first, std::int64_t count, const double* scales, float* values) {
        using miq::detail::half_float_lanes;
        const auto scale = inverse_variance[static_cast<std::size_t>(i)];
        const float* const covariance = &covariances(i, first);
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
  return clamped.load();
}

template <on_host Exec>
void correlation_on(const Exec& exec, const calibration::statistics_view<>& statistics, matrix_view<float> mi,
                    result_ref<correlation_result> result, const correlation_options& options) {
  require_statistics("correlation", statistics);
  const auto columns = statistics.covariance.columns();
  require(mi.rows() == columns && mi.columns() == columns, "correlation: mi must be ", shape_text(columns, columns),
          " to match the statistics, got ", shape_text(mi.rows(), mi.columns()));
  require(!miq::detail::overlap(statistics.covariance, matrix_view<const float>(mi)),
          "correlation: mi must not overlap the covariance");
  require_max_correlation("correlation", options.max_correlation);
  require_finite_upper(exec, "correlation", "covariances", statistics.covariance);

  correlation_result found;
  found.few_tokens = statistics.tokens < 100;
  for (std::int64_t c = 0; c < columns; ++c) found.constant += is_constant(statistics, c);

  found.clamped = write_gaussian_information(exec, statistics.covariance, inverse_variances(statistics), mi,
                                             options.max_correlation);
  *result = found;
}

template <on_host Exec>
correlation_result correlation_on(const Exec& exec, const calibration::statistics_view<>& statistics,
                                  matrix_view<float> mi, const correlation_options& options) {
  correlation_result result;
  correlation_on(exec, statistics, mi, result, options);
  return result;
}

/// Powers of 2 that bring the channels to a size at which the squares of their deviations are well within float's
/// range; none, if they are there already. Correlations do not depend on them.
inline std::vector<int> scales_out_of_range(matrix_view<const float> samples) {
  std::vector<float> low(samples.row(0).data(), samples.row(0).data() + samples.columns()), high = low;
  for (std::int64_t t = 1; t < samples.rows(); ++t)
    for (std::size_t c = 0; c < low.size(); ++c) {
      const auto x = samples(t, static_cast<std::int64_t>(c));
      low[c] = std::min(low[c], x);
      high[c] = std::max(high[c], x);
    }
  std::vector<int> scales(low.size());
  bool needed = false;
  for (std::size_t c = 0; c < low.size(); ++c) {
    const double range = static_cast<double>(high[c]) - static_cast<double>(low[c]);
    const double largest = std::max(std::abs(static_cast<double>(low[c])), std::abs(static_cast<double>(high[c])));
    if (largest < 0x1p40 && (range == 0 || range > 0x1p-40)) continue;
    // The largest value within 2^50, and the range as near to 1 as that allows.
    const int most = 50 - std::ilogb(largest);
    scales[c] = range == 0 ? std::min(0, most) : std::min(-std::ilogb(range), most);
    needed = true;
  }
  if (!needed) scales.clear();
  return scales;
}

template <on_host Exec>
correlation_result correlation_on(const Exec& exec, matrix_view<const float> samples, matrix_view<float> mi,
                                  const correlation_options& options, const progress_callback& progress) {
  require_mi("correlation", samples, mi);
  require_max_correlation("correlation", options.max_correlation);
  require_samples(exec, "correlation", samples, 2);
  constexpr std::int64_t batch = 16 * calibration::detail::tile_tokens;
  calibration::detail::accumulator_state sums(exec.resource());
  sums.columns = samples.columns();
  const auto scales = scales_out_of_range(samples);
  matrix<float> scaled(scales.empty() ? 0 : std::min(batch, samples.rows()), samples.columns(), exec.resource());
  for (std::int64_t t = 0; t < samples.rows(); t += batch) {
    miq::report_progress(progress, "correlation", static_cast<double>(t) / static_cast<double>(samples.rows()));
    auto part = samples.rows_from(t, std::min(batch, samples.rows() - t));
    if (!scales.empty()) {
      for (std::int64_t r = 0; r < part.rows(); ++r)
        for (std::int64_t c = 0; c < part.columns(); ++c)
          scaled(r, c) = std::ldexp(part(r, c), scales[static_cast<std::size_t>(c)]);
      part = matrix_view<const float>(scaled.view()).rows_from(0, part.rows());
    }
    calibration::detail::add_on(exec, sums, part);
  }
  // The covariance is made where the information is to be, and turned into it in place.
  const auto statistics = calibration::detail::finish_into(exec, sums, mi);
  correlation_result result;
  result.few_tokens = statistics.tokens < 100;
  std::vector<double> inverses(statistics.minimum.size());
  for (std::size_t c = 0; c < inverses.size(); ++c) {
    const auto channel = static_cast<std::int64_t>(c);
    const auto variance = mi(channel, channel);
    const bool constant = variance == 0.0F || statistics.is_constant(channel);
    result.constant += constant;
    if (!constant) inverses[c] = 1.0 / static_cast<double>(variance);
  }
  result.clamped = write_gaussian_information(exec, mi, inverses, mi, options.max_correlation);
  return result;
}

inline correlation_result correlation_on(const host_executor&, const calibration::statistics_view<>& statistics,
                                         std::span<const channel_pair> pairs, vector_view<float> mi,
                                         const correlation_options& options) {
  require_statistics("correlation", statistics);
  require_pairs("correlation", pairs, statistics.columns(), mi);
  require_max_correlation("correlation", options.max_correlation);
  const auto upper = [&](const channel_pair& pair) {
    return statistics.covariance(std::min(pair.first, pair.second), std::max(pair.first, pair.second));
  };
  for (std::size_t p = 0; p < pairs.size(); ++p)
    require(std::isfinite(upper(pairs[p])), "correlation: covariances must be finite, got ", upper(pairs[p]),
            " for columns ", pairs[p].first, " and ", pairs[p].second);
  correlation_result result;
  result.few_tokens = statistics.tokens < 100;
  const auto inverses = inverse_variances(statistics);
  result.constant = std::count(inverses.begin(), inverses.end(), 0.0);
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    const auto [i, j] = pairs[p];
    const auto c = static_cast<double>(upper(pairs[p]));
    const auto square = (c * c) * (inverses[static_cast<std::size_t>(j)] * inverses[static_cast<std::size_t>(i)]);
    mi[static_cast<std::int64_t>(p)] =
        i == j ? 0.0F : gaussian_information(square, options.max_correlation, result.clamped);
  }
  return result;
}

/// Channels that occur in a list of pairs, each standardised once, and the information of the pairs from them.
/// `standardise(samples, channel, row)` fills a row of T floats with mean 0 and mean square 1, or zeros.
template <class Result, class Standardise>
void listed_correlations(const host_executor& exec, const char* phase, matrix_view<const float> samples,
                         std::span<const channel_pair> pairs, vector_view<float> mi, float max_correlation,
                         const progress_callback& progress, Result& result, const Standardise& standardise) {
  const listed_channels listed(pairs, samples.columns(), exec.resource());
  const auto count = listed.count();
  matrix<float> rows(count, samples.rows(), exec.resource());
  std::vector<std::uint8_t> constant(static_cast<std::size_t>(count));
  for_each_item(exec, count, progress, phase, 0, 0.5, [&](std::int64_t, std::int64_t k) {
    constant[static_cast<std::size_t>(k)] = !standardise(listed.column(k), &rows(k, 0));
  });
  result.constant = std::count(constant.begin(), constant.end(), 1);
  result.few_tokens = samples.rows() < 100;
  std::vector<std::int64_t> clamped(static_cast<std::size_t>(exec.threads()));
  for_listed_pairs(exec, pairs, mi, progress, phase, 0.5, 1, [&](std::int64_t slot, std::int64_t i, std::int64_t j) {
    const auto rho = mean_product(&rows(listed.place(i), 0), &rows(listed.place(j), 0), samples.rows());
    return gaussian_information(rho * rho, max_correlation, clamped[static_cast<std::size_t>(slot)]);
  });
  for (const auto n : clamped) result.clamped += n;
}

template <on_host Exec>
correlation_result correlation_on(const Exec& exec, matrix_view<const float> samples,
                                  std::span<const channel_pair> pairs, vector_view<float> mi,
                                  const correlation_options& options, const progress_callback& progress) {
  require_pairs("correlation", pairs, samples.columns(), mi);
  require_max_correlation("correlation", options.max_correlation);
  require_samples(exec, "correlation", samples, 2);
  correlation_result result;
  listed_correlations(exec, "correlation", samples, pairs, mi, options.max_correlation, progress, result,
                      [&](std::int64_t c, float* row) {
                        for (std::int64_t t = 0; t < samples.rows(); ++t) row[t] = samples(t, c);
                        return standardise(row, samples.rows());
                      });
  return result;
}

template <on_host Exec>
double correlation_on(const Exec& exec, vector_view<const float> x, vector_view<const float> y,
                      const correlation_options& options) {
  const auto samples = side_by_side(exec, "correlation", x, y);
  const channel_pair pair{0, 1};
  float value = 0;
  correlation_on(exec, samples, {&pair, 1}, {&value, 1}, options, {});
  return static_cast<double>(value);
}

inline void gaussian_entropy_on(const host_executor&, const calibration::statistics_view<>& statistics,
                                vector_view<float> entropies) {
  require_statistics("gaussian_entropy", statistics);
  require(entropies.size() == statistics.columns(), "gaussian_entropy: entropies must have ", statistics.columns(),
          " elements to match the statistics, got ", entropies.size());
  for (std::int64_t c = 0; c < entropies.size(); ++c)
    entropies[c] = is_constant(statistics, c)
                       ? -std::numeric_limits<float>::infinity()
                       : static_cast<float>(0.5 * std::log(2 * std::numbers::pi * std::numbers::e *
                                                           static_cast<double>(statistics.covariance(c, c))));
}

template <on_host Exec>
void gaussian_entropy_on(const Exec& exec, matrix_view<const float> samples, vector_view<float> out) {
  require(out.size() == samples.columns(), "gaussian_entropy: entropies must have ", samples.columns(),
          " elements to match the samples, got ", out.size());
  require_samples(exec, "gaussian_entropy", samples, 2);
  // Only variances are wanted: a pass of its own.
  exec.parallel_for(samples.columns(), [&](std::int64_t c) {
    const auto tokens = samples.rows();
    double sum = 0, squares = 0;
    for (std::int64_t t = 0; t < tokens; ++t) sum += static_cast<double>(samples(t, c));
    const double mean = sum / static_cast<double>(tokens);
    bool constant = true;
    for (std::int64_t t = 0; t < tokens; ++t) {
      const double away = static_cast<double>(samples(t, c)) - mean;
      squares += away * away;
      constant = constant && samples(t, c) == samples(0, c);
    }
    out[c] = constant ? -std::numeric_limits<float>::infinity()
                      : static_cast<float>(0.5 * std::log(2 * std::numbers::pi * std::numbers::e * squares /
                                                          static_cast<double>(tokens)));
  });
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
void correlation(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                 matrix_view<float, memory_of<Exec>> mi, result_ref<correlation_result, memory_of<Exec>> result,
                 const correlation_options& options) {
  detail::correlation_on(exec, statistics, mi, result, options);
}

template <executor Exec>
correlation_result correlation(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                               matrix_view<float, memory_of<Exec>> mi, const correlation_options& options) {
  return detail::correlation_on(exec, statistics, mi, options);
}

template <executor Exec>
void gaussian_entropy(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                      vector_view<float, memory_of<Exec>> entropies) {
  detail::gaussian_entropy_on(exec, statistics, entropies);
}

template <executor Exec>
correlation_result correlation(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                               std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                               const correlation_options& options) {
  return detail::correlation_on(exec, statistics, pairs, mi, options);
}

template <executor Exec>
correlation_result correlation(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                               matrix_view<float, memory_of<Exec>> mi, const correlation_options& options,
                               const progress_callback& progress) {
  return detail::correlation_on(exec, samples, mi, options, progress);
}

template <executor Exec>
correlation_result correlation(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                               std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                               const correlation_options& options, const progress_callback& progress) {
  return detail::correlation_on(exec, samples, pairs, mi, options, progress);
}

template <executor Exec>
double correlation(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                   vector_view<const float, memory_of<Exec>> y, const correlation_options& options) {
  return detail::correlation_on(exec, x, y, options);
}

template <on_host Exec>
void gaussian_entropy(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                      vector_view<float, memory_of<Exec>> entropies, const correlation_options&) {
  detail::gaussian_entropy_on(exec, samples, entropies);
}

}  // namespace miq::information
