// What `compress` asks of the machine that runs it: here the host. `kernels/detail/compress/device_backend.cuh` is its
// twin.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <miq/allocation/importance.hpp>
#include <miq/compress_options.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/core/detail/finite.hpp>
#include <miq/detail/column_order/permutation.hpp>
#include <miq/detail/compress/bits.hpp>
#include <miq/detail/compress/checks.hpp>
#include <miq/grouping/quality.hpp>
#include <miq/obs/factor.hpp>
#include <miq/obs/mask.hpp>
#include <miq/obs/mask_search.hpp>
#include <miq/obs/refit.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/obs/target.hpp>
#include <miq/quantization/detail/storage/counts.hpp>
#include <miq/quantization/fit.hpp>

namespace miq::detail {

/// Matrices lie in the machine's memory, vectors of one value a column or row on the host, where bits are chosen.
template <on_host Exec>
struct host_backend {
  using space = host_memory;
  using inputs = prepared_inputs;
  using layer = compressed_layer;
  using grids = quantization::grid_set;
  using given_weights = matrix_view<const float>;  // of the layer, in any element type that the machine takes
  template <class T>
  using owned = matrix<T>;
  template <class T>
  using view = matrix_view<const T>;

  const Exec& exec;

  template <class T>
  owned<T> scratch(std::int64_t rows, std::int64_t columns) const {
    return matrix<T>(rows, columns, exec.resource());
  }
  /// What belongs to the result.
  template <class T>
  owned<T> result(std::int64_t rows, std::int64_t columns) const {
    return matrix<T>(rows, columns);
  }
  template <class T>
  owned<T> copy(const owned<T>& from) const {
    return matrix<T>(from.view(), exec.resource());
  }

  static matrix_shape shape(const given_weights& weights) { return {weights.rows(), weights.columns()}; }
  void require_finite(given_weights weights) const {
    miq::detail::require_finite(exec, weights, "compress", "weights");
  }

  std::vector<float> diagonal(view<float> m) const {
    std::vector<float> of(static_cast<std::size_t>(m.columns()));
    for (std::int64_t c = 0; c < m.columns(); ++c) of[static_cast<std::size_t>(c)] = m(c, c);
    return of;
  }
  std::vector<float> fetch(vector_view<const float> v) const { return {v.begin(), v.end()}; }

  /// Columns in the given order (empty: as they are), those of `dead` set to 0, so that masks take them first.
  owned<float> weights_in_order(given_weights weights, std::span<const std::int64_t> order,
                                std::span<const std::int64_t> dead) const {
    if (dead.empty()) return columns_in_order<float>(weights, order, exec.resource());
    matrix<float> live(weights, exec.resource());
    for (const auto c : dead)
      for (std::int64_t r = 0; r < weights.rows(); ++r) live(r, c) = 0;
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

  struct sweep_data {
    view<float> weights;
    view<float> upper;
    const grids* grid_set = nullptr;
    view<std::uint8_t> given{};
    std::span<const float> column_saliency{};
    owned<float>* settled = nullptr;
    owned<std::uint8_t>* codes = nullptr;
    owned<std::uint8_t>* kept = nullptr;
    std::vector<double>* row_loss = nullptr;
  };
  obs::sweep_result sweep(const sweep_data& data, const obs::sweep_options& options,
                          const progress_callback& progress) const {
    obs::sweep_inputs<> in{
        .weights = data.weights, .upper = data.upper, .kept = data.given, .column_saliency = data.column_saliency};
    quantization::grid_set_view<> grids_of_layer;
    if (data.grid_set != nullptr) {
      grids_of_layer = data.grid_set->view();
      in.grids = &grids_of_layer;
    }
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
  /// By the five-part mix; columns in the layer's own order.
  std::vector<float> mixed_importance(view<float> weights, const calibration::statistics_view<>& seen) const {
    std::vector<float> of(static_cast<std::size_t>(weights.columns()));
    allocation::importance(exec, weights, seen, allocation::importance_measure::mixed, of);
    return of;
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
  static bits_choice choose_bits(const bits_problem& problem, layer_report& report) {
    return solve_bits(problem, report);
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
  void bias_change(given_weights dense, std::span<const float> dense_mean, view<float> weights,
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

}  // namespace miq::detail
