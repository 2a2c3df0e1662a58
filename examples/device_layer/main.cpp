// A layer that lies in device memory, compressed there on the caller's stream, with the caller's allocator: what an
// engine does. Plain C++; miq's kernels come from miq::cuda_precompiled.
#include <cstdio>

#include <miq/core/random.hpp>
#include <miq/cuda.hpp>

#include "caching_memory.hpp"

namespace {

using miq::device_memory;

/// A CUDA stream for the scope's duration.
class stream {
 public:
  stream() { miq::check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  ~stream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

void run() {
  constexpr std::int64_t tokens = 4096;
  constexpr std::int64_t rows = 256;
  constexpr std::int64_t columns = 512;
  // An engine has activations and weights on the device already. Here they are made on the host: every fourth channel
  // repeats one signal.
  miq::matrix<miq::bfloat16> activations(tokens, columns), weights(rows, columns);
  miq::random_stream random(1);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double signal = random.normal();
    for (std::int64_t c = 0; c < columns; ++c)
      activations(t, c) =
          miq::bfloat16(static_cast<float>(c % 4 == 0 ? signal + 0.1 * random.normal() : random.normal()));
  }
  for (std::int64_t k = 0; k < weights.size(); ++k)
    weights.data()[k] = miq::bfloat16(static_cast<float>(random.normal()));

  const stream mine;
  caching_memory memory;  // outlives everything that takes memory from it
  const miq::cuda_executor exec(mine.get(), {.resource = &memory});
  const miq::device_matrix<miq::bfloat16> x(tokens, columns, exec.stream(), memory),
      w(rows, columns, exec.stream(), memory);
  miq::copy(exec, miq::matrix_view<const miq::bfloat16>(activations.view()), x.view());
  miq::copy(exec, miq::matrix_view<const miq::bfloat16>(weights.view()), w.view());

  // From here on everything is in device memory and in the order of the stream.
  miq::calibration::device_accumulator seen(exec, columns);
  seen.add(exec, miq::matrix_view<const miq::bfloat16, device_memory>(x.view()));  // as often as there are batches
  const auto statistics = seen.finish(exec);
  const auto options = miq::mi_options(0.5, 4.0);
  const auto shared = miq::prepare(exec, statistics.view(), options);  // once for all layers with this input
  const auto layer = miq::compress(exec, w, statistics.view(), shared, options);

  const auto& storage = layer.report.storage;
  std::printf("sparsity %.2f, %.3f bits per weight stored, loss %.1f\n", storage.sparsity(),
              storage.bits_per_weight_stored(), layer.report.loss);
  for (std::size_t g = 0; g < layer.bits.size(); ++g)
    std::printf("group %zu: %lld columns at %d bits, MI within %.3f nats, to others %.3f\n", g,
                static_cast<long long>(layer.report.groups[g].columns), layer.bits[g], layer.report.groups[g].mi_within,
                layer.report.groups[g].mi_between);
  std::printf("device memory: %lld requests, %lld allocations, %.1f MB\n", static_cast<long long>(memory.requests()),
              static_cast<long long>(memory.allocations()), static_cast<double>(memory.bytes()) / 1e6);
  exec.synchronise();
}

}  // namespace

int main() {
  try {
    run();
    return 0;
  } catch (const miq::error& e) {
    std::fprintf(stderr, "device_layer: %s\n", e.what());
    return 1;
  }
}
