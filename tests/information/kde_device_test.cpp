// `kde` on a device against the host.
#include <miq/information/kde.hpp>
#include <miq/information/kde_cuda.hpp>

#include <cmath>
#include <vector>

#include "information/device_samples.hpp"
#include "test_support/device.hpp"

namespace {

using miq::information::bandwidth_rule;
using miq::information::channel_pair;
using miq_test::samples_of;

}  // namespace

TEST_CASE("KDE on a device gives what the host gives", "[kde][device]") {
  MIQ_NEEDS_DEVICE();
  const std::int64_t tokens = GENERATE(2, 65, 1031);
  const miq::information::kde_options options{.rule = GENERATE(bandwidth_rule::silverman, bandwidth_rule::scott),
                                              .leave_one_out = GENERATE(true, false)};
  CAPTURE(tokens, static_cast<int>(options.rule), options.leave_one_out);
  const std::int64_t channels = 37;
  const auto samples = samples_of(tokens, channels);
  miq::matrix<float> host(channels, channels);
  const auto expected = miq::information::kde(miq::host_executor({.threads = 2}), samples, host.view(), options);

  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> there(exec, samples.view());
  const miq_test::device_matrix<float> mi(exec, channels, channels);
  const auto bytes = miq::information::kde_workspace_bytes(tokens, channels);
  const miq::device_array<std::byte> memory(bytes + 1, exec.stream(), exec.resource());
  const auto result = miq::information::kde(exec, there.read(), mi.view(), options, {memory.data() + 1, bytes});
  CHECK(result.constant == expected.constant);
  CHECK(result.few_tokens == expected.few_tokens);
  CHECK(result.not_finite == 0);
  const auto got = mi.fetch(exec);
  for (std::int64_t i = 0; i < channels; ++i)
    for (std::int64_t j = 0; j < channels; ++j) {
      CAPTURE(i, j);
      REQUIRE(got(i, j) == got(j, i));
      REQUIRE(static_cast<double>(got(i, j)) == Approx(static_cast<double>(host(i, j))).epsilon(1e-5).margin(1e-5));
    }
  const std::vector<channel_pair> pairs = {{8, 1}, {1, 5}, {3, 3}, {36, 2}, {4, 0}};
  const miq_test::device_vector<float> listed(exec, static_cast<std::int64_t>(pairs.size()));
  miq::information::kde(exec, there.read(), std::span<const channel_pair>(pairs), listed.view(), options);
  const auto values = listed.fetch(exec);
  for (std::size_t p = 0; p < pairs.size(); ++p)
    CHECK(static_cast<double>(values[p]) ==
          Approx(static_cast<double>(host(pairs[p].first, pairs[p].second))).epsilon(1e-5).margin(1e-5));
}
