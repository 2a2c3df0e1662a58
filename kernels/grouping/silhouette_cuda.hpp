// grouping/silhouette_cuda.hpp: `silhouette` (grouping/silhouette.hpp) on a device.
#pragma once

#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `silhouette` on the host, of distances in device memory, to the bit: sums are added in the host's order.
///
/// @throws invalid_argument  as on the host; of distances that are not finite, negative, not symmetric to the bit or
///                           not 0 on the diagonal it says how many elements are wrong
///
/// Synchronises; may not be captured. Allocates nothing on the device if a workspace is given. Cost: reads the
/// distances twice (once to check them); n^2 additions in double precision.
MIQ_CUDA_API double silhouette(const cuda_executor& exec, matrix_view<const float, device_memory> distance,
                               const partition& groups, device_workspace workspace = {});

/// Bytes of the workspace for `columns` columns in `groups` groups: 16 n + 32 groups, and some.
MIQ_CUDA_API std::int64_t silhouette_workspace_bytes(std::int64_t columns, std::int64_t groups);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
