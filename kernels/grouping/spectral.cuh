// grouping/spectral.cuh: the bodies of grouping/spectral_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_memory.hpp>
#include <miq/core/machine.cuh>
#include <miq/grouping/detail/spectral/schedule.hpp>
#include <miq/grouping/spectral_cuda.hpp>

#if defined(MIQ_CUDA_PRECOMPILED)  // there it has a translation unit of its own
extern template miq::grouping::eigenpairs_result miq::grouping::detail::largest_eigenpairs_on_machine<
    miq::device::stream_machine>(const miq::device::stream_machine&, const float*, std::int64_t, std::int64_t, int,
                                 const miq::grouping::eigenpairs_options&, std::byte*);
#endif

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API std::int64_t spectral_workspace_bytes(std::int64_t n, const spectral_options& options) {
  detail::require_spectral_shape(options, n, n);
  return detail::spectral_layout(n, options).layout.bytes();
}

MIQ_CUDA_API spectral_result spectral(const cuda_executor& exec, matrix_view<const float, device_memory> affinity,
                                      const spectral_options& options, device_workspace workspace) {
  detail::require_spectral_shape(options, affinity.rows(), affinity.columns());
  const detail::spectral_layout at(affinity.rows(), options);
  const miq::detail::device_scratch scratch("spectral", at.layout, workspace, exec.stream(), exec.resource());
  return detail::spectral_on_machine(device::stream_machine(exec), affinity.data(), affinity.leading(), affinity.rows(),
                                     options, scratch.at<std::byte>(0));
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
