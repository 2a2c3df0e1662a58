#include <miq/information/normalisation.hpp>

#include <limits>

#include <miq/information/correlation.hpp>

#include "information/support.hpp"
#include "test_support/catch.hpp"

using miq::information::normalisation;
using miq::information::normalise;
using namespace miq_test;

namespace {

const float infinity = std::numeric_limits<float>::infinity();
const auto by_entropies = {normalisation::arithmetic, normalisation::geometric, normalisation::minimum,
                           normalisation::maximum};

miq::matrix<float> random_information(std::int64_t columns, std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> mi(columns, columns);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < i; ++j) mi(i, j) = mi(j, i) = static_cast<float>(random.uniform());
  return mi;
}

}  // namespace

TEST_CASE("normalised information of labels equals scikit-learn's", "[information]") {
  // tests/information/reference.py: three labellings and a constant one
  const std::vector<float> entropies{0.6931471805599454F, 1.095273377437205F, 1.3793174038356808F, 0.0F};
  miq::matrix<float> mi(4, 4), out(4, 4, -1.0F);
  mi(0, 2) = mi(2, 0) = 0.6931471805599451F;
  mi(1, 2) = mi(2, 1) = 0.07515977735683417F;
  struct row {
    normalisation how;
    double first, second;
  };
  const auto [how, first, second] = GENERATE(row{normalisation::arithmetic, 0.6689110016922979, 0.06074521729057224},
                                             row{normalisation::geometric, 0.70889289322998, 0.06114938748000896},
                                             row{normalisation::minimum, 0.9999999999999996, 0.06862193394374116},
                                             row{normalisation::maximum, 0.5025291340719719, 0.054490559712960754});
  CHECK(normalise(miq::host_executor({.threads = 1}), mi, entropies, how, out.view()).clipped == 0);
  CHECK(out(0, 2) == Approx(first).epsilon(2e-7));
  CHECK(out(1, 2) == Approx(second).epsilon(2e-7));
  CHECK(symmetric_to_the_bit(out));
  for (std::int64_t j = 0; j < 4; ++j) CHECK((out(j, j) == 0.0F && out(3, j) == 0.0F && out(j, 3) == 0.0F));
  CHECK(out(0, 1) == 0.0F);
}

TEST_CASE("normalisations are their formulas at any size and number of threads", "[information]") {
  const auto columns = GENERATE(1, 2, 64, 65, 131);
  auto mi = random_information(columns, seed());
  miq::random_stream random(seed());
  std::vector<float> h;
  for (std::int64_t c = 0; c < columns; ++c) h.push_back(static_cast<float>(1 + random.uniform()));
  miq::matrix<float> one(columns, columns), five(columns, columns);
  const miq::host_executor serial({.threads = 1}), parallel({.threads = 5});
  for (const auto how : by_entropies) {
    normalise(serial, mi, h, how, one.view());
    normalise(parallel, mi, h, how, five.view());
    REQUIRE(same_bits(one.view(), five.view()));
    REQUIRE(symmetric_to_the_bit(one));
    for (std::int64_t i = 0; i < columns; ++i)
      for (std::int64_t j = i + 1; j < columns; ++j) {
        const long double a = h[static_cast<std::size_t>(i)], b = h[static_cast<std::size_t>(j)];
        const auto below = how == normalisation::arithmetic  ? (a + b) / 2
                           : how == normalisation::geometric ? std::sqrt(a * b)
                           : how == normalisation::minimum   ? std::min(a, b)
                                                             : std::max(a, b);
        REQUIRE(rounded_right(one(i, j), static_cast<long double>(mi(i, j)) / below));
      }
  }
  normalise(parallel, mi, {}, normalisation::none, one.view());
  CHECK(same_bits(one.view(), mi.view()));
}

TEST_CASE("the information coefficient of Gaussian channels is |rho|", "[information]") {
  const auto how = GENERATE(normalisation::information_coefficient, normalisation::correlation);
  const auto c = random_covariance(90, seed());
  miq::matrix<float> mi(90, 90), out(90, 90);
  const miq::host_executor exec({.threads = 2});
  miq::information::correlation(exec, with_covariance(c), mi.view());
  normalise(exec, mi, {}, how, out.view());
  for (std::int64_t i = 0; i < 90; ++i)
    for (std::int64_t j = 0; j < 90; ++j) {
      const auto rho = std::min(0.999999, std::abs(static_cast<double>(c(i, j))) /
                                              std::sqrt(static_cast<double>(c(i, i)) * static_cast<double>(c(j, j))));
      // mi is rounded to float, 2^-24 of it; d rho / d I = (1 - rho^2) / rho makes at most 2^-24 rho of that.
      REQUIRE(static_cast<double>(out(i, j)) == Approx(i == j ? 0 : rho).epsilon(2e-7).margin(1e-30));
    }
}

