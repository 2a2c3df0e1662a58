// Times of packing codes, all of them and kept ones only, beside a copy of the same bytes. Bytes per second are those
// of the unpacked codes (one byte each). MIQ_BENCH_THREADS sets the threads (default 2).
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <miq/core/random.hpp>
#include <miq/quantization/packed_layer.hpp>
#include <miq/quantization/packing.hpp>

namespace {

using namespace miq::quantization;

constexpr std::int64_t count = 4096 * 4096;

const miq::host_executor& exec() {
  static const miq::host_executor instance([] {
    const char* given = std::getenv("MIQ_BENCH_THREADS");
    return miq::host_executor_options{.threads = given != nullptr ? std::max(1, std::atoi(given)) : 2};
  }());
  return instance;
}

std::vector<std::uint8_t> random_codes(int bits) {
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(count));
  miq::random_stream random(1);
  for (auto& one : codes) one = static_cast<std::uint8_t>(random.below(std::uint64_t{1} << bits));
  return codes;
}

void label(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * count);
  state.SetLabel(std::string(miq::instruction_set_name()) + ", threads " + std::to_string(exec().threads()));
}

void copy(benchmark::State& state) {
  const auto codes = random_codes(8);
  std::vector<std::uint8_t> target(codes.size());
  for (auto _ : state) {
    std::memcpy(target.data(), codes.data(), codes.size());
    benchmark::DoNotOptimize(target.data());
    benchmark::ClobberMemory();
  }
  label(state);
}

void pack(benchmark::State& state) {
  const auto bits = static_cast<int>(state.range(0));
  const auto codes = random_codes(bits);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(packed_words(count, bits)));
  for (auto _ : state) {
    pack_codes(exec(), codes, bits, words);
    benchmark::ClobberMemory();
  }
  label(state);
}

void unpack(benchmark::State& state) {
  const auto bits = static_cast<int>(state.range(0));
  auto codes = random_codes(bits);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(packed_words(count, bits)));
  pack_codes(exec(), codes, bits, words);
  for (auto _ : state) {
    unpack_codes(exec(), words, bits, codes);
    benchmark::ClobberMemory();
  }
  label(state);
}

void pack_kept(benchmark::State& state) {
  const auto bits = static_cast<int>(state.range(0));
  const auto codes = random_codes(bits);
  const auto kept = random_codes(1);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(packed_words(count_kept(kept), bits)));
  for (auto _ : state) {
    pack_kept_codes(exec(), codes, kept, bits, words);
    benchmark::ClobberMemory();
  }
  label(state);
}

void unpack_kept(benchmark::State& state) {
  const auto bits = static_cast<int>(state.range(0));
  auto codes = random_codes(bits);
  const auto kept = random_codes(1);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(packed_words(count_kept(kept), bits)));
  pack_kept_codes(exec(), codes, kept, bits, words);
  for (auto _ : state) {
    unpack_kept_codes(exec(), words, kept, bits, codes);
    benchmark::ClobberMemory();
  }
  label(state);
}

/// A layer of 4096 x 4096 at 50 % sparsity and 4 bits, in one group or in eight, for the packed file.
struct layer {
  miq::matrix<std::uint8_t> codes{4096, 4096};
  miq::matrix<std::uint8_t> kept{4096, 4096};
  std::vector<std::int32_t> labels;
  grid_set grids;
  std::int64_t groups;

  explicit layer(std::int64_t group_count) : groups(group_count) {
    miq::random_stream random(2);
    for (std::int64_t i = 0; i < codes.size(); ++i) {
      codes.data()[i] = static_cast<std::uint8_t>(random.below(16));
      kept.data()[i] = static_cast<std::uint8_t>(random.below(2));
    }
    for (int c = 0; c < 4096; ++c)
      labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(groups))));
    grids.scale = miq::matrix<float>(4096, groups, 0.25F);
    grids.zero = miq::matrix<float>(4096, groups, 7.0F);
    grids.bits.assign(static_cast<std::size_t>(groups), 4);
    grids.column_grid = labels;
  }
  packed_layer_source source() const { return {codes.view(), kept.view(), grids, labels, groups}; }
};

void pack_file(benchmark::State& state) {
  const layer one(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(pack_layer(exec(), one.source()));
  label(state);
}

void read_file(benchmark::State& state) {
  const auto bytes = pack_layer(exec(), layer(state.range(0)).source());
  for (auto _ : state) benchmark::DoNotOptimize(packed_layer_view(bytes).payload_bits());
  label(state);
}

void unpack_file(benchmark::State& state) {
  const auto bytes = pack_layer(exec(), layer(state.range(0)).source());
  const packed_layer_view view(bytes);
  miq::matrix<float> weights(4096, 4096);
  for (auto _ : state) {
    unpack_layer(exec(), view, weights.view());
    benchmark::ClobberMemory();
  }
  label(state);
}

BENCHMARK(copy)->Name("memcpy")->UseRealTime();
BENCHMARK(pack)->Name("pack_codes/bits")->DenseRange(1, 8)->UseRealTime();
BENCHMARK(unpack)->Name("unpack_codes/bits")->DenseRange(1, 8)->UseRealTime();
BENCHMARK(pack_kept)->Name("pack_kept_codes/half/bits")->DenseRange(2, 4)->UseRealTime();
BENCHMARK(unpack_kept)->Name("unpack_kept_codes/half/bits")->DenseRange(2, 4)->UseRealTime();
BENCHMARK(pack_file)->Name("pack_layer/4096x4096/half/groups")->Arg(1)->Arg(8)->UseRealTime();
BENCHMARK(read_file)->Name("packed_layer_view/4096x4096/half/groups")->Arg(1)->Arg(8)->UseRealTime();
BENCHMARK(unpack_file)->Name("unpack_layer/4096x4096/half/groups")->Arg(1)->Arg(8)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
