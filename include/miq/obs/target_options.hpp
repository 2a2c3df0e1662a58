// obs/target_options.hpp: what `shift_target` may be asked for, and what it says.
#pragma once

#include <cstdint>

namespace miq::obs {

/// What `shift_target` may be asked for.
struct target_options {
  double strength = 1;  ///< share of the way that is gone: 0 (the weights as they are, to the bit) to 1
};

/// What happened on the way.
struct target_result {
  double change = 0;  ///< |W* - W| / |W| (Frobenius); 0 if W is 0
  double gain = 0;    ///< by how much the damped loss `|T - X~ W*^T|^2 / n + 1/2 tr (W* - W) D (W* - W)^T` is smaller
                      ///< than with W: the output error itself falls by at least that
};

/// What happened in a `shift_target` on a device, which does not look at contents beforehand and does not wait.
struct device_target_result : target_result {
  std::int64_t not_finite = 0;  ///< rows of W* that are not finite: inputs are not, or the products overflowed
};

}  // namespace miq::obs
