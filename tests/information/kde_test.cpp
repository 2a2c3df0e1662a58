#include <miq/information/kde.hpp>

#include <limits>
#include <numbers>
#include <vector>

#include "calibration/support.hpp"
#include "information/estimators_samples.hpp"
#include "information/estimators_values.hpp"
#include "information/samples.hpp"
#include "reference/information.hpp"
#include "test_support/catch.hpp"

using miq::information::bandwidth_rule;
using miq::information::channel_pair;
using miq::information::kde;
using miq::information::kde_entropy;
using miq::information::kde_options;
using namespace miq_test;

namespace {

constexpr auto nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr auto infinity = std::numeric_limits<float>::infinity();

double pair_of(const miq::matrix<float>& samples, std::int64_t i, std::int64_t j, const kde_options& options = {}) {
  const auto x = channel_of(samples, i), y = channel_of(samples, j);
  return kde(miq::host_executor({.threads = 2}), miq::vector_view<const float>(x), miq::vector_view<const float>(y),
             options);
}

std::vector<double> wide(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// The rules, written down again.
double width_of(std::vector<double> x, bandwidth_rule rule, int dimensions) {
  const auto n = static_cast<double>(x.size());
  double mean = 0, square = 0;
  for (const auto v : x) mean += v / n;
  for (const auto v : x) square += (v - mean) * (v - mean);
  double spread = std::sqrt(square / (n - 1));
  std::sort(x.begin(), x.end());
  const auto quantile = [&](double share) {
    const auto at = share * (n - 1), below = std::floor(at);
    const auto next = std::min(below + 1, n - 1);
    return x[static_cast<std::size_t>(below)] * (1 - (at - below)) + x[static_cast<std::size_t>(next)] * (at - below);
  };
  const auto range = (quantile(0.75) - quantile(0.25)) / 1.34;
  if (rule == bandwidth_rule::silverman && range > 0) spread = std::min(spread, range);
  if (dimensions == 2) return spread * std::pow(n, -1.0 / 6);
  return (rule == bandwidth_rule::silverman ? 0.9 : std::pow(4.0 / 3, 0.2)) * spread * std::pow(n, -0.2);
}

/// What the estimate of Gaussian channels tends to: the mean of ln(p(x, y) / (p(x) p(y))) over N(0, S), with S the
/// covariance [[1, rho], [rho, 1]], for densities of N(0, S + h^2).
double smoothed_gaussian(double rho, double h) {
  const double v = 1 + h * h, r = rho / v;
  return -0.5 * std::log(1 - r * r) - 0.5 * ((2 - 2 * rho * r) / (v * (1 - r * r)) - 2 / v);
}

}  // namespace

TEST_CASE("KDE of Gaussian channels is the smoothed closed form", "[kde]") {
  const double rho = GENERATE(0.0, 0.5, -0.75, 0.9, 0.99);
  const auto rule = GENERATE(bandwidth_rule::silverman, bandwidth_rule::scott);
  const bool leave_one_out = GENERATE(true, false);
  const std::int64_t tokens = GENERATE(1000, 8000);
  CAPTURE(rho, static_cast<int>(rule), leave_one_out, tokens);
  const double nats = -0.5 * std::log1p(-rho * rho);
  const auto samples = draw(gaussian(rho, nats), tokens, seed());
  const auto got = pair_of(samples, 0, 1, {.rule = rule, .leave_one_out = leave_one_out});
  const auto count = static_cast<double>(tokens);
  const double h = std::pow(count, -1.0 / 6);
  // A density has the relative variance 1 / (4 pi T h^2 p), whose mean over the plane, cut where less than one token
  // lies, is ln(T) / (T h^2) at most; the mean logarithm has a deviation of |rho| / sqrt(T).
  const double error = 5 * std::max(0.1, std::abs(rho)) / std::sqrt(count) + std::log(count) / (count * h * h);
  CHECK(got == Approx(smoothed_gaussian(rho, h)).epsilon(0).margin(error));
  // And that tends to the information: smoothing takes less than this.
  CHECK(std::abs(got - nats) < error + nats - smoothed_gaussian(rho, h));
}

TEST_CASE("KDE approaches known information with more tokens", "[kde]") {
  const auto pair = GENERATE(gaussian(0.75, 0.413339287), gaussian(0.99, 1.958517774),
                             uniform_with_noise(0.1, 1.709437912), uniform_with_noise(0.75, 0.333333333), mixed());
  CAPTURE(pair.name);
  const auto mean_error = [&](std::int64_t tokens) {
    double sum = 0;
    for (int i = 0; i < 6; ++i) sum += pair.nats - pair_of(draw(pair, tokens, seed()), 0, 1);
    return sum / 6;
  };
  // Smoothing at edges is linear in h = T^(-1/6): eight times the tokens leave 0.71 of the error, or less.
  const auto coarse = mean_error(500), fine = mean_error(4000);
  const double noise = 5 / std::sqrt(6 * 500.0);
  CHECK(coarse > -noise);
  CHECK(fine < 0.75 * coarse + noise);
  CHECK(fine > -noise);
}

TEST_CASE("KDE is the formula", "[kde]") {
  const std::int64_t tokens = GENERATE(2, 3, 31, 32, 33, 127, 300);
  const kde_options options{.rule = GENERATE(bandwidth_rule::silverman, bandwidth_rule::scott),
                            .leave_one_out = GENERATE(true, false)};
  CAPTURE(tokens, static_cast<int>(options.rule), options.leave_one_out);
  const auto samples = activations(tokens, 7, seed());
  miq::matrix<float> mi(7, 7);
  std::vector<float> h(7);
  const miq::host_executor exec({.threads = 2});
  const auto result = kde(exec, samples, mi.view(), options);
  const auto entropy_result = kde_entropy(exec, samples, miq::vector_view<float>(h), options);
  for (std::int64_t i = 0; i < 7; ++i) {
    const auto x = wide(channel_of(samples, i));
    if (width_of(x, options.rule, 1) == 0) {
      CHECK(h[static_cast<std::size_t>(i)] == -infinity);
      continue;
    }
    if (entropy_result.floored == 0)
      CHECK(h[static_cast<std::size_t>(i)] ==
            Approx(reference::kernel_entropy(x, width_of(x, options.rule, 1), options.leave_one_out)).margin(1e-5));
    for (std::int64_t j = 0; j < i; ++j) {
      const auto y = wide(channel_of(samples, j));
      if (width_of(y, options.rule, 2) == 0) continue;
      const auto expected = reference::kernel_information(x, y, width_of(x, options.rule, 2),
                                                          width_of(y, options.rule, 2), options.leave_one_out);
      CAPTURE(i, j);
      if (result.floored == 0) CHECK(mi(i, j) == Approx(expected).epsilon(1e-5).margin(1e-5));
      CHECK(std::isfinite(mi(i, j)));
    }
  }
  if (!options.leave_one_out) CHECK(result.floored == 0);
}

TEST_CASE("KDE of pair, list and matrix agree for all numbers of threads", "[kde]") {
  const std::int64_t tokens = GENERATE(37, 128);
  const std::int64_t channels = GENERATE(1, 2, 17, 131);
  const kde_options options{.leave_one_out = GENERATE(true, false)};
  const auto samples = activations(tokens, channels, seed());
  miq::matrix<float> mi(channels, channels, -1.0F);
  const auto result = kde(miq::host_executor({.threads = 1}), samples, mi.view(), options);
  CHECK(symmetric_to_the_bit(mi));
  CHECK(result.constant == channels / 10);
  std::int64_t negative = 0;
  std::vector<channel_pair> pairs, upper;
  for (std::int64_t i = 0; i < channels; ++i) {
    CHECK(mi(i, i) == 0.0F);
    for (std::int64_t j = 0; j < channels; ++j) {
      if ((i + j) % 7 == 0) pairs.push_back({i, j});
      if (i < j) upper.push_back({i, j});
      negative += j < i && mi(i, j) < 0;
    }
  }
  CHECK(result.negative == negative);
  for (const int threads : {1, 2, 5}) {
    const miq::host_executor exec({.threads = threads});
    miq::matrix<float> again(channels, channels);
    const auto other = kde(exec, samples, again.view(), options);
    CHECK(other.negative == negative);
    CHECK(other.floored == result.floored);
    CHECK(same_bits(mi.view(), again.view()));
    std::vector<float> listed(pairs.size(), -1.0F);
    kde(exec, samples, std::span<const channel_pair>(pairs), miq::vector_view<float>(listed), options);
    for (std::size_t p = 0; p < pairs.size(); ++p) REQUIRE(listed[p] == mi(pairs[p].first, pairs[p].second));
  }
  std::vector<float> listed(upper.size());
  const auto other = kde(miq::host_executor({.threads = 2}), samples, std::span<const channel_pair>(upper),
                         miq::vector_view<float>(listed), options);
  if (channels < 10) CHECK(other.floored == result.floored);
  for (std::size_t p = 0; p < pairs.size(); p += 50)
    if (pairs[p].first != pairs[p].second)
      REQUIRE(static_cast<float>(pair_of(samples, pairs[p].first, pairs[p].second, options)) ==
              mi(pairs[p].first, pairs[p].second));
}

TEST_CASE("order of tokens, units and signs do not matter to KDE", "[kde]") {
  const kde_options options{.rule = GENERATE(bandwidth_rule::silverman, bandwidth_rule::scott),
                            .leave_one_out = GENERATE(true, false)};
  auto samples = activations(500, 8, seed());
  miq::matrix<float> before(8, 8), after(8, 8);
  const miq::host_executor exec({.threads = 2});
  kde(exec, samples, before.view(), options);
  kde(exec, shuffled(samples, seed()), after.view(), options);
  const auto same = [&](double margin) {
    for (std::int64_t i = 0; i < 8; ++i)
      for (std::int64_t j = 0; j < i; ++j) REQUIRE(after(i, j) == Approx(before(i, j)).epsilon(0).margin(margin));
  };
  same(5e-6);
  for (std::int64_t t = 0; t < samples.rows(); ++t)
    for (std::int64_t c = 0; c < 8; ++c)
      samples(t, c) = static_cast<float>(5 - 1e6 * static_cast<double>(samples(t, c)));
  kde(exec, samples, after.view(), options);
  same(2e-4);  // the heavy-tailed channel is rounded by up to 2^-24 of its largest value
  CHECK(pair_of(samples, 2, 5, options) == pair_of(samples, 5, 2, options));
}

TEST_CASE("constant channels, atoms and equal channels in KDE", "[kde]") {
  const std::int64_t tokens = 1000;
  miq::random_stream random(seed());
  miq::matrix<float> samples(tokens, 5), mi(5, 5, -1.0F);
  const float value = GENERATE(0.0F, 0.1F, -1e30F);
  for (std::int64_t t = 0; t < tokens; ++t) {
    samples(t, 0) = static_cast<float>(std::max(random.normal(), 0.0));
    samples(t, 1) = static_cast<float>(std::max(random.normal(), 0.0));
    samples(t, 2) = value;
    samples(t, 3) = samples(t, 0);
    samples(t, 4) = random.below(10) == 0 ? static_cast<float>(random.normal()) : 0.0F;  // quartiles are equal
  }
  const miq::host_executor exec({.threads = 2});
  const auto result =
      kde(exec, samples, mi.view(), {.rule = GENERATE(bandwidth_rule::silverman, bandwidth_rule::scott)});
  CHECK(result.constant == 1);
  for (std::int64_t c = 0; c < 5; ++c) CHECK((mi(2, c) == 0.0F && mi(c, 2) == 0.0F));
  CHECK(mi(0, 1) == Approx(0).margin(0.12));
  CHECK(pair_of(samples, 0, 4, {.leave_one_out = false}) == Approx(0).margin(0.1));
  CHECK(mi(0, 3) > 0.8F);
  CHECK(std::isfinite(mi(0, 3)));
  CHECK(pair_of(samples, 0, 2) == 0);
}

TEST_CASE("outliers leave KDE finite and are counted", "[kde]") {
  auto samples = draw(gaussian(0.75, 0.413339287), 400, seed());
  const auto before = pair_of(samples, 0, 1, {.rule = bandwidth_rule::silverman});
  samples(17, 0) = 1e30F;  // the quartiles do not see it
  const miq::host_executor exec({.threads = 2});
  miq::matrix<float> mi(2, 2);
  const auto result = kde(exec, samples, mi.view(), {.rule = bandwidth_rule::silverman});
  CHECK(result.floored == 1);
  // One token of 400 in x only: it adds nothing, where others add 0.4 on average, a few at most.
  CHECK(mi(0, 1) == Approx(before).margin(0.02));
  CHECK(kde(exec, samples, mi.view(), {.rule = bandwidth_rule::silverman, .leave_one_out = false}).floored == 0);
  CHECK(std::isfinite(mi(0, 1)));
  std::vector<float> h(2);
  CHECK(kde_entropy(exec, samples, miq::vector_view<float>(h), {.rule = bandwidth_rule::silverman}).floored == 1);
  CHECK(std::isfinite(h[0]));
  kde(exec, samples, mi.view());
  CHECK(std::isfinite(mi(0, 1)));
}

TEST_CASE("kernel entropies", "[kde]") {
  const std::int64_t tokens = GENERATE(1000, 8000);
  miq::random_stream random(seed());
  miq::matrix<float> samples(tokens, 3);
  for (std::int64_t t = 0; t < tokens; ++t) {
    samples(t, 0) = static_cast<float>(random.normal());
    samples(t, 1) = static_cast<float>(100 + 50 * random.normal());
    samples(t, 2) = static_cast<float>(0.25 * random.uniform());
  }
  std::vector<float> h(3);
  const auto rule = GENERATE(bandwidth_rule::silverman, bandwidth_rule::scott);
  kde_entropy(miq::host_executor({.threads = 2}), samples, miq::vector_view<float>(h), {.rule = rule});
  const auto count = static_cast<double>(tokens);
  // -E ln N(0, 1 + h^2) over N(0, 1); and the relative variance of the density, 1 / (2 sqrt(pi) T h) over it.
  const double width = (rule == bandwidth_rule::silverman ? 0.9 : 1.0592) * std::pow(count, -0.2),
               v = 1 + width * width;
  const double expected = 0.5 * std::log(2 * std::numbers::pi * v) + 0.5 / v;
  const double error = 5 / std::sqrt(2 * count) + std::log(count) / (count * width);
  CHECK(h[0] == Approx(expected).margin(error));
  CHECK(h[1] == Approx(expected + std::log(50)).margin(error));
  // Of a uniform channel the kernels lose mass at two edges, about half of one width.
  CHECK(h[2] == Approx(std::log(0.25)).margin(error + width));
}

TEST_CASE("KDE refuses what it cannot use, tells how far it is, and stops", "[kde]") {
  const miq::host_executor exec({.threads = 2});
  auto samples = activations(50, 6, seed());
  miq::matrix<float> mi(6, 6, -1.0F);
  for (const auto bad : {nan_value, infinity, -infinity}) {
    const auto kept = std::exchange(samples(31, 4), bad);
    CHECK_THROWS_WITH(kde(exec, samples, mi.view()), contains("samples must be finite") && contains("channel 4"));
    std::vector<float> h(6, 3.0F);
    CHECK_THROWS_WITH(kde_entropy(exec, samples, miq::vector_view<float>(h)), contains("channel 4"));
    CHECK(h[0] == 3.0F);
    samples(31, 4) = kept;
  }
  CHECK_THROWS_WITH(kde(exec, samples, mi.view(), {.rule = static_cast<bandwidth_rule>(9)}), contains("rule"));
  const miq::matrix<float> one(1, 6);
  CHECK_THROWS_WITH(kde(exec, one, mi.view()), contains("at least 2 tokens, got 1"));
  for (std::int64_t k = 0; k < mi.size(); ++k) REQUIRE(mi.data()[k] == -1.0F);
  miq::matrix<float> wrong(6, 5);
  CHECK_THROWS_WITH(kde(exec, samples, wrong.view()), contains("mi must be [6, 6]"));
  std::vector<float> value(1);
  const std::vector<channel_pair> outside{{-1, 2}};
  CHECK_THROWS_WITH(kde(exec, samples, std::span<const channel_pair>(outside), miq::vector_view<float>(value)),
                    contains("got -1"));
  CHECK(kde(exec, samples, mi.view()).few_tokens);

  double last = 0;
  kde(exec, samples, mi.view(), {}, [&](std::string_view, double fraction) {
    CHECK(fraction >= last);
    CHECK(fraction <= 1.0 + 1e-12);
    last = fraction;
    return true;
  });
  CHECK(last > 0.99);
  CHECK_THROWS_AS(kde(exec, samples, mi.view(), {}, [](std::string_view, double) { return false; }), miq::cancelled);
  miq::matrix<float> kept(6, 6), clipped(6, 6);
  const auto a = kde(exec, samples, kept.view()), b = kde(exec, samples, clipped.view(), {.clip_negative = true});
  CHECK(a.negative == b.negative);
  for (std::int64_t k = 0; k < kept.size(); ++k) CHECK(clipped.data()[k] == std::max(kept.data()[k], 0.0F));
}

TEST_CASE("KDE as in NumPy", "[kde]") {
  const reference_samples samples;
  const miq::host_executor exec({.threads = 2});
  for (int row = 0; row < 4; ++row) {
    const kde_options options{.rule = row < 2 ? bandwidth_rule::silverman : bandwidth_rule::scott,
                              .leave_one_out = row % 2 == 0};
    miq::matrix<float> mi(6, 6);
    std::vector<float> h(6);
    const auto result = kde(exec, samples.x, mi.view(), options);
    kde_entropy(exec, samples.x, miq::vector_view<float>(h), options);
    std::size_t pair = 0;
    for (std::int64_t i = 0; i < 6; ++i) {
      CAPTURE(i, row, result.floored);
      CHECK(h[static_cast<std::size_t>(i)] ==
            Approx(expected::kernel_entropy[row][static_cast<std::size_t>(i)]).epsilon(1e-6).margin(1e-6));
      for (auto j = i + 1; j < 6; ++j, ++pair) {
        CAPTURE(j);
        CHECK(mi(i, j) == Approx(expected::kernel_information[row][pair]).epsilon(2e-6).margin(2e-6));
      }
    }
  }
}
