// Random numbers: SplitMix64's published outputs, and the distributions against their moments.
#include "test_support/catch.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include <miq/core/random.hpp>

TEST_CASE("random_hash gives SplitMix64's sequence", "[core][random]") {
  // Published: seed 1234567 in Rosetta Code's task "Pseudo-random numbers/Splitmix64"; seed 0 begins with the value
  // that Vigna's splitmix64.c and Java's SplittableRandom(0) give.
  constexpr std::array<std::uint64_t, 5> published{6457827717110365317ULL, 3203168211198807973ULL,
                                                   9817491932198370423ULL, 4593380528125082431ULL,
                                                   16408922859458223821ULL};
  miq::random_stream stream(1234567);
  for (std::uint64_t i = 0; i < published.size(); ++i) {
    CHECK(miq::random_hash(1234567, i) == published[i]);
    CHECK(stream() == published[i]);
  }
  STATIC_REQUIRE(miq::random_hash(0, 0) == 0xE220A8397B1DCDAFULL);
}

TEST_CASE("SplitMix64 as the task's histogram has it", "[core][random]") {
  // The same source: seed 987654321, floor(5 * 32-bit fraction) of 100 000 outputs, the high 32 bits of each.
  miq::random_stream stream(987654321);
  std::array<int, 5> counts{};
  for (int i = 0; i < 100'000; ++i) ++counts[static_cast<std::size_t>((stream() >> 32) * 5 >> 32)];
  CHECK(counts == std::array<int, 5>{20027, 19892, 20073, 19978, 20030});
}

TEST_CASE("random_stream is a bit generator, repeatable by its seed", "[core][random]") {
  STATIC_REQUIRE(std::uniform_random_bit_generator<miq::random_stream>);
  STATIC_REQUIRE(miq::random_stream::min() == 0);
  STATIC_REQUIRE(miq::random_stream::max() == UINT64_MAX);
  const auto seed = miq_test::seed();
  miq::random_stream first(seed);
  miq::random_stream second(seed);
  miq::random_stream other(seed + 1);
  int different_from_other = 0;
  for (int i = 0; i < 100; ++i) {
    const auto value = first();
    CHECK(value == second());
    if (value != other()) ++different_from_other;
  }
  CHECK(different_from_other == 100);
}

TEST_CASE("uniform is on [0, 1) with the right moments", "[core][random]") {
  miq::random_stream random(miq_test::seed());
  constexpr int n = 1'000'000;
  double sum = 0;
  double squares = 0;
  int outside = 0;
  for (int i = 0; i < n; ++i) {
    const double value = random.uniform();
    if (!(value >= 0 && value < 1)) ++outside;
    sum += value;
    squares += value * value;
  }
  CHECK(outside == 0);
  // Six standard errors: 1/sqrt(12 n) of the mean, sqrt((1/5 - 1/9) / n) of the mean square.
  CHECK(std::abs(sum / n - 0.5) < 6 / std::sqrt(12.0 * n));
  CHECK(std::abs(squares / n - 1.0 / 3) < 6 * std::sqrt((1.0 / 5 - 1.0 / 9) / n));
}

TEST_CASE("below reaches every value equally often and none beyond", "[core][random]") {
  miq::random_stream random(miq_test::seed());
  const auto bound = GENERATE(as<std::uint64_t>{}, 1, 2, 3, 7, 64, 101);
  constexpr std::uint64_t per_value = 10'000;
  std::vector<int> counts(bound);
  std::uint64_t beyond = 0;
  for (std::uint64_t i = 0; i < bound * per_value; ++i) {
    const auto value = random.below(bound);
    if (value >= bound)
      ++beyond;
    else
      ++counts[value];
  }
  REQUIRE(beyond == 0);
  // Each count is binomial with standard deviation below sqrt(per_value); 7 of them, since up to 101 are looked at.
  for (const int count : counts) CHECK(std::abs(count - static_cast<double>(per_value)) <= 7 * std::sqrt(per_value));
}

TEST_CASE("below has no bias for bounds near 2^64", "[core][random]") {
  // With bound = 3 * 2^62, taking the remainder would give values below 2^62 twice as often: share 1/2, not 1/3.
  miq::random_stream random(miq_test::seed());
  constexpr std::uint64_t quarter = std::uint64_t{1} << 62;
  constexpr int n = 100'000;
  int low = 0;
  int beyond = 0;
  for (int i = 0; i < n; ++i) {
    const auto value = random.below(3 * quarter);
    if (value < quarter) ++low;
    if (value >= 3 * quarter) ++beyond;
  }
  CHECK(beyond == 0);
  CHECK(std::abs(low / static_cast<double>(n) - 1.0 / 3) < 6 * std::sqrt(2.0 / 9 / n));
}

TEST_CASE("normal has the moments and the tail of a standard normal", "[core][random]") {
  miq::random_stream random(miq_test::seed());
  constexpr int n = 1'000'000;
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  int beyond_196 = 0;
  int not_finite = 0;
  double lagged = 0;
  double previous = 0;
  for (int i = 0; i < n; ++i) {
    const double value = random.normal();
    if (!std::isfinite(value)) ++not_finite;
    sum += value;
    squares += value * value;
    fourth += value * value * value * value;
    if (std::abs(value) > 1.959963984540054) ++beyond_196;
    lagged += value * previous;
    previous = value;
  }
  const double six_errors = 6 / std::sqrt(n);
  CHECK(not_finite == 0);
  CHECK(std::abs(sum / n) < six_errors);
  CHECK(std::abs(squares / n - 1) < six_errors * std::sqrt(2.0));  // var(x^2) = 2
  CHECK(std::abs(fourth / n - 3) < six_errors * std::sqrt(96.0));  // var(x^4) = 105 - 9
  CHECK(std::abs(beyond_196 / static_cast<double>(n) - 0.05) < six_errors * std::sqrt(0.05 * 0.95));
  CHECK(std::abs(lagged / n) < six_errors);
}
