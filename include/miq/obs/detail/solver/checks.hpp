// Finds values that are not finite in the upper triangle of a matrix, of which nothing else is read.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::obs::detail {

/// Throws if the upper triangle holds a value that is not finite; names the first.
template <on_host Exec>
void require_finite_upper(const Exec& exec, matrix_view<const float> m, const char* function, const char* argument) {
  exec.parallel_for((m.rows() + 15) / 16, [&](std::int64_t task) {
    for (auto r = task * 16; r < std::min(m.rows(), (task + 1) * 16); ++r)
      for (auto c = r; c < m.columns(); ++c)
        if ((std::bit_cast<std::uint32_t>(m(r, c)) & 0x7F800000U) == 0x7F800000U)
          miq::detail::require(false, function, ": ", argument, " must be finite, got ", m(r, c), " in row ", r,
                               ", column ", c);
  });
}

}  // namespace miq::obs::detail
