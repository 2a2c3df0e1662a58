#include <miq/information/affinity.hpp>

#include <limits>

#include "information/support.hpp"
#include "test_support/catch.hpp"

using miq::information::affinity;
using miq::information::distance;
using namespace miq_test;

TEST_CASE("affinity and distance are their formulas", "[information]") {
  const auto columns = GENERATE(1, 2, 15, 63, 64, 65, 200);
  miq::random_stream random(seed());
  miq::matrix<float> mi(columns, columns, -5.0F), near(columns, columns), far(columns, columns),
      other(columns, columns);
  std::int64_t negative = 0;
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = i + 1; j < columns; ++j) {                        // what lies below is not read
      mi(i, j) = static_cast<float>(std::exp(95 * random.uniform() - 60));  // 10^-26 to 10^15
      if (random.below(10) == 0) mi(i, j) = -mi(i, j), ++negative;
      if (random.below(10) == 0) negative -= mi(i, j) < 0, mi(i, j) = 0;
    }
  const miq::host_executor exec({.threads = GENERATE(1, 2)}), five({.threads = 5});
  CHECK(affinity(exec, mi, near.view()).clipped == negative);
  CHECK(distance(exec, mi, far.view()).clipped == negative);
  CHECK(symmetric_to_the_bit(near));
  CHECK(symmetric_to_the_bit(far));
  for (std::int64_t i = 0; i < columns; ++i) {
    REQUIRE((near(i, i) == 0.0F && far(i, i) == 0.0F));
    for (std::int64_t j = i + 1; j < columns; ++j) {
      const auto x = std::max(0.0L, static_cast<long double>(mi(i, j)));
      CAPTURE(i, j, mi(i, j));
      REQUIRE(rounded_right(near(i, j), std::sqrt(-std::expm1(-2 * x))));
      REQUIRE(rounded_right(far(i, j), std::exp(-x)));
    }
  }
  affinity(five, mi, other.view());
  CHECK(same_bits(near.view(), other.view()));
}

TEST_CASE("affinity and distance at the ends of the range", "[information]") {
  const miq::host_executor exec({.threads = 1});
  const float values[] = {
      0.0F, -0.0F, 1e-45F, 1e-38F, 103.0F, 349.0F, 351.0F, 701.0F, std::numeric_limits<float>::max()};
  for (const float x : values) {
    miq::matrix<float> mi(2, 2, x), out(2, 2);
    affinity(exec, mi, out.view());
    CAPTURE(x);
    CHECK(rounded_right(out(0, 1), std::sqrt(-std::expm1(-2 * static_cast<long double>(x)))));
    CHECK_FALSE(std::signbit(out(0, 1)));
    distance(exec, mi, out.view());
    CHECK(rounded_right(out(0, 1), std::exp(-static_cast<long double>(x))));
  }
}

TEST_CASE("affinity and distance refuse what does not fit, and leave it alone", "[information]") {
  const miq::host_executor exec({.threads = 2});
  miq::matrix<float> mi(70, 70, 1.0F), out(70, 70, -1.0F), wrong(3, 70, -1.0F);
  CHECK_THROWS_WITH(affinity(exec, mi, wrong.view()), contains("affinity: out") && contains("[3, 70]"));
  CHECK_THROWS_WITH(distance(exec, mi, wrong.view()), contains("distance: out") && contains("[3, 70]"));
  CHECK_THROWS_WITH(affinity(exec, mi, mi.view()), contains("overlap"));
  CHECK_THROWS_WITH(affinity(exec, wrong, out.view()), contains("square"));
  mi(2, 69) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(affinity(exec, mi, out.view()), contains("columns 2 and 69"));
  CHECK_THROWS_WITH(distance(exec, mi, out.view()), contains("columns 2 and 69"));
  for (std::int64_t k = 0; k < out.size(); ++k) REQUIRE(out.data()[k] == -1.0F);
}
