// One tile of a symmetric matrix, written by the lanes of a group to both places.
#pragma once

#include <cstdint>

#include <miq/core/detail/upper_tiles.hpp>
#include <miq/core/group.hpp>

namespace miq::information::detail {

/// Floats of scratch for a tile of `side` rows and columns.
constexpr std::int64_t symmetric_tile_floats(std::int64_t side) { return side * (side + 1); }

/// Writes `value(i, j)` for all i < j of a tile on or above the diagonal to (i, j) and (j, i), and 0 on the diagonal.
/// Each is computed once; the mirrored ones go through scratch, so that both are written row by row. Synchronises.
template <class Group, class Value>
MIQ_HOST_DEVICE void write_symmetric_tile(const Group& group, const miq::detail::tile_place& at, std::int64_t side,
                                          float* scratch, float* out, std::int64_t leading, const Value& value) {
  for (std::int64_t k = group.rank(); k < at.rows * at.columns; k += group.size()) {
    const auto i = at.row + k / at.columns;
    const auto j = at.column + k % at.columns;
    if (i > j) continue;
    const float v = i < j ? value(i, j) : 0.0F;
    out[i * leading + j] = v;
    scratch[(i - at.row) * (side + 1) + (j - at.column)] = v;
  }
  group.sync();
  for (std::int64_t k = group.rank(); k < at.rows * at.columns; k += group.size()) {
    const auto i = at.row + k % at.rows;
    const auto j = at.column + k / at.rows;
    if (i < j) out[j * leading + i] = scratch[(i - at.row) * (side + 1) + (j - at.column)];
  }
}

}  // namespace miq::information::detail
