#include <miq/information/detail/rank_correlation/normal_scores.hpp>
#include <miq/information/rank_correlation.hpp>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <miq/core/random.hpp>

#include "reference_channels.hpp"
#include "test_support/catch.hpp"

using namespace miq::information;
using namespace miq_test;

namespace {

const miq::host_executor two({.threads = 2});

miq::matrix<float> gaussian_pairs(std::int64_t tokens, double rho, miq::random_stream& random) {
  miq::matrix<float> x(tokens, 2);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double a = random.normal();
    x(t, 0) = static_cast<float>(a);
    x(t, 1) = static_cast<float>(-rho * a + std::sqrt(1 - rho * rho) * random.normal());
  }
  return x;
}

}  // namespace

TEST_CASE("normal quantiles are SciPy's", "[rank]") {
  using miq::information::detail::normal_quantile;
  CHECK(normal_quantile(0.5) == 0.0);
  const double expected[][2] = {{1e-12, -7.03448382530113}, {1e-6, -4.7534243088229},
                                {0.001, -3.09023230616781}, {0.02425, -1.97296105131188},
                                {0.25, -0.674489750196082}, {0.4999, -0.000250662830088008}};
  for (const auto& [p, quantile] : expected) {
    CHECK(normal_quantile(p) == Approx(quantile).epsilon(1e-12));
    if (p > 1e-4) CHECK(normal_quantile(1 - p) == Approx(-quantile).epsilon(1e-11));
  }
}

TEST_CASE("rank correlation information is SciPy's, ties included", "[rank]") {
  const auto x = reference_channels();
  const double expected[] = {0.980778866074,    0.000430108085395, 0.0404138981752, 0.134208244166,
                             0.000229808269384, 0.0349046769284,   0.379159470212,  0.000473926285825,
                             8.78150195297e-05, 0.006840469006};
  miq::matrix<float> mi(5, 5, -1.0F);
  const auto result = rank_correlation(two, x.view(), mi.view());
  CHECK(result.constant == 0);
  CHECK(result.tied == 2);  // the rectified and the discrete channel
  CHECK_FALSE(result.few_tokens);
  int pair = 0;
  for (std::int64_t i = 0; i < 5; ++i)
    for (std::int64_t j = i + 1; j < 5; ++j, ++pair) {
      // Scores are floats: rho is off by 1e-7 or so, I by rho / (1 - rho^2) times that.
      CHECK(static_cast<double>(mi(i, j)) == Approx(expected[pair]).epsilon(2e-6).margin(3e-9));
      CHECK(mi(i, j) == mi(j, i));
    }
}

TEST_CASE("rank correlation information of Gaussian pairs, however mapped, is the closed form", "[rank]") {
  miq::random_stream random(seed());
  for (const double rho : {0.5, 0.75, 0.9, 0.99})
    for (const std::int64_t tokens : {10'000, 200'000}) {
      auto x = gaussian_pairs(tokens, rho, random);
      for (std::int64_t t = 0; t < tokens; ++t) x(t, 0) = std::exp(x(t, 0));
      miq::matrix<float> mi(2, 2);
      rank_correlation(two, x.view(), mi.view());
      // dI / d rho = rho / (1 - rho^2), and rho's deviation is (1 - rho^2) / sqrt(T) or a little more by ranks.
      CHECK(static_cast<double>(mi(0, 1)) ==
            Approx(-0.5 * std::log1p(-rho * rho)).margin(6 * rho / std::sqrt(static_cast<double>(tokens))));
    }
}

TEST_CASE("increasing maps and the order of tokens change no bit of rank correlation", "[rank]") {
  miq::random_stream random(seed());
  miq::matrix<float> x(1501, 7), mapped(1501, 7), shuffled(1501, 7);
  for (std::int64_t k = 0; k < x.size(); ++k) x.data()[k] = static_cast<float>(random.below(3000)) - 1500;
  for (std::int64_t k = 0; k < x.size(); ++k) mapped.data()[k] = x.data()[k] * std::abs(x.data()[k]) / 16;  // exact
  miq::matrix<float> a(7, 7), b(7, 7);
  rank_correlation(two, x.view(), a.view());
  rank_correlation(two, mapped.view(), b.view());
  CHECK(std::equal(a.data(), a.data() + a.size(), b.data()));
  // A falling map turns the scores round, which the square does not see; sums of ties may round apart.
  for (std::int64_t k = 0; k < x.size(); ++k) mapped.data()[k] = -x.data()[k];
  rank_correlation(two, mapped.view(), b.view());
  for (std::int64_t k = 0; k < a.size(); ++k) CHECK(a.data()[k] == Approx(b.data()[k]).epsilon(1e-5).margin(1e-9));
  std::vector<std::int64_t> order(1501);
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[random.below(k)]);
  for (std::int64_t t = 0; t < 1501; ++t)
    for (std::int64_t c = 0; c < 7; ++c) shuffled(t, c) = x(order[static_cast<std::size_t>(t)], c);
  rank_correlation(two, shuffled.view(), b.view());
  for (std::int64_t k = 0; k < a.size(); ++k) CHECK(a.data()[k] == Approx(b.data()[k]).epsilon(1e-4).margin(1e-8));
}

