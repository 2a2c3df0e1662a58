#pragma once

#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/grouping/detail/group_on_host.hpp>
#include <miq/grouping/group_by_information.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API information_grouping_result group_on_host(const cuda_executor& exec,
                                                       matrix_view<const float, device_memory> mi,
                                                       vector_view<const float, device_memory> entropies,
                                                       const information_grouping_options& options,
                                                       const progress_callback& progress) {
  matrix<float> copied(mi.rows(), mi.columns());
  std::vector<float> copied_entropies(static_cast<std::size_t>(entropies.size()));
  copy(exec, mi, copied.view());
  copy(exec, entropies, vector_view<float>(copied_entropies));
  exec.synchronise();
  return grouping::group_by_information(host_executor(), copied.view(), vector_view<const float>(copied_entropies),
                                        options, progress);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping::detail
