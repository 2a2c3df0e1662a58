#include "information/instruction_sets.hpp"

#include <cmath>

#include <miq/core/random.hpp>

#include "test_support/catch.hpp"

namespace miq_test {
miq::matrix<float> information_native(const miq::matrix<float>& samples) { return information_here(samples); }
}  // namespace miq_test

TEST_CASE("two instruction sets live in one program", "[instruction_sets]") {
  miq::random_stream random(miq_test::seed());
  miq::matrix<float> x(300, 40);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    const double shared = random.normal();
    for (std::int64_t c = 0; c < x.columns(); ++c) x(t, c) = static_cast<float>(shared + random.normal());
  }
  for (int round = 0; round < 2; ++round) {
    const auto baseline = miq_test::information_baseline(x);
    const auto native = miq_test::information_native(x);
    double furthest = 0;
    std::int64_t different = 0;
    for (std::int64_t r = 0; r < native.rows(); ++r)
      for (std::int64_t c = 0; c < native.columns(); ++c) {
        furthest = std::max(furthest, static_cast<double>(std::abs(native(r, c) - baseline(r, c))));
        if (r >= 80 && r < 160) different += native(r, c) != baseline(r, c);  // histogram and knn have no rounding
      }
    CHECK(furthest < 1e-5);
    CHECK(different == 0);
  }
}
