// quantization/fit_cuda.hpp: `fit_grids` and `grid_errors` (quantization/fit.hpp) on a device.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/weights_view.hpp>
#include <miq/quantization/column_groups_cuda.hpp>
#include <miq/quantization/fit_options.hpp>

namespace miq::quantization {
inline namespace MIQ_CUDA_NAMESPACE {

/// Scratch of `fit_grids` into views, in bytes: the same for all element types. Next to nothing for layouts with a
/// scale for every row; 8 bytes per column or group for min/max; for `per_group` with a search about 2048 * (candidates
/// + 1) doubles, or that for every group if there are more (40 candidates by default, 1280 for grids without zero); for
/// rank-one scales 16 bytes for every column of every 256 rows and 64 KiB per group (8 KiB where there are more than
/// 128).
MIQ_CUDA_API std::int64_t fit_grids_workspace_bytes(std::int64_t rows, const device_column_groups& groups,
                                                    const fit_options& options);

/// As `fit_grids` on the host, of weights in device memory into grids in device memory. Does not allocate if `scratch`
/// is given; does not synchronise; may be captured.
///
/// Grids by min/max with scales of their own (`per_row_and_group`, `per_group`, `per_column`) are the host's to the
/// bit. The clip search tries the host's candidates in the host's order; of candidates whose errors differ by less than
/// the rounding of their sums (float over 32 weights, then double in a fixed order) it may take another than the host.
/// Rank-one factors and histograms are the host's up to the rounding of sums in double (factors) and of whole numbers
/// of 61 bits (histograms): a weight hardly counts if the square of its row's and column's factors, which is what its
/// error costs, is below 2^-35 of the largest in its group. The same to the bit in every run on one architecture.
///
/// @param weights         [rows, columns]
/// @param groups          of the columns, with the widths
/// @param out             written whole; must not overlap the inputs
/// @param result          one object in device memory; `not_finite` counts weights that are NaN or infinite, which are
///                        left out as if they were masked
/// @param column_weights  [columns] or empty; finite and not negative, which is not checked
/// @param kept            [rows, columns] or empty
/// @throws invalid_argument  for shapes and options as on the host, before anything is enqueued
template <class T>
void fit_grids_into(const cuda_executor& exec, matrix_view<const T, device_memory> weights,
                    const device_column_groups& groups, const grid_outputs& out,
                    result_ref<fit_result, device_memory> result, const fit_options& options = {},
                    vector_view<const float, device_memory> column_weights = {},
                    matrix_view<const std::uint8_t, device_memory> kept = {}, device_workspace scratch = {});

/// The same, returning the grids. Allocates them and scratch from the executor's resource; makes
/// `device_column_groups`, with what that says of waiting.
/// @param labels  [columns], on the host
/// @param bits    [groups], on the host
/// @param result  on the host or null; where it is given the call synchronises
MIQ_CUDA_API device_grid_set fit_grids(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                       std::span<const std::int32_t> labels, std::span<const std::uint8_t> bits,
                                       const fit_options& options = {},
                                       vector_view<const float, device_memory> column_weights = {},
                                       matrix_view<const std::uint8_t, device_memory> kept = {},
                                       fit_result* result = nullptr);

/// What `grid_errors` reports.
struct grid_errors_result {
  std::int64_t not_finite = 0;  ///< weights that are NaN or infinite, left out as masked ones are
};

/// Scratch of `grid_errors_into`, in bytes: that of `fit_grids`, and a double for every grid where rows or columns have
/// grids of their own.
MIQ_CUDA_API std::int64_t grid_errors_workspace_bytes(std::int64_t rows, const device_column_groups& groups,
                                                      const fit_options& options);

/// As `grid_errors` on the host, of weights in device memory; the widths of `groups` are not read. Sums in double in a
/// fixed order. Does not allocate if `scratch` is given; does not synchronise; may be captured.
/// @param widths  on the host, 1 to 8 each
/// @param errors  [groups, widths], contiguous, written whole
/// @throws invalid_argument  as on the host, before anything is enqueued
template <class T>
void grid_errors_into(const cuda_executor& exec, matrix_view<const T, device_memory> weights,
                      const device_column_groups& groups, std::span<const std::uint8_t> widths,
                      matrix_view<double, device_memory> errors, result_ref<grid_errors_result, device_memory> result,
                      const fit_options& options, vector_view<const float, device_memory> column_weights = {},
                      matrix_view<const std::uint8_t, device_memory> kept = {}, device_workspace scratch = {});

/// The same, fetched: allocates from the executor's resource and synchronises.
/// @throws invalid_argument  also if weights are not finite (their number is named), after the fact
MIQ_CUDA_API matrix<double> grid_errors(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                        const device_column_groups& groups, std::span<const std::uint8_t> widths,
                                        const fit_options& options,
                                        vector_view<const float, device_memory> column_weights = {},
                                        matrix_view<const std::uint8_t, device_memory> kept = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization
