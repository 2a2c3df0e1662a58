// The solver.
#include "device_bench.hpp"

namespace miq_bench {
namespace {

namespace obs = miq::obs;

/// 4 bits, one min/max grid a row, half of the weights masked; a Hessian that is well conditioned.
struct layer {
  layer(std::int64_t row_count, std::int64_t column_count, const obs::sweep_options& options = {})
      : rows(static_cast<double>(row_count)),
        columns(static_cast<double>(column_count)),
        sweeping(options),
        weights(there(random_matrix(row_count, column_count, 0.02))),
        hessian(there(decaying_matrix(column_count, 2))),
        upper(there<float>(column_count, column_count)),
        settled(there<float>(row_count, column_count)),
        codes(there<std::uint8_t>(row_count, column_count)),
        kept(there<std::uint8_t>(row_count, column_count)),
        result(1, exec().stream()),
        grids(row_count, column_count, 1),
        factor_scratch(obs::factor_workspace_bytes(exec(), column_count), exec().stream()),
        sweep_scratch(obs::sweep_workspace_bytes(exec(), row_count, column_count, options), exec().stream()) {
    fit();
    factor();
  }
  void factor() { obs::factor(exec(), read(hessian), upper.view(), {}, all_of(factor_scratch)); }
  void fit() { grids.fit(weights); }
  void sweep() {
    const auto view = grids.grids.view();
    obs::sweep(exec(), {.weights = weights.view(), .upper = upper.view(), .grids = view},
               {.weights = settled.view(), .codes = codes.view(), .kept = kept.view()}, ref(result), sweeping,
               all_of(sweep_scratch));
  }
  double factor_operations() const { return 2 * columns * columns * columns / 3; }
  double sweep_operations() const { return rows * columns * columns; }

  double rows, columns;
  obs::sweep_options sweeping;
  device_matrix<float> weights, hessian, upper, settled;
  device_matrix<std::uint8_t> codes, kept;
  device_array<obs::device_sweep_result> result;
  fitted_grids grids;
  device_array<std::byte> factor_scratch, sweep_scratch;
};

void factor(benchmark::State& state) {
  layer of(1, state.range(0));
  measure(state, {.operations = of.factor_operations()}, [&] { of.factor(); });
}

void sweep(benchmark::State& state, const obs::sweep_options& options) {
  layer of(state.range(0), state.range(1), options);
  measure(state, {.operations = of.sweep_operations()}, [&] { of.sweep(); });
}

/// All that a layer needs, the grids included, as the peers' times do.
void factor_and_sweep(benchmark::State& state) {
  layer of(state.range(0), state.range(1));
  measure(state, {.operations = of.factor_operations() + of.sweep_operations()}, [&] {
    of.factor();
    of.fit();
    of.sweep();
  });
}

/// Reads every weight once at least, and writes its place in the mask.
void select_mask(benchmark::State& state) {
  layer of(state.range(0), state.range(1));
  const auto saliency = there<float>(state.range(1));
  const std::vector<float> ones(static_cast<std::size_t>(state.range(1)), 1.0F);
  miq::copy(exec(), miq::vector_view<const float>(ones), saliency.view());
  const auto scratch = there<std::byte>(obs::select_mask_workspace_bytes(exec(), state.range(0), state.range(1)));
  measure(state, {.bytes = 5 * of.rows * of.columns},
          [&] { obs::select_mask(exec(), read(of.weights), saliency.view(), of.kept.view(), {}, all_of(scratch)); });
}

void refit(benchmark::State& state) {
  layer of(state.range(0), state.range(1));
  of.sweep();
  const obs::refit_options options;
  const auto better = there<float>(state.range(0), state.range(1));
  const auto losses = there<double>(obs::refit_loss_count(options));
  const auto result = there<obs::device_refit_result>(1);
  const auto scratch = there<std::byte>(obs::refit_workspace_bytes(exec(), state.range(0), state.range(1), options));
  measure(state, {.operations = 2 * (options.iterations + 1) * of.rows * of.columns * of.columns}, [&] {
    obs::refit(
        exec(),
        {.target = of.weights.view(), .hessian = of.hessian.view(), .kept = of.kept.view(), .start = of.settled.view()},
        {.weights = better.view()}, losses.view(), ref(result), options, all_of(scratch));
  });
}

void mask_search(benchmark::State& state) {
  layer of(state.range(0), state.range(1));
  of.sweep();
  const obs::mask_search_options options;
  const auto better = there<float>(state.range(0), state.range(1));
  const auto kept = there<std::uint8_t>(state.range(0), state.range(1));
  const auto scratch =
      there<std::byte>(obs::mask_search_workspace_bytes(exec(), state.range(0), state.range(1), options));
  const double operations =
      options.levels * (of.factor_operations() + 2 * options.iterations * of.rows * of.columns * of.columns);
  measure(state, {.operations = operations}, [&] {
    obs::mask_search(
        exec(),
        {.target = of.weights.view(), .hessian = of.hessian.view(), .kept = of.kept.view(), .start = of.settled.view()},
        {.kept = kept.view(), .weights = better.view()}, options, all_of(scratch));
  });
}

void shift_target(benchmark::State& state) {
  layer of(state.range(0), state.range(1));
  const auto result = there<obs::device_target_result>(1);
  const auto difference = there(decaying_matrix(state.range(1), 0));
  const auto scratch = there<std::byte>(obs::target_workspace_bytes(exec(), state.range(0), state.range(1)));
  measure(state, {.operations = 4 * of.rows * of.columns * of.columns}, [&] {
    obs::shift_target(exec(), read(of.weights), read(difference), read(of.upper), of.settled.view(), ref(result), {},
                      all_of(scratch));
  });
}

}  // namespace

void add_obs(const sizes& size) {
  const std::vector<std::string> names{"rows", "columns"};
  const auto layers = [&](benchmark::internal::Benchmark* b) {
    b->ArgNames(names)->Args({size(4096, 30), size(4096, 130)});
    b->Args({size(5120, 31), size(5120, 131)})->Args({size(13824, 150), size(5120, 132)});
    b->Args({size(5120, 33), size(13824, 300)});
  };
  add("factor", size, 5, factor)->ArgName("columns")->Arg(size(4096, 130))->Arg(size(5120, 131))->Arg(size(13824, 300));
  layers(add("sweep", size, 5, [](benchmark::State& state) { sweep(state, {}); }));
  add("sweep/2:4", size, 5, [](benchmark::State& state) { sweep(state, {.mask = obs::mask_scope::n_of_m}); })
      ->ArgNames(names)
      ->Args({size(4096, 30), size(4096, 130)});
  layers(add("factor_and_sweep", size, 5, factor_and_sweep));
  add("select_mask", size, 10, select_mask)->ArgNames(names)->Args({size(4096, 30), size(4096, 130)});
  add("refit", size, 3, refit)->ArgNames(names)->Args({size(4096, 30), size(4096, 130)});
  add("mask_search", size, 3, mask_search)->ArgNames(names)->Args({size(4096, 30), size(4096, 130)});
  add("shift_target", size, 3, shift_target)->ArgNames(names)->Args({size(4096, 30), size(4096, 130)});
}

}  // namespace miq_bench
