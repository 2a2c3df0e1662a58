// The block eigensolver against closed forms (repeated eigenvalues) and Eigen's dense solver in double precision.
#include <Eigen/Dense>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <miq/grouping/eigenpairs.hpp>

#include "grouping/grouping_inputs.hpp"
#include "reference/grouping.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;
using miq::grouping::eigen_solver;
using miq::grouping::eigenpairs_options;
using miq::grouping::eigenpairs_result;
using miq::grouping::largest_eigenpairs;

namespace {

/// What every result must satisfy: residuals within the tolerance (measured here, in double precision), orthonormal
/// vectors, descending values, signs. Returns the spectral norm.
void check_pairs(const miq::matrix<float>& matrix, const eigenpairs_result& pairs, const Eigen::VectorXd& exact,
                 double tolerance) {
  const auto a = reference::to_double(matrix);
  const auto v = reference::to_double(pairs.vectors);
  const auto count = static_cast<Eigen::Index>(pairs.values.size());
  const double norm = std::max(std::abs(exact(0)), std::abs(exact(exact.size() - 1)));
  const double rounding = 4 * 1.2e-7;  // of values and components kept in single precision
  REQUIRE(v.rows() == a.rows());
  REQUIRE(v.cols() == count);
  CHECK(pairs.converged);
  for (Eigen::Index j = 0; j < count; ++j) {
    const double value = static_cast<double>(pairs.values[static_cast<std::size_t>(j)]);
    INFO("pair " << j << " of " << count << ", n = " << a.rows());
    CHECK((a * v.col(j) - value * v.col(j)).norm() <= (tolerance + rounding) * norm);
    // A residual r bounds the distance to some eigenvalue by |r|; that it is the j-th shows that none was missed.
    CHECK(std::abs(value - exact(j)) <= (tolerance + rounding) * norm);
    if (j > 0) CHECK(pairs.values[static_cast<std::size_t>(j) - 1] >= pairs.values[static_cast<std::size_t>(j)]);
    Eigen::Index largest = 0;
    v.col(j).cwiseAbs().maxCoeff(&largest);
    CHECK(v(largest, j) > 0);
  }
  CHECK((v.transpose() * v - Eigen::MatrixXd::Identity(count, count)).cwiseAbs().maxCoeff() < 5e-6);
}

miq::matrix<float> cycle(std::int64_t n) {
  miq::matrix<float> m(n, n);
  for (std::int64_t i = 0; i < n; ++i) m(i, (i + 1) % n) = m((i + 1) % n, i) = 0.5F;
  return m;
}

miq::matrix<float> with_spectrum(const Eigen::VectorXd& values, std::uint64_t seed) {
  miq::random_stream random(seed);
  const auto n = values.size();
  Eigen::MatrixXd m(n, n);
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = random.normal();
  const Eigen::MatrixXd q = Eigen::HouseholderQR<Eigen::MatrixXd>(m).householderQ();
  m = q * values.asDiagonal() * q.transpose();
  miq::matrix<float> result(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    for (Eigen::Index j = 0; j <= i; ++j) result(i, j) = result(j, i) = static_cast<float>(m(i, j));
  return result;
}

}  // namespace

TEST_CASE("the repeated eigenvalues of cycles are found twice", "[grouping]") {
  // The normalised adjacency of a cycle has the eigenvalues cos(2 pi j / n), its Laplacian 1 - cos(2 pi j / n): the
  // first once, all others (but the last of an even n) twice. Dense below 257, the block iteration above.
  const auto n = GENERATE(3, 4, 5, 31, 256, 257, 401, 512);
  const auto exec = threads(2);
  const int count = std::min(8, n);
  const auto matrix = cycle(n);
  const auto pairs = largest_eigenpairs(exec, matrix, count, {.seed = miq_test::seed()});
  Eigen::VectorXd exact(n);
  for (int j = 0; j < n; ++j) exact(j) = std::cos(2 * std::numbers::pi * ((j + 1) / 2) / n);
  CHECK(pairs.solver == (n <= 256 ? eigen_solver::dense : eigen_solver::block_krylov));
  check_pairs(matrix, pairs, exact, 1e-5);
}

TEST_CASE("the hypercube's eigenvalues, repeated 1, 10 and 45 times, are all found", "[grouping]") {
  // The adjacency of the d-cube has d - 2 i, C(d, i) times. Eleven distinct values in 1024: the Krylov space ends
  // early.
  constexpr int dimensions = 10, n = 1 << dimensions;
  miq::matrix<float> matrix(n, n);
  for (int i = 0; i < n; ++i)
    for (int bit = 0; bit < dimensions; ++bit) matrix(i, i ^ (1 << bit)) = 1;
  Eigen::VectorXd exact(n);
  std::vector<double> values;
  for (int i = 0; i < n; ++i) values.push_back(dimensions - 2 * std::popcount(static_cast<unsigned>(i)));
  std::sort(values.begin(), values.end(), std::greater<>());
  for (int i = 0; i < n; ++i) exact(i) = values[static_cast<std::size_t>(i)];
  for (const int count : {1, 2, 11, 12, 30, 56}) {
    const auto pairs = largest_eigenpairs(threads(2), matrix, count, {.seed = miq_test::seed()});
    CHECK(pairs.solver == eigen_solver::block_krylov);
    check_pairs(matrix, pairs, exact, 1e-5);
  }
}

TEST_CASE("random matrices agree with the dense solver", "[grouping]") {
  const auto n = GENERATE(1, 2, 3, 17, 101, 257, 331, 499);
  const auto matrix = random_symmetric(miq_test::seed(), n);
  const auto exact = reference::eigenvalues(reference::to_double(matrix));
  for (const int count : {1, 2, 3, 13, 24, n / 2, n}) {
    if (count < 1 || count > n) continue;
    const auto pairs = largest_eigenpairs(threads(2), matrix, count, {.seed = miq_test::seed()});
    check_pairs(matrix, pairs, exact, 1e-5);
  }
}

TEST_CASE("clustered spectra", "[grouping]") {
  constexpr Eigen::Index n = 389;
  Eigen::VectorXd values = Eigen::VectorXd::LinSpaced(n, 0.5, -1);
  SECTION("twenty values within 2e-5") {
    for (int j = 0; j < 20; ++j) values(j) = 1 - 1e-6 * j;
  }
  SECTION("forty equal values, of which some are wanted") { values.head(40).setConstant(0.75); }
  SECTION("all negative, the largest in magnitude not wanted") { values.array() -= 1; }
  SECTION("a few values, the rest zero") {
    values.setZero();
    values.head(3) << 3, 2, 1;
  }
  SECTION("a geometric decay") {
    for (Eigen::Index j = 0; j < n; ++j) values(j) = std::pow(0.5, static_cast<double>(j));
  }
  const auto matrix = with_spectrum(values, miq_test::seed());
  std::sort(values.begin(), values.end(), std::greater<>());
  const auto exact = reference::eigenvalues(reference::to_double(matrix));
  for (const int count : {1, 12, 24}) {
    const auto pairs = largest_eigenpairs(threads(2), matrix, count, {.seed = miq_test::seed()});
    CHECK(pairs.solver == eigen_solver::block_krylov);
    check_pairs(matrix, pairs, exact, 1e-5);
    CHECK(static_cast<double>(pairs.values.back()) ==
          Approx(values(count - 1)).margin(3e-5 * values.cwiseAbs().maxCoeff()));
  }
}

TEST_CASE("matrices without directions: zero, identity, diagonal", "[grouping]") {
  constexpr std::int64_t n = 307;
  miq::matrix<float> matrix(n, n);
  Eigen::VectorXd exact = Eigen::VectorXd::Zero(n);
  SECTION("zero") {}
  SECTION("identity") {
    for (std::int64_t i = 0; i < n; ++i) matrix(i, i) = 1;
    exact.setOnes();
  }
  SECTION("a diagonal") {
    for (std::int64_t i = 0; i < n; ++i) matrix(i, i) = static_cast<float>(i % 8);
    exact = reference::eigenvalues(reference::to_double(matrix));
  }
  SECTION("minus the identity") {
    for (std::int64_t i = 0; i < n; ++i) matrix(i, i) = -1;
    exact.setConstant(-1);
  }
  const auto pairs = largest_eigenpairs(threads(2), matrix, 20, {.seed = miq_test::seed()});
  check_pairs(matrix, pairs, exact, 1e-5);
}

TEST_CASE("the scale does not matter", "[grouping]") {
  const auto matrix = random_symmetric(miq_test::seed(), 300);
  const auto plain = largest_eigenpairs(threads(1), matrix, 5);
  for (const int exponent : {-100, -40, 100}) {
    miq::matrix<float> scaled(matrix);
    for (std::int64_t i = 0; i < scaled.size(); ++i) scaled.data()[i] = std::ldexp(scaled.data()[i], exponent);
    const auto pairs = largest_eigenpairs(threads(1), scaled, 5);
    CHECK(same_bits(pairs.vectors, plain.vectors));
    for (std::size_t j = 0; j < 5; ++j) CHECK(pairs.values[j] == std::ldexp(plain.values[j], exponent));
  }
}

TEST_CASE("eigenpairs are the same to the bit for every number of threads, and for equal seeds", "[grouping]") {
  const auto n = GENERATE(40, 601);
  const auto matrix = random_symmetric(miq_test::seed(), n);
  const eigenpairs_options options{.seed = miq_test::seed()};
  const auto one = largest_eigenpairs(threads(1), matrix, 10, options);
  for (const int count : {1, 2, 5}) {
    const auto many = largest_eigenpairs(threads(count), matrix, 10, options);
    CHECK(same_bits(many.values, one.values));
    CHECK(same_bits(many.vectors, one.vectors));
    CHECK(many.products == one.products);
  }
}

TEST_CASE("a view with padded rows gives what a packed one gives", "[grouping]") {
  const auto matrix = random_symmetric(miq_test::seed(), 290);
  miq::matrix<float> padded(290, 301, std::numeric_limits<float>::quiet_NaN());
  for (std::int64_t r = 0; r < 290; ++r) std::copy_n(&matrix(r, 0), 290, &padded(r, 0));
  const auto a = largest_eigenpairs(threads(2), matrix, 4);
  const auto b = largest_eigenpairs(threads(2), miq::matrix_view<const float>(padded.data(), 290, 290, 301), 4);
  CHECK(same_bits(a.vectors, b.vectors));
}

TEST_CASE("without convergence the dense solver finishes, or the error says so", "[grouping]") {
  const auto matrix = random_symmetric(miq_test::seed(), 301);
  const auto exact = reference::eigenvalues(reference::to_double(matrix));
  const auto pairs = largest_eigenpairs(threads(2), matrix, 6, {.max_products = 2});
  CHECK(pairs.solver == eigen_solver::fallback);
  CHECK(pairs.products == 2);
  check_pairs(matrix, pairs, exact, 1e-5);
  CHECK_THROWS_AS(largest_eigenpairs(threads(2), matrix, 6, {.max_products = 2, .dense_fallback = false}),
                  miq::numerical_error);
  // A tolerance that single precision cannot reach ends in the dense solver, whose vectors are rounded too.
  const auto strict = largest_eigenpairs(threads(2), matrix, 6, {.tolerance = 0, .max_products = 12});
  CHECK(strict.solver == eigen_solver::fallback);
  CHECK_FALSE(strict.converged);
  CHECK(strict.residual < 1e-6F);
  CHECK(strict.residual > 0);
}

TEST_CASE("bad input of largest_eigenpairs is named", "[grouping]") {
  using miq_test::contains;
  const auto exec = threads(2);
  auto matrix = random_symmetric(1, 70);
  const auto nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(largest_eigenpairs(exec, miq::matrix<float>(3, 4), 1),
                    contains("must be [n, n]") && contains("[3, 4]"));
  CHECK_THROWS_WITH(largest_eigenpairs(exec, miq::matrix<float>(), 1), contains("n at least 1"));
  CHECK_THROWS_WITH(largest_eigenpairs(exec, matrix, 0), contains("count must be 1 to 70, got 0"));
  CHECK_THROWS_WITH(largest_eigenpairs(exec, matrix, 71), contains("got 71"));
  CHECK_THROWS_WITH(largest_eigenpairs(exec, matrix, 1, {.tolerance = -1}), contains("tolerance"));
  CHECK_THROWS_WITH(largest_eigenpairs(exec, matrix, 1, {.max_products = 0}), contains("max_products"));
  CHECK_THROWS_WITH(largest_eigenpairs(exec, matrix, 1, {.dense_up_to = -1}), contains("dense_up_to"));
  matrix(68, 3) += 1;
  CHECK_THROWS_WITH(largest_eigenpairs(exec, matrix, 1), contains("symmetric to the bit") && contains("[3, 68]"));
  matrix(68, 3) = nan;
  CHECK_THROWS_WITH(largest_eigenpairs(exec, matrix, 1), contains("finite, got nan at [68, 3]"));
  matrix(68, 3) = matrix(3, 68) = infinity;
  CHECK_THROWS_WITH(largest_eigenpairs(exec, matrix, 1), contains("finite, got inf at [3, 68]"));
  matrix(68, 3) = matrix(3, 68) = 0;
  matrix(69, 69) = nan;
  CHECK_THROWS_WITH(largest_eigenpairs(exec, matrix, 1), contains("[69, 69]"));
}
