// What `factor` checks and decides, wherever it runs.
#pragma once

#include <cstdint>
#include <type_traits>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/obs/detail/solver/damping.hpp>
#include <miq/obs/factor_options.hpp>

namespace miq::obs::detail {

/// A pivot below this share of its diagonal entry is rounding error.
template <class T>
inline constexpr double smallest_pivot = std::is_same_v<T, float> ? 0x1.0p-22 : 0x1.0p-44;

/// What can be said without reading an element.
template <class Space>
void check_factor_shapes(matrix_view<const float, Space> hessian, matrix_view<float, Space> upper,
                         const factor_options& options) {
  const auto n = hessian.columns();
  check_hessian_shape("factor", hessian);
  miq::detail::require(upper.rows() == n && upper.columns() == n, "factor: upper must be ",
                       miq::detail::shape_text(n, n), " like the hessian, got ",
                       miq::detail::shape_text(upper.rows(), upper.columns()));
  miq::detail::require(!miq::detail::overlap(hessian, matrix_view<const float, Space>(upper)),
                       "factor: upper must not overlap hessian");
  check_damping("factor", options.damping);
  miq::detail::require(options.attempts >= 1, "factor: attempts must be at least 1, got ", options.attempts);
}

[[noreturn]] inline void throw_not_positive(std::int64_t columns, double damping) {
  throw numerical_error(miq::detail::join_message(
      "factor: the hessian of ", columns, " columns is not positive definite even with a damping of ", damping));
}
/// The share that is tried after one that failed.
constexpr double raised_damping(double damping) { return damping > 0 ? damping * 10 : 1e-4; }

}  // namespace miq::obs::detail
