// The device's target functions on the host: their bodies on one lane and on threads, with plain loops for products,
// against the formulas in double and against the host.
#include <cmath>
#include <cstring>
#include <vector>

#include <miq/core/numeric_types.hpp>
#include <miq/obs/detail/target/body.hpp>
#include <miq/obs/factor.hpp>
#include <miq/obs/target.hpp>

#include "layer_data.hpp"
#include "reference/obs_oracle.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using Eigen::MatrixXd;
using miq::matrix;
using miq::matrix_view;
using miq::obs::device_target_result;
using miq_test::host_machine;
using miq_test::to_double;
using miq_test::to_float;

constexpr double unit = 0x1.0p-24;

/// The elements of a matrix in a wider one that holds NaN besides.
template <class T = float>
matrix<T> widened(const matrix<float>& m) {
  matrix<T> wide(m.rows(), m.columns() + 3, T(NAN));
  for (std::int64_t r = 0; r < m.rows(); ++r)
    for (std::int64_t c = 0; c < m.columns(); ++c) wide(r, c) = T(m(r, c));
  return wide;
}
template <class T>
matrix_view<const T> narrow(const matrix<T>& wide) {
  return {wide.data(), wide.rows(), wide.columns() - 3, wide.columns()};
}

template <class T>
matrix<float> shift_bodies(bool to_outputs, const matrix<float>& weights, const matrix<float>& moments,
                           const matrix<float>& upper, double strength, device_target_result& result,
                           std::int32_t lanes) {
  const auto rows = weights.rows(), columns = weights.columns();
  const auto w = widened<T>(weights);
  const auto m = widened(moments);
  const auto u = widened(upper);
  matrix<float> out(rows, columns + 2, 9.0F);
  const matrix_view<float> to(out.data(), rows, columns, out.columns());
  miq::obs::detail::check_target<miq::host_memory>("shift_target", to_outputs, narrow(w), narrow(m), narrow(u), to,
                                                   {strength});
  const miq::obs::detail::device_target_scratch plan(rows, columns);
  const miq_test::nonsense_memory memory(plan.layout);
  miq::obs::detail::shift_target_on_machine(host_machine(lanes), "shift_target", to_outputs, plan, memory, narrow(w),
                                            narrow(m), narrow(u), to, {strength}, &result);
  matrix<float> shifted(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) shifted(r, c) = to(r, c);
    for (auto c = columns; c < out.columns(); ++c) REQUIRE(out(r, c) == 9.0F);
  }
  return shifted;
}

}  // namespace

TEMPLATE_TEST_CASE("the device's target is that of the formula and of the host", "[obs][body]", float, miq::float16,
                   miq::bfloat16) {
  const auto [rows, columns] =
      GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {5, 2}, {67, 31}, {3, 64}, {33, 130}, {31, 300}}));
  const bool to_outputs = GENERATE(false, true);
  const double strength = GENERATE(0.5, 1.0);
  const auto lanes = GENERATE(0, 8);
  if (lanes > 0 && columns > 64) return;
  miq::random_stream random(miq_test::seed());
  matrix<float> weights = to_float(0.05 * miq_test::normal_matrix(random, rows, columns));
  for (std::int64_t i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(TestType(weights.data()[i]));
  const auto hessian = miq_test::random_hessian(random, columns);
  const auto moments = to_float(0.01 * miq_test::normal_matrix(random, columns, to_outputs ? rows : columns));
  const miq::host_executor exec({.threads = 1});
  matrix<float> upper(columns, columns), host(rows, columns);
  miq::obs::factor(exec, hessian.view(), upper.view(), {.damping = 0.02});
  const auto host_result = to_outputs
                               ? miq::obs::shift_target_to_outputs(exec, weights.view(), moments.view(), upper.view(),
                                                                   host.view(), {.strength = strength})
                               : miq::obs::shift_target(exec, weights.view(), moments.view(), upper.view(), host.view(),
                                                        {.strength = strength});
  device_target_result result;
  const auto got = shift_bodies<TestType>(to_outputs, weights, moments, upper, strength, result, lanes);

  const MatrixXd w = to_double(weights);
  const MatrixXd h = miq_oracle::damped(to_double(hessian), 0.02, false);
  const MatrixXd inverse = h.fullPivLu().inverse();
  const MatrixXd right =
      to_outputs ? MatrixXd(to_double(moments).transpose()) : MatrixXd(w * to_double(moments).transpose());
  const MatrixXd step = right * inverse;
  const MatrixXd expected = w + strength * step;
  // Three products and a factor in float, each off by up to n units of what it sums.
  const double tolerance = 4 * static_cast<double>(columns) * unit * miq_oracle::condition(h) *
                               (right.cwiseAbs() * inverse.cwiseAbs()).maxCoeff() +
                           unit * w.cwiseAbs().maxCoeff();
  CHECK((to_double(got) - expected).cwiseAbs().maxCoeff() <= tolerance);
  CHECK((to_double(got) - to_double(host)).cwiseAbs().maxCoeff() <= tolerance);
  CHECK(result.not_finite == 0);
  CHECK(result.change == Approx(strength * step.norm() / w.norm()).epsilon(1e-3));
  CHECK(result.gain ==
        Approx((strength - strength * strength / 2) * (right * inverse).cwiseProduct(right).sum()).epsilon(1e-3));
  CHECK(result.change == Approx(host_result.change).epsilon(1e-3));
  CHECK(result.gain == Approx(host_result.gain).epsilon(1e-3));
}

