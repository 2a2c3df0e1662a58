// Adjusted Rand index and normalised mutual information against scikit-learn.
#include <cmath>
#include <vector>

#include <miq/grouping/agreement.hpp>

#include "grouping/grouping_inputs.hpp"
#include "grouping/tree_values.hpp"
#include "reference/grouping.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;
using miq::grouping::adjusted_rand_index;
using miq::grouping::normalised_information;
using miq::grouping::partition;
using miq::information::normalisation;

namespace {

using labels = std::vector<std::int32_t>;

labels hashed_labels(std::uint64_t from, int n, int count) {
  labels result;
  for (int i = 0; i < n; ++i)
    result.push_back(static_cast<std::int32_t>(miq::random_hash(from, static_cast<std::uint64_t>(i)) %
                                               static_cast<std::uint64_t>(count)));
  return result;
}

double rand_of(const labels& a, const labels& b) {
  return adjusted_rand_index(threads(1), miq::vector_view<const std::int32_t>(a),
                             miq::vector_view<const std::int32_t>(b));
}
double information_of(const labels& a, const labels& b, normalisation how = normalisation::arithmetic) {
  return normalised_information(threads(1), miq::vector_view<const std::int32_t>(a),
                                miq::vector_view<const std::int32_t>(b), how);
}

}  // namespace

TEST_CASE("agreement of labels is scikit-learn's", "[grouping]") {
  for (const auto& expected : tree_reference::agreements) {
    INFO("seed " << expected.seed);
    const auto a = hashed_labels(expected.seed, expected.columns, expected.a);
    labels b;
    if (expected.b > 0)
      b = hashed_labels(expected.seed + 100, expected.columns, expected.b);
    else
      for (const auto label : a) b.push_back(7 - 2 * label);
    // Information is a sum of n terms of alternating signs: some 1e-16 absolute, which the ratio keeps.
    CHECK(rand_of(a, b) == Approx(expected.adjusted_rand).epsilon(1e-13).margin(1e-15));
    CHECK(information_of(a, b) == Approx(expected.arithmetic).epsilon(1e-12).margin(1e-14));
    CHECK(information_of(a, b, normalisation::geometric) == Approx(expected.geometric).epsilon(1e-12).margin(1e-14));
    CHECK(information_of(a, b, normalisation::minimum) == Approx(expected.minimum).epsilon(1e-12).margin(1e-14));
    CHECK(information_of(a, b, normalisation::maximum) == Approx(expected.maximum).epsilon(1e-12).margin(1e-14));
  }
}

TEST_CASE("agreement is symmetric to the bit and blind to names", "[grouping]") {
  for (const int n : {2, 3, 17, 300}) {
    const auto a = hashed_labels(seed(), n, 5), b = hashed_labels(seed(), n, 7);
    labels renamed;
    for (const auto label : a) renamed.push_back(1000 * (label * 3 % 5) - 100);
    CHECK(rand_of(a, b) == rand_of(b, a));
    CHECK(rand_of(a, b) == rand_of(renamed, b));
    CHECK(rand_of(a, b) == Approx(reference::adjusted_rand(a, b)).margin(1e-12));
    for (const auto how :
         {normalisation::arithmetic, normalisation::geometric, normalisation::minimum, normalisation::maximum}) {
      CHECK(information_of(a, b, how) == information_of(b, a, how));
      CHECK(information_of(a, b, how) == information_of(renamed, b, how));
      CHECK(information_of(a, renamed, how) == Approx(1).epsilon(1e-12));
    }
  }
}

TEST_CASE("agreement of degenerate divisions", "[grouping]") {
  CHECK(rand_of({}, {}) == 1);
  CHECK(information_of({}, {}) == 1);
  CHECK(rand_of({3}, {-4}) == 1);
  CHECK(information_of({3}, {-4}) == 1);
  CHECK(information_of({0, 0, 0, 0}, {0, 1, 2, 3}) == 0);
  CHECK(rand_of({0, 0, 0, 0}, {0, 1, 2, 3}) == 0);
  CHECK(rand_of({0, 0, 1, 1}, {0, 1, 0, 1}) == Approx(-0.5));  // chance would put more together
  CHECK(information_of({0, 0, 1, 1}, {0, 1, 0, 1}) == 0);
  const auto a = partition::contiguous(12, 3), b = partition({2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(adjusted_rand_index(threads(1), a, b) == 1);
  CHECK(normalised_information(threads(1), a, b) == Approx(1).epsilon(1e-14));
}

TEST_CASE("bad input of agreement is named", "[grouping]") {
  CHECK_THROWS_WITH(rand_of({0, 1}, {0}),
                    contains("adjusted_rand_index: a and b must have the same length, got 2 and 1"));
  CHECK_THROWS_WITH(information_of({0, 1}, {0}), contains("normalised_information: a and b"));
  CHECK_THROWS_WITH(information_of({0, 1}, {0, 1}, normalisation::none), contains("how must be"));
}
