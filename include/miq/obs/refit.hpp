// obs/refit.hpp: the best values of the kept weights of a fixed mask, by conjugate gradients on all rows at once.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/factor.hpp>

namespace miq::obs {

/// What `refit` may be asked for. An iteration costs one product rows x c x c, and so does what comes before the first.
struct refit_options {
  int iterations = 2;       ///< of conjugate gradients, 0 to 1000; 0: one Gauss-Seidel pass instead
  double tolerance = 1e-4;  ///< a row is done when an iteration lowers its loss by no more than this share of it
  double damping = 0.01;    ///< as `factor` used it: `factor_result::damping`
  damping_rule rule = damping_rule::mean_diagonal;
};

/// What goes in.
template <class Space = host_memory>
struct refit_inputs {
  matrix_view<const float, Space> target{};   ///< [rows, c], W0: the dense weights, or what `shift_target` made of them
  matrix_view<const float, Space> hessian{};  ///< [c, c], H, as `factor` takes it: only the upper triangle is read
  matrix_view<const std::uint8_t, Space> kept{};  ///< [rows, c]: 0 masks a weight
  matrix_view<const float, Space>
      start{};  ///< [rows, c]: kept weights to begin with, as `sweep` leaves them; empty: W0
};

/// What comes out; neither may overlap an input.
template <class Space = host_memory>
struct refit_outputs {
  matrix_view<float, Space> weights{};    ///< [rows, c], 0 where masked
  vector_view<double, Space> row_loss{};  ///< [rows] or empty: 1/2 (w - w0)(H + D)(w - w0)^T
};

/// What happened on the way.
struct refit_result {
  std::vector<double> loss;    ///< 1/2 tr (W - W0)(H + D)(W - W0)^T before the first and after each iteration, never
                               ///< rising; shorter than asked for if all rows were done before
  std::int64_t converged = 0;  ///< rows that were done: within the tolerance, or without gradient from the start
  std::int64_t stopped = 0;    ///< rows that met a direction without curvature: H + D is not positive definite, or
                               ///< float is at its end. They keep what they had.
};

/// Scratch that `refit` needs: about 4 * rows * c floats, rows * c with 0 iterations.
std::int64_t refit_workspace_bytes(std::int64_t rows, std::int64_t columns, const refit_options& options = {});

/// Moves the kept weights of each row towards the minimum of
///
///     1/2 (w - w0)(H + D)(w - w0)^T    over all w that are 0 where the row's mask is,
///
/// the output error of the layer against that of W0 (and what damping adds). The masks of all rows differ, so there is
/// no common factor; conjugate gradients need only products with H, which all rows share.
///
/// Preconditioned by symmetric Gauss-Seidel on the masked matrix, `(K D^-1 K^T)` with K its lower triangle and D its
/// diagonal (of H + D), in the form of Eisenstat (1981), "Efficient implementation of a class of preconditioned
/// conjugate gradient methods": with that, an iteration costs two triangular solves and no further product. Where a
/// column's unit changes nothing about the result changes but its unit. From what a sweep leaves, an iteration does as
/// much as three to five with the diagonal as preconditioner. With 0 iterations, one Gauss-Seidel pass: column after
/// column, each kept weight takes its best value given the others.
///
/// A dead column (diagonal entry 0) is independent of all others: its kept weights become those of W0.
///
/// @param exec  where to run. Scratch comes from `scratch`, or from the executor's resource where that is empty.
/// Eigen's
///              products take packing buffers from the heap where its stack limit is exceeded.
/// @throws invalid_argument  for shapes that do not fit, options out of range, values that are not finite (with the row
///                           and column); outputs are untouched
/// @throws numerical_error   if products overflow; outputs are unspecified
/// @throws out_of_memory     if `scratch` is too small
/// @throws cancelled         if `progress` (phase "refit") asked for it
///
/// Cost: (iterations + 1) * rows * c^2 multiply-adds. Deterministic, whatever the number of threads.
template <executor Exec>
refit_result refit(const Exec& exec, const refit_inputs<memory_of<Exec>>& in, const refit_outputs<memory_of<Exec>>& out,
                   const refit_options& options = {}, workspace scratch = {}, const progress_callback& progress = {});

}  // namespace miq::obs

#include <miq/obs/detail/refit.inl>
