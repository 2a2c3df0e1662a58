// Choosing bits: the exact solver beside a sorted greedy that stops at the relaxation (the floor of every method that
// sorts), splitting groups, and what they need to know. bench/allocation/compare_milp.py solves the same instances with
// SciPy's mixed-integer solver.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include <miq/allocation/expected_error.hpp>
#include <miq/allocation/rate_distortion.hpp>
#include <miq/allocation/split_groups.hpp>
#include <miq/core/random.hpp>
#include <miq/grouping/representatives.hpp>

namespace {

namespace allocation = miq::allocation;
using miq::matrix;
using miq::grouping::partition;

constexpr int smallest = 2;
constexpr int largest = 8;

double unit(std::uint64_t index) { return static_cast<double>(miq::random_hash(1, index) >> 11) * 0x1.0p-53; }

/// Items of 2 to 8 bits: as many weights each, or 1 to 10^6; importances over five decades.
struct instance {
  allocation::rate_curves curves;
  double budget = 0;
};

instance make_instance(std::int64_t items, bool equal) {
  instance made;
  std::vector<allocation::rate_option> options(largest - smallest + 1);
  for (std::int64_t i = 0; i < items; ++i) {
    const auto at = static_cast<std::uint64_t>(2 * i);
    const double weights = equal ? 4096 : 1 + std::floor(1e6 * unit(at));
    const double importance = std::pow(10.0, 5 * unit(at + 1));
    for (int bits = smallest; bits <= largest; ++bits)
      options[static_cast<std::size_t>(bits - smallest)] = {16 + bits * weights,
                                                            importance * weights * std::pow(4.0, -bits)};
    made.curves.add(options);
    made.budget += 16 + 4 * weights;
  }
  return made;
}

void rate_distortion(benchmark::State& state) {
  const auto given = make_instance(state.range(0), state.range(1) != 0);
  allocation::rate_distortion_result result;
  for (auto _ : state) {
    result = allocation::rate_distortion(given.curves, given.budget);
    benchmark::DoNotOptimize(result.chosen.data());
  }
  state.counters["states"] = static_cast<double>(result.states);
  state.counters["optimal"] = result.optimal ? 1 : 0;
  state.counters["distortion"] = result.distortion;
  state.counters["over_relaxation"] = (result.distortion - result.relaxed_distortion) / result.distortion;
  state.SetItemsProcessed(state.iterations() * given.curves.options());
}

/// All steps of one bit sorted by gain per stored bit, bought while they fit: what a plain greedy does on convex
/// curves.
void sorted_greedy(benchmark::State& state) {
  const auto given = make_instance(state.range(0), state.range(1) != 0);
  struct step {
    double slope;
    std::int32_t item;
    std::int32_t option;
  };
  double over = 0;
  for (auto _ : state) {
    std::vector<step> steps;
    std::vector<std::int32_t> chosen(static_cast<std::size_t>(given.curves.items()));
    double left = given.budget;
    double distortion = 0;
    for (std::int64_t i = 0; i < given.curves.items(); ++i) {
      const auto options = given.curves[i];
      left -= options[0].stored_bits;
      distortion += options[0].distortion;
      for (std::size_t k = 1; k < options.size(); ++k)
        steps.push_back({(options[k - 1].distortion - options[k].distortion) /
                             (options[k].stored_bits - options[k - 1].stored_bits),
                         static_cast<std::int32_t>(i), static_cast<std::int32_t>(k)});
    }
    std::sort(steps.begin(), steps.end(), [](const step& a, const step& b) { return a.slope > b.slope; });
    double relaxed = -1;
    for (const auto& s : steps) {
      const auto options = given.curves[s.item];
      auto& mine = chosen[static_cast<std::size_t>(s.item)];
      const auto k = static_cast<std::size_t>(s.option);
      const double price = options[k].stored_bits - options[k - 1].stored_bits;
      if (price > left && relaxed < 0) relaxed = distortion - left * s.slope;
      if (mine + 1 != s.option || price > left) continue;
      mine = s.option;
      left -= price;
      distortion += options[k].distortion - options[k - 1].distortion;
    }
    benchmark::DoNotOptimize(chosen.data());
    over = (distortion - relaxed) / distortion;
  }
  state.counters["over_relaxation"] = over;
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"items", "equal"})->ArgsProduct({{4096, 20000}, {0, 1}})->Unit(benchmark::kMillisecond);
}
BENCHMARK(rate_distortion)->Apply(sizes);
BENCHMARK(sorted_greedy)->Apply(sizes);

