#include <miq/information/label_information.hpp>

#include <cmath>
#include <vector>

#include "information/support.hpp"
#include "test_support/catch.hpp"

using miq::information::label_entropy;
using miq::information::label_information;
using namespace miq_test;

namespace {

using labels = std::vector<std::int32_t>;

double entropy(const labels& a) {
  return label_entropy(miq::host_executor({.threads = 1}), miq::vector_view<const std::int32_t>(a));
}
double information(const labels& a, const labels& b) {
  return label_information(miq::host_executor({.threads = 1}), miq::vector_view<const std::int32_t>(a),
                           miq::vector_view<const std::int32_t>(b));
}

labels random_labels(std::uint64_t from, int n, int count) {
  miq::random_stream random(from);
  labels result;
  for (int i = 0; i < n; ++i)
    result.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(count))));
  return result;
}

}  // namespace

TEST_CASE("entropy and information of labels are scikit-learn's", "[information]") {
  // tests/information/reference.py
  std::vector<labels> given(4);
  for (std::int32_t t = 0; t < 120; ++t) {
    given[0].push_back(t % 2);
    given[1].push_back((t * t + t / 7) % 3);
    given[2].push_back(t % 2 * 2 + t / 11 % 2);
    given[3].push_back(0);
  }
  const double entropies[] = {0.6931471805599454, 1.095273377437205, 1.3793174038356808, 0.0};
  for (std::size_t c = 0; c < 4; ++c) {
    CHECK(entropy(given[c]) == Approx(entropies[c]).epsilon(1e-14));
    CHECK(information(given[c], given[c]) == Approx(entropies[c]).epsilon(1e-14));
    CHECK(information(given[c], given[3]) == 0);
  }
  CHECK(information(given[0], given[1]) == Approx(0).margin(1e-15));
  CHECK(information(given[0], given[2]) == Approx(0.6931471805599451).epsilon(1e-14));
  CHECK(information(given[1], given[2]) == Approx(0.07515977735683417).epsilon(1e-13));
}

TEST_CASE("closed forms: uniform labels, copies, independence", "[information]") {
  for (const int count : {1, 2, 3, 7, 16, 1000}) {
    labels a, b, c;
    for (int t = 0; t < 3 * count; ++t) {
      a.push_back(t % count - 5);
      b.push_back(t / count);  // every label of a once with every one of b
      c.push_back(1000 - 3 * (t % count));
    }
    CHECK(entropy(a) == Approx(std::log(count)).epsilon(1e-13));
    CHECK(information(a, c) == Approx(std::log(count)).epsilon(1e-13));
    CHECK(information(a, b) == 0);
  }
  CHECK(entropy({4, 4, 4, 4, 2}) == Approx(-0.8 * std::log(0.8) - 0.2 * std::log(0.2)).epsilon(1e-15));
}

TEST_CASE("information of labels: symmetric to the bit, blind to names, the sum of entropies less the joint one",
          "[information]") {
  for (const int n : {1, 2, 3, 17, 1009}) {
    const auto a = random_labels(seed(), n, 6), b = random_labels(seed(), n, 9);
    labels joint, renamed;
    for (std::size_t t = 0; t < a.size(); ++t) {
      joint.push_back(a[t] * 9 + b[t]);
      renamed.push_back(40 - 7 * a[t]);
    }
    const double found = information(a, b);
    CHECK(found == information(b, a));
    CHECK(found == information(renamed, b));
    CHECK(found >= 0);
    CHECK(found == Approx(entropy(a) + entropy(b) - entropy(joint)).margin(1e-13));
    CHECK(found <= std::min(entropy(a), entropy(b)) + 1e-13);
    CHECK(entropy(renamed) == entropy(a));
  }
}

TEST_CASE("bad labels are refused by name", "[information]") {
  CHECK_THROWS_WITH(entropy({}), contains("label_entropy: labels must not be empty"));
  CHECK_THROWS_WITH(information({}, {}), contains("at least 1, got 0 and 0"));
  CHECK_THROWS_WITH(information({1, 2}, {1}), contains("same length") && contains("got 2 and 1"));
}
