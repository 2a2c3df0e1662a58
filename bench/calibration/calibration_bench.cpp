// What calibration costs: the accumulator beside Eigen's product of the same matrix, and the matrix of information.
//
// `of_floor` is the share of the floor that `add` reaches: tokens * c^2 / 2 multiply-adds at the rate that Eigen
// reaches in the same process, on one thread, in the full product X^T X. Run with one thread to read it as a share.
#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <chrono>
#include <cstdint>
#include <map>

#include <miq/calibration/accumulator.hpp>
#include <miq/core/random.hpp>
#include <miq/information/affinity.hpp>
#include <miq/information/correlation.hpp>

namespace {

constexpr std::int64_t tokens = 2048;

miq::matrix<float> uniform(std::int64_t rows, std::int64_t columns) {
  miq::random_stream random(1);
  miq::matrix<float> x(rows, columns);
  for (std::int64_t k = 0; k < x.size(); ++k) x.data()[k] = static_cast<float>(random.uniform() - 0.5);
  return x;
}

using eigen_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void multiply(const miq::matrix<float>& x, eigen_matrix& product) {
  const Eigen::Map<const eigen_matrix> tokens_map(x.data(), x.rows(), x.columns());
  product.noalias() = tokens_map.transpose() * tokens_map;
}

/// Seconds of half of Eigen's product, the best of three.
double floor_seconds(const miq::matrix<float>& x) {
  static std::map<std::int64_t, double> known;
  auto& best = known[x.columns()];
  if (best > 0) return best;
  eigen_matrix product(x.columns(), x.columns());
  for (int k = 0; k < 3; ++k) {
    const auto start = std::chrono::steady_clock::now();
    multiply(x, product);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (best == 0 || taken.count() / 2 < best) best = taken.count() / 2;
  }
  return best;
}

benchmark::Counter rate(double per_iteration) {
  return {per_iteration, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000};
}

void eigen_full_product(benchmark::State& state) {
  const auto columns = state.range(0);
  const auto x = uniform(tokens, columns);
  eigen_matrix product(columns, columns);
  for (auto _ : state) {
    multiply(x, product);
    benchmark::DoNotOptimize(product.data());
  }
  state.counters["flop/s"] = rate(2.0 * static_cast<double>(tokens * columns * columns));
}

void accumulator_add(benchmark::State& state) {
  const auto columns = state.range(0);
  const auto x = uniform(tokens, columns);
  const auto floor = floor_seconds(x);
  const miq::host_executor exec({.threads = static_cast<int>(state.range(1))});
  miq::calibration::accumulator seen(columns);
  seen.add(exec, x);
  for (auto _ : state) seen.add(exec, x);
  state.counters["flop/s"] = rate(static_cast<double>(tokens * columns * columns));
  state.counters["of_floor"] = benchmark::Counter(floor, benchmark::Counter::kIsIterationInvariantRate);
}

void accumulator_finish(benchmark::State& state) {
  const auto columns = state.range(0);
  const miq::host_executor exec({.threads = static_cast<int>(state.range(1))});
  miq::calibration::accumulator seen(columns);
  seen.add(exec, uniform(tokens, columns));
  for (auto _ : state) {
    const auto statistics = seen.finish(exec);
    benchmark::DoNotOptimize(statistics.covariance.data());
  }
  state.SetBytesProcessed(state.iterations() * columns * columns * 8);
}

void information_correlation(benchmark::State& state) {
  const auto columns = state.range(0);
  const miq::host_executor exec({.threads = static_cast<int>(state.range(1))});
  miq::calibration::accumulator seen(columns);
  seen.add(exec, uniform(tokens, columns));
  const auto statistics = seen.finish(exec);
  miq::matrix<float> mi(columns, columns);
  for (auto _ : state) {
    const auto result = miq::information::correlation(exec, statistics, mi.view());
    benchmark::DoNotOptimize(result);
  }
  state.counters["pairs/s"] = rate(0.5 * static_cast<double>(columns * (columns - 1)));
}

void information_affinity(benchmark::State& state) {
  const auto columns = state.range(0);
  const miq::host_executor exec({.threads = static_cast<int>(state.range(1))});
  auto mi = uniform(columns, columns);
  miq::matrix<float> out(columns, columns);
  for (auto _ : state) {
    const auto result = miq::information::affinity(exec, mi, out.view());
    benchmark::DoNotOptimize(result);
  }
  state.counters["pairs/s"] = rate(0.5 * static_cast<double>(columns * (columns - 1)));
}

void widths(benchmark::internal::Benchmark* b) {
  b->ArgName("columns")->Arg(768)->Arg(3072)->Arg(4096)->Unit(benchmark::kMillisecond)->UseRealTime();
}

void widths_and_threads(benchmark::internal::Benchmark* b) {
  b->ArgNames({"columns", "threads"})->ArgsProduct({{768, 3072, 4096}, {1, 2}});
  b->Unit(benchmark::kMillisecond)->UseRealTime();
}

BENCHMARK(eigen_full_product)->Name("eigen/full_product")->Apply(widths);
BENCHMARK(accumulator_add)->Name("calibration/add")->Apply(widths_and_threads);
BENCHMARK(accumulator_finish)->Name("calibration/finish")->Apply(widths_and_threads);
BENCHMARK(information_correlation)->Name("information/correlation")->Apply(widths_and_threads);
BENCHMARK(information_affinity)->Name("information/affinity")->Apply(widths_and_threads);

}  // namespace

int main(int argc, char** argv) {
  benchmark::AddCustomContext("miq instruction set", miq::instruction_set_name());
  benchmark::AddCustomContext("tokens", std::to_string(tokens));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
