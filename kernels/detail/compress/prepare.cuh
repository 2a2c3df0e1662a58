// `prepare` of compress_cuda.hpp.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include <miq/compress_cuda.hpp>
#include <miq/core/device_result.cuh>
#include <miq/detail/column_order/permutation.hpp>
#include <miq/detail/compress/checks.hpp>
#include <miq/detail/compress/device_backend.cuh>
#include <miq/detail/compress/phase_timer.hpp>
#include <miq/grouping/representatives.hpp>

// In the precompiled library the parts are translation units of their own.
#if defined(MIQ_CUDA_PRECOMPILED)
#include <miq/grouping/group_by_information_cuda.hpp>
#include <miq/information/correlation_cuda.hpp>
#include <miq/information/estimator_cuda.hpp>
#include <miq/information/histogram_cuda.hpp>
#else
#include <miq/grouping/group_by_information.cuh>
#include <miq/information/correlation.cuh>
#include <miq/information/estimator.cuh>
#include <miq/information/histogram.cuh>
#endif

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// The column at each place of the sweep; empty for the natural order.
inline std::vector<std::int64_t> order_of_sweep(const cuda_executor& exec, const device_matrix<float>& hessian,
                                                const grouping::partition& groups, const compress_options& options) {
  const miq::detail::device_backend machine{exec};
  switch (options.order) {
    case column_order::natural:
      return {};
    case column_order::descending_diagonal:
      return miq::detail::descending_order(machine.diagonal(hessian.view()));
    case column_order::by_group:
      return {groups.permutation().begin(), groups.permutation().end()};
    case column_order::representatives: {
      matrix<float> on_host(hessian.rows(), hessian.columns());
      copy(exec, matrix_view<const float, device_memory>(hessian.view()), on_host.view());
      exec.synchronise();
      return grouping::order_by_representatives(host_executor(), on_host.view(), groups, {},
                                                {.damping = options.factor.damping})
          .order;
    }
  }
  return {};
}

inline void group_columns(const cuda_executor& exec, const calibration::statistics_view<device_memory>& seen,
                          matrix_view<const float, device_memory> samples, const compress_options& options,
                          const progress_callback& progress, device_prepared_inputs& shared) {
  using miq::detail::phase_timer;
  using miq::detail::report_progress;
  const auto columns = seen.columns();
  device_array<float> entropies;
  {
    const phase_timer timer(shared.seconds.information);
    report_progress(progress, "information", 0.3);
    shared.mi = device_matrix<float>(columns, columns, exec.stream(), exec.resource());
    const auto* const gaussian = std::get_if<information::correlation_options>(&options.estimator);
    if (gaussian != nullptr) {
      shared.sample_tokens = seen.tokens;
      shared.information = information::correlation(exec, seen, shared.mi.view(), *gaussian);
    } else {
      shared.sample_tokens = samples.rows();
      shared.information = information::mutual_information(exec, samples, shared.mi.view(), options.estimator);
      if (information::detail::needs_entropies(options.normalisation)) {
        entropies = device_array<float>(columns, exec.stream(), exec.resource());
        // Discrete entropies, as `check_information_options` has made sure, which only the histogram has.
        const device::result_on_device<information::histogram_result> unused(exec);
        information::histogram_entropy(exec, samples, entropies.view(), unused.ref(),
                                       std::get<information::histogram_options>(options.estimator));
      }
    }
  }
  const phase_timer timer(shared.seconds.grouping);
  report_progress(progress, "grouping", 0.7);
  auto found = grouping::group_by_information(exec, matrix_view<const float, device_memory>(shared.mi.view()),
                                              vector_view<const float, device_memory>(entropies.view()),
                                              miq::detail::grouping_options_of(columns, options));
  shared.groups = std::move(found.groups);
  shared.clipped_information = found.clipped;
  shared.isolated = found.isolated;
  shared.candidate_groups = std::move(found.candidates);
  shared.silhouettes = std::move(found.silhouettes);
}

}  // namespace device

MIQ_CUDA_API device_prepared_inputs prepare(const cuda_executor& exec,
                                            const calibration::statistics_view<device_memory>& seen,
                                            const compress_options& options,
                                            matrix_view<const float, device_memory> samples,
                                            const progress_callback& progress) {
  using miq::detail::phase_timer;
  using miq::detail::report_progress;
  miq::detail::check_compress_options(options);
  const auto columns = seen.columns();
  const bool informed = groups_by_information(options.grouping);
  if (informed) miq::detail::check_information_options(columns, samples.rows(), samples.columns(), options);
  device_prepared_inputs shared;
  if (options.grouping == column_grouping::single) shared.groups = grouping::partition::single(columns);
  if (options.grouping == column_grouping::each_column) shared.groups = grouping::partition::each_alone(columns);
  if (informed) device::group_columns(exec, seen, samples, options, progress, shared);

  const phase_timer timer(shared.seconds.factor);
  report_progress(progress, "factor", 0.7);
  shared.upper = device_matrix<float>(columns, columns, exec.stream(), exec.resource());
  device_matrix<float> hessian(columns, columns, exec.stream(), exec.resource());
  calibration::hessian(exec, seen, hessian.view());
  shared.order = device::order_of_sweep(exec, hessian, shared.groups, options);
  if (!shared.order.empty()) hessian = miq::detail::device_backend{exec}.square_in_order(hessian.view(), shared.order);
  shared.factor =
      obs::factor(exec, matrix_view<const float, device_memory>(hessian.view()), shared.upper.view(), options.factor);
  if (miq::detail::needs_hessian(options)) shared.hessian = std::move(hessian);
  report_progress(progress, "prepare", 1);
  return shared;
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
