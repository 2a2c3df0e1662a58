// Time of one layer from statistics to codes, by method, and its share in each phase.
//
// MIQ_BENCH_THREADS sets the threads (default 2).
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>

#include <miq/calibration/accumulator.hpp>
#include <miq/calibration/cross_moments.hpp>
#include <miq/compress.hpp>
#include <miq/core/random.hpp>

namespace {

const miq::host_executor& executor() {
  static const miq::host_executor exec({.threads = std::getenv("MIQ_BENCH_THREADS") != nullptr
                                                       ? std::max(1, std::atoi(std::getenv("MIQ_BENCH_THREADS")))
                                                       : 2});
  return exec;
}

struct layer {
  miq::calibration::statistics seen;
  miq::calibration::cross_statistics drift;  // from inputs of the dense model, a little different
  miq::matrix<float> weights;
};

/// Columns that share one of 32 signals, each to a different degree.
const layer& layer_of(std::int64_t rows, std::int64_t columns) {
  static std::map<std::pair<std::int64_t, std::int64_t>, layer> layers;
  const auto [place, created] = layers.try_emplace({rows, columns});
  if (created) {
    miq::random_stream random(1);
    miq::matrix<float> x(columns + 1024, columns);
    double signals[32];
    for (std::int64_t t = 0; t < x.rows(); ++t) {
      for (auto& s : signals) s = random.normal();
      for (std::int64_t c = 0; c < columns; ++c) {
        const double share = static_cast<double>(c) / static_cast<double>(columns);
        x(t, c) = static_cast<float>(std::sqrt(share) * signals[c % 32] + std::sqrt(1 - share) * random.normal());
      }
    }
    miq::calibration::accumulator accumulator(columns);
    accumulator.add(executor(), x.view());
    place->second.seen = accumulator.finish(executor());
    auto dense = x;
    for (std::int64_t i = 0; i < dense.size(); ++i) dense.data()[i] += 0.1F * dense.data()[(i + 1) % dense.size()];
    miq::calibration::cross_moments drift(columns, columns, {.difference = true});
    drift.add(executor(), x.view(), dense.view());
    place->second.drift = drift.finish(executor());
    place->second.weights = miq::matrix<float>(rows, columns);
    for (std::int64_t i = 0; i < rows * columns; ++i)
      place->second.weights.data()[i] = static_cast<float>(random.normal());
  }
  return place->second;
}

void compress_layer(benchmark::State& state, const miq::compress_options& options) {
  const auto& input = layer_of(state.range(0), state.range(1));
  miq::phase_seconds seconds;
  for (auto _ : state) {
    auto shared = miq::prepare(executor(), input.seen.view(), options);
    if (options.target_strength > 0) shared.drift = input.drift;
    const auto result = miq::compress(executor(), input.weights.view(), input.seen.view(), shared, options);
    const auto& now = result.report.seconds;
    seconds.factor += shared.seconds.factor;
    seconds.information += shared.seconds.information;
    seconds.grouping += shared.seconds.grouping;
    seconds.target += now.target;
    seconds.mask += now.mask;
    seconds.refit += now.refit;
    seconds.allocation += now.allocation;
    seconds.fit += now.fit;
    seconds.sweep += now.sweep;
    benchmark::DoNotOptimize(result.weights.data());
  }
  const auto per_call = [&](double total) {
    return benchmark::Counter(total * 1e3, benchmark::Counter::kAvgIterations);
  };
  state.counters["factor_ms"] = per_call(seconds.factor);
  state.counters["information_ms"] = per_call(seconds.information);
  state.counters["grouping_ms"] = per_call(seconds.grouping);
  state.counters["target_ms"] = per_call(seconds.target);
  state.counters["mask_ms"] = per_call(seconds.mask);
  state.counters["refit_ms"] = per_call(seconds.refit);
  state.counters["allocation_ms"] = per_call(seconds.allocation);
  state.counters["fit_ms"] = per_call(seconds.fit);
  state.counters["sweep_ms"] = per_call(seconds.sweep);
}

}  // namespace

int main(int argc, char** argv) {
  auto quick = miq::mi_options(0.5, 4);  // without the search, and as little of refit as there is
  quick.method = miq::mask_method::pruning_sweep;
  quick.refit_iterations = 0;
  const std::pair<const char*, miq::compress_options> methods[] = {{"sparsegpt", miq::sparsegpt_options(0.5, 4)},
                                                                   {"enhanced", miq::enhanced_options(0.5, 4)},
                                                                   {"mi_quick", quick},
                                                                   {"mi", miq::mi_options(0.5, 4)}};
  const std::pair<std::int64_t, std::int64_t> shapes[] = {{768, 768}, {3072, 768}, {768, 3072}, {4096, 4096}};
  for (const auto& [name, options] : methods)
    for (const auto& [rows, columns] : shapes)
      benchmark::RegisterBenchmark(("compress_" + std::string(name)).c_str(), compress_layer, options)
          ->Args({rows, columns})
          ->ArgNames({"rows", "columns"})
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
  benchmark::AddCustomContext("instruction_set", miq::instruction_set_name());
  benchmark::AddCustomContext("threads", std::to_string(executor().threads()));
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
