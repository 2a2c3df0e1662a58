// compress.cuh: the bodies of compress_cuda.hpp; needs nvcc.
#pragma once

#include <miq/compress_cuda.hpp>
#include <miq/detail/compress/device_backend.cuh>
#include <miq/detail/compress/layer.hpp>
#if !defined(MIQ_CUDA_PRECOMPILED)  // there it has a translation unit of its own
#include <miq/detail/compress/prepare.cuh>
#endif

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

inline device_compressed_layer compress_layer(const cuda_executor& exec,
                                              const miq::detail::device_backend::given_weights& weights,
                                              const calibration::statistics_view<device_memory>& seen,
                                              const device_prepared_inputs& shared, const compress_options& options,
                                              const progress_callback& progress) {
  const miq::detail::device_backend backend{exec};
  return miq::detail::layer_compression<miq::detail::device_backend>(backend, weights, seen, shared, options, progress)
      .run();
}

}  // namespace device

MIQ_CUDA_API device_compressed_layer compress(const cuda_executor& exec,
                                              matrix_view<const float, device_memory> weights,
                                              const calibration::statistics_view<device_memory>& seen,
                                              const device_prepared_inputs& shared, const compress_options& options,
                                              const progress_callback& progress) {
  return device::compress_layer(exec, weights, seen, shared, options, progress);
}

MIQ_CUDA_API device_compressed_layer compress(const cuda_executor& exec,
                                              matrix_view<const float16, device_memory> weights,
                                              const calibration::statistics_view<device_memory>& seen,
                                              const device_prepared_inputs& shared, const compress_options& options,
                                              const progress_callback& progress) {
  return device::compress_layer(exec, weights, seen, shared, options, progress);
}

MIQ_CUDA_API device_compressed_layer compress(const cuda_executor& exec,
                                              matrix_view<const bfloat16, device_memory> weights,
                                              const calibration::statistics_view<device_memory>& seen,
                                              const device_prepared_inputs& shared, const compress_options& options,
                                              const progress_callback& progress) {
  return device::compress_layer(exec, weights, seen, shared, options, progress);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
