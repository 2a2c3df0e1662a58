#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory_resource>
#include <numeric>
#include <utility>

#include <miq/core/detail/matrix_product.hpp>
#include <miq/core/random.hpp>
#include <miq/grouping/detail/eigenpairs/dense_solver.hpp>
#include <miq/grouping/detail/graph/checks.hpp>
#include <miq/grouping/eigenpairs.hpp>

namespace miq::grouping {
namespace detail {

using miq::detail::eigen_on_one_thread;
using miq::detail::multiply_add;
using miq::detail::operand;
inline namespace MIQ_INSTRUCTION_SET {

// Tiles of the n rows, by n alone: products of the matrix are cut into `product_tile` rows; sums over all n rows into
// at most 32 tiles, summed in single precision inside a tile (by the product kernel) and in double precision across.
constexpr std::int64_t product_tile = 128;
inline std::int64_t sum_tile(std::int64_t n) { return std::max<std::int64_t>(256, (n + 31) / 32); }

/// out = scale * symmetric * block
template <on_host Exec>
void product(const Exec& exec, matrix_view<const float> symmetric, float scale, matrix_view<const float> block,
             matrix_view<float> out) {
  const std::int64_t n = symmetric.rows();
  exec.parallel_for((n + product_tile - 1) / product_tile, [&](std::int64_t t) {
    const std::int64_t first = t * product_tile;
    const std::int64_t rows = std::min(product_tile, n - first);
    for (std::int64_t r = first; r < first + rows; ++r) std::fill_n(&out(r, 0), out.columns(), 0.0F);
    multiply_add<operand::as_is, operand::as_is>(rows, out.columns(), n, scale, &symmetric(first, 0),
                                                 symmetric.leading(), block.data(), block.leading(), &out(first, 0),
                                                 out.leading());
  });
}

/// a^T b in double precision, for a [n, p] and b [n, q].
template <on_host Exec>
Eigen::MatrixXd inner_products(const Exec& exec, matrix_view<const float> a, matrix_view<const float> b,
                               matrix<float>& scratch) {
  const std::int64_t n = a.rows(), p = a.columns(), q = b.columns(), tile = sum_tile(n);
  const std::int64_t tiles = (n + tile - 1) / tile;
  if (scratch.size() < tiles * p * q) scratch = matrix<float>(tiles, p * q, exec.resource());
  float* partial = scratch.data();
  exec.parallel_for(tiles, [&](std::int64_t t) {
    const std::int64_t first = t * tile;
    float* sums = partial + t * p * q;
    std::fill_n(sums, p * q, 0.0F);
    multiply_add<operand::transposed, operand::as_is>(p, q, std::min(tile, n - first), 1.0F, &a(first, 0), a.leading(),
                                                      &b(first, 0), b.leading(), sums, q);
  });
  Eigen::MatrixXd result(p, q);
  exec.parallel_for((p + 15) / 16, [&](std::int64_t t) {
    for (std::int64_t i = t * 16; i < std::min(p, t * 16 + 16); ++i)
      for (std::int64_t j = 0; j < q; ++j) {
        double sum = 0;
        for (std::int64_t s = 0; s < tiles; ++s) sum += static_cast<double>(partial[(s * p + i) * q + j]);
        result(i, j) = sum;
      }
  });
  return result;
}

/// out (+)= sign * a * factors, for a [n, p] and factors [p, q] rounded to single precision.
template <on_host Exec>
void combine(const Exec& exec, matrix_view<const float> a, const Eigen::MatrixXd& factors, float sign, bool keep,
             matrix_view<float> out) {
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rounded = factors.cast<float>();
  const std::int64_t n = a.rows();
  exec.parallel_for((n + product_tile - 1) / product_tile, [&](std::int64_t t) {
    const std::int64_t first = t * product_tile;
    const std::int64_t rows = std::min(product_tile, n - first);
    if (!keep)
      for (std::int64_t r = first; r < first + rows; ++r) std::fill_n(&out(r, 0), out.columns(), 0.0F);
    multiply_add<operand::as_is, operand::as_is>(rows, rounded.cols(), rounded.rows(), sign, &a(first, 0), a.leading(),
                                                 rounded.data(), rounded.cols(), &out(first, 0), out.leading());
  });
}

inline matrix_view<float> columns_of(matrix<float>& m, std::int64_t first, std::int64_t count) {
  return {m.data() + first, m.rows(), count, m.columns()};
}

/// Rayleigh quotients of the columns of `vectors` and the largest residual norm, from their images under the scaled
/// matrix; puts the pairs in descending order of the quotients and fixes signs.
template <on_host Exec>
eigenpairs_result pairs_of_images(const Exec& exec, matrix_view<const float> images, float scale, double norm,
                                  matrix_view<const float> vectors) {
  const std::int64_t n = vectors.rows(), count = vectors.columns();
  // Each column's sums in one fixed order of rows.
  std::vector<double> quotients(static_cast<std::size_t>(count)), residuals(static_cast<std::size_t>(count));
  std::vector<float> signs(static_cast<std::size_t>(count));
  constexpr std::int64_t strip = 16;  // columns, a cache line
  exec.parallel_for((count + strip - 1) / strip, [&](std::int64_t t) {
    const std::int64_t first = t * strip, width = std::min(strip, count - first);
    double square[strip] = {}, inner[strip] = {}, rest[strip] = {};
    float largest[strip] = {}, sign[strip];
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t j = 0; j < width; ++j) {
        const float v = vectors(r, first + j);
        square[j] += static_cast<double>(v) * static_cast<double>(v);
        inner[j] += static_cast<double>(v) * static_cast<double>(images(r, first + j));
        if (r == 0 || std::abs(v) > largest[j]) {
          largest[j] = std::abs(v);
          sign[j] = v < 0 ? -1.0F : 1.0F;
        }
      }
    for (std::int64_t j = 0; j < width; ++j) inner[j] /= square[j];
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t j = 0; j < width; ++j) {
        const double left =
            static_cast<double>(images(r, first + j)) - inner[j] * static_cast<double>(vectors(r, first + j));
        rest[j] += left * left;
      }
    for (std::int64_t j = 0; j < width; ++j) {
      const auto at = static_cast<std::size_t>(first + j);
      quotients[at] = inner[j];
      residuals[at] = std::sqrt(rest[j] / square[j]);
      signs[at] = sign[j];
    }
  });
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return quotients[static_cast<std::size_t>(a)] > quotients[static_cast<std::size_t>(b)];
  });
  eigenpairs_result result;
  result.vectors = matrix<float>(n, count);
  for (const auto from : order)
    result.values.push_back(static_cast<float>(quotients[static_cast<std::size_t>(from)] / static_cast<double>(scale)));
  for (std::int64_t r = 0; r < n; ++r)
    for (std::int64_t j = 0; j < count; ++j) {
      const auto from = order[static_cast<std::size_t>(j)];
      result.vectors(r, j) = signs[static_cast<std::size_t>(from)] * vectors(r, from);
    }
  const double worst = *std::max_element(residuals.begin(), residuals.end());
  result.residual = norm > 0 ? static_cast<float>(worst / norm) : 0.0F;
  return result;
}

