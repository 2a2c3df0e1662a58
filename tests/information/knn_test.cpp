#include <miq/information/detail/knn/fixed_channels.hpp>
#include <miq/information/knn.hpp>

#include <cstring>
#include <limits>
#include <numbers>
#include <vector>

#include "calibration/support.hpp"
#include "information/estimators_samples.hpp"
#include "information/estimators_values.hpp"
#include "information/samples.hpp"
#include "reference/information.hpp"
#include "test_support/catch.hpp"

using miq::information::channel_pair;
using miq::information::knn;
using miq::information::knn_entropy;
using miq::information::knn_options;
using miq::information::ksg_variant;
using namespace miq_test;

namespace {

constexpr auto nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr auto infinity = std::numeric_limits<float>::infinity();

double pair_of(const miq::matrix<float>& samples, std::int64_t i, std::int64_t j, const knn_options& options = {}) {
  const auto x = channel_of(samples, i), y = channel_of(samples, j);
  return knn(miq::host_executor({.threads = 1}), miq::vector_view<const float>(x), miq::vector_view<const float>(y),
             options);
}

/// A channel as the estimator sees it, without noise.
std::vector<double> standardised(const miq::matrix<float>& samples, std::int64_t c) {
  namespace detail = miq::information::detail;
  auto* const memory = std::pmr::get_default_resource();
  detail::fixed_channels channels(1, samples.rows(), memory);
  detail::channel_scratch scratch(samples.rows(), memory);
  channels.prepare(0, 0.0F, 0, scratch, [&](std::int64_t t) { return samples(t, c); });
  std::vector<double> result;
  for (std::int64_t t = 0; t < samples.rows(); ++t)
    result.push_back(static_cast<double>(channels[0].values[channels[0].first[t]]));
  return result;
}

}  // namespace

