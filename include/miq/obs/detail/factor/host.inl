#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include <miq/core/detail/eigen.hpp>
#include <miq/core/matrix.hpp>
#include <miq/obs/detail/factor/checks.hpp>
#include <miq/obs/detail/solver/damping.hpp>
#include <miq/obs/factor.hpp>

namespace miq::obs {

namespace detail {

using miq::detail::as_eigen;
using miq::detail::require;
using miq::detail::row_major_map;
using miq::detail::shape_text;

/// Columns of a leaf, which is factored and inverted element by element.
inline constexpr std::int64_t factor_leaf = 48;
/// Columns of a block of leaves: the depth of the update that it leaves to the columns before it, and the rows and
/// columns of a task's tile.
inline constexpr std::int64_t factor_block = 4 * factor_leaf;
template <class T>
using leaf_matrix = Eigen::Matrix<T, factor_leaf, factor_leaf, Eigen::RowMajor>;

/// Elements of the inverses of a triangle's leaves.
constexpr std::int64_t corner_elements(std::int64_t columns) {
  return (columns + factor_leaf - 1) / factor_leaf * factor_leaf * factor_leaf;
}

struct factor_scratch {
  explicit factor_scratch(std::int64_t columns)
      : triangle(layout.add<float>(columns * columns)),
        corners(layout.add<float>(corner_elements(columns))),
        pivots(layout.add<float>(columns)) {}

  miq::detail::workspace_layout layout;
  std::int64_t triangle;  // R
  std::int64_t corners;   // inverses of R's leaves on the diagonal
  std::int64_t pivots;    // the smallest pivot that counts, of each column
};

/// R while it is built: the upper triangle of `a` becomes R, `a = R R^T`.
template <class T>
struct triangle_factor {
  matrix_view<T> a;
  T* corner_memory;
  const T* pivots;

  row_major_map<T> part(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) const {
    return as_eigen(matrix_view<T>(&a(row, column), rows, columns, a.leading()));
  }
  std::int64_t leaf_columns(std::int64_t first) const { return std::min(factor_leaf, a.columns() - first); }
  /// R^-1 of the leaf whose first column is `first`.
  row_major_map<T> corner(std::int64_t first) const {
    const auto size = leaf_columns(first);
    return as_eigen(matrix_view<T>(corner_memory + first * factor_leaf, size, size, factor_leaf));
  }

  /// Factors a leaf and inverts its R. False if a pivot is too small.
  bool factor_leaf_at(std::int64_t first) const {
    const auto size = leaf_columns(first);
    leaf_matrix<T> s = leaf_matrix<T>::Zero();  // the lower triangle of the leaf
    for (std::int64_t i = 0; i < size; ++i)
      for (std::int64_t j = i; j < size; ++j) s(j, i) = a(first + i, first + j);
    T scale[factor_leaf];
    for (auto k = size - 1; k >= 0; --k) {
      const T pivot = s(k, k);
      if (!(pivot > pivots[first + k]) || !std::isfinite(pivot)) return false;
      const T root = std::sqrt(pivot);
      scale[k] = 1 / root;
      // Row k becomes column k of R; what is left loses its outer product. Whole rows, so that lengths are fixed: what
      // lies right of the diagonal is never read.
      s.row(k) *= scale[k];
      s(k, k) = root;
      for (std::int64_t i = 0; i < k; ++i) s.row(i) -= s(k, i) * s.row(k);
    }
    // R^T x = e_i row by row: the rows of (R^-1)^T.
    leaf_matrix<T> inverse = leaf_matrix<T>::Zero();
    for (std::int64_t i = 0; i < size; ++i) {
      Eigen::Matrix<T, 1, factor_leaf> row = Eigen::Matrix<T, 1, factor_leaf>::Zero();
      for (std::int64_t k = 0; k < i; ++k) row -= s(i, k) * inverse.row(k);
      row(i) = 1;
      inverse.row(i) = row * scale[i];
    }
    auto out = corner(first);
    for (std::int64_t i = 0; i < size; ++i)
      for (std::int64_t j = 0; j < size; ++j) {
        out(i, j) = inverse(j, i);
        if (j >= i) a(first + i, first + j) = s(j, i);
      }
    return true;
  }

  /// R of `rows` rows from `row` on, in the columns of a block that is factored already: leaf by leaf, from the last
  /// one on, R_l = (A_l - sum of R_m R_lm^T over the leaves m behind l) R_ll^-T.
  void solve_rows(std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t last) const {
    Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor, factor_block, factor_leaf> before;
    for (auto leaf = first + (last - first - 1) / factor_leaf * factor_leaf; leaf >= first; leaf -= factor_leaf) {
      const auto columns = leaf_columns(leaf);
      const auto behind = leaf + columns;
      auto mine = part(row, rows, leaf, columns);
      before = mine;
      if (behind < last)
        before.noalias() -=
            part(row, rows, behind, last - behind) * part(leaf, columns, behind, last - behind).transpose();
      mine.noalias() = before * corner(leaf).transpose();
    }
  }

