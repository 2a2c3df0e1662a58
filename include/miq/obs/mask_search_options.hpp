// obs/mask_search_options.hpp: what `mask_search` takes and gives, on the host and on a device.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/matrix_view.hpp>
#include <miq/obs/damping_rule.hpp>
#include <miq/obs/mask_scope.hpp>

namespace miq::obs {

/// What `mask_search` may be asked for. Each level costs a factorisation, 1/3 c^3 multiply-adds, and each iteration one
/// product rows x c x c.
struct mask_search_options {
  /// Among which weights kept ones are exchanged: `layer`, `row` or `column_group`. The number kept in each stays.
  mask_scope scope = mask_scope::layer;
  int iterations = 3;         ///< on each level, 1 to 10000
  int levels = 2;             ///< of the penalty, 1 to 20
  double penalty = 0.3;       ///< of the first level, as a share of the diagonal of H + D
  double penalty_factor = 3;  ///< from level to level, at least 1
  double damping = 0.01;      ///< as `factor` used it: `factor_result::damping`
  damping_rule rule = damping_rule::mean_diagonal;
};

/// What goes in.
template <class Space = host_memory>
struct mask_search_inputs {
  matrix_view<const float, Space> target{};   ///< [rows, c], W0: the dense weights, or what `shift_target` made of them
  matrix_view<const float, Space> hessian{};  ///< [c, c], H, as `factor` takes it: only the upper triangle is read
  matrix_view<const std::uint8_t, Space>
      kept{};  ///< [rows, c]: the mask to begin with, 0 masks a weight; its counts stay
  matrix_view<const float, Space>
      start{};  ///< [rows, c]: kept weights to begin with, as `sweep` leaves them; empty: W0
  vector_view<const std::int32_t, Space> labels{};  ///< [c]: group of each column, for `mask_scope::column_group`
};

/// What comes out; neither may overlap an input or the other.
template <class Space = host_memory>
struct mask_search_outputs {
  matrix_view<std::uint8_t, Space> kept{};  ///< [rows, c]: 1 where a weight is kept
  matrix_view<float, Space> weights{};      ///< [rows, c], 0 where masked: near the best for this mask; see `refit`
};

/// What happened on the way.
struct mask_search_result {
  std::vector<std::int64_t> exchanged;  ///< weights that each iteration took into the mask (and as many that it left)
  std::vector<double> penalties;        ///< of each level, as used: raised where the factor was not positive definite
  std::int64_t changed = 0;             ///< weights kept in the end that were masked in the beginning
};

}  // namespace miq::obs
