// The block eigensolver on a machine: long vectors and their products there, small matrices on the host.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <miq/core/detail/machine.hpp>
#include <miq/core/workspace.hpp>
#include <miq/grouping/detail/eigenpairs/body.hpp>
#include <miq/grouping/detail/eigenpairs/host.inl>
#include <miq/grouping/detail/graph/body.hpp>

namespace miq::grouping::detail {

using miq::detail::place;

using miq::detail::operand;

/// The memory of `largest_eigenpairs_on_machine`.
struct eigenpairs_layout {
  miq::detail::workspace_layout layout;
  krylov_shape shape;
  std::int64_t tile = 0, tiles = 0;  ///< of the rows, for sums over all of them
  std::int64_t maxima = 0, basis = 0, spare = 0, next = 0, partial = 0, sums = 0, factors = 0;

  eigenpairs_layout(std::int64_t n, std::int64_t count, std::int64_t dense_up_to)
      : shape(krylov_shape_for(n, count, dense_up_to)) {
    maxima = layout.add<float>(n);
    if (shape.block == 0) return;
    tile = sum_tile(n);
    tiles = (n + tile - 1) / tile;
    basis = layout.add<float>(n * shape.basis);
    spare = layout.add<float>(n * shape.basis);
    next = layout.add<float>(n * shape.block);
    partial = layout.add<float>(tiles * shape.basis * shape.block);
    sums = layout.add<double>(shape.basis * shape.block);
    factors = layout.add<float>(shape.basis * shape.basis);
  }
};

/// The memory of a call that checks the matrix first.
struct eigenpairs_call_layout {
  miq::detail::workspace_layout layout;
  std::int64_t faults, iteration;

  eigenpairs_call_layout(std::int64_t n, std::int64_t count, std::int64_t dense_up_to) {
    faults = layout.add<matrix_faults>(1);
    iteration = layout.add<std::byte>(eigenpairs_layout(n, count, dense_up_to).layout.bytes());
  }
};

/// `host_krylov_space` in a machine's memory. Sums over rows are cut as on the host.
template <class Machine>
class machine_krylov_space {
 public:
  machine_krylov_space(const Machine& machine, const float* symmetric, std::int64_t leading, std::int64_t n,
                       float scale, const eigenpairs_layout& at, std::uint64_t seed, std::byte* scratch)
      : machine_(machine),
        symmetric_(symmetric),
        leading_(leading),
        n_(n),
        scale_(scale),
        block_(at.shape.block),
        most_(at.shape.basis),
        tile_(at.tile),
        tiles_(at.tiles),
        basis_(place<float>(scratch, at.basis)),
        spare_(place<float>(scratch, at.spare)),
        next_(place<float>(scratch, at.next)),
        partial_(place<float>(scratch, at.partial)),
        sums_(place<double>(scratch, at.sums)),
        factors_(place<float>(scratch, at.factors)),
        random_(seed) {}

  void fill_at_random(std::int64_t count) {
    if (count == 0) return;
    machine_.launch("largest_eigenpairs: random vectors",
                    random_columns_body{random_, 1.0 / std::sqrt(static_cast<double>(n_)), n_, count, next_, block_});
    random_.skip(2 * static_cast<std::uint64_t>(n_ * count));
  }
  Eigen::MatrixXd inside(std::int64_t size) { return inner_products(basis_, most_, size); }
  Eigen::MatrixXd gram() { return inner_products(next_, block_, block_); }
  void leave_basis(std::int64_t size, const Eigen::MatrixXd& inside) {
    combine(basis_, most_, size, inside, -1.0F, 1.0F, next_, block_);
  }
  void rotate_next(const Eigen::MatrixXd& factors) {
    combine(next_, block_, block_, factors, 1.0F, 0.0F, spare_, most_);
    machine_.launch("largest_eigenpairs: next block", copy_columns_body{spare_, most_, n_, block_, next_, block_});
  }
  void append_next(std::int64_t size) {
    machine_.launch("largest_eigenpairs: longer basis",
                    copy_columns_body{next_, block_, n_, block_, basis_ + size, most_});
  }
  void multiply_last(std::int64_t size) { product(basis_ + size - block_, most_, block_, next_, block_); }
  void rotate_basis(std::int64_t size, const Eigen::MatrixXd& factors) {
    combine(basis_, most_, size, factors, 1.0F, 0.0F, spare_, most_);
    std::swap(basis_, spare_);
  }
  /// Vectors and images go to the host, where the quotients and residuals are taken.
  eigenpairs_result measured(std::int64_t size, const Eigen::MatrixXd& factors, double norm) {
    const auto count = factors.cols();
    combine(basis_, most_, size, factors, 1.0F, 0.0F, spare_, count);
    product(spare_, count, count, next_, count);
    matrix<float> vectors(n_, count), images(n_, count);
    machine_.fetch(spare_, n_ * count, vectors.data());
    machine_.fetch(next_, n_ * count, images.data());
    const host_executor host({.threads = 1});
    return pairs_of_images(host, images, scale_, norm, vectors);
  }

