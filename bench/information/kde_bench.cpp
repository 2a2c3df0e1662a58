// KDE of all pairs. The counter `per_pair` is the time of one thread; `products` are multiplications and additions of
// kernel values per second, T^2 c (c - 1) / 2 in all. bench/compare_sklearn.py runs SciPy's gaussian_kde beside it.
#include <benchmark/benchmark.h>

#include <cstdint>

#include <miq/information/kde.hpp>

#include "information/samples.hpp"

namespace {

void kde(benchmark::State& state) {
  const auto channels = state.range(0), tokens = state.range(1);
  const auto& x = miq_bench::samples(channels, tokens);
  const miq::host_executor exec({.threads = static_cast<int>(state.range(2))});
  miq::matrix<float> mi(channels, channels);
  for (auto _ : state) {
    miq::information::kde(exec, x, mi.view());
    benchmark::DoNotOptimize(mi.data());
  }
  const auto pairs = static_cast<double>(channels * (channels - 1) / 2);
  state.counters["per_pair"] =
      benchmark::Counter(pairs / static_cast<double>(exec.threads()),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["products"] =
      benchmark::Counter(pairs * static_cast<double>(tokens * tokens), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(kde)
    ->ArgNames({"channels", "tokens", "threads"})
    ->ArgsProduct({{128}, {2048}, {1, 2}})
    ->ArgsProduct({{16, 256}, {1024}, {1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
