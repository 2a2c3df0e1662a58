// grouping/hierarchical_cuda.hpp: `linkage` (grouping/hierarchical.hpp) of distances in device memory.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/executor.hpp>
#include <miq/grouping/dendrogram.hpp>
#include <miq/grouping/linkage_method.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

/// `linkage` of distances in device memory, on the host: they are copied once, 4 n^2 bytes, and the tree is `host`'s.
///
/// A chain of nearest neighbours takes about 3 n steps of which each reads one row and needs the one before: on a
/// device that is 3 n launches of too little work, while the copy takes as long as reading the matrix over the bus.
///
/// @param exec  whose stream the distances belong to
/// @param host  where the tree is made
/// @throws invalid_argument  as on the host
///
/// Synchronises; may not be captured. Allocates nothing on the device.
MIQ_CUDA_API dendrogram linkage(const cuda_executor& exec, const host_executor& host,
                                matrix_view<const float, device_memory> distance, linkage_method method);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
