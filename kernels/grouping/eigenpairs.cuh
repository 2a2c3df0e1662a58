// grouping/eigenpairs.cuh: the bodies of grouping/eigenpairs_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_memory.hpp>
#include <miq/core/machine.cuh>
#include <miq/grouping/detail/eigenpairs/schedule.hpp>
#include <miq/grouping/detail/graph/schedule.hpp>
#include <miq/grouping/eigenpairs_cuda.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API std::int64_t largest_eigenpairs_workspace_bytes(std::int64_t n, int count,
                                                             const eigenpairs_options& options) {
  detail::require_eigenpairs_options(n, count, options);
  return detail::eigenpairs_call_layout(n, count, options.dense_up_to).layout.bytes();
}

MIQ_CUDA_API eigenpairs_result largest_eigenpairs(const cuda_executor& exec,
                                                  matrix_view<const float, device_memory> symmetric, int count,
                                                  const eigenpairs_options& options, device_workspace workspace) {
  detail::require_square(symmetric.rows(), symmetric.columns(), "largest_eigenpairs", "symmetric");
  detail::require_eigenpairs_options(symmetric.rows(), count, options);
  const detail::eigenpairs_call_layout at(symmetric.rows(), count, options.dense_up_to);
  const miq::detail::device_scratch scratch("largest_eigenpairs", at.layout, workspace, exec.stream(), exec.resource());
  const device::stream_machine machine(exec);
  detail::require_symmetric_on_machine(machine, symmetric.data(), symmetric.leading(), symmetric.rows(),
                                       "largest_eigenpairs", "symmetric", detail::sign_rule::any,
                                       detail::diagonal_rule::any, scratch.at<detail::matrix_faults>(at.faults));
  return detail::largest_eigenpairs_on_machine(machine, symmetric.data(), symmetric.leading(), symmetric.rows(), count,
                                               options, scratch.at<std::byte>(at.iteration));
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
