// Grouping on precomputed affinities, 32 groups. Each benchmark's last argument is the number of threads. `inside` is
// the mean affinity within a block, in units of 1/2; 1 is that between blocks, so that inside:1 is a matrix without
// structure, the hardest for the eigensolver. bench/compare_sklearn.py runs scikit-learn and SciPy on the same
// matrices.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/grouping/balanced.hpp>
#include <miq/grouping/group_count.hpp>
#include <miq/grouping/hierarchical.hpp>
#include <miq/grouping/kmeans.hpp>
#include <miq/grouping/silhouette.hpp>
#include <miq/grouping/spectral.hpp>

namespace {

constexpr int groups = 32;

float unit(std::uint64_t index) { return static_cast<float>(miq::random_hash(1, index) >> 40) * 0x1.0p-24F; }

/// Uniform on [0, 1/4) between 32 blocks of neighbours, on [0, inside / 4) within them.
const miq::matrix<float>& affinity(std::int64_t n, std::int64_t inside) {
  static std::map<std::pair<std::int64_t, std::int64_t>, miq::matrix<float>> made;
  auto& m = made[{n, inside}];
  if (m.empty()) {
    m = miq::matrix<float>(n, n);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < i; ++j)
        m(i, j) = m(j, i) = unit(static_cast<std::uint64_t>(i * n + j)) * 0.25F *
                            (i * groups / n == j * groups / n ? static_cast<float>(inside) : 1.0F);
  }
  return m;
}

miq::matrix<float> distance(const miq::matrix<float>& from) {
  miq::matrix<float> d(from.rows(), from.rows());
  for (std::int64_t i = 0; i < from.rows(); ++i)
    for (std::int64_t j = 0; j < from.rows(); ++j)
      if (i != j) d(i, j) = std::sqrt(1 - from(i, j) * from(i, j));
  return d;
}

miq::host_executor executor(const benchmark::State& state, int argument) {
  return miq::host_executor({.threads = static_cast<int>(state.range(static_cast<std::size_t>(argument)))});
}

void spectral(benchmark::State& state) {
  const auto exec = executor(state, 2);
  const auto& a = affinity(state.range(0), state.range(1));
  miq::grouping::spectral_result result;
  for (auto _ : state) result = miq::grouping::spectral(exec, a, {.groups = groups});
  state.counters["products"] = result.eigen_products;
  state.counters["iterations"] = result.iterations;
}
BENCHMARK(spectral)
    ->ArgNames({"channels", "inside", "threads"})
    ->ArgsProduct({{768, 3072}, {2, 1}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void eigenpairs(benchmark::State& state) {
  const auto exec = executor(state, 2);
  const auto& a = affinity(state.range(0), state.range(1));
  miq::grouping::eigenpairs_result result;
  for (auto _ : state) result = miq::grouping::largest_eigenpairs(exec, a, groups);
  state.counters["products"] = result.products;
  state.SetBytesProcessed(state.iterations() * result.products * a.size() * 4);  // reads of the matrix
}
BENCHMARK(eigenpairs)
    ->ArgNames({"channels", "inside", "threads"})
    ->ArgsProduct({{768, 3072}, {2, 1}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void kmeans(benchmark::State& state) {
  const auto exec = executor(state, 1);
  const std::int64_t n = state.range(0);
  miq::matrix<float> points(n, groups);
  for (std::int64_t i = 0; i < points.size(); ++i) points.data()[i] = unit(static_cast<std::uint64_t>(i));
  miq::grouping::kmeans_result result;
  for (auto _ : state) result = miq::grouping::kmeans(exec, points, {.groups = groups});
  state.counters["iterations"] = result.iterations;
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(kmeans)
    ->ArgNames({"points", "threads"})
    ->ArgsProduct({{768, 3072}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void silhouette(benchmark::State& state) {
  const auto exec = executor(state, 1);
  const auto d = distance(affinity(state.range(0), 2));
  const auto parts = miq::grouping::partition::contiguous(state.range(0), groups);
  for (auto _ : state) benchmark::DoNotOptimize(miq::grouping::silhouette(exec, d, parts));
  state.SetBytesProcessed(state.iterations() * d.size() * 4);
}
BENCHMARK(silhouette)
    ->ArgNames({"channels", "threads"})
    ->ArgsProduct({{768, 3072}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void choose_group_count(benchmark::State& state) {
  const auto exec = executor(state, 1);
  const auto& a = affinity(state.range(0), 2);
  const auto d = distance(a);
  for (auto _ : state) benchmark::DoNotOptimize(miq::grouping::choose_group_count(exec, a, d));
}
BENCHMARK(choose_group_count)
    ->ArgNames({"channels", "threads"})
    ->ArgsProduct({{768, 3072}, {2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// Methods by number: 0 single, 1 complete, 2 average.
void linkage(benchmark::State& state) {
  const auto exec = executor(state, 2);
  const auto method = static_cast<miq::grouping::linkage_method>(state.range(0));
  const auto d = distance(affinity(state.range(1), 2));
  for (auto _ : state) benchmark::DoNotOptimize(miq::grouping::linkage(exec, d, method));
  state.SetBytesProcessed(state.iterations() * d.size() * 4);  // one read of the matrix
}
BENCHMARK(linkage)
    ->ArgNames({"method", "channels", "threads"})
    ->ArgsProduct({{2}, {1024, 2048, 4096, 8192}, {1, 2}})
    ->ArgsProduct({{0, 1}, {8192}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void ward(benchmark::State& state) {
  const auto exec = executor(state, 1);
  miq::matrix<float> points(state.range(0), groups);
  for (std::int64_t i = 0; i < points.size(); ++i) points.data()[i] = unit(static_cast<std::uint64_t>(i));
  for (auto _ : state) benchmark::DoNotOptimize(miq::grouping::ward_linkage(exec, points));
}
BENCHMARK(ward)
    ->ArgNames({"points", "threads"})
    ->ArgsProduct({{1024, 4096}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// The assignment alone, to the centres of k-means on uniform points; groups of equal size.
void assignment(benchmark::State& state) {
  const auto exec = executor(state, 2);
  const std::int64_t n = state.range(0), k = state.range(1), d = groups;
  miq::matrix<double> costs(n, k);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t g = 0; g < k; ++g)
      for (std::int64_t c = 0; c < d; ++c) {
        const double step = static_cast<double>(unit(static_cast<std::uint64_t>(i * d + c))) -
                            static_cast<double>(unit(static_cast<std::uint64_t>((n + g) * d + c)));
        costs(i, g) += step * step;
      }
  const std::vector<std::int64_t> sizes(static_cast<std::size_t>(k), n / k);
  miq::grouping::assignment_result result;
  for (auto _ : state) result = miq::grouping::bounded_assignment(exec, costs, sizes, sizes);
  state.counters["moved"] = static_cast<double>(result.moved);
}
BENCHMARK(assignment)
    ->ArgNames({"points", "groups", "threads"})
    ->Args({4096, 32, 1})
    ->Args({4096, 256, 1})
    ->Args({14336, 112, 1})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void balanced_spectral(benchmark::State& state) {
  const auto exec = executor(state, 1);
  const auto& a = affinity(state.range(0), 2);
  miq::grouping::balanced_result result;
  for (auto _ : state) result = miq::grouping::balanced_spectral(exec, a, {.groups = groups});
  state.counters["assignments"] = result.iterations;
}
BENCHMARK(balanced_spectral)
    ->ArgNames({"channels", "threads"})
    ->ArgsProduct({{768, 3072, 4096}, {1, 2}})
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
