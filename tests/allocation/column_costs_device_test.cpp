// Costs of columns from weights in device memory against the host's.
#include <cmath>
#include <limits>
#include <vector>

#include <miq/allocation/column_costs_cuda.hpp>
#include <miq/allocation/expected_error.hpp>
#include <miq/core/random.hpp>

#include "test_support/device.hpp"

TEMPLATE_TEST_CASE("measure_columns on a device gives the host's costs", "[allocation][device]", float, miq::float16,
                   miq::bfloat16) {
  MIQ_NEEDS_DEVICE();
  const auto [rows, columns] = GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {257, 300}, {1500, 65}}));
  miq::random_stream random(miq_test::seed());
  miq::matrix<TestType> typed(rows, columns);
  miq::matrix<float> weights(rows, columns);
  miq::matrix<std::uint8_t> kept(rows, columns);
  miq::matrix<float> upper(columns, columns);
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < weights.size(); ++i) {
    typed.data()[i] = static_cast<TestType>(static_cast<float>(random.normal()));
    weights.data()[i] = static_cast<float>(typed.data()[i]);
    kept.data()[i] = static_cast<std::uint8_t>(random.below(2));
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    upper(c, c) = static_cast<float>(0.1 + random.uniform());
    order.push_back(columns - 1 - c);
  }
  const auto expected = miq::allocation::measure_columns(miq::host_executor({.threads = 1}), weights.view(),
                                                         upper.view(), kept.view(), order);
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<TestType> on_device(exec, typed.view());
  const miq_test::device_matrix<std::uint8_t> mask(exec, kept.view());
  const miq_test::device_matrix<float> factor(exec, upper.view());
  const auto got = miq::allocation::measure_columns(exec, on_device.read(), factor.read(), mask.read(), order);
  CHECK(got.kept == expected.kept);
  CHECK(got.conditional_variance == expected.conditional_variance);
  for (std::size_t c = 0; c < got.mean_square.size(); ++c)
    REQUIRE(got.mean_square[c] == Approx(expected.mean_square[c]).epsilon(1e-13).margin(0));
}

TEST_CASE("measure_columns on a device refuses what the host refuses", "[allocation][device]") {
  MIQ_NEEDS_DEVICE();
  miq::matrix<float> weights(3, 2, 1.0F);
  miq::matrix<float> upper(2, 2, 1.0F);
  weights(1, 1) = std::numeric_limits<float>::quiet_NaN();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> bad(exec, weights.view());
  const miq_test::device_matrix<float> factor(exec, upper.view());
  CHECK_THROWS_WITH(miq::allocation::measure_columns(exec, bad.read(), factor.read()),
                    miq_test::contains("weights must be finite, 1 are not"));
  weights(1, 1) = 1;
  upper(1, 1) = 0;
  const miq_test::device_matrix<float> good(exec, weights.view());
  const miq_test::device_matrix<float> singular(exec, upper.view());
  CHECK_THROWS_WITH(miq::allocation::measure_columns(exec, good.read(), singular.read()),
                    miq_test::contains("got 0 in row 1"));
  CHECK_THROWS_WITH(miq::allocation::measure_columns(exec, good.read(), good.read()), miq_test::contains("upper"));
}
