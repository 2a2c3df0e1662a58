// `histogram`, `rank_correlation`, `affinity`, `distance` and `normalise` on a device against the host.
#include <limits>

#include <miq/information/affinity.hpp>
#include <miq/information/affinity_cuda.hpp>
#include <miq/information/estimator.hpp>
#include <miq/information/histogram.hpp>
#include <miq/information/histogram_cuda.hpp>
#include <miq/information/normalisation.hpp>
#include <miq/information/rank_correlation.hpp>
#include <miq/information/rank_correlation_cuda.hpp>

#include "information/support.hpp"
#include "test_support/device.hpp"

namespace {

using namespace miq::information;
using namespace miq_test;
using miq::device_memory;
using miq::matrix;

const miq::host_executor host({.threads = 2});

/// Normal ones, a rectified one, a constant, whole numbers and a copy.
matrix<float> mixed_channels(std::int64_t tokens, std::int64_t channels) {
  auto x = normal_tokens(tokens, channels, seed());
  for (std::int64_t t = 0; t < tokens; ++t) {
    if (channels > 1) x(t, 1) = std::max(x(t, 1), 0.0F);
    if (channels > 2) x(t, 2) = 3;
    if (channels > 3) x(t, 3) = std::floor(2 * x(t, 3));
    if (channels > 5) x(t, 5) = x(t, 0);
  }
  return x;
}

void check_near(const matrix<float>& got, const matrix<float>& expected, double share, double margin) {
  for (std::int64_t i = 0; i < got.rows(); ++i) {
    REQUIRE(got(i, i) == 0.0F);
    for (std::int64_t j = 0; j < got.columns(); ++j) {
      REQUIRE(static_cast<double>(got(i, j)) ==
              Approx(static_cast<double>(expected(i, j))).epsilon(share).margin(margin));
      REQUIRE(got(i, j) == got(j, i));
    }
  }
}

void check_channels(const histogram_result& got, const histogram_result& expected) {
  CHECK(got.constant == expected.constant);
  CHECK(got.negative == expected.negative);
  CHECK(got.few_tokens == expected.few_tokens);
  CHECK(got.most_bins == expected.most_bins);
  CHECK(got.capped == expected.capped);
  CHECK(got.spreadless == expected.spreadless);
  CHECK(got.not_finite == 0);
}

}  // namespace

TEST_CASE("histogram on a device gives what the host gives", "[information][device]") {
  MIQ_NEEDS_DEVICE();
  const auto edges = GENERATE(bin_edges::equal_width, bin_edges::equal_frequency);
  const auto rule = GENERATE(bin_count_rule::fixed, bin_count_rule::sturges, bin_count_rule::freedman_diaconis);
  if (edges == bin_edges::equal_frequency && rule == bin_count_rule::freedman_diaconis) return;
  const auto how =
      GENERATE(entropy_estimator::plug_in, entropy_estimator::miller_madow, entropy_estimator::james_stein);
  const auto channels = GENERATE(1, 33, miq_test::device_is_simulated ? 70 : 300);
  const auto x = mixed_channels(1001, channels);
  const histogram_options options{.edges = edges, .rule = rule, .max_bins = 40, .estimator = how};
  matrix<float> expected(channels, channels);
  const auto host_result = histogram(host, x, expected.view(), options);

  const stream own;
  const miq::cuda_executor exec(own);
  const device_matrix<float> samples(exec, x.view()), mi(exec, channels, channels);
  const miq::device_array<std::byte> scratch(histogram_workspace_bytes(1001, channels, options), own);
  const auto result = histogram(exec, samples.read(), mi.view(), options, {scratch.data(), scratch.bytes()});
  check_channels(result, host_result);
  const auto got = mi.fetch(exec);
  check_near(got, expected, 0x1p-23, 1e-14);

  std::vector<channel_pair> pairs;
  for (std::int64_t k = 0; k < 50; ++k) pairs.push_back({k % channels, (7 * k + 3) % channels});
  const device_vector<channel_pair> listed(exec, pairs);
  const device_vector<float> values(exec, 50);
  histogram(exec, samples.read(), listed.read(), values.view(), options);
  const auto of_list = values.fetch(exec);
  for (std::size_t p = 0; p < pairs.size(); ++p) REQUIRE(of_list[p] == got(pairs[p].first, pairs[p].second));

  const miq::device_array<histogram_result> place(1, own);
  const device_vector<float> entropies(exec, channels);
  histogram_entropy(exec, samples.read(), entropies.view(),
                    miq::result_ref<histogram_result, device_memory>(place.data()), options);
  std::vector<float> host_entropies(static_cast<std::size_t>(channels));
  histogram_entropy(host, x, host_entropies, options);
  const auto of_channels = entropies.fetch(exec);
  for (std::size_t c = 0; c < of_channels.size(); ++c)
    REQUIRE(static_cast<double>(of_channels[c]) ==
            Approx(static_cast<double>(host_entropies[c])).epsilon(0x1p-23).margin(1e-14));
}

