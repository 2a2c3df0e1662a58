// The kernel body of `correlation`, on one lane and on threads, against the formula in long double and the host.
#include "information/support.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include <miq/information/correlation.hpp>
#include <miq/information/detail/correlation/body.hpp>

#include "test_support/catch.hpp"
#include "test_support/lanes.hpp"

namespace {

using miq::information::correlation_result;
using miq::information::detail::correlation_body;

constexpr float nonsense = -7.0F;

struct outcome {
  miq::matrix<float> mi;
  correlation_result result;
};

/// `lanes` 0: on the host's loop.
outcome run(const miq::calibration::statistics_view<>& seen, std::int32_t lanes, float most = 0.999999F) {
  outcome out{miq::matrix<float>(seen.columns(), seen.columns() + 3, nonsense), {}};
  const auto limit = static_cast<double>(most);
  const correlation_body body{seen.columns(),      seen.covariance.data(), seen.covariance.leading(),
                              seen.minimum.data(), seen.maximum.data(),    limit * limit,
                              out.mi.data(),       out.mi.columns(),       &out.result};
  miq_test::run_on_host(lanes, body);
  return out;
}

}  // namespace

TEST_CASE("the body of correlation gives the formula, on any number of lanes", "[information][body]") {
  const auto columns = GENERATE(1, 2, 7, 31, 32, 33, 63, 64, 65, 97);
  const auto lanes = GENERATE(0, 1, 8);
  if (lanes > 1 && columns > 65) return;
  const auto c = miq_test::random_covariance(columns, miq_test::seed());
  const auto seen = miq_test::with_covariance(c);
  const auto out = run(seen, lanes);
  miq::matrix<float> host(columns, columns);
  const auto host_result = miq::information::correlation(miq::host_executor({.threads = 1}), seen, host.view());
  CHECK(out.result.clamped == host_result.clamped);
  CHECK(out.result.constant == host_result.constant);
  for (std::int64_t i = 0; i < columns; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const auto limit = static_cast<long double>(0.999999F) * static_cast<long double>(0.999999F);
      const auto covariance = static_cast<long double>(c(std::min<std::int64_t>(i, j), std::max<std::int64_t>(i, j)));
      const auto square =
          covariance * covariance / static_cast<long double>(c(i, i)) / static_cast<long double>(c(j, j));
      const auto expected = i == j ? 0 : -0.5L * std::log1p(-std::min(square, limit));
      REQUIRE(static_cast<double>(out.mi(i, j)) ==
              Approx(static_cast<double>(expected)).epsilon(0x1p-23).margin(1e-14));
      REQUIRE(out.mi(i, j) == out.mi(j, i));
      REQUIRE(static_cast<double>(out.mi(i, j)) == Approx(static_cast<double>(host(i, j))).epsilon(0x1p-22));
    }
    for (std::int64_t j = columns; j < out.mi.columns(); ++j) REQUIRE(out.mi(i, j) == nonsense);
  }
}

TEST_CASE("the body of correlation counts constant and clamped channels", "[information][body]") {
  const auto lanes = GENERATE(0, 8);
  const std::int64_t columns = 35;
  auto c = miq_test::random_covariance(columns, miq_test::seed());
  for (std::int64_t k = 0; k < columns; ++k) c(3, k) = c(k, 3) = 0;          // constant
  for (std::int64_t k = 0; k < columns; ++k) c(34, k) = c(k, 34) = c(5, k);  // a copy of channel 5
  c(34, 34) = c(5, 5);
  const auto out = run(miq_test::with_covariance(c), lanes);
  CHECK(out.result.constant == 1);
  CHECK(out.result.clamped == 1);
  CHECK(static_cast<double>(out.mi(5, 34)) == Approx(-0.5 * std::log1p(-std::pow(0.999999F, 2.0))));
  for (std::int64_t k = 0; k < columns; ++k) CHECK(out.mi(3, k) == 0.0F);
}

TEST_CASE("the tiles of the upper triangle cover it once", "[core][body]") {
  const auto tile = GENERATE(1, 8, 32);
  for (const std::int64_t size : {1, 2, 7, 8, 9, 31, 32, 33, 100, 257}) {
    miq::matrix<int> seen(size, size, 0);
    for (std::int64_t k = 0; k < miq::detail::upper_tiles(size, tile); ++k) {
      const auto at = miq::detail::upper_tile(k, size, tile);
      REQUIRE(at.column >= at.row);
      for (std::int64_t i = 0; i < at.rows; ++i)
        for (std::int64_t j = 0; j < at.columns; ++j) ++seen(at.row + i, at.column + j);
    }
    for (std::int64_t i = 0; i < size; ++i)
      for (std::int64_t j = i; j < size; ++j) REQUIRE(seen(i, j) == 1);
  }
  // Places are exact where the root of the number is not: the first and last tile of some rows of a large matrix.
  const std::int64_t size = 3'000'000;
  const std::int64_t side = (size + tile - 1) / tile;
  for (const std::int64_t r : {std::int64_t{0}, std::int64_t{1}, side / 2, side - 2, side - 1}) {
    const auto first = r * side - r * (r - 1) / 2;
    REQUIRE(miq::detail::upper_tile(first, size, tile).row == r * tile);
    REQUIRE(miq::detail::upper_tile(first, size, tile).column == r * tile);
    REQUIRE(miq::detail::upper_tile(first + side - r - 1, size, tile).column == (side - 1) * tile);
  }
}
