// obs/refit.cuh: the bodies of obs/refit_cuda.hpp; needs nvcc.
#pragma once

#include <cmath>

#include <miq/core/device_result.cuh>
#include <miq/core/machine.cuh>
#include <miq/obs/detail/refit/checks.hpp>
#include <miq/obs/detail/refit/schedule.hpp>
#include <miq/obs/refit_cuda.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API std::int64_t refit_workspace_bytes(const cuda_executor& /*exec*/, std::int64_t rows, std::int64_t columns,
                                                const refit_options& options) {
  return detail::refit_device_scratch(rows, columns, options).layout.bytes();
}

MIQ_CUDA_API void refit(const cuda_executor& exec, const refit_inputs<device_memory>& in,
                        const refit_outputs<device_memory>& out, vector_view<double, device_memory> losses,
                        result_ref<device_refit_result, device_memory> result, const refit_options& options,
                        device_workspace scratch) {
  detail::check_refit_shapes(in, out, options);
  miq::detail::require(losses.size() == refit_loss_count(options), "refit: losses must have ",
                       refit_loss_count(options), " elements, got ", losses.size());
  const detail::refit_device_scratch plan(in.target.rows(), in.target.columns(), options);
  const miq::detail::device_scratch memory("refit", plan.layout, scratch, exec.stream(), exec.resource());
  const miq::device::stream_machine machine(exec);
  miq::device::write_result(exec, "refit", result, device_refit_result{});
  detail::refit_steps(machine, in, out, options, plan, memory, losses.data(), result.get()).run();
}

MIQ_CUDA_API refit_result refit(const cuda_executor& exec, const refit_inputs<device_memory>& in,
                                const refit_outputs<device_memory>& out, const refit_options& options,
                                device_workspace scratch) {
  detail::check_refit_shapes(in, out, options);
  const miq::device::result_on_device<device_refit_result> counts(exec);
  const device_array<double> losses(refit_loss_count(options), exec.stream(), exec.resource());
  refit(exec, in, out, losses.view(), counts.ref(), options, scratch);
  refit_result result;
  result.loss.resize(static_cast<std::size_t>(losses.size()));
  copy(exec, vector_view<const double, device_memory>(losses.view()), vector_view<double>(result.loss));
  const auto seen = counts.fetch();
  miq::detail::require(seen.invalid == 0, "refit: target, start and hessian must be finite, and its diagonal not ",
                       "negative, got ", seen.invalid, " values that are not");
  result.loss.resize(static_cast<std::size_t>(seen.losses));
  for (const double loss : result.loss)
    if (!std::isfinite(loss)) throw numerical_error("refit: the products overflowed");
  result.converged = seen.converged;
  result.stopped = seen.stopped;
  return result;
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
