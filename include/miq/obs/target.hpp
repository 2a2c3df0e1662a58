// obs/target.hpp: weights that make up for what earlier layers have lost, and the bias that goes with them.
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/weights_view.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/target_options.hpp>

namespace miq::obs {

/// Scratch that both functions below need: 2 * rows * columns floats.
std::int64_t target_workspace_bytes(std::int64_t rows, std::int64_t columns);

/// The asymmetric target: weights for the inputs X~ that a layer receives now, whose outputs come closest to those of
/// the dense layer on the dense model's inputs X. That is least squares, damped towards W (and not towards 0):
///
///     W* = W + strength * W C^T (H + D)^-1,   C = 2/n X~^T (X - X~),   H = 2/n X~^T X~,   U^T U = (H + D)^-1,
///
/// the minimum of `|X W^T - X~ W*^T|^2 / n + 1/2 tr (W* - W) D (W* - W)^T` for strength 1. Without damping it is
/// `W (X^T X~)(X~^T X~)^-1`. Prune or quantise W* instead of W, with the same factor.
///
/// C holds the difference of the streams and not X~^T X itself: late in a model `X - X~` is small beside X, and
/// `X~^T X - X~^T X~` would be the difference of two large rounded matrices. `calibration::cross_moments` with
/// `difference` accumulates it.
///
/// @param exec        where to run. Scratch comes from `scratch`, or from the executor's resource where that is empty.
///                    Eigen's products take packing buffers from the heap where its stack limit is exceeded.
/// @param weights     [rows, c], W, finite; 16-bit elements are copied to float
/// @param difference  [c, c], C, finite; 2/n, as the Hessian. A dead column's row is 0, so its weights stay.
/// @param upper       [c, c], U, from `factor`
/// @param shifted     [rows, c], W*; must not overlap an input
/// @throws invalid_argument  for shapes that do not fit, values that are not finite, a strength outside [0, 1];
///                           `shifted` is untouched
/// @throws numerical_error   if the products overflow; `shifted` is unspecified
/// @throws out_of_memory     if `scratch` is too small
///
/// Cost: 2 * rows * c^2 multiply-adds. Deterministic, whatever the number of threads.
template <executor Exec>
target_result shift_target(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                           matrix_view<const float, memory_of<Exec>> difference,
                           matrix_view<const float, memory_of<Exec>> upper, matrix_view<float, memory_of<Exec>> shifted,
                           const target_options& options = {}, workspace scratch = {});

/// Adds to the diagonal of a Hessian, before it is factored for `shift_target`, what keeps weights that hardly matter
/// from changing out of proportion: `share * m / v_j`, where v_j is the mean square of column j's weights and m the
/// mean of `H_kk v_k` over the columns. A column that fires for a handful of tokens has `H_jj v_j` far below m; least
/// squares alone fits those tokens' errors with changes of many times the column's own size, which no scale shared with
/// other columns can store. A column of average weight is damped by `share` of its diagonal entry. Like
/// `damping_rule::own_diagonal` it does not notice a change of a column's unit. What is added is at most 10^4 times the
/// entry; dead columns stay dead.
///
/// @param weights  [rows, c], finite
/// @param hessian  [c, c], finite
/// @param share    finite, not negative
/// @throws invalid_argument  for shapes that do not fit or values out of range; `hessian` is untouched
/// Cost: reads the weights once. Host, one thread, in double. Allocates 8 bytes per column.
template <executor Exec>
void add_target_ridge(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                      matrix_view<float, memory_of<Exec>> hessian, double share);

/// The same as `shift_target` for any target outputs T: `W* = W + strength * G^T (H + D)^-1` with `G = 2/n X~^T (T - X~
/// W^T)`, [c, rows]: the moments of X~ with what the layer fails to deliver. T may hold more than the dense layer's
/// outputs, for instance what the residual stream beside the layer has lost. Cost: rows * c^2 multiply-adds; all else
/// as above.
template <executor Exec>
target_result shift_target_to_outputs(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                                      matrix_view<const float, memory_of<Exec>> residual,
                                      matrix_view<const float, memory_of<Exec>> upper,
                                      matrix_view<float, memory_of<Exec>> shifted, const target_options& options = {},
                                      workspace scratch = {});

/// The mean output of a layer without its bias: `output[r] = sum_j weights(r, j) mean[j]`, summed in double.
///
/// @throws invalid_argument  for shapes that do not fit or values that are not finite; `output` is untouched
template <executor Exec>
void mean_output(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                 vector_view<const float, memory_of<Exec>> mean, vector_view<float, memory_of<Exec>> output);

/// The bias with which the mean output of changed weights Q is that of the target again:
/// `corrected[r] = bias[r] + target[r] - sum_j Q(r, j) mean[j]`, in double, rounded once. For weights that minimise the
/// raw second moment this is what the regularisation and the rounding of weights left over; it costs nothing to store.
///
/// @param weights    [rows, c], Q
/// @param mean       [c], mean of the inputs that Q receives (`cross_moments`' first stream, or `statistics::mean`)
/// @param target     [rows], mean of the target outputs without the bias: `mean_output` of the dense weights and inputs
/// @param bias       [rows], or empty: no bias so far
/// @param corrected  [rows]; may be `bias` itself
/// @throws invalid_argument  for shapes that do not fit or values that are not finite; `corrected` is untouched
template <executor Exec>
void correct_bias(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                  vector_view<const float, memory_of<Exec>> mean, vector_view<const float, memory_of<Exec>> target,
                  vector_view<const float, memory_of<Exec>> bias, vector_view<float, memory_of<Exec>> corrected);

}  // namespace miq::obs

#if !defined(MIQ_PRECOMPILED)
#include <miq/obs/detail/target/host.inl>
#endif
