// Times of the fit of grids, by range and by clip search, in every layout. MIQ_BENCH_THREADS sets the threads
// (default 2).
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <miq/core/random.hpp>
#include <miq/quantization/fit.hpp>

namespace {

using miq::quantization::grid_layout;
using miq::quantization::range_rule;

int thread_count() {
  const char* given = std::getenv("MIQ_BENCH_THREADS");
  return given != nullptr ? std::max(1, std::atoi(given)) : 2;
}

void fit(benchmark::State& state, std::int64_t rows, std::int64_t columns, grid_layout layout, range_rule range) {
  const miq::host_executor exec({.threads = thread_count()});
  miq::matrix<float> weights(rows, columns);
  miq::random_stream random(1);
  for (std::int64_t i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(0.02 * random.normal());
  constexpr int groups = 8;
  std::vector<std::int32_t> labels(static_cast<std::size_t>(columns));
  for (auto& label : labels) label = static_cast<std::int32_t>(random.below(groups));
  const std::vector<std::uint8_t> bits(groups, 4);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        miq::quantization::fit_grids(exec, weights.view(), labels, bits, {.layout = layout, .range = range}));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * weights.size() *
                          static_cast<std::int64_t>(sizeof(float)));
  state.SetLabel(std::string(miq::instruction_set_name()) + ", threads " + std::to_string(exec.threads()));
}

}  // namespace

int main(int argc, char** argv) {
  const std::pair<grid_layout, const char*> layouts[] = {{grid_layout::per_row_and_group, "per_row_and_group"},
                                                         {grid_layout::per_group, "per_group"},
                                                         {grid_layout::per_column, "per_column"}};
  const std::pair<range_rule, const char*> ranges[] = {{range_rule::min_max, "min_max"},
                                                       {range_rule::clip_search, "clip_search"}};
  for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{768, 768}, {3072, 768}, {4096, 4096}})
    for (const auto& [range, range_name] : ranges)
      for (const auto& [layout, layout_name] : layouts)
        benchmark::RegisterBenchmark((std::string("fit_grids/") + range_name + '/' + layout_name +
                                      "/rows:" + std::to_string(rows) + "/columns:" + std::to_string(columns))
                                         .c_str(),
                                     fit, rows, columns, layout, range)
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
