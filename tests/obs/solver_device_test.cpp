// The solver on a device against the host: factor, sweep, masks and targets; on a stream of its own and, where that is
// promised, inside a captured graph.
// The oracle's matrices stay on the host; Eigen's own device code would only be compiled and warned about.
#define EIGEN_NO_CUDA

#include <cmath>
#include <vector>

#include <miq/obs/factor_cuda.hpp>
#include <miq/obs/mask.hpp>
#include <miq/obs/mask_cuda.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/obs/sweep_cuda.hpp>
#include <miq/obs/target.hpp>
#include <miq/obs/target_cuda.hpp>

#include "sweep_check.hpp"
#include "test_support/device.hpp"

namespace {

using miq::device_memory;
using miq::matrix;
using miq::matrix_view;
using miq::obs::mask_scope;
using miq::obs::sweep_options;
using miq::quantization::grid_layout;
using miq::quantization::grid_set;
using miq::quantization::grid_symmetry;
using miq_test::device_matrix;
using miq_test::device_vector;
using miq_test::solved;

/// Grids in device memory.
struct device_grids {
  device_matrix<float> scale, zero;
  device_vector<std::uint8_t> bits;
  device_vector<std::int32_t> column_grid;
  device_vector<float> row_factor;
  grid_symmetry symmetry;

  device_grids(const miq::cuda_executor& exec, const grid_set& from)
      : scale(exec, from.scale.view()),
        zero(exec, from.zero.view()),
        bits(exec, from.bits),
        column_grid(exec, from.column_grid),
        row_factor(exec, from.row_factor),
        symmetry(from.symmetry) {}
  miq::quantization::grid_set_view<device_memory> view() const {
    return {scale.read(), zero.read(), bits.read(), column_grid.read(), row_factor.read(), symmetry};
  }
};

/// A sweep on the device, with everything that it can write; `captured`: replayed from a graph, with a workspace.
template <class T = float>
solved sweep_on_device(const miq::cuda_executor& exec, const matrix<float>& weights, const matrix<float>& upper,
                       const sweep_options& options, const grid_set* grids = nullptr,
                       const matrix<std::uint8_t>* kept = nullptr, const std::vector<float>& saliency = {},
                       bool captured = false, matrix<T>* stored = nullptr) {
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  matrix<T> typed(rows, columns);
  for (std::int64_t i = 0; i < typed.size(); ++i) typed.data()[i] = T(weights.data()[i]);
  const device_matrix<T> w(exec, typed.view()), out(exec, rows, columns);
  const device_matrix<float> u(exec, upper.view());
  const device_matrix<std::uint8_t> codes(exec, rows, columns), out_kept(exec, rows, columns);
  const device_vector<double> loss(exec, rows);
  const device_vector<float> units(exec, saliency);
  miq::obs::sweep_inputs<device_memory, T> in{w.read(), u.read()};
  miq::obs::sweep_outputs<device_memory, T> to{out.view(), {}, out_kept.view(), loss.view()};
  in.column_saliency = units.read();
  const grid_set nothing;
  const device_grids on_device(exec, grids != nullptr ? *grids : nothing);
  const auto view = on_device.view();
  if (grids != nullptr) {
    in.grids = view;
    to.codes = codes.view();
  }
  const matrix<std::uint8_t> none;
  const device_matrix<std::uint8_t> given(exec, kept != nullptr ? kept->view() : none.view());
  in.kept = given.read();
  solved s;
  if (captured) {
    const auto bytes = miq::obs::sweep_workspace_bytes(exec, rows, columns, options);
    const miq::device_array<std::byte> scratch(bytes, exec.stream());
    const miq::device_array<miq::obs::device_sweep_result> result(1, exec.stream());
    exec.synchronise();
    const auto check = [](cudaError_t code) { miq::check_cuda(code, "capture"); };
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t runs = nullptr;
    check(cudaStreamBeginCapture(exec.stream(), cudaStreamCaptureModeThreadLocal));
    miq::obs::sweep(exec, in, to, miq::result_ref<miq::obs::device_sweep_result, device_memory>(result.data()), options,
                    {scratch.data(), bytes});
    check(cudaStreamEndCapture(exec.stream(), &graph));
    check(cudaGraphInstantiate(&runs, graph, 0));
    for (int run = 0; run < 2; ++run) check(cudaGraphLaunch(runs, exec.stream()));
    miq::obs::device_sweep_result seen;
    miq::copy(exec, miq::vector_view<const miq::obs::device_sweep_result, device_memory>(result.view()),
              miq::vector_view<miq::obs::device_sweep_result>(&seen, 1));
    exec.synchronise();
    check(cudaGraphExecDestroy(runs));
    check(cudaGraphDestroy(graph));
    CHECK(seen.not_finite == 0);
    s.result = seen;
  } else {
    s.result = miq::obs::sweep(exec, in, to, options);
  }
  const auto back = out.fetch(exec);
  s.weights = matrix<float>(rows, columns);
  for (std::int64_t i = 0; i < back.size(); ++i) s.weights.data()[i] = static_cast<float>(back.data()[i]);
  if (stored != nullptr) *stored = out.fetch(exec);
  s.kept = out_kept.fetch(exec);
  if (grids != nullptr) s.codes = codes.fetch(exec);
  s.row_loss = loss.fetch(exec);
  return s;
}

/// Judged by the oracle, which replays the device's decisions, and compared with the host.
void check_both(const miq::cuda_executor& exec, const miq_test::layer& made, const sweep_options& options,
                const grid_set* grids, const matrix<std::uint8_t>* kept = nullptr,
                const std::vector<float>& saliency = {}) {
  const auto upper = miq_test::upper_of(made);
  const auto got = sweep_on_device(exec, made.weights, upper, options, grids, kept, saliency);
  miq_test::check_sweep(made, options, got, grids, kept, saliency);
  miq_test::check_alike(got, miq_test::solve(made.weights, upper, options, grids, kept, 2, saliency));
}

}  // namespace

