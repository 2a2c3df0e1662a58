// What layers with one input share: the factor, the groups, the order of the sweep.
#pragma once

#include <algorithm>
#include <numeric>

#include <miq/calibration/statistics.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/core/progress.hpp>
#include <miq/detail/column_order/permutation.hpp>
#include <miq/detail/compress/checks.hpp>
#include <miq/detail/compress/host_backend.hpp>
#include <miq/detail/compress/phase_timer.hpp>
#include <miq/grouping/group_by_information.hpp>
#include <miq/grouping/representatives.hpp>
#include <miq/information/estimator.hpp>
#include <miq/obs/factor.hpp>

namespace miq::detail {

template <on_host Exec>
void group_by_information(const Exec& exec, const calibration::statistics_view<>& seen,
                          matrix_view<const float> samples, const compress_options& options,
                          const progress_callback& progress, prepared_inputs& shared) {
  const auto columns = seen.columns();
  std::vector<float> entropies;
  {
    const phase_timer timer(shared.seconds.information);
    report_progress(progress, "information", 0.3);
    shared.mi = matrix<float>(columns, columns);
    const auto* const gaussian = std::get_if<information::correlation_options>(&options.estimator);
    const bool wants_entropies = information::detail::needs_entropies(options.normalisation);
    entropies.resize(wants_entropies ? static_cast<std::size_t>(columns) : 0);
    if (gaussian != nullptr) {
      shared.sample_tokens = seen.tokens;
      shared.information = information::correlation(exec, seen, shared.mi, *gaussian);
    } else {
      shared.sample_tokens = samples.rows();
      shared.information = information::mutual_information(exec, samples, shared.mi.view(), options.estimator,
                                                           part_of(progress, 0.3, 0.7, "information"));
      if (wants_entropies) information::entropies(exec, samples, vector_view<float>(entropies), options.estimator);
    }
  }
  const phase_timer timer(shared.seconds.grouping);
  auto found = grouping::group_by_information(exec, shared.mi, entropies, grouping_options_of(columns, options),
                                              part_of(progress, 0.7, 1, "grouping"));
  shared.groups = std::move(found.groups);
  shared.clipped_information = found.clipped;
  shared.isolated = found.isolated;
  shared.candidate_groups = std::move(found.candidates);
  shared.silhouettes = std::move(found.silhouettes);
}

/// The column at each place of the sweep; empty for the natural order.
template <on_host Exec>
std::vector<std::int64_t> order_of_sweep(const Exec& exec, matrix_view<const float> hessian,
                                         const grouping::partition& groups, const compress_options& options) {
  switch (options.order) {
    case column_order::natural:
      return {};
    case column_order::descending_diagonal:
      return descending_order(host_backend<Exec>{exec}.diagonal(hessian));
    case column_order::by_group:
      return {groups.permutation().begin(), groups.permutation().end()};
    case column_order::representatives:
      return grouping::order_by_representatives(exec, hessian, groups, {}, {.damping = options.factor.damping}).order;
  }
  return {};
}

template <on_host Exec>
prepared_inputs prepare_on(const Exec& exec, const calibration::statistics_view<>& seen,
                           matrix_view<const float> samples, const compress_options& options,
                           const progress_callback& progress) {
  check_compress_options(options);
  const auto columns = seen.columns();
  if (groups_by_information(options.grouping))
    check_information_options(columns, samples.rows(), samples.columns(), options);
  prepared_inputs shared;
  switch (options.grouping) {
    case column_grouping::single:
      shared.groups = grouping::partition::single(columns);
      break;
    case column_grouping::each_column:
      shared.groups = grouping::partition::each_alone(columns);
      break;
    case column_grouping::spectral:
    case column_grouping::hierarchical:
    case column_grouping::kmeans:
      group_by_information(exec, seen, samples, options, part_of(progress, 0, 0.7), shared);
      break;
  }
  {
    const phase_timer timer(shared.seconds.factor);
    report_progress(progress, "factor", 0.7);
    shared.upper = matrix<float>(columns, columns);
    matrix<float> hessian(columns, columns, exec.resource());
    calibration::hessian(exec, seen, hessian);
    shared.order = order_of_sweep(exec, hessian, shared.groups, options);
    if (!shared.order.empty()) hessian = square_in_order(hessian, shared.order, exec.resource());
    shared.factor = obs::factor(exec, hessian, shared.upper, options.factor);
    if (needs_hessian(options)) shared.hessian = std::move(hessian);
  }
  report_progress(progress, "prepare", 1);
  return shared;
}

}  // namespace miq::detail