  /// Factors the block of columns `first` to `last` on the diagonal.
  bool factor_block_at(std::int64_t first, std::int64_t last) const {
    for (auto leaf = first + (last - first - 1) / factor_leaf * factor_leaf; leaf >= first; leaf -= factor_leaf) {
      const auto columns = leaf_columns(leaf);
      if (!factor_leaf_at(leaf)) return false;
      if (leaf == first) break;
      solve_rows(first, leaf - first, leaf, leaf + columns);
      const auto panel = part(first, leaf - first, leaf, columns);
      part(first, leaf - first, first, leaf - first).noalias() -= panel * panel.transpose();
    }
    return true;
  }
};

/// Overwrites the upper triangle with R. False if it is not positive definite.
template <class T>
bool factor_upper(const host_executor& exec, const triangle_factor<T>& r) {
  const auto n = r.a.columns();
  for (auto first = (n - 1) / factor_block * factor_block; first >= 0; first -= factor_block) {
    const auto last = std::min(n, first + factor_block);
    if (!r.factor_block_at(first, last)) return false;
    constexpr std::int64_t rows = factor_block / 2;
    exec.parallel_for(first / rows, [&](std::int64_t task) { r.solve_rows(task * rows, rows, first, last); });
    // What that takes from the columns before: the upper triangle of tiles, A_ij -= R_i R_j^T.
    const auto tiles = first / factor_block;
    exec.parallel_for(tiles * (tiles + 1) / 2, [&](std::int64_t task) {
      std::int64_t i = 0;
      auto j = task;
      for (; j >= tiles - i; ++i) j -= tiles - i;
      j += i;
      r.part(i * factor_block, factor_block, j * factor_block, factor_block).noalias() -=
          r.part(i * factor_block, factor_block, first, last - first) *
          r.part(j * factor_block, factor_block, first, last - first).transpose();
    });
  }
  return true;
}

/// U = R^-1, a few columns a task, from the diagonal upwards: U_i = R_ii^-1 (I_i - sum of R_ik U_k over i < k).
template <class T>
void invert_upper(const host_executor& exec, const triangle_factor<T>& r, matrix_view<T> upper) {
  const auto n = r.a.columns();
  const auto width = n < 8 * factor_block ? factor_block / 2 : factor_block;
  const auto tasks = (n + width - 1) / width;
  exec.parallel_for(tasks, [&](std::int64_t task) {
    const auto column = (tasks - 1 - task) * width;  // the longest first
    const auto columns = std::min(width, n - column);
    const auto rows_of_upper = [&](std::int64_t row, std::int64_t rows) {
      return as_eigen(matrix_view<T>(&upper(row, column), rows, columns, upper.leading()));
    };
    const auto bottom = column + columns;
    for (auto row = bottom; row < n; ++row) std::fill_n(&upper(row, column), columns, T(0));
    Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor, factor_leaf, factor_block> sum;
    for (auto block = (bottom - 1) / factor_block * factor_block; block >= 0; block -= factor_block) {
      const auto block_end = std::min(bottom, block + factor_block);
      // What the rows below the block take from it, at once.
      if (block_end == bottom)
        rows_of_upper(block, block_end - block).setZero();
      else
        rows_of_upper(block, block_end - block).noalias() =
            r.part(block, block_end - block, block_end, bottom - block_end) *
            rows_of_upper(block_end, bottom - block_end);
      for (auto leaf = block + (block_end - block - 1) / factor_leaf * factor_leaf; leaf >= block;
           leaf -= factor_leaf) {
        const auto rows = r.leaf_columns(leaf);
        const auto below = leaf + rows;
        auto mine = rows_of_upper(leaf, rows);
        if (leaf >= column) {
          mine.middleCols(leaf - column, rows) = r.corner(leaf);
          if (below < bottom) {
            sum.noalias() = r.part(leaf, rows, below, bottom - below) *
                            rows_of_upper(below, bottom - below).rightCols(bottom - below);
            mine.rightCols(bottom - below).noalias() = r.corner(leaf) * -sum;
          }
        } else {
          sum = mine;
          if (below < block_end)
            sum.noalias() += r.part(leaf, rows, below, block_end - below) * rows_of_upper(below, block_end - below);
          mine.noalias() = r.corner(leaf) * -sum;
        }
      }
    }
  });
}

/// Writes the damped matrix into the upper triangle that is to become R, and the smallest pivots.
template <class T>
void prepare_triangle(const host_executor& exec, matrix_view<const float> hessian, const damped_diagonal& diagonal,
                      double damping, matrix_view<T> triangle, T* pivots) {
  const auto n = hessian.columns();
  exec.parallel_for((n + 15) / 16, [&](std::int64_t task) {
    for (auto r = task * 16; r < std::min(n, (task + 1) * 16); ++r) {
      const float* from = &hessian(r, r);
      T* to = &triangle(r, r);
      std::uint32_t largest = 0;
      for (std::int64_t c = 0; c < n - r; ++c) {
        largest = std::max(largest, std::bit_cast<std::uint32_t>(from[c]) & 0x7FFFFFFFU);
        to[c] = static_cast<T>(from[c]);
      }
      if (largest >= 0x7F800000U)
        for (std::int64_t c = 0; c < n - r; ++c)
          require(std::isfinite(from[c]), "factor: hessian must be finite, got ", from[c], " in row ", r, ", column ",
                  r + c);
      // A dead column is independent of the others; entries that rounding left beside a zero diagonal would say not.
      if (diagonal.is_dead(r)) std::fill_n(to, n - r, T(0));
      to[0] = static_cast<T>(diagonal(r, damping));
      pivots[r] = static_cast<T>(smallest_pivot<T> * diagonal(r, damping));
      // What lies left of the diagonal inside a block takes part in products whose result is not read.
      const auto left = r % factor_block;
      std::fill_n(to - left, left, T(0));
      if (diagonal.dead() > 0)
        for (auto c = r + 1; c < n; ++c)
          if (diagonal.is_dead(c)) triangle(r, c) = 0;
    }
  });
}

/// The same factor in double, for matrices that float finds indefinite by rounding alone. False, and `upper` as it was,
/// if double does not find it positive definite either, or float cannot hold U.
template <on_host Exec>
bool factor_in_double(const Exec& exec, matrix_view<const float> hessian, const damped_diagonal& diagonal,
                      double damping, matrix_view<float> upper) {
  const auto n = hessian.columns();
  matrix<double> triangle(n, n, exec.resource()), corners(1, corner_elements(n), exec.resource()),
      pivots(1, n, exec.resource());
  prepare_triangle(exec, hessian, diagonal, damping, triangle.view(), pivots.data());
  const triangle_factor<double> whole{triangle.view(), corners.data(), pivots.data()};
  if (!factor_upper(exec, whole)) return false;
  matrix<double> inverse(n, n, exec.resource());
  invert_upper(exec, whole, inverse.view());
  for (std::int64_t k = 0; k < inverse.size(); ++k)
    if (!(std::abs(inverse.data()[k]) <= static_cast<double>(std::numeric_limits<float>::max()))) return false;
  as_eigen(upper) = as_eigen(matrix_view<const double>(inverse.view())).cast<float>();
  return true;
}

template <on_host Exec>
factor_result factor_on(const Exec& exec, matrix_view<const float> hessian, matrix_view<float> upper,
                        const factor_options& options, workspace given) {
  check_factor_shapes(hessian, upper, options);
  check_hessian("factor", hessian);
  const auto n = hessian.columns();
  const factor_scratch plan(n);
  const miq::detail::scratch_block memory("factor", plan.layout, given, exec.resource());
  const matrix_view<float> triangle(memory.at<float>(plan.triangle), n, n);
  auto* pivots = memory.at<float>(plan.pivots);
  const triangle_factor<float> whole{triangle, memory.at<float>(plan.corners), pivots};

  const damped_diagonal diagonal(hessian, options.rule);
  factor_result result;
  result.dead = diagonal.dead();
  result.damping = options.damping;
  for (int attempt = 0;; ++attempt) {
    prepare_triangle(exec, hessian, diagonal, result.damping, triangle, pivots);
    if (factor_upper(exec, whole)) break;
    if (factor_in_double(exec, hessian, diagonal, result.damping, upper)) {
      result.in_double = true;
      return result;
    }
    if (attempt + 1 >= options.attempts) throw_not_positive(n, result.damping);
    result.damping = raised_damping(result.damping);
    ++result.raised;
  }
  invert_upper(exec, whole, upper);
  return result;
}

}  // namespace detail

MIQ_API std::int64_t factor_workspace_bytes(std::int64_t columns) {
  return detail::factor_scratch(columns).layout.bytes();
}

template <executor Exec>
factor_result factor(const Exec& exec, matrix_view<const float, memory_of<Exec>> hessian,
                     matrix_view<float, memory_of<Exec>> upper, const factor_options& options, workspace scratch) {
  return detail::factor_on(exec, hessian, upper, options, scratch);
}

}  // namespace miq::obs
