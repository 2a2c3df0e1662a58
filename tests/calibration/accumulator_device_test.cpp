// The accumulators on a device against the host's.
#include "calibration/support.hpp"

#include <limits>

#include <miq/calibration/accumulator.hpp>
#include <miq/calibration/accumulator_cuda.hpp>
#include <miq/calibration/cross_moments.hpp>

#include "test_support/device.hpp"

namespace {

using namespace miq::calibration;
using namespace miq_test;
using miq::device_memory;
using miq::matrix;
using miq::matrix_view;

matrix_view<const float, device_memory> rows_of(const device_matrix<float>& x, std::int64_t first, std::int64_t count) {
  return x.read().rows_from(first, count);
}

/// A resource that counts, so that a hidden allocation is seen.
class counting_memory final : public miq::device_memory_resource {
 public:
  void* allocate(std::int64_t bytes, cudaStream_t stream) override {
    ++allocations;
    return miq::default_device_memory().allocate(bytes, stream);
  }
  void deallocate(void* memory, std::int64_t bytes, cudaStream_t stream) noexcept override {
    miq::default_device_memory().deallocate(memory, bytes, stream);
  }
  int allocations = 0;
};

}  // namespace

TEST_CASE("the accumulator on a device gives the definitions and the host's sample", "[calibration][device]") {
  MIQ_NEEDS_DEVICE();
  const auto columns = GENERATE(1, 33, 200, 513);
  const auto tokens = GENERATE(1, 511, 513, 1300);
  if (columns == 513 && tokens != 513) return;
  const stream own;
  const miq::cuda_executor exec(GENERATE(false, true) ? static_cast<cudaStream_t>(own) : cudaStream_t{});
  auto x = normal_tokens(tokens, columns, seed(), 1e4);
  for (std::int64_t t = 0; t < tokens; ++t) x(t, columns - 1) = 0.1F;
  const accumulator_options options{.sample_tokens = 150, .seed = 3, .first_token = 10};
  const miq::host_executor host_exec({.threads = 2});
  accumulator host(columns, options);
  host.add(host_exec, x);
  const auto expected = host.finish(host_exec);

  const device_matrix<float> batch(exec, x.view());
  device_accumulator seen(exec, columns, options), parts(exec, columns, options);
  seen.add(exec, batch.read());
  for (std::int64_t t = 0; t < tokens; t += 100)
    parts.add(exec, rows_of(batch, t, std::min<std::int64_t>(100, tokens - t)));
  const auto on_device = seen.finish(exec);
  const auto got = on_device.fetch(exec);
  CHECK(same_bits(got, parts.finish(exec).fetch(exec)));
  CHECK(seen.unusable(exec) == 0);
  CHECK(symmetric_to_the_bit(got.covariance));
  CHECK(got.minimum == expected.minimum);
  CHECK(got.maximum == expected.maximum);
  CHECK(worst_covariance_error(got, exact(x)) <= (tokens == 1 ? 0 : 0x1p-14));
  CHECK(got.is_constant(columns - 1));
  for (std::size_t c = 0; c < got.mean.size(); ++c) {
    REQUIRE(static_cast<double>(got.mean[c]) == Approx(static_cast<double>(expected.mean[c])).epsilon(0x1p-23));
    REQUIRE(static_cast<double>(got.mean_absolute[c]) ==
            Approx(static_cast<double>(expected.mean_absolute[c])).epsilon(0x1p-23));
  }
  const auto sample = seen.sample(exec).fetch(exec), host_sample = host.sample();
  CHECK(sample.indices == host_sample.indices);
  CHECK(same_bits(sample.tokens.view(), host_sample.tokens.view()));

  const device_matrix<float> out(exec, columns, columns);
  hessian(exec, on_device.view(), out.view());
  matrix<float> host_hessian(columns, columns);
  hessian(host_exec, got.view(), host_hessian.view());
  CHECK(same_bits(out.fetch(exec).view(), host_hessian.view()));
}

