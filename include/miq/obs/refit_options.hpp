// obs/refit_options.hpp: what `refit` takes and gives, on the host and on a device.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/matrix_view.hpp>
#include <miq/obs/damping_rule.hpp>

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

/// The same where a device writes it; the losses stand apart.
struct device_refit_result {
  std::int64_t invalid = 0;    ///< values of target, start and the Hessian's upper triangle that are not finite, and
                               ///< negative ones on its diagonal: with any, nothing else here means anything
  std::int64_t converged = 0;  ///< as in `refit_result`
  std::int64_t stopped = 0;    ///< as in `refit_result`
  std::int32_t losses = 0;     ///< how many `refit_result` would hold; those after them repeat the last
};

/// Losses before the first and after each iteration; without iterations, before and after the pass.
inline std::int64_t refit_loss_count(const refit_options& options) {
  return (options.iterations > 0 ? options.iterations : 1) + 1;
}

}  // namespace miq::obs
