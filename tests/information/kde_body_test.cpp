// KDE by kernel bodies and products, in their order, on the host: against the formula in double precision and the host.
#include <miq/core/matrix.hpp>
#include <miq/information/detail/kde/schedule.hpp>
#include <miq/information/detail/samples/samples.hpp>
#include <miq/information/kde.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "reference/information.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using miq::information::bandwidth_rule;
using miq::information::channel_pair;
using miq::information::kde_options;
using miq::information::kde_result;
namespace detail = miq::information::detail;

/// Normal, rectified, rounded and heavy-tailed channels in turn; the fifth is constant.
miq::matrix<float> samples_of(std::int64_t tokens, std::int64_t channels, std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> samples(tokens, channels + 3, std::nanf(""));
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double common = random.normal();
    for (std::int64_t c = 0; c < channels; ++c) {
      double value = random.normal() + 0.8 * common;
      if (c % 4 == 1) value = std::max(value, 0.0);
      if (c % 4 == 2) value = std::nearbyint(4 * value) / 4;
      if (c % 4 == 3) value = value * value * value;
      samples(t, c) = c == 4 ? 2.5F : static_cast<float>(value);
    }
  }
  return samples;
}

struct outcome {
  miq::matrix<float> mi;
  kde_result result;
};

outcome run(miq::matrix_view<const float> samples, const kde_options& options, std::int32_t lanes = 0) {
  const auto channels = samples.columns();
  outcome out{miq::matrix<float>(channels, channels + 2, -7.0F), {}};
  const detail::kde_layout at(samples.rows(), channels, -1);
  const miq_test::nonsense_memory scratch(at.layout);
  detail::kde_on_machine(miq_test::host_machine(lanes), samples.data(), samples.leading(), samples.rows(), channels, {},
                         nullptr, out.mi.data(), channels + 2, options, &out.result, scratch.data());
  return out;
}

struct list_outcome {
  std::vector<float> mi;
  kde_result result;
};

list_outcome run(miq::matrix_view<const float> samples, const std::vector<channel_pair>& pairs,
                 const kde_options& options, std::int32_t lanes = 0) {
  list_outcome out{std::vector<float>(pairs.size(), -7.0F), {}};
  const detail::listed_channels listed(pairs, samples.columns(), std::pmr::get_default_resource());
  const auto places = detail::pairs_of_places(pairs, listed);
  const detail::kde_layout at(samples.rows(), listed.count(), static_cast<std::int64_t>(pairs.size()));
  const miq_test::nonsense_memory scratch(at.layout);
  detail::kde_on_machine(miq_test::host_machine(lanes), samples.data(), samples.leading(), samples.rows(),
                         listed.count(), listed.columns(), &places, out.mi.data(), 0, options, &out.result,
                         scratch.data());
  return out;
}

/// The rules, written down again.
double width_of(std::vector<double> x, bandwidth_rule rule) {
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
  return spread * std::pow(n, -1.0 / 6);
}

std::vector<double> channel(miq::matrix_view<const float> samples, std::int64_t c) {
  std::vector<double> x;
  for (std::int64_t t = 0; t < samples.rows(); ++t) x.push_back(static_cast<double>(samples(t, c)));
  return x;
}

}  // namespace

TEST_CASE("the bodies of KDE give the formula, and what the host gives", "[kde][body]") {
  const std::int64_t tokens = GENERATE(2, 3, 63, 64, 65, 257, 300);
  const kde_options options{.rule = GENERATE(bandwidth_rule::silverman, bandwidth_rule::scott),
                            .leave_one_out = GENERATE(true, false),
                            .clip_negative = tokens == 65};
  CAPTURE(tokens, static_cast<int>(options.rule), options.leave_one_out);
  const std::int64_t channels = 9;
  const auto store = samples_of(tokens, channels, miq_test::seed());
  const miq::matrix_view<const float> samples(store.data(), tokens, channels, store.columns());
  const auto out = run(samples, options);
  std::vector<channel_pair> pairs;
  for (std::int64_t i = 0; i < channels; ++i)
    for (std::int64_t j = 0; j < channels; ++j) pairs.push_back({i, j});
  const auto listed = run(samples, pairs, options);
  miq::matrix<float> host(channels, channels);
  const auto expected = miq::information::kde(miq::host_executor({.threads = 1}), samples, host.view(), options);
  CHECK(out.result.constant == expected.constant);
  CHECK(listed.result.constant == expected.constant);
  // Densities at the floor may fall to the other side by rounding.
  CHECK(std::abs(out.result.floored - expected.floored) <= 2 + expected.floored / 50);
  std::int64_t negative = 0;
  for (std::int64_t i = 0; i < channels; ++i)
    for (std::int64_t j = i + 1; j < channels; ++j) negative += out.mi(i, j) < 0 ? 1 : 0;
  if (options.clip_negative)
    CHECK(negative == 0);
  else
    CHECK(out.result.negative == negative);
  for (std::int64_t i = 0; i < channels; ++i) {
    for (std::int64_t j = 0; j < channels; ++j) {
      CAPTURE(i, j);
      const auto value = static_cast<double>(out.mi(i, j));
      REQUIRE(out.mi(i, j) == out.mi(j, i));
      REQUIRE(value == Approx(static_cast<double>(host(i, j))).epsilon(1e-5).margin(1e-5));
      REQUIRE(static_cast<double>(listed.mi[static_cast<std::size_t>(i * channels + j)]) ==
              Approx(value).epsilon(1e-5).margin(1e-5));
      if (i == j || i == 4 || j == 4) {
        REQUIRE(value == 0);
        continue;
      }
      if (expected.floored > 0 || options.clip_negative) continue;
      const auto x = channel(samples, i), y = channel(samples, j);
      const double a = width_of(x, options.rule), b = width_of(y, options.rule);
      if (a == 0 || b == 0) continue;
      REQUIRE(value == Approx(miq_test::reference::kernel_information(x, y, a, b, options.leave_one_out))
                           .epsilon(1e-5)
                           .margin(1e-5));
    }
    REQUIRE(out.mi(i, channels) == -7.0F);
  }
}

