// obs/mask_search.cuh: the bodies of obs/mask_search_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/machine.cuh>
#include <miq/obs/detail/mask_search/checks.hpp>
#include <miq/obs/detail/mask_search/schedule.hpp>
#include <miq/obs/mask_search_cuda.hpp>

// In the precompiled library the parts are translation units of their own.
#if defined(MIQ_CUDA_PRECOMPILED)
#include <miq/obs/factor_cuda.hpp>
#else
#include <miq/obs/factor.cuh>
#endif

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// A `stream_machine` that also calls `factor`.
class search_machine : public miq::device::stream_machine {
 public:
  using stream_machine::stream_machine;

  double factor(std::int64_t columns, const float* damped, float* upper, double penalty, std::byte* scratch,
                std::int64_t bytes) const {
    return miq::obs::factor(exec_, matrix_view<const float, device_memory>(damped, columns, columns),
                            matrix_view<float, device_memory>(upper, columns, columns),
                            {.damping = penalty, .rule = damping_rule::own_diagonal}, {scratch, bytes})
        .damping;
  }
};

}  // namespace device

MIQ_CUDA_API std::int64_t mask_search_workspace_bytes(const cuda_executor& exec, std::int64_t rows,
                                                      std::int64_t columns, const mask_search_options& options) {
  return detail::mask_search_device_scratch(rows, columns, options, factor_workspace_bytes(exec, columns))
      .layout.bytes();
}

MIQ_CUDA_API mask_search_result mask_search(const cuda_executor& exec, const mask_search_inputs<device_memory>& in,
                                            const mask_search_outputs<device_memory>& out,
                                            const mask_search_options& options, device_workspace scratch) {
  detail::check_mask_search_shapes(in, out, options);
  const auto rows = in.target.rows(), columns = in.target.columns();
  const detail::mask_search_device_scratch plan(rows, columns, options, factor_workspace_bytes(exec, columns));
  const miq::detail::device_scratch memory("mask_search", plan.layout, scratch, exec.stream(), exec.resource());
  const device::search_machine machine(exec);
  return detail::mask_search_steps(machine, in, out, options, plan, memory).run();
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