TEST_CASE("the sweep on a device takes exact steps: mask rules, sizes and blocks", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const auto [rows, columns, block] = GENERATE(table<std::int64_t, std::int64_t, std::int64_t>({{1, 1, 128},
                                                                                                {2, 2, 1},
                                                                                                {33, 40, 7},
                                                                                                {37, 131, 128},
                                                                                                {65, 100, 1024},
                                                                                                {17, 300, 100},
                                                                                                {130, 610, 128},
                                                                                                {70, 530, 1024}}));
  const auto rule = GENERATE(mask_scope::none, mask_scope::column_block, mask_scope::row);
  const bool quantised = GENERATE(false, true);
  const auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  const auto grids = miq_test::fit(made.weights, 4);
  check_both(exec, made, {.mask = rule, .column_block = block}, quantised ? &grids : nullptr);
}

TEST_CASE("the sweep on a device takes exact steps: grids", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const int bits = GENERATE(1, 4, 8);
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric, grid_symmetry::zero_free);
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column,
                               grid_layout::row_by_group, grid_layout::row_by_column);
  const auto made = miq_test::random_layer(miq_test::seed(), 35, 150);
  std::vector<std::int32_t> labels(150);
  for (std::size_t c = 0; c < labels.size(); ++c) labels[c] = static_cast<std::int32_t>(c * 7 % 3);
  const std::vector<std::uint8_t> widths{static_cast<std::uint8_t>(bits), 3, 5};
  const auto grids = miq_test::fit(made.weights, labels, widths, layout, symmetry);
  check_both(exec, made, {.sparsity = 0.4, .column_block = 64}, &grids);
}

TEST_CASE("the sweep on a device takes exact steps: N:M masks, given masks and saliencies", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const std::int64_t columns = 163;
  const auto made = miq_test::random_layer(miq_test::seed(), 67, columns);
  const auto grids = miq_test::fit(made.weights, 4);
  std::vector<float> saliency;
  for (std::int64_t c = 0; c < columns; ++c) saliency.push_back(std::sqrt(made.hessian(c, c)));
  for (const auto& [kept, width, block] : std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t>>{
           {2, 4, 128}, {4, 8, 16}, {3, 5, 25}, {9, 33, 33}, {1, 64, 64}}) {
    const sweep_options options{
        .mask = mask_scope::n_of_m, .column_block = block, .pattern_kept = kept, .pattern_width = width};
    check_both(exec, made, options, &grids);
    check_both(exec, made, options, &grids, nullptr, saliency);
  }
  check_both(exec, made, {.sparsity = 0.55, .column_block = 32}, &grids, nullptr, saliency);
  miq::random_stream random(miq_test::seed());
  matrix<std::uint8_t> kept(67, columns);
  for (std::int64_t i = 0; i < kept.size(); ++i) kept.data()[i] = static_cast<std::uint8_t>(random.below(3) * 100);
  check_both(exec, made, {.mask = mask_scope::given}, &grids, &kept);
}

