// information/affinity_result.hpp: what a map from information to affinities or distances reports.
#pragma once

#include <cstdint>

namespace miq::information {

/// What happened on the way.
struct affinity_result {
  std::int64_t clipped = 0;     ///< pairs i < j with negative (estimated) information, which was taken as 0
  std::int64_t not_finite = 0;  ///< on a device: pairs i < j whose information is NaN or infinite, and whose value is
                                ///< NaN; on the host that is an error
};

}  // namespace miq::information