TEST_CASE("the device's target of several blocks of columns is that of the host", "[obs][body]") {
  const std::int64_t rows = 9, columns = 531;  // three blocks of at most 256
  miq::random_stream random(miq_test::seed());
  const auto weights = to_float(0.05 * miq_test::normal_matrix(random, rows, columns));
  const auto moments = to_float(0.01 * miq_test::normal_matrix(random, columns, columns));
  const auto hessian = miq_test::random_hessian(random, columns);
  const miq::host_executor exec({.threads = 1});
  matrix<float> upper(columns, columns), host(rows, columns);
  miq::obs::factor(exec, hessian.view(), upper.view());
  const auto expected = miq::obs::shift_target(exec, weights.view(), moments.view(), upper.view(), host.view());
  device_target_result result;
  const auto got = shift_bodies<float>(false, weights, moments, upper, 1, result, 0);
  CHECK((to_double(got) - to_double(host)).norm() < 1e-4 * (to_double(host) - to_double(weights)).norm());
  CHECK(result.change == Approx(expected.change).epsilon(1e-4));
  CHECK(result.gain == Approx(expected.gain).epsilon(1e-4));
}

TEST_CASE("a strength of 0 leaves the device's weights, and what is not finite is counted", "[obs][body]") {
  miq::random_stream random(miq_test::seed());
  auto weights = to_float(miq_test::normal_matrix(random, 9, 40));
  const auto moments = to_float(miq_test::normal_matrix(random, 40, 40));
  matrix<float> upper(40, 40);
  for (std::int64_t j = 0; j < 40; ++j) upper(j, j) = 1;
  device_target_result result{{7, 7}, 7};
  const auto same = shift_bodies<float>(false, weights, moments, upper, 0, result, 0);
  CHECK(std::memcmp(same.data(), weights.data(), 9 * 40 * sizeof(float)) == 0);
  CHECK(result.change == 0);
  CHECK(result.gain == 0);
  CHECK(result.not_finite == 0);
  weights(3, 4) = NAN;
  weights(5, 0) = INFINITY;
  shift_bodies<float>(false, weights, moments, upper, 1, result, 0);
  CHECK(result.not_finite == 2);
  CHECK_THROWS_AS(shift_bodies<float>(false, weights, moments, upper, 1.5, result, 0), miq::invalid_argument);
  CHECK_THROWS_AS(shift_bodies<float>(true, weights, moments, upper, 1, result, 0), miq::invalid_argument);
}

