// grouping/kmeans.cuh: the bodies of grouping/kmeans_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/machine.cuh>
#include <miq/grouping/detail/kmeans/schedule.hpp>
#include <miq/grouping/kmeans_cuda.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API std::int64_t kmeans_workspace_bytes(std::int64_t rows, std::int64_t columns,
                                                 const kmeans_options& options) {
  detail::require_kmeans_options(rows, columns, options);
  return detail::kmeans_layout(rows, columns, options).layout.bytes();
}

MIQ_CUDA_API kmeans_result kmeans(const cuda_executor& exec, matrix_view<const float, device_memory> points,
                                  const kmeans_options& options, device_workspace workspace) {
  detail::require_kmeans_options(points.rows(), points.columns(), options);
  const detail::kmeans_layout at(points.rows(), points.columns(), options);
  const miq::detail::device_scratch scratch("kmeans", at.layout, workspace, exec.stream(), exec.resource());
  return detail::kmeans_on_machine(device::stream_machine(exec), points.data(), points.leading(), points.rows(),
                                   points.columns(), options, scratch.at<std::byte>(0));
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
