// What `prepare` and `compress` ask of the host: the library's own functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <miq/allocation/expected_error.hpp>
#include <miq/allocation/importance.hpp>
#include <miq/compress_options.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/core/detail/as_float.hpp>
#include <miq/core/detail/finite.hpp>
#include <miq/detail/column_order/permutation.hpp>
#include <miq/detail/compress/checks.hpp>
#include <miq/detail/compress/layer_backend.hpp>
#include <miq/grouping/group_by_information.hpp>
#include <miq/grouping/quality.hpp>
#include <miq/grouping/representatives.hpp>
#include <miq/information/estimator.hpp>
#include <miq/obs/factor.hpp>
#include <miq/obs/mask.hpp>
#include <miq/obs/mask_search.hpp>
#include <miq/obs/refit.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/obs/target.hpp>
#include <miq/quantization/detail/storage/counts.hpp>
#include <miq/quantization/fit.hpp>

namespace miq::detail {

template <on_host Exec>
struct host_backend {
  using space = host_memory;
  using memory = host_layer_memory;
  using inputs = prepared_inputs;
  using layer = compressed_layer;
  using grids = quantization::grid_set;
  using channel_values = std::vector<float>;
  using given_weights = weights_view<>;
  template <class T>
  using owned = matrix<T>;
  template <class T>
  using view = matrix_view<const T>;

  const Exec& exec;

  template <class T>
  owned<T> scratch(std::int64_t rows, std::int64_t columns) const {
    return matrix<T>(rows, columns, exec.resource());
  }
  template <class T>
  owned<T> result(std::int64_t rows, std::int64_t columns) const {
    return matrix<T>(rows, columns);
  }
  template <class T>
  owned<T> copy(const owned<T>& from) const {
    return matrix<T>(from.view(), exec.resource());
  }

  void require_finite(const given_weights& weights) const {
    with_float(exec, weights,
               [&](view<float> typed) { miq::detail::require_finite(exec, typed, "compress", "weights"); });
  }

  std::vector<float> diagonal(view<float> m) const {
    std::vector<float> values(static_cast<std::size_t>(m.columns()));
    for (std::int64_t c = 0; c < m.columns(); ++c) values[static_cast<std::size_t>(c)] = m(c, c);
    return values;
  }
  std::vector<float> fetch(vector_view<const float> v) const { return {v.begin(), v.end()}; }

  owned<float> weights_in_order(const given_weights& weights, std::span<const std::int64_t> order,
                                std::span<const std::int64_t> dead) const {
    if (const auto* const typed = weights.template get_if<float>(); typed != nullptr && dead.empty())
      return columns_in_order<float>(*typed, order, exec.resource());
    auto live = float_copy(exec, weights);
    for (const auto c : dead)
      for (std::int64_t r = 0; r < live.rows(); ++r) live(r, c) = 0;
    if (order.empty()) return live;
    return columns_in_order<float>(live.view(), order, exec.resource());
  }
  template <class T>
  owned<T> in_order(const owned<T>& m, std::span<const std::int64_t> order) const {
    return columns_in_order<T>(m.view(), order, exec.resource());
  }
  template <class T>
  void from_order(owned<T>& m, std::span<const std::int64_t> order) const {
    columns_from_order(m, order, exec.resource());
  }
  owned<float> square_in_order(view<float> m, std::span<const std::int64_t> order) const {
    return miq::detail::square_in_order(m, order, exec.resource());
  }

  owned<float> hessian(const calibration::statistics_view<>& statistics) const {
    matrix<float> of_statistics(statistics.columns(), statistics.columns(), exec.resource());
    calibration::hessian(exec, statistics, of_statistics);
    return of_statistics;
  }
  information::correlation_result correlation(const calibration::statistics_view<>& statistics, owned<float>& mi,
                                              const information::correlation_options& options) const {
    return information::correlation(exec, statistics, mi, options);
  }
  information::estimator_result mutual_information(view<float> samples, owned<float>& mi,
                                                   const information::estimator_options& estimator,
                                                   const progress_callback& progress) const {
    return information::mutual_information(exec, samples, mi.view(), estimator, progress);
  }
  channel_values entropies(view<float> samples, const information::estimator_options& estimator) const {
    channel_values of_channels(static_cast<std::size_t>(samples.columns()));
    information::entropies(exec, samples, vector_view<float>(of_channels), estimator);
    return of_channels;
  }
  grouping::information_grouping_result group_by_information(view<float> mi, const channel_values& entropies,
                                                             const grouping::information_grouping_options& options,
                                                             const progress_callback& progress) const {
    return grouping::group_by_information(exec, mi, entropies, options, progress);
  }
  std::vector<std::int64_t> order_by_representatives(view<float> hessian, const grouping::partition& groups,
                                                     double damping) const {
    return grouping::order_by_representatives(exec, hessian, groups, {}, {.damping = damping}).order;
  }

