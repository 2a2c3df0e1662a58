// Times of the solver: the factor, the joint sweep, both with the fit of the grids, and Eigen products of as many
// operations as a floor.
//
// MIQ_BENCH_THREADS sets the threads (default 2). Scratch memory is a workspace that is used again in every iteration,
// as an engine would hold it; the names that end in "fresh" take it from the heap in every call instead.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <miq/core/detail/eigen.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/obs/factor.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/quantization/fit.hpp>

namespace {

using miq::matrix;

int thread_count() {
  const char* given = std::getenv("MIQ_BENCH_THREADS");
  return given != nullptr ? std::max(1, std::atoi(given)) : 2;
}

const miq::host_executor& executor() {
  static const miq::host_executor exec({.threads = thread_count()});
  return exec;
}

/// A layer whose channels are correlated by 1 / (1 + distance): positive definite by Polya's criterion, and without the
/// denormal numbers that a faster decay would put into the factor.
struct layer {
  matrix<float> weights;
  matrix<float> hessian;
  matrix<float> upper;
  matrix<float> settled;
  matrix<std::uint8_t> codes;
  matrix<std::uint8_t> kept;
  std::vector<std::int32_t> labels;
  std::vector<std::uint8_t> bits{4};
  miq::quantization::grid_set grids;
  std::vector<std::byte> scratch;

  layer(std::int64_t rows, std::int64_t columns)
      : weights(rows, columns),
        hessian(columns, columns),
        upper(columns, columns),
        settled(rows, columns),
        codes(rows, columns),
        kept(rows, columns),
        labels(static_cast<std::size_t>(columns), 0) {
    miq::random_stream random(1);
    for (std::int64_t i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(0.02 * random.normal());
    for (std::int64_t r = 0; r < columns; ++r)
      for (std::int64_t c = 0; c < columns; ++c) hessian(r, c) = 1 / (1 + static_cast<float>(std::abs(r - c)));
    scratch.resize(static_cast<std::size_t>(
        std::max(miq::obs::factor_workspace_bytes(columns),
                 miq::obs::sweep_workspace_bytes(rows, columns, 1, rows, miq::obs::sweep_options{}))));
    factor(scratch);
    fit();
  }

  void factor(miq::workspace memory) { miq::obs::factor(executor(), hessian.view(), upper.view(), {}, memory); }
  void fit() { grids = miq::quantization::fit_grids(executor(), weights.view(), labels, bits); }
  double sweep(miq::workspace memory) {
    const auto view = grids.view();
    return miq::obs::sweep(executor(), {weights.view(), upper.view(), view, {}},
                           {settled.view(), codes.view(), kept.view(), {}}, {}, memory)
        .loss;
  }
};

double factor_operations(std::int64_t columns) { return 2.0 / 3.0 * std::pow(static_cast<double>(columns), 3); }
double sweep_operations(std::int64_t rows, std::int64_t columns) {
  return static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(columns);
}

void report(benchmark::State& state, double operations) {
  state.counters["GFLOP/s"] = benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(std::string(miq::instruction_set_name()) + ", threads " + std::to_string(executor().threads()));
}

void factor(benchmark::State& state, std::int64_t columns) {
  layer made(1, columns);
  for (auto _ : state) made.factor(made.scratch);
  report(state, factor_operations(columns));
}

void sweep(benchmark::State& state, std::int64_t rows, std::int64_t columns) {
  layer made(rows, columns);
  for (auto _ : state) benchmark::DoNotOptimize(made.sweep(made.scratch));
  report(state, sweep_operations(rows, columns));
}

void factor_and_sweep(benchmark::State& state, std::int64_t rows, std::int64_t columns, bool fresh) {
  layer made(rows, columns);
  const miq::workspace memory = fresh ? miq::workspace{} : miq::workspace{made.scratch};
  for (auto _ : state) {
    made.factor(memory);
    made.fit();
    benchmark::DoNotOptimize(made.sweep(memory));
  }
  report(state, factor_operations(columns) + sweep_operations(rows, columns));
}

/// One Eigen product of as many operations as factor and sweep together, each thread with its share of the rows.
void matrix_product_floor(benchmark::State& state, std::int64_t rows, std::int64_t columns) {
  const double operations = factor_operations(columns) + sweep_operations(rows, columns);
  const auto n = columns;
  const auto m = static_cast<std::int64_t>(operations / (2.0 * static_cast<double>(n) * static_cast<double>(n)));
  Eigen::MatrixXf left = Eigen::MatrixXf::Random(m, n);
  Eigen::MatrixXf right = Eigen::MatrixXf::Random(n, n);
  Eigen::MatrixXf product(m, n);
  const std::int64_t parts = executor().threads();
  for (auto _ : state)
    executor().parallel_for(parts, [&](std::int64_t part) {
      const auto first = m * part / parts;
      const auto count = m * (part + 1) / parts - first;
      product.middleRows(first, count).noalias() = left.middleRows(first, count) * right;
    });
  report(state, 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(n));
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
  const std::pair<std::int64_t, std::int64_t> shapes[] = {{768, 768}, {3072, 768}, {768, 3072}, {4096, 4096}};
  for (const std::int64_t columns : {768, 3072, 4096})
    add("factor/columns:" + std::to_string(columns), factor, columns);
  for (const auto& [rows, columns] : shapes) {
    const auto shape = "/rows:" + std::to_string(rows) + "/columns:" + std::to_string(columns);
    add("sweep" + shape, sweep, rows, columns);
    add("factor_and_sweep" + shape, factor_and_sweep, rows, columns, false);
    add("factor_and_sweep_fresh" + shape, factor_and_sweep, rows, columns, true);
    add("matrix_product_floor" + shape, matrix_product_floor, rows, columns);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
