// grouping/eigenpairs_cuda.hpp: `largest_eigenpairs` (grouping/eigenpairs.hpp) on a device.
#pragma once

#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/grouping/eigenpairs_options.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `largest_eigenpairs` on the host, of a matrix in device memory; the result is on the host.
///
/// The block iteration's products and long vectors are cuBLAS's, in single precision with sums over all rows in double
/// precision across at most 32 tiles, from the host's random start; the small projected problems are solved on the host
/// (Eigen, double precision), with a synchronisation for each of them and for each orthogonalisation. Matrices for the
/// dense solver (up to `dense_up_to`, large counts, and after no convergence) are copied to the host and solved there
/// on all cores.
///
/// @throws invalid_argument, numerical_error  as on the host; of a matrix that is not finite or not symmetric to the
///                                            bit it says how many elements are wrong
///
/// Synchronises; may not be captured. Allocates nothing on the device if a workspace is given; on the host 16 n count
/// bytes, for the dense solver as that says. The same to the bit from run to run on the same device and cuBLAS.
MIQ_CUDA_API eigenpairs_result largest_eigenpairs(const cuda_executor& exec,
                                                  matrix_view<const float, device_memory> symmetric, int count,
                                                  const eigenpairs_options& options = {},
                                                  device_workspace workspace = {});

/// Bytes of the workspace for a matrix of [n, n]: about 4 n (11 count + 100) where the block iteration runs, else 4 n.
/// @throws invalid_argument  as `largest_eigenpairs` does for its shapes and options
MIQ_CUDA_API std::int64_t largest_eigenpairs_workspace_bytes(std::int64_t n, int count,
                                                             const eigenpairs_options& options = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
