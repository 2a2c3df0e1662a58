// Information of all pairs of channels.
#include "device_bench.hpp"

namespace miq_bench {
namespace {

namespace information = miq::information;

double square(std::int64_t channels) { return static_cast<double>(channels) * static_cast<double>(channels); }
void count_pairs(benchmark::State& state, std::int64_t channels, double seconds) {
  state.counters["pairs/s"] = square(channels) / 2 / seconds;
}

/// What an estimator from samples takes and gives, for all pairs.
template <class Result>
struct all_pairs {
  all_pairs(const miq::matrix<float>& tokens, std::int64_t scratch_bytes)
      : samples(there(tokens)),
        mi(there<float>(tokens.columns(), tokens.columns())),
        result(1, exec().stream()),
        scratch(scratch_bytes, exec().stream()) {}

  device_matrix<float> samples, mi;
  device_array<Result> result;
  device_array<std::byte> scratch;
};

/// Reads half of the covariance and writes the whole result.
void correlation(benchmark::State& state) {
  const auto channels = state.range(0);
  const auto covariance = there(decaying_matrix(channels, 2));
  const auto mi = there<float>(channels, channels);
  const auto result = there<information::correlation_result>(1);
  miq::calibration::statistics_view<device_memory> seen;
  seen.tokens = 10000;
  seen.covariance = covariance.view();
  measure(state, {.bytes = 6 * square(channels)},
          [&] { information::correlation(exec(), seen, mi.view(), ref(result)); });
}

void rank_correlation(benchmark::State& state) {
  const auto channels = state.range(0), tokens = state.range(1);
  const all_pairs<information::rank_correlation_result> of(
      correlated_tokens(tokens, channels), information::rank_correlation_workspace_bytes(tokens, channels));
  measure(state, {.operations = static_cast<double>(tokens) * square(channels), .bytes = 4 * square(channels)}, [&] {
    information::rank_correlation(exec(), read(of.samples), of.mi.view(), ref(of.result), {}, all_of(of.scratch));
  });
}

/// The floor is that of the product of one-hot codes.
void histogram(benchmark::State& state) {
  const auto channels = state.range(0), tokens = state.range(1);
  const information::histogram_options options{.bins = 16};
  const all_pairs<information::histogram_result> of(correlated_tokens(tokens, channels),
                                                    information::histogram_workspace_bytes(tokens, channels, options));
  const double operations = static_cast<double>(tokens) * square(channels * options.bins);
  const auto seconds = measure(state, {.bytes = 4 * square(channels), .byte_operations = operations}, [&] {
    information::histogram(exec(), read(of.samples), of.mi.view(), ref(of.result), options, all_of(of.scratch));
  });
  count_pairs(state, channels, seconds);
}

/// How much work there is depends on the values: no floor.
void knn(benchmark::State& state, const miq::matrix<float>& tokens_by_channel) {
  const auto channels = tokens_by_channel.columns(), tokens = tokens_by_channel.rows();
  const all_pairs<information::knn_result> of(tokens_by_channel, information::knn_workspace_bytes(tokens, channels));
  const auto seconds = measure(state, {}, [&] {
    information::knn(exec(), read(of.samples), of.mi.view(), ref(of.result), {}, all_of(of.scratch));
  });
  count_pairs(state, channels, seconds);
}

/// Half of the tokens are 0, as after a rectifier.
miq::matrix<float> rectified_tokens(std::int64_t tokens, std::int64_t channels) {
  auto x = correlated_tokens(tokens, channels);
  for (std::int64_t k = 0; k < x.size(); ++k) x.data()[k] = std::max(0.0F, x.data()[k]);
  return x;
}

/// A kernel at every pair of tokens for every pair of channels is one multiply-add at least.
void kde(benchmark::State& state) {
  const auto channels = state.range(0), tokens = state.range(1);
  const all_pairs<information::kde_result> of(correlated_tokens(tokens, channels),
                                              information::kde_workspace_bytes(tokens, channels));
  const double operations = static_cast<double>(tokens) * static_cast<double>(tokens) * square(channels);
  const auto seconds = measure(state, {.operations = operations}, [&] {
    information::kde(exec(), read(of.samples), of.mi.view(), ref(of.result), {}, all_of(of.scratch));
  });
  count_pairs(state, channels, seconds);
}

void affinity(benchmark::State& state) {
  const auto channels = state.range(0);
  const auto mi = there(decaying_matrix(channels, 2));
  const auto out = there<float>(channels, channels);
  const auto result = there<information::affinity_result>(1);
  measure(state, {.bytes = 6 * square(channels)},
          [&] { information::affinity(exec(), read(mi), out.view(), ref(result)); });
}

}  // namespace

void add_information(const sizes& size) {
  const std::vector<std::string> sampled{"channels", "tokens"};
  add("correlation", size, 10, correlation)->ArgName("channels")->Arg(size(4096, 40))->Arg(size(13824, 70));
  add("affinity", size, 10, affinity)->ArgName("channels")->Arg(size(4096, 40))->Arg(size(13824, 70));
  add("rank_correlation", size, 3, rank_correlation)->ArgNames(sampled)->Args({size(4096, 40), size(8192, 90)});
  add("histogram", size, 2, histogram)
      ->ArgNames(sampled)
      ->Args({size(4096, 40), size(10000, 90)})
      ->Args({size(13824, 70), size(10000, 90)});
  add("knn", size, 2, [](benchmark::State& state) { knn(state, correlated_tokens(state.range(1), state.range(0))); })
      ->ArgNames(sampled)
      ->Args({size(512, 12), size(2048, 90)});
  add("knn/rectified", size, 2,
      [](benchmark::State& state) { knn(state, rectified_tokens(state.range(1), state.range(0))); })
      ->ArgNames(sampled)
      ->Args({size(512, 12), size(2048, 90)});
  add("kde", size, 2, kde)->ArgNames(sampled)->Args({size(512, 12), size(2048, 90)});
}

}  // namespace miq_bench