 private:
  void product(const float* vectors, std::int64_t vectors_leading, std::int64_t count, float* out,
               std::int64_t out_leading) {
    machine_.multiply("largest_eigenpairs: product", operand::as_is, operand::as_is, n_, count, n_, scale_, symmetric_,
                      leading_, vectors, vectors_leading, 0.0F, out, out_leading);
  }

  /// a^T next, for a of `p` vectors.
  Eigen::MatrixXd inner_products(const float* a, std::int64_t a_leading, std::int64_t p) {
    const auto whole = n_ / tile_, rest = n_ % tile_, size = p * block_;
    machine_.multiply_many("largest_eigenpairs: products", whole, operand::transposed, operand::as_is, p, block_, tile_,
                           1.0F, a, a_leading, tile_ * a_leading, next_, block_, tile_ * block_, partial_, block_,
                           size);
    if (rest > 0)
      machine_.multiply("largest_eigenpairs: product", operand::transposed, operand::as_is, p, block_, rest, 1.0F,
                        a + whole * tile_ * a_leading, a_leading, next_ + whole * tile_ * block_, block_, 0.0F,
                        partial_ + whole * size, block_);
    machine_.launch("largest_eigenpairs: sums of tiles", sum_tiles_body{partial_, tiles_, size, sums_});
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> result(p, block_);
    machine_.fetch(sums_, size, result.data());
    return result;
  }

  /// out = sign * a * factors + keep * out
  void combine(const float* a, std::int64_t a_leading, std::int64_t size, const Eigen::MatrixXd& factors, float sign,
               float keep, float* out, std::int64_t out_leading) {
    const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rounded = factors.cast<float>();
    machine_.store(rounded.data(), rounded.size(), factors_);
    machine_.multiply("largest_eigenpairs: product", operand::as_is, operand::as_is, n_, rounded.cols(), size, sign, a,
                      a_leading, factors_, rounded.cols(), keep, out, out_leading);
  }

  const Machine& machine_;
  const float* symmetric_;
  std::int64_t leading_, n_;
  float scale_;
  std::int64_t block_, most_, tile_, tiles_;
  float* basis_;    // [n, most]
  float* spare_;    // [n, most]
  float* next_;     // [n, block]
  float* partial_;  // [tiles, most * block]
  double* sums_;    // [most * block]
  float* factors_;  // [most, most]
  random_stream random_;
};

/// Without the checks of the matrix.
/// @param symmetric  [n, n] in the machine's memory
/// @param scratch    `eigenpairs_layout(n, count, options.dense_up_to).layout.bytes()` bytes there, aligned
template <class Machine>
eigenpairs_result largest_eigenpairs_on_machine(const Machine& machine, const float* symmetric, std::int64_t leading,
                                                std::int64_t n, int count, const eigenpairs_options& options,
                                                std::byte* scratch) {
  const eigenpairs_layout at(n, count, options.dense_up_to);
  eigenpairs_result result;
  int products = 0;
  if (at.shape.block > 0) {
    auto* const maxima = place<float>(scratch, at.maxima);
    machine.launch("largest_eigenpairs: largest elements", row_maxima_body{symmetric, leading, n, maxima});
    std::vector<float> most(static_cast<std::size_t>(n));
    machine.fetch(maxima, n, most.data());
    machine_krylov_space<Machine> space(machine, symmetric, leading, n,
                                        scale_for(*std::max_element(most.begin(), most.end())), at, options.seed,
                                        scratch);
    if (iterate_in(space, count, at.shape, options, result, products)) {
      conclude_pairs(result, products, options);
      return result;
    }
  }
  // The dense solver is the host's.
  matrix<float> copy(n, n);
  machine.fetch_rows(symmetric, leading, n, n, copy.data());
  const host_executor host;
  result = dense_eigenpairs(host, copy.view(), count, power_of_two_scale(host, copy.view()));
  if (at.shape.block > 0) result.solver = eigen_solver::fallback;
  conclude_pairs(result, products, options);
  return result;
}

}  // namespace miq::grouping::detail
