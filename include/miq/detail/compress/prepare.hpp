// What layers with one input share: the groups, the order of the sweep, the factor.
#pragma once

#include <utility>
#include <variant>
#include <vector>

#include <miq/calibration/statistics.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/core/progress.hpp>
#include <miq/detail/column_order/permutation.hpp>
#include <miq/detail/compress/checks.hpp>
#include <miq/detail/compress/layer_backend.hpp>
#include <miq/detail/compress/phase_timer.hpp>

namespace miq::detail {

template <class Backend>
using samples_of = matrix_view<const float, typename Backend::space>;

template <class Backend>
using statistics_of = calibration::statistics_view<typename Backend::space>;

/// Estimates the mutual information and groups the columns by it.
template <class Backend>
void group_by_information(const Backend& backend, const statistics_of<Backend>& statistics,
                          const samples_of<Backend>& samples, const compress_options& options,
                          const progress_callback& progress, typename Backend::inputs& shared) {
  const auto columns = statistics.columns();
  typename Backend::channel_values entropies;
  {
    const phase_timer timer(shared.seconds.information);
    report_progress(progress, "information", 0.3);
    shared.mi = backend.template result<float>(columns, columns);
    const auto* const gaussian = std::get_if<information::correlation_options>(&options.estimator);
    if (gaussian != nullptr) {
      shared.sample_tokens = statistics.tokens;
      shared.information = backend.correlation(statistics, shared.mi, *gaussian);
    } else {
      shared.sample_tokens = samples.rows();
      shared.information =
          backend.mutual_information(samples, shared.mi, options.estimator, part_of(progress, 0.3, 0.7, "information"));
      if (information::detail::needs_entropies(options.normalisation))
        entropies = backend.entropies(samples, options.estimator);
    }
  }
  const phase_timer timer(shared.seconds.grouping);
  auto found = backend.group_by_information(shared.mi.view(), entropies, grouping_options_of(columns, options),
                                            part_of(progress, 0.7, 1, "grouping"));
  shared.groups = std::move(found.groups);
  shared.clipped_information = found.clipped;
  shared.isolated = found.isolated;
  shared.candidate_groups = std::move(found.candidates);
  shared.silhouettes = std::move(found.silhouettes);
}

/// The column at each place of the sweep; empty for the natural order.
template <class Backend>
std::vector<std::int64_t> order_of_sweep(const Backend& backend, const samples_of<Backend>& hessian,
                                         const grouping::partition& groups, const compress_options& options) {
  switch (options.order) {
    case column_order::natural:
      return {};
    case column_order::descending_diagonal:
      return descending_order(backend.diagonal(hessian));
    case column_order::by_group:
      return {groups.permutation().begin(), groups.permutation().end()};
    case column_order::representatives:
      return backend.order_by_representatives(hessian, groups, options.factor.damping);
  }
  return {};
}

template <layer_backend Backend>
typename Backend::inputs prepare_on(const Backend& backend, const statistics_of<Backend>& statistics,
                                    const samples_of<Backend>& samples, const compress_options& options,
                                    const progress_callback& progress) {
  check_compress_options(options);
  const auto columns = statistics.columns();
  if (groups_by_information(options.grouping))
    check_information_options(columns, samples.rows(), samples.columns(), options);
  typename Backend::inputs shared;
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
      group_by_information(backend, statistics, samples, options, part_of(progress, 0, 0.7), shared);
      break;
  }
  {
    const phase_timer timer(shared.seconds.factor);
    report_progress(progress, "factor", 0.7);
    auto hessian = backend.hessian(statistics);
    shared.order = order_of_sweep(backend, hessian.view(), shared.groups, options);
    if (!shared.order.empty()) hessian = backend.square_in_order(hessian.view(), shared.order);
    shared.upper = backend.template result<float>(columns, columns);
    shared.factor = backend.factor(hessian.view(), shared.upper, options.factor);
    if (needs_hessian(options)) shared.hessian = std::move(hessian);
  }
  report_progress(progress, "prepare", 1);
  return shared;
}

}  // namespace miq::detail
