// One decoder layer of a model of 13 billion parameters: all that is done from its statistics on.
#include "device_bench.hpp"

namespace miq_bench {
namespace {

/// Matrices that share an input: how many, and the rows of each.
struct input {
  std::int64_t columns;
  int matrices;
  std::int64_t rows;
};

/// Multiply-adds, counted twice, of `prepare` and `compress`: factor, sweep, and where the options ask for them a
/// pruning sweep, the search for the mask, and refitting.
double operations_of(const input& in, const miq::compress_options& options) {
  const auto c = static_cast<double>(in.columns), r = static_cast<double>(in.rows);
  const double factor = 2 * c * c * c / 3, product = 2 * r * c * c, sweep = product / 2;
  double each = sweep;
  if (options.timing == miq::mask_timing::before_sweep) {
    each += sweep;
    if (options.method == miq::mask_method::search)
      each += options.search.levels * (factor + options.search.iterations * product);
    if (options.refit_iterations > 0) each += (options.refit_iterations + 1) * product;
  }
  return factor + in.matrices * each;
}

/// LLaMA's decoder layer: q, k and v; output; gate and up; down.
void decoder_layer(benchmark::State& state, const miq::compress_options& options) {
  const auto width = state.range(0), inner = state.range(1), tokens = state.range(2);
  const std::vector<input> inputs{{width, 3, width}, {width, 1, width}, {width, 2, inner}, {inner, 1, width}};
  const auto statistics_of = [&](std::int64_t columns) {
    const auto batch = there(correlated_tokens(tokens, columns));
    miq::calibration::device_accumulator seen(exec(), columns);
    seen.add(exec(), read(batch));
    return seen.finish(exec());
  };
  // The three inputs of the model's width have statistics, and the matrices weights, of the same size and kind.
  const auto narrow = statistics_of(width), wide = statistics_of(inner);
  const auto square = there(random_matrix<miq::bfloat16>(width, width, 0.02));
  const auto up = there(random_matrix<miq::bfloat16>(inner, width, 0.02));
  const auto down = there(random_matrix<miq::bfloat16>(width, inner, 0.02));
  double operations = 0;
  for (const auto& in : inputs) operations += operations_of(in, options);
  const auto seconds = measure(state, {.operations = operations}, [&] {
    for (const auto& in : inputs) {
      const auto seen = (in.columns == width ? narrow : wide).view();
      const auto& weights = in.columns != width ? down : in.rows == width ? square : up;
      const auto shared = miq::prepare(exec(), seen, options);
      for (int k = 0; k < in.matrices; ++k)
        benchmark::DoNotOptimize(miq::compress(exec(), read(weights), seen, shared, options).report.loss);
    }
  });
  state.counters["40_layers_s"] = 40 * seconds;
}

}  // namespace

void add_compress(const sizes& size) {
  const auto add_method = [&](const char* name, const miq::compress_options& options) {
    add(name, size, 1, [options](benchmark::State& state) { decoder_layer(state, options); })
        ->ArgNames({"width", "inner", "tokens"})
        ->Args({size(5120, 40), size(13824, 70), size(16384, 200)});
  };
  add_method("decoder_layer/sparsegpt", miq::sparsegpt_options(0.5, 4));
  add_method("decoder_layer/mi", miq::mi_options(0.5, 4));
}

}  // namespace miq_bench
