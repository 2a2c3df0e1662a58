// information/kde_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>

#include <miq/information/estimate.hpp>

namespace miq::information {

/// Width h of the Gaussian kernels of a channel, from its standard deviation s (divisor T - 1), its interquartile range
/// q (NumPy's default quartiles) and the number of tokens T.
///
/// Information takes one width for a channel, that of the plane, both in the joint density and alone: with a narrower
/// kernel alone, the densities would be smoothed differently, and independent channels would not cancel.
enum class bandwidth_rule {
  silverman,  ///< min(s, q / 1.34) T^(-1/6); entropy: 0.9 min(s, q / 1.34) T^(-1/5) (Silverman 1986, sec. 3.4.2);
              ///< s itself where q = 0, that is where half of the values are equal
  scott       ///< s T^(-1/6); entropy: (4/3)^(1/5) s T^(-1/5) (Scott 1992, normal reference rule)
};

/// What `kde` may be asked for.
struct kde_options {
  bandwidth_rule rule = bandwidth_rule::scott;
  /// Density at a token from the other tokens only. Otherwise (resubstitution) its own kernel counts as well, which
  /// makes every token seem near itself in both channels: estimates are higher, never wild.
  bool leave_one_out = true;
  bool clip_negative = false;  ///< whether negative estimates become 0
};

/// What happened on the way.
struct kde_result : estimate_result {
  /// Pairs (i < j) and tokens, or for `kde_entropy` channels and tokens, at which the density is below 2^-50 kernels on
  /// average: with `leave_one_out` only, since a token's own kernel is more. Every kernel value counts as 2^-62 at
  /// least (beyond 9.3 widths), so that outliers have a density; an outlier of one channel alone then adds nothing to
  /// the information.
  std::int64_t floored = 0;
};

/// See `estimator_traits`.
template <>
struct estimator_traits<kde_options> {
  using result = kde_result;
  static constexpr const char* name = "kde";
  static constexpr auto entropies = entropy_kind::differential;
  static auto estimate(const auto&... arguments) -> decltype(kde(arguments...)) { return kde(arguments...); }
  static auto entropy(const auto&... arguments) -> decltype(kde_entropy(arguments...)) {
    return kde_entropy(arguments...);
  }
};

}  // namespace miq::information
