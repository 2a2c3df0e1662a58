// information/affinity_cuda.hpp: `affinity`, `distance` and `normalise` (affinity.hpp, normalisation.hpp) on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/information/affinity_result.hpp>
#include <miq/information/normalisation_options.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {

/// As on the host, of information in device memory; values agree with the host's to 1 unit in the last place. Does not
/// allocate, does not synchronise, may be captured. Contents are not checked: where information is NaN or infinite the
/// value is NaN, and is counted.
MIQ_CUDA_API void affinity(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                           matrix_view<float, device_memory> out, result_ref<affinity_result, device_memory> result);
MIQ_CUDA_API void distance(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                           matrix_view<float, device_memory> out, result_ref<affinity_result, device_memory> result);

/// The same, returning the result: synchronise with the stream. Take 16 bytes from the executor's resource.
MIQ_CUDA_API affinity_result affinity(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                                      matrix_view<float, device_memory> out);
MIQ_CUDA_API affinity_result distance(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                                      matrix_view<float, device_memory> out);

/// As on the host, of information and entropies in device memory. Does not allocate, does not synchronise, may be
/// captured. Contents are not checked: where information is NaN or infinite, or an entropy does not allow the ratio,
/// the value is NaN, and is counted.
/// @throws invalid_argument  for shapes as on the host, and entropies that are needed and missing
MIQ_CUDA_API void normalise(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                            vector_view<const float, device_memory> entropies, normalisation rule,
                            matrix_view<float, device_memory> out,
                            result_ref<normalisation_result, device_memory> result);

/// The same, returning the result: synchronises with the stream. Takes 24 bytes from the executor's resource.
MIQ_CUDA_API normalisation_result normalise(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                                            vector_view<const float, device_memory> entropies, normalisation rule,
                                            matrix_view<float, device_memory> out);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
