// information/correlation.cuh: the bodies of information/correlation_cuda.hpp; needs nvcc.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <miq/core/device_result.cuh>
#include <miq/core/launch.cuh>
#include <miq/information/correlation_cuda.hpp>
#include <miq/information/detail/correlation/body.hpp>
#include <miq/information/detail/correlation/checks.hpp>
#include <miq/information/detail/samples/samples.hpp>

// In the precompiled library the parts are translation units of their own.
#if defined(MIQ_CUDA_PRECOMPILED)
#include <miq/calibration/accumulator_cuda.hpp>
#else
#include <miq/calibration/accumulator.cuh>
#endif

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API void correlation(const cuda_executor& exec, const calibration::statistics_view<device_memory>& statistics,
                              matrix_view<float, device_memory> mi,
                              result_ref<correlation_result, device_memory> result,
                              const correlation_options& options) {
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto columns = statistics.covariance.columns();
  detail::require_statistics_shape("correlation", statistics);
  require(mi.rows() == columns && mi.columns() == columns, "correlation: mi must be ", shape_text(columns, columns),
          " to match the statistics, got ", shape_text(mi.rows(), mi.columns()));
  require(!miq::detail::overlap(statistics.covariance, matrix_view<const float, device_memory>(mi)),
          "correlation: mi must not overlap the covariance");
  detail::require_max_correlation("correlation", options.max_correlation);

  correlation_result begun;
  begun.few_tokens = statistics.tokens < 100;
  device::write_result(exec, "correlation", result, begun);
  const auto limit = static_cast<double>(options.max_correlation);
  device::launch(exec, "correlation",
                 detail::correlation_body{columns, statistics.covariance.data(), statistics.covariance.leading(),
                                          statistics.minimum.data(), statistics.maximum.data(), limit * limit,
                                          mi.data(), mi.leading(), result.get()});
}

MIQ_CUDA_API correlation_result correlation(const cuda_executor& exec,
                                            const calibration::statistics_view<device_memory>& statistics,
                                            matrix_view<float, device_memory> mi, const correlation_options& options) {
  device::result_on_device<correlation_result> result(exec);
  correlation(exec, statistics, mi, result.ref(), options);
  return result.fetch();
}

MIQ_CUDA_API correlation_result correlation(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                            matrix_view<float, device_memory> mi, const correlation_options& options) {
  miq::detail::require(samples.rows() >= 2 && samples.columns() >= 1,
                       "correlation: samples must have at least 2 tokens of 1 channel, got ",
                       miq::detail::shape_text(samples.rows(), samples.columns()));
  calibration::device_accumulator accumulator(exec, samples.columns());
  accumulator.add(exec, samples);
  const auto statistics = accumulator.finish(exec);
  auto result = correlation(exec, statistics.view(), mi, options);
  std::vector<float> means(static_cast<std::size_t>(samples.columns()));
  copy(exec, vector_view<const float, device_memory>(statistics.mean), vector_view<float>(means));
  exec.synchronise();
  result.not_finite = std::count_if(means.begin(), means.end(), [](float mean) { return !std::isfinite(mean); });
  return result;
}

MIQ_CUDA_API correlation_result correlation(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                            std::span<const channel_pair> pairs, vector_view<float, device_memory> mi,
                                            const correlation_options& options) {
  const auto count = static_cast<std::int64_t>(pairs.size());
  const auto columns = samples.columns();
  miq::detail::require(mi.size() == count, "correlation: mi must have ", count, " elements to match the pairs, got ",
                       mi.size());
  detail::require_pairs_in_range("correlation", pairs, columns);
  const device_matrix<float> all(columns, columns, exec.stream(), exec.resource());
  const auto result = correlation(exec, samples, all.view(), options);
  const device_array<channel_pair> listed(count, exec.stream(), exec.resource());
  copy(exec, vector_view<const channel_pair>(pairs), listed.view());
  device::launch(exec, "correlation",
                 detail::listed_elements_body{listed.data(), count, all.data(), columns, mi.data()});
  exec.synchronise();
  return result;
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