TEST_CASE("the sweep of a large layer on a device loses what the host's does", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const auto made = miq_test::random_layer(miq_test::seed(), 1100, 1500);
  const auto upper = miq_test::upper_of(made);
  const auto grids = miq_test::fit(made.weights, 4);
  const auto host = miq_test::solve(made.weights, upper, {}, &grids);
  const auto got = sweep_on_device(exec, made.weights, upper, {}, &grids);
  CHECK(got.result.masked == host.result.masked);
  CHECK(got.result.loss == Approx(host.result.loss).epsilon(1e-3));
  // Most decisions are the host's: one that differs changes what comes after it in its row.
  std::int64_t differ = 0;
  for (std::int64_t i = 0; i < got.kept.size(); ++i) differ += got.kept.data()[i] != host.kept.data()[i] ? 1 : 0;
  CHECK(differ < got.kept.size() / 20);
  CHECK(miq_test::same(got, sweep_on_device(exec, made.weights, upper, {}, &grids)));
}

TEST_CASE("the sweep on a device can be captured with a workspace", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const auto made = miq_test::random_layer(miq_test::seed(), 70, 700);
  const auto upper = miq_test::upper_of(made);
  const auto grids = miq_test::fit(made.weights, 4);
  for (const auto rule : {mask_scope::column_block, mask_scope::row, mask_scope::n_of_m}) {
    // First, since a capture may not load kernels.
    const auto direct = sweep_on_device(exec, made.weights, upper, {.mask = rule}, &grids);
    CHECK(
        miq_test::same(direct, sweep_on_device(exec, made.weights, upper, {.mask = rule}, &grids, nullptr, {}, true)));
  }
}

TEMPLATE_TEST_CASE("the sweep of 16-bit weights on a device is that of their values", "[obs][device]", miq::float16,
                   miq::bfloat16) {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  auto made = miq_test::random_layer(miq_test::seed(), 37, 150);
  for (std::int64_t i = 0; i < made.weights.size(); ++i)
    made.weights.data()[i] = static_cast<float>(TestType(made.weights.data()[i]));
  const auto upper = miq_test::upper_of(made);
  const auto grids = miq_test::fit(made.weights, 4);
  const auto exact = sweep_on_device<float>(exec, made.weights, upper, {}, &grids);
  matrix<TestType> stored;
  auto rounded = sweep_on_device<TestType>(exec, made.weights, upper, {}, &grids, nullptr, {}, false, &stored);
  for (std::int64_t i = 0; i < stored.size(); ++i)
    REQUIRE(stored.data()[i].bits == TestType(exact.weights.data()[i]).bits);
  rounded.weights = exact.weights;
  CHECK(miq_test::same(rounded, exact));
}

TEST_CASE("the sweep on a device says what it cannot take", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  auto made = miq_test::random_layer(miq_test::seed(), 20, 30);
  const auto upper = miq_test::upper_of(made);
  CHECK_THROWS_AS(sweep_on_device(exec, made.weights, upper, {.sparsity = 1}), miq::invalid_argument);
  made.weights(3, 4) = NAN;
  CHECK_THROWS_AS(sweep_on_device(exec, made.weights, upper, {}), miq::numerical_error);
  const device_matrix<float> w(exec, made.weights.view()), u(exec, upper.view()), out(exec, 20, 30);
  const miq::device_array<std::byte> little(64, exec.stream());
  CHECK_THROWS_AS(miq::obs::sweep(exec, miq::obs::sweep_inputs<device_memory>{w.read(), u.read()},
                                  miq::obs::sweep_outputs<device_memory>{out.view()}, {}, {little.data(), 64}),
                  miq::out_of_memory);
}

