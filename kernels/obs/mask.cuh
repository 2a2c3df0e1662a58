// obs/mask.cuh: the bodies of obs/mask_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/machine.cuh>
#include <miq/obs/detail/mask/checks.hpp>
#include <miq/obs/detail/mask/schedule.hpp>
#include <miq/obs/mask_cuda.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

template <class T>
std::int64_t enqueue_select_mask(const cuda_executor& exec, const matrix_view<const T, device_memory>& weights,
                                 const vector_view<const float, device_memory>& column_saliency,
                                 const matrix_view<std::uint8_t, device_memory>& kept, const mask_options& options,
                                 device_workspace scratch) {
  detail::check_select_mask(weights, column_saliency, kept, options);
  const detail::device_mask_scratch plan(weights.rows(), weights.columns(), options);
  const miq::detail::device_scratch memory("select_mask", plan.layout, scratch, exec.stream(), exec.resource());
  return detail::select_mask_on_machine(miq::device::stream_machine(exec), plan, memory, weights, column_saliency, kept,
                                        options);
}

}  // namespace device

MIQ_CUDA_API std::int64_t select_mask_workspace_bytes(const cuda_executor& /*exec*/, std::int64_t rows,
                                                      std::int64_t columns, const mask_options& options) {
  return detail::device_mask_scratch(rows, columns, options).layout.bytes();
}

MIQ_CUDA_API std::int64_t select_mask(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                      vector_view<const float, device_memory> column_saliency,
                                      matrix_view<std::uint8_t, device_memory> kept, const mask_options& options,
                                      device_workspace scratch) {
  return weights.visit([&](const auto& typed) {
    return device::enqueue_select_mask(exec, typed, column_saliency, kept, options, scratch);
  });
}
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
