#include <miq/information/significance.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <miq/core/random.hpp>

#include "test_support/catch.hpp"

using namespace miq::information;
using namespace miq_test;

namespace {

const miq::host_executor two({.threads = 2});

miq::matrix<float> independent(std::int64_t tokens, std::int64_t channels, miq::random_stream& random) {
  miq::matrix<float> x(tokens, channels);
  for (std::int64_t k = 0; k < x.size(); ++k) x.data()[k] = static_cast<float>(random.normal());
  return x;
}

}  // namespace

TEST_CASE("p-values of independent channels are uniform, of dependent ones the smallest there is", "[significance]") {
  miq::random_stream random(seed());
  const std::int64_t channels = 24;
  auto x = independent(150, channels, random);
  for (std::int64_t t = 0; t < x.rows(); ++t) x(t, 1) = 0.5F * x(t, 0) + x(t, 1);  // rho = 0.45: 5.5 deviations
  miq::matrix<float> mi(channels, channels), p(channels, channels), bias(channels, channels);
  const permutation_test_options options{.permutations = 99, .seed = seed()};
  permutation_test(two, x.view(), mi.view(), p.view(), bias.view(), correlation_options{}, options);
  CHECK(p(0, 1) == 0.01F);
  double sum = 0, small = 0, count = 0;
  for (std::int64_t i = 0; i < channels; ++i) {
    CHECK(p(i, i) == 1.0F);
    CHECK(bias(i, i) == 0.0F);
    for (std::int64_t j = i + 1; j < channels; ++j) {
      CHECK(p(i, j) == p(j, i));
      CHECK(bias(i, j) == bias(j, i));
      if (i == 0 && j == 1) continue;
      sum += static_cast<double>(p(i, j));
      small += p(i, j) <= 0.1F;
      ++count;
    }
  }
  // 275 nearly independent values: the mean of uniform ones deviates by 0.017, the share below 0.1 by 0.018.
  CHECK(sum / count == Approx(0.505).margin(0.09));
  CHECK(small / count == Approx(0.1).margin(0.09));
}

TEST_CASE("the bias estimate is the bias that theory gives", "[significance]") {
  miq::random_stream random(seed());
  auto x = independent(1000, 12, random);
  for (std::int64_t t = 0; t < x.rows(); ++t) x(t, 1) = x(t, 0);  // dependence does not matter to it
  miq::matrix<float> mi(12, 12), p(12, 12), bias(12, 12);
  const auto mean_bias = [&](const estimator_options& estimator) {
    permutation_test(two, x.view(), mi.view(), p.view(), bias.view(), estimator, {.permutations = 20});
    return std::accumulate(bias.data(), bias.data() + bias.size(), 0.0) / (12 * 11);
  };
  // 1/2 (psi(499.5) - psi(499)) = 5.0125e-4, each of 66 * 20 values having about that mean and 1.4 times it for
  // deviation
  CHECK(mean_bias(correlation_options{}) == Approx(5.0125e-4).epsilon(0.25));
  // (16 - 1)^2 / 2T, and the next term for 4 tokens a cell
  CHECK(mean_bias(histogram_options{.edges = bin_edges::equal_frequency}) == Approx(0.1125).margin(0.02));
}

