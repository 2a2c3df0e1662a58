// Times of what stands around the sweep: refit, the search for a mask, the asymmetric target, the factor in double;
// each beside factor and sweep of the same layer, run just before: `of_plain` is the ratio.
//
// MIQ_BENCH_THREADS sets the threads (default 2). Scratch memory is a workspace that is used again in every iteration.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/obs/mask_search.hpp>
#include <miq/obs/refit.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/obs/target.hpp>
#include <miq/quantization/fit.hpp>

namespace {

using miq::matrix;

const miq::host_executor& executor() {
  static const char* const given = std::getenv("MIQ_BENCH_THREADS");
  static const miq::host_executor exec({.threads = given != nullptr ? std::max(1, std::atoi(given)) : 2});
  return exec;
}

/// A square layer, pruned and quantised by a joint sweep. Neighbouring columns are correlated by 1 / (1 + distance).
struct layer {
  matrix<float> weights, hessian, upper, settled, out;
  matrix<std::uint8_t> kept, kept_after, codes;
  std::vector<std::byte> scratch;
  double plain = 0;  // seconds of factor and joint sweep, the least of three

  explicit layer(std::int64_t columns)
      : weights(columns, columns),
        hessian(columns, columns),
        upper(columns, columns),
        settled(columns, columns),
        out(columns, columns),
        kept(columns, columns),
        kept_after(columns, columns),
        codes(columns, columns) {
    miq::random_stream random(1);
    for (std::int64_t i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(0.02 * random.normal());
    for (std::int64_t r = 0; r < columns; ++r)
      for (std::int64_t c = 0; c < columns; ++c) hessian(r, c) = 1 / (1 + static_cast<float>(std::abs(r - c)));
    scratch.resize(static_cast<std::size_t>(
        std::max({miq::obs::factor_workspace_bytes(columns),
                  miq::obs::sweep_workspace_bytes(columns, columns, 1, columns, miq::obs::sweep_options{}),
                  miq::obs::refit_workspace_bytes(columns, columns), miq::obs::target_workspace_bytes(columns, columns),
                  miq::obs::mask_search_workspace_bytes(columns, columns)})));
    const std::vector<std::int32_t> labels(static_cast<std::size_t>(columns), 0);
    const std::vector<std::uint8_t> bits{4};
    for (int k = 0; k < 3; ++k) {
      const auto begin = std::chrono::steady_clock::now();
      miq::obs::factor(executor(), hessian.view(), upper.view(), {}, scratch);
      const auto grids = miq::quantization::fit_grids(executor(), weights.view(), labels, bits);
      const auto view = grids.view();
      miq::obs::sweep(executor(), {weights.view(), upper.view(), view, {}},
                      {settled.view(), codes.view(), kept.view(), {}}, {.sparsity = 0.65}, scratch);
      const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      plain = k == 0 ? took : std::min(plain, took);
    }
  }
};

/// Reports the rate and the ratio to factor, grids and sweep.
template <class Body>
void measure(benchmark::State& state, const layer& made, double products, const Body& body) {
  double least = 0;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    least = least == 0 ? took : std::min(least, took);
  }
  const auto n = static_cast<double>(made.weights.columns());
  state.counters["GFLOP/s"] =
      benchmark::Counter(products * 2 * n * n * n * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_plain"] = least / made.plain;
  state.SetLabel(std::string(miq::instruction_set_name()) + ", threads " + std::to_string(executor().threads()));
}

void refit(benchmark::State& state, std::int64_t columns, int iterations) {
  layer made(columns);
  measure(state, made, iterations + 1, [&] {
    benchmark::DoNotOptimize(miq::obs::refit(
        executor(), {.target = made.weights, .hessian = made.hessian, .kept = made.kept, .start = made.settled},
        {.weights = made.out, .row_loss = {}}, {.iterations = iterations, .tolerance = 0}, made.scratch));
  });
}

void mask_search(benchmark::State& state, std::int64_t columns, int iterations) {
  layer made(columns);
  measure(state, made, iterations + 1.0 / 3, [&] {
    benchmark::DoNotOptimize(miq::obs::mask_search(
        executor(),
        {.target = made.weights, .hessian = made.hessian, .kept = made.kept, .start = made.settled, .labels = {}},
        {.kept = made.kept_after, .weights = made.out}, {.iterations = iterations, .levels = 1, .penalty = 0.3},
        made.scratch));
  });
}

void shift_target(benchmark::State& state, std::int64_t columns) {
  layer made(columns);
  measure(state, made, 2, [&] {
    benchmark::DoNotOptimize(miq::obs::shift_target(executor(), made.weights.view(), made.hessian.view(),
                                                    made.upper.view(), made.out.view(), {}, made.scratch));
  });
}

/// A matrix on which float fails and double does not: a random walk that begins far away.
void factor_in_double(benchmark::State& state, std::int64_t columns) {
  layer made(columns);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) made.hessian(i, j) = 0x1.0p23F + static_cast<float>(std::min(i, j));
  measure(state, made, 1.0 / 3, [&] {
    benchmark::DoNotOptimize(
        miq::obs::factor(executor(), made.hessian.view(), made.upper.view(), {.damping = 0}, made.scratch));
  });
}

template <class Function, class... Arguments>
void add(const std::string& name, Function function, Arguments... arguments) {
  benchmark::RegisterBenchmark(name.c_str(), function, arguments...)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->MeasureProcessCPUTime();
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::int64_t columns : {1024, 4096}) {
    const auto size = "/columns:" + std::to_string(columns);
    for (const int iterations : {0, 1, 2, 5, 20})
      add("refit" + size + "/iterations:" + std::to_string(iterations), refit, columns, iterations);
    for (const int iterations : {3, 10})
      add("mask_search" + size + "/iterations:" + std::to_string(iterations), mask_search, columns, iterations);
    add("shift_target" + size, shift_target, columns);
    add("factor_in_double" + size, factor_in_double, columns);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