TEST_CASE("KSG gives known information", "[knn]") {
  const auto pair =
      GENERATE(gaussian(0.0, 0.0), gaussian(0.5, 0.143841036), gaussian(-0.75, 0.413339287), gaussian(0.9, 0.830365603),
               gaussian(0.99, 1.958517774), uniform_with_noise(0.1, 1.709437912), uniform_with_noise(0.75, 0.333333333),
               student(2, 0.082681392), student(3, 0.042411411), student(5, 0.017128278), gamma_exponential(), mixed());
  const auto variant = GENERATE(ksg_variant::first, ksg_variant::second);
  const std::int64_t tokens = GENERATE(1000, 16'000);
  CAPTURE(pair.name, tokens, static_cast<int>(variant));
  const auto samples = draw(pair, tokens, seed());
  // Beside the spread of the information itself, the k-th neighbour adds less than 1 to the deviation of a term. The
  // bias falls with the number of tokens; its bound is for the sharp edges (uniform) and heavy tails among these.
  const auto error = std::sqrt((pair.deviation * pair.deviation + 1) / static_cast<double>(tokens));
  const auto bias = 1.0 / std::sqrt(static_cast<double>(tokens));
  CHECK(pair_of(samples, 0, 1, {.variant = variant}) == Approx(pair.nats).epsilon(0).margin(4 * error + bias));
}

TEST_CASE("KSG converges", "[knn]") {
  // Root mean square error over 32 samples: eight times the tokens, about 1 / sqrt(8) of the error.
  const auto pair = GENERATE(gaussian(0.75, 0.413339287), uniform_with_noise(0.75, 0.333333333), gamma_exponential(),
                             student(2, 0.082681392));
  CAPTURE(pair.name);
  const auto root_mean_square = [&](std::int64_t tokens) {
    double sum = 0;
    for (int i = 0; i < 32; ++i) sum += std::pow(pair_of(draw(pair, tokens, seed()), 0, 1) - pair.nats, 2);
    return std::sqrt(sum / 32);
  };
  // Each of the two has a relative standard deviation of 1 / sqrt(64).
  CHECK(root_mean_square(8000) < 0.35 * (1 + 6 * std::sqrt(2.0 / 64)) * root_mean_square(1000));
}

TEST_CASE("KSG without noise is the formula, to the last count", "[knn]") {
  const std::int64_t tokens = GENERATE(7, 16, 17, 63, 64, 65, 211, 700);
  const int neighbours = GENERATE(1, 2, 3, 4, 5, 6);
  const auto variant = GENERATE(ksg_variant::first, ksg_variant::second);
  CAPTURE(tokens, neighbours, static_cast<int>(variant));
  const auto samples = activations(tokens, 9, seed());
  miq::matrix<float> mi(9, 9);
  const knn_options options{.neighbours = neighbours, .variant = variant, .noise = 0};
  knn(miq::host_executor({.threads = 2}), samples, mi.view(), options);
  for (std::int64_t i = 0; i < 9; ++i)
    for (std::int64_t j = 0; j < i; ++j) {
      CAPTURE(i, j);
      const auto x = standardised(samples, i), y = standardised(samples, j);
      const auto constant = [](const std::vector<double>& v) {
        return std::all_of(v.begin(), v.end(), [&](double value) { return value == v.front(); });
      };
      const auto expected =
          constant(x) || constant(y) ? 0 : reference::ksg(x, y, neighbours, variant == ksg_variant::second);
      // The table of psi is rounded to 2^-33, the result to float.
      CHECK(mi(i, j) == Approx(expected).epsilon(1.2e-7).margin(1e-9));
    }
}

TEST_CASE("what KSG standardises is the channel", "[knn]") {
  const std::int64_t tokens = GENERATE(5, 1000);
  const auto samples = activations(tokens, 4, seed());
  for (std::int64_t c = 0; c < 4; ++c) {
    const auto got = standardised(samples, c);
    long double mean = 0, square = 0;
    for (std::int64_t t = 0; t < tokens; ++t) mean += static_cast<long double>(samples(t, c));
    mean /= static_cast<long double>(tokens);
    for (std::int64_t t = 0; t < tokens; ++t) square += std::pow(static_cast<long double>(samples(t, c)) - mean, 2);
    if (square == 0) continue;                   // five tokens of a rectified channel may all be 0
    const auto unit = 7e8L / std::sqrt(square);  // sqrt(T) / 7e8 deviations
    for (std::int64_t t = 0; t < tokens; ++t)
      REQUIRE(std::abs(static_cast<long double>(got[static_cast<std::size_t>(t)]) -
                       (static_cast<long double>(samples(t, c)) - mean) * unit) <= 0.51L);
  }
}

TEST_CASE("pair, list and matrix agree for all numbers of threads", "[knn]") {
  const std::int64_t tokens = GENERATE(101, 512);
  const auto channels = GENERATE(1, 2, 33);
  const auto variant = GENERATE(ksg_variant::first, ksg_variant::second);
  const auto samples = activations(tokens, channels, seed());
  const knn_options options{.neighbours = GENERATE(3, 7), .variant = variant, .seed = 42};
  miq::matrix<float> mi(channels, channels, -1.0F);
  const auto result = knn(miq::host_executor({.threads = 1}), samples, mi.view(), options);
  CHECK(symmetric_to_the_bit(mi));
  CHECK(result.constant == (channels + 0) / 10);
  std::int64_t negative = 0;
  std::vector<channel_pair> pairs;
  for (std::int64_t i = 0; i < channels; ++i) {
    CHECK(mi(i, i) == 0.0F);
    for (std::int64_t j = 0; j < channels; ++j) {
      if ((i + j) % 3 != 0) pairs.push_back({i, j});
      negative += j < i && mi(i, j) < 0;
    }
  }
  CHECK(result.negative == negative);
  for (const int threads : {1, 2, 5}) {
    const miq::host_executor exec({.threads = threads});
    miq::matrix<float> again(channels, channels);
    CHECK(knn(exec, samples, again.view(), options).negative == negative);
    CHECK(same_bits(mi.view(), again.view()));
    std::vector<float> listed(pairs.size(), -1.0F);
    knn(exec, samples, std::span<const channel_pair>(pairs), miq::vector_view<float>(listed), options);
    for (std::size_t p = 0; p < pairs.size(); ++p) REQUIRE(listed[p] == mi(pairs[p].first, pairs[p].second));
  }
  for (std::size_t p = 0; p < pairs.size(); p += 5)
    if (pairs[p].first != pairs[p].second)
      REQUIRE(static_cast<float>(pair_of(samples, pairs[p].first, pairs[p].second, options)) ==
              mi(pairs[p].first, pairs[p].second));
}

TEST_CASE("more channels than are prepared at a time", "[knn]") {
  const std::int64_t channels = 530;
  const auto samples = activations(20, channels, seed());
  miq::matrix<float> mi(channels, channels, -1.0F);
  const auto result = knn(miq::host_executor({.threads = 2}), samples, mi.view());
  CHECK(result.constant == 53);
  CHECK(result.few_tokens);
  CHECK(symmetric_to_the_bit(mi));
  std::vector<channel_pair> pairs;
  for (std::int64_t i = 0; i < channels; ++i)
    for (auto j = i + 1; j < channels; ++j) pairs.push_back({i, j});
  std::vector<float> listed(pairs.size());
  knn(miq::host_executor({.threads = 2}), samples, std::span<const channel_pair>(pairs),
      miq::vector_view<float>(listed));
  for (std::size_t p = 0; p < pairs.size(); ++p) REQUIRE(listed[p] == mi(pairs[p].first, pairs[p].second));
}

TEST_CASE("the order of tokens does not matter to KSG", "[knn]") {
  const auto samples = activations(600, 12, seed());
  const knn_options options{
      .variant = GENERATE(ksg_variant::first, ksg_variant::second), .noise = GENERATE(0.0F, 0x1p-11F), .seed = seed()};
  const miq::host_executor exec({.threads = 2});
  miq::matrix<float> before(12, 12), after(12, 12);
  knn(exec, samples, before.view(), options);
  knn(exec, shuffled(samples, seed()), after.view(), options);
  CHECK(same_bits(before.view(), after.view()));
  std::vector<float> h(12), g(12);
  knn_entropy(exec, samples, miq::vector_view<float>(h), options);
  knn_entropy(exec, shuffled(samples, seed()), miq::vector_view<float>(g), options);
  CHECK(same_bits(h, g));
}

TEST_CASE("swapped channels give the same bits", "[knn]") {
  // Also with the same values in both, in another order; and equal tokens.
  auto samples = activations(300, 4, seed());
  miq::random_stream random(seed());
  for (std::int64_t t = 0; t < 300; ++t) {
    samples(t, 0) = static_cast<float>(random.below(4));
    samples(t, 3) = samples((t * 7) % 300, 1);
    samples((t + 5) % 300, 2) = samples(t, 0);
  }
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < i; ++j) CHECK(pair_of(samples, i, j) == pair_of(samples, j, i));
}

