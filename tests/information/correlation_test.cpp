#include "information/support.hpp"

#include <limits>

#include <miq/information/correlation.hpp>

#include "test_support/catch.hpp"

using miq::information::correlation;
using miq::information::gaussian_entropy;
using namespace miq_test;

namespace {
const float nan_value = std::numeric_limits<float>::quiet_NaN();
}

TEST_CASE("information of a Gaussian pair is the closed form", "[information]") {
  struct row {
    float variance, covariance;
    double nats;
  };
  const auto [variance, covariance, nats] =
      GENERATE(row{2, 1, 0.143841036}, row{4, 3, 0.413339287}, row{10, 9, 0.830365603}, row{100, 99, 1.958517774});
  const auto sign = GENERATE(1.0F, -1.0F);
  miq::matrix<float> c(2, 2, variance), mi(2, 2, -1.0F);
  c(0, 1) = c(1, 0) = sign * covariance;
  const auto result = correlation(miq::host_executor({.threads = 1}), with_covariance(c), mi.view());
  CHECK(mi(0, 1) == Approx(nats).epsilon(0).margin(1e-9 + 0x1p-24 * nats));
  CHECK(mi(1, 0) == mi(0, 1));
  CHECK(mi(0, 0) == 0.0F);
  CHECK(mi(1, 1) == 0.0F);
  CHECK(result.clamped == 0);
  CHECK(result.constant == 0);
  CHECK_FALSE(result.few_tokens);
}

TEST_CASE("information of sampled Gaussian pairs is the closed form", "[information]") {
  const double rho = GENERATE(0.5, 0.75, 0.9, 0.99);
  const std::int64_t tokens = 100'000;
  miq::random_stream random(seed());
  miq::matrix<float> x(tokens, 2);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double a = random.normal();
    x(t, 0) = static_cast<float>(3 * a + 1000);
    x(t, 1) = static_cast<float>(-0.01 * (rho * a + std::sqrt(1 - rho * rho) * random.normal()));
  }
  miq::matrix<float> mi(2, 2);
  correlation(miq::host_executor({.threads = 2}), statistics_of(x), mi.view());
  // The estimate of rho has variance (1 - rho^2)^2 / n, and dI / d rho = rho / (1 - rho^2).
  CHECK(mi(0, 1) == Approx(-0.5 * std::log1p(-rho * rho)).epsilon(0).margin(5 * rho / std::sqrt(1e5)));
}

TEST_CASE("independent channels show the known bias", "[information]") {
  const std::int64_t tokens = 1000, columns = 64;
  miq::random_stream random(seed());
  miq::matrix<float> x(tokens, columns), mi(columns, columns);
  for (std::int64_t k = 0; k < x.size(); ++k) x.data()[k] = static_cast<float>(random.normal());
  correlation(miq::host_executor({.threads = 2}), statistics_of(x), mi.view());
  double sum = 0;
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < i; ++j) sum += static_cast<double>(mi(i, j));
  // 1/2 (psi(999/2) - psi(998/2)) = 5.0125e-4; 2 n I is about chi-square with 1 degree, so its deviation is sqrt(2) /
  // 2n.
  CHECK(sum / 2016 == Approx(5.0125e-4).epsilon(0).margin(5 * std::sqrt(2.0) / 2000 / std::sqrt(2016)));
}

TEST_CASE("every value is the formula's, rounded once", "[information]") {
  const auto columns = GENERATE(1, 2, 15, 16, 17, 63, 64, 65, 130);
  const auto c = random_covariance(columns, seed());
  miq::matrix<float> mi(columns, columns, -1.0F);
  const miq::host_executor exec({.threads = GENERATE(1, 2, 5)});
  const auto result = correlation(exec, with_covariance(c), mi.view());
  CHECK(symmetric_to_the_bit(mi));
  std::int64_t clamped = 0;
  for (std::int64_t i = 0; i < columns; ++i) {
    CHECK(mi(i, i) == 0.0F);
    for (std::int64_t j = 0; j < i; ++j) {
      const auto limit = static_cast<long double>(0.999999F) * static_cast<long double>(0.999999F);
      const auto covariance = static_cast<long double>(c(i, j));
      auto square = covariance * covariance / static_cast<long double>(c(i, i)) / static_cast<long double>(c(j, j));
      clamped += square > limit;
      square = std::min(square, limit);
      CAPTURE(i, j, c(i, j), c(i, i), c(j, j));
      REQUIRE(rounded_right(mi(i, j), -0.5L * std::log1p(-square)));
    }
  }
  CHECK(result.clamped == clamped);
}

