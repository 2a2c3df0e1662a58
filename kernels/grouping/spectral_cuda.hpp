// grouping/spectral_cuda.hpp: `spectral` (grouping/spectral.hpp) on a device.
#pragma once

#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/grouping/spectral_options.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `spectral` on the host, of affinities in device memory; the result is on the host.
///
/// Degrees, components, and the normalised affinities are the host's to the bit; then `largest_eigenpairs` and `kmeans`
/// on the device. Columns' points are scaled on the host (8 n groups bytes are copied in all).
///
/// @throws invalid_argument, numerical_error  as on the host; of affinities that are not finite, negative or not
///                                            symmetric to the bit it says how many elements are wrong
///
/// Synchronises; may not be captured. Allocates nothing on the device if a workspace is given. The same to the bit from
/// run to run on the same device and cuBLAS. Cost: reads the affinities three times, and once more for each round in
/// which components are joined (one where all columns share something); then once each product.
MIQ_CUDA_API spectral_result spectral(const cuda_executor& exec, matrix_view<const float, device_memory> affinity,
                                      const spectral_options& options = {}, device_workspace workspace = {});

/// Bytes of the workspace for affinities of [n, n]: 4 n^2, and what `largest_eigenpairs` or `kmeans` takes, whichever
/// is more. @throws invalid_argument  as `spectral` does for its shapes and options
MIQ_CUDA_API std::int64_t spectral_workspace_bytes(std::int64_t n, const spectral_options& options);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
