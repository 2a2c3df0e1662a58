// Times of the device's functions by CUDA events, the second-level cache flushed before each, scratch given; beside
// each the share of a floor: 67 TFLOP/s of float arithmetic without tensor cores and 4.8 TB/s of memory, which an H200
// has.
//
// Without a device every benchmark reports an error and the program returns 1.
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <miq/core/random.hpp>
#include <miq/cuda.hpp>

namespace {

using miq::device_array;
using miq::device_matrix;
using miq::device_memory;

constexpr double flops = 67e12;       // of an H200 (float, no tensor cores)
constexpr double bandwidth = 4.8e12;  // bytes a second

/// Times what is enqueued on a stream.
class device_clock {
 public:
  device_clock() {
    miq::detail::check_cuda(cudaEventCreate(&begin_), "cudaEventCreate");
    miq::detail::check_cuda(cudaEventCreate(&end_), "cudaEventCreate");
  }
  device_clock(const device_clock&) = delete;
  device_clock& operator=(const device_clock&) = delete;
  ~device_clock() {
    static_cast<void>(cudaEventDestroy(begin_));
    static_cast<void>(cudaEventDestroy(end_));
  }
  template <class Work>
  double seconds(cudaStream_t stream, const Work& work) {
    miq::detail::check_cuda(cudaEventRecord(begin_, stream), "cudaEventRecord");
    work();
    miq::detail::check_cuda(cudaEventRecord(end_, stream), "cudaEventRecord");
    miq::detail::check_cuda(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float milliseconds = 0;
    miq::detail::check_cuda(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) * 1e-3;
  }

 private:
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

/// The executor of all benchmarks, and memory that flushes the second-level cache.
struct bench_device {
  miq::cuda_executor exec{nullptr};
  device_array<std::byte> flush{std::int64_t{256} << 20, nullptr};

  static const bench_device& instance() {
    static const bench_device one;
    return one;
  }
};

/// Runs `work(exec)` once to warm up and then timed; `operations` multiply-adds counted twice, `bytes` read and
/// written.
template <class Work>
void measure(benchmark::State& state, double operations, double bytes, const Work& work) {
  try {
    const auto& device = bench_device::instance();
    device_clock clock;
    work(device.exec);
    device.exec.synchronise();
    double total = 0;
    for (auto _ : state) {
      miq::detail::check_cuda(cudaMemsetAsync(device.flush.data(), 0, static_cast<std::size_t>(device.flush.bytes())),
                              "cudaMemsetAsync");
      const double seconds = clock.seconds(device.exec.stream(), [&] { work(device.exec); });
      state.SetIterationTime(seconds);
      total += seconds;
    }
    const double mean = total / static_cast<double>(state.iterations());
    const double floor = std::max(operations / flops, bytes / bandwidth);
    state.counters["floor_share"] = floor / mean;
    if (operations > 0) state.counters["TFLOP/s"] = operations / mean / 1e12;
    if (bytes > 0) state.counters["GB/s"] = bytes / mean / 1e9;
  } catch (const miq::error& e) {
    state.SkipWithError(e.what());
  }
}

/// Prepares on the device and hands over; an error of the preparation is the benchmark's.
template <class Prepare, class Run>
void prepared(benchmark::State& state, const Prepare& prepare, const Run& run) {
  try {
    const auto data = prepare(bench_device::instance().exec);
    run(data);
  } catch (const miq::error& e) {
    state.SkipWithError(e.what());
  }
}

template <class T>
device_matrix<T> there(const miq::cuda_executor& exec, const miq::matrix<T>& from) {
  device_matrix<T> to(from.rows(), from.columns(), exec.stream(), exec.resource());
  miq::copy(exec, from.view(), to.view());
  exec.synchronise();
  return to;
}

miq::matrix<float> random_matrix(std::int64_t rows, std::int64_t columns, double size) {
  miq::random_stream random(1);
  miq::matrix<float> m(rows, columns);
  for (std::int64_t k = 0; k < m.size(); ++k) m.data()[k] = static_cast<float>(size * random.normal());
  return m;
}

/// Channels correlated by 1 / (1 + distance): positive definite by Polya's criterion.
miq::matrix<float> correlated_hessian(std::int64_t columns) {
  miq::matrix<float> h(columns, columns);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) h(i, j) = 2.0F / (1.0F + static_cast<float>(std::abs(i - j)));
  return h;
}

struct layer {
  device_matrix<float> weights, hessian, upper, settled;
  device_matrix<std::uint8_t> codes, kept;
  miq::quantization::device_grid_set grids;
  device_array<std::byte> factor_scratch, sweep_scratch;
  device_array<miq::obs::device_sweep_result> result;

