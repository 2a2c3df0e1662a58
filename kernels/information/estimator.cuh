// information/estimator.cuh: the body of information/estimator_cuda.hpp; needs nvcc.
#pragma once

#include <type_traits>
#include <variant>

#include <miq/information/estimator_cuda.hpp>

// In the precompiled library the parts are translation units of their own.
#if defined(MIQ_CUDA_PRECOMPILED)
#include <miq/information/histogram_cuda.hpp>
#include <miq/information/kde_cuda.hpp>
#include <miq/information/knn_cuda.hpp>
#include <miq/information/rank_correlation_cuda.hpp>
#else
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
                                                 const estimator_options& estimator) {
  return std::visit(
      [&](const auto& options) -> estimator_result {
        using chosen = std::remove_cvref_t<decltype(options)>;
        if constexpr (std::is_same_v<chosen, rank_correlation_options>)
          return rank_correlation(exec, samples, mi, options);
        else if constexpr (std::is_same_v<chosen, histogram_options>)
          return histogram(exec, samples, mi, options);
        else if constexpr (std::is_same_v<chosen, knn_options>)
          return knn(exec, samples, mi, options);
        else if constexpr (std::is_same_v<chosen, kde_options>)
          return kde(exec, samples, mi, options);
        else
          throw invalid_argument(
              "mutual_information: on a device, correlation takes statistics; make them by "
              "calibration::device_accumulator and call correlation");
      },
      estimator);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
