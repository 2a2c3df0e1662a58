// `fit_grids_into` and `grid_errors_into` of quantization/fit_cuda.hpp, for any element type; needs nvcc.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/device_result.cuh>
#include <miq/core/machine.cuh>
#include <miq/quantization/detail/fit/schedule.hpp>
#include <miq/quantization/fit_cuda.hpp>

namespace miq::quantization::detail {
inline namespace MIQ_CUDA_NAMESPACE {

using miq::detail::require;
using miq::detail::shape_text;

/// Checks shapes and options, and gathers what kernels read.
template <class T>
fit_arguments<T> device_fit_arguments(const char* function, const matrix_view<const T, device_memory>& weights,
                                      const device_column_groups& groups, const fit_options& options,
                                      const vector_view<const float, device_memory>& column_weights,
                                      const matrix_view<const std::uint8_t, device_memory>& kept) {
  require(!weights.empty(), function, ": weights must not be empty, got ",
          shape_text(weights.rows(), weights.columns()));
  require(groups.columns() == weights.columns(), function, ": groups must name a group for each of the ",
          weights.columns(), " columns, got ", groups.columns());
  check_fit_shapes(function, weights.rows(), weights.columns(), options, column_weights, kept);
  fit_arguments<T> given;
  given.weights = {weights.data(), weights.leading(), weights.rows(), weights.columns(), kept.data(), kept.leading()};
  given.table = groups.table();
  given.options = options;
  given.column_weights = column_weights.data();
  return given;
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization::detail

namespace miq::quantization {
inline namespace MIQ_CUDA_NAMESPACE {

template <class T>
void fit_grids_into(const cuda_executor& exec, matrix_view<const T, device_memory> weights,
                    const device_column_groups& groups, const grid_outputs& out,
                    result_ref<fit_result, device_memory> result, const fit_options& options,
                    vector_view<const float, device_memory> column_weights,
                    matrix_view<const std::uint8_t, device_memory> kept, device_workspace scratch) {
  using detail::require;
  using detail::shape_text;
  auto given = detail::device_fit_arguments("fit_grids", weights, groups, options, column_weights, kept);
  const auto rows = options.layout == grid_layout::per_row_and_group ? weights.rows() : 1;
  const auto across = groups.grid_columns(options.layout);
  const auto factors = is_rank_one(options.layout) ? weights.rows() : 0;
  require(out.scale.rows() == rows && out.scale.columns() == across, "fit_grids: scale must be ",
          shape_text(rows, across), " for the layout, got ", shape_text(out.scale.rows(), out.scale.columns()));
  require(out.zero.rows() == rows && out.zero.columns() == across, "fit_grids: zero must be ", shape_text(rows, across),
          " for the layout, got ", shape_text(out.zero.rows(), out.zero.columns()));
  require(out.row_factor.size() == factors, "fit_grids: row_factor must hold ", factors,
          " factors for the layout, got ", out.row_factor.size());
  require(!miq::detail::overlap(out.scale, out.zero) && !miq::detail::overlap(weights, out.scale) &&
              !miq::detail::overlap(weights, out.zero),
          "fit_grids: scale, zero and weights must not overlap");
  const detail::fit_layout layout(weights.rows(), given.table, options, false);
  const miq::detail::device_scratch memory("fit_grids", layout.all, scratch, exec.stream(), exec.resource());
  given.out = {out.scale.data(), out.scale.leading(), out.zero.data(), out.zero.leading(), result.get()};
  given.row_factor = out.row_factor.data();
  given.counter = &result.get()->not_finite;
  device::write_result(exec, "fit_grids", result, fit_result{});
  detail::fit_on(device::stream_machine(exec), given, layout, memory.at<std::byte>(0));
}

template <class T>
void grid_errors_into(const cuda_executor& exec, matrix_view<const T, device_memory> weights,
                      const device_column_groups& groups, std::span<const std::uint8_t> widths,
                      matrix_view<double, device_memory> errors, result_ref<grid_errors_result, device_memory> result,
                      const fit_options& options, vector_view<const float, device_memory> column_weights,
                      matrix_view<const std::uint8_t, device_memory> kept, device_workspace scratch) {
  using detail::require;
  using detail::shape_text;
  const auto count = static_cast<std::int64_t>(widths.size());
  require(!widths.empty(), "grid_errors: widths must not be empty");
  for (const auto width : widths)
    require(width >= minimum_bits && width <= maximum_bits, "grid_errors: widths must be 1 to 8, got ",
            static_cast<int>(width));
  require(options.range == range_rule::clip_search, "grid_errors: range must be range_rule::clip_search");
  auto given = detail::device_fit_arguments("grid_errors", weights, groups, options, column_weights, kept);
  require(errors.rows() == groups.groups() && errors.columns() == count && errors.contiguous(),
          "grid_errors: errors must be ", shape_text(groups.groups(), count), ", contiguous, got ",
          shape_text(errors.rows(), errors.columns()));
  const detail::fit_layout layout(weights.rows(), given.table, options, true);
  const miq::detail::device_scratch memory("grid_errors", layout.all, scratch, exec.stream(), exec.resource());
  given.counter = &result.get()->not_finite;
  device::write_result(exec, "grid_errors", result, grid_errors_result{});
  detail::measure_errors_on(device::stream_machine(exec), given, widths, layout, memory.at<std::byte>(0),
                            errors.data());
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization
