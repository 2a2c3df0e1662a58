// The device's factor on the host: its bodies on one lane and on threads, with plain loops for the library's
// factorisation and products, against explicit inverses in double, closed forms and the host's factor.
#include <cmath>
#include <limits>
#include <vector>

#include <miq/obs/detail/factor/body.hpp>
#include <miq/obs/factor.hpp>

#include "layer_data.hpp"
#include "reference/obs_oracle.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using Eigen::MatrixXd;
using miq::matrix;
using miq::matrix_view;
using miq::obs::damping_rule;
using miq::obs::factor_options;
using miq::obs::factor_result;
using miq::obs::detail::device_factor_scratch;
using miq_test::host_machine;
using miq_test::to_double;
using miq_test::to_float;

constexpr double unit = 0x1.0p-24;

/// The Hessian and U lie in wider matrices, the Hessian's lower triangle and what is beyond hold NaN, U's nonsense.
matrix<float> factor_bodies(const matrix<float>& hessian, const factor_options& options = {},
                            factor_result* result = nullptr, std::int32_t lanes = 0) {
  const auto n = hessian.columns();
  matrix<float> wide(n, n + 2, NAN);
  for (std::int64_t r = 0; r < n; ++r)
    for (std::int64_t c = r; c < n; ++c) wide(r, c) = hessian(r, c);
  matrix<float> out(n, n + 5, -7.0F);
  const host_machine machine(lanes);
  const device_factor_scratch plan(n, machine.cholesky_bytes<float>(n));
  const miq_test::nonsense_memory memory(plan.layout);
  const matrix_view<const float> from(wide.data(), n, n, wide.columns());
  const matrix_view<float> to(out.data(), n, n, out.columns());
  miq::obs::detail::check_factor_shapes(from, to, options);
  try {
    const auto got = miq::obs::detail::factor_on_machine(machine, plan, memory, from, to, options);
    if (result != nullptr) *result = got;
  } catch (const miq::error&) {
    for (std::int64_t i = 0; i < out.size(); ++i) REQUIRE(out.data()[i] == -7.0F);
    throw;
  }
  matrix<float> upper(n, n);
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t c = 0; c < n; ++c) upper(r, c) = out(r, c);
    for (auto c = n; c < out.columns(); ++c) REQUIRE(out(r, c) == -7.0F);
  }
  return upper;
}

factor_result host_result(const matrix<float>& hessian, const factor_options& options, matrix<float>* upper = nullptr) {
  matrix<float> own(hessian.rows(), hessian.columns());
  const auto result = miq::obs::factor(miq::host_executor({.threads = 1}), hessian.view(), own.view(), options);
  if (upper != nullptr) *upper = std::move(own);
  return result;
}

/// Entries are off by a few n units times the condition number at most, as in factor_test.cpp.
double tolerance_of(const MatrixXd& h, const MatrixXd& expected) {
  return 4 * static_cast<double>(h.rows()) * unit * miq_oracle::condition(h) * expected.cwiseAbs().maxCoeff();
}

void check_against_oracle(const matrix<float>& upper, const MatrixXd& h) {
  const MatrixXd expected = miq_oracle::upper_of(miq_oracle::inverse_rows(h));
  const MatrixXd got = to_double(upper);
  INFO("columns " << h.rows());
  CHECK((got - expected).cwiseAbs().maxCoeff() <= tolerance_of(h, expected));
  CHECK(got.triangularView<Eigen::StrictlyLower>().toDenseMatrix().cwiseAbs().maxCoeff() == 0);
  CHECK(got.diagonal().minCoeff() > 0);
}

void same_as_host(const factor_result& got, const factor_result& host) {
  CHECK(got.damping == host.damping);
  CHECK(got.raised == host.raised);
  CHECK(got.dead == host.dead);
  CHECK(got.in_double == host.in_double);
}

}  // namespace

TEST_CASE("the device's factor equals the explicit inverse of what remains", "[obs][body]") {
  const std::int64_t columns = GENERATE(1, 2, 3, 7, 31, 64, 65, 97, 127, 128, 129, 257);
  const auto rule = GENERATE(damping_rule::mean_diagonal, damping_rule::own_diagonal);
  const auto lanes = GENERATE(0, 8);
  if (lanes > 0 && columns > 97) return;
  const auto hessian = miq_test::random_layer(miq_test::seed(), 1, columns).hessian;
  const factor_options options{.damping = 0.02, .rule = rule};
  factor_result result;
  const auto upper = factor_bodies(hessian, options, &result, lanes);
  const auto h = miq_oracle::damped(to_double(hessian), 0.02, rule == damping_rule::own_diagonal);
  check_against_oracle(upper, h);
  matrix<float> host;
  same_as_host(result, host_result(hessian, options, &host));
  CHECK((to_double(host) - to_double(upper)).cwiseAbs().maxCoeff() <= tolerance_of(h, to_double(host)));
}

TEST_CASE("the device's factor joins several levels of blocks", "[obs][body]") {
  // Banded: eigenvalues in [0.2, 1.8]. 610 columns are 16 leaves of 40, the last of 10.
  const std::int64_t columns = 610;
  matrix<float> hessian(columns, columns);
  for (std::int64_t j = 0; j < columns; ++j) {
    hessian(j, j) = 1;
    if (j + 1 < columns) hessian(j, j + 1) = hessian(j + 1, j) = 0.4F;
  }
  const auto upper = to_double(factor_bodies(hessian, {.damping = 0}));
  miq::random_stream random(miq_test::seed());
  const MatrixXd v = miq_test::normal_matrix(random, columns, 3);
  const MatrixXd product = to_double(hessian) * v;
  const MatrixXd again = upper.transpose() * (upper * product);
  CHECK((again - v).cwiseAbs().maxCoeff() < 9 * static_cast<double>(columns) * unit * v.cwiseAbs().maxCoeff());
}

TEMPLATE_TEST_CASE("the inverse of a triangle by blocks is as near as a solver's", "[obs][body]", float, double) {
  const std::int64_t n =
      GENERATE(1, 2, 3, 5, 31, 32, 33, 63, 64, 65, 66, 96, 127, 128, 129, 131, 191, 192, 193, 257, 300);
  const std::int64_t slice = GENERATE(7, 64, 1024);
  const std::int32_t lanes = GENERATE(0, 8);
  if (lanes > 0 && (n > 129 || slice != 64)) return;
  CAPTURE(n, slice, lanes);
  miq::random_stream random(miq_test::seed());
  // Above the diagonal R; below, and in what receives the inverse, numbers that must not be used.
  matrix<TestType> triangle(n, n, static_cast<TestType>(NAN)), inverse(n, n + 3, static_cast<TestType>(NAN));
  MatrixXd r = MatrixXd::Zero(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = i; j < n; ++j) {
      const double value = i == j ? 0.5 + random.uniform() : random.normal() / std::sqrt(static_cast<double>(n));
      triangle(i, j) = static_cast<TestType>(value);
      r(i, j) = static_cast<double>(triangle(i, j));
    }
  const host_machine machine(lanes);
  miq::obs::detail::enqueue_triangle_inverse<TestType>(machine, "inverse", n, triangle.data(), inverse.data(),
                                                       inverse.columns(), slice);
  const MatrixXd expected = r.triangularView<Eigen::Upper>().solve(MatrixXd::Identity(n, n));
  // The bound of a solver, element by element: |X' - X| <= c n u |X| |R| |X|.
  const MatrixXd bound = expected.cwiseAbs() * (r.cwiseAbs() * expected.cwiseAbs());
  const double rounding = 2 * static_cast<double>(n) * std::numeric_limits<TestType>::epsilon();
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < i; ++j) REQUIRE(inverse(i, j) == 0);
    for (std::int64_t j = i; j < n; ++j) {
      INFO("row " << i << ", column " << j);
      REQUIRE(std::abs(static_cast<double>(inverse(i, j)) - expected(i, j)) <= rounding * bound(i, j));
      REQUIRE(static_cast<double>(triangle(i, j)) == r(i, j));
    }
    for (auto j = n; j < inverse.columns(); ++j) REQUIRE(std::isnan(inverse(i, j)));
  }
}

