// obs/mask_search.hpp: looks for a better mask of as many weights, by alternating directions (ADMM).
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/factor.hpp>
#include <miq/obs/mask_search_options.hpp>

namespace miq::obs {

/// Scratch that `mask_search` needs: about 3 * rows * c + 3 * c^2 floats.
std::int64_t mask_search_workspace_bytes(std::int64_t rows, std::int64_t columns);

/// Looks for a mask with a smaller `1/2 tr (W - W0)(H + D)(W - W0)^T` after `refit` than the one it begins with,
/// keeping as many weights. A sweep chooses which weights to mask when it comes to them and never takes that back; here
/// all weights are weighed against each other again and again. The minimum over all masks is out of reach for any
/// method; this is the alternating direction method of multipliers of ALPS (Meng et al. 2024, arXiv 2406.07831):
///
///     X  <-  minimum of the loss + penalty/2 |X - M + V|^2       (all weights; a product with (H + D + penalty E)^-1)
///     M  <-  the largest of X + V, as many as are to be kept     (the others 0)
///     V  <-  V + X - M
///
/// in units in which the diagonal E of H + D is 1, so that a column's unit changes nothing. X needs no eigenvectors: on
/// a level the penalty is fixed, and the factor of `H + D + penalty E` serves all its iterations. As M is X + V where a
/// weight is kept and V is X + V where it is not, one matrix holds both.
///
/// It is not certain that the result is better: the loss may rise from one iteration to the next, and few iterations on
/// a small penalty can end worse than they began. Refit both masks where that matters, and take the better.
///
/// A tie in size goes by row, then column.
///
/// @param exec  where to run. Scratch comes from `scratch`, or from the executor's resource where that is empty.
///              Eigen's products take packing buffers from the heap where its stack limit is exceeded;
///              `mask_scope::row` takes some for each row.
/// @throws invalid_argument  for shapes that do not fit, options out of range, values that are not finite (with the row
///                           and column), labels that are negative or beyond c; outputs are untouched
/// @throws numerical_error   if a factor does not exist (see `factor`) or products overflow; outputs are unspecified
/// @throws out_of_memory     if `scratch` is too small
/// @throws cancelled         if `progress` (phase "mask_search") asked for it
///
/// Cost: levels * (c^3 / 3 + iterations * rows * c^2) multiply-adds. Deterministic, whatever the number of threads.
template <executor Exec>
mask_search_result mask_search(const Exec& exec, const mask_search_inputs<memory_of<Exec>>& in,
                               const mask_search_outputs<memory_of<Exec>>& out, const mask_search_options& options = {},
                               workspace scratch = {}, const progress_callback& progress = {});

}  // namespace miq::obs

#if !defined(MIQ_PRECOMPILED)
#include <miq/obs/detail/mask_search/host.inl>
#endif
