// quantization/fit.cuh: the bodies of quantization/fit_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_result.cuh>
#include <miq/quantization/detail/fit/schedule.hpp>
#include <miq/quantization/fit_cuda.hpp>
#if !defined(MIQ_CUDA_PRECOMPILED)  // there each element type has a translation unit of its own
#include <miq/quantization/detail/fit/into.cuh>
#endif

namespace miq::quantization::detail {
inline namespace MIQ_CUDA_NAMESPACE {

using miq::detail::require;
using miq::detail::shape_text;

template <class T>
device_grid_set owned_fit(const cuda_executor& exec, const matrix_view<const T, device_memory>& weights,
                          std::span<const std::int32_t> labels, std::span<const std::uint8_t> bits,
                          const fit_options& options, const vector_view<const float, device_memory>& column_weights,
                          const matrix_view<const std::uint8_t, device_memory>& kept, fit_result* result) {
  check_groups("fit_grids", labels, bits);
  // Shapes before anything is allocated for them.
  require(!weights.empty() && static_cast<std::int64_t>(labels.size()) == weights.columns(),
          "fit_grids: labels must name a group for each column of the weights, which are ",
          shape_text(weights.rows(), weights.columns()), ", got ", labels.size());
  device_grid_set grids(exec, weights.rows(), device_column_groups(exec, labels, bits), options);
  const device::result_on_device<fit_result> counts(exec);
  fit_grids_into(exec, weights, grids.groups(), grids.outputs(), counts.ref(), options, column_weights, kept);
  if (result != nullptr) *result = counts.fetch();
  return grids;
}

template <class T>
matrix<double> owned_errors(const cuda_executor& exec, const matrix_view<const T, device_memory>& weights,
                            const device_column_groups& groups, std::span<const std::uint8_t> widths,
                            const fit_options& options, const vector_view<const float, device_memory>& column_weights,
                            const matrix_view<const std::uint8_t, device_memory>& kept) {
  const auto count = static_cast<std::int64_t>(widths.size());
  const device_array<double> memory(groups.groups() * count, exec.stream(), exec.resource());
  const device::result_on_device<grid_errors_result> counts(exec);
  const auto on_device = memory.as_matrix(groups.groups(), count);
  grid_errors_into(exec, weights, groups, widths, on_device, counts.ref(), options, column_weights, kept);
  matrix<double> errors(groups.groups(), count);
  copy(exec, matrix_view<const double, device_memory>(on_device), errors.view());
  const auto not_finite = counts.fetch().not_finite;
  require(not_finite == 0, "grid_errors: weights must be finite, ", not_finite, " are not");
  return errors;
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization::detail

namespace miq::quantization {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API std::int64_t fit_grids_workspace_bytes(std::int64_t rows, const device_column_groups& groups,
                                                    const fit_options& options) {
  return detail::fit_layout(rows, groups.table(), options, false).all.bytes();
}

MIQ_CUDA_API std::int64_t grid_errors_workspace_bytes(std::int64_t rows, const device_column_groups& groups,
                                                      const fit_options& options) {
  return detail::fit_layout(rows, groups.table(), options, true).all.bytes();
}

MIQ_CUDA_API device_grid_set fit_grids(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                       std::span<const std::int32_t> labels, std::span<const std::uint8_t> bits,
                                       const fit_options& options,
                                       vector_view<const float, device_memory> column_weights,
                                       matrix_view<const std::uint8_t, device_memory> kept, fit_result* result) {
  return weights.visit([&](const auto& typed) {
    return detail::owned_fit(exec, typed, labels, bits, options, column_weights, kept, result);
  });
}
MIQ_CUDA_API matrix<double> grid_errors(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                        const device_column_groups& groups, std::span<const std::uint8_t> widths,
                                        const fit_options& options,
                                        vector_view<const float, device_memory> column_weights,
                                        matrix_view<const std::uint8_t, device_memory> kept) {
  return weights.visit([&](const auto& typed) {
    return detail::owned_errors(exec, typed, groups, widths, options, column_weights, kept);
  });
}
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization
