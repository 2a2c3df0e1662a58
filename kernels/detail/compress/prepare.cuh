// `prepare` of compress_cuda.hpp.
#pragma once

#include <miq/compress_cuda.hpp>
#include <miq/detail/compress/device_backend.cuh>
#include <miq/detail/compress/prepare.hpp>

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API device_prepared_inputs prepare(const cuda_executor& exec,
                                            const calibration::statistics_view<device_memory>& statistics,
                                            matrix_view<const float, device_memory> samples,
                                            const compress_options& options, const progress_callback& progress) {
  return detail::prepare_on(detail::device_backend{exec}, statistics, samples, options, progress);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