/// The same, from a fresh product.
template <on_host Exec>
eigenpairs_result measured_pairs(const Exec& exec, matrix_view<const float> symmetric, float scale, double norm,
                                 const matrix<float>& vectors) {
  matrix<float> images(vectors.rows(), vectors.columns(), exec.resource());
  product(exec, symmetric, scale, vectors, images);
  return pairs_of_images(exec, images, scale, norm, vectors);
}

/// The power of two that brings a largest element to [1/2, 1), so that squares neither overflow nor vanish.
inline float scale_for(float most) {
  if (most == 0) return 1.0F;
  int exponent = 0;
  std::frexp(most, &exponent);
  return std::ldexp(1.0F, std::clamp(-exponent, -126, 126));
}

template <on_host Exec>
float power_of_two_scale(const Exec& exec, matrix_view<const float> symmetric) {
  const std::int64_t n = symmetric.rows();
  std::vector<float> largest(static_cast<std::size_t>((n + 63) / 64), 0.0F);
  exec.parallel_for((n + 63) / 64, [&](std::int64_t t) {
    float seen = 0;
    for (std::int64_t r = t * 64; r < std::min(n, t * 64 + 64); ++r) {
      const float* row = symmetric.data() + r * symmetric.leading();
      for (std::int64_t c = 0; c < n; ++c) seen = std::max(seen, std::abs(row[c]));
    }
    largest[static_cast<std::size_t>(t)] = seen;
  });
  return scale_for(*std::max_element(largest.begin(), largest.end()));
}

