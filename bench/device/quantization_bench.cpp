// Grids, codes and packing.
#include "device_bench.hpp"

namespace miq_bench {
namespace {

namespace quantization = miq::quantization;
using quantization::fit_options;
using quantization::range_rule;

/// Weights of 4 bits in groups of 128 neighbours, as the common formats have them.
struct layer {
  layer(std::int64_t rows, std::int64_t columns, const fit_options& options)
      : weights(there(random_matrix(rows, columns, 0.02))),
        codes(there<std::uint8_t>(rows, columns)),
        grids(rows, columns, std::max<std::int64_t>(1, columns / 128), options) {}

  void fit() { grids.fit(weights); }
  auto view() const { return grids.grids.view(); }

  device_matrix<float> weights;
  device_matrix<std::uint8_t> codes;
  fitted_grids grids;
};

double elements(const benchmark::State& state) {
  return static_cast<double>(state.range(0)) * static_cast<double>(state.range(1));
}

/// One read of the weights; the search for clipped ranges is arithmetic beyond that floor.
void fit(benchmark::State& state, const fit_options& options) {
  layer of(state.range(0), state.range(1), options);
  measure(state, {.bytes = 4 * elements(state)}, [&] { of.fit(); });
}

/// What rate and distortion ask: the errors of grids of every width, for each group. One read of the weights, as above.
void grid_errors(benchmark::State& state) {
  const fit_options options = miq::mi_options(0.5, 4).fit;
  layer of(state.range(0), state.range(1), options);
  const std::vector<std::uint8_t> widths{2, 3, 4, 5, 6, 7, 8};
  const auto errors = there<double>(of.grids.grids.groups().groups(), static_cast<std::int64_t>(widths.size()));
  const auto result = there<quantization::grid_errors_result>(1);
  const auto scratch =
      there<std::byte>(quantization::grid_errors_workspace_bytes(state.range(0), of.grids.grids.groups(), options));
  measure(state, {.bytes = 4 * elements(state)}, [&] {
    quantization::grid_errors_into<float>(exec(), read(of.weights), of.grids.grids.groups(), widths, errors.view(),
                                          ref(result), options, {}, {}, all_of(scratch));
  });
}

void quantise(benchmark::State& state) {
  layer of(state.range(0), state.range(1), {});
  of.fit();
  const auto result = there<quantization::quantise_result>(1);
  measure(state, {.bytes = 5 * elements(state)},
          [&] { quantization::quantise(exec(), read(of.weights), of.view(), of.codes.view(), ref(result)); });
}

void dequantise(benchmark::State& state) {
  layer of(state.range(0), state.range(1), {});
  of.fit();
  const auto result = there<quantization::quantise_result>(1);
  quantization::quantise(exec(), read(of.weights), of.view(), of.codes.view(), ref(result));
  measure(state, {.bytes = 5 * elements(state)},
          [&] { quantization::dequantise(exec(), read(of.codes), of.view(), of.weights.view()); });
}

/// Codes below 16, and a mask that keeps every other one.
struct code_row {
  explicit code_row(std::int64_t count)
      : codes(there<std::uint8_t>(count)), kept(there<std::uint8_t>(count)), result(1, exec().stream()) {
    std::vector<std::uint8_t> values(static_cast<std::size_t>(count)), mask(values.size());
    for (std::size_t k = 0; k < values.size(); ++k) {
      values[k] = static_cast<std::uint8_t>(k * 7 % 16);
      mask[k] = static_cast<std::uint8_t>(k % 2);
    }
    miq::copy(exec(), miq::vector_view<const std::uint8_t>(values), codes.view());
    miq::copy(exec(), miq::vector_view<const std::uint8_t>(mask), kept.view());
    exec().synchronise();
  }
  device_array<std::uint8_t> codes, kept;
  device_array<quantization::packing_result> result;
};

void pack_codes(benchmark::State& state) {
  const auto count = state.range(0) * state.range(1);
  const code_row row(count);
  const auto words = there<std::uint32_t>(quantization::packed_words(count, 4));
  measure(state, {.bytes = 1.5 * elements(state)},
          [&] { quantization::pack_codes(exec(), row.codes.view(), 4, words.view(), ref(row.result)); });
}

void unpack_codes(benchmark::State& state) {
  const auto count = state.range(0) * state.range(1);
  const code_row row(count);
  const auto words = there<std::uint32_t>(quantization::packed_words(count, 4));
  quantization::pack_codes(exec(), row.codes.view(), 4, words.view(), ref(row.result));
  measure(state, {.bytes = 1.5 * elements(state)},
          [&] { quantization::unpack_codes(exec(), words.view(), 4, row.codes.view()); });
}

void pack_kept_codes(benchmark::State& state) {
  const auto count = state.range(0) * state.range(1);
  const code_row row(count);
  const auto words = there<std::uint32_t>(quantization::packed_words(count / 2, 4));
  const auto scratch = there<std::byte>(quantization::kept_codes_workspace_bytes(count));
  measure(state, {.bytes = 2.25 * elements(state)}, [&] {
    quantization::pack_kept_codes(exec(), row.codes.view(), row.kept.view(), 4, words.view(), ref(row.result),
                                  all_of(scratch));
  });
}

void unpack_kept_codes(benchmark::State& state) {
  const auto count = state.range(0) * state.range(1);
  const code_row row(count);
  const auto words = there<std::uint32_t>(quantization::packed_words(count / 2, 4));
  const auto scratch = there<std::byte>(quantization::kept_codes_workspace_bytes(count));
  quantization::pack_kept_codes(exec(), row.codes.view(), row.kept.view(), 4, words.view(), ref(row.result),
                                all_of(scratch));
  measure(state, {.bytes = 2.25 * elements(state)}, [&] {
    quantization::unpack_kept_codes(exec(), words.view(), row.kept.view(), 4, row.codes.view(), ref(row.result),
                                    all_of(scratch));
  });
}

void column_sums(benchmark::State& state) {
  const auto rows = state.range(0), columns = state.range(1);
  const auto weights = there(random_matrix(rows, columns, 0.02));
  const auto kept = there<double>(columns), squares = there<double>(columns);
  const auto result = there<miq::allocation::column_sums_result>(1);
  const auto scratch = there<std::byte>(miq::allocation::column_sums_workspace_bytes(rows, columns));
  measure(state, {.bytes = 4 * elements(state)}, [&] {
    miq::allocation::column_sums(exec(), read(weights), {.kept = kept.view(), .squares = squares.view()}, ref(result),
                                 {}, all_of(scratch));
  });
}

}  // namespace

void add_quantization(const sizes& size) {
  const std::vector<std::string> names{"rows", "columns"};
  const std::vector<std::int64_t> layer{size(4096, 40), size(4096, 270)};
  const auto add_fit = [&](const char* name, const fit_options& options) {
    add(name, size, 5, [options](benchmark::State& state) { fit(state, options); })->ArgNames(names)->Args(layer);
  };
  add_fit("fit_grids/min_max", {});
  add_fit("fit_grids/clip_search", {.range = range_rule::clip_search});
  add_fit("fit_grids/rank_one", miq::mi_options(0.5, 4).fit);
  add("grid_errors", size, 5, grid_errors)->ArgNames(names)->Args(layer);
  add("quantise", size, 10, quantise)->ArgNames(names)->Args(layer);
  add("dequantise", size, 10, dequantise)->ArgNames(names)->Args(layer);
  add("pack_codes", size, 10, pack_codes)->ArgNames(names)->Args(layer);
  add("unpack_codes", size, 10, unpack_codes)->ArgNames(names)->Args(layer);
  add("pack_kept_codes", size, 10, pack_kept_codes)->ArgNames(names)->Args(layer);
  add("unpack_kept_codes", size, 10, unpack_kept_codes)->ArgNames(names)->Args(layer);
  add("column_sums", size, 10, column_sums)->ArgNames(names)->Args(layer);
}

}  // namespace miq_bench