  layer(const miq::cuda_executor& exec, std::int64_t rows, std::int64_t columns)
      : weights(there(exec, random_matrix(rows, columns, 0.02))),
        hessian(there(exec, correlated_hessian(columns))),
        upper(columns, columns, exec.stream()),
        settled(rows, columns, exec.stream()),
        codes(rows, columns, exec.stream()),
        kept(rows, columns, exec.stream()),
        factor_scratch(miq::obs::factor_workspace_bytes(exec, columns), exec.stream()),
        sweep_scratch(miq::obs::sweep_workspace_bytes(exec, rows, columns), exec.stream()),
        result(1, exec.stream()) {
    const std::vector<std::int32_t> labels(static_cast<std::size_t>(columns), 0);
    const std::vector<std::uint8_t> bits{4};
    grids = miq::quantization::fit_grids(exec, weights_view(), labels, bits, {});
    factor(exec);
  }
  miq::matrix_view<const float, device_memory> weights_view() const { return weights.view(); }
  void factor(const miq::cuda_executor& exec) const {
    miq::obs::factor(exec, miq::matrix_view<const float, device_memory>(hessian.view()), upper.view(), {},
                     {factor_scratch.data(), factor_scratch.bytes()});
  }
  void sweep(const miq::cuda_executor& exec) const {
    const auto view = grids.view();
    miq::obs::sweep(exec, {.weights = weights.view(), .upper = upper.view(), .grids = &view},
                    {.weights = settled.view(), .codes = codes.view(), .kept = kept.view(), .row_loss = {}},
                    miq::result_ref<miq::obs::device_sweep_result, device_memory>(result.data()), {},
                    {sweep_scratch.data(), sweep_scratch.bytes()});
  }
};

void solver(benchmark::State& state, bool with_factor, bool with_sweep) {
  const auto rows = state.range(0), columns = state.range(1);
  const auto r = static_cast<double>(rows), c = static_cast<double>(columns);
  const double operations = (with_factor ? 2 * c * c * c / 3 : 0) + (with_sweep ? r * c * c : 0);
  prepared(
      state, [&](const miq::cuda_executor& exec) { return layer(exec, rows, columns); },
      [&](const layer& l) {
        measure(state, operations, 0, [&](const miq::cuda_executor& exec) {
          if (with_factor) l.factor(exec);
          if (with_sweep) l.sweep(exec);
        });
      });
}

void factor(benchmark::State& state) { solver(state, true, false); }
void sweep(benchmark::State& state) { solver(state, false, true); }
void factor_and_sweep(benchmark::State& state) { solver(state, true, true); }

void refit(benchmark::State& state) {
  const auto rows = state.range(0), columns = state.range(1);
  const auto r = static_cast<double>(rows), c = static_cast<double>(columns);
  const miq::obs::refit_options options;
  prepared(
      state,
      [&](const miq::cuda_executor& exec) {
        auto l = std::make_unique<layer>(exec, rows, columns);
        l->sweep(exec);
        return l;
      },
      [&](const std::unique_ptr<layer>& l) {
        measure(state, 2 * (options.iterations + 1) * r * c * c, 0, [&](const miq::cuda_executor& exec) {
          miq::obs::refit(exec,
                          {.target = l->weights.view(),
                           .hessian = l->hessian.view(),
                           .kept = l->kept.view(),
                           .start = l->settled.view()},
                          {.weights = l->settled.view(), .row_loss = {}}, options);
        });
      });
}

struct channels {
  device_matrix<float> covariance, mi, samples;
};

void correlation(benchmark::State& state) {
  const auto columns = state.range(0);
  const auto c = static_cast<double>(columns);
  prepared(
      state,
      [&](const miq::cuda_executor& exec) {
        return channels{
            there(exec, correlated_hessian(columns)), device_matrix<float>(columns, columns, exec.stream()), {}};
      },
      [&](const channels& data) {
        miq::calibration::statistics_view<device_memory> seen;
        seen.tokens = 10000;
        seen.covariance = data.covariance.view();
        measure(state, 0, 6 * c * c,
                [&](const miq::cuda_executor& exec) { miq::information::correlation(exec, seen, data.mi.view()); });
      });
}

void histogram(benchmark::State& state) {
  const auto columns = state.range(0), tokens = state.range(1);
  prepared(
      state,
      [&](const miq::cuda_executor& exec) {
        return channels{
            {}, device_matrix<float>(columns, columns, exec.stream()), there(exec, random_matrix(tokens, columns, 1))};
      },
      [&](const channels& data) {
        measure(state, 0, 0, [&](const miq::cuda_executor& exec) {
          miq::information::histogram(exec, miq::matrix_view<const float, device_memory>(data.samples.view()),
                                      data.mi.view(), {.rule = miq::information::bin_count_rule::fixed, .bins = 16});
        });
      });
}

void spectral(benchmark::State& state) {
  const auto columns = state.range(0);
  prepared(
      state,
      [&](const miq::cuda_executor& exec) {
        auto affinity = correlated_hessian(columns);
        for (std::int64_t c = 0; c < columns; ++c) affinity(c, c) = 0;
        return channels{there(exec, affinity), {}, {}};
      },
      [&](const channels& data) {
        measure(state, 0, 0, [&](const miq::cuda_executor& exec) {
          miq::grouping::spectral(exec, miq::matrix_view<const float, device_memory>(data.covariance.view()),
                                  {.groups = 32});
        });
      });
}

void layers(benchmark::internal::Benchmark* b) {
  b->ArgNames({"rows", "columns"})->Args({4096, 4096})->Args({5120, 5120})->Args({13824, 5120})->Args({5120, 13824});
  b->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(5);
}
BENCHMARK(factor)->Apply(layers);
BENCHMARK(sweep)->Apply(layers);
BENCHMARK(factor_and_sweep)->Apply(layers);
BENCHMARK(refit)
    ->ArgNames({"rows", "columns"})
    ->Args({4096, 4096})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3);
BENCHMARK(correlation)->ArgName("channels")->Arg(4096)->Arg(13824)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(histogram)
    ->ArgNames({"channels", "tokens"})
    ->Args({4096, 10000})
    ->Args({13824, 10000})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(2);
BENCHMARK(spectral)
    ->ArgName("channels")
    ->Arg(4096)
    ->Arg(13824)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(2);

}  // namespace

BENCHMARK_MAIN();
