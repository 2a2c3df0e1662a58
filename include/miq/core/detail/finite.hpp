// Finds values that are not finite, at the cost of one read.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::detail {

/// Throws `invalid_argument` if a value is NaN or infinite; names the first by row, then column.
template <on_host Exec>
void require_finite(const Exec& exec, matrix_view<const float> m, const char* function, const char* argument) {
  constexpr std::int64_t tile = 16;
  exec.parallel_for((m.rows() + tile - 1) / tile, [&](std::int64_t task) {
    for (auto r = task * tile; r < std::min(m.rows(), (task + 1) * tile); ++r) {
      const float* row = m.data() + r * m.leading();
      std::int32_t largest = 0;  // of the bits without the sign, which order like the magnitudes
      for (std::int64_t c = 0; c < m.columns(); ++c)
        largest = std::max(largest, std::bit_cast<std::int32_t>(row[c]) & 0x7FFFFFFF);
      if (largest < 0x7F800000) continue;
      for (std::int64_t c = 0; c < m.columns(); ++c)
        require(std::isfinite(row[c]), function, ": ", argument, " must be finite, got ", row[c], " in row ", r,
                ", column ", c);
    }
  });
}

}  // namespace miq::detail
