#include <cmath>

#include "calibration/support.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;

TEST_CASE("the Hessian is 2/n X^T X", "[calibration]") {
  const auto columns = GENERATE(1, 31, 32, 33, 100);
  const auto mean = GENERATE(0.0, 2.0);
  const auto x = normal_tokens(600, columns, seed(), mean);
  const auto seen = statistics_of(x);
  miq::matrix<float> hessian(columns, columns);
  const miq::host_executor exec({.threads = GENERATE(1, 5)});
  miq::calibration::hessian(exec, seen, hessian.view());
  CHECK(symmetric_to_the_bit(hessian));
  std::vector<double> diagonal;
  for (std::int64_t i = 0; i < columns; ++i) {
    double sum = 0;
    for (std::int64_t t = 0; t < 600; ++t) sum += static_cast<double>(x(t, i)) * static_cast<double>(x(t, i));
    diagonal.push_back(2 * sum / 600);
  }
  double worst = 0;
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (std::int64_t t = 0; t < 600; ++t) sum += static_cast<double>(x(t, i)) * static_cast<double>(x(t, j));
      const auto scale = std::sqrt(diagonal[static_cast<std::size_t>(i)] * diagonal[static_cast<std::size_t>(j)]);
      worst = std::max(worst, std::abs(2 * sum / 600 - static_cast<double>(hessian(i, j))) / scale);
    }
  CHECK(worst < 0x1p-18);
}

TEST_CASE("the Hessian of a dead column is 0, of a constant one it is not", "[calibration]") {
  auto x = normal_tokens(100, 3, seed());
  for (std::int64_t t = 0; t < 100; ++t) x(t, 0) = 0, x(t, 1) = 3;
  const auto seen = statistics_of(x);
  miq::matrix<float> hessian(3, 3);
  miq::calibration::hessian(miq::host_executor({.threads = 1}), seen, hessian.view());
  for (std::int64_t j = 0; j < 3; ++j) CHECK(hessian(0, j) == 0.0F);
  CHECK(hessian(1, 1) == 18.0F);
  CHECK(hessian(1, 2) == Approx(6 * seen.mean[2]).epsilon(1e-6));
}

TEST_CASE("the Hessian refuses what does not fit, and leaves it alone", "[calibration]") {
  const miq::host_executor exec({.threads = 1});
  auto seen = statistics_of(normal_tokens(10, 3, seed()));
  miq::matrix<float> wrong(3, 4, -1.0F), right(3, 3, -1.0F);
  CHECK_THROWS_WITH(miq::calibration::hessian(exec, seen, wrong.view()), contains("[3, 3]") && contains("[3, 4]"));
  CHECK(wrong(0, 0) == -1.0F);
  auto view = seen.view();
  view.tokens = 0;
  CHECK_THROWS_WITH(miq::calibration::hessian(exec, view, right.view()), contains("1 token"));
  view = seen.view();
  view.mean = {seen.mean.data(), 2};
  CHECK_THROWS_WITH(miq::calibration::hessian(exec, view, right.view()), contains("mean"));
  CHECK(right(2, 2) == -1.0F);
  CHECK_THROWS_WITH(miq::calibration::hessian(exec, seen, seen.covariance.view()), contains("overlap"));
}