TEST_CASE("the whole range of correlations is accurate", "[information]") {
  // Column 0 against the others: 1 - rho from 1 to 2^-24, and rho from 1 to 2^-60.
  const std::int64_t columns = 4000;
  miq::matrix<float> c(columns, columns), mi(columns, columns);
  miq::random_stream random(seed());
  for (std::int64_t j = 0; j < columns; ++j) {
    c(j, j) = 1;
    if (j > 0)
      c(0, j) =
          static_cast<float>(j % 2 == 0 ? std::exp2(-60 * random.uniform()) : 1 - std::exp2(-24 * random.uniform()));
  }
  correlation(miq::host_executor({.threads = 2}), with_covariance(c), mi.view(), {.max_correlation = 0x1.fffffep-1F});
  for (std::int64_t j = 1; j < columns; ++j) {
    const auto rho = std::min(static_cast<long double>(c(0, j)), 0x1.fffffep-1L);
    CAPTURE(j, c(0, j));
    REQUIRE(rounded_right(mi(0, j), -0.5L * std::log1p(-rho * rho)));
    REQUIRE(mi(j, 0) == mi(0, j));
  }
}

TEST_CASE("units, signs and order of channels do not matter", "[information]") {
  const std::int64_t columns = 75;
  const auto c = random_covariance(columns, seed());
  const miq::host_executor exec({.threads = 2});
  miq::matrix<float> mi(columns, columns), other(columns, columns), turned(columns, columns);
  correlation(exec, with_covariance(c), mi.view());

  miq::matrix<float> scaled(columns, columns);
  const auto unit = [](std::int64_t k) { return (k % 2 == 0 ? 1.0F : -1.0F) * std::exp2(static_cast<float>(k % 7)); };
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) scaled(i, j) = c(i, j) * unit(i) * unit(j);
  correlation(exec, with_covariance(scaled), other.view());
  CHECK(same_bits(mi.view(), other.view()));

  const auto from = [](std::int64_t k) { return (k * 31 + 3) % columns; };
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) scaled(i, j) = c(from(i), from(j));
  correlation(exec, with_covariance(scaled), turned.view());
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) REQUIRE(turned(i, j) == mi(from(i), from(j)));
}

TEST_CASE("information of affine maps of the data is the same", "[information]") {
  auto x = normal_tokens(3000, 12, seed());
  miq::matrix<float> before(12, 12), after(12, 12);
  const miq::host_executor exec({.threads = 2});
  correlation(exec, statistics_of(x), before.view());
  for (std::int64_t t = 0; t < x.rows(); ++t)
    for (std::int64_t c = 0; c < 12; ++c) x(t, c) = static_cast<float>(1000 - 3.7 * static_cast<double>(x(t, c)));
  correlation(exec, statistics_of(x), after.view());
  for (std::int64_t i = 0; i < 12; ++i)
    for (std::int64_t j = 0; j < 12; ++j)  // x is now rounded to 2^-15, far below its deviation of 3.7
      CHECK(after(i, j) == Approx(before(i, j)).epsilon(1e-4).margin(1e-5));
}

TEST_CASE("constant, dead, equal and opposite channels", "[information]") {
  auto x = normal_tokens(1000, 6, seed());
  for (std::int64_t t = 0; t < 1000; ++t) {
    x(t, 1) = 0;
    x(t, 2) = 0.1F;
    x(t, 4) = x(t, 3);
    x(t, 5) = -8 * x(t, 3);
  }
  miq::matrix<float> mi(6, 6, -1.0F);
  const auto seen = statistics_of(x);
  const miq::host_executor exec({.threads = 1});
  const auto result = correlation(exec, seen, mi.view());
  CHECK(result.constant == 2);
  CHECK(result.clamped == 3);  // (3, 4), (3, 5), (4, 5)
  for (std::int64_t j = 0; j < 6; ++j)
    for (const std::int64_t i : {1, 2}) CHECK((mi(i, j) == 0.0F && mi(j, i) == 0.0F));
  const auto most = 0.999999F;
  CHECK(rounded_right(mi(3, 4), -0.5L * std::log1p(-static_cast<long double>(most) * static_cast<long double>(most))));
  CHECK(mi(4, 5) == mi(3, 4));

  const auto half = correlation(exec, seen, mi.view(), {.max_correlation = 0.5F});
  CHECK(half.clamped >= 3);
  CHECK(mi(3, 4) == Approx(0.143841036));

  // The range decides, where it is known.
  auto view = seen.view();
  view.minimum = view.maximum = seen.mean;
  CHECK(correlation(exec, view, mi.view()).constant == 6);
  CHECK(mi(3, 4) == 0.0F);
}

