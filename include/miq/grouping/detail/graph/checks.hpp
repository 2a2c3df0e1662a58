// Checks of the square matrices that grouping takes, in one pass that reads each element once or twice.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <miq/core/error.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_INSTRUCTION_SET {

enum class sign_rule { any, not_negative };
enum class diagonal_rule { any, zero };

/// Throws invalid_argument unless a matrix is square and not empty.
inline void require_square(std::int64_t rows, std::int64_t columns, const char* function, const char* argument) {
  miq::detail::require(rows == columns && rows > 0, function, ": ", argument, " must be [n, n] with n at least 1, got ",
                       miq::detail::shape_text(rows, columns));
}

/// Throws invalid_argument unless `m` is square, not empty, finite, symmetric to the bit (-0 equals 0), and keeps to
/// the rules. The message names the first element, by tiles of 64 rows and columns, that does not.
template <on_host Exec>
void require_symmetric(const Exec& exec, matrix_view<const float> m, const char* function, const char* argument,
                       sign_rule sign, diagonal_rule diagonal) {
  using miq::detail::require;
  require_square(m.rows(), m.columns(), function, argument);
  constexpr std::int64_t tile = 64;
  const std::int64_t n = m.rows();
  const std::int64_t tiles = (n + tile - 1) / tile;
  const bool negative_allowed = sign == sign_rule::any;

  // A tile and its mirror image are compared without branches first; only a tile that fails is searched.
  const auto tile_fails = [&](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1) {
    float mirror[static_cast<std::size_t>(tile * tile)];
    for (std::int64_t c = c0; c < c1; ++c)
      for (std::int64_t r = r0; r < r1; ++r) mirror[(r - r0) * tile + (c - c0)] = m(c, r);
    constexpr float largest = std::numeric_limits<float>::max();
    const float smallest = negative_allowed ? -largest : 0.0F;
    int bad = 0;
    for (std::int64_t r = r0; r < r1; ++r) {
      const float* row = m.data() + r * m.leading();
      const float* other = mirror + (r - r0) * tile - c0;
      for (std::int64_t c = c0; c < c1; ++c)
        bad |= static_cast<int>(!(row[c] == other[c])) | static_cast<int>(!(row[c] <= largest)) |
               static_cast<int>(!(row[c] >= smallest));
    }
    return bad != 0;
  };
  const auto require_element = [&](std::int64_t r, std::int64_t c) {
    const float value = m(r, c);
    require(std::isfinite(value), function, ": ", argument, " must be finite, got ", value, " at [", r, ", ", c, "]");
    require(negative_allowed || value >= 0, function, ": ", argument, " must not be negative, got ", value, " at [", r,
            ", ", c, "]");
  };
  exec.parallel_for(tiles, [&](std::int64_t t) {
    const std::int64_t r0 = t * tile;
    const std::int64_t r1 = std::min(n, r0 + tile);
    if (diagonal == diagonal_rule::zero)
      for (std::int64_t r = r0; r < r1; ++r)
        require(m(r, r) == 0, function, ": ", argument, " must have a zero diagonal, got ", m(r, r), " at [", r, ", ",
                r, "]");
    for (std::int64_t c0 = r0; c0 < n; c0 += tile) {
      const std::int64_t c1 = std::min(n, c0 + tile);
      if (!tile_fails(r0, r1, c0, c1)) continue;
      for (std::int64_t r = r0; r < r1; ++r)
        for (std::int64_t c = std::max(c0, r); c < c1; ++c) {
          require_element(r, c);
          require_element(c, r);
          require(m(r, c) == m(c, r), function, ": ", argument, " must be symmetric to the bit, got ", m(r, c), " at [",
                  r, ", ", c, "] and ", m(c, r), " at [", c, ", ", r, "]");
        }
    }
  });
}

template <on_host Exec>
void require_distance(const Exec& exec, matrix_view<const float> distance, const char* function) {
  require_symmetric(exec, distance, function, "distance", sign_rule::not_negative, diagonal_rule::zero);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::grouping::detail
