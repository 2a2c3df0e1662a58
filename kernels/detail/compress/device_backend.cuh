// What `prepare` and `compress` ask of a device (detail/compress/layer_backend.hpp).
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <variant>
#include <vector>

#include <miq/allocation/detail/column_sums/body.hpp>
#include <miq/allocation/detail/importance/combine.hpp>
#include <miq/compress_cuda.hpp>
#include <miq/core/device_result.cuh>
#include <miq/core/launch.cuh>
#include <miq/detail/column_order/body.hpp>
#include <miq/detail/compress/layer_backend.hpp>
#include <miq/detail/kept_counts/body.hpp>
#include <miq/grouping/representatives.hpp>

// In the precompiled library the parts are translation units of their own.
#if defined(MIQ_CUDA_PRECOMPILED)
#include <miq/allocation/column_costs_cuda.hpp>
#include <miq/calibration/accumulator_cuda.hpp>
#include <miq/grouping/group_by_information_cuda.hpp>
#include <miq/grouping/quality_cuda.hpp>
#include <miq/information/correlation_cuda.hpp>
#include <miq/information/estimator_cuda.hpp>
#include <miq/obs/factor_cuda.hpp>
#include <miq/obs/mask_cuda.hpp>
#include <miq/obs/mask_search_cuda.hpp>
#include <miq/obs/refit_cuda.hpp>
#include <miq/obs/sweep_cuda.hpp>
#include <miq/obs/target_cuda.hpp>
#include <miq/quantization/detail/storage/counts.hpp>
#include <miq/quantization/fit_cuda.hpp>
#else
#include <miq/allocation/column_costs.cuh>
#include <miq/calibration/accumulator.cuh>
#include <miq/grouping/group_by_information.cuh>
#include <miq/grouping/quality.cuh>
#include <miq/information/correlation.cuh>
#include <miq/information/estimator.cuh>
#include <miq/obs/factor.cuh>
#include <miq/obs/mask.cuh>
#include <miq/obs/mask_search.cuh>
#include <miq/obs/refit.cuh>
#include <miq/obs/sweep.cuh>
#include <miq/obs/target.cuh>
#include <miq/quantization/fit.cuh>
#endif

