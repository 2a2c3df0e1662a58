// The tiles of a square matrix that hold its upper triangle, numbered row by row.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/version.hpp>

namespace miq::detail {

/// Where a tile lies, and how much of it is inside the matrix.
struct tile_place {
  std::int64_t row = 0;
  std::int64_t column = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

MIQ_HOST_DEVICE constexpr std::int64_t upper_tiles(std::int64_t size, std::int64_t tile) {
  const auto side = (size + tile - 1) / tile;
  return side * (side + 1) / 2;
}

/// Tile number `index`, 0 to upper_tiles - 1. Exact for every size that fits into memory.
MIQ_HOST_DEVICE inline tile_place upper_tile(std::int64_t index, std::int64_t size, std::int64_t tile) {
  const auto side = (size + tile - 1) / tile;
  const auto before = [&](std::int64_t r) { return r * side - r * (r - 1) / 2; };  // tiles above row r
  // The root of before(r) = index, put right where it was rounded.
  const double b = 2.0 * static_cast<double>(side) + 1.0;
  const double root = b * b - 8.0 * static_cast<double>(index);
  auto r = static_cast<std::int64_t>((b - std::sqrt(root > 0 ? root : 0.0)) / 2.0);
  if (r < 0) r = 0;
  if (r > side - 1) r = side - 1;
  while (r > 0 && before(r) > index) --r;
  while (r + 1 < side && before(r + 1) <= index) ++r;
  const auto c = r + (index - before(r));
  const auto rest = [&](std::int64_t first) { return size - first < tile ? size - first : tile; };
  return {r * tile, c * tile, rest(r * tile), rest(c * tile)};
}

}  // namespace miq::detail