TEST_CASE("units and signs do not matter to KSG", "[knn]") {
  auto samples = activations(1000, 4, seed());
  miq::matrix<float> before(4, 4), after(4, 4);
  const miq::host_executor exec({.threads = 2});
  knn(exec, samples, before.view(), {.noise = 0});
  for (std::int64_t t = 0; t < samples.rows(); ++t)
    for (std::int64_t c = 0; c < 4; ++c) samples(t, c) *= c % 2 == 0 ? 0.125F : 4096.0F;
  knn(exec, samples, after.view(), {.noise = 0});
  CHECK(same_bits(before.view(), after.view()));  // powers of two change no bit
  for (std::int64_t t = 0; t < samples.rows(); ++t)
    for (std::int64_t c = 0; c < 4; ++c) samples(t, c) = static_cast<float>(-3.7 * static_cast<double>(samples(t, c)));
  knn(exec, samples, after.view(), {.noise = 0});
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t j = 0; j < i; ++j)  // few counts change by rounding; each by less than 1 / T
      CHECK(after(i, j) == Approx(before(i, j)).epsilon(0).margin(0.005));
  // Channel 3 has few bits: many neighbours at the same distance, which noise parts, each time in another way.
  knn(exec, samples, after.view());
  for (std::int64_t t = 0; t < samples.rows(); ++t)
    samples(t, 3) = static_cast<float>(-3.7 * static_cast<double>(samples(t, 3)));
  knn(exec, samples, before.view());
  // Eight standard deviations of that difference.
  for (std::int64_t i = 0; i < 3; ++i) CHECK(after(3, i) == Approx(before(3, i)).epsilon(0).margin(0.1));
}

