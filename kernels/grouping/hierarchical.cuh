// grouping/hierarchical.cuh: the bodies of grouping/hierarchical_cuda.hpp.
#pragma once

#include <miq/core/matrix.hpp>
#include <miq/grouping/detail/graph/checks.hpp>
#include <miq/grouping/hierarchical.hpp>
#include <miq/grouping/hierarchical_cuda.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API dendrogram linkage(const cuda_executor& exec, const host_executor& host,
                                matrix_view<const float, device_memory> distance, linkage_method method) {
  detail::require_square(distance.rows(), distance.columns(), "linkage", "distance");
  matrix<float> copied(distance.rows(), distance.columns(), host.resource());
  copy(exec, distance, copied.view());
  exec.synchronise();
  return linkage(host, copied, method);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
