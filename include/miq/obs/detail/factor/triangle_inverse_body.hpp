// The inverse of an upper triangle on a device: leaves on the diagonal by a kernel, all else by products of blocks.
//
// Of two neighbours on the diagonal, with U_i = R_i^-1,
//
//     [ R_1  R_12 ]^-1  =  [ U_1  -U_1 R_12 U_2 ]
//     [       R_2 ]        [            U_2     ]
//
// so that pairs of leaves, then pairs of pairs, ... are joined, all of a level at once by two batched products, in some
// log2(n / 64) levels, where a triangular solver must go through the diagonal block by block. (Method and rounding
// errors: Du Croz and Higham, "Stability of methods for matrix inversion", 1992.) R_12 U_2 goes, transposed, where R is
// 0: no memory besides. Large products are cut into slices, to leave out what is 0: 1/3 n^3 multiply-adds at 2048
// columns, 1/4 n^3 in 16 products at 4096 and 1/5 n^3 in 55 at 13824, of which 1/6 n^3 are needed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <miq/core/detail/operand.hpp>
#include <miq/obs/detail/solver/lane_loops.hpp>

namespace miq::obs::detail {

/// The most columns of a leaf: with its inverse it takes 32 KiB of shared memory in float, 16 KiB in double.
template <class T>
inline constexpr std::int64_t most_leaf_columns = 256 / static_cast<std::int64_t>(sizeof(T));

/// Columns of the leaves of a triangle: doubled often enough they cover it with little left over, and rows of leaves
/// begin at 16 bytes where rows of the matrix do.
template <class T>
constexpr std::int64_t leaf_columns(std::int64_t columns) {
  std::int64_t leaf = columns;
  while (leaf > most_leaf_columns<T>) leaf = (leaf + 1) / 2;
  return (leaf + 3) / 4 * 4;
}

/// Inverts the leaves of an upper triangle. What lies below their diagonal becomes 0.
template <class T>
struct invert_leaves_body {
  static constexpr int lanes = static_cast<int>(most_leaf_columns<T>);
  std::int64_t columns = 0;
  std::int64_t leaf = 0;
  const T* triangle = nullptr;  // [columns, columns]
  T* inverse = nullptr;         // [columns, columns]
  std::int64_t inverse_leading = 0;

  std::int64_t blocks() const { return (columns + leaf - 1) / leaf; }
  std::int64_t scratch_bytes() const { return 2 * leaf * leaf * static_cast<std::int64_t>(sizeof(T)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    T* const r = reinterpret_cast<T*>(scratch);
    T* const u = r + leaf * leaf;
    const auto first = block * leaf;
    const auto size = columns - first < leaf ? columns - first : leaf;
    for_elements(group, size, size, [&](std::int64_t i, std::int64_t j) {
      r[i * leaf + j] = j < i ? T(0) : triangle[(first + i) * columns + first + j];
    });
    group.sync();
    // A column on a lane, from the diagonal upwards: r_ii u_ij = 1_ij - sum of r_ik u_kj over i < k <= j.
    for (std::int64_t j = group.rank(); j < size; j += group.size()) {
      for (auto i = size - 1; i > j; --i) u[i * leaf + j] = 0;
      for (auto i = j; i >= 0; --i) {
        T rest = i == j ? T(1) : T(0);
        for (auto k = i + 1; k <= j; ++k) rest -= r[i * leaf + k] * u[k * leaf + j];
        u[i * leaf + j] = rest / r[i * leaf + i];
      }
    }
    group.sync();
    for_elements(group, size, size, [&](std::int64_t i, std::int64_t j) {
      inverse[(first + i) * inverse_leading + first + j] = u[i * leaf + j];
    });
  }
};

/// Writes 0 left of the leaves.
template <class T>
struct clear_left_of_leaves_body {
  static constexpr int lanes = 256;
  std::int64_t columns = 0;
  std::int64_t leaf = 0;
  T* inverse = nullptr;
  std::int64_t inverse_leading = 0;

  std::int64_t blocks() const { return blocks_of_rows(columns, columns); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto each = rows_of_block(columns, columns);
    const auto last = columns < (block + 1) * each ? columns : (block + 1) * each;
    for (auto r = block * each; r < last; ++r)
      for (std::int64_t c = group.rank(); c < r / leaf * leaf; c += group.size()) inverse[r * inverse_leading + c] = 0;
  }
};

/// Rows of a large product that are computed to the same depth, where their triangle is not 0.
inline constexpr std::int64_t triangle_slice = 1024;

/// Joins `count` pairs of neighbours of `left` and `right` columns, the first at column `first`, `2 left` apart.
template <class T, class Machine>
void enqueue_join(const Machine& machine, const char* name, std::int64_t n, std::int64_t first, std::int64_t left,
                  std::int64_t right, std::int64_t count, T* triangle, T* inverse, std::int64_t leading,
                  std::int64_t slice) {
  using miq::detail::operand;
  const auto stride = 2 * left * (n + 1);
  const auto inverse_stride = 2 * left * (leading + 1);
  const auto second = first + left;
  T* const product = triangle + second * n + first;  // (R_12 U_2)^T, [right, left]
  const T* const corner = triangle + first * n + second;
  for (std::int64_t row = 0; row < right; row += slice) {
    const auto rows = std::min(slice, right - row);
    machine.multiply_many(name, count, operand::transposed, operand::transposed, rows, left, row + rows, T(1),
                          inverse + second * leading + second + row, leading, inverse_stride, corner, n, stride,
                          product + row * n, n, stride);
  }
  for (std::int64_t row = 0; row < left; row += slice) {
    const auto rows = std::min(slice, left - row);
    machine.multiply_many(name, count, operand::as_is, operand::transposed, rows, right, left - row, T(-1),
                          inverse + (first + row) * leading + first + row, leading, inverse_stride, product + row, n,
                          stride, inverse + (first + row) * leading + second, leading, inverse_stride);
  }
}

/// `inverse` receives R^-1, below its diagonal 0. R is the upper triangle of `triangle` [n, n]; what lies below is used
/// as scratch.
template <class T, class Machine>
void enqueue_triangle_inverse(const Machine& machine, const char* name, std::int64_t n, T* triangle, T* inverse,
                              std::int64_t leading, std::int64_t slice = triangle_slice) {
  const auto leaf = leaf_columns<T>(n);
  machine.launch(name, clear_left_of_leaves_body<T>{n, leaf, inverse, leading});
  machine.launch(name, invert_leaves_body<T>{n, leaf, triangle, inverse, leading});
  for (auto size = leaf; size < n; size *= 2) {
    const auto pairs = n / (2 * size);
    if (pairs > 0) enqueue_join(machine, name, n, 0, size, size, pairs, triangle, inverse, leading, slice);
    const auto rest = n - pairs * 2 * size - size;  // columns of a last, smaller neighbour
    if (rest > 0) enqueue_join(machine, name, n, pairs * 2 * size, size, rest, 1, triangle, inverse, leading, slice);
  }
}

}  // namespace miq::obs::detail