template <on_host Exec>
eigenpairs_result dense_eigenpairs(const Exec& exec, matrix_view<const float> symmetric, int count, float scale) {
  const std::int64_t n = symmetric.rows();
  const eigen_on_one_thread guard;
  Eigen::MatrixXd copy(n, n);
  for (std::int64_t r = 0; r < n; ++r)
    for (std::int64_t c = 0; c < n; ++c) copy(c, r) = static_cast<double>(symmetric(r, c)) * static_cast<double>(scale);
  symmetric_eigenpairs<double> pairs;
  if (!pairs.solve(std::move(copy)))
    throw numerical_error(miq::detail::join_message(
        "largest_eigenpairs: the dense solver did not converge for a matrix of ", miq::detail::shape_text(n, n)));
  matrix<float> vectors(n, count, exec.resource());
  for (std::int64_t r = 0; r < n; ++r)
    for (std::int64_t j = 0; j < count; ++j) vectors(r, j) = static_cast<float>(pairs.vectors(r, n - 1 - j));
  const double norm = std::max(std::abs(pairs.values(0)), std::abs(pairs.values(n - 1)));
  auto result = measured_pairs(exec, symmetric, scale, norm, vectors);
  result.solver = eigen_solver::dense;
  // The solver's values are better than quotients of rounded vectors.
  for (int j = 0; j < count; ++j)
    result.values[static_cast<std::size_t>(j)] =
        static_cast<float>(pairs.values(n - 1 - j) / static_cast<double>(scale));
  return result;
}

/// Sizes of the block iteration: vectors in a block, and in the whole basis; 0 if the dense solver should do it.
struct krylov_shape {
  std::int64_t block = 0;
  std::int64_t basis = 0;
};

inline krylov_shape krylov_shape_for(std::int64_t n, std::int64_t count, std::int64_t dense_up_to) {
  if (n <= dense_up_to) return {};
  // Wider than `count`, so that the last wanted pair converges too; whole vectors of sixteen floats.
  const std::int64_t block = (count + 8 + 15) / 16 * 16;
  constexpr std::int64_t blocks = 5;  // fewer need many more products, more make the projected problem dear
  if (2 * blocks * block > n) return {};
  return {block, blocks * block};
}

/// Where the vectors of the block iteration lie on the host, and what is done with all of their rows.
template <on_host Exec>
class host_krylov_space {
 public:
  host_krylov_space(const Exec& exec, matrix_view<const float> symmetric, float scale, const krylov_shape& shape,
                    std::uint64_t seed)
      : exec_(exec),
        symmetric_(symmetric),
        scale_(scale),
        basis_(symmetric.rows(), shape.basis, exec.resource()),
        next_(symmetric.rows(), shape.block, exec.resource()),
        spare_(symmetric.rows(), shape.basis, exec.resource()),
        random_(seed) {}

