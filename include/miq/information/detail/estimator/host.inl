#pragma once

#include <miq/information/detail/samples/samples.hpp>
#include <miq/information/estimator.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

// One name for the functions of all estimators.
#define MIQ_ESTIMATOR(name)                                                                                          \
  template <executor Exec, class... Arguments>                                                                       \
  auto estimate(const name##_options& options, const Exec& exec, const progress_callback& progress,                  \
                const Arguments&... arguments) {                                                                     \
    return name(exec, arguments..., options, progress);                                                              \
  }                                                                                                                  \
  template <executor Exec>                                                                                           \
  double estimate_pair(const name##_options& options, const Exec& exec, vector_view<const float, memory_of<Exec>> x, \
                       vector_view<const float, memory_of<Exec>> y) {                                                \
    return name(exec, x, y, options);                                                                                \
  }
MIQ_ESTIMATOR(correlation)
MIQ_ESTIMATOR(rank_correlation)
MIQ_ESTIMATOR(histogram)
MIQ_ESTIMATOR(knn)
MIQ_ESTIMATOR(kde)
#undef MIQ_ESTIMATOR

template <on_host Exec>
void estimate_entropies(const correlation_options&, const Exec& exec, matrix_view<const float> samples,
                        vector_view<float> out) {
  require(out.size() == samples.columns(), "entropies: entropies must have ", samples.columns(),
          " elements to match the samples, got ", out.size());
  require_samples(exec, "entropies", samples, 2);
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

template <on_host Exec>
void estimate_entropies(const rank_correlation_options&, const Exec&, matrix_view<const float>, vector_view<float>) {
  require(false, "entropies: rank_correlation has none, since a copula has no margins");
}

template <on_host Exec>
void estimate_entropies(const histogram_options& options, const Exec& exec, matrix_view<const float> samples,
                        vector_view<float> out) {
  histogram_entropy(exec, samples, out, options);
}

template <on_host Exec>
void estimate_entropies(const knn_options& options, const Exec& exec, matrix_view<const float> samples,
                        vector_view<float> out) {
  knn_entropy(exec, samples, out, options);
}

template <on_host Exec>
void estimate_entropies(const kde_options& options, const Exec& exec, matrix_view<const float> samples,
                        vector_view<float> out) {
  kde_entropy(exec, samples, out, options);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
estimator_result mutual_information(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                    matrix_view<float, memory_of<Exec>> mi, const estimator_options& estimator,
                                    const progress_callback& progress) {
  return std::visit(
      [&](const auto& options) -> estimator_result { return detail::estimate(options, exec, progress, samples, mi); },
      estimator);
}

template <executor Exec>
estimator_result mutual_information(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                    std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                                    const estimator_options& estimator, const progress_callback& progress) {
  return std::visit(
      [&](const auto& options) -> estimator_result {
        return detail::estimate(options, exec, progress, samples, pairs, mi);
      },
      estimator);
}

template <executor Exec>
double mutual_information(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                          vector_view<const float, memory_of<Exec>> y, const estimator_options& estimator) {
  return std::visit([&](const auto& options) { return detail::estimate_pair(options, exec, x, y); }, estimator);
}

template <executor Exec>
void entropies(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
               vector_view<float, memory_of<Exec>> entropies, const estimator_options& estimator) {
  std::visit([&](const auto& options) { detail::estimate_entropies(options, exec, samples, entropies); }, estimator);
}

}  // namespace miq::information
