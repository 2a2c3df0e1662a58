// Statistics of activations.
#include "device_bench.hpp"

namespace miq_bench {
namespace {

/// One batch into an accumulator that has seen others.
template <class T>
void accumulate(benchmark::State& state) {
  const auto columns = state.range(0), tokens = state.range(1);
  const auto batch = there(correlated_tokens<T>(tokens, columns));
  miq::calibration::device_accumulator seen(exec(), columns);
  const auto scratch = there<std::byte>(miq::calibration::accumulator_workspace_bytes(columns));
  const auto c = static_cast<double>(columns), t = static_cast<double>(tokens);
  measure(state, {.operations = t * c * c, .bytes = t * c * sizeof(T)},
          [&] { seen.add(exec(), read(batch), all_of(scratch)); });
}

void cross_moments(benchmark::State& state) {
  const auto columns = state.range(0), tokens = state.range(1);
  const auto batch = there(correlated_tokens(tokens, columns));
  miq::calibration::device_cross_moments seen(exec(), columns, columns);
  const auto scratch = there<std::byte>(miq::calibration::cross_moments_workspace_bytes(columns, columns));
  const auto c = static_cast<double>(columns), t = static_cast<double>(tokens);
  measure(state, {.operations = 2 * t * c * c, .bytes = 8 * t * c},
          [&] { seen.add(exec(), read(batch), read(batch), all_of(scratch)); });
}

}  // namespace

void add_calibration(const sizes& size) {
  const std::vector<std::int64_t> batch{size(4096, 40), size(8192, 70)};
  const std::vector<std::string> names{"channels", "tokens"};
  add("accumulate<float>", size, 5, accumulate<float>)->ArgNames(names)->Args(batch);
  add("accumulate<float16>", size, 5, accumulate<miq::float16>)->ArgNames(names)->Args(batch);
  add("accumulate<bfloat16>", size, 5, accumulate<miq::bfloat16>)
      ->ArgNames(names)
      ->Args(batch)
      ->Args({size(13824, 41), size(2048, 30)});
  add("cross_moments", size, 5, cross_moments)->ArgNames(names)->Args(batch);
}

}  // namespace miq_bench