TEST_CASE("factor on a device gives the host's factor", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const std::int64_t columns = GENERATE(1, 2, 31, 64, 129, 300, 1000);
  const auto hessian = miq_test::random_layer(miq_test::seed(), 1, columns).hessian;
  const device_matrix<float> h(exec, hessian.view()), u(exec, columns, columns);
  const auto result = miq::obs::factor(exec, h.read(), u.view());
  matrix<float> host(columns, columns);
  const auto expected = miq::obs::factor(miq::host_executor({.threads = 2}), hessian.view(), host.view());
  CHECK(result.raised == expected.raised);
  CHECK(result.in_double == expected.in_double);
  CHECK(result.dead == 0);
  const auto got = miq_test::to_double(u.fetch(exec));
  // Both are off by at most this, as the tests of the host say.
  const auto damped = miq_oracle::damped(miq_test::to_double(hessian), 0.01, false);
  const double tolerance = 8 * static_cast<double>(columns) * miq_test::unit * miq_oracle::condition(damped) *
                           miq_test::to_double(host).cwiseAbs().maxCoeff();
  CHECK((got - miq_test::to_double(host)).cwiseAbs().maxCoeff() <= tolerance);
  for (std::int64_t r = 0; r < columns; ++r)
    for (std::int64_t c = 0; c < r; ++c) REQUIRE(got(r, c) == 0);

  const auto bytes = miq::obs::factor_workspace_bytes(exec, columns);
  const miq::device_array<std::byte> scratch(bytes, exec.stream());
  const device_matrix<float> again(exec, columns, columns);
  miq::obs::factor(exec, h.read(), again.view(), {}, {scratch.data(), bytes});
  CHECK((miq_test::to_double(again.fetch(exec)) - got).cwiseAbs().maxCoeff() == 0);
}

TEST_CASE("factor on a device raises the damping, and works in double, as the host does", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const auto run = [&](const matrix<float>& hessian, const miq::obs::factor_options& options, matrix<float>* upper) {
    const device_matrix<float> h(exec, hessian.view()), u(exec, hessian.rows(), hessian.columns());
    const auto result = miq::obs::factor(exec, h.read(), u.view(), options);
    *upper = u.fetch(exec);
    return result;
  };
  matrix<float> upper;
  matrix<float> indefinite(2, 2, 2.0F);
  indefinite(0, 0) = indefinite(1, 1) = 1;
  const auto raised = run(indefinite, {.damping = 0.01}, &upper);
  CHECK(raised.raised == 3);
  CHECK(raised.damping == Approx(10.0));
  CHECK_THROWS_AS(run(indefinite, {.damping = 0.01, .attempts = 3}, &upper), miq::numerical_error);

  const std::int64_t columns = 193;
  const double m = 0x1.0p23;
  matrix<float> walk(columns, columns);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) walk(i, j) = static_cast<float>(m + static_cast<double>(std::min(i, j)));
  const auto result = run(walk, {.damping = 0, .attempts = 1}, &upper);
  CHECK(result.in_double);
  for (std::int64_t i = 0; i + 1 < columns; ++i) {
    const double share = (m + static_cast<double>(i)) / (m + static_cast<double>(i) + 1);
    REQUIRE(upper(i, i) == Approx(1 / std::sqrt(share)).epsilon(1e-6));
    REQUIRE(upper(i, i + 1) == Approx(-share / std::sqrt(share)).epsilon(1e-6));
  }
  walk(3, 5) = NAN;
  CHECK_THROWS_AS(run(walk, {}, &upper), miq::invalid_argument);
}

TEST_CASE("masks on a device are the host's to the bit", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  using miq::obs::mask_scope;
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const auto scope = GENERATE(mask_scope::layer, mask_scope::column_block, mask_scope::row, mask_scope::n_of_m);
  const bool coarse = GENERATE(false, true);
  miq::random_stream random(miq_test::seed());
  for (const auto& [rows, columns] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 1}, {37, 131}, {3, 2100}, {2101, 5}, {700, 900}}) {
    matrix<float> weights(rows, columns);
    for (std::int64_t i = 0; i < weights.size(); ++i)
      weights.data()[i] = coarse ? static_cast<float>(random.below(5)) - 2.0F : static_cast<float>(random.normal());
    std::vector<float> saliency;
    for (std::int64_t c = 0; c < columns; ++c)
      saliency.push_back(coarse ? 1.0F : 0.5F + static_cast<float>(random.uniform()));
    const device_matrix<float> w(exec, weights.view());
    const device_vector<float> units(exec, saliency);
    const device_matrix<std::uint8_t> kept(exec, rows, columns);
    for (const auto& options :
         {miq::obs::mask_options{.scope = scope, .column_block = 48},
          miq::obs::mask_options{
              .scope = scope, .sparsity = 0.83, .column_block = 7, .pattern_kept = 5, .pattern_width = 70}}) {
      matrix<std::uint8_t> host(rows, columns);
      const auto expected =
          miq::obs::select_mask(miq::host_executor({.threads = 2}), weights.view(), saliency, host.view(), options);
      CHECK(miq::obs::select_mask(exec, w.read(), units.read(), kept.view(), options) == expected);
      const auto got = kept.fetch(exec);
      for (std::int64_t i = 0; i < got.size(); ++i) REQUIRE(got.data()[i] == host.data()[i]);
    }
  }
}