TEST_CASE("negative estimates are clipped where that is said, and kept elsewhere", "[information]") {
  auto mi = random_information(70, seed());
  mi(0, 69) = mi(69, 0) = -0.01F;
  mi(3, 4) = mi(4, 3) = -2.0F;
  mi(5, 6) = mi(6, 5) = -0.0F;
  miq::matrix<float> out(70, 70);
  const miq::host_executor exec({.threads = 2});
  CHECK(normalise(exec, mi, {}, normalisation::information_coefficient, out.view()).clipped == 2);
  CHECK(out(0, 69) == 0.0F);
  CHECK(out(4, 3) == 0.0F);
  const std::vector<float> h(70, 2.0F);
  for (const auto how : by_entropies) {
    CHECK(normalise(exec, mi, h, how, out.view()).clipped == 0);
    CHECK(out(3, 4) == -1.0F);
  }
}

TEST_CASE("what is undefined is refused by name", "[information]") {
  const miq::host_executor exec({.threads = 2});
  const auto mi = random_information(5, seed());
  miq::matrix<float> out(5, 5, -1.0F);
  for (const auto how : by_entropies) {
    CHECK_THROWS_WITH(normalise(exec, mi, std::vector<float>{1, 1, -0.25F, 1, 1}, how, out.view()),
                      contains("got -0.25 for column 2") && contains("normalisation::information_coefficient"));
    for (const float nothing : {0.0F, -infinity})
      CHECK_THROWS_WITH(normalise(exec, mi, std::vector<float>{1, 1, 1, nothing, 1}, how, out.view()),
                        contains("columns 0 and 3") && contains("information_coefficient"));
    CHECK_THROWS_WITH(normalise(exec, mi, std::vector<float>{1, std::nanf(""), 1, 1, 1}, how, out.view()),
                      contains("column 1"));
    CHECK_THROWS_WITH(normalise(exec, mi, std::vector<float>{1, 1, 1, 1, infinity}, how, out.view()),
                      contains("column 4"));
    CHECK_THROWS_WITH(normalise(exec, mi, {}, how, out.view()), contains("5 elements") && contains("got 0"));
  }
  auto bad = mi;
  bad(1, 3) = infinity;
  for (const auto how : {normalisation::none, normalisation::information_coefficient})
    CHECK_THROWS_WITH(normalise(exec, bad, {}, how, out.view()), contains("columns 1 and 3"));
  CHECK_THROWS_AS(normalise(exec, mi, {}, static_cast<normalisation>(99), out.view()), miq::invalid_argument);
  CHECK_THROWS_WITH(normalise(exec, {mi.data(), 4, 5}, {}, normalisation::none, out.view()), contains("square"));
  CHECK_THROWS_WITH(normalise(exec, {mi.data(), 4, 4}, {}, normalisation::none, out.view()), contains("[5, 5]"));
  CHECK_THROWS_WITH(normalise(exec, out, {}, normalisation::none, out.view()), contains("overlap"));
  for (std::int64_t k = 0; k < 25; ++k) REQUIRE(out.data()[k] == -1.0F);
}

TEST_CASE("constant continuous channels normalise to 0", "[information]") {
  auto x = normal_tokens(500, 4, seed(), 0, 30);  // wide enough for positive entropies
  for (std::int64_t t = 0; t < 500; ++t) x(t, 2) = 5;
  const auto seen = statistics_of(x);
  const miq::host_executor exec({.threads = 1});
  miq::matrix<float> mi(4, 4), out(4, 4);
  std::vector<float> h(4);
  miq::information::correlation(exec, seen, mi.view());
  miq::information::gaussian_entropy(exec, seen, h);
  normalise(exec, mi, h, normalisation::arithmetic, out.view());
  CHECK(out(0, 1) > 0.0F);
  for (std::int64_t j = 0; j < 4; ++j) CHECK(out(2, j) == 0.0F);
}