  /// The first `count` columns of the next block.
  void fill_at_random(std::int64_t count) {
    const std::int64_t n = next_.rows();
    const double size = 1.0 / std::sqrt(static_cast<double>(n));
    for (std::int64_t c = 0; c < count; ++c)
      for (std::int64_t r = 0; r < n; ++r) next_(r, c) = static_cast<float>(size * random_.normal());
  }
  /// Products of the first `size` vectors of the basis with the next block, and of the next block with itself.
  Eigen::MatrixXd inside(std::int64_t size) {
    return inner_products(exec_, columns_of(basis_, 0, size), next_, scratch_);
  }
  Eigen::MatrixXd gram() { return inner_products(exec_, next_, next_, scratch_); }
  /// next -= basis * inside
  void leave_basis(std::int64_t size, const Eigen::MatrixXd& inside) {
    combine(exec_, columns_of(basis_, 0, size), inside, -1.0F, true, next_);
  }
  /// next = next * factors
  void rotate_next(const Eigen::MatrixXd& factors) {
    auto out = columns_of(spare_, 0, next_.columns());
    combine(exec_, next_, factors, 1.0F, false, out);
    for (std::int64_t r = 0; r < next_.rows(); ++r) std::copy_n(&out(r, 0), next_.columns(), &next_(r, 0));
  }
  /// The next block becomes vectors `size` and following of the basis.
  void append_next(std::int64_t size) {
    auto target = columns_of(basis_, size, next_.columns());
    for (std::int64_t r = 0; r < next_.rows(); ++r) std::copy_n(&next_(r, 0), next_.columns(), &target(r, 0));
  }
  /// next = the image of the last block of a basis of `size` vectors
  void multiply_last(std::int64_t size) {
    product(exec_, symmetric_, scale_, columns_of(basis_, size - next_.columns(), next_.columns()), next_);
  }
  /// basis = basis * factors
  void rotate_basis(std::int64_t size, const Eigen::MatrixXd& factors) {
    auto out = columns_of(spare_, 0, factors.cols());
    combine(exec_, columns_of(basis_, 0, size), factors, 1.0F, false, out);
    std::swap(basis_, spare_);
  }
  /// The pairs whose vectors are basis * factors.
  eigenpairs_result measured(std::int64_t size, const Eigen::MatrixXd& factors, double norm) {
    matrix<float> vectors(next_.rows(), factors.cols(), exec_.resource());
    combine(exec_, columns_of(basis_, 0, size), factors, 1.0F, false, vectors);
    return measured_pairs(exec_, symmetric_, scale_, norm, vectors);
  }

 private:
  const Exec& exec_;
  matrix_view<const float> symmetric_;
  float scale_;
  matrix<float> basis_;    // [n, basis]
  matrix<float> next_;     // [n, block]
  matrix<float> spare_;    // [n, basis], for rotations
  matrix<float> scratch_;  // partial sums
  random_stream random_;
};

/// The block iteration. The basis V holds, after a restart, the best Ritz vectors, then blocks Q that extend it; with
/// H = V^T A V, `A V = V H + R E^T` holds, where R is what the last block's image has outside V and E picks that block.
/// So the residual of a Ritz vector V y is |R y_last|, known without another product.
///
/// What has a row for each row of A is the space's business (`host_krylov_space`, or one in a device's memory); the
/// small matrices are here, in double precision.
template <class Space>
class block_krylov {
 public:
  block_krylov(Space& space, std::int64_t count, const krylov_shape& shape, const eigenpairs_options& options)
      : space_(space),
        count_(count),
        block_(shape.block),
        most_(shape.basis),
        options_(options),
        projected_(Eigen::MatrixXd::Zero(shape.basis, shape.basis)) {}

  /// Whether it converged; then `result` holds the pairs.
  bool run(eigenpairs_result& result) {
    const eigen_on_one_thread guard;
    space_.fill_at_random(block_);
    if (!orthonormalise_next()) return false;
    while (products_ < options_.max_products) {
      if (size_ + block_ > most_) restart();
      space_.append_next(size_);
      size_ += block_;
      expand();
      // The projected problem is worth solving while it is small, and needed before a restart.
      if (size_ <= 3 * block_ || size_ + block_ > most_) {
        if (!solve_projected()) return false;
        if (converged() && finish(result)) return true;
      }
      if (!orthonormalise_next()) return false;
    }
    return false;
  }