TEST_CASE("targets, ridges and biases on a device are the host's", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq::host_executor on_host({.threads = 2});
  const bool to_outputs = GENERATE(false, true);
  const std::int64_t rows = 67, columns = 610;
  miq::random_stream random(miq_test::seed());
  const auto weights = miq_test::to_float(0.05 * miq_test::normal_matrix(random, rows, columns));
  const auto hessian = miq_test::random_hessian(random, columns);
  const auto moments = miq_test::to_float(0.01 * miq_test::normal_matrix(random, columns, to_outputs ? rows : columns));
  matrix<float> upper(columns, columns), host(rows, columns);
  miq::obs::factor(on_host, hessian.view(), upper.view());
  const auto expected =
      to_outputs ? miq::obs::shift_target_to_outputs(on_host, weights.view(), moments.view(), upper.view(), host.view())
                 : miq::obs::shift_target(on_host, weights.view(), moments.view(), upper.view(), host.view());
  const device_matrix<float> w(exec, weights.view()), m(exec, moments.view()), u(exec, upper.view()),
      out(exec, rows, columns), h(exec, hessian.view());
  const auto result = to_outputs ? miq::obs::shift_target_to_outputs(exec, w.read(), m.read(), u.read(), out.view())
                                 : miq::obs::shift_target(exec, w.read(), m.read(), u.read(), out.view());
  CHECK(result.change == Approx(expected.change).epsilon(1e-4));
  CHECK(result.gain == Approx(expected.gain).epsilon(1e-4));
  const Eigen::MatrixXd difference = miq_test::to_double(out.fetch(exec)) - miq_test::to_double(host);
  CHECK(difference.norm() < 1e-4 * (miq_test::to_double(host) - miq_test::to_double(weights)).norm());

  auto ridged = hessian;
  miq::obs::add_target_ridge(on_host, weights.view(), ridged.view(), 0.3);
  miq::obs::add_target_ridge(exec, w.read(), h.view(), 0.3);
  const auto raised = h.fetch(exec);
  for (std::int64_t j = 0; j < columns; ++j)
    REQUIRE(static_cast<double>(raised(j, j)) == Approx(static_cast<double>(ridged(j, j))).epsilon(0x1p-22));

  std::vector<float> mean, target, bias, mean_of(static_cast<std::size_t>(rows)), corrected = mean_of;
  for (std::int64_t c = 0; c < columns; ++c) mean.push_back(static_cast<float>(random.normal()));
  for (std::int64_t r = 0; r < rows; ++r) {
    target.push_back(static_cast<float>(random.normal()));
    bias.push_back(static_cast<float>(random.normal()));
  }
  miq::obs::mean_output(on_host, weights.view(), mean, mean_of);
  miq::obs::correct_bias(on_host, weights.view(), mean, target, bias, corrected);
  const device_vector<float> dm(exec, mean), dt(exec, target), db(exec, bias), d_out(exec, rows),
      d_corrected(exec, rows);
  miq::obs::mean_output(exec, w.read(), dm.read(), d_out.view());
  miq::obs::correct_bias(exec, w.read(), dm.read(), dt.read(), db.read(), d_corrected.view());
  const auto got_mean = d_out.fetch(exec), got_bias = d_corrected.fetch(exec);
  for (std::size_t r = 0; r < mean_of.size(); ++r) {
    REQUIRE(static_cast<double>(got_mean[r]) == Approx(static_cast<double>(mean_of[r])).epsilon(0x1p-22).margin(1e-12));
    REQUIRE(static_cast<double>(got_bias[r]) ==
            Approx(static_cast<double>(corrected[r])).epsilon(0x1p-22).margin(1e-12));
  }
}
