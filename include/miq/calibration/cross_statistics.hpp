// calibration/cross_statistics.hpp: what was learnt of two streams, and how.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/matrix.hpp>

namespace miq::calibration {

/// What `cross_moments` may be asked for.
struct cross_moments_options {
  bool difference = false;  ///< take `second - first` for the second stream (both of the same columns)
};

/// What `cross_moments::finish` returns: 4 a b + 4 (a + b) bytes.
struct cross_statistics {
  std::int64_t tokens = 0;         ///< tokens that were seen, n
  matrix<float> moment;            ///< [a, b]: 2/n sum x y^T, in the convention of `hessian`
  std::vector<float> first_mean;   ///< [a]: 1/n sum x
  std::vector<float> second_mean;  ///< [b]: 1/n sum y; with `difference` the mean of the difference
};

}  // namespace miq::calibration
