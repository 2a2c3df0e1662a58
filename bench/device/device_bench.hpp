// What the benchmarks of device functions share: a clock on the stream, floors, and data.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <device_layer/caching_memory.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/cuda.hpp>

namespace miq_bench {

using miq::cuda_executor;
using miq::device_array;
using miq::device_matrix;
using miq::device_memory;
using miq::matrix_view;

/// What a benchmark cannot do without: its floor is the longest of the three on an H200.
struct cost {
  double operations = 0;       ///< in float, a multiply-add counted twice
  double bytes = 0;            ///< read and written
  double byte_operations = 0;  ///< on integers of 8 bits
};
constexpr double operations_a_second = 67e12;         // of an H200, in float, no tensor cores
constexpr double bytes_a_second = 4.8e12;             // of its memory
constexpr double byte_operations_a_second = 1979e12;  // of its tensor cores, dense

/// The sizes that the benchmarks run at: those of layers, or `--small` ones that only show that they run.
struct sizes {
  bool small = false;

  std::int64_t operator()(std::int64_t full, std::int64_t otherwise) const { return small ? otherwise : full; }
};

void add_ceilings(const sizes& size);
void add_calibration(const sizes& size);
void add_information(const sizes& size);
void add_grouping(const sizes& size);
void add_quantization(const sizes& size);
void add_obs(const sizes& size);
void add_compress(const sizes& size);

/// Adds a benchmark; `run(state)` calls `measure`. What it throws is the benchmark's error.
template <class Run>
benchmark::internal::Benchmark* add(const std::string& name, const sizes& size, std::int64_t iterations,
                                    const Run& run) {
  const auto guarded = [run](benchmark::State& state) {
    try {
      run(state);
    } catch (const std::exception& e) {
      state.SkipWithError(e.what());
    }
  };
  return benchmark::RegisterBenchmark(name.c_str(), guarded)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(size(iterations, 1));
}

/// Times what is enqueued on a stream.
class device_clock {
 public:
  device_clock() {
    miq::check_cuda(cudaEventCreate(&begin_), "cudaEventCreate");
    miq::check_cuda(cudaEventCreate(&end_), "cudaEventCreate");
  }
  device_clock(const device_clock&) = delete;
  device_clock& operator=(const device_clock&) = delete;
  ~device_clock() {
    static_cast<void>(cudaEventDestroy(begin_));
    static_cast<void>(cudaEventDestroy(end_));
  }
  template <class Work>
  double seconds(cudaStream_t stream, const Work& work) {
    miq::check_cuda(cudaEventRecord(begin_, stream), "cudaEventRecord");
    work();
    miq::check_cuda(cudaEventRecord(end_, stream), "cudaEventRecord");
    miq::check_cuda(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float milliseconds = 0;
    miq::check_cuda(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) * 1e-3;
  }

 private:
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

/// The executor of all benchmarks, with the memory of an engine, which keeps what was given back; and what flushes the
/// second-level cache. Never destroyed: the runtime may be gone before it.
struct bench_device {
  caching_memory memory;
  cuda_executor exec{nullptr, {.resource = &memory}};
  device_array<std::byte> flush{std::int64_t{256} << 20, nullptr};

  static bench_device& instance() {
    static bench_device* const one = new bench_device;
    return *one;
  }
};
inline const cuda_executor& exec() { return bench_device::instance().exec; }

/// Runs `work()` once to warm up and then timed, from a flushed cache. Returns the mean in seconds.
template <class Work>
double measure(benchmark::State& state, const cost& least, const Work& work) {
  const auto& device = bench_device::instance();
  device_clock clock;
  work();
  device.exec.synchronise();
  double total = 0;
  for (auto _ : state) {
    miq::check_cuda(
        cudaMemsetAsync(device.flush.data(), 0, static_cast<std::size_t>(device.flush.bytes()), device.exec.stream()),
        "cudaMemsetAsync");
    const double seconds = clock.seconds(device.exec.stream(), work);
    state.SetIterationTime(seconds);
    total += seconds;
  }
  const double mean = total / static_cast<double>(std::max<benchmark::IterationCount>(1, state.iterations()));
  const double floor = std::max({least.operations / operations_a_second, least.bytes / bytes_a_second,
                                 least.byte_operations / byte_operations_a_second});
  if (floor > 0) state.counters["floor_share"] = floor / mean;
  if (least.operations > 0) state.counters["TFLOP/s"] = least.operations / mean / 1e12;
  if (least.byte_operations > 0) state.counters["TOP/s"] = least.byte_operations / mean / 1e12;
  if (least.bytes > 0) state.counters["GB/s"] = least.bytes / mean / 1e9;
  return mean;
}

/// For functions that take a workspace and leave their result on the device.
template <class T>
miq::result_ref<T, device_memory> ref(const device_array<T>& one) {
  return miq::result_ref<T, device_memory>(one.data());
}
inline miq::device_workspace all_of(const device_array<std::byte>& memory) { return {memory.data(), memory.bytes()}; }
template <class T>
device_matrix<T> there(std::int64_t rows, std::int64_t columns) {
  return device_matrix<T>(rows, columns, exec().stream());
}
template <class T>
device_array<T> there(std::int64_t size) {
  return device_array<T>(size, exec().stream());
}
template <class T>
device_matrix<T> there(const miq::matrix<T>& from) {
  auto to = there<T>(from.rows(), from.columns());
  miq::copy(exec(), from.view(), to.view());
  exec().synchronise();
  return to;
}
template <class T>
matrix_view<const T, device_memory> read(const device_matrix<T>& from) {
  return from.view();
}

/// Grids of 4 bits for neighbours in groups, and what fitting them takes.
struct fitted_grids {
  fitted_grids(std::int64_t rows, std::int64_t columns, std::int64_t groups,
               const miq::quantization::fit_options& how = {})
      : options(how),
        grids(exec(), rows,
              miq::quantization::device_column_groups(
                  exec(), miq::grouping::partition::contiguous(columns, groups).labels(),
                  std::vector<std::uint8_t>(static_cast<std::size_t>(groups), std::uint8_t{4})),
              options),
        result(1, exec().stream()),
        scratch(miq::quantization::fit_grids_workspace_bytes(rows, grids.groups(), options), exec().stream()) {}

  void fit(const device_matrix<float>& weights) {
    miq::quantization::fit_grids_into<float>(exec(), read(weights), grids.groups(), grids.outputs(), ref(result),
                                             options, {}, {}, all_of(scratch));
  }

  miq::quantization::fit_options options;
  miq::quantization::device_grid_set grids;
  device_array<miq::quantization::fit_result> result;
  device_array<std::byte> scratch;
};

inline const miq::host_executor& host() {
  static const miq::host_executor one;
  return one;
}

template <class T = float>
miq::matrix<T> random_matrix(std::int64_t rows, std::int64_t columns, double size) {
  miq::matrix<T> m(rows, columns);
  host().parallel_for(rows, [&](std::int64_t r) {
    miq::random_stream random(miq::random_hash(1, static_cast<std::uint64_t>(r)));
    for (std::int64_t c = 0; c < columns; ++c) m(r, c) = static_cast<T>(static_cast<float>(size * random.normal()));
  });
  return m;
}

/// Each channel is half the one before it and half its own.
template <class T = float>
miq::matrix<T> correlated_tokens(std::int64_t tokens, std::int64_t channels) {
  miq::matrix<T> x(tokens, channels);
  host().parallel_for(tokens, [&](std::int64_t t) {
    miq::random_stream random(miq::random_hash(2, static_cast<std::uint64_t>(t)));
    double before = 0;
    for (std::int64_t c = 0; c < channels; ++c) {
      before = 0.5 * before + 0.5 * random.normal();
      x(t, c) = static_cast<T>(static_cast<float>(before));
    }
  });
  return x;
}

/// 1 / (1 + distance) between channels: positive definite by Polya's criterion; zeros on the diagonal for an affinity.
inline miq::matrix<float> decaying_matrix(std::int64_t channels, float diagonal) {
  miq::matrix<float> m(channels, channels);
  host().parallel_for(channels, [&](std::int64_t i) {
    for (std::int64_t j = 0; j < channels; ++j)
      m(i, j) = i == j ? diagonal : 1.0F / (1.0F + static_cast<float>(std::max(i - j, j - i)));
  });
  return m;
}

}  // namespace miq_bench
