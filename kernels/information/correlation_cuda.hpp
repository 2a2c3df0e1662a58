// information/correlation_cuda.hpp: `correlation` and `gaussian_entropy` (information/correlation.hpp) on a device.
#pragma once

#include <span>

#include <miq/calibration/statistics.hpp>
#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/information/correlation_options.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `correlation` on the host, of statistics in device memory. Does not allocate, does not synchronise, may be
/// captured. A covariance that is not finite gives information that is not finite: contents are not checked.
MIQ_CUDA_API void correlation(const cuda_executor& exec, const calibration::statistics_view<device_memory>& statistics,
                              matrix_view<float, device_memory> mi,
                              result_ref<correlation_result, device_memory> result,
                              const correlation_options& options = {});

/// The same, returning the result: synchronises with the stream. Takes 32 bytes from the executor's resource.
MIQ_CUDA_API correlation_result correlation(const cuda_executor& exec,
                                            const calibration::statistics_view<device_memory>& statistics,
                                            matrix_view<float, device_memory> mi,
                                            const correlation_options& options = {});

/// The same of samples [T, c] in device memory, by `calibration::device_accumulator`, whose memory it takes: about
/// 4 (c + 64)^2 bytes and a tile of tokens. Contents are not checked, see there: channels
/// that are not finite are counted (`not_finite`). Synchronises.
MIQ_CUDA_API correlation_result correlation(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                            matrix_view<float, device_memory> mi,
                                            const correlation_options& options = {});

/// The same for pairs that are listed on the host. All pairs are computed, in 4 c^2 bytes more of the executor's
/// resource, and the result is theirs.
/// @param mi  [pairs.size()]
/// @throws invalid_argument  also for columns that there are not
MIQ_CUDA_API correlation_result correlation(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                            std::span<const channel_pair> pairs, vector_view<float, device_memory> mi,
                                            const correlation_options& options = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