  obs::factor_result factor(view<float> hessian, owned<float>& upper, const obs::factor_options& options) const {
    return obs::factor(exec, hessian, upper.view(), options);
  }
  void add_target_ridge(view<float> weights, owned<float>& hessian, double share) const {
    obs::add_target_ridge(exec, weights, hessian.view(), share);
  }
  obs::target_result shift_target(view<float> weights, view<float> difference, view<float> upper, owned<float>& shifted,
                                  const obs::target_options& options) const {
    return obs::shift_target(exec, weights, difference, upper, shifted.view(), options);
  }
  void select_mask(view<float> weights, std::span<const float> saliency, owned<std::uint8_t>& kept,
                   const obs::mask_options& options) const {
    obs::select_mask(exec, weights, saliency, kept.view(), options);
  }

  obs::sweep_result sweep(const sweep_task<memory>& data, const obs::sweep_options& options,
                          const progress_callback& progress) const {
    obs::sweep_inputs<> in{
        .weights = data.weights, .upper = data.upper, .kept = data.given, .column_saliency = data.column_saliency};
    if (data.grids != nullptr) in.grids = data.grids->view();
    obs::sweep_outputs<> out;
    if (data.settled != nullptr) out.weights = data.settled->view();
    if (data.codes != nullptr) out.codes = data.codes->view();
    if (data.kept != nullptr) out.kept = data.kept->view();
    if (data.row_loss != nullptr) out.row_loss = *data.row_loss;
    return obs::sweep(exec, in, out, options, {}, progress);
  }
  obs::mask_search_result mask_search(view<float> target, view<float> hessian, view<std::uint8_t> kept,
                                      view<float> start, owned<std::uint8_t>& found, owned<float>& weights,
                                      const obs::mask_search_options& options,
                                      const progress_callback& progress) const {
    return obs::mask_search(exec, {.target = target, .hessian = hessian, .kept = kept, .start = start},
                            {.kept = found.view(), .weights = weights.view()}, options, {}, progress);
  }
  obs::refit_result refit(view<float> target, view<float> hessian, view<std::uint8_t> kept, view<float> start,
                          owned<float>& fitted, std::vector<double>& row_loss, const obs::refit_options& options,
                          const progress_callback& progress) const {
    return obs::refit(exec, {.target = target, .hessian = hessian, .kept = kept, .start = start},
                      {.weights = fitted.view(), .row_loss = row_loss}, options, {}, progress);
  }

  std::vector<std::int64_t> kept_by_column(view<std::uint8_t> kept) const {
    return quantization::detail::kept_by_column(kept);
  }
  allocation::column_costs measure_columns(view<float> weights, view<float> upper, view<std::uint8_t> kept) const {
    return allocation::measure_columns(exec, weights, upper, kept);
  }
  std::vector<float> mixed_importance(view<float> weights, const calibration::statistics_view<>& statistics) const {
    std::vector<float> of_columns(static_cast<std::size_t>(weights.columns()));
    allocation::importance(exec, weights, statistics, allocation::importance_measure::mixed, of_columns);
    return of_columns;
  }
  matrix<double> grid_errors(view<float> weights, std::span<const std::int32_t> labels, std::int64_t groups,
                             std::span<const std::uint8_t> widths, const quantization::fit_options& options,
                             std::span<const float> column_weights, view<std::uint8_t> kept) const {
    return quantization::grid_errors(exec, weights, labels, groups, widths, options, column_weights, kept);
  }
  grids fit_grids(view<float> weights, std::span<const std::int32_t> labels, std::span<const std::uint8_t> bits,
                  const quantization::fit_options& options, std::span<const float> column_weights,
                  view<std::uint8_t> kept, quantization::fit_result* result) const {
    return quantization::fit_grids(exec, weights, labels, bits, options, column_weights, kept, result);
  }
  /// Grids of columns in the order of the sweep, put into the layer's own order.
  void grids_from_order(grids& of, std::span<const std::int64_t> order) const {
    const auto from = of.column_grid;
    const bool own = quantization::has_column_scales(of.layout);
    const auto bits = of.bits;
    for (std::size_t c = 0; c < from.size(); ++c) {
      const auto to = static_cast<std::size_t>(order[c]);
      of.column_grid[to] = own ? static_cast<std::int32_t>(to) : from[c];
      if (own) of.bits[to] = bits[c];
    }
    if (own) {
      columns_from_order(of.scale, order, exec.resource());
      columns_from_order(of.zero, order, exec.resource());
    }
  }
  static quantization::detail::stored_grids stored(const grids& of) {
    std::vector<int> column_bits;
    for (const auto g : of.column_grid) column_bits.push_back(of.bits[static_cast<std::size_t>(g)]);
    return {of.layout, of.symmetry, of.format, of.scale.size(), std::move(column_bits)};
  }
  /// What brings the mean output of `weights` back to that of `dense`.
  void bias_change(const given_weights& dense, std::span<const float> dense_mean, view<float> weights,
                   std::span<const float> mean, std::vector<float>& change) const {
    std::vector<float> wanted(change.size());
    obs::mean_output(exec, dense, vector_view<const float>(dense_mean), vector_view<float>(wanted));
    obs::correct_bias(exec, weights, vector_view<const float>(mean), vector_view<const float>(wanted), {},
                      vector_view<float>(change));
  }
  grouping::group_information describe(const matrix<float>& mi, const grouping::partition& groups) const {
    return grouping::describe_groups(exec, mi, groups);
  }
};
static_assert(layer_backend<host_backend<host_executor>>);

}  // namespace miq::detail