/// c columns in groups of neighbours, costs falling over three decades inside each group; 7 widths.
void split_groups(benchmark::State& state) {
  const auto c = state.range(0);
  const auto n = static_cast<std::size_t>(c);
  const auto groups = partition::contiguous(c, state.range(1));
  std::vector<int> widths(largest - smallest + 1);
  std::iota(widths.begin(), widths.end(), smallest);
  std::vector<double> costs(n);
  std::vector<allocation::bit_item> columns(n);
  matrix<double> errors(c, static_cast<std::int64_t>(widths.size()));
  for (std::size_t j = 0; j < n; ++j) {
    costs[j] = std::pow(10.0, 3 * unit(j));
    columns[j] = {0, 1000 + std::floor(2000 * unit(n + j)), 16, 1};
    for (std::size_t k = 0; k < widths.size(); ++k)
      errors(static_cast<std::int64_t>(j), static_cast<std::int64_t>(k)) =
          costs[j] * columns[j].weights * std::pow(4.0, -widths[k]);
  }
  double budget = 0;
  for (const auto& column : columns) budget += stored_bits(column, 4);
  allocation::split_result result;
  for (auto _ : state) {
    result = allocation::split_groups({errors, widths, costs, columns, {0, 0, 3, 0}}, groups, budget);
    benchmark::DoNotOptimize(result.bits.data());
  }
  state.counters["parts"] = static_cast<double>(result.groups.groups());
  state.counters["gap"] = result.choice.gap();
  state.counters["states"] = static_cast<double>(result.choice.states);
}
BENCHMARK(split_groups)
    ->ArgNames({"columns", "groups"})
    ->ArgsProduct({{768, 4096}, {1, 8, 32}})
    ->Unit(benchmark::kMillisecond);

/// Second moments 2 (0.5^|i - j|), in the upper triangle and below.
matrix<float> chain(std::int64_t c) {
  matrix<float> h(c, c);
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = 0; j < c; ++j)
      h(i, j) = 2 * std::exp2(-static_cast<float>(std::min<std::int64_t>(100, std::abs(i - j))));
  return h;
}

void order_by_representatives(benchmark::State& state) {
  const miq::host_executor exec({.threads = static_cast<int>(state.range(2))});
  const auto h = chain(state.range(0));
  const auto groups = partition::contiguous(state.range(0), state.range(1));
  for (auto _ : state) {
    auto result = miq::grouping::order_by_representatives(exec, h, groups);
    benchmark::DoNotOptimize(result.order.data());
  }
  const auto members = static_cast<double>(state.range(0) / state.range(1));
  state.counters["multiply_adds"] =
      benchmark::Counter(static_cast<double>(state.iterations() * state.range(1)) * members * members * members / 3,
                         benchmark::Counter::kIsRate);
}
BENCHMARK(order_by_representatives)
    ->ArgNames({"columns", "groups", "threads"})
    ->ArgsProduct({{4096}, {1, 8}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void arriving_mean_squares(benchmark::State& state) {
  const miq::host_executor exec({.threads = 1});
  const auto upper = chain(state.range(0));
  const std::vector<double> ones(static_cast<std::size_t>(state.range(0)), 1);
  const std::vector<double> errors(static_cast<std::size_t>(state.range(0)), 0.01);
  for (auto _ : state) {
    auto result = allocation::arriving_mean_squares(exec, upper, ones, errors);
    benchmark::DoNotOptimize(result.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * state.range(0) * 2);
}
BENCHMARK(arriving_mean_squares)->ArgName("columns")->Arg(4096)->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("miq instruction set", miq::instruction_set_name());
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
