// What `prepare` and `compress` ask of host or device, so that the way of a layer is written once.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include <miq/allocation/column_costs.hpp>
#include <miq/calibration/statistics.hpp>
#include <miq/compress_options.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/core/weights_view.hpp>
#include <miq/grouping/group_information.hpp>
#include <miq/grouping/information_grouping_options.hpp>
#include <miq/obs/mask_options.hpp>
#include <miq/obs/mask_search_options.hpp>
#include <miq/obs/refit_options.hpp>
#include <miq/obs/sweep_options.hpp>
#include <miq/obs/target_options.hpp>
#include <miq/quantization/detail/storage/counts.hpp>
#include <miq/quantization/fit_options.hpp>

namespace miq::detail {

/// A sweep of a layer: what `layer_compression` decides; empty or null: not there, not wanted.
template <class Memory>
struct sweep_task {
  template <class T>
  using owned = typename Memory::template matrix<T>;
  using space = typename Memory::space;

  matrix_view<const float, space> weights;
  matrix_view<const float, space> upper;
  const typename Memory::grids* grids = nullptr;
  matrix_view<const std::uint8_t, space> given{};  ///< the mask
  std::span<const float> column_saliency{};
  owned<float>* settled = nullptr;
  owned<std::uint8_t>* codes = nullptr;
  owned<std::uint8_t>* kept = nullptr;
  std::vector<double>* row_loss = nullptr;
};

/// Matrices are in the backend's memory; vectors of one value per row, column or group are on the host, where bits are
/// chosen. `host_backend` (host_backend.hpp) calls the functions of the host, `device_backend`
/// (kernels/detail/compress/device_backend.cuh) those of a device; both by the same names as the library's.
template <class B>
concept layer_backend = requires(
    const B& backend, std::int64_t n, const weights_view<typename B::space>& given,
    const matrix_view<const float, typename B::space>& in,
    const matrix_view<const std::uint8_t, typename B::space>& mask, typename B::template owned<float>& out,
    typename B::template owned<std::uint8_t>& bytes, const calibration::statistics_view<typename B::space>& statistics,
    const typename B::channel_values& values, std::span<const std::int64_t> order, std::span<const float> of_columns,
    std::span<const std::int32_t> labels, std::span<const std::uint8_t> widths, std::vector<double>& losses,
    std::vector<float>& changes, const grouping::partition& groups, typename B::grids& grids,
    const compress_options& options, const quantization::fit_options& fit, quantization::fit_result* fitted,
    const progress_callback& progress) {
  // Memory. `scratch` may come from the executor's resource; `result` outlives it.
  requires std::same_as<typename B::inputs, basic_prepared_inputs<typename B::memory>>;
  requires std::same_as<typename B::layer, basic_compressed_layer<typename B::memory>>;
  { backend.template scratch<float>(n, n) } -> std::same_as<typename B::template owned<float>>;
  { backend.template result<float>(n, n) } -> std::same_as<typename B::template owned<float>>;
  { backend.copy(out) } -> std::same_as<typename B::template owned<float>>;
  { backend.fetch(statistics.mean) } -> std::same_as<std::vector<float>>;
  { backend.diagonal(in) } -> std::same_as<std::vector<float>>;

  // The order of the sweep. `weights_in_order`: as float, dead columns 0, so that masks take them first.
  { backend.weights_in_order(given, order, order) } -> std::same_as<typename B::template owned<float>>;
  { backend.in_order(out, order) } -> std::same_as<typename B::template owned<float>>;
  { backend.square_in_order(in, order) } -> std::same_as<typename B::template owned<float>>;
  backend.from_order(out, order);
  backend.grids_from_order(grids, order);

  // What a layer's input alone decides.
  { backend.hessian(statistics) } -> std::same_as<typename B::template owned<float>>;
  { backend.factor(in, out, options.factor) } -> std::same_as<obs::factor_result>;
  backend.correlation(statistics, out, information::correlation_options{});
  backend.mutual_information(in, out, options.estimator, progress);
  { backend.entropies(in, options.estimator) } -> std::same_as<typename B::channel_values>;
  {
    backend.group_by_information(in, values, grouping::information_grouping_options{}, progress)
    } -> std::same_as<grouping::information_grouping_result>;
  { backend.order_by_representatives(in, groups, 0.0) } -> std::same_as<std::vector<std::int64_t>>;
  { backend.describe(out, groups) } -> std::same_as<grouping::group_information>;

  // Weights.
  backend.require_finite(given);
  backend.add_target_ridge(in, out, 0.0);
  { backend.shift_target(in, in, in, out, obs::target_options{}) } -> std::same_as<obs::target_result>;
  backend.select_mask(in, of_columns, bytes, obs::mask_options{});
  {
    backend.sweep(sweep_task<typename B::memory>{}, obs::sweep_options{}, progress)
    } -> std::same_as<obs::sweep_result>;
  backend.mask_search(in, in, mask, in, bytes, out, options.search, progress);
  backend.refit(in, in, mask, in, out, losses, obs::refit_options{}, progress);
  backend.bias_change(given, of_columns, in, of_columns, changes);

  // Bits and grids.
  { backend.kept_by_column(mask) } -> std::same_as<std::vector<std::int64_t>>;
  { backend.measure_columns(in, in, mask) } -> std::same_as<allocation::column_costs>;
  { backend.mixed_importance(in, statistics) } -> std::same_as<std::vector<float>>;
  { backend.grid_errors(in, labels, n, widths, fit, of_columns, mask) } -> std::same_as<matrix<double>>;
  { backend.fit_grids(in, labels, widths, fit, of_columns, mask, fitted) } -> std::same_as<typename B::grids>;
  { B::stored(grids) } -> std::same_as<quantization::detail::stored_grids>;
};

}  // namespace miq::detail
