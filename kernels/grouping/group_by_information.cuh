// grouping/group_by_information.cuh: the bodies of grouping/group_by_information_cuda.hpp; needs nvcc.
#pragma once

#include <vector>

#include <miq/core/machine.cuh>
#include <miq/core/matrix.hpp>
#include <miq/grouping/detail/group_by_information/body.hpp>
#include <miq/grouping/detail/group_by_information/checks.hpp>
#include <miq/grouping/group_by_information.hpp>
#include <miq/grouping/group_by_information_cuda.hpp>
#include <miq/grouping/kmeans_cuda.hpp>
#include <miq/grouping/spectral_cuda.hpp>
#include <miq/information/affinity_cuda.hpp>
#if !defined(MIQ_CUDA_PRECOMPILED)  // there the parts have translation units of their own
#include <miq/grouping/kmeans.cuh>
#include <miq/grouping/spectral.cuh>
#include <miq/information/affinity.cuh>
#endif

namespace miq::grouping {
namespace detail {
inline namespace MIQ_CUDA_NAMESPACE {

/// The ways to group that are the host's: the information is copied there.
inline information_grouping_result group_on_host(const cuda_executor& exec, matrix_view<const float, device_memory> mi,
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
}  // namespace detail

inline namespace MIQ_CUDA_NAMESPACE {
MIQ_CUDA_API information_grouping_result group_by_information(const cuda_executor& exec,
                                                              matrix_view<const float, device_memory> mi,
                                                              vector_view<const float, device_memory> entropies,
                                                              const information_grouping_options& options,
                                                              const progress_callback& progress) {
  using information::normalisation;
  using miq::detail::require;
  const auto columns = mi.columns();
  detail::require_grouping_options(options, columns);
  require(mi.rows() == columns, "group_by_information: mi must be square, got ",
          miq::detail::shape_text(mi.rows(), columns));
  if (options.groups == 0 || options.balanced || options.method == grouping_method::hierarchical) {
    return detail::group_on_host(exec, mi, entropies, options, progress);
  }

  miq::report_progress(progress, "affinities", 0);
  const device_array<float> memory(columns * columns, exec.stream(), exec.resource());
  const auto affinity = memory.as_matrix(columns, columns);
  information_grouping_result result;
  if (options.normalisation == normalisation::information_coefficient ||
      options.normalisation == normalisation::correlation) {
    const auto found = information::affinity(exec, mi, affinity);
    require(found.not_finite == 0, "group_by_information: mi must be finite, got ", found.not_finite,
            " pairs that are not");
    result.clipped = found.clipped;
  } else {
    const auto found = information::normalise(exec, mi, entropies, options.normalisation, affinity);
    require(found.not_finite == 0, "group_by_information: mi must be finite, got ", found.not_finite,
            " pairs that are not");
    require(found.unusable == 0, "group_by_information: entropies must allow the normalisation, got ", found.unusable,
            " pairs for which they do not");
  }
  const device::stream_machine machine(exec);
  const device_array<std::int64_t> counts(2, exec.stream(), exec.resource());
  machine.clear(counts.data(), 2);
  const bool spectral_method = options.method == grouping_method::spectral;
  machine.launch("group_by_information", detail::profile_body{affinity.data(), columns, spectral_method ? 0.0F : 1.0F,
                                                              counts.data(), counts.data() + 1});
  std::int64_t counted[2] = {};
  machine.fetch(counts.data(), 2, counted);
  result.clipped += counted[0];  // 0 where `affinity` has clipped
  result.isolated = counted[1];
  miq::report_progress(progress, "groups", 0);
  if (spectral_method) {
    spectral_options how;
    how.groups = options.groups;
    how.seed = options.seed;
    result.groups = spectral(exec, affinity, how).groups;
  } else {
    kmeans_options how;
    how.groups = options.groups;
    how.seed = options.seed;
    result.groups = kmeans(exec, affinity, how).groups;
  }
  return result;
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::grouping
