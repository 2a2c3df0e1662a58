// What the functions of obs/target.hpp check and decide, wherever they run.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/obs/detail/solver/damping.hpp>
#include <miq/obs/target_options.hpp>

namespace miq::obs::detail {

template <class Space, class T = float>
void check_target_ridge(const matrix_view<const T, Space>& weights, const matrix_view<const float, Space>& hessian,
                        double share) {
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto columns = weights.columns();
  require(!weights.empty(), "add_target_ridge: weights must not be empty, got ", shape_text(weights.rows(), columns));
  check_hessian_shape("add_target_ridge", hessian);
  require(hessian.columns() == columns, "add_target_ridge: hessian must be ", shape_text(columns, columns), ", got ",
          shape_text(hessian.rows(), hessian.columns()));
  require(share >= 0 && std::isfinite(share), "add_target_ridge: share must be finite and not negative, got ", share);
}

/// What a column's diagonal entry is raised by, as a share of it: `own` is its entry times its weights' square, `mean`
/// the mean of those.
MIQ_HOST_DEVICE inline double ridge_share(double own, double mean, double share) {
  constexpr double most = 1e4;
  if (own > 0) return share * mean / own < most ? share * mean / own : most;
  return share > 0 && mean > 0 ? most : 0;
}

/// `moments` is [c, c] or, `to_outputs`, [c, rows].
template <class Space, class T = float>
void check_target(const char* function, bool to_outputs, const matrix_view<const T, Space>& weights,
                  const matrix_view<const float, Space>& moments, const matrix_view<const float, Space>& upper,
                  const matrix_view<float, Space>& shifted, const target_options& options) {
  using miq::detail::overlap;
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto rows = weights.rows(), columns = weights.columns();
  const char* const name = to_outputs ? "residual" : "difference";
  require(columns >= 1, function, ": weights must have columns, got ", shape_text(rows, columns));
  const auto wide = to_outputs ? rows : columns;
  require(moments.rows() == columns && moments.columns() == wide, function, ": ", name, " must be ",
          shape_text(columns, wide), ", got ", shape_text(moments.rows(), moments.columns()));
  require(upper.rows() == columns && upper.columns() == columns, function, ": upper must be ",
          shape_text(columns, columns), ", got ", shape_text(upper.rows(), upper.columns()));
  require(shifted.rows() == rows && shifted.columns() == columns, function, ": shifted must be ",
          shape_text(rows, columns), ", got ", shape_text(shifted.rows(), shifted.columns()));
  require(options.strength >= 0 && options.strength <= 1, function, ": strength must be 0 to 1, got ",
          options.strength);
  const matrix_view<const float, Space> written = shifted;
  require(!overlap(weights, written) && !overlap(moments, written) && !overlap(upper, written), function,
          ": shifted must not overlap an input");
}

template <class Space, class T>
void check_output(const char* function, const matrix_view<const T, Space>& weights,
                  const vector_view<const float, Space>& mean, std::int64_t output, const char* name) {
  using miq::detail::require;
  require(mean.size() == weights.columns(), function, ": mean must have ", weights.columns(), " elements, got ",
          mean.size());
  require(output == weights.rows(), function, ": ", name, " must have ", weights.rows(), " elements, got ", output);
}

}  // namespace miq::obs::detail
