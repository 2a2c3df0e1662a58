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

MIQ_CUDA_API device_compressed_layer compress(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                              const calibration::statistics_view<device_memory>& statistics,
                                              const device_prepared_inputs& shared, const compress_options& options,
                                              const progress_callback& progress) {
  const detail::device_backend backend{exec};
  return detail::layer_compression(backend, weights, statistics, shared, options, progress).run();
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
