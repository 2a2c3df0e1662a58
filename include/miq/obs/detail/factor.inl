#pragma once

#include <algorithm>
#include <bit>
#include <cmath>

#include <Eigen/Cholesky>

#include <miq/core/detail/eigen.hpp>

namespace miq::obs {

namespace detail {

using miq::detail::as_eigen;
using miq::detail::require;
using miq::detail::shape_text;
using block_matrix = miq::detail::row_major_matrix<float>;

/// Columns of one block. Small matrices take narrow blocks, whose unblocked corner steps cost less.
constexpr std::int64_t factor_block(std::int64_t columns) { return columns <= 1536 ? 64 : 128; }

struct factor_scratch {
  explicit factor_scratch(std::int64_t columns)
      : block(factor_block(columns)),
        triangle(layout.add<float>(columns * columns)),
        corners(layout.add<float>((columns + block - 1) / block * block * block)),
        panel(layout.add<float>(columns * block)) {}

  miq::detail::workspace_layout layout;
  std::int64_t block;
  std::int64_t triangle;  // R
  std::int64_t corners;   // inverses of R's diagonal blocks
  std::int64_t panel;     // a column of blocks, before it is multiplied by its corner's inverse
};

/// R of a block: A = R R^T, R upper triangular, through the lower factor of the block seen from its last corner.
/// Returns false if A is not positive definite. `inverse` receives R^-1; both get zeros below the diagonal.
inline bool factor_corner(miq::detail::row_major_map<float> block, Eigen::Ref<block_matrix> inverse) {
  block_matrix flipped = block.selfadjointView<Eigen::Upper>();
  flipped = flipped.reverse().eval();
  const Eigen::LLT<Eigen::Ref<block_matrix>, Eigen::Lower> cholesky(flipped);
  if (cholesky.info() != Eigen::Success) return false;
  // NaN passes the factorisation's own test for a positive pivot.
  if (!(flipped.diagonal().minCoeff() > 0) || !std::isfinite(flipped.diagonal().sum())) return false;
  flipped.triangularView<Eigen::StrictlyUpper>().setZero();
  block = flipped.reverse();
  inverse.setIdentity();
  block.triangularView<Eigen::Upper>().solveInPlace(inverse);
  return true;
}

/// Overwrites the upper triangle of `a` with R, A = R R^T. False if A is not positive definite.
inline bool factor_upper(const host_executor& exec, matrix_view<float> a, float* corners, float* panel_memory,
                         std::int64_t block) {
  const auto n = a.columns();
  const auto blocks = (n + block - 1) / block;
  constexpr std::int64_t tile = 256;
  for (auto b = blocks - 1; b >= 0; --b) {
    const auto first = b * block;
    const auto width = std::min(block, n - first);
    Eigen::Map<block_matrix> inverse(corners + b * block * block, width, width);
    if (!factor_corner(as_eigen(matrix_view<float>(&a(first, first), width, width, a.leading())), inverse))
      return false;
    if (first == 0) break;
    // The blocks above the corner: R_ib = A_ib R_bb^-T.
    const auto tiles = (first + tile - 1) / tile;
    exec.parallel_for(tiles, [&](std::int64_t t) {
      const auto r = t * tile;
      const auto height = std::min(tile, first - r);
      Eigen::Map<block_matrix> before(panel_memory + r * block, height, width);
      auto panel = as_eigen(matrix_view<float>(&a(r, first), height, width, a.leading()));
      before = panel;
      panel.noalias() = before * inverse.transpose();
    });
    // What they take from the rest: A_ij -= R_ib R_jb^T, upper triangle of tiles.
    exec.parallel_for(tiles * (tiles + 1) / 2, [&](std::int64_t index) {
      std::int64_t i = 0;
      for (auto rest = index; rest >= tiles - i; ++i) rest -= tiles - i;
      auto j = index;
      for (std::int64_t k = 0; k < i; ++k) j -= tiles - k;
      j += i;
      const auto height = std::min(tile, first - i * tile);
      const auto breadth = std::min(tile, first - j * tile);
      const auto left = as_eigen(matrix_view<const float>(&a(i * tile, first), height, width, a.leading()));
      const auto right = as_eigen(matrix_view<const float>(&a(j * tile, first), breadth, width, a.leading()));
      as_eigen(matrix_view<float>(&a(i * tile, j * tile), height, breadth, a.leading())).noalias() -=
          left * right.transpose();
    });
  }
  return true;
}

/// U = R^-1, block column by block column: U_ij = -R_ii^-1 sum_{i < k <= j} R_ik U_kj.
inline void invert_upper(const host_executor& exec, matrix_view<const float> r, const float* corners,
                         std::int64_t block, matrix_view<float> upper) {
  const auto n = r.columns();
  const auto blocks = (n + block - 1) / block;
  exec.parallel_for(blocks, [&](std::int64_t index) {
    const auto j = blocks - 1 - index;  // the longest first
    const auto column = j * block;
    const auto width = std::min(block, n - column);
    const auto corner = [&](std::int64_t b) {
      const auto size = std::min(block, n - b * block);
      return Eigen::Map<const block_matrix>(corners + b * block * block, size, size);
    };
    auto whole = as_eigen(matrix_view<float>(&upper(0, column), n, width, upper.leading()));
    whole.bottomRows(n - column).setZero();
    whole.middleRows(column, width) = corner(j);
    block_matrix sum;
    for (auto i = j - 1; i >= 0; --i) {
      const auto row = i * block;
      const auto below = row + block;
      const auto left = as_eigen(matrix_view<const float>(&r(row, below), block, column + width - below, r.leading()));
      sum.noalias() = left * whole.middleRows(below, column + width - below);
      whole.middleRows(row, block).noalias() = corner(i) * -sum;
    }
  });
}

inline void check_factor(matrix_view<const float> hessian, matrix_view<float> upper, const factor_options& options) {
  const auto n = hessian.columns();
  require(n >= 1 && hessian.rows() == n, "factor: hessian must be square and not empty, got ",
          shape_text(hessian.rows(), n));
  require(upper.rows() == n && upper.columns() == n, "factor: upper must be ", shape_text(n, n),
          " like the hessian, got ", shape_text(upper.rows(), upper.columns()));
  require(!miq::detail::overlap(hessian, upper), "factor: upper must not overlap hessian");
  require(options.damping >= 0 && std::isfinite(options.damping), "factor: damping must be finite and at least 0, got ",
          options.damping);
  require(options.attempts >= 1, "factor: attempts must be at least 1, got ", options.attempts);
  for (std::int64_t j = 0; j < n; ++j)
    require(hessian(j, j) >= 0 && std::isfinite(hessian(j, j)), "factor: diagonal entry ", j,
            " of hessian must be finite and not negative, got ", hessian(j, j));
}

inline factor_result factor_on(const host_executor& exec, matrix_view<const float> hessian, matrix_view<float> upper,
                               const factor_options& options, workspace given) {
  check_factor(hessian, upper, options);
  const auto n = hessian.columns();
  const factor_scratch plan(n);
  const miq::detail::scratch_block memory("factor", plan.layout, given, exec.resource());
  const matrix_view<float> triangle(memory.at<float>(plan.triangle), n, n);

  factor_result result;
  double total = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    total += static_cast<double>(hessian(j, j));
    result.dead += hessian(j, j) == 0 ? 1 : 0;
  }
  const double mean = result.dead < n ? total / static_cast<double>(n - result.dead) : 1;
  result.damping = options.damping;
  const auto damped_diagonal = [&](std::int64_t j) {
    const double entry = hessian(j, j) == 0 ? mean : static_cast<double>(hessian(j, j));
    return entry + result.damping * (options.rule == damping_rule::mean_diagonal ? mean : entry);
  };
  for (int attempt = 0;; ++attempt) {
    exec.parallel_for((n + 15) / 16, [&](std::int64_t task) {
      for (auto r = task * 16; r < std::min(n, (task + 1) * 16); ++r) {
        const float* from = &hessian(r, r);
        float* to = &triangle(r, r);
        std::uint32_t largest = 0;
        for (std::int64_t c = 0; c < n - r; ++c) {
          largest = std::max(largest, std::bit_cast<std::uint32_t>(from[c]) & 0x7FFFFFFFU);
          to[c] = from[c];
        }
        if (largest >= 0x7F800000U)
          for (std::int64_t c = 0; c < n - r; ++c)
            require(std::isfinite(from[c]), "factor: hessian must be finite, got ", from[c], " in row ", r, ", column ",
                    r + c);
        // A dead column is independent of the others; entries that rounding left beside a zero diagonal would say not.
        if (hessian(r, r) == 0) std::fill_n(to, n - r, 0.0F);
        to[0] = static_cast<float>(damped_diagonal(r));
        if (result.dead > 0)
          for (auto c = r + 1; c < n; ++c)
            if (hessian(c, c) == 0) triangle(r, c) = 0;
      }
    });
    bool definite =
        factor_upper(exec, triangle, memory.at<float>(plan.corners), memory.at<float>(plan.panel), plan.block);
    // A pivot that is as small as the rounding of its diagonal entry says nothing but that the matrix is singular.
    for (std::int64_t j = 0; definite && j < n; ++j) {
      const auto root = static_cast<double>(triangle(j, j));
      definite = root * root > 0x1.0p-22 * damped_diagonal(j);
    }
    if (definite) break;
    if (attempt + 1 >= options.attempts)
      throw numerical_error(miq::detail::join_message(
          "factor: the hessian of ", n, " columns is not positive definite even with a damping of ", result.damping));
    result.damping = result.damping > 0 ? result.damping * 10 : 1e-4;
    ++result.raised;
  }
  invert_upper(exec, triangle, memory.at<float>(plan.corners), plan.block, upper);
  return result;
}

}  // namespace detail

inline std::int64_t factor_workspace_bytes(std::int64_t columns) {
  return detail::factor_scratch(columns).layout.bytes();
}

template <executor Exec>
factor_result factor(const Exec& exec, matrix_view<const float, memory_of<Exec>> hessian,
                     matrix_view<float, memory_of<Exec>> upper, const factor_options& options, workspace scratch) {
  return detail::factor_on(exec, hessian, upper, options, scratch);
}

}  // namespace miq::obs
