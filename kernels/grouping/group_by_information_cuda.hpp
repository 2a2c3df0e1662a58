// grouping/group_by_information_cuda.hpp: `group_by_information` (grouping/group_by_information.hpp) on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/progress.hpp>
#include <miq/grouping/information_grouping_options.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

/// As `group_by_information` on the host, of information in device memory; the result is on the host.
///
/// `spectral` and `kmeans` with a given number of groups run on the device, by `information::affinity` or `normalise`
/// and the functions of those names. Everything else (hierarchical, balanced, a number that is chosen) is the host's:
/// the information is copied there once, and a host executor of its own uses all cores.
///
/// @throws invalid_argument, numerical_error, cancelled  as on the host; of information that is not finite, or
///                                                       entropies that do not allow the normalisation, it says how
///                                                       many pairs are wrong
///
/// Synchronises; may not be captured. Takes 4 c^2 bytes from the executor's resource, and what `spectral` or `kmeans`
/// do.
MIQ_CUDA_API information_grouping_result group_by_information(const cuda_executor& exec,
                                                              matrix_view<const float, device_memory> mi,
                                                              vector_view<const float, device_memory> entropies,
                                                              const information_grouping_options& options = {},
                                                              const progress_callback& progress = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
