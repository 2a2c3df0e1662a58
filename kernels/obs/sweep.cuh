// obs/sweep.cuh: the bodies of obs/sweep_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_result.cuh>
#include <miq/core/machine.cuh>
#include <miq/obs/detail/sweep/checks.hpp>
#include <miq/obs/detail/sweep/schedule.hpp>
#include <miq/obs/sweep_cuda.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

template <class T>
void enqueue_sweep(const cuda_executor& exec, const sweep_inputs<device_memory, T>& in,
                   const sweep_outputs<device_memory, T>& out, device_sweep_result* result,
                   const sweep_options& options, device_workspace scratch) {
  detail::check_sweep_shapes(in, out, options);
  const detail::device_sweep_scratch plan(in.weights.rows(), in.weights.columns(), options);
  const miq::detail::device_scratch memory("sweep", plan.layout, scratch, exec.stream(), exec.resource());
  detail::sweep_on_machine(miq::device::stream_machine(exec), plan, memory, in, out, options, result);
}

template <class T>
sweep_result sweep_and_wait(const cuda_executor& exec, const sweep_inputs<device_memory, T>& in,
                            const sweep_outputs<device_memory, T>& out, const sweep_options& options,
                            device_workspace scratch) {
  const miq::device::result_on_device<device_sweep_result> result(exec);
  enqueue_sweep(exec, in, out, result.ref().get(), options, scratch);
  const auto seen = result.fetch();
  if (seen.not_finite > 0)
    throw numerical_error(miq::detail::join_message(
        "sweep: the losses of ", seen.not_finite,
        " rows are not finite; upper does not belong to these weights, or weights or grids are not finite"));
  return seen;
}

}  // namespace device

MIQ_CUDA_API std::int64_t sweep_workspace_bytes(const cuda_executor& /*exec*/, std::int64_t rows, std::int64_t columns,
                                                const sweep_options& options) {
  return detail::device_sweep_scratch(rows, columns, options).layout.bytes();
}

MIQ_CUDA_API void sweep(const cuda_executor& exec, const sweep_inputs<device_memory>& in,
                        const sweep_outputs<device_memory>& out, result_ref<device_sweep_result, device_memory> result,
                        const sweep_options& options, device_workspace scratch) {
  device::enqueue_sweep(exec, in, out, result.get(), options, scratch);
}
MIQ_CUDA_API void sweep(const cuda_executor& exec, const sweep_inputs<device_memory, float16>& in,
                        const sweep_outputs<device_memory, float16>& out,
                        result_ref<device_sweep_result, device_memory> result, const sweep_options& options,
                        device_workspace scratch) {
  device::enqueue_sweep(exec, in, out, result.get(), options, scratch);
}
MIQ_CUDA_API void sweep(const cuda_executor& exec, const sweep_inputs<device_memory, bfloat16>& in,
                        const sweep_outputs<device_memory, bfloat16>& out,
                        result_ref<device_sweep_result, device_memory> result, const sweep_options& options,
                        device_workspace scratch) {
  device::enqueue_sweep(exec, in, out, result.get(), options, scratch);
}

MIQ_CUDA_API sweep_result sweep(const cuda_executor& exec, const sweep_inputs<device_memory>& in,
                                const sweep_outputs<device_memory>& out, const sweep_options& options,
                                device_workspace scratch) {
  return device::sweep_and_wait(exec, in, out, options, scratch);
}
MIQ_CUDA_API sweep_result sweep(const cuda_executor& exec, const sweep_inputs<device_memory, float16>& in,
                                const sweep_outputs<device_memory, float16>& out, const sweep_options& options,
                                device_workspace scratch) {
  return device::sweep_and_wait(exec, in, out, options, scratch);
}
MIQ_CUDA_API sweep_result sweep(const cuda_executor& exec, const sweep_inputs<device_memory, bfloat16>& in,
                                const sweep_outputs<device_memory, bfloat16>& out, const sweep_options& options,
                                device_workspace scratch) {
  return device::sweep_and_wait(exec, in, out, options, scratch);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
