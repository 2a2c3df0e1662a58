// The device's sweep on the host: its bodies on one lane and on threads, in the order in which a device launches them,
// against exact steps in double (sweep_check.hpp) and against the host's sweep.
#include <cmath>
#include <vector>

#include <miq/obs/detail/sweep/checks.hpp>
#include <miq/obs/detail/sweep/schedule.hpp>

#include "sweep_check.hpp"
#include "test_support/host_machine.hpp"

namespace {

using miq::matrix;
using miq::obs::mask_scope;
using miq::obs::sweep_options;
using miq::obs::detail::device_sweep_scratch;
using miq::quantization::grid_layout;
using miq::quantization::grid_set;
using miq::quantization::grid_symmetry;
using miq_test::check_sweep;
using miq_test::fit;
using miq_test::host_machine;
using miq_test::same;
using miq_test::solved;
using miq_test::upper_of;

template <class T>
constexpr T nonsense = T(-7.0F);

template <class T>
struct swept {
  solved s;
  matrix<T> weights;
  std::int64_t not_finite = 0;
};

/// Everything lies in matrices that are wider than they need be; what is beyond must stay.
template <class T = float>
swept<T> sweep_bodies(const matrix<float>& weights, const matrix<float>& upper, const sweep_options& options,
                      const grid_set* grids = nullptr, const matrix<std::uint8_t>* kept = nullptr,
                      const std::vector<float>& saliency = {}, std::int32_t lanes = 0) {
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  constexpr std::int64_t more = 3;
  matrix<T> from(rows, columns + more, nonsense<T>);
  matrix<float> wide_upper(columns, columns + more, NAN);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) from(r, c) = T(weights(r, c));
  for (std::int64_t r = 0; r < columns; ++r)
    for (std::int64_t c = 0; c < columns; ++c) wide_upper(r, c) = upper(r, c);
  matrix<T> to(rows, columns + more, nonsense<T>);
  matrix<std::uint8_t> codes(rows, columns + more, 77), out_kept(rows, columns + more, 77);
  swept<T> out;
  out.s.row_loss.assign(static_cast<std::size_t>(rows), -1);

  miq::obs::sweep_inputs<miq::host_memory, T> in{{from.data(), rows, columns, from.columns()},
                                                 {wide_upper.data(), columns, columns, wide_upper.columns()}};
  in.column_saliency = saliency;
  miq::obs::sweep_outputs<miq::host_memory, T> views{{to.data(), rows, columns, to.columns()},
                                                     {},
                                                     {out_kept.data(), rows, columns, out_kept.columns()},
                                                     out.s.row_loss};
  miq::quantization::grid_set_view<> view;
  if (grids != nullptr) {
    view = grids->view();
    in.grids = view;
    views.codes = {codes.data(), rows, columns, codes.columns()};
  }
  if (kept != nullptr) in.kept = kept->view();
  miq::obs::detail::check_sweep_shapes(in, views, options);
  const device_sweep_scratch plan(rows, columns, options);
  const miq_test::nonsense_memory memory(plan.layout);
  miq::obs::device_sweep_result counters{{-1, -1, -1}, -1};
  miq::obs::detail::sweep_on_machine(host_machine(lanes), plan, memory, in, views, options, &counters);

  out.weights = matrix<T>(rows, columns);
  out.s.weights = matrix<float>(rows, columns);
  out.s.kept = matrix<std::uint8_t>(rows, columns);
  if (grids != nullptr) out.s.codes = matrix<std::uint8_t>(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      out.weights(r, c) = to(r, c);
      out.s.weights(r, c) = static_cast<float>(to(r, c));
      out.s.kept(r, c) = out_kept(r, c);
      if (grids != nullptr) out.s.codes(r, c) = codes(r, c);
    }
    for (auto c = columns; c < columns + more; ++c) {
      REQUIRE(static_cast<float>(to(r, c)) == static_cast<float>(nonsense<T>));
      REQUIRE(out_kept(r, c) == 77);
      REQUIRE(codes(r, c) == 77);
    }
  }
  out.s.result = {counters.loss, counters.masked, counters.clamped};
  out.not_finite = counters.not_finite;
  return out;
}

