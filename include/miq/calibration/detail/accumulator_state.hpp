// What an accumulator holds between two batches.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include <miq/core/matrix.hpp>

namespace miq::calibration::detail {

inline constexpr std::int64_t tile_tokens = 512;
inline constexpr std::int64_t block_columns = 64;
inline constexpr float max_magnitude = 0x1p58F;

/// Sums over the complete tiles. `second` holds sum (x - mean)(x - mean)^T as blocks of the upper triangle, block row
/// by block row, each block_columns x block_columns (padded at the edges; below the diagonal of a diagonal block
/// anything).
struct totals {
  std::int64_t tokens = 0;
  std::pmr::vector<double> sum, absolute;
  std::pmr::vector<float> minimum, maximum;
  matrix<double> second;  // [blocks * block_columns, block_columns]; empty while tokens is 0
};

struct sampled_token {
  std::uint64_t hash = 0;
  std::int64_t index = 0;  // in the whole stream
  std::int64_t slot = 0;   // row of sample_rows
};

struct accumulator_state {
  std::int64_t columns = 0;
  std::int64_t sample_tokens = 0;
  std::uint64_t seed = 0;
  std::int64_t next_token = 0;
  std::pmr::memory_resource* resource = nullptr;

  totals closed;                         // the complete tiles
  std::int64_t buffered = 0;             // tokens of the incomplete tile
  std::pmr::vector<float> buffer;        // [buffered, columns]
  std::pmr::vector<sampled_token> heap;  // the largest hash first
  std::pmr::vector<float> sample_rows;   // [heap.size(), columns]

  std::int64_t tokens() const { return closed.tokens + buffered; }
};

}  // namespace miq::calibration::detail
