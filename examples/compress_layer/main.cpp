// The whole of miq on one layer: calibrate, compress, look at what came out.
#include <cstdio>

#include <miq/calibration/accumulator.hpp>
#include <miq/compress.hpp>
#include <miq/core/random.hpp>

int main() {
  // Stands for an engine's layer: 256 outputs, 512 inputs, in which every fourth channel repeats one signal.
  constexpr std::int64_t tokens = 4096;
  constexpr std::int64_t rows = 256;
  constexpr std::int64_t columns = 512;
  miq::matrix<float> activations(tokens, columns);
  miq::matrix<float> weights(rows, columns);
  miq::random_stream random(1);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double signal = random.normal();
    for (std::int64_t c = 0; c < columns; ++c)
      activations(t, c) = static_cast<float>(c % 4 == 0 ? signal + 0.1 * random.normal() : random.normal());
  }
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) weights(r, c) = static_cast<float>(random.normal());

  const miq::host_executor exec;
  miq::calibration::accumulator seen(columns);
  seen.add(exec, activations.view());  // as often as there are batches
  const auto options = miq::mi_options(0.5, 4.0);
  const auto layer = miq::compress(exec, weights.view(), seen.finish(exec).view(), options);

  const auto& storage = layer.report.storage;
  std::printf("sparsity %.2f, %.3f bits per weight stored (uniform 4 bits would store %.3f), loss %.1f\n",
              storage.sparsity(), storage.bits_per_weight_stored(),
              layer.report.budget_bits / static_cast<double>(rows * columns), layer.report.loss);
  for (std::size_t g = 0; g < layer.bits.size(); ++g)
    std::printf("group %zu: %lld columns at %d bits, MI within %.3f nats, to others %.3f\n", g,
                static_cast<long long>(layer.report.groups[g].columns), layer.bits[g], layer.report.groups[g].mi_within,
                layer.report.groups[g].mi_between);
}