/// Judged by the oracle and compared with the host.
void check_both(const miq_test::layer& made, const sweep_options& options, const grid_set* grids,
                const matrix<std::uint8_t>* kept = nullptr, const std::vector<float>& saliency = {},
                std::int32_t lanes = 0) {
  const auto upper = upper_of(made);
  const auto got = sweep_bodies(made.weights, upper, options, grids, kept, saliency, lanes);
  CHECK(got.not_finite == 0);
  check_sweep(made, options, got.s, grids, kept, saliency);
  miq_test::check_alike(got.s, miq_test::solve(made.weights, upper, options, grids, kept, 1, saliency));
}

}  // namespace

TEST_CASE("the bodies of the sweep take exact steps: mask rules, sizes and blocks", "[obs][body]") {
  const auto [rows, columns, block] = GENERATE(table<std::int64_t, std::int64_t, std::int64_t>({{1, 1, 128},
                                                                                                {1, 37, 8},
                                                                                                {2, 2, 1},
                                                                                                {5, 64, 64},
                                                                                                {16, 65, 64},
                                                                                                {31, 33, 1},
                                                                                                {32, 8, 8},
                                                                                                {33, 40, 7},
                                                                                                {37, 131, 128},
                                                                                                {47, 150, 13},
                                                                                                {64, 96, 32},
                                                                                                {65, 100, 1024},
                                                                                                {97, 129, 128},
                                                                                                {17, 300, 100},
                                                                                                {7, 610, 128},
                                                                                                {5, 530, 1024},
                                                                                                {3, 521, 300}}));
  const auto rule = GENERATE(mask_scope::none, mask_scope::column_block, mask_scope::row);
  const auto sparsity = GENERATE(0.0, 0.5, 0.7);
  const bool quantised = GENERATE(false, true);
  if (columns > 300 && sparsity != 0.5) return;
  const auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  const sweep_options options{.mask = rule, .sparsity = sparsity, .column_block = block};
  const auto grids = fit(made.weights, 4);
  check_both(made, options, quantised ? &grids : nullptr);
}

TEST_CASE("the bodies of the sweep take exact steps: widths, symmetries and layouts of grids", "[obs][body]") {
  const int bits = GENERATE(1, 2, 3, 4, 5, 8);
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric, grid_symmetry::zero_free);
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column,
                               grid_layout::row_by_group, grid_layout::row_by_column);
  const std::int64_t rows = 35;
  const std::int64_t columns = 70;
  const auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(columns));
  for (std::size_t c = 0; c < labels.size(); ++c) labels[c] = static_cast<std::int32_t>(c * 7 % 3);
  const std::vector<std::uint8_t> widths{static_cast<std::uint8_t>(bits), static_cast<std::uint8_t>(1 + bits % 8),
                                         static_cast<std::uint8_t>(9 - bits)};
  const auto grids = fit(made.weights, labels, widths, layout, symmetry);
  check_both(made, {.sparsity = 0.4, .column_block = 32}, &grids);
}

TEST_CASE("the bodies of the sweep take exact steps: N:M masks", "[obs][body]") {
  const auto [kept, width, block] = GENERATE(table<std::int64_t, std::int64_t, std::int64_t>(
      {{2, 4, 128}, {1, 2, 6}, {4, 8, 16}, {3, 5, 25}, {1, 1, 7}, {7, 7, 7}, {9, 33, 33}, {1, 64, 64}}));
  const bool quantised = GENERATE(false, true);
  const bool wanda = GENERATE(false, true);
  const auto made = miq_test::random_layer(miq_test::seed(), 35, 163);
  std::vector<float> saliency;
  for (std::int64_t c = 0; wanda && c < 163; ++c) saliency.push_back(std::sqrt(made.hessian(c, c)));
  const sweep_options options{
      .mask = mask_scope::n_of_m, .column_block = block, .pattern_kept = kept, .pattern_width = width};
  const auto grids = fit(made.weights, 4);
  check_both(made, options, quantised ? &grids : nullptr, nullptr, saliency);
}

