// obs/refit.hpp: the best values of the kept weights of a fixed mask, by conjugate gradients on all rows at once.
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/factor.hpp>
#include <miq/obs/refit_options.hpp>

namespace miq::obs {

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
///              Eigen's products take packing buffers from the heap where its stack limit is exceeded.
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

#if !defined(MIQ_PRECOMPILED)
#include <miq/obs/detail/refit/host.inl>
#endif
