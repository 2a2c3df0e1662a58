// grouping/quality_cuda.hpp: `describe_groups` (grouping/quality.hpp) on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/grouping/group_information.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `describe_groups` on the host, of a matrix in device memory; the result is on the host. Contents are not checked:
/// values that are not finite give sums that are not.
///
/// Takes 20 bytes per column from the executor's resource, and synchronises; may not be captured. Sums in double in a
/// fixed order, another than the host's. Cost: reads `mi` once.
/// @throws invalid_argument  if `mi` is not square or does not match `groups`
MIQ_CUDA_API group_information describe_groups(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                                               const partition& groups);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