TEST_CASE("few tokens are told, fewer are refused", "[information]") {
  const miq::host_executor exec({.threads = 1});
  miq::matrix<float> mi(3, 3, -1.0F);
  CHECK_THROWS_WITH(correlation(exec, statistics_of(normal_tokens(1, 3, seed())), mi.view()),
                    contains("correlation: at least 2 tokens") && contains("got 1"));
  CHECK(mi(0, 1) == -1.0F);
  const auto two = correlation(exec, statistics_of(normal_tokens(2, 3, seed())), mi.view());
  CHECK(two.few_tokens);
  CHECK(two.clamped == 3);  // two points lie on a line
  CHECK(correlation(exec, statistics_of(normal_tokens(99, 3, seed())), mi.view()).few_tokens);
  CHECK_FALSE(correlation(exec, statistics_of(normal_tokens(100, 3, seed())), mi.view()).few_tokens);
}

TEST_CASE("correlation refuses what does not fit, and leaves outputs alone", "[information]") {
  const miq::host_executor exec({.threads = 2});
  auto c = random_covariance(70, seed());
  miq::matrix<float> mi(70, 70, -1.0F), wrong(70, 71, -1.0F);
  miq::information::correlation_result result;
  result.clamped = 77;
  const auto untouched = [&] { return mi(3, 69) == -1.0F && mi(0, 0) == -1.0F && result.clamped == 77; };
  CHECK_THROWS_WITH(correlation(exec, with_covariance(c), wrong.view(), result),
                    contains("mi") && contains("[70, 71]"));
  CHECK(wrong(0, 1) == -1.0F);
  CHECK_THROWS_WITH(correlation(exec, with_covariance(c), c.view(), result), contains("overlap"));
  for (const float limit : {0.0F, 1.0F, -0.5F, 2.0F, nan_value})
    CHECK_THROWS_WITH(correlation(exec, with_covariance(c), mi.view(), result, {.max_correlation = limit}),
                      contains("max_correlation"));
  auto view = with_covariance(c);
  view.minimum = {c.data(), 70};
  CHECK_THROWS_WITH(correlation(exec, view, mi.view(), result), contains("minimum and maximum"));
  view = with_covariance({c.data(), 69, 70});
  CHECK_THROWS_WITH(correlation(exec, view, mi.view(), result), contains("square"));
  const auto kept = c(3, 69);
  for (const float bad : {nan_value, std::numeric_limits<float>::infinity()}) {
    c(3, 69) = bad;
    CHECK_THROWS_WITH(correlation(exec, with_covariance(c), mi.view(), result), contains("columns 3 and 69"));
  }
  c(3, 69) = kept;
  for (const float bad : {nan_value, std::numeric_limits<float>::infinity(), -1.0F}) {
    c(5, 5) = bad;
    CHECK_THROWS_WITH(correlation(exec, with_covariance(c), mi.view(), result), contains("column 5"));
  }
  CHECK(untouched());
  CHECK(correlation(exec, with_covariance({nullptr, 0, 0}), miq::matrix_view<float>(nullptr, 0, 0)).clamped == 0);
}

TEST_CASE("entropies of Gaussian channels", "[information]") {
  // scipy.stats.norm(scale = s).entropy() for s = 1, 0.1, 1000, 0.2419707245191434 = 1 / sqrt(2 pi e)
  miq::matrix<float> c(5, 5);
  c(0, 0) = 1;
  c(1, 1) = 0.01F;
  c(2, 2) = 1e6F;
  c(3, 3) = 0.0585498315F;
  const miq::host_executor exec({.threads = 1});
  std::vector<float> h(5, 7.0F);
  gaussian_entropy(exec, with_covariance(c), h);
  CHECK(h[0] == Approx(1.4189385332046727).epsilon(1e-7));
  CHECK(h[1] == Approx(-0.8836465597893728).epsilon(1e-7));
  CHECK(h[2] == Approx(8.32669381218681).epsilon(1e-7));
  CHECK(h[3] == Approx(0.0).margin(1e-7));
  CHECK(h[4] == -std::numeric_limits<float>::infinity());

  std::vector<float> wrong(4, 7.0F);
  CHECK_THROWS_WITH(gaussian_entropy(exec, with_covariance(c), wrong), contains("entropies must have 5"));
  CHECK_THROWS_WITH(gaussian_entropy(exec, with_covariance(c, 1), h), contains("2 tokens"));
  CHECK(h[0] == Approx(1.4189385332046727));
  CHECK(wrong[0] == 7.0F);
}

