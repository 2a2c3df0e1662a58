// `correlation` on a device against the host.
#include "information/support.hpp"

#include <miq/information/correlation.hpp>
#include <miq/information/correlation_cuda.hpp>

#include "test_support/device.hpp"

TEST_CASE("correlation on a device gives what the host gives", "[information][device]") {
  MIQ_NEEDS_DEVICE();
  const auto columns = GENERATE(1, 31, 64, 97, 1024);
  const auto c = miq_test::random_covariance(columns, miq_test::seed());
  miq::matrix<float> host(columns, columns);
  const auto expected =
      miq::information::correlation(miq::host_executor({.threads = 1}), miq_test::with_covariance(c), host.view());

  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> covariance(exec, c.view());
  const miq_test::device_matrix<float> mi(exec, columns, columns);
  miq::calibration::statistics_view<miq::device_memory> seen;
  seen.tokens = 1000;
  seen.covariance = covariance.read();
  const auto result = miq::information::correlation(exec, seen, mi.view());
  CHECK(result.clamped == expected.clamped);
  CHECK(result.constant == expected.constant);
  const auto got = mi.fetch(exec);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      REQUIRE(static_cast<double>(got(i, j)) == Approx(static_cast<double>(host(i, j))).epsilon(0x1p-22).margin(0));
      REQUIRE(got(i, j) == got(j, i));
    }
  const auto again = miq::information::correlation(exec, seen, mi.view());
  CHECK(again.clamped == result.clamped);
}