TEST_CASE("p-values converge to those of all permutations", "[significance]") {
  // Six tokens: all 720 orders of y can be tried. The Gaussian information grows with |rho|.
  miq::random_stream random(seed());
  std::vector<float> x(6), y(6);
  for (std::size_t t = 0; t < 6; ++t) {
    x[t] = static_cast<float>(random.normal());
    y[t] = static_cast<float>(0.7 * static_cast<double>(x[t]) + random.normal());
  }
  const auto product = [&](const std::vector<std::size_t>& order) {
    double mean = 0, sum = 0;
    for (const auto v : x) mean += static_cast<double>(v) / 6;
    for (std::size_t t = 0; t < 6; ++t) sum += (static_cast<double>(x[t]) - mean) * static_cast<double>(y[order[t]]);
    return std::abs(sum);
  };
  std::vector<std::size_t> order(6);
  std::iota(order.begin(), order.end(), 0U);
  const double observed = product(order);
  double reached = 0;
  do reached += product(order) >= observed * (1 - 1e-6);
  while (std::next_permutation(order.begin(), order.end()));
  const double exact = reached / 720;
  const auto found = permutation_test(two, miq::vector_view<const float>(x), miq::vector_view<const float>(y), {},
                                      {.permutations = 20'000, .seed = seed()});
  CHECK(found.p_value == Approx(exact).margin(5 * std::sqrt(exact * (1 - exact) / 20'000) + 1e-4));
  CHECK(found.mi == correlation(two, miq::vector_view<const float>(x), miq::vector_view<const float>(y)));
}

TEST_CASE("ties of channels with few values count, though sums of floats round them apart", "[significance]") {
  // Twelve zeros and twelve ones in each: every estimator grows with how far the count of (1, 1) is from 6, so all must
  // count the same rounds. The histogram's integers have no rounding.
  miq::random_stream random(seed());
  for (int study = 0; study < 6; ++study) {
    miq::matrix<float> x(24, 3), mi(3, 3), exact(3, 3), p(3, 3);
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t t = 0; t < 24; ++t) x(t, c) = t < 12 ? 0.1F : 0.7F;
      for (std::int64_t t = 24; t > 1; --t)
        std::swap(x(t - 1, c), x(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(t))), c));
    }
    const permutation_test_options options{.permutations = 400, .seed = seed()};
    permutation_test(two, x.view(), mi.view(), exact.view(), miq::matrix_view<float>(), histogram_options{.bins = 2},
                     options);
    for (const auto& estimator :
         {estimator_options(correlation_options{}), estimator_options(rank_correlation_options{}),
          estimator_options(kde_options{.leave_one_out = false})}) {
      INFO(name_of(estimator));
      permutation_test(two, x.view(), mi.view(), p.view(), miq::matrix_view<float>(), estimator, options);
      CHECK(std::equal(p.data(), p.data() + 9, exact.data()));
    }
  }
}

TEST_CASE("list, matrix and threads give the same test", "[significance]") {
  miq::random_stream random(seed());
  auto x = independent(211, 9, random);
  for (std::int64_t t = 0; t < x.rows(); ++t) x(t, 4) = 3;  // constant
  const estimator_options estimator = histogram_options{.bins = 5};
  const permutation_test_options options{.permutations = 30, .seed = seed()};
  miq::matrix<float> mi(9, 9), p(9, 9), bias(9, 9), mi1(9, 9), p1(9, 9), bias1(9, 9), plain(9, 9);
  const auto result = permutation_test(two, x.view(), mi.view(), p.view(), bias.view(), estimator, options);
  permutation_test(miq::host_executor({.threads = 5}), x.view(), mi1.view(), p1.view(), bias1.view(), estimator,
                   options);
  CHECK(std::equal(p.data(), p.data() + 81, p1.data()));
  CHECK(std::equal(bias.data(), bias.data() + 81, bias1.data()));
  CHECK(common_result(result).constant == 1);
  mutual_information(two, x.view(), plain.view(), estimator);
  CHECK(std::equal(mi.data(), mi.data() + 81, plain.data()));
  std::vector<channel_pair> pairs = {{0, 1}, {7, 2}, {3, 3}, {4, 8}};
  std::vector<float> v(4), q(4), b(4);
  permutation_test(two, x.view(), pairs, miq::vector_view<float>(v), q, b, estimator, options);
  for (std::size_t k = 0; k < 4; ++k) {
    const auto [i, j] = pairs[k];
    CHECK(v[k] == mi(i, j));
    CHECK(q[k] == p(i, j));
    CHECK(b[k] == bias(i, j));
  }
  CHECK(q[3] == 1.0F);
  // No bias asked for: the same p-values.
  permutation_test(two, x.view(), mi1.view(), p1.view(), miq::matrix_view<float>(), estimator, options);
  CHECK(std::equal(p.data(), p.data() + 81, p1.data()));
}

TEST_CASE("permutation tests refuse what they cannot use", "[significance]") {
  miq::random_stream random(seed());
  auto x = independent(50, 3, random);
  miq::matrix<float> mi(3, 3, -2.0F), p(3, 3, -2.0F), wrong(2, 3);
  const miq::matrix_view<float> none;
  CHECK_THROWS_WITH(permutation_test(two, x.view(), mi.view(), p.view(), none, {}, {.permutations = 0}),
                    contains("permutations must be 1 to 1000000, got 0"));
  CHECK_THROWS_WITH(permutation_test(two, x.view(), mi.view(), wrong.view(), none), contains("p_values"));
  CHECK_THROWS_WITH(permutation_test(two, x.view(), mi.view(), p.view(), wrong.view()), contains("bias"));
  CHECK_THROWS_WITH(permutation_test(two, x.view(), mi.view(), mi.view(), none), contains("overlap"));
  const std::vector<channel_pair> pairs = {{0, 1}, {1, 2}};
  std::vector<float> one(2), other(2);
  const miq::vector_view<float> a(one), b(other);
  CHECK_THROWS_WITH(permutation_test(two, x.view(), pairs, a, b, a), contains("overlap"));
  CHECK_THROWS_WITH(permutation_test(two, x.view(), pairs, a, miq::vector_view<float>(x.data(), 2), b),
                    contains("overlap samples"));
  x(7, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(permutation_test(two, x.view(), mi.view(), p.view(), none), contains("channel 1 at token 7"));
  CHECK(mi(0, 1) == -2.0F);
  CHECK(p(0, 1) == -2.0F);
  x(7, 1) = 0;
  double last = 0;
  bool rising = true;
  permutation_test(two, x.view(), mi.view(), p.view(), none, histogram_options{}, {.permutations = 3},
                   [&](std::string_view, double done) {
                     rising = rising && done >= last && done <= 1;
                     last = done;
                     return true;
                   });
  CHECK(rising);
  CHECK(last > 0.9);
  CHECK_THROWS_AS(permutation_test(two, x.view(), mi.view(), p.view(), none, histogram_options{}, {.permutations = 3},
                                   [](std::string_view, double done) { return done < 0.5; }),
                  miq::cancelled);
}
