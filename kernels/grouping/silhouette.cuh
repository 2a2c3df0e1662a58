// grouping/silhouette.cuh: the bodies of grouping/silhouette_cuda.hpp; needs nvcc.
#pragma once

#include <vector>

#include <miq/core/machine.cuh>
#include <miq/grouping/detail/graph/schedule.hpp>
#include <miq/grouping/detail/silhouette/body.hpp>
#include <miq/grouping/detail/silhouette/checks.hpp>
#include <miq/grouping/silhouette.hpp>
#include <miq/grouping/silhouette_cuda.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API std::int64_t silhouette_workspace_bytes(std::int64_t columns, std::int64_t groups) {
  miq::detail::require(groups >= 2 && groups <= columns, "silhouette: groups must be 2 to the ", columns,
                       " columns, got ", groups);
  return detail::silhouette_layout(columns, groups).layout.bytes();
}

MIQ_CUDA_API double silhouette(const cuda_executor& exec, matrix_view<const float, device_memory> distance,
                               const partition& groups, device_workspace workspace) {
  detail::require_square(distance.rows(), distance.columns(), "silhouette", "distance");
  detail::require_silhouette_groups(distance.rows(), groups);
  const detail::silhouette_layout at(distance.rows(), groups.groups());
  const miq::detail::device_scratch scratch("silhouette", at.layout, workspace, exec.stream(), exec.resource());
  const device::stream_machine machine(exec);
  detail::require_symmetric_on_machine(machine, distance.data(), distance.leading(), distance.rows(), "silhouette",
                                       "distance", detail::sign_rule::not_negative, detail::diagonal_rule::zero,
                                       scratch.at<detail::matrix_faults>(at.faults));
  std::vector<double> widths;
  return detail::silhouette_on_machine(machine, distance.data(), distance.leading(), groups, scratch.at<std::byte>(0),
                                       widths);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
