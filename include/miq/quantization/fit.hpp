// quantization/fit.hpp: chooses the scales and zero points of a layer's grids from its weights.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/weights_view.hpp>
#include <miq/quantization/fit_options.hpp>
#include <miq/quantization/grid_set.hpp>

namespace miq::quantization {

/// Fits the grids of a layer.
///
/// @param exec            where to run. Allocates the result, ranges and counts from the executor's resource, and, for
///                        the clip search, the values of one grid per thread from the heap.
/// @param weights         [rows, columns], finite
/// @param labels          [columns], the group of each column, 0 ... groups - 1
/// @param bits            [groups], 1 to 8
/// @param column_weights  [columns] or empty: what a squared error in a column costs, not negative (say, the Hessian's
///                        diagonal); used by the clip search
/// @param kept            [rows, columns] or empty: weights where it is 0 are left out of ranges and errors
/// @throws invalid_argument  for shapes that do not fit, widths outside 1 to 8, labels outside the groups, weights that
///                           are not finite (with the row and column)
///
/// Rank-one scales: the rows' and columns' (or groups') factors follow the root mean square of the kept weights that
/// are not 0, by four rounds of alternation; then each group's common factor (and gap) is searched in these units on a
/// histogram of its weights, so that a candidate costs as much as the grid has levels.
///
/// Cost: min_max reads the weights twice; clip_search costs `clip_steps` quantisations of each weight. The clip search
/// is the one of GPTQ's public implementation with the squared error, after Choukroun et al. 2019 ("Low-bit
/// quantization of neural networks for efficient inference"). Deterministic, whatever the number of threads.
template <executor Exec>
grid_set fit_grids(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                   vector_view<const std::int32_t, memory_of<Exec>> labels, std::span<const std::uint8_t> bits,
                   const fit_options& options = {}, vector_view<const float, memory_of<Exec>> column_weights = {},
                   matrix_view<const std::uint8_t, memory_of<Exec>> kept = {}, fit_result* result = nullptr);

/// What the grids of every group would cost at several widths: the squared errors, weighted by `column_weights`, of
/// what `fit_grids` would choose. The measured rate-distortion curve of a group, for allocation.
///
/// @param widths  1 to 8 each
/// @return        [groups, widths]
/// Other parameters, cost for each width (one pass for all widths with rank-one layouts), allocation and errors as for
/// `fit_grids`; `options.range` must be `clip_search`.
template <executor Exec>
matrix<double> grid_errors(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                           vector_view<const std::int32_t, memory_of<Exec>> labels, std::int64_t groups,
                           std::span<const std::uint8_t> widths, const fit_options& options,
                           vector_view<const float, memory_of<Exec>> column_weights = {},
                           matrix_view<const std::uint8_t, memory_of<Exec>> kept = {});

}  // namespace miq::quantization

#if !defined(MIQ_PRECOMPILED)
#include <miq/quantization/detail/fit/host.inl>
#endif
