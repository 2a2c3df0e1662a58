// The kernel body of `affinity`, `distance` and `normalise` against the formulas in long double and the host.
#include <miq/core/matrix.hpp>
#include <miq/information/affinity.hpp>
#include <miq/information/detail/affinity/body.hpp>

#include <limits>

#include "information/support.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using namespace miq::information;
using namespace miq_test;
namespace body = miq::information::detail;
using miq::matrix;

constexpr float nonsense = -7.0F;
const float nan_value = std::numeric_limits<float>::quiet_NaN();
const float infinity = std::numeric_limits<float>::infinity();

template <class Result = normalisation_result, class Map>
Result run(const matrix<float>& mi, matrix<float>& out, const Map& map, std::int32_t lanes) {
  Result result;
  const auto columns = mi.rows();
  out = matrix<float>(columns, columns + 3, nonsense);
  host_machine(lanes).launch("", body::information_map_body<Map, Result>{columns, mi.data(), mi.columns(), out.data(),
                                                                         out.columns(), map, &result});
  for (std::int64_t i = 0; i < columns; ++i) {
    REQUIRE(out(i, i) == 0.0F);
    for (std::int64_t j = columns; j < columns + 3; ++j) REQUIRE(out(i, j) == nonsense);
    for (std::int64_t j = 0; j < i; ++j) REQUIRE(std::memcmp(&out(i, j), &out(j, i), sizeof(float)) == 0);
  }
  return result;
}

/// Information of all sizes, some of it negative; below the diagonal nonsense, which is not read.
matrix<float> some_information(std::int64_t columns, std::int64_t& negative) {
  miq::random_stream random(seed());
  matrix<float> mi(columns, columns, nan_value);
  negative = 0;
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = i + 1; j < columns; ++j) {
      mi(i, j) = static_cast<float>(std::exp(95 * random.uniform() - 60));
      const auto kind = random.below(10);
      if (kind == 0) mi(i, j) = -mi(i, j), ++negative;
      if (kind == 1) mi(i, j) = 0;
      if (kind == 2) mi(i, j) = -0.0F;
    }
  return mi;
}

}  // namespace

TEST_CASE("the body of affinity and distance is their formulas", "[information][body]") {
  const auto columns = GENERATE(1, 2, 31, 32, 33, 64, 97);
  const auto lanes = GENERATE(0, 8);
  if (lanes > 0 && columns > 33) return;
  std::int64_t negative = 0;
  const auto mi = some_information(columns, negative);
  matrix<float> near, far, host(columns, columns);
  const auto a = run<affinity_result>(mi, near, body::coefficient_map{}, lanes);
  const auto d = run<affinity_result>(mi, far, body::distance_map{}, lanes);
  CHECK((a.clipped == negative && d.clipped == negative));
  CHECK((a.not_finite == 0 && d.not_finite == 0));
  affinity(miq::host_executor({.threads = 1}), mi, host.view());
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = i + 1; j < columns; ++j) {
      const auto x = std::max(0.0L, static_cast<long double>(mi(i, j)));
      REQUIRE(rounded_right(near(i, j), std::sqrt(-std::expm1(-2 * x))));
      REQUIRE(rounded_right(far(i, j), std::exp(-x)));
      REQUIRE_FALSE(std::signbit(near(i, j)));
      REQUIRE(static_cast<double>(near(i, j)) == Approx(static_cast<double>(host(i, j))).epsilon(0x1p-23).margin(0));
    }
}

TEST_CASE("the body of affinity and normalise marks what is not finite", "[information][body]") {
  const auto lanes = GENERATE(0, 8);
  std::int64_t negative = 0;
  auto mi = some_information(40, negative);
  negative -= (mi(0, 39) < 0) + (mi(5, 7) < 0) + (mi(38, 39) < 0);
  mi(0, 39) = nan_value;
  mi(5, 7) = infinity;
  mi(38, 39) = -infinity;
  matrix<float> out;
  const auto result = run(mi, out, body::coefficient_map{}, lanes);
  CHECK(result.not_finite == 3);
  CHECK(result.clipped == negative);
  CHECK(result.unusable == 0);
  for (std::int64_t i = 0; i < 40; ++i)
    for (std::int64_t j = i + 1; j < 40; ++j)
      REQUIRE(std::isnan(out(i, j)) == ((i == 0 && j == 39) || (i == 5 && j == 7) || (i == 38 && j == 39)));
  CHECK(run(mi, out, body::ratio_map<normalisation::none>{}, lanes).not_finite == 3);
}

namespace {

template <normalisation how, class Formula>
void check_ratio(std::int32_t lanes, const Formula& formula) {
  const std::int64_t columns = 37;
  miq::random_stream random(seed());
  matrix<float> mi(columns, columns), out, host(columns, columns);
  std::vector<float> h(static_cast<std::size_t>(columns));
  for (auto& x : h) x = static_cast<float>(std::exp(8 * random.uniform() - 4));
  h[4] = 0;
  h[5] = -infinity;
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = i + 1; j < columns; ++j)
      mi(i, j) = i == 4 || i == 5 || j == 4 || j == 5 ? 0.0F : static_cast<float>(random.normal());
  const auto result = run(mi, out, body::ratio_map<how>{h.data()}, lanes);
  CHECK((result.clipped == 0 && result.not_finite == 0 && result.unusable == 0));
  normalise(miq::host_executor({.threads = 1}), mi, h, how, host.view());
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = i + 1; j < columns; ++j) {
      const auto x = static_cast<long double>(mi(i, j));
      const auto expected = x == 0 ? 0
                                   : x / formula(static_cast<long double>(h[static_cast<std::size_t>(i)]),
                                                 static_cast<long double>(h[static_cast<std::size_t>(j)]));
      REQUIRE(rounded_right(out(i, j), expected));
      REQUIRE(static_cast<double>(out(i, j)) == Approx(static_cast<double>(host(i, j))).epsilon(0x1p-23).margin(0));
    }
  if (how == normalisation::none) return;
  // Entropies that do not allow it: pairs of such channels are NaN, and counted; so is information without entropy.
  h[7] = -1;
  h[8] = nan_value;
  h[9] = infinity;
  mi(4, 20) = 0.5F;
  const auto refused = run(mi, out, body::ratio_map<how>{h.data()}, lanes);
  CHECK(refused.unusable == 3 * 34 + 3 + 1);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = i + 1; j < columns; ++j)
      REQUIRE(std::isnan(out(i, j)) == ((i >= 7 && i <= 9) || (j >= 7 && j <= 9) || (i == 4 && j == 20)));
}

}  // namespace

TEST_CASE("the body of normalise is its formulas", "[information][body]") {
  const auto lanes = GENERATE(0, 8);
  using real = long double;
  check_ratio<normalisation::none>(lanes, [](real, real) { return real{1}; });
  check_ratio<normalisation::arithmetic>(lanes, [](real a, real b) { return (a + b) / 2; });
  check_ratio<normalisation::geometric>(lanes, [](real a, real b) { return std::sqrt(a * b); });
  check_ratio<normalisation::minimum>(lanes, [](real a, real b) { return std::min(a, b); });
  check_ratio<normalisation::maximum>(lanes, [](real a, real b) { return std::max(a, b); });
}