TEST_CASE("correlation from samples and for lists is that of the statistics", "[information]") {
  miq::random_stream random(seed());
  const std::int64_t tokens = GENERATE(2, 3, 100, 1500);
  const std::int64_t columns = GENERATE(1, 2, 65, 130);
  auto x = normal_tokens(tokens, columns, seed(), 1000, 0.01);
  if (columns > 2) {
    for (std::int64_t t = 0; t < tokens; ++t) {
      x(t, 1) = 7;
      x(t, 2) = -2 * x(t, 0);
    }
  }
  const miq::host_executor exec({.threads = 2});
  const auto seen = statistics_of(x);
  miq::matrix<float> of_statistics(columns, columns, -1.0F), of_samples(columns, columns, -1.0F);
  const auto expected = correlation(exec, seen.view(), of_statistics.view());
  const auto result = correlation(exec, x.view(), of_samples.view());
  CHECK(std::equal(of_samples.data(), of_samples.data() + of_samples.size(), of_statistics.data()));
  CHECK(result.clamped == expected.clamped);
  CHECK(result.constant == expected.constant);
  CHECK(result.few_tokens == expected.few_tokens);

  std::vector<miq::information::channel_pair> pairs;
  for (int k = 0; k < 60; ++k)
    pairs.push_back({static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(columns))),
                     static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(columns)))});
  std::vector<float> listed(pairs.size()), sampled(pairs.size());
  correlation(exec, seen.view(), pairs, listed);
  correlation(exec, x.view(), pairs, sampled);
  const auto exact_values = exact(x);
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    const auto [i, j] = pairs[p];
    CHECK(listed[p] == of_statistics(i, j));
    if (i == j) {
      CHECK(sampled[p] == 0.0F);
      continue;
    }
    std::vector<float> a, b;
    for (std::int64_t t = 0; t < tokens; ++t) {
      a.push_back(x(t, i));
      b.push_back(x(t, j));
    }
    const miq::vector_view<const float> va(a), vb(b);
    const double one = correlation(exec, va, vb);
    CHECK(static_cast<float>(one) == sampled[p]);
    CHECK(one == correlation(exec, vb, va));
    const auto variances = exact_values.at(i, i) * exact_values.at(j, j);
    if (variances == 0) {
      CHECK(sampled[p] == 0.0F);
      continue;
    }
    const auto square = std::min(exact_values.at(i, j) * exact_values.at(i, j) / variances, 0.999999L * 0.999999L);
    // Standardised values are floats: rho is off by 1e-7, and near 1 the logarithm magnifies that.
    const auto nats = static_cast<double>(-0.5L * std::log1p(-square));
    CHECK(static_cast<double>(sampled[p]) ==
          Approx(nats).epsilon(1e-5).margin(5e-7 / (1 - static_cast<double>(square))));
  }
}

TEST_CASE("correlation from samples refuses what it cannot use", "[information]") {
  const miq::host_executor exec({.threads = 1});
  miq::matrix<float> x(4, 3, 1.0F), mi(3, 3, -1.0F);
  x(2, 1) = nan_value;
  CHECK_THROWS_WITH(correlation(exec, x.view(), mi.view()), contains("channel 1 at token 2"));
  x(2, 1) = 0;
  CHECK_THROWS_WITH(correlation(exec, x.view().rows_from(0, 1), mi.view()), contains("at least 2 tokens"));
  CHECK_THROWS_AS(correlation(exec, x.view(), mi.view(), {}, [](std::string_view, double) { return false; }),
                  miq::cancelled);
  std::vector<miq::information::channel_pair> pairs = {{0, 5}};
  std::vector<float> one(1, -1.0F);
  CHECK_THROWS_WITH(correlation(exec, x.view(), pairs, one), contains("got 5 in pair 0"));
  CHECK(one[0] == -1.0F);
  CHECK(mi(0, 1) == -1.0F);
}

TEST_CASE("channels of any size have their correlation", "[information]") {
  const miq::host_executor exec({.threads = 2});
  const auto x = normal_tokens(2000, 3, seed());
  miq::matrix<float> expected(3, 3);
  correlation(exec, x.view(), expected.view());
  for (const int power : {-120, -80, -60, 60, 100, 120}) {
    miq::matrix<float> scaled(x), mi(3, 3);
    for (std::int64_t t = 0; t < x.rows(); ++t) {
      scaled(t, 0) = std::ldexp(x(t, 0), power);
      scaled(t, 1) = std::ldexp(x(t, 1), -power / 2);
    }
    const auto result = correlation(exec, scaled.view(), mi.view());
    CHECK(result.constant == 0);
    for (std::int64_t k = 0; k < 9; ++k) CHECK(mi.data()[k] == Approx(expected.data()[k]).epsilon(1e-4).margin(1e-7));
  }
  // Constant channels of any size stay constant.
  miq::matrix<float> flat(50, 3, std::numeric_limits<float>::max()), mi(3, 3, -1.0F);
  for (std::int64_t t = 0; t < 50; ++t) {
    flat(t, 1) = std::numeric_limits<float>::denorm_min();
    flat(t, 2) = static_cast<float>(t);
  }
  CHECK(correlation(exec, flat.view(), mi.view()).constant == 2);
  CHECK(mi(0, 2) == 0.0F);
}
