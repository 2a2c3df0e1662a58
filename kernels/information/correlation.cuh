// information/correlation.cuh: the bodies of information/correlation_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_result.cuh>
#include <miq/core/launch.cuh>
#include <miq/information/correlation_cuda.hpp>
#include <miq/information/detail/correlation/body.hpp>
#include <miq/information/detail/correlation/checks.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API void correlation(const cuda_executor& exec, const calibration::statistics_view<device_memory>& seen,
                              matrix_view<float, device_memory> mi,
                              result_ref<correlation_result, device_memory> result,
                              const correlation_options& options) {
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto columns = seen.covariance.columns();
  detail::require_statistics_shape("correlation", seen);
  require(mi.rows() == columns && mi.columns() == columns, "correlation: mi must be ", shape_text(columns, columns),
          " to match the statistics, got ", shape_text(mi.rows(), mi.columns()));
  require(!miq::detail::overlap(seen.covariance, matrix_view<const float, device_memory>(mi)),
          "correlation: mi must not overlap the covariance");
  detail::require_max_correlation("correlation", options.max_correlation);

  correlation_result begun;
  begun.few_tokens = seen.tokens < 100;
  device::write_result(exec, "correlation", result, begun);
  const auto limit = static_cast<double>(options.max_correlation);
  device::launch(
      exec, "correlation",
      detail::correlation_body{columns, seen.covariance.data(), seen.covariance.leading(), seen.minimum.data(),
                               seen.maximum.data(), limit * limit, mi.data(), mi.leading(), result.get()});
}

MIQ_CUDA_API correlation_result correlation(const cuda_executor& exec,
                                            const calibration::statistics_view<device_memory>& seen,
                                            matrix_view<float, device_memory> mi, const correlation_options& options) {
  device::result_on_device<correlation_result> result(exec);
  correlation(exec, seen, mi, result.ref(), options);
  return result.fetch();
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
