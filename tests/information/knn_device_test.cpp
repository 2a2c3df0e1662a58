// `knn` on a device against the host, to the bit.
#include <miq/information/knn.hpp>
#include <miq/information/knn_cuda.hpp>

#include <cmath>
#include <vector>

#include "information/device_samples.hpp"
#include "test_support/device.hpp"

namespace {

using miq::information::channel_pair;
using miq::information::ksg_variant;
using miq_test::samples_of;

}  // namespace

TEST_CASE("KSG on a device gives the host's bits", "[knn][device]") {
  MIQ_NEEDS_DEVICE();
  const std::int64_t tokens = GENERATE(33, 1031, 2500);
  const int neighbours = GENERATE(3, 5, 20);
  const auto variant = GENERATE(ksg_variant::first, ksg_variant::second);
  CAPTURE(tokens, neighbours, static_cast<int>(variant));
  const std::int64_t channels = miq_test::device_is_simulated ? 11 : 37;
  const auto samples = samples_of(tokens, channels);
  const miq::information::knn_options options{.neighbours = neighbours, .variant = variant};
  miq::matrix<float> host(channels, channels);
  const auto expected = miq::information::knn(miq::host_executor({.threads = 2}), samples, host.view(), options);

  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> there(exec, samples.view());
  const miq_test::device_matrix<float> mi(exec, channels, channels);
  const auto bytes = miq::information::knn_workspace_bytes(tokens, channels);
  const miq::device_array<std::byte> memory(bytes + 1, exec.stream(), exec.resource());
  const auto result = miq::information::knn(exec, there.read(), mi.view(), options, {memory.data() + 1, bytes});
  CHECK(result.constant == expected.constant);
  CHECK(result.tied == expected.tied);
  CHECK(result.negative == expected.negative);
  CHECK(result.few_tokens == expected.few_tokens);
  CHECK(result.not_finite == 0);
  const auto got = mi.fetch(exec);
  for (std::int64_t i = 0; i < channels; ++i)
    for (std::int64_t j = 0; j < channels; ++j) REQUIRE(got(i, j) == host(i, j));

  const std::vector<channel_pair> pairs = {{8, 1}, {1, 5}, {3, 3}, {channels - 1, 2}, {4, 0}};
  const miq_test::device_vector<float> listed(exec, static_cast<std::int64_t>(pairs.size()));
  miq::information::knn(exec, there.read(), std::span<const channel_pair>(pairs), listed.view(), options);
  const auto values = listed.fetch(exec);
  for (std::size_t p = 0; p < pairs.size(); ++p) CHECK(values[p] == host(pairs[p].first, pairs[p].second));
}

TEST_CASE("KSG on a device says what is not finite", "[knn][device]") {
  MIQ_NEEDS_DEVICE();
  auto samples = samples_of(200, 4);
  samples(17, 2) = std::nanf("");
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> there(exec, samples.view());
  const miq_test::device_matrix<float> mi(exec, 4, 4);
  CHECK(miq::information::knn(exec, there.read(), mi.view()).not_finite == 1);
  const auto got = mi.fetch(exec);
  CHECK(std::isnan(got(0, 2)));
  CHECK(std::isfinite(got(0, 1)));
  CHECK(got(2, 2) == 0.0F);
}
