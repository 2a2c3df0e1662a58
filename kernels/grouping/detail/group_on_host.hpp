// The ways to group that are the host's: information in device memory is copied there.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/progress.hpp>
#include <miq/grouping/information_grouping_options.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_CUDA_NAMESPACE {

/// `group_by_information` of the host, of views in device memory. Synchronises.
MIQ_CUDA_API information_grouping_result group_on_host(const cuda_executor& exec,
                                                       matrix_view<const float, device_memory> mi,
                                                       vector_view<const float, device_memory> entropies,
                                                       const information_grouping_options& options,
                                                       const progress_callback& progress);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping::detail