  int products() const { return products_; }

 private:
  /// Makes the next block orthonormal and orthogonal to the basis (twice or more: projection, then the eigenvectors of
  /// the block's Gram matrix as in Stathopoulos & Wu 2002, section 3, small eigenvalues raised so that rounding errors
  /// are not blown up at once). Directions in which the space does not grow are replaced by random ones.
  bool orthonormalise_next() {
    constexpr int most_passes = 8;
    for (int pass = 0; pass < most_passes; ++pass) {
      // The first pass of an expansion was made by `expand`.
      if (size_ > 0 && (pass > 0 || products_ == 0)) space_.leave_basis(size_, space_.inside(size_));
      const Eigen::MatrixXd gram = space_.gram();
      symmetric_eigenpairs<double> pairs;
      if (!pairs.solve(0.5 * (gram + gram.transpose()))) return false;
      const auto& squares = pairs.values;
      const double largest = squares(block_ - 1);
      if (pass > 0 && squares(0) > 0.5 && largest < 2.0) {
        space_.rotate_next(pairs.vectors * squares.cwiseSqrt().cwiseInverse().asDiagonal());
        return true;
      }
      // What is below this is rounding error of the product, not a direction.
      const double nothing = pass == 0 && products_ > 0 ? std::pow(1e-6 * norm_, 2) : 0.0;
      const double floor = std::max(1e-6 * largest, nothing);
      Eigen::MatrixXd factors = pairs.vectors;
      std::int64_t dropped = 0;
      for (std::int64_t j = 0; j < block_; ++j) {
        if (squares(j) <= nothing || !(largest > 0)) {
          factors.col(j).setZero();
          ++dropped;  // eigenvalues ascend, so these are the first columns
        } else {
          factors.col(j) /= std::sqrt(std::max(squares(j), floor));
        }
      }
      space_.rotate_next(factors);
      space_.fill_at_random(dropped);
    }
    return false;
  }

  /// The last block's image: its part inside the basis goes to the projected matrix, the rest stays in the next block.
  void expand() {
    space_.multiply_last(size_);
    ++products_;
    const Eigen::MatrixXd inside = space_.inside(size_);
    space_.leave_basis(size_, inside);
    projected_.block(0, size_ - block_, size_, block_) = inside;
    projected_.block(size_ - block_, 0, block_, size_) = inside.transpose();
    const Eigen::MatrixXd corner = inside.bottomRows(block_);
    projected_.block(size_ - block_, size_ - block_, block_, block_) = 0.5 * (corner + corner.transpose());
  }

  bool solve_projected() {
    if (!ritz_.solve(projected_.topLeftCorner(size_, size_))) return false;
    norm_ = std::max({norm_, std::abs(ritz_.values(0)), std::abs(ritz_.values(size_ - 1))});
    return true;
  }

  bool converged() {
    const Eigen::MatrixXd rest = space_.gram();
    const Eigen::MatrixXd last = ritz_.vectors.block(size_ - block_, size_ - count_, block_, count_);
    const Eigen::MatrixXd images = rest * last;
    const double worst = (last.array() * images.array()).colwise().sum().maxCoeff();
    return worst <= std::pow(options_.tolerance * norm_, 2);
  }

  bool finish(eigenpairs_result& result) {
    result = space_.measured(size_, ritz_.vectors.middleCols(size_ - count_, count_).rowwise().reverse(), norm_);
    ++products_;
    return static_cast<double>(result.residual) <= options_.tolerance;
  }

  void restart() {
    const std::int64_t keep = std::max<std::int64_t>(count_ + 8, (most_ - block_) / 2);
    space_.rotate_basis(size_, ritz_.vectors.middleCols(size_ - keep, keep));
    projected_.setZero();
    projected_.topLeftCorner(keep, keep) = ritz_.values.segment(size_ - keep, keep).asDiagonal();
    size_ = keep;
  }

