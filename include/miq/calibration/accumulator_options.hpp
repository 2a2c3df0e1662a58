// calibration/accumulator_options.hpp: how activations are accumulated.
#pragma once

#include <cstdint>

namespace miq::calibration {

/// What an accumulator keeps besides the statistics, and where its stream begins.
struct accumulator_options {
  std::int64_t sample_tokens = 0;  ///< tokens of the bounded sample; 0: no sample
  std::uint64_t seed = 0;          ///< of the sample; the same for all parts of one stream
  std::int64_t first_token = 0;    ///< place of the first token in the whole stream, when several share it
};

}  // namespace miq::calibration
