// KSG of all pairs. The counter `per_pair` is the time of one thread. bench/compare_sklearn.py runs scikit-learn on the
// same samples.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <miq/information/class_information.hpp>
#include <miq/information/knn.hpp>

#include "information/samples.hpp"

namespace {

/// What samples look like: as they are, with negative values 0 (half of them tie), or rounded to about 6 bits.
miq::matrix<float> shaped(const miq::matrix<float>& from, std::int64_t shape) {
  auto x = from;
  for (std::int64_t k = 0; k < x.size(); ++k) {
    auto& v = x.data()[k];
    if (shape == 1) v = std::max(v, 0.0F);
    if (shape == 2) v = std::nearbyint(v * 32) / 32;
  }
  return x;
}

void knn(benchmark::State& state) {
  const auto channels = state.range(0), tokens = state.range(1);
  const auto x = shaped(miq_bench::samples(channels, tokens), state.range(4));
  const miq::host_executor exec({.threads = static_cast<int>(state.range(2))});
  const miq::information::knn_options options{.variant = state.range(3) == 1 ? miq::information::ksg_variant::first
                                                                             : miq::information::ksg_variant::second};
  miq::matrix<float> mi(channels, channels);
  for (auto _ : state) {
    miq::information::knn(exec, x, mi.view(), options);
    benchmark::DoNotOptimize(mi.data());
  }
  const auto pairs = static_cast<double>(channels * (channels - 1) / 2);
  state.counters["per_pair"] =
      benchmark::Counter(pairs / static_cast<double>(exec.threads()),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(knn)
    ->ArgNames({"channels", "tokens", "threads", "variant", "shape"})
    ->ArgsProduct({{256}, {2048}, {1, 2}, {1}, {0}})
    ->ArgsProduct({{64}, {512, 2048, 8192, 32768}, {1}, {1}, {0}})
    ->ArgsProduct({{64}, {2048}, {1}, {1}, {1, 2}})
    ->ArgsProduct({{64}, {2048}, {1}, {2}, {0}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void class_information(benchmark::State& state) {
  const auto channels = state.range(0), tokens = state.range(1);
  const auto& x = miq_bench::samples(channels, tokens);
  std::vector<std::int32_t> labels;
  for (std::int64_t t = 0; t < tokens; ++t) labels.push_back(x(t, 0) > 0 ? 1 : 0);
  const miq::host_executor exec({.threads = static_cast<int>(state.range(2))});
  std::vector<float> mi(static_cast<std::size_t>(channels));
  for (auto _ : state)
    miq::information::class_information(exec, miq::vector_view<const std::int32_t>(labels), x,
                                        miq::vector_view<float>(mi));
}
BENCHMARK(class_information)
    ->ArgNames({"channels", "tokens", "threads"})
    ->ArgsProduct({{256}, {2048}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  benchmark::AddCustomContext("miq instruction set", miq::instruction_set_name());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
