// information/estimator_cuda.hpp: `mutual_information` (information/estimator.hpp) on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/information/estimator_options.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `mutual_information` of all pairs on the host, of samples in device memory, by the device function that the
/// estimator names: what that function says of accuracy, contents and memory. Synchronises.
///
/// @throws invalid_argument  as that function does, and for `correlation_options`: on a device, correlation takes
///                           statistics, which `calibration::device_accumulator` makes of samples
MIQ_CUDA_API estimator_result mutual_information(const cuda_executor& exec,
                                                 matrix_view<const float, device_memory> samples,
                                                 matrix_view<float, device_memory> mi,
                                                 const estimator_options& estimator);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
