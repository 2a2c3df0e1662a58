// information/estimator.cuh: the body of information/estimator_cuda.hpp; needs nvcc.
#pragma once

#include <variant>

#include <miq/information/detail/samples/samples.hpp>
#include <miq/information/estimator_cuda.hpp>

// In the precompiled library the parts are translation units of their own.
#if defined(MIQ_CUDA_PRECOMPILED)
#include <miq/information/correlation_cuda.hpp>
#include <miq/information/histogram_cuda.hpp>
#include <miq/information/kde_cuda.hpp>
#include <miq/information/knn_cuda.hpp>
#include <miq/information/rank_correlation_cuda.hpp>
#else
#include <miq/information/correlation.cuh>
#include <miq/information/histogram.cuh>
#include <miq/information/kde.cuh>
#include <miq/information/knn.cuh>
#include <miq/information/rank_correlation.cuh>
#endif

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API estimator_result mutual_information(const cuda_executor& exec,
                                                 matrix_view<const float, device_memory> samples,
                                                 matrix_view<float, device_memory> mi,
                                                 const estimator_options& estimator,
                                                 const progress_callback& progress) {
  miq::report_progress(progress, name_of(estimator), 0);
  auto result = std::visit(
      [&]<class Options>(const Options& options) -> estimator_result {
        return estimator_traits<Options>::estimate(exec, samples, mi, options);
      },
      estimator);
  miq::report_progress(progress, name_of(estimator), 1);
  return result;
}

MIQ_CUDA_API estimator_result mutual_information(
    const cuda_executor& exec, matrix_view<const float, device_memory> samples, std::span<const channel_pair> pairs,
    vector_view<float, device_memory> mi, const estimator_options& estimator, const progress_callback& progress) {
  miq::report_progress(progress, name_of(estimator), 0);
  auto result = std::visit(
      [&]<class Options>(const Options& options) -> estimator_result {
        using traits = estimator_traits<Options>;
        using on_device = vector_view<const channel_pair, device_memory>;
        if constexpr (requires(on_device list) { traits::estimate(exec, samples, list, mi, options); }) {
          detail::require_pairs_in_range(traits::name, pairs, samples.columns());
          const device_array<channel_pair> listed(static_cast<std::int64_t>(pairs.size()), exec.stream(),
                                                  exec.resource());
          copy(exec, vector_view<const channel_pair>(pairs), listed.view());
          return traits::estimate(exec, samples, on_device(listed), mi, options);
        } else {
          return traits::estimate(exec, samples, pairs, mi, options);
        }
      },
      estimator);
  miq::report_progress(progress, name_of(estimator), 1);
  return result;
}

MIQ_CUDA_API void entropies(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            vector_view<float, device_memory> entropies, const estimator_options& estimator) {
  std::visit(
      [&]<class Options>(const Options& options) {
        using traits = estimator_traits<Options>;
        if constexpr (requires { traits::entropy(exec, samples, entropies, options); })
          static_cast<void>(traits::entropy(exec, samples, entropies, options));
        else
          miq::detail::require(false, "entropies: ", traits::name,
                               " has none on a device; take them on the host, or use histogram_options");
      },
      estimator);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