TEST_CASE("rank correlation: pair, list and matrix agree, threads change no bit", "[rank]") {
  miq::random_stream random(seed());
  const std::int64_t channels = GENERATE(1, 2, 255, 257, 300);
  const std::int64_t tokens = GENERATE(2, 3, 511, 700);
  miq::matrix<float> x(tokens, channels);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double shared = random.normal();
    for (std::int64_t c = 0; c < channels; ++c) x(t, c) = static_cast<float>(shared + random.normal());
  }
  miq::matrix<float> mi(channels, channels, -1.0F), again(channels, channels, -1.0F);
  const auto result = rank_correlation(miq::host_executor({.threads = 1}), x.view(), mi.view());
  for (const int threads : {2, 5}) {
    const auto same = rank_correlation(miq::host_executor({.threads = threads}), x.view(), again.view());
    CHECK(std::equal(mi.data(), mi.data() + mi.size(), again.data()));
    CHECK(same.clamped == result.clamped);
  }
  CHECK(result.few_tokens == (tokens < 100));
  if (tokens == 2) CHECK(result.clamped == channels * (channels - 1) / 2);
  std::vector<channel_pair> pairs;
  for (int k = 0; k < 40; ++k)
    pairs.push_back({static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(channels))),
                     static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(channels)))});
  std::vector<float> listed(pairs.size());
  rank_correlation(two, x.view(), pairs, listed);
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    const auto [i, j] = pairs[p];
    if (i == j) {
      CHECK(listed[p] == 0.0F);
      continue;
    }
    CHECK(listed[p] == Approx(mi(i, j)).epsilon(1e-5).margin(1e-7));
    std::vector<float> a, b;
    for (std::int64_t t = 0; t < tokens; ++t) {
      a.push_back(x(t, i));
      b.push_back(x(t, j));
    }
    const double one = rank_correlation(two, miq::vector_view<const float>(a), miq::vector_view<const float>(b));
    CHECK(static_cast<float>(one) == listed[p]);
    CHECK(one == rank_correlation(two, miq::vector_view<const float>(b), miq::vector_view<const float>(a)));
  }
}

TEST_CASE("rank correlation: constant, duplicated and opposite channels", "[rank]") {
  miq::random_stream random(seed());
  miq::matrix<float> x(997, 4), mi(4, 4, -1.0F);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    x(t, 0) = static_cast<float>(random.normal());
    x(t, 1) = x(t, 0);
    x(t, 2) = -x(t, 0);
    x(t, 3) = 42;
  }
  const auto result = rank_correlation(two, x.view(), mi.view());
  const auto most = -0.5 * std::log1p(-static_cast<double>(0.999999F) * static_cast<double>(0.999999F));
  for (std::int64_t i = 0; i < 3; ++i) {
    CHECK(mi(i, 3) == 0.0F);
    for (std::int64_t j = 0; j < 3; ++j)
      if (i != j) CHECK(mi(i, j) == Approx(most).epsilon(1e-6));
  }
  CHECK(result.clamped == 3);
  CHECK(result.constant == 1);
}

TEST_CASE("rank correlation refuses what it cannot use", "[rank]") {
  miq::matrix<float> x(5, 2, 1.0F), mi(2, 2, -2.0F);
  CHECK_THROWS_WITH(rank_correlation(two, x.view().rows_from(0, 1), mi.view()), contains("at least 2 tokens, got 1"));
  CHECK_THROWS_WITH(rank_correlation(two, x.view(), mi.view(), {.max_correlation = 1}), contains("max_correlation"));
  x(3, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(rank_correlation(two, x.view(), mi.view()), contains("channel 1 at token 3"));
  x(3, 1) = 0;
  CHECK(mi(0, 1) == -2.0F);
  CHECK_THROWS_AS(rank_correlation(two, x.view(), mi.view(), {}, [](std::string_view, double) { return false; }),
                  miq::cancelled);
}