TEST_CASE("monotone maps keep what KSG estimates, within its error", "[knn]") {
  // The counts change, the information does not.
  const std::int64_t tokens = 8000;
  auto samples = draw(gaussian(0.75, 0.413339287), tokens, seed());
  for (std::int64_t t = 0; t < tokens; ++t) {
    samples(t, 0) = std::exp(samples(t, 0));
    samples(t, 1) = std::atan(2 * samples(t, 1));
  }
  const double error = std::sqrt((0.75 * 0.75 + 1) / static_cast<double>(tokens));
  CHECK(pair_of(samples, 0, 1) == Approx(0.413339287).epsilon(0).margin(4 * error + 0.02));
}

TEST_CASE("KSG with atoms, few bits and equal channels", "[knn]") {
  const std::int64_t tokens = 4000;
  const miq::host_executor exec({.threads = 2});
  miq::random_stream random(seed());
  miq::matrix<float> samples(tokens, 8);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double a = random.normal(), b = 0.9 * a + std::sqrt(0.19) * random.normal();
    samples(t, 0) = static_cast<float>(std::max(a, 0.0));  // half of the tokens 0
    samples(t, 1) = static_cast<float>(std::max(random.normal(), 0.0));
    samples(t, 2) = static_cast<float>(std::round(a * 32) / 32);  // about as bfloat16
    samples(t, 3) = static_cast<float>(std::round(b * 32) / 32);
    samples(t, 4) = samples(t, 0);
    samples(t, 5) = a > 0 ? 1.0F : -1.0F;
    samples(t, 6) = 0.1F;  // not exactly representable, mean rounds
    samples(t, 7) = static_cast<float>(b);
  }
  const auto noise = GENERATE(0x1p-11F, 0.0F);
  CAPTURE(noise);
  miq::matrix<float> mi(8, 8);
  const auto result = knn(exec, samples, mi.view(), {.noise = noise});
  CHECK(result.constant == 1);
  CHECK(result.tied >= 6);
  const double error = 5 / std::sqrt(static_cast<double>(tokens));
  CHECK(mi(0, 1) == Approx(0).margin(error));  // independent, zeros and all
  CHECK(mi(1, 5) == Approx(0).margin(error));
  CHECK(mi(0, 5) == Approx(std::numbers::ln2).margin(error));  // a > 0 is all that the sign holds
  CHECK(mi(2, 5) == Approx(std::numbers::ln2).margin(2 * error));
  if (noise > 0) CHECK(mi(2, 3) == Approx(0.830365603).margin(error + 0.05));
  for (std::int64_t c = 0; c < 8; ++c) CHECK(mi(6, c) == 0.0F);
  // A channel and itself: finite, psi(T) - psi(k) without ties.
  CHECK(std::isfinite(mi(0, 4)));
  CHECK(mi(0, 4) > 2.0F);
  const auto column = channel_of(samples, 7);
  const auto most = reference::digamma(static_cast<double>(tokens)) - reference::digamma(3);
  CHECK(pair_of(samples, 7, 7) == Approx(most).margin(0.01));
}

TEST_CASE("a constant feature has no information", "[knn]") {
  // Reported of other libraries: a constant feature scoring 0.21 nats, from noise that is then standardised.
  auto samples = activations(500, 3, seed());
  const float value = GENERATE(0.0F, 1.0F, 0.1F, 1e30F, -3e-39F);
  for (std::int64_t t = 0; t < 500; ++t) samples(t, 1) = value;
  miq::matrix<float> mi(3, 3, -1.0F);
  const auto result = knn(miq::host_executor({.threads = 1}), samples, mi.view());
  CHECK(result.constant == 1);
  for (std::int64_t c = 0; c < 3; ++c) CHECK((mi(1, c) == 0.0F && mi(c, 1) == 0.0F));
  CHECK(mi(0, 2) != 0.0F);
  CHECK(pair_of(samples, 0, 1) == 0);
}