TEMPLATE_TEST_CASE("leaves of a triangle fit shared memory and cover it", "[obs][body]", float, double) {
  for (std::int64_t n = 1; n <= 28672; ++n) {
    const auto leaf = miq::obs::detail::leaf_columns<TestType>(n);
    std::int64_t covered = leaf, leaves = 1;
    for (; covered < n; covered *= 2) leaves *= 2;
    const miq::obs::detail::invert_leaves_body<TestType> body{n, leaf, nullptr, nullptr, n};
    const bool fits = leaf % 4 == 0 && leaf <= miq::obs::detail::most_leaf_columns<TestType> &&
                      body.scratch_bytes() <= 32 * 1024 && body.blocks() * leaf >= n;
    const bool tight = covered - n < 4 * leaves;
    if (!fits || !tight) FAIL("columns " << n << ", leaf " << leaf);
  }
}

TEST_CASE("dead columns of the device's factor take part as if independent", "[obs][body]") {
  const std::int64_t columns = 70;
  auto hessian = miq_test::random_layer(miq_test::seed(), 1, columns).hessian;
  for (const std::int64_t dead : {0, 33, 64, 69})
    for (std::int64_t c = 0; c < columns; ++c) hessian(dead, c) = hessian(c, dead) = 0;
  hessian(33, 40) = 1e-6F;
  hessian(20, 33) = 1e-6F;
  factor_result result;
  const auto upper = factor_bodies(hessian, {}, &result);
  same_as_host(result, host_result(hessian, {}));
  CHECK(result.dead == 4);
  check_against_oracle(upper, miq_oracle::damped(to_double(hessian), 0.01, false));
  for (std::int64_t c = 34; c < columns; ++c) REQUIRE(upper(33, c) == 0.0F);
  for (std::int64_t r = 0; r < 33; ++r) REQUIRE(upper(r, 33) == 0.0F);
  const matrix<float> nothing(5, 5);
  const auto of_nothing = factor_bodies(nothing, {.damping = 0}, &result);
  CHECK(result.dead == 5);
  for (std::int64_t j = 0; j < 5; ++j) CHECK(of_nothing(j, j) == 1.0F);
}

TEST_CASE("the device's damping is raised as the host's is", "[obs][body]") {
  matrix<float> indefinite(2, 2, 2.0F);
  indefinite(0, 0) = indefinite(1, 1) = 1;
  for (const auto& options : {factor_options{.damping = 0.01}, factor_options{.damping = 0, .attempts = 7}}) {
    factor_result result;
    const auto upper = factor_bodies(indefinite, options, &result);
    same_as_host(result, host_result(indefinite, options));
    CHECK(result.damping == Approx(10.0));
    check_against_oracle(upper, miq_oracle::damped(to_double(indefinite), result.damping, false));
  }
  CHECK_THROWS_AS(factor_bodies(indefinite, {.damping = 0.01, .attempts = 3}), miq::numerical_error);

  // Twice the same column: the last pivot is 0, or what rounding leaves of it.
  const auto dead = GENERATE(false, true);
  matrix<float> twice(3, 3, 2.0F);
  for (std::int64_t j = 0; j < 3; ++j) twice(2, j) = twice(j, 2) = dead ? 0.0F : 1.0F;
  factor_result result;
  factor_bodies(twice, {.damping = 0}, &result);
  same_as_host(result, host_result(twice, {.damping = 0}));
  CHECK(result.damping == 1e-4);
}

