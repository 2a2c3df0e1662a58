// grouping/quality.cuh: the body of grouping/quality_cuda.hpp; needs nvcc.
#pragma once

#include <vector>

#include <miq/core/launch.cuh>
#include <miq/grouping/detail/quality/body.hpp>
#include <miq/grouping/detail/quality/information_of_sums.hpp>
#include <miq/grouping/quality.hpp>
#include <miq/grouping/quality_cuda.hpp>

namespace miq::grouping {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API group_information describe_groups(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
                                               const partition& groups) {
  const auto n = groups.columns();
  miq::detail::require(mi.rows() == n && mi.columns() == n, "describe_groups: mi must be ",
                       miq::detail::shape_text(n, n), " to match groups, got ",
                       miq::detail::shape_text(mi.rows(), mi.columns()));
  if (n == 0) return detail::information_of_sums(groups, {}, {});
  const device_array<std::int32_t> labels(n, exec.stream(), exec.resource());
  const device_array<double> sums(2 * n, exec.stream(), exec.resource());
  copy(exec, vector_view<const std::int32_t>(groups.labels()), labels.view());
  device::launch(exec, "describe_groups",
                 detail::group_sums_body{n, mi.data(), mi.leading(), labels.data(), sums.data()});
  std::vector<double> of_rows(static_cast<std::size_t>(2 * n));
  copy(exec, vector_view<const double, device_memory>(sums.view()), vector_view<double>(of_rows));
  exec.synchronise();

  std::vector<double> inside(static_cast<std::size_t>(groups.groups())), around(inside.size());
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    const auto g = static_cast<std::size_t>(groups.labels()[i]);
    inside[g] += of_rows[2 * i];
    around[g] += of_rows[2 * i + 1];
  }
  return detail::information_of_sums(groups, inside, around);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
