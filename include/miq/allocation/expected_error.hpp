// allocation/expected_error.hpp: what the sweep is expected to lose in each group of columns at each bit width.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <miq/allocation/bit_budget.hpp>
#include <miq/allocation/column_costs.hpp>
#include <miq/allocation/rate_distortion.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/weights_view.hpp>

namespace miq::allocation {

/// Reads the costs of a layer's columns.
///
/// @param exec     where to run. Allocates the result.
/// @param weights  [rows, c], finite, rows and c at least 1
/// @param upper    [c, c], from `obs::factor`; only its diagonal is read
/// @param kept     [rows, c] or empty: weights where it is 0 do not count
/// @param order    [c] or empty: row k of `upper` belongs to column `order[k]`, because the Hessian that was factored
///                 had its rows and columns put in that order; empty: their own
/// @throws invalid_argument  for shapes that do not fit, a diagonal that is not positive and finite, weights that are
///                           not finite (with the row and column), an order that is no permutation
/// Cost: reads weights and mask once. Deterministic, whatever the number of threads.
template <executor Exec>
column_costs measure_columns(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                             matrix_view<const float, memory_of<Exec>> upper,
                             matrix_view<const std::uint8_t, memory_of<Exec>> kept = {},
                             vector_view<const std::int64_t, memory_of<Exec>> order = {});

/// How the squared error of a grid of b bits goes with b, relative to the mean square of what it holds.
enum class grid_model {
  gaussian,  ///< that of the best uniform quantizer with 2^b levels for normal weights (Max 1960, table II): 0.363,
             ///< 0.119, 0.0374, 0.0115 ... for 1, 2, 3, 4 bits; what a clip search comes near to
  high_resolution  ///< 4^-b, up to a constant factor: the classical model of fine quantizers (Gersho & Gray 1992,
                   ///< chapters 5 and 8), in which bits are worth the same everywhere
};

/// That error: of one weight, for a mean square of 1. @throws invalid_argument unless bits is 1 to 8
MIQ_API double relative_grid_error(int bits, grid_model model = grid_model::gaussian);

/// Expected sums of squared grid errors, [columns, widths]: `kept * mean_square * relative_grid_error(width)`.
///
/// Where grids can be fitted, fit them instead, once for each width (`quantization::fit_grids` with one width for all
/// groups), and sum the squared errors of the kept weights of each column: that is the other way to the same matrix.
/// @throws invalid_argument if a width is not 1 to 8
MIQ_API matrix<double> modelled_grid_errors(const column_costs& columns, std::span<const int> widths,
                                            grid_model model = grid_model::gaussian);

/// Mean squares of the weights as the sweep finds them, after it has made up in each column for the errors before it:
/// `m_k = v_k + sum over columns j before k of (U_jk / U_jj)^2 e_j m_j`, as long as errors of different columns are
/// uncorrelated. [c], in the layer's own numbering.
///
/// In a representative the errors of all columns that it explains add up: of 30 copies at 2 bits each, more than its
/// own variance. A grid that was fitted to the original weights then cuts off what it should make up. Multiply the
/// scales of column k by `sqrt(m_k / v_k)` (or fit its grids to weights that are larger by that factor), and its
/// expected errors by `m_k / v_k`. Bits and m depend on each other: two or three rounds settle them.
///
/// @param exec           where to run (on one thread)
/// @param upper          [c, c], as for `measure_columns`
/// @param mean_square    [c], finite, not negative: v
/// @param relative_error [c], finite, not negative: e, the mean squared error of a column over all rows, relative to
///                       its mean square: `relative_grid_error(bits)` where nothing is pruned, the kept share of that
///                       where kept weights were refitted before, more where the sweep prunes
/// @param order          as for `measure_columns`
/// @throws invalid_argument  if that does not hold or shapes do not fit
/// Cost: reads the upper triangle once. Deterministic. Allocates the result.
template <executor Exec>
std::vector<double> arriving_mean_squares(const Exec& exec, matrix_view<const float, memory_of<Exec>> upper,
                                          std::span<const double> mean_square, std::span<const double> relative_error,
                                          vector_view<const std::int64_t, memory_of<Exec>> order = {});

/// Expected loss of the sweep in each group at each width, [groups, widths], in the unit of `obs::sweep_result::loss`:
/// `1/2 sum over the group's columns of conditional_variance * squared_errors`.
///
/// What it leaves out: that errors of earlier columns widen the later weights before they are quantised, unless
/// `squared_errors` are raised by `arriving_mean_squares`; and the loss of pruning, which bits do not change.
///
/// @param conditional_variance  [c], finite, not negative; as in `column_costs`
/// @param squared_errors        [c, widths], finite, not negative: measured or modelled sums over the kept weights
/// @param labels                [c], the group of each column, 0 ... groups - 1
/// @throws invalid_argument     if that does not hold or shapes do not fit
/// Deterministic. Allocates the result.
MIQ_API matrix<double> expected_errors(std::span<const double> conditional_variance,
                                       matrix_view<const double> squared_errors, std::span<const std::int32_t> labels,
                                       std::int64_t groups);

/// The curves for `rate_distortion`: group g at `widths[k]` stores `stored_bits(storage[g], widths[k])`, rounded up to
/// whole bits, and loses `errors(g, k)`.
///
/// @param errors   [groups, widths], finite, not negative
/// @param widths   of the columns of `errors`, 1 to 16
/// @param storage  [groups]; the importance is not read
/// @throws invalid_argument  if that does not hold or a count is negative
MIQ_API rate_curves bit_curves(matrix_view<const double> errors, std::span<const int> widths,
                               std::span<const bit_item> storage);

}  // namespace miq::allocation

#if !defined(MIQ_PRECOMPILED)
#include <miq/allocation/detail/expected_error/host.inl>
#endif
