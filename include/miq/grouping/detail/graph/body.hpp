// The square matrices that grouping takes, and the graph of their positive elements: kernel bodies.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <miq/core/detail/upper_tiles.hpp>
#include <miq/core/group.hpp>

namespace miq::grouping::detail {

/// What is wrong with a matrix: numbers of elements.
struct matrix_faults {
  std::int64_t not_finite = 0;
  std::int64_t negative = 0;    ///< counted if asked for
  std::int64_t asymmetric = 0;  ///< i < j that differ from their mirror image
  std::int64_t diagonal = 0;    ///< not zero on the diagonal; counted if asked for

  bool any() const { return not_finite != 0 || negative != 0 || asymmetric != 0 || diagonal != 0; }
};

/// Compares a tile with its mirror image, read row by row into scratch.
struct symmetric_check_body {
  static constexpr int lanes = 256;
  static constexpr float most_finite = std::numeric_limits<float>::max();
  static constexpr std::int64_t tile = 32;

  const float* m = nullptr;  // [n, n]
  std::int64_t leading = 0;
  std::int64_t columns = 0;  // n
  bool negative_allowed = true;
  bool zero_diagonal = false;
  matrix_faults* faults = nullptr;  // holds zeros before

  std::int64_t blocks() const { return miq::detail::upper_tiles(columns, tile); }
  std::int64_t scratch_bytes() const {
    return tile * (tile + 1) * static_cast<std::int64_t>(sizeof(float)) +
           lanes * static_cast<std::int64_t>(sizeof(std::int64_t));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const mirror = reinterpret_cast<float*>(slots + lanes);
    const auto at = miq::detail::upper_tile(block, columns, tile);
    for (std::int64_t k = group.rank(); k < at.columns * at.rows; k += group.size())
      mirror[k / at.rows * (tile + 1) + k % at.rows] = m[(at.column + k / at.rows) * leading + at.row + k % at.rows];
    group.sync();
    std::int64_t not_finite = 0, negative = 0, asymmetric = 0, diagonal = 0;
    const auto look = [&](float value) {
      if (!(std::fabs(value) <= most_finite))
        ++not_finite;
      else if (!negative_allowed && value < 0)
        ++negative;
    };
    for (std::int64_t k = group.rank(); k < at.rows * at.columns; k += group.size()) {
      const auto i = at.row + k / at.columns;
      const auto j = at.column + k % at.columns;
      if (i > j) continue;
      const float value = m[i * leading + j];
      look(value);
      if (i == j) {
        if (zero_diagonal && value != 0) ++diagonal;
        continue;
      }
      const float other = mirror[(j - at.column) * (tile + 1) + (i - at.row)];
      look(other);
      if (value == value && other == other && value != other) ++asymmetric;
    }
    not_finite = sum_over_lanes(group, not_finite, slots);
    negative = sum_over_lanes(group, negative, slots);
    asymmetric = sum_over_lanes(group, asymmetric, slots);
    diagonal = sum_over_lanes(group, diagonal, slots);
    if (group.rank() == 0) {
      if (not_finite != 0) add_atomically(&faults->not_finite, not_finite);
      if (negative != 0) add_atomically(&faults->negative, negative);
      if (asymmetric != 0) add_atomically(&faults->asymmetric, asymmetric);
      if (diagonal != 0) add_atomically(&faults->diagonal, diagonal);
    }
  }
};

/// Sums of rows without their diagonal elements, added in the order of `row_sum` on the host: eight running sums of
/// what is before the diagonal, eight of what is after it. So degrees are the host's to the bit.
struct row_sums_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t running = 8;
  static constexpr std::int64_t rows = lanes / running;  // of a block

  const float* m = nullptr;  // [n, n]
  std::int64_t leading = 0;
  std::int64_t columns = 0;  // n
  double* sums = nullptr;    // [n]

  std::int64_t blocks() const { return (columns + rows - 1) / rows; }
  std::int64_t scratch_bytes() const { return 2 * rows * running * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const before = reinterpret_cast<double*>(scratch);
    auto* const after = before + rows * running;
    const auto first = block * rows;
    const auto height = first + rows < columns ? rows : columns - first;
    for (std::int64_t k = group.rank(); k < height * running; k += group.size()) {
      const auto r = first + k / running;
      const float* const row = m + r * leading;
      double sum = 0;
      for (std::int64_t c = k % running; c < r; c += running) sum += static_cast<double>(row[c]);
      before[k] = sum;
      sum = 0;
      for (std::int64_t c = r + 1 + k % running; c < columns; c += running) sum += static_cast<double>(row[c]);
      after[k] = sum;
    }
    group.sync();
    for (std::int64_t k = group.rank(); k < height; k += group.size())
      sums[first + k] = joined(before + k * running) + joined(after + k * running);
  }

 private:
  MIQ_HOST_DEVICE static double joined(const double* s) {
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
  }
};

/// Largest magnitude of each row.
struct row_maxima_body {
  static constexpr int lanes = 128;

  const float* m = nullptr;  // [n, n]
  std::int64_t leading = 0;
  std::int64_t columns = 0;  // n
  float* maxima = nullptr;   // [n]

  std::int64_t blocks() const { return columns; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(float)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const most = reinterpret_cast<float*>(scratch);
    const float* const row = m + block * leading;
    float seen = 0;
    for (std::int64_t c = group.rank(); c < columns; c += group.size())
      if (std::fabs(row[c]) > seen) seen = std::fabs(row[c]);
    most[group.rank()] = seen;
    group.sync();
    if (group.rank() == 0) {
      for (std::int32_t r = 1; r < group.size(); ++r)
        if (most[r] > seen) seen = most[r];
      maxima[block] = seen;
    }
  }
};

/// For each row, the smallest name among those of itself and the columns with a positive element.
struct smallest_neighbour_body {
  static constexpr int lanes = 128;

  const float* m = nullptr;  // [n, n]
  std::int64_t leading = 0;
  std::int64_t columns = 0;             // n
  const std::int32_t* names = nullptr;  // [n]
  std::int32_t* smallest = nullptr;     // [n]

  std::int64_t blocks() const { return columns; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int32_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const least = reinterpret_cast<std::int32_t*>(scratch);
    const float* const row = m + block * leading;
    auto seen = names[block];
    for (std::int64_t c = group.rank(); c < columns; c += group.size())
      if (row[c] > 0 && names[c] < seen) seen = names[c];
    least[group.rank()] = seen;
    group.sync();
    if (group.rank() == 0) {
      for (std::int32_t r = 1; r < group.size(); ++r)
        if (least[r] < seen) seen = least[r];
      smallest[block] = seen;
    }
  }
};

/// Affinities of the connected columns over the roots of both degrees, zero on the diagonal: symmetric to the bit, and
/// the host's to the bit.
struct normalised_affinity_body {
  static constexpr int lanes = 256;

  const float* affinity = nullptr;
  std::int64_t leading = 0;
  std::int64_t connected_columns = 0;       // m
  const std::int32_t* connected = nullptr;  // [m], the columns
  const double* inverse_root = nullptr;     // [m]
  float* normalised = nullptr;              // [m, m]

  std::int64_t blocks() const { return connected_columns; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t r, std::byte*) const {
    const float* const row = affinity + connected[r] * leading;
    for (std::int64_t c = group.rank(); c < connected_columns; c += group.size())
      normalised[r * connected_columns + c] =
          c == r ? 0.0F
                 : static_cast<float>(static_cast<double>(row[connected[c]]) * (inverse_root[r] * inverse_root[c]));
  }
};

}  // namespace miq::grouping::detail
