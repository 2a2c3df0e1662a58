// grouping/representatives.hpp: an order of the columns in which each group's representatives come last, so that the
// sweep can make up in them for errors in the columns that they explain.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// What `order_by_representatives` may be asked for.
struct representatives_options {
  double damping = 0.01;  ///< share of each column's own second moment that is added to it, at least 0
};

/// The order, and what it is made of.
struct representatives_result {
  std::vector<std::int64_t> order;  ///< [c]: the column that the sweep takes at each place, redundant ones first
  std::vector<std::int64_t> rank;   ///< [c]: when each column was chosen in its group; 0: its first representative
  std::vector<float> residual;  ///< [c]: share of the column's second moment that the members chosen before it leave
                                ///< unexplained, 0 to 1; 0 if it never carried a signal
};

/// Puts redundant columns first and representatives last.
///
/// In each group the columns are chosen one after the other, always the one of which the chosen ones leave most
/// unexplained, as the pivots of a Cholesky factorisation are (Harbrecht, Peters & Schneider 2012, "On the low-rank
/// approximation by the pivoted Cholesky decomposition"). What is left unexplained of column j is
/// `weight_j * H_jj * residual_j`, where weights are given, else `residual_j`, which does not change with the columns'
/// scale. (With the mean squares of the layer's weights it does not either, and counts what an error would cost.) The
/// order takes all columns by that number, smallest first: inside each group the reverse of the choice. Ties: the lower
/// column is chosen first; columns of different groups with equal numbers, later choices first, then by number.
///
/// Order moves loss between columns, and no more: `sum of ln(1 / U_jj^2) = ln det H` in every order. This one makes the
/// costs as uneven as a greedy choice can, few dear columns and many cheap ones, which is what unequal bits want;
/// with equal bits it loses more than the natural order does.
///
/// @param exec     where to run. Allocates the result and 4 m^2 bytes of scratch for each group of m columns, and from
///                 the heap 256 m.
/// @param hessian  [c, c], second moments of the columns or a multiple; symmetric (only the lower triangle is read),
///                 finite, diagonal not negative
/// @param groups   of the c columns; `partition::single(c)` chooses among all of them
/// @param weights  [c] or empty: finite, not negative
/// @throws invalid_argument  if that does not hold
///
/// Cost: m^3 / 3 multiply-adds per group of m columns, in blocks; groups in parallel, or the blocks of one.
/// Deterministic, the same to the bit for every number of threads.
template <executor Exec>
representatives_result order_by_representatives(const Exec& exec, matrix_view<const float, memory_of<Exec>> hessian,
                                                const partition& groups,
                                                vector_view<const double, memory_of<Exec>> weights = {},
                                                const representatives_options& options = {});

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/representatives/host.inl>
#endif