TEST_CASE("channels far from 0 and of any size", "[knn]") {
  const auto samples = activations(400, 2, seed());
  const auto expected = pair_of(samples, 0, 0 + 1, {.noise = 0});
  auto scaled = samples;
  const float unit = GENERATE(0x1p-130F, 0x1p+100F);
  for (std::int64_t t = 0; t < 400; ++t) scaled(t, 0) *= unit;
  CHECK(pair_of(scaled, 0, 1, {.noise = 0}) == Approx(expected).margin(0.03));
  // 4096 deviations off 0, float resolves 2^-11 of a deviation: ties, which noise parts.
  auto shifted = samples;
  for (std::int64_t t = 0; t < 400; ++t) shifted(t, 0) += 4096.0F;
  CHECK(pair_of(shifted, 0, 1) == Approx(expected).margin(0.1));
}

TEST_CASE("noise depends on the seed, and only ties take it", "[knn]") {
  const auto tied = activations(300, 2, seed());
  CHECK(pair_of(tied, 0, 1, {.seed = 1}) == pair_of(tied, 0, 1, {.seed = 1}));
  auto discrete = tied;
  for (std::int64_t t = 0; t < 300; ++t)
    for (std::int64_t c = 0; c < 2; ++c) discrete(t, c) = std::round(2 * discrete(t, c));
  CHECK(pair_of(discrete, 0, 1, {.seed = 1}) != pair_of(discrete, 0, 1, {.seed = 2}));
  const auto continuous = draw(gaussian(0.5, 0.14), 300, seed());
  CHECK(pair_of(continuous, 0, 1, {.noise = 0.5F, .seed = 1}) ==
        Approx(pair_of(continuous, 0, 1, {.noise = 0.5F, .seed = 2})).margin(0.02));
}

TEST_CASE("negative estimates are counted, and clipped on demand", "[knn]") {
  miq::random_stream random(seed());
  miq::matrix<float> samples(200, 12), kept(12, 12), clipped(12, 12);
  for (std::int64_t k = 0; k < samples.size(); ++k) samples.data()[k] = static_cast<float>(random.normal());
  const miq::host_executor exec({.threads = 2});
  const auto a = knn(exec, samples, kept.view());
  const auto b = knn(exec, samples, clipped.view(), {.clip_negative = true});
  CHECK(a.negative > 0);
  CHECK(a.negative == b.negative);
  CHECK_FALSE(a.few_tokens);
  for (std::int64_t i = 0; i < 12; ++i)
    for (std::int64_t j = 0; j < 12; ++j) CHECK(clipped(i, j) == std::max(kept(i, j), 0.0F));
}

