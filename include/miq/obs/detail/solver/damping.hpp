// The damped diagonal of a Hessian, as `factor` and every later step take it.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/obs/damping_rule.hpp>

namespace miq::obs::detail {

template <class Space>
void check_hessian_shape(const char* function, matrix_view<const float, Space> hessian) {
  miq::detail::require(hessian.columns() >= 1 && hessian.rows() == hessian.columns(), function,
                       ": hessian must be square and not empty, got ",
                       miq::detail::shape_text(hessian.rows(), hessian.columns()));
}

/// Throws unless `hessian` is square, not empty, with a diagonal that is finite and not negative.
inline void check_hessian(const char* function, matrix_view<const float> hessian) {
  using miq::detail::require;
  check_hessian_shape(function, hessian);
  const auto n = hessian.columns();
  for (std::int64_t j = 0; j < n; ++j)
    require(hessian(j, j) >= 0 && std::isfinite(hessian(j, j)), function, ": diagonal entry ", j,
            " of hessian must be finite and not negative, got ", hessian(j, j));
}

inline void check_damping(const char* function, double damping) {
  miq::detail::require(damping >= 0 && std::isfinite(damping), function,
                       ": damping must be finite and at least 0, got ", damping);
}

/// What stands on the diagonal of H + D where H has `entry`; `mean` is that of the entries that are not 0.
MIQ_HOST_DEVICE inline double damped_entry(double entry, double mean, double damping, damping_rule rule) {
  const double own = entry == 0 ? mean : entry;
  return own + damping * (rule == damping_rule::mean_diagonal ? mean : own);
}

/// What stands on the diagonal of H + D. A column whose entry is 0 is dead: it gets the mean of the others (1 if all
/// are dead) and takes part as if independent of all others.
class damped_diagonal {
 public:
  damped_diagonal(matrix_view<const float> hessian, damping_rule rule) : hessian_(hessian), rule_(rule) {
    const auto n = hessian.columns();
    double total = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      total += static_cast<double>(hessian(j, j));
      dead_ += is_dead(j) ? 1 : 0;
    }
    if (dead_ < n) mean_ = total / static_cast<double>(n - dead_);
  }

  std::int64_t dead() const { return dead_; }
  bool is_dead(std::int64_t j) const { return hessian_(j, j) == 0; }
  /// The entry of column j when `damping` is the share that is added.
  double operator()(std::int64_t j, double damping) const {
    return damped_entry(static_cast<double>(hessian_(j, j)), mean_, damping, rule_);
  }

 private:
  matrix_view<const float> hessian_;
  damping_rule rule_;
  double mean_ = 1;
  std::int64_t dead_ = 0;
};

}  // namespace miq::obs::detail