TEST_CASE("the bodies of the sweep take given saliencies and masks", "[obs][body]") {
  const auto rule = GENERATE(mask_scope::column_block, mask_scope::row, mask_scope::given);
  const bool quantised = GENERATE(false, true);
  const std::int64_t columns = 140;
  const auto made = miq_test::random_layer(miq_test::seed(), 35, columns);
  std::vector<float> saliency;
  for (std::int64_t c = 0; c < columns; ++c) saliency.push_back(c % 7 == 0 ? 0.0F : std::sqrt(made.hessian(c, c)));
  miq::random_stream random(miq_test::seed());
  matrix<std::uint8_t> kept(35, columns);
  for (std::int64_t i = 0; i < kept.size(); ++i) kept.data()[i] = static_cast<std::uint8_t>(random.below(3) * 100);
  const auto grids = fit(made.weights, 3);
  const bool given = rule == mask_scope::given;
  check_both(made, {.mask = rule, .sparsity = 0.55, .column_block = 32}, quantised ? &grids : nullptr,
             given ? &kept : nullptr, given ? std::vector<float>{} : saliency);
}

TEST_CASE("the bodies of the sweep are right on several lanes, and decide as one lane does", "[obs][body]") {
  const auto rule = GENERATE(mask_scope::none, mask_scope::column_block, mask_scope::row, mask_scope::n_of_m);
  const auto lanes = GENERATE(8, 3);
  const auto [rows, columns, block] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t>({{5, 7, 4}, {33, 37, 16}, {35, 140, 128}}));
  const auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  const auto grids = fit(made.weights, 3);
  const sweep_options options{.mask = rule, .column_block = block};
  check_both(made, options, &grids, nullptr, {}, lanes);
  const auto upper = upper_of(made);
  auto one = sweep_bodies(made.weights, upper, options, &grids).s;
  auto many = sweep_bodies(made.weights, upper, options, &grids, nullptr, {}, lanes).s;
  CHECK(many.result.loss == Approx(one.result.loss).epsilon(1e-12));
  many.result.loss = one.result.loss;  // the rows are added up in another order
  CHECK(same(one, many));
}

TEMPLATE_TEST_CASE("the sweep of 16-bit weights is that of their values, rounded at the end", "[obs][body]",
                   miq::float16, miq::bfloat16) {
  const bool quantised = GENERATE(false, true);
  auto made = miq_test::random_layer(miq_test::seed(), 37, 150);
  for (std::int64_t i = 0; i < made.weights.size(); ++i)
    made.weights.data()[i] = static_cast<float>(TestType(made.weights.data()[i]));
  const auto upper = upper_of(made);
  const auto grids = fit(made.weights, 4);
  const auto* used = quantised ? &grids : nullptr;
  const auto exact = sweep_bodies<float>(made.weights, upper, {.column_block = 48}, used);
  auto rounded = sweep_bodies<TestType>(made.weights, upper, {.column_block = 48}, used);
  for (std::int64_t i = 0; i < made.weights.size(); ++i)
    REQUIRE(rounded.weights.data()[i].bits == TestType(exact.weights.data()[i]).bits);
  rounded.s.weights = exact.s.weights;
  CHECK(same(rounded.s, exact.s));
}

TEST_CASE("equally salient weights are masked by row, then column, by the bodies too", "[obs][body]") {
  const std::int64_t rows = 300;
  const std::int64_t columns = 24;
  const auto lanes = GENERATE(0, 4);
  matrix<float> upper(columns, columns);
  for (std::int64_t j = 0; j < columns; ++j) upper(j, j) = 1;
  const float common = GENERATE(3.0F, 0.0F);
  matrix<float> weights(rows, columns);
  for (std::int64_t i = 0; i < weights.size(); ++i) weights.data()[i] = i % 2 == 0 ? common : -common;
  for (const double sparsity : {0.1, 0.7}) {
    const auto s =
        sweep_bodies(weights, upper, {.sparsity = sparsity, .column_block = 16}, nullptr, nullptr, {}, lanes).s;
    for (const auto& [first, last] : {std::pair<std::int64_t, std::int64_t>{0, 16}, {16, 24}}) {
      const auto width = last - first;
      const auto count = static_cast<std::int64_t>(sparsity * static_cast<double>(rows * width));
      for (std::int64_t r = 0; r < rows; ++r)
        for (auto c = first; c < last; ++c) REQUIRE(s.kept(r, c) == (r * width + c - first < count ? 0 : 1));
    }
  }
}

