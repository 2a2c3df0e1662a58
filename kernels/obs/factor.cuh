// obs/factor.cuh: the bodies of obs/factor_cuda.hpp; needs nvcc.
#pragma once

#include <miq/obs/detail/factor/body.hpp>
#include <miq/obs/detail/solver/machine.cuh>
#include <miq/obs/factor_cuda.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API std::int64_t factor_workspace_bytes(const cuda_executor& exec, std::int64_t columns) {
  return detail::device_factor_scratch(columns, device::solver_machine(exec).cholesky_bytes<float>(columns))
      .layout.bytes();
}

MIQ_CUDA_API factor_result factor(const cuda_executor& exec, matrix_view<const float, device_memory> hessian,
                                  matrix_view<float, device_memory> upper, const factor_options& options,
                                  device_workspace scratch) {
  detail::check_factor_shapes(hessian, upper, options);
  const device::solver_machine machine(exec);
  const detail::device_factor_scratch plan(hessian.columns(), machine.cholesky_bytes<float>(hessian.columns()));
  const miq::detail::device_scratch memory("factor", plan.layout, scratch, exec.stream(), exec.resource());
  return detail::factor_on_machine(machine, plan, memory, hessian, upper, options);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