namespace miq::detail {
inline namespace MIQ_CUDA_NAMESPACE {

struct device_backend {
  using space = device_memory;
  using memory = device_layer_memory;
  using inputs = device_prepared_inputs;
  using layer = device_compressed_layer;
  using grids = quantization::device_grid_set;
  using channel_values = device_array<float>;
  using given_weights = weights_view<device_memory>;
  template <class T>
  using owned = device_matrix<T>;
  template <class T>
  using view = matrix_view<const T, device_memory>;

  const cuda_executor& exec;

  template <class T>
  owned<T> scratch(std::int64_t rows, std::int64_t columns) const {
    return device_matrix<T>(rows, columns, exec.stream(), exec.resource());
  }
  template <class T>
  owned<T> result(std::int64_t rows, std::int64_t columns) const {
    return scratch<T>(rows, columns);
  }
  template <class T>
  owned<T> copy(const owned<T>& from) const {
    auto to = scratch<T>(from.rows(), from.columns());
    miq::copy(exec, view<T>(from.view()), to.view());
    return to;
  }

  void require_finite(const given_weights& weights) const {
    const auto count = sums_of_columns(weights).not_finite;
    require(count == 0, "compress: weights must be finite, got ", count, " that are not");
  }

  std::vector<float> diagonal(const view<float>& m) const {
    const device_array<double> there(m.columns(), exec.stream(), exec.resource());
    device::launch(exec, "compress: diagonal",
                   allocation::detail::diagonal_body{m.data(), m.leading(), m.columns(), there.data()});
    std::vector<double> values(static_cast<std::size_t>(m.columns()));
    fetch_into(there, values);
    return std::vector<float>(values.begin(), values.end());
  }
  std::vector<float> fetch(const vector_view<const float, device_memory>& v) const {
    std::vector<float> of(static_cast<std::size_t>(v.size()));
    miq::copy(exec, v, vector_view<float>(of));
    exec.synchronise();
    return of;
  }

  owned<float> weights_in_order(const given_weights& weights, std::span<const std::int64_t> order,
                                std::span<const std::int64_t> dead) const {
    const auto rows = weights.rows(), columns = weights.columns();
    auto to = scratch<float>(rows, columns);
    std::vector<std::uint8_t> is_dead(dead.empty() ? 0 : static_cast<std::size_t>(columns));
    for (const auto c : dead) is_dead[static_cast<std::size_t>(c)] = 1;
    const auto dead_there = to_device<std::uint8_t>(is_dead);
    const auto order_there = to_device<std::int64_t>(order);
    weights.visit([&](const auto& from) {
      using element = std::remove_cvref_t<decltype(*from.data())>;
      device::launch(exec, "compress: weights",
                     column_order_body<element, float>{rows, columns, from.data(), from.leading(), to.data(),
                                                       to.columns(), order_there.data(), dead_there.data(), false});
    });
    return to;
  }
  template <class T>
  owned<T> in_order(const owned<T>& m, std::span<const std::int64_t> order) const {
    return permuted(m, order, false);
  }
  template <class T>
  void from_order(owned<T>& m, std::span<const std::int64_t> order) const {
    if (order.empty() || m.empty()) return;
    m = permuted(m, order, true);
  }
  owned<float> square_in_order(const view<float>& m, std::span<const std::int64_t> order) const {
    auto to = scratch<float>(m.rows(), m.columns());
    const auto order_there = to_device<std::int64_t>(order);
    device::launch(exec, "compress: order of the columns",
                   square_order_body{m.columns(), m.data(), m.leading(), to.data(), to.columns(), order_there.data()});
    return to;
  }

  owned<float> hessian(const calibration::statistics_view<device_memory>& statistics) const {
    auto of_statistics = scratch<float>(statistics.columns(), statistics.columns());
    calibration::hessian(exec, statistics, of_statistics.view());
    return of_statistics;
  }
  information::correlation_result correlation(const calibration::statistics_view<device_memory>& statistics,
                                              owned<float>& mi, const information::correlation_options& options) const {
    return information::correlation(exec, statistics, mi.view(), options);
  }
  information::estimator_result mutual_information(const view<float>& samples, owned<float>& mi,
                                                   const information::estimator_options& estimator,
                                                   const progress_callback& progress) const {
    return information::mutual_information(exec, samples, mi.view(), estimator, progress);
  }
  channel_values entropies(const view<float>& samples, const information::estimator_options& estimator) const {
    channel_values of_channels(samples.columns(), exec.stream(), exec.resource());
    information::entropies(exec, samples, of_channels.view(), estimator);
    return of_channels;
  }
  grouping::information_grouping_result group_by_information(const view<float>& mi, const channel_values& entropies,
                                                             const grouping::information_grouping_options& options,
                                                             const progress_callback& progress) const {
    return grouping::group_by_information(exec, mi, entropies, options, progress);
  }
  /// The Hessian goes to the host, where the columns are ordered.
  std::vector<std::int64_t> order_by_representatives(const view<float>& hessian, const grouping::partition& groups,
                                                     double damping) const {
    matrix<float> on_host(hessian.rows(), hessian.columns());
    miq::copy(exec, hessian, on_host.view());
    exec.synchronise();
    return grouping::order_by_representatives(host_executor(), on_host.view(), groups, {}, {.damping = damping}).order;
  }

  obs::factor_result factor(const view<float>& hessian, owned<float>& upper, const obs::factor_options& options) const {
    return obs::factor(exec, hessian, upper.view(), options);
  }
  void add_target_ridge(const view<float>& weights, owned<float>& hessian, double share) const {
    obs::add_target_ridge(exec, weights, hessian.view(), share);
  }
  obs::target_result shift_target(const view<float>& weights, const view<float>& difference, const view<float>& upper,
                                  owned<float>& shifted, const obs::target_options& options) const {
    return obs::shift_target(exec, weights, difference, upper, shifted.view(), options);
  }
  void select_mask(const view<float>& weights, std::span<const float> saliency, owned<std::uint8_t>& kept,
                   const obs::mask_options& options) const {
    const auto there = to_device<float>(saliency);
    obs::select_mask(exec, weights, vector_view<const float, device_memory>(there.view()), kept.view(), options);
  }

  obs::sweep_result sweep(const sweep_task<memory>& data, const obs::sweep_options& options,
                          const progress_callback& progress) const {
    report_progress(progress, "sweep", 0);
    const auto saliency = to_device<float>(data.column_saliency);
    obs::sweep_inputs<device_memory> in{.weights = data.weights,
                                        .upper = data.upper,
                                        .kept = data.given,
                                        .column_saliency = vector_view<const float, device_memory>(saliency.view())};
    if (data.grids != nullptr) in.grids = data.grids->view();
    obs::sweep_outputs<device_memory> out;
    if (data.settled != nullptr) out.weights = data.settled->view();
    if (data.codes != nullptr) out.codes = data.codes->view();
    if (data.kept != nullptr) out.kept = data.kept->view();
    const device_array<double> losses(data.row_loss != nullptr ? data.weights.rows() : 0, exec.stream(),
                                      exec.resource());
    out.row_loss = losses.view();
    const auto result = obs::sweep(exec, in, out, options);
    if (data.row_loss != nullptr) fetch_into(losses, *data.row_loss);
    report_progress(progress, "sweep", 1);
    return result;
  }
  obs::mask_search_result mask_search(const view<float>& target, const view<float>& hessian,
                                      const view<std::uint8_t>& kept, const view<float>& start,
                                      owned<std::uint8_t>& found, owned<float>& weights,
                                      const obs::mask_search_options& options,
                                      const progress_callback& progress) const {
    report_progress(progress, "mask search", 0);
    return obs::mask_search(exec, {.target = target, .hessian = hessian, .kept = kept, .start = start},
                            {.kept = found.view(), .weights = weights.view()}, options);
  }
  obs::refit_result refit(const view<float>& target, const view<float>& hessian, const view<std::uint8_t>& kept,
                          const view<float>& start, owned<float>& fitted, std::vector<double>& row_loss,
                          const obs::refit_options& options, const progress_callback& progress) const {
    report_progress(progress, "refit", 0);
    const device_array<double> losses(target.rows(), exec.stream(), exec.resource());
    auto result = obs::refit(exec, {.target = target, .hessian = hessian, .kept = kept, .start = start},
                             {.weights = fitted.view(), .row_loss = losses.view()}, options);
    fetch_into(losses, row_loss);
    return result;
  }

  std::vector<std::int64_t> kept_by_column(const view<std::uint8_t>& kept) const {
    const device_array<std::int64_t> counts(kept.columns(), exec.stream(), exec.resource());
    check_cuda(cudaMemsetAsync(counts.data(), 0, static_cast<std::size_t>(counts.bytes()), exec.stream()),
               "compress: cudaMemsetAsync");
    device::launch(exec, "compress: kept weights",
                   kept_counts_body{kept.rows(), kept.columns(), kept.data(), kept.leading(), counts.data()});
    std::vector<std::int64_t> of(static_cast<std::size_t>(kept.columns()));
    fetch_into(counts, of);
    return of;
  }
  allocation::column_costs measure_columns(const view<float>& weights, const view<float>& upper,
                                           const view<std::uint8_t>& kept) const {
    return allocation::measure_columns(exec, weights, upper, kept);
  }
  std::vector<float> mixed_importance(const view<float>& weights,
                                      const calibration::statistics_view<device_memory>& statistics) const {
    const auto sums = sums_of_columns(weights);
    const auto rows = static_cast<double>(weights.rows());
    std::vector<double> mean_absolute, root_mean_square;
    for (const auto sum : sums.magnitudes) mean_absolute.push_back(sum / rows);
    for (const auto sum : sums.squares) root_mean_square.push_back(std::sqrt(sum / rows));
    const auto variance = diagonal(statistics.covariance);
    const auto mean = fetch(statistics.mean);
    const auto amplitude = fetch(statistics.mean_absolute);
    const allocation::importance_mix mix;
    std::vector<float> of(variance.size());
    allocation::detail::combine_importances(
        {variance, mean.data(), amplitude.data(), mean_absolute.data(), root_mean_square.data()},
        allocation::importance_measure::mixed, {mix.amplitude, mix.hessian, mix.weight, mix.sensitivity, mix.variance},
        of.data());
    return of;
  }
  matrix<double> grid_errors(const view<float>& weights, std::span<const std::int32_t> labels, std::int64_t groups,
                             std::span<const std::uint8_t> widths, const quantization::fit_options& options,
                             std::span<const float> column_weights, const view<std::uint8_t>& kept) const {
    const std::vector<std::uint8_t> any(static_cast<std::size_t>(groups), 1);
    const quantization::device_column_groups there(exec, labels, any);
    const auto costs = to_device<float>(column_weights);
    return quantization::grid_errors(exec, weights, there, widths, options,
                                     vector_view<const float, device_memory>(costs.view()), kept);
  }
  grids fit_grids(const view<float>& weights, std::span<const std::int32_t> labels, std::span<const std::uint8_t> bits,
                  const quantization::fit_options& options, std::span<const float> column_weights,
                  const view<std::uint8_t>& kept, quantization::fit_result* result) const {
    const auto costs = to_device<float>(column_weights);
    return quantization::fit_grids(exec, weights, labels, bits, options,
                                   vector_view<const float, device_memory>(costs.view()), kept, result);
  }
  void grids_from_order(grids& of, std::span<const std::int64_t> order) const {
    std::vector<std::int32_t> labels(order.size());
    for (std::size_t c = 0; c < labels.size(); ++c)
      labels[static_cast<std::size_t>(order[c])] = of.groups().labels()[c];
    grids to = of.with_groups(exec, quantization::device_column_groups(exec, labels, of.groups().bits()));
    const auto from = of.outputs();
    const auto out = to.outputs();
    const bool own = quantization::has_column_scales(of.layout());
    const auto order_there = to_device<std::int64_t>(own ? order : std::span<const std::int64_t>());
    const auto take = [&](const matrix_view<float, device_memory>& a, const matrix_view<float, device_memory>& b) {
      device::launch(exec, "compress: grids",
                     column_order_body<float, float>{a.rows(), a.columns(), a.data(), a.leading(), b.data(),
                                                     b.leading(), order_there.data(), nullptr, true});
    };
    take(from.scale, out.scale);
    take(from.zero, out.zero);
    miq::copy(exec, vector_view<const float, device_memory>(from.row_factor), out.row_factor);
    of = std::move(to);
  }
  static quantization::detail::stored_grids stored(const grids& of) {
    std::vector<int> column_bits;
    for (const auto label : of.groups().labels())
      column_bits.push_back(of.groups().bits()[static_cast<std::size_t>(label)]);
    return {of.layout(), of.symmetry(), of.format(), of.view().scale.size(), std::move(column_bits)};
  }
  void bias_change(const given_weights& dense, std::span<const float> dense_mean, const view<float>& weights,
                   std::span<const float> mean, std::vector<float>& change) const {
    const auto as_float = weights_in_order(dense, {}, {});
    const auto dense_mean_there = to_device<float>(dense_mean);
    const auto mean_there = to_device<float>(mean);
    const device_array<float> wanted(weights.rows(), exec.stream(), exec.resource());
    const device_array<float> there(weights.rows(), exec.stream(), exec.resource());
    using values = vector_view<const float, device_memory>;
    obs::mean_output(exec, view<float>(as_float.view()), values(dense_mean_there.view()), wanted.view());
    obs::correct_bias(exec, weights, values(mean_there.view()), values(wanted.view()), values(), there.view());
    fetch_into(there, change);
  }
  grouping::group_information describe(const device_matrix<float>& mi, const grouping::partition& groups) const {
    return grouping::describe_groups(exec, view<float>(mi.view()), groups);
  }

 private:
  struct fetched_sums {
    std::vector<double> squares, magnitudes;
    std::int64_t not_finite = 0;
  };
  fetched_sums sums_of_columns(const given_weights& weights) const {
    const auto c = weights.columns();
    const device_array<double> sums(3 * c, exec.stream(), exec.resource());
    const device::result_on_device<allocation::column_sums_result> result(exec);
    allocation::column_sums(exec, weights, {{sums.data(), c}, {sums.data() + c, c}, {sums.data() + 2 * c, c}},
                            result.ref());
    std::vector<double> all(static_cast<std::size_t>(3 * c));
    fetch_into(sums, all);
    const auto begin = all.begin();
    return {{begin + c, begin + 2 * c}, {begin + 2 * c, all.end()}, result.fetch().not_finite};
  }
  /// A copy of host values; empty stays empty. The values may go as soon as the call returns: they are not pinned.
  template <class T>
  device_array<T> to_device(std::span<const T> values) const {
    device_array<T> there(static_cast<std::int64_t>(values.size()), exec.stream(), exec.resource());
    miq::copy(exec, vector_view<const T>(values.data(), static_cast<std::int64_t>(values.size())), there.view());
    return there;
  }
  template <class T>
  void fetch_into(const device_array<T>& from, std::vector<T>& to) const {
    miq::copy(exec, vector_view<const T, device_memory>(from.view()), vector_view<T>(to));
    exec.synchronise();
  }
  template <class T>
  owned<T> permuted(const owned<T>& m, std::span<const std::int64_t> order, bool scatter) const {
    auto to = scratch<T>(m.rows(), m.columns());
    const auto order_there = to_device<std::int64_t>(order);
    device::launch(exec, "compress: order of the columns",
                   column_order_body<T, T>{m.rows(), m.columns(), m.data(), m.columns(), to.data(), to.columns(),
                                           order_there.data(), nullptr, scatter});
    return to;
  }
};
static_assert(layer_backend<device_backend>);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::detail
