// From normalised information to affinities or profiles: the kernel body.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>

namespace miq::grouping::detail {

/// Negative elements of a symmetric matrix become 0, the diagonal becomes `diagonal`. One row per block. Pairs i < j
/// that were negative are added to `clipped`, rows without a positive element off the diagonal to `isolated`.
struct profile_body {
  static constexpr int lanes = 256;

  float* m = nullptr;  // [n, n]
  std::int64_t columns = 0;
  float diagonal = 0;
  std::int64_t* clipped = nullptr;
  std::int64_t* isolated = nullptr;

  std::int64_t blocks() const { return columns; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t row, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    float* const values = m + row * columns;
    std::int64_t negative = 0, positive = 0;
    for (std::int64_t c = group.rank(); c < columns; c += group.size()) {
      const float value = values[c];
      if (c == row)
        values[c] = diagonal;
      else if (value < 0)
        values[c] = 0;
      if (c > row && value < 0) ++negative;
      if (c != row && value > 0) ++positive;
    }
    negative = sum_over_lanes(group, negative, slots);
    positive = sum_over_lanes(group, positive, slots);
    if (group.rank() != 0) return;
    if (negative > 0) add_atomically(clipped, negative);
    if (positive == 0) add_atomically(isolated, std::int64_t{1});
  }
};

}  // namespace miq::grouping::detail