TEST_CASE("rank correlation on a device gives what the host gives", "[information][device]") {
  MIQ_NEEDS_DEVICE();
  const auto channels = GENERATE(1, 33, miq_test::device_is_simulated ? 130 : 530);
  const auto tokens = GENERATE(2, 99, 1500);
  const auto x = mixed_channels(tokens, channels);
  matrix<float> expected(channels, channels);
  const auto host_result = rank_correlation(host, x, expected.view());
  const stream own;
  const miq::cuda_executor exec(own);
  const device_matrix<float> samples(exec, x.view()), mi(exec, channels, channels);
  const miq::device_array<std::byte> scratch(rank_correlation_workspace_bytes(tokens, channels), own);
  const auto result = rank_correlation(exec, samples.read(), mi.view(), {}, {scratch.data(), scratch.bytes()});
  CHECK(result.constant == host_result.constant);
  CHECK(result.tied == host_result.tied);
  CHECK(result.few_tokens == host_result.few_tokens);
  CHECK(result.clamped == host_result.clamped);
  const auto got = mi.fetch(exec);
  for (std::int64_t i = 0; i < channels; ++i)
    for (std::int64_t j = i + 1; j < channels; ++j) {
      // dI = |rho| / (1 - rho^2) d rho, with rho off by 2^-18.
      const auto value = static_cast<double>(expected(i, j));
      const double square = -std::expm1(-2 * value);
      REQUIRE(std::abs(static_cast<double>(got(i, j)) - value) <=
              0x1p-18 * std::sqrt(square) / (1 - square) + 0x1p-22 * value + 0x1p-37);
      REQUIRE(got(i, j) == got(j, i));
    }
}

TEST_CASE("what is not finite is NaN in the device's estimators", "[information][device]") {
  MIQ_NEEDS_DEVICE();
  auto x = mixed_channels(200, 40);
  x(10, 7) = std::numeric_limits<float>::quiet_NaN();
  x(199, 20) = std::numeric_limits<float>::infinity();
  const stream own;
  const miq::cuda_executor exec(own);
  const device_matrix<float> samples(exec, x.view()), a(exec, 40, 40), b(exec, 40, 40);
  CHECK(histogram(exec, samples.read(), a.view()).not_finite == 2);
  CHECK(rank_correlation(exec, samples.read(), b.view()).not_finite == 2);
  const auto of_histogram = a.fetch(exec), of_ranks = b.fetch(exec);
  for (std::int64_t i = 0; i < 40; ++i)
    for (std::int64_t j = 0; j < 40; ++j) {
      const bool bad = i != j && (i == 7 || i == 20 || j == 7 || j == 20);
      REQUIRE(std::isnan(of_histogram(i, j)) == bad);
      REQUIRE(std::isnan(of_ranks(i, j)) == bad);
    }
}

TEST_CASE("the device's estimators are captured into a graph when they are given scratch", "[information][device]") {
  MIQ_NEEDS_DEVICE();
  const auto x = mixed_channels(300, 50);
  const stream own;
  const miq::cuda_executor exec(own);
  const device_matrix<float> samples(exec, x.view()), mi(exec, 50, 50), ranks(exec, 50, 50);
  const miq::device_array<std::byte> scratch(histogram_workspace_bytes(300, 50), own);
  const miq::device_array<std::byte> rank_scratch(rank_correlation_workspace_bytes(300, 50), own);
  const miq::device_array<histogram_result> place(1, own);
  const miq::device_array<rank_correlation_result> rank_place(1, own);
  const auto run = [&] {
    histogram(exec, samples.read(), mi.view(), miq::result_ref<histogram_result, device_memory>(place.data()), {},
              {scratch.data(), scratch.bytes()});
    rank_correlation(exec, samples.read(), ranks.view(),
                     miq::result_ref<rank_correlation_result, device_memory>(rank_place.data()), {},
                     {rank_scratch.data(), rank_scratch.bytes()});
  };
  run();
  const auto expected = mi.fetch(exec), expected_ranks = ranks.fetch(exec);
  using miq::check_cuda;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t ready = nullptr;
  check_cuda(cudaStreamBeginCapture(own, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  run();
  check_cuda(cudaStreamEndCapture(own, &graph), "cudaStreamEndCapture");
  check_cuda(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
  check_cuda(cudaMemsetAsync(mi.view().data(), 0xFF, 50 * 50 * sizeof(float), own), "cudaMemsetAsync");
  check_cuda(cudaGraphLaunch(ready, own), "cudaGraphLaunch");
  CHECK(same_bits(mi.fetch(exec).view(), expected.view()));
  CHECK(same_bits(ranks.fetch(exec).view(), expected_ranks.view()));
  static_cast<void>(cudaGraphExecDestroy(ready));
  static_cast<void>(cudaGraphDestroy(graph));
}

TEST_CASE("affinity, distance and normalise on a device give what the host gives", "[information][device]") {
  MIQ_NEEDS_DEVICE();
  const auto columns = GENERATE(1, 33, 200);
  miq::random_stream random(seed());
  matrix<float> mi(columns, columns), near(columns, columns), far(columns, columns), ratio(columns, columns);
  std::vector<float> h(static_cast<std::size_t>(columns));
  for (auto& value : h) value = static_cast<float>(0.1 + random.uniform());
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = i + 1; j < columns; ++j) mi(i, j) = static_cast<float>(random.normal());
  const auto clipped = affinity(host, mi, near.view()).clipped;
  distance(host, mi, far.view());
  const stream own;
  const miq::cuda_executor exec(own);
  const device_matrix<float> from(exec, mi.view()), out(exec, columns, columns);
  const device_vector<float> entropies(exec, h);
  CHECK(affinity(exec, from.read(), out.view()).clipped == clipped);
  check_near(out.fetch(exec), near, 0x1p-22, 0);
  CHECK(distance(exec, from.read(), out.view()).clipped == clipped);
  check_near(out.fetch(exec), far, 0x1p-22, 0);
  for (const auto how : {normalisation::none, normalisation::arithmetic, normalisation::geometric,
                         normalisation::minimum, normalisation::maximum, normalisation::correlation}) {
    normalise(host, mi, h, how, ratio.view());
    const auto result = normalise(exec, from.read(), entropies.read(), how, out.view());
    CHECK((result.not_finite == 0 && result.unusable == 0));
    check_near(out.fetch(exec), ratio, 0x1p-22, 0);
  }
}
