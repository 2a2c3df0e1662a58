// Correlation and rank correlation of all pairs from samples.
#include <benchmark/benchmark.h>

#include <string>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/information/correlation.hpp>
#include <miq/information/rank_correlation.hpp>

namespace {

miq::matrix<float> uniform_tokens(std::int64_t tokens, std::int64_t channels) {
  miq::matrix<float> x(tokens, channels);
  for (std::int64_t k = 0; k < x.size(); ++k)
    x.data()[k] = static_cast<float>(miq::random_hash(1, static_cast<std::uint64_t>(k)) >> 40) * 0x1p-24F;
  return x;
}

template <class Estimate>
void all_pairs(benchmark::State& state, std::int64_t channels, std::int64_t tokens, const Estimate& estimate) {
  const miq::host_executor exec({.threads = static_cast<int>(state.range(0))});
  const auto x = uniform_tokens(tokens, channels);
  miq::matrix<float> mi(channels, channels);
  for (auto _ : state) {
    estimate(exec, x.view(), mi.view());
    benchmark::DoNotOptimize(mi.data());
  }
  state.counters["multiply_adds"] =
      benchmark::Counter(0.5 * static_cast<double>(tokens) * static_cast<double>(channels * channels),
                         benchmark::Counter::kIsIterationInvariantRate);
}

[[maybe_unused]] const int registered = [] {
  using miq::matrix_view;
  const auto add = [](const std::string& name, std::int64_t channels, std::int64_t tokens, auto estimate) {
    const auto full = name + "/channels:" + std::to_string(channels) + "/tokens:" + std::to_string(tokens);
    benchmark::RegisterBenchmark(full.c_str(), all_pairs<decltype(estimate)>, channels, tokens, estimate)
        ->ArgName("threads")
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  const auto linear = [](const miq::host_executor& exec, matrix_view<const float> x, matrix_view<float> mi) {
    miq::information::correlation(exec, x, mi);
  };
  const auto rank = [](const miq::host_executor& exec, matrix_view<const float> x, matrix_view<float> mi) {
    miq::information::rank_correlation(exec, x, mi);
  };
  add("correlation", 768, 8192, linear);
  add("correlation", 4096, 32768, linear);
  add("rank_correlation", 768, 8192, rank);
  add("rank_correlation", 4096, 8192, rank);
  return 0;
}();

}  // namespace