TEST_CASE("merging, scratch that is given, and 16-bit batches on a device", "[calibration][device]") {
  MIQ_NEEDS_DEVICE();
  const std::int64_t columns = 130;
  const stream own;
  counting_memory memory;
  const miq::cuda_executor exec(own, {.resource = &memory});
  const auto x = normal_tokens(1100, columns, seed(), 5);
  matrix<miq::bfloat16> narrow(1100, columns);
  matrix<float> rounded(1100, columns);
  for (std::int64_t t = 0; t < 1100; ++t)
    for (std::int64_t c = 0; c < columns; ++c)
      rounded(t, c) = static_cast<float>(narrow(t, c) = miq::bfloat16(x(t, c)));
  const device_matrix<miq::bfloat16> batch(exec, narrow.view());
  device_accumulator a(exec, columns), b(exec, columns, {.first_token = 600});
  const miq::device_array<std::byte> scratch(accumulator_workspace_bytes(columns), own, memory);
  const miq::device_workspace given{scratch.data(), scratch.bytes()};
  const auto before = memory.allocations;
  a.add(exec, batch.read().rows_from(0, 600), given);
  b.add(exec, batch.read().rows_from(600, 500), given);
  a.merge(exec, b, given);
  CHECK(memory.allocations == before);
  const auto got = a.finish(exec, given).fetch(exec);
  CHECK(got.tokens == 1100);
  CHECK(worst_covariance_error(got, exact(rounded)) <= 0x1p-14);
  CHECK_THROWS_AS(a.add(exec, batch.read(), {scratch.data(), 100}), miq::out_of_memory);
}

TEST_CASE("what is not finite stays in its column on a device", "[calibration][device]") {
  MIQ_NEEDS_DEVICE();
  const std::int64_t columns = 65;
  const stream own;
  const miq::cuda_executor exec(own);
  auto x = normal_tokens(700, columns, seed());
  x(100, 7) = std::numeric_limits<float>::infinity();
  x(650, 9) = std::numeric_limits<float>::quiet_NaN();
  const device_matrix<float> batch(exec, x.view());
  device_accumulator seen(exec, columns);
  seen.add(exec, batch.read());
  CHECK(seen.unusable(exec) == 2);
  const auto got = seen.finish(exec).fetch(exec);
  for (std::int64_t i = 0; i < columns; ++i) {
    CHECK(std::isnan(got.mean[static_cast<std::size_t>(i)]) == (i == 7 || i == 9));
    for (std::int64_t j = 0; j < columns; ++j)
      REQUIRE(std::isnan(got.covariance(i, j)) == (i == 7 || i == 9 || j == 7 || j == 9));
  }
}

TEST_CASE("cross_moments on a device agree with the host", "[calibration][device]") {
  MIQ_NEEDS_DEVICE();
  const bool difference = GENERATE(false, true);
  const std::int64_t a = 70, b = difference ? 70 : 33;
  const stream own;
  const miq::cuda_executor exec(own);
  const auto x = normal_tokens(900, a, seed(), 4);
  auto y = normal_tokens(900, b, seed() + 1);
  if (difference)
    for (std::int64_t t = 0; t < 900; ++t)
      for (std::int64_t c = 0; c < b; ++c) y(t, c) = x(t, c) + 0.01F * y(t, c);
  const miq::host_executor host_exec({.threads = 1});
  cross_moments host(a, b, {.difference = difference});
  host.add(host_exec, x, y);
  const auto expected = host.finish(host_exec);
  const device_matrix<float> first(exec, x.view()), second(exec, y.view());
  device_cross_moments seen(exec, a, b, {.difference = difference}), tail(exec, a, b, {.difference = difference});
  seen.add(exec, rows_of(first, 0, 600), rows_of(second, 0, 600));
  tail.add(exec, rows_of(first, 600, 300), rows_of(second, 600, 300));
  seen.merge(exec, tail);
  const auto got = seen.finish(exec).fetch(exec);
  CHECK(got.tokens == 900);
  CHECK(seen.unusable(exec) == 0);
  const double deviation = difference ? 0.02 : 2;  // of y, rounded up; of x at most 2
  for (std::int64_t i = 0; i < a; ++i)
    for (std::int64_t j = 0; j < b; ++j)
      REQUIRE(static_cast<double>(got.moment(i, j)) ==
              Approx(static_cast<double>(expected.moment(i, j))).epsilon(0x1p-22).margin(0x1p-13 * 2 * deviation * 2));
}