TEST_CASE("where float fails, the device's factor works in double at the same damping", "[obs][body]") {
  // The random walk of factor_test.cpp: a_ij = m + min(i, j); U is known in closed form.
  const std::int64_t columns = GENERATE(2, 49, 193);
  const double m = 0x1.0p23;
  matrix<float> hessian(columns, columns);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      hessian(i, j) = static_cast<float>(m + static_cast<double>(std::min(i, j)));
  factor_result result;
  const auto upper = factor_bodies(hessian, {.damping = 0, .attempts = 1}, &result);
  CHECK(result.in_double);
  CHECK(result.raised == 0);
  for (std::int64_t i = 0; i < columns; ++i) {
    const double share = (m + static_cast<double>(i)) / (m + static_cast<double>(i) + 1);
    const bool last = i + 1 == columns;
    const double scale = 1 / std::sqrt(last ? static_cast<double>(hessian(i, i)) : share);
    REQUIRE(upper(i, i) == Approx(scale).epsilon(1e-6));
    if (!last) REQUIRE(upper(i, i + 1) == Approx(-share * scale).epsilon(1e-6));
    for (std::int64_t j = i + 2; j < columns; ++j) REQUIRE(std::abs(upper(i, j)) < 1e-6);
    for (std::int64_t j = 0; j < i; ++j) REQUIRE(upper(i, j) == 0.0F);
  }
}

TEST_CASE("the device's factor does not give what float cannot hold", "[obs][body]") {
  // 1 / sqrt(h) fits, but 1 / h does not: U_01 = -b / sqrt(d det) with tiny entries overflows only if they are
  // subnormal squares; a diagonal of the smallest subnormals is factored in both, U = 2^74.5.
  matrix<float> tiny(1, 1, 0x1.0p-149F);
  factor_result result;
  const auto upper = factor_bodies(tiny, {.damping = 0}, &result);
  CHECK(upper(0, 0) == Approx(std::exp2(74.5)).epsilon(1e-6));
  same_as_host(result, host_result(tiny, {.damping = 0}));
}

TEST_CASE("the device's factor rejects contents that it cannot take, and leaves the output alone", "[obs][body]") {
  const std::int64_t columns = 40;
  auto hessian = miq_test::random_layer(miq_test::seed(), 1, columns).hessian;
  const float good = hessian(3, 17);
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    hessian(3, 17) = bad;
    CHECK_THROWS_AS(factor_bodies(hessian), miq::invalid_argument);
    CHECK_THROWS_WITH(factor_bodies(hessian), miq_test::contains("1 entries of its upper triangle"));
  }
  hessian(3, 17) = good;
  for (const float bad : {-1.0F, NAN, INFINITY}) {
    const float before = hessian(5, 5);
    hessian(5, 5) = bad;
    CHECK_THROWS_WITH(factor_bodies(hessian), miq_test::contains("diagonal"));
    hessian(5, 5) = before;
  }
  CHECK_THROWS_WITH(factor_bodies(hessian, {.damping = -1}), miq_test::contains("damping"));
  CHECK_THROWS_WITH(factor_bodies(hessian, {.attempts = 0}), miq_test::contains("attempts"));
}

TEST_CASE("the scratch of the device's factor is laid out for every size", "[obs][body]") {
  for (const std::int64_t columns : {1, 63, 4096, 13824, 28672, 60'000}) {
    const device_factor_scratch plan(columns, 12345);
    REQUIRE(plan.diagonal - plan.triangle >= columns * columns * 4);
    REQUIRE(plan.state - plan.diagonal >= columns * 4);
    REQUIRE(plan.library - plan.state >= static_cast<std::int64_t>(sizeof(miq::obs::detail::factor_state)));
    REQUIRE(plan.layout.bytes() >= plan.library + 12345);
  }
}