TEST_CASE("the bodies of the sweep count rows whose contents cannot be worked with", "[obs][body]") {
  const std::int64_t rows = 40;
  const std::int64_t columns = 60;
  auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  auto upper = upper_of(made);
  auto grids = fit(made.weights, 4);
  const auto lost = [&](const sweep_options& options = {.mask = mask_scope::none, .column_block = 16}) {
    return sweep_bodies(made.weights, upper, options, &grids).not_finite;
  };
  CHECK(lost() == 0);
  made.weights(7, 19) = NAN;
  made.weights(12, 3) = INFINITY;
  CHECK(lost() == 2);
  made.weights(7, 19) = made.weights(12, 3) = 0;
  for (const float bad : {0.0F, -1.0F, NAN}) {
    const float good = grids.scale(9, 0);
    grids.scale(9, 0) = bad;
    CHECK(lost() == 1);
    grids.scale(9, 0) = good;
    const float diagonal = upper(11, 11);
    upper(11, 11) = bad;
    CHECK(lost() == rows);
    upper(11, 11) = diagonal;
  }
  for (const std::int32_t bad : {-1, 1, 1 << 30}) {
    grids.column_grid[8] = bad;
    CHECK(lost() == rows);
    grids.column_grid[8] = 0;
  }
  grids.bits[0] = 9;
  CHECK(lost() == rows);
  grids.bits[0] = 4;
  for (std::int64_t r = 0; r < columns; ++r)
    for (auto c = r + 1; c < columns; ++c) upper(r, c) = 3e38F;
  CHECK(lost({.column_block = 16}) > 0);
}

TEST_CASE("a block of the sweep fits the shared memory of every device", "[obs][body]") {
  for (std::int64_t width = 1; width <= 128; ++width) {
    miq::obs::detail::settle_panel_body<miq::obs::detail::grid_kind::affine> body;
    body.width = width;
    REQUIRE(body.scratch_bytes() <= 48 * 1024);
    body.pattern_width = 4;
    REQUIRE(body.scratch_bytes() <= 48 * 1024);
  }
}

TEST_CASE("the scratch of a sweep is laid out for every size", "[obs][body]") {
  using miq::obs::detail::sweep_cut;
  for (const auto rule : {mask_scope::none, mask_scope::column_block, mask_scope::row, mask_scope::n_of_m})
    for (const std::int64_t block : {1, 4, 7 * 4, 128, 300, 1024}) {
      const sweep_options options{.mask = rule, .column_block = block};
      const sweep_cut cut(options);
      REQUIRE(cut.span % cut.mask_block == 0);
      REQUIRE(cut.panel >= 1);
      REQUIRE(cut.panel <= 128);
      if (rule == mask_scope::n_of_m) REQUIRE(cut.panel % options.pattern_width == 0);
      for (const std::int64_t columns : {1, 127, 128, 129, 1000, 5120, 13824, 28672})
        for (const std::int64_t rows : {1, 31, 4096, 28672, 200'000}) {
          const device_sweep_scratch plan(rows, columns, options);
          REQUIRE(plan.leading >= columns);
          REQUIRE(plan.errors - plan.work >= rows * plan.leading * 4);
          REQUIRE(plan.units - plan.errors >= rows * plan.errors_leading * 4);
          REQUIRE(plan.errors_leading >= std::min(columns, cut.span));
          REQUIRE(plan.mask_leading >= std::min(columns, cut.mask_block));
          REQUIRE(plan.layout.bytes() <=
                  rows * (columns + 31) * 4 + rows * (1024 + 31) * 5 + columns * 4 + rows * 8 + (1 << 17));
        }
    }
}