TEMPLATE_TEST_CASE("the device's ridge is the host's", "[obs][body]", float, miq::float16, miq::bfloat16) {
  const auto [rows, columns] =
      GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {5, 64}, {65, 3}, {64, 257}, {4200, 7}}));
  const double share = GENERATE(0.0, 0.3);
  const auto lanes = GENERATE(0, 8);
  miq::random_stream random(miq_test::seed());
  auto weights = to_float(miq_test::normal_matrix(random, rows, columns));
  auto hessian = miq_test::random_hessian(random, columns);
  for (std::int64_t r = 0; r < rows && columns > 2; ++r) weights(r, 2) = 0;  // the most that may be added
  for (std::int64_t j = 0; j < columns && columns > 4; ++j) hessian(4, j) = hessian(j, 4) = 0;
  for (std::int64_t i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(TestType(weights.data()[i]));
  auto host = hessian;
  miq::obs::add_target_ridge(miq::host_executor({.threads = 1}), weights.view(), host.view(), share);
  const auto run = [&] {
    auto wide = widened(hessian);
    const auto w = widened<TestType>(weights);
    const matrix_view<float> h(wide.data(), columns, columns, wide.columns());
    miq::obs::detail::check_target_ridge<miq::host_memory>(narrow(w), miq::matrix_view<const float>(h), share);
    const miq::obs::detail::device_ridge_scratch plan(rows, columns);
    const miq_test::nonsense_memory memory(plan.layout);
    miq::obs::detail::add_target_ridge_on_machine(host_machine(lanes), plan, memory, narrow(w), h, share);
    return wide;
  };
  // In double, from the formula.
  const MatrixXd w = to_double(weights);
  Eigen::VectorXd energy(columns);
  for (Eigen::Index c = 0; c < columns; ++c) energy(c) = w.col(c).squaredNorm() * static_cast<double>(hessian(c, c));
  const auto got = run();
  for (std::int64_t r = 0; r < columns; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      if (r != c) {
        REQUIRE(got(r, c) == hessian(r, c));
        continue;
      }
      const double most = energy.mean() > 0 && share > 0 ? 1e4 : 0.0;
      const double times = energy(c) > 0 ? std::min(1e4, share * energy.mean() / energy(c)) : most;
      REQUIRE(static_cast<double>(got(c, c)) ==
              Approx(static_cast<double>(hessian(c, c)) * (1 + times)).epsilon(2 * unit).margin(0));
      REQUIRE(static_cast<double>(got(c, c)) == Approx(static_cast<double>(host(c, c))).epsilon(4 * unit).margin(0));
    }
  weights(0, 0) = NAN;
  CHECK(std::isnan(run()(columns - 1, columns - 1)));
}

TEMPLATE_TEST_CASE("mean outputs and corrected biases of the device's bodies", "[obs][body]", float, miq::float16,
                   miq::bfloat16) {
  const auto [rows, columns] = GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {7, 131}, {33, 127}, {5, 300}}));
  const auto lanes = GENERATE(0, 8);
  miq::random_stream random(miq_test::seed());
  auto weights = to_float(miq_test::normal_matrix(random, rows, columns));
  for (std::int64_t i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(TestType(weights.data()[i]));
  const auto vector = [&](std::int64_t size) {
    std::vector<float> v;
    for (std::int64_t i = 0; i < size; ++i) v.push_back(static_cast<float>(random.normal()));
    return v;
  };
  const auto mean = vector(columns), target = vector(rows), bias = vector(rows);
  const auto wide = widened<TestType>(weights);
  const auto run = [&](const float* to, const float* before, float* out) {
    host_machine(lanes).launch("mean_output",
                               miq::obs::detail::row_output_body<TestType>{rows, columns, wide.data(), wide.columns(),
                                                                           mean.data(), to, before, out});
  };
  std::vector<float> output(static_cast<std::size_t>(rows)), plain = output, corrected = bias;
  run(nullptr, nullptr, output.data());
  run(target.data(), nullptr, plain.data());
  run(target.data(), corrected.data(), corrected.data());  // in place
  for (std::int64_t r = 0; r < rows; ++r) {
    long double sum = 0;
    double size = 0;
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto term =
          static_cast<long double>(weights(r, c)) * static_cast<long double>(mean[static_cast<std::size_t>(c)]);
      sum += term;
      size += std::abs(static_cast<double>(term));
    }
    const auto i = static_cast<std::size_t>(r);
    const double exact = static_cast<double>(sum);
    const auto near = [&](double value) { return Approx(value).epsilon(2 * unit).margin(1e-13 * (size + 1)); };
    REQUIRE(static_cast<double>(output[i]) == near(exact));
    REQUIRE(static_cast<double>(plain[i]) == near(static_cast<double>(target[i]) - exact));
    REQUIRE(static_cast<double>(corrected[i]) ==
            near(static_cast<double>(bias[i]) + static_cast<double>(target[i]) - exact));
  }
}

TEST_CASE("the scratch of the device's target functions is laid out for every size", "[obs][body]") {
  for (const std::int64_t rows : {1, 63, 64, 65, 4096, 4097, 28672, 1'000'003})
    for (const std::int64_t columns : {1, 4096, 28672}) {
      const miq::obs::detail::device_ridge_scratch plan(rows, columns);
      REQUIRE(plan.chunks >= 1);
      REQUIRE(plan.chunks <= 64);
      REQUIRE(plan.chunks * miq::obs::detail::column_energy_body<float>::chunk_of(rows) >= rows);
      const miq::obs::detail::device_target_scratch target(rows, columns);
      REQUIRE(target.halfway - target.moved >= rows * columns * 4);
      REQUIRE(target.norms - target.halfway >= rows * columns * 4);
    }
}