TEST_CASE("the bodies of KDE take more channels than a block, and tokens than are multiplied together", "[kde][body]") {
  const std::int64_t tokens = 70, channels = 1030;
  const auto store = samples_of(tokens, channels, miq_test::seed());
  const miq::matrix_view<const float> samples(store.data(), tokens, channels, store.columns());
  REQUIRE(detail::kde_layout(tokens, channels, -1).together < tokens);
  REQUIRE(detail::kde_layout(tokens, channels, -1).block < channels);
  const auto out = run(samples, {});
  std::vector<channel_pair> pairs;
  for (std::int64_t k = 0; k < 60; ++k) pairs.push_back({(k * 37) % channels, channels - 1 - k});
  const auto listed = run(samples, pairs, {});
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    CAPTURE(pairs[p].first, pairs[p].second);
    REQUIRE(static_cast<double>(out.mi(pairs[p].first, pairs[p].second)) ==
            Approx(static_cast<double>(listed.mi[p])).epsilon(1e-5).margin(1e-5));
    REQUIRE(out.mi(pairs[p].first, pairs[p].second) == out.mi(pairs[p].second, pairs[p].first));
  }
  for (std::int64_t c = 0; c < channels; ++c) REQUIRE(out.mi(c, c) == 0.0F);
}

TEST_CASE("the bodies of KDE do not depend on the lanes", "[kde][body]") {
  const std::int64_t tokens = 67, channels = 6;
  const auto store = samples_of(tokens, channels, miq_test::seed());
  const miq::matrix_view<const float> samples(store.data(), tokens, channels, store.columns());
  const kde_options options{.rule = bandwidth_rule::silverman};
  const auto serial = run(samples, options), lanes = run(samples, options, 8);
  for (std::int64_t k = 0; k < serial.mi.size(); ++k) REQUIRE(serial.mi.data()[k] == lanes.mi.data()[k]);
  CHECK(serial.result.floored == lanes.result.floored);
  CHECK(serial.result.negative == lanes.result.negative);
  const std::vector<channel_pair> pairs = {{5, 1}, {1, 1}, {0, 3}};
  CHECK(run(samples, pairs, options).mi == run(samples, pairs, options, 8).mi);
}

TEST_CASE("channels that are not finite have no information by the bodies of KDE", "[kde][body]") {
  auto store = samples_of(150, 4, miq_test::seed());
  const miq::matrix_view<const float> samples(store.data(), 150, 4, store.columns());
  const auto before = run(samples, kde_options{});
  store(17, 1) = std::numeric_limits<float>::infinity();
  store(3, 3) = std::nanf("");
  const auto out = run(samples, kde_options{});
  CHECK(out.result.not_finite == 2);
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < 4; ++j) {
      if (i == j)
        CHECK(out.mi(i, j) == 0.0F);
      else if (i % 2 == 1 || j % 2 == 1)
        CHECK(std::isnan(out.mi(i, j)));
      else
        CHECK(out.mi(i, j) == before.mi(i, j));
    }
}

TEST_CASE("the memory of KDE holds channels and products at all sizes", "[kde][body]") {
  for (const std::int64_t tokens : {2, 1000, 2048, 100000, 1 << 24})
    for (const std::int64_t channels : {1, 2, 512, 1025, 13824, 28672}) {
      const detail::kde_layout at(tokens, channels, -1);
      const auto all = tokens * channels;
      const auto multiplied = 4 * at.together * (2 * at.block * tokens + at.block * at.block);
      REQUIRE(at.together >= 1);
      REQUIRE((at.together == 1 || multiplied <= std::int64_t{1} << 28));
      REQUIRE(at.layout.bytes() >= 4 * all + std::max(24 * all, multiplied) + 8 * at.block * at.block);
      REQUIRE(at.layout.bytes() <=
              4 * all + std::max(24 * all, multiplied) + 8 * at.block * at.block + 16 * channels + 64 * 64);
    }
}
