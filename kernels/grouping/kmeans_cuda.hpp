// grouping/kmeans_cuda.hpp: `kmeans` (grouping/kmeans.hpp) on a device.
#pragma once

#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/grouping/kmeans_options.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `kmeans` on the host, of points in device memory; the result is on the host.
///
/// Draws by the host's random numbers, so that a start of the same seed takes the same way as on the host until two
/// sums, or two distances, agree to rounding. Up to 16 starts (and about 1024 centres) are advanced together: products
/// of centres and points by cuBLAS in single precision, means and the inertia in double precision, in a fixed order.
/// The same to the bit from run to run on the same device and cuBLAS.
///
/// @throws invalid_argument  as on the host; of points that are not finite it says how many values there are
///
/// Synchronises, after every fourth iteration among others, and so may not be captured. Allocates nothing on the device
/// if a workspace is given; on the host, 4 n + 4 groups * d bytes.
MIQ_CUDA_API kmeans_result kmeans(const cuda_executor& exec, matrix_view<const float, device_memory> points,
                                  const kmeans_options& options = {}, device_workspace workspace = {});

/// Bytes of the workspace for `rows` points of `columns` coordinates: about 4 n d + starts (4 n groups + (24 + 8
/// ln groups) n + 4 groups * d), with the starts that are advanced together.
/// @throws invalid_argument  as `kmeans` does for its shapes and options
MIQ_CUDA_API std::int64_t kmeans_workspace_bytes(std::int64_t rows, std::int64_t columns,
                                                 const kmeans_options& options);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
