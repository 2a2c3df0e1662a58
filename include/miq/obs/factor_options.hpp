// obs/factor_options.hpp: what `factor` may be asked for, and what it says.
#pragma once

#include <cstdint>

#include <miq/obs/damping_rule.hpp>

namespace miq::obs {

/// What `factor` may be asked for.
struct factor_options {
  double damping = 0.01;  ///< share of the diagonal that is added, at least 0
  damping_rule rule = damping_rule::mean_diagonal;
  int attempts = 6;  ///< shares of damping that are tried, in float and then in double, each ten times the one before
};

/// What happened on the way.
struct factor_result {
  double damping = 0;       ///< the share that was used in the end
  std::int32_t raised = 0;  ///< how often it had to be raised because the matrix was not positive definite
  std::int64_t dead = 0;    ///< columns whose diagonal entry is 0: they take part as if independent of all others
  bool in_double = false;   ///< whether float failed at that share and double did not
};

}  // namespace miq::obs
