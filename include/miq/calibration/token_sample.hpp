// calibration/token_sample.hpp: a bounded, uniform sample of a stream's tokens that does not depend on how it was cut.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/matrix.hpp>

namespace miq::calibration {

/// The tokens whose `random_hash(seed, index)` is smallest, `index` being the token's place in the whole stream. Since
/// the hashes of a seed are all different, that is one well-defined set, uniform without replacement, and the same
/// whatever batches and accumulators the stream was spread over.
struct token_sample {
  std::vector<std::int64_t> indices;  ///< places in the whole stream, ascending
  matrix<float> tokens;               ///< [indices.size(), c], in the order of `indices`
};

}  // namespace miq::calibration