  Space& space_;
  std::int64_t count_;
  std::int64_t block_;
  std::int64_t most_;  // vectors of the basis
  const eigenpairs_options& options_;
  Eigen::MatrixXd projected_;
  symmetric_eigenpairs<double> ritz_;
  std::int64_t size_ = 0;  // vectors of the basis in use
  double norm_ = 0;        // of the scaled matrix, as far as it is known
  int products_ = 0;
};

/// The iteration in a space. Whether it converged; else throws if there is to be no fallback. `products` is set.
template <class Space>
bool iterate_in(Space& space, std::int64_t count, const krylov_shape& shape, const eigenpairs_options& options,
                eigenpairs_result& result, int& products) {
  block_krylov<Space> iteration(space, count, shape, options);
  const bool done = iteration.run(result);
  products = iteration.products();
  if (!done && !options.dense_fallback)
    throw numerical_error(miq::detail::join_message("largest_eigenpairs: the block iteration did not reach tolerance ",
                                                    options.tolerance, " for ", count, " pairs within ", products,
                                                    " products, and dense_fallback is false"));
  result.solver = eigen_solver::block_krylov;
  return done;
}

/// What all ways have in common at the end.
inline void conclude_pairs(eigenpairs_result& result, int products, const eigenpairs_options& options) {
  result.products = products;
  result.converged = static_cast<double>(result.residual) <= options.tolerance;
  for (const auto value : result.values)
    if (!std::isfinite(value))
      throw numerical_error("largest_eigenpairs: an eigenvalue is beyond the range of single precision");
}

/// Without the checks of the matrix.
template <on_host Exec>
eigenpairs_result largest_eigenpairs_unchecked(const Exec& exec, matrix_view<const float> symmetric, int count,
                                               const eigenpairs_options& options) {
  const float scale = power_of_two_scale(exec, symmetric);
  const auto shape = krylov_shape_for(symmetric.rows(), count, options.dense_up_to);
  eigenpairs_result result;
  int products = 0;
  bool done = false;
  if (shape.block > 0) {
    host_krylov_space space(exec, symmetric, scale, shape, options.seed);
    done = iterate_in(space, count, shape, options, result, products);
  }
  if (!done) {
    result = dense_eigenpairs(exec, symmetric, count, scale);
    if (shape.block > 0) result.solver = eigen_solver::fallback;
  }
  conclude_pairs(result, products, options);
  return result;
}

/// Throws unless options and matrix fit each other.
inline void require_eigenpairs_options(std::int64_t n, std::int64_t count, const eigenpairs_options& options) {
  using miq::detail::require;
  require(count >= 1 && count <= n, "largest_eigenpairs: count must be 1 to ", n, ", got ", count);
  require(options.tolerance >= 0 && std::isfinite(options.tolerance),
          "largest_eigenpairs: tolerance must be finite and not negative, got ", options.tolerance);
  require(options.max_products >= 1, "largest_eigenpairs: max_products must be at least 1, got ", options.max_products);
  require(options.dense_up_to >= 0, "largest_eigenpairs: dense_up_to must not be negative, got ", options.dense_up_to);
}

template <on_host Exec>
eigenpairs_result largest_eigenpairs_on(const Exec& exec, matrix_view<const float> symmetric, int count,
                                        const eigenpairs_options& options) {
  require_symmetric(exec, symmetric, "largest_eigenpairs", "symmetric", sign_rule::any, diagonal_rule::any);
  require_eigenpairs_options(symmetric.rows(), count, options);
  return largest_eigenpairs_unchecked(exec, symmetric, count, options);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
eigenpairs_result largest_eigenpairs(const Exec& exec, matrix_view<const float, memory_of<Exec>> symmetric, int count,
                                     const eigenpairs_options& options) {
  return detail::largest_eigenpairs_on(exec, symmetric, count, options);
}

}  // namespace miq::grouping
