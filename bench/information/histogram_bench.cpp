// Histogram information of all pairs, beside the popcounts or increments that it cannot do without.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/information/histogram.hpp>

namespace {

using namespace miq::information;

miq::matrix<float> tokens_of(std::int64_t tokens, std::int64_t channels) {
  miq::random_stream random(1);
  miq::matrix<float> x(tokens, channels);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double shared = random.normal();
    for (std::int64_t c = 0; c < channels; ++c) x(t, c) = static_cast<float>(random.normal() + 0.5 * shared);
  }
  return x;
}

void all_pairs(benchmark::State& state, std::int64_t channels, std::int64_t tokens, histogram_options options) {
  const miq::host_executor exec({.threads = static_cast<int>(state.range(0))});
  const auto x = tokens_of(tokens, channels);
  miq::matrix<float> mi(channels, channels);
  for (auto _ : state) {
    histogram(exec, x.view(), mi.view(), options);
    benchmark::DoNotOptimize(mi.data());
  }
  const double pairs = 0.5 * static_cast<double>(channels) * static_cast<double>(channels - 1);
  state.counters["us_per_pair"] =
      benchmark::Counter(pairs * 1e-6, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

/// The least there is to do for one pair, on one core: one popcount of 64 bits for each cell and 64 tokens, or one
/// increment a token.
void popcount_floor(benchmark::State& state, std::int64_t tokens, std::int64_t bins) {
  std::vector<std::uint64_t> planes(static_cast<std::size_t>(tokens / 64), 0x0123456789ABCDEF);
  for (auto _ : state) {
    std::int64_t sum = 0;
    for (std::int64_t cell = 0; cell < (bins - 1) * (bins - 1); ++cell) {
      benchmark::DoNotOptimize(planes.data());
      for (const auto word : planes) sum += __builtin_popcountll(word);
    }
    benchmark::DoNotOptimize(sum);
  }
}

void increment_floor(benchmark::State& state, std::int64_t tokens, std::int64_t bins) {
  std::vector<std::uint16_t> cells(static_cast<std::size_t>(tokens));
  miq::random_stream random(1);
  for (auto& cell : cells) cell = static_cast<std::uint16_t>(random.below(static_cast<std::uint64_t>(bins * bins)));
  std::vector<std::int32_t> counts(static_cast<std::size_t>(bins * bins));
  for (auto _ : state) {
    for (const auto cell : cells) ++counts[cell];
    benchmark::DoNotOptimize(counts.data());
  }
}

[[maybe_unused]] const int registered = [] {
  const auto add = [](const std::string& name, std::int64_t channels, std::int64_t tokens,
                      const histogram_options& options) {
    benchmark::RegisterBenchmark(name.c_str(), all_pairs, channels, tokens, options)
        ->ArgName("threads")
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  for (const int bins : {8, 16, 24, 32, 64})
    add("histogram/channels:768/tokens:8192/bins:" + std::to_string(bins), 768, 8192, {.bins = bins});
  for (const std::int64_t tokens : {1024, 2048, 4096, 16384})
    add("histogram/channels:768/tokens:" + std::to_string(tokens) + "/bins:16", 768, tokens, {});
  for (const std::int64_t channels : {192, 384, 1536})
    add("histogram/channels:" + std::to_string(channels) + "/tokens:8192/bins:16", channels, 8192, {});
  add("histogram_equal_frequency/channels:768/tokens:8192/bins:16", 768, 8192, {.edges = bin_edges::equal_frequency});
  add("histogram_james_stein/channels:768/tokens:8192/bins:16", 768, 8192,
      {.estimator = entropy_estimator::james_stein});
  benchmark::RegisterBenchmark("histogram_popcount_floor_of_a_pair/tokens:8192/bins:16", popcount_floor, 8192, 16)
      ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("histogram_increment_floor_of_a_pair/tokens:8192/bins:16", increment_floor, 8192, 16)
      ->Unit(benchmark::kMicrosecond);
  return 0;
}();

}  // namespace
