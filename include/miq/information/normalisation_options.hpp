// information/normalisation_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>

namespace miq::information {

/// How mutual information I(i, j) is related to what the two channels hold at all, their entropies H(i) and H(j).
enum class normalisation {
  none,                    ///< I, in nats
  arithmetic,              ///< 2 I / (H(i) + H(j))
  geometric,               ///< I / sqrt(H(i) H(j))
  minimum,                 ///< I / min(H(i), H(j))
  maximum,                 ///< I / max(H(i), H(j))
  correlation,             ///< |rho| of the Gaussian pair that has information I; of `information::correlation`: |rho|
  information_coefficient  ///< sqrt(1 - exp(-2 max(I, 0))) (Linfoot 1957), for every estimator; the same formula
};

/// What happened on the way.
struct normalisation_result {
  std::int64_t clipped = 0;  ///< pairs i < j with I < 0 that `correlation` or `information_coefficient` took as 0
  std::int64_t not_finite =
      0;                      ///< on a device: pairs i < j whose information is NaN or infinite, and whose value is NaN
  std::int64_t unusable = 0;  ///< on a device: pairs i < j, others than these, whose entropies do not allow the ratio
                              ///< (see `normalise`), and whose value is NaN; on the host both are errors
};

}  // namespace miq::information
