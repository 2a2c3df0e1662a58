// The factor of the inverse Hessian against explicit inverses in double precision.
#include <cmath>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <vector>

#include <miq/obs/factor.hpp>

#include "layer_data.hpp"
#include "reference/obs_oracle.hpp"
#include "test_support/catch.hpp"

namespace {

using Eigen::MatrixXd;
using miq::matrix;
using miq::obs::damping_rule;
using miq_test::to_double;
using miq_test::to_float;

constexpr double unit = 0x1.0p-24;  // half an ulp of 1 in float

matrix<float> factor_of(const matrix<float>& hessian, const miq::obs::factor_options& options = {},
                        miq::obs::factor_result* result = nullptr, int threads = 2) {
  const miq::host_executor exec({.threads = threads});
  matrix<float> upper(hessian.rows(), hessian.columns(), -7.0F);
  const auto got = miq::obs::factor(exec, hessian.view(), upper.view(), options);
  if (result != nullptr) *result = got;
  return upper;
}

/// Whether U is upper triangular with a positive diagonal and equals the oracle's factor of h. The factorisation and
/// the inversion in float are backward stable up to n units, so entries are off by a few n units times the condition
/// number at most, relative to the largest entry.
void check_against_oracle(const matrix<float>& upper, const MatrixXd& h) {
  const MatrixXd expected = miq_oracle::upper_of(miq_oracle::inverse_rows(h));
  const MatrixXd got = to_double(upper);
  const auto n = static_cast<double>(h.rows());
  const double tolerance = 4 * n * unit * miq_oracle::condition(h) * expected.cwiseAbs().maxCoeff();
  INFO("columns " << h.rows() << " tolerance " << tolerance);
  CHECK((got - expected).cwiseAbs().maxCoeff() <= tolerance);
  CHECK(got.triangularView<Eigen::StrictlyLower>().toDenseMatrix().cwiseAbs().maxCoeff() == 0);
  CHECK(got.diagonal().minCoeff() > 0);
}

class counting_resource : public std::pmr::memory_resource {
 public:
  std::int64_t allocations = 0;
  std::int64_t bytes = 0;

 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override {
    ++allocations;
    bytes += static_cast<std::int64_t>(size);
    return std::pmr::new_delete_resource()->allocate(size, alignment);
  }
  void do_deallocate(void* p, std::size_t size, std::size_t alignment) override {
    bytes -= static_cast<std::int64_t>(size);
    std::pmr::new_delete_resource()->deallocate(p, size, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace

TEST_CASE("the oracle's two ways to invert what remains agree", "[obs]") {
  const auto hessian = miq_test::random_layer(miq_test::seed(), 1, 37).hessian;
  const auto h = miq_oracle::damped(to_double(hessian), 0.01, false);
  const auto eliminated = miq_oracle::inverse_rows(h);
  const auto recomputed = miq_oracle::inverse_rows_recomputed(h);
  for (std::size_t j = 0; j < eliminated.size(); ++j)
    REQUIRE((eliminated[j] - recomputed[j]).cwiseAbs().maxCoeff() < 1e-11 * recomputed[j].cwiseAbs().maxCoeff());
}

TEST_CASE("factor equals the explicit inverse of what remains, column by column", "[obs]") {
  const std::int64_t columns = GENERATE(1, 2, 3, 7, 31, 63, 64, 65, 97, 127, 128, 129, 191, 257);
  const auto rule = GENERATE(damping_rule::mean_diagonal, damping_rule::own_diagonal);
  const auto hessian = miq_test::random_layer(miq_test::seed(), 1, columns).hessian;
  miq::obs::factor_result result;
  const auto upper = factor_of(hessian, {.damping = 0.02, .rule = rule}, &result);
  CHECK(result.damping == 0.02);
  CHECK(result.raised == 0);
  CHECK(result.dead == 0);
  check_against_oracle(upper, miq_oracle::damped(to_double(hessian), 0.02, rule == damping_rule::own_diagonal));
}

TEST_CASE("factor of large matrices: U^T U (H + D) v = v, and the last columns exactly", "[obs]") {
  const std::int64_t columns = GENERATE(769, 1537);
  miq::random_stream random(miq_test::seed());
  // Banded with a closed bound on the condition number: I + 0.4 (shift + its transpose) has eigenvalues in [0.2, 1.8].
  matrix<float> hessian(columns, columns);
  for (std::int64_t j = 0; j < columns; ++j) {
    hessian(j, j) = 1;
    if (j + 1 < columns) hessian(j, j + 1) = hessian(j + 1, j) = 0.4F;
  }
  const auto upper = to_double(factor_of(hessian, {.damping = 0}));
  const MatrixXd h = to_double(hessian);
  const MatrixXd v = miq_test::normal_matrix(random, columns, 4);
  const MatrixXd product = h * v;
  const MatrixXd again = upper.transpose() * (upper * product);
  CHECK((again - v).cwiseAbs().maxCoeff() < 9 * static_cast<double>(columns) * unit * v.cwiseAbs().maxCoeff());
  const MatrixXd tail = miq_oracle::upper_of(miq_oracle::inverse_rows(h.bottomRightCorner(40, 40)));
  CHECK((upper.bottomRightCorner(40, 40) - tail).cwiseAbs().maxCoeff() < 9 * 40 * unit * tail.maxCoeff());
}

TEST_CASE("factor of a dense matrix of several blocks", "[obs]") {
  const std::int64_t columns = 700;
  const auto hessian = miq_test::random_layer(miq_test::seed(), 1, columns).hessian;
  check_against_oracle(factor_of(hessian), miq_oracle::damped(to_double(hessian), 0.01, false));
}

TEST_CASE("factor of the identity is the identity, exactly", "[obs]") {
  const std::int64_t columns = GENERATE(1, 2, 64, 130);
  matrix<float> identity(columns, columns);
  for (std::int64_t j = 0; j < columns; ++j) identity(j, j) = 1;
  const auto upper = factor_of(identity, {.damping = 0});
  for (std::int64_t r = 0; r < columns; ++r)
    for (std::int64_t c = 0; c < columns; ++c) REQUIRE(upper(r, c) == (r == c ? 1.0F : 0.0F));
  // Damped by 3 times its diagonal: 1 / sqrt(4) on the diagonal.
  CHECK(factor_of(identity, {.damping = 3})(columns - 1, columns - 1) == 0.5F);
}

TEST_CASE("factor of 1 x 1 and 2 x 2 in closed form", "[obs]") {
  matrix<float> one(1, 1, 4.0F);
  CHECK(factor_of(one, {.damping = 0})(0, 0) == 0.5F);
  // [[a, b], [b, d]]: the inverse is [[d, -b], [-b, a]] / (a d - b^2); U_00^2 = d / det, U_01 = -b / sqrt(d det),
  // U_11^2 = 1 / d.
  matrix<float> two(2, 2);
  two(0, 0) = 5;
  two(0, 1) = two(1, 0) = 2;
  two(1, 1) = 3;
  const auto upper = factor_of(two, {.damping = 0});
  CHECK(upper(0, 0) == Approx(std::sqrt(3.0 / 11)).epsilon(4 * unit));
  CHECK(upper(0, 1) == Approx(-2 / std::sqrt(33.0)).epsilon(8 * unit));
  CHECK(upper(1, 1) == Approx(1 / std::sqrt(3.0)).epsilon(4 * unit));
  CHECK(upper(1, 0) == 0.0F);
}

TEST_CASE("damping by the mean and by the own diagonal, in closed form", "[obs]") {
  matrix<float> diagonal(3, 3);
  diagonal(0, 0) = 1;
  diagonal(1, 1) = 4;
  diagonal(2, 2) = 16;  // mean 7
  const auto mean = factor_of(diagonal, {.damping = 0.5, .rule = damping_rule::mean_diagonal});
  const auto own = factor_of(diagonal, {.damping = 0.5, .rule = damping_rule::own_diagonal});
  for (std::int64_t j = 0; j < 3; ++j) {
    CHECK(mean(j, j) == Approx(1 / std::sqrt(static_cast<double>(diagonal(j, j)) + 3.5)).epsilon(4 * unit));
    CHECK(own(j, j) == Approx(1 / std::sqrt(1.5 * static_cast<double>(diagonal(j, j)))).epsilon(4 * unit));
  }
}

TEST_CASE("own-diagonal damping does not care for the unit of a column", "[obs]") {
  const std::int64_t columns = 150;
  const auto hessian = miq_test::random_layer(miq_test::seed(), 1, columns).hessian;
  matrix<float> scaled(columns, columns);
  const auto factor = [](std::int64_t j) { return std::ldexp(1.0F, static_cast<int>(j % 7) - 3); };
  for (std::int64_t r = 0; r < columns; ++r)
    for (std::int64_t c = 0; c < columns; ++c) scaled(r, c) = hessian(r, c) * factor(r) * factor(c);
  // Scaling column j of X by s_j scales row and column j of H, and divides column j of U by s_j (powers of two: exact
  // but for the rounding of square roots of odd powers and of sums).
  const miq::obs::factor_options options{.damping = 0.05, .rule = damping_rule::own_diagonal};
  const auto plain = to_double(factor_of(hessian, options));
  const auto units = to_double(factor_of(scaled, options));
  const double tolerance = 4 * static_cast<double>(columns) * unit *
                           miq_oracle::condition(miq_oracle::damped(to_double(hessian), 0.05, true)) *
                           plain.cwiseAbs().maxCoeff();
  for (std::int64_t r = 0; r < columns; ++r)
    for (std::int64_t c = r; c < columns; ++c)
      REQUIRE(std::abs(units(r, c) * static_cast<double>(factor(c)) - plain(r, c)) <= tolerance);
}

TEST_CASE("ill-conditioned matrices are factored as well as float allows", "[obs]") {
  const std::int64_t columns = 90;
  miq::random_stream random(miq_test::seed());
  const MatrixXd x = miq_test::normal_matrix(random, columns, columns);
  const MatrixXd q = Eigen::HouseholderQR<MatrixXd>(x).householderQ();
  Eigen::VectorXd values(columns);
  for (Eigen::Index j = 0; j < columns; ++j) values(j) = std::pow(10.0, -3.0 * static_cast<double>(j) / columns);
  const auto hessian = to_float(q * values.asDiagonal() * q.transpose());
  const auto upper = factor_of(hessian, {.damping = 0});
  // The upper triangle is what counts; rounding to float is part of the input.
  MatrixXd h = to_double(hessian);
  h.triangularView<Eigen::StrictlyLower>() = h.transpose();
  check_against_oracle(upper, h);
}

TEST_CASE("dead columns take part as if independent", "[obs]") {
  const std::int64_t columns = 70;
  auto hessian = miq_test::random_layer(miq_test::seed(), 1, columns).hessian;
  for (const std::int64_t dead : {0, 33, 64, 69})
    for (std::int64_t c = 0; c < columns; ++c) hessian(dead, c) = hessian(c, dead) = 0;
  hessian(33, 40) = 1e-6F;  // what rounding may leave beside a zero diagonal
  miq::obs::factor_result result;
  const auto upper = factor_of(hessian, {}, &result);
  CHECK(result.dead == 4);
  CHECK(result.raised == 0);
  check_against_oracle(upper, miq_oracle::damped(to_double(hessian), 0.01, false));
  for (std::int64_t c = 34; c < columns; ++c) REQUIRE(upper(33, c) == 0.0F);
  for (std::int64_t r = 0; r < 33; ++r) REQUIRE(upper(r, 33) == 0.0F);

  matrix<float> nothing(5, 5);
  const auto of_nothing = factor_of(nothing, {.damping = 0}, &result);
  CHECK(result.dead == 5);
  for (std::int64_t j = 0; j < 5; ++j) CHECK(of_nothing(j, j) == 1.0F);
}

TEST_CASE("damping is raised step by step, and said so", "[obs]") {
  // Duplicated columns: singular, so a damping of 0 cannot do; 1e-4 is what a damping of 0 is raised to.
  const std::int64_t columns = 40;
  miq::random_stream random(miq_test::seed());
  MatrixXd x = miq_test::normal_matrix(random, 200, columns);
  for (Eigen::Index c = 1; c < columns; c += 2) x.col(c) = x.col(c - 1);
  const auto hessian = to_float(x.transpose() * x / 100.0);
  miq::obs::factor_result result;
  const auto upper = factor_of(hessian, {.damping = 1e-3}, &result);
  CHECK(result.damping == 1e-3);
  check_against_oracle(upper, miq_oracle::damped(to_double(hessian), 1e-3, false));

  // [[1, 2], [2, 1]] has the eigenvalue -1: a share above 1 makes it positive definite.
  matrix<float> indefinite(2, 2, 2.0F);
  indefinite(0, 0) = indefinite(1, 1) = 1;
  const auto raised = factor_of(indefinite, {.damping = 0.01}, &result);
  CHECK(result.raised == 3);
  CHECK(result.damping == Approx(10.0));
  check_against_oracle(raised, miq_oracle::damped(to_double(indefinite), 10, false));
  factor_of(indefinite, {.damping = 0, .attempts = 7}, &result);
  CHECK(result.raised == 6);  // 0, 1e-4, 1e-3, 1e-2, 1e-1, 1 (still singular), 10
  CHECK(result.damping == Approx(10.0));

  const miq::host_executor exec({.threads = 1});
  matrix<float> out(2, 2, 7.0F);
  CHECK_THROWS_AS(miq::obs::factor(exec, indefinite.view(), out.view(), {.damping = 0.01, .attempts = 3}),
                  miq::numerical_error);
  for (std::int64_t i = 0; i < 4; ++i) CHECK(out.data()[i] == 7.0F);
}

TEST_CASE("where float fails, double factors at the same damping", "[obs]") {
  // Covariance of a random walk with unit steps that begins with a variance of m: a_ij = m + min(i, j), exact in float.
  // Given the later ones, column j depends on the next alone: by (m + j) / (m + j + 1), with that variance left over.
  const std::int64_t columns = GENERATE(2, 49, 193, 500);
  const double m = 0x1.0p23;
  matrix<float> hessian(columns, columns);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      hessian(i, j) = static_cast<float>(m + static_cast<double>(std::min(i, j)));
  miq::obs::factor_result result;
  const auto upper = factor_of(hessian, {.damping = 0, .attempts = 1}, &result);
  CHECK(result.in_double);
  CHECK(result.raised == 0);
  CHECK(result.damping == 0);
  // Variances of about 1 left of 2^23: double loses 23 of its 53 bits, of which U keeps 24.
  for (std::int64_t i = 0; i < columns; ++i) {
    const double share = (m + static_cast<double>(i)) / (m + static_cast<double>(i) + 1);
    const bool last = i + 1 == columns;
    const double scale = 1 / std::sqrt(last ? static_cast<double>(hessian(i, i)) : share);
    REQUIRE(upper(i, i) == Approx(scale).epsilon(1e-6));
    if (!last) REQUIRE(upper(i, i + 1) == Approx(-share * scale).epsilon(1e-6));
    for (std::int64_t j = i + 2; j < columns; ++j) REQUIRE(std::abs(upper(i, j)) < 1e-6);
    for (std::int64_t j = 0; j < i; ++j) REQUIRE(upper(i, j) == 0.0F);
  }
  for (const int threads : {1, 3}) {
    const auto again = factor_of(hessian, {.damping = 0, .attempts = 1}, nullptr, threads);
    CHECK(std::memcmp(again.data(), upper.data(), static_cast<std::size_t>(upper.size()) * sizeof(float)) == 0);
  }
  // A share that float can work with is not worth double.
  factor_of(hessian, {.damping = 1e-3}, &result);
  CHECK_FALSE(result.in_double);
}

TEST_CASE("what double cannot factor either is damped", "[obs]") {
  // Twice the same column: singular exactly, with and without a dead column beside it.
  const auto dead = GENERATE(false, true);
  matrix<float> hessian(3, 3, 2.0F);
  for (std::int64_t j = 0; j < 3; ++j) hessian(2, j) = hessian(j, 2) = dead ? 0.0F : 1.0F;
  miq::obs::factor_result result;
  const auto upper = factor_of(hessian, {.damping = 0}, &result);
  CHECK(result.raised == 1);
  CHECK(result.damping == 1e-4);
  CHECK_FALSE(result.in_double);
  CHECK(result.dead == (dead ? 1 : 0));
  check_against_oracle(upper, miq_oracle::damped(to_double(hessian), 1e-4, false));
  // A share too small for float: double takes it.
  const auto tiny = factor_of(hessian, {.damping = 1e-8}, &result);
  CHECK(result.raised == 0);
  CHECK(result.in_double);
  CHECK(result.damping == 1e-8);
  const MatrixXd expected =
      miq_oracle::upper_of(miq_oracle::inverse_rows(miq_oracle::damped(to_double(hessian), 1e-8, false)));
  CHECK((to_double(tiny) - expected).cwiseAbs().maxCoeff() <= 1e-6 * expected.cwiseAbs().maxCoeff());
}

TEST_CASE("factor rejects what it cannot take, naming it, and leaves the output alone", "[obs]") {
  const miq::host_executor exec({.threads = 2});
  auto hessian = miq_test::random_layer(miq_test::seed(), 1, 140).hessian;
  matrix<float> upper(140, 140, 7.0F);
  const auto rejects = [&](const std::string& part, const miq::obs::factor_options& options = {}) {
    CHECK_THROWS_WITH(miq::obs::factor(exec, hessian.view(), upper.view(), options), miq_test::contains(part));
    CHECK_THROWS_AS(miq::obs::factor(exec, hessian.view(), upper.view(), options), miq::invalid_argument);
    for (std::int64_t i = 0; i < upper.size(); ++i) REQUIRE(upper.data()[i] == 7.0F);
  };
  const float good = hessian(77, 77);
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, inf, -1.0F}) {
    hessian(77, 77) = bad;
    rejects("diagonal entry 77");
  }
  hessian(77, 77) = good;
  for (const float bad : {nan, inf, -inf}) {
    const float entry = hessian(3, 139);
    hessian(3, 139) = bad;
    rejects("row 3, column 139");
    hessian(3, 139) = entry;
  }
  rejects("damping", {.damping = -0.1});
  rejects("damping", {.damping = std::numeric_limits<double>::infinity()});
  rejects("damping", {.damping = std::numeric_limits<double>::quiet_NaN()});
  rejects("attempts", {.attempts = 0});

  matrix<float> wrong(140, 139);
  CHECK_THROWS_WITH(miq::obs::factor(exec, wrong.view(), upper.view()), miq_test::contains("[140, 139]"));
  CHECK_THROWS_AS(miq::obs::factor(exec, hessian.view(), wrong.view()), miq::invalid_argument);
  CHECK_THROWS_AS(miq::obs::factor(exec, hessian.view(), hessian.view()), miq::invalid_argument);
  matrix<float> empty(0, 0);
  CHECK_THROWS_AS(miq::obs::factor(exec, empty.view(), empty.view()), miq::invalid_argument);
}

TEST_CASE("factor takes its scratch where it is told to", "[obs]") {
  counting_resource resource;
  const miq::host_executor exec({.threads = 2, .resource = &resource});
  const auto hessian = miq_test::random_layer(miq_test::seed(), 1, 200).hessian;
  matrix<float> upper(200, 200);
  miq::obs::factor(exec, hessian.view(), upper.view());
  CHECK(resource.allocations == 1);
  CHECK(resource.bytes == 0);

  const auto bytes = miq::obs::factor_workspace_bytes(200);
  std::vector<std::byte> scratch(static_cast<std::size_t>(bytes) + 1, std::byte{0x5A});
  matrix<float> again(200, 200);
  miq::obs::factor(exec, hessian.view(), again.view(), {}, {scratch.data() + 1, static_cast<std::size_t>(bytes)});
  CHECK(resource.allocations == 1);
  CHECK(std::memcmp(upper.data(), again.data(), 200 * 200 * sizeof(float)) == 0);
  matrix<float> untouched(200, 200, 7.0F);
  CHECK_THROWS_AS(miq::obs::factor(exec, hessian.view(), untouched.view(), {},
                                   {scratch.data(), static_cast<std::size_t>(bytes) - 1}),
                  miq::out_of_memory);
  CHECK(untouched(0, 0) == 7.0F);
}

TEST_CASE("factor is the same to the bit for any number of threads, and for strided views", "[obs]") {
  const std::int64_t columns = GENERATE(65, 700);
  const auto hessian = miq_test::random_layer(miq_test::seed(), 1, columns).hessian;
  const auto one = factor_of(hessian, {}, nullptr, 1);
  for (const int threads : {2, 5}) {
    const auto many = factor_of(hessian, {}, nullptr, threads);
    CHECK(std::memcmp(one.data(), many.data(), static_cast<std::size_t>(one.size()) * sizeof(float)) == 0);
  }
  const auto leading = columns + 5;
  matrix<float> wide_in(columns, leading, std::numeric_limits<float>::quiet_NaN());
  matrix<float> wide_out(columns, leading, 7.0F);
  for (std::int64_t r = 0; r < columns; ++r)
    for (std::int64_t c = r; c < columns; ++c) wide_in(r, c) = hessian(r, c);  // the lower triangle stays NaN: not read
  const miq::host_executor exec({.threads = 2});
  miq::obs::factor(exec, miq::matrix_view<const float>(wide_in.data(), columns, columns, leading),
                   miq::matrix_view<float>(wide_out.data(), columns, columns, leading));
  for (std::int64_t r = 0; r < columns; ++r) {
    REQUIRE(std::memcmp(&wide_out(r, 0), &one(r, 0), static_cast<std::size_t>(columns) * sizeof(float)) == 0);
    for (std::int64_t c = columns; c < leading; ++c) REQUIRE(wide_out(r, c) == 7.0F);
  }
}