TEST_CASE("nearest neighbour entropies", "[knn]") {
  const std::int64_t tokens = GENERATE(2000, 20'000);
  miq::random_stream random(seed());
  miq::matrix<float> samples(tokens, 5);
  for (std::int64_t t = 0; t < tokens; ++t) {
    samples(t, 0) = static_cast<float>(random.normal());
    samples(t, 1) = static_cast<float>(1 + 0.25 * random.uniform());
    samples(t, 2) = static_cast<float>(50 * random.normal());
    samples(t, 3) = 7;
    samples(t, 4) = static_cast<float>(random.below(3));
  }
  std::vector<float> h(5);
  const miq::host_executor exec({.threads = 2});
  const auto result = knn_entropy(exec, samples, miq::vector_view<float>(h));
  const double error = 5 / std::sqrt(static_cast<double>(tokens));
  const double gaussian_entropy = 0.5 * std::log(2 * std::numbers::pi * std::numbers::e);
  CHECK(h[0] == Approx(gaussian_entropy).margin(error));
  CHECK(h[1] == Approx(std::log(0.25)).margin(error));
  CHECK(h[2] == Approx(gaussian_entropy + std::log(50)).margin(error));
  CHECK(h[3] == -infinity);
  // Three atoms of width `noise` deviations.
  CHECK(h[4] == Approx(std::log(3 * 0x1p-11 * std::sqrt(2.0 / 3))).margin(0.05 + error));
  CHECK(result.constant == 1);
  CHECK(result.tied >= 1);
  knn_entropy(exec, samples, miq::vector_view<float>(h), {.noise = 0});
  CHECK(h[4] == -infinity);

  const auto few = draw(gaussian(0, 0), 60, seed());
  std::vector<double> x;
  for (const auto v : channel_of(few, 0)) x.push_back(static_cast<double>(v));
  std::vector<float> two(2);
  const int k = GENERATE(1, 3, 59);
  CHECK(knn_entropy(exec, few, miq::vector_view<float>(two), {.neighbours = k}).few_tokens);
  CHECK(two[0] == Approx(reference::nearest_neighbour_entropy(x, k)).epsilon(1e-4).margin(1e-4));
}

TEST_CASE("KSG refuses what it cannot use", "[knn]") {
  const miq::host_executor exec({.threads = 2});
  auto samples = activations(50, 6, seed());
  miq::matrix<float> mi(6, 6, -1.0F);
  const auto message = [&](const knn_options& options = {}) -> std::string {
    try {
      knn(exec, samples, mi.view(), options);
    } catch (const miq::invalid_argument& problem) {
      for (std::int64_t k = 0; k < mi.size(); ++k) REQUIRE(mi.data()[k] == -1.0F);
      return problem.what();
    }
    return "";
  };
  CHECK_THAT(message({.neighbours = 0}), contains("neighbours must be at least 1, got 0"));
  CHECK_THAT(message({.neighbours = 50}), contains("at least 51 tokens for 50 neighbours, got 50"));
  CHECK_THAT(message({.noise = -1}), contains("noise"));
  CHECK_THAT(message({.noise = nan_value}), contains("noise"));
  CHECK_THAT(message({.variant = static_cast<ksg_variant>(7)}), contains("variant"));
  for (const auto bad : {nan_value, infinity, -infinity}) {
    const auto kept = std::exchange(samples(31, 4), bad);
    CHECK_THAT(message(), contains("samples must be finite") && contains("channel 4"));
    std::vector<float> h(6, 3.0F);
    CHECK_THROWS_WITH(knn_entropy(exec, samples, miq::vector_view<float>(h)), contains("channel 4"));
    CHECK(h[0] == 3.0F);
    samples(31, 4) = kept;
  }
  CHECK(message({.neighbours = 49}).empty());  // the fewest tokens
  miq::matrix<float> wrong(6, 5);
  CHECK_THROWS_WITH(knn(exec, samples, wrong.view()), contains("mi must be [6, 6]"));
  std::vector<float> one(1);
  const std::vector<channel_pair> outside{{0, 6}};
  CHECK_THROWS_WITH(knn(exec, samples, std::span<const channel_pair>(outside), miq::vector_view<float>(one)),
                    contains("channels 0 to 5, got 6"));
  const std::vector<float> x(10, 1.0F), y(11, 1.0F);
  CHECK_THROWS_WITH(knn(exec, miq::vector_view<const float>(x), miq::vector_view<const float>(y)),
                    contains("got 10 and 11"));
  auto z = x;
  z[3] = infinity;
  CHECK_THROWS_WITH(knn(exec, miq::vector_view<const float>(x), miq::vector_view<const float>(z)),
                    contains("y must be finite, got inf at token 3"));
}

TEST_CASE("KSG tells how far it is, and stops", "[knn]") {
  const auto samples = activations(100, 40, seed());
  miq::matrix<float> mi(40, 40);
  const miq::host_executor exec({.threads = GENERATE(1, 2)});
  double last = 0;
  knn(exec, samples, mi.view(), {}, [&](std::string_view, double fraction) {
    CHECK(fraction >= last);
    CHECK(fraction <= 1.0);
    last = fraction;
    return true;
  });
  CHECK(last > 0);
  CHECK_THROWS_AS(knn(exec, samples, mi.view(), {}, [](std::string_view, double) { return false; }), miq::cancelled);
}

TEST_CASE("KSG as in scikit-learn", "[knn]") {
  const reference_samples samples;
  const int ks[3] = {1, 3, 10};
  for (int row = 0; row < 3; ++row) {
    std::size_t pair = 0;
    for (std::int64_t i = 0; i < 6; ++i)
      for (auto j = i + 1; j < 6; ++j, ++pair) {
        CAPTURE(i, j, ks[row]);
        const auto got = pair_of(samples.x, i, j, {.neighbours = ks[row], .clip_negative = true});
        CHECK(got == Approx(expected::regression[row][pair]).epsilon(1e-6).margin(1e-6));
      }
  }
}
