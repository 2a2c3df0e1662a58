// information/estimator_cuda.hpp: `mutual_information` (information/estimator.hpp) on a device.
#pragma once

#include <span>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/estimator_options.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `mutual_information` of all pairs on the host, of samples in device memory, by the device function that the
/// estimator names: what that function says of accuracy, contents and memory. Synchronises.
///
/// @param progress  asked before and after; `cancelled` before anything is enqueued
/// @throws invalid_argument, cancelled  as that function does
MIQ_CUDA_API estimator_result mutual_information(const cuda_executor& exec,
                                                 matrix_view<const float, device_memory> samples,
                                                 matrix_view<float, device_memory> mi,
                                                 const estimator_options& estimator = {},
                                                 const progress_callback& progress = {});

/// The same for pairs that are listed on the host.
/// @param mi  [pairs.size()], in device memory
MIQ_CUDA_API estimator_result mutual_information(const cuda_executor& exec,
                                                 matrix_view<const float, device_memory> samples,
                                                 std::span<const channel_pair> pairs,
                                                 vector_view<float, device_memory> mi,
                                                 const estimator_options& estimator = {},
                                                 const progress_callback& progress = {});

/// As `entropies` on the host, by the device function of the estimator that has one: `histogram`. Synchronises.
/// @param entropies  [c]
/// @throws invalid_argument  as that function does, and for an estimator without one
MIQ_CUDA_API void entropies(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            vector_view<float, device_memory> entropies, const estimator_options& estimator);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
