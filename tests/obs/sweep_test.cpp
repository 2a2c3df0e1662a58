// The joint sweep against exact optimal-brain-surgeon steps in double precision; see sweep_check.hpp.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <vector>

#include <miq/obs/factor.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/quantization/fit.hpp>

#include "sweep_check.hpp"

namespace {

using Eigen::MatrixXd;
using miq::matrix;
using miq::obs::mask_scope;
using miq::obs::sweep_options;
using miq::quantization::grid_layout;
using miq::quantization::grid_set;
using miq::quantization::grid_symmetry;
using miq_test::check_sweep;
using miq_test::fit;
using miq_test::same;
using miq_test::solve;
using miq_test::to_double;
using miq_test::upper_of;

}  // namespace

TEST_CASE("the sweep is a sequence of exact steps: mask rules, sizes and blocks", "[obs]") {
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
                                                                                                {130, 129, 128},
                                                                                                {17, 300, 100}}));
  const auto rule = GENERATE(mask_scope::none, mask_scope::column_block, mask_scope::row);
  const auto sparsity = GENERATE(0.0, 0.5, 0.7);
  const bool quantised = GENERATE(false, true);
  const auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  const sweep_options options{.mask = rule, .sparsity = sparsity, .column_block = block};
  const auto grids = fit(made.weights, 4);
  const auto* used = quantised ? &grids : nullptr;
  check_sweep(made, options, solve(made.weights, upper_of(made), options, used), used);
}

TEST_CASE("the sweep is a sequence of exact steps: widths, symmetries and layouts of grids", "[obs]") {
  const int bits = GENERATE(1, 2, 3, 4, 5, 6, 7, 8);
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric);
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column);
  const std::int64_t rows = 35;
  const std::int64_t columns = 70;
  const auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(columns));
  for (std::size_t c = 0; c < labels.size(); ++c) labels[c] = static_cast<std::int32_t>(c * 7 % 3);
  const std::vector<std::uint8_t> widths{static_cast<std::uint8_t>(bits), static_cast<std::uint8_t>(1 + bits % 8),
                                         static_cast<std::uint8_t>(9 - bits)};
  const auto grids = fit(made.weights, labels, widths, layout, symmetry);
  const sweep_options options{.sparsity = 0.4, .column_block = 32};
  check_sweep(made, options, solve(made.weights, upper_of(made), options, &grids), &grids);
}

TEST_CASE("the sweep is a sequence of exact steps: grids without zero, rank-one scales", "[obs]") {
  const int bits = GENERATE(1, 2, 3, 4, 6, 8);
  const bool row_factors = GENERATE(false, true);
  const auto rule = GENERATE(mask_scope::none, mask_scope::column_block);
  const std::int64_t rows = 71;
  const std::int64_t columns = 53;
  const auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  miq::random_stream random(miq_test::seed() + 1);
  const bool own_rows = !row_factors && bits % 2 == 0;
  grid_set grids;
  grids.symmetry = grid_symmetry::zero_free;
  grids.scale = matrix<float>(own_rows ? rows : 1, columns);
  grids.zero = matrix<float>(own_rows ? rows : 1, columns);
  for (std::int64_t c = 0; c < columns; ++c) {
    grids.bits.push_back(static_cast<std::uint8_t>(c % 3 == 0 ? bits : 1 + c % 8));
    grids.column_grid.push_back(static_cast<std::int32_t>(columns - 1 - c));
    for (std::int64_t r = 0; r < grids.scale.rows(); ++r) {
      grids.scale(r, c) = static_cast<float>((0.5 + random.uniform()) / (1 << (grids.bits.back() - 1)));
      grids.zero(r, c) = 0.5F + 0.5F * static_cast<float>(random.below(1U << grids.bits.back()));
    }
  }
  if (row_factors)
    for (std::int64_t r = 0; r < rows; ++r) grids.row_factor.push_back(static_cast<float>(0.25 + random.uniform()));
  const sweep_options options{.mask = rule, .sparsity = 0.6, .column_block = 24};
  const auto s = solve(made.weights, upper_of(made), options, &grids);
  check_sweep(made, options, s, &grids);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      if (s.kept(r, c) != 0) {
        REQUIRE(s.weights(r, c) != 0.0F);
        REQUIRE(s.weights(r, c) == miq::quantization::dequantise(s.codes(r, c), grids.at(r, c)));
      }
}

TEST_CASE("the sweep is a sequence of exact steps: N:M masks", "[obs]") {
  const auto [kept, width, block] = GENERATE(table<std::int64_t, std::int64_t, std::int64_t>(
      {{2, 4, 128}, {1, 2, 6}, {4, 8, 16}, {3, 5, 25}, {1, 1, 7}, {7, 7, 7}, {1, 64, 64}}));
  const bool quantised = GENERATE(false, true);
  const bool wanda = GENERATE(false, true);
  const auto made = miq_test::random_layer(miq_test::seed(), 67, 90);
  std::vector<float> saliency;
  for (std::int64_t c = 0; wanda && c < 90; ++c) saliency.push_back(std::sqrt(made.hessian(c, c)));
  const sweep_options options{
      .mask = mask_scope::n_of_m, .column_block = block, .pattern_kept = kept, .pattern_width = width};
  const auto grids = fit(made.weights, 4);
  const auto* used = quantised ? &grids : nullptr;
  const auto s = solve(made.weights, upper_of(made), options, used, nullptr, 2, saliency);
  check_sweep(made, options, s, used, nullptr, saliency);
  CHECK(same(s, solve(made.weights, upper_of(made), options, used, nullptr, 5, saliency)));
}

TEST_CASE("the sweep masks by the saliency that it is given", "[obs]") {
  const auto rule = GENERATE(mask_scope::column_block, mask_scope::row);
  const auto made = miq_test::random_layer(miq_test::seed(), 35, 77);
  std::vector<float> saliency;
  for (std::int64_t c = 0; c < 77; ++c) saliency.push_back(c % 7 == 0 ? 0.0F : std::sqrt(made.hessian(c, c)));
  const sweep_options options{.mask = rule, .sparsity = 0.55, .column_block = 32};
  check_sweep(made, options, solve(made.weights, upper_of(made), options, nullptr, nullptr, 2, saliency), nullptr,
              nullptr, saliency);
}

TEST_CASE("the sweep follows a given mask", "[obs]") {
  const bool quantised = GENERATE(false, true);
  const auto made = miq_test::random_layer(miq_test::seed(), 41, 83);
  miq::random_stream random(miq_test::seed());
  matrix<std::uint8_t> kept(41, 83);
  for (std::int64_t i = 0; i < kept.size(); ++i) kept.data()[i] = static_cast<std::uint8_t>(random.below(3) * 100);
  const sweep_options options{.mask = mask_scope::given, .column_block = 20};
  const auto grids = fit(made.weights, 3);
  const auto* used = quantised ? &grids : nullptr;
  check_sweep(made, options, solve(made.weights, upper_of(made), options, used, &kept), used, &kept);
}

TEST_CASE("the sweep of a column that is the whole layer rounds to nearest", "[obs]") {
  // With H = 1 there is nothing to make up: codes are the nearest ones, halves to the even one.
  matrix<float> hessian(1, 1, 1.0F);
  matrix<float> upper(1, 1, 1.0F);
  matrix<float> weights(9, 1);
  for (std::int64_t r = 0; r < 9; ++r) weights(r, 0) = 0.5F * static_cast<float>(r) - 0.5F;  // -0.5, 0, 0.5, ... 3.5
  grid_set grids;
  grids.scale = matrix<float>(1, 1, 1.0F);
  grids.zero = matrix<float>(1, 1, 1.0F);
  grids.bits = {2};
  grids.column_grid = {0};
  const auto s = solve(weights, upper, {.mask = mask_scope::none}, &grids);
  // w / scale is rounded before the zero point is added: -0, 0, 0, 1, 2, 2, 2, 3, 4, and then plus 1.
  const int expected[9] = {1, 1, 1, 2, 3, 3, 3, 3, 3};
  for (std::int64_t r = 0; r < 9; ++r) CHECK(static_cast<int>(s.codes(r, 0)) == expected[r]);
  CHECK(s.result.clamped == 2);  // 3, and 3.5 -> 4
}

TEST_CASE("equally salient weights are masked by row, then column", "[obs]") {
  // H is the identity, so that saliencies are the squared weights.
  const std::int64_t rows = 300;
  const std::int64_t columns = 24;
  matrix<float> upper(columns, columns);
  for (std::int64_t j = 0; j < columns; ++j) upper(j, j) = 1;
  matrix<float> weights(rows, columns);
  for (std::int64_t i = 0; i < weights.size(); ++i) weights.data()[i] = i % 2 == 0 ? 3.0F : -3.0F;
  const float common = GENERATE(3.0F, 0.0F);
  for (std::int64_t i = 0; i < weights.size(); ++i) weights.data()[i] *= common / 3;
  for (const double sparsity : {0.1, 0.5, 0.7}) {
    const auto s = solve(weights, upper, {.sparsity = sparsity, .column_block = 16});
    for (const auto& [first, last] : {std::pair<std::int64_t, std::int64_t>{0, 16}, {16, 24}}) {
      const auto width = last - first;
      const auto count = static_cast<std::int64_t>(sparsity * static_cast<double>(rows * width));
      for (std::int64_t r = 0; r < rows; ++r)
        for (auto c = first; c < last; ++c) REQUIRE(s.kept(r, c) == (r * width + c - first < count ? 0 : 1));
    }
    const auto each = solve(weights, upper, {.mask = mask_scope::row, .sparsity = sparsity, .column_block = 16});
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        REQUIRE(each.kept(r, c) == (c % 16 < static_cast<std::int64_t>(sparsity * (c < 16 ? 16.0 : 8.0)) ? 0 : 1));
  }
}

TEST_CASE("zero weights go first, and the mask counts exactly", "[obs]") {
  auto made = miq_test::random_layer(miq_test::seed(), 53, 48);
  for (std::int64_t r = 0; r < 53; ++r)
    for (std::int64_t c = 0; c < 48; ++c)
      if ((r + c) % 3 == 0) made.weights(r, c) = 0;
  for (const double sparsity : {0.2, 0.7, 0.999}) {
    const sweep_options options{.sparsity = sparsity, .column_block = 48};
    const auto s = solve(made.weights, upper_of(made), options);
    check_sweep(made, options, s, nullptr);
    if (sparsity > 0.4)
      for (std::int64_t r = 0; r < 53; ++r)
        for (std::int64_t c = 0; c < 48; ++c)
          if ((r + c) % 3 == 0) REQUIRE(s.kept(r, c) == 0);
  }
}

TEST_CASE("the sweep is the same to the bit for any number of threads", "[obs]") {
  const auto [rows, columns, block] =
      GENERATE(table<std::int64_t, std::int64_t, std::int64_t>({{67, 90, 16}, {300, 700, 128}, {1100, 150, 64}}));
  const auto rule = GENERATE(mask_scope::column_block, mask_scope::row);
  const auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  const auto upper = upper_of(made);
  const auto grids = fit(made.weights, 4);
  const sweep_options options{.mask = rule, .column_block = block};
  const auto one = solve(made.weights, upper, options, &grids, nullptr, 1);
  CHECK(same(one, solve(made.weights, upper, options, &grids, nullptr, 2)));
  CHECK(same(one, solve(made.weights, upper, options, &grids, nullptr, 5)));
}

TEST_CASE("strided views, missing outputs and a given workspace change nothing", "[obs]") {
  const std::int64_t rows = 45;
  const std::int64_t columns = 77;
  const auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  const auto upper = upper_of(made);
  const auto grids = fit(made.weights, 4);
  const sweep_options options{.column_block = 32};
  const auto plain = solve(made.weights, upper, options, &grids);

  const auto leading = columns + 6;
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  matrix<float> weights(rows, leading, nan);
  matrix<float> factor(columns, leading, nan);
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(&made.weights(r, 0), columns, &weights(r, 0));
  for (std::int64_t r = 0; r < columns; ++r) std::copy_n(&upper(r, r), columns - r, &factor(r, r));
  matrix<float> out(rows, leading, 5.0F);
  matrix<std::uint8_t> codes(rows, leading, 55);
  matrix<std::uint8_t> kept(rows, leading, 55);
  std::vector<double> row_loss(static_cast<std::size_t>(rows));
  const miq::host_executor exec({.threads = 2});
  const auto view = grids.view();
  const miq::obs::sweep_inputs<> in{
      {weights.data(), rows, columns, leading}, {factor.data(), columns, columns, leading}, view, {}};
  const auto bytes = static_cast<std::size_t>(miq::obs::sweep_workspace_bytes(rows, columns, 1, rows, options));
  std::vector<std::byte> scratch(bytes + 3, std::byte{0xFF});  // NaN, were it read before it is written
  const miq::workspace given{scratch.data() + 3, bytes};
  miq::obs::sweep(exec, in,
                  {{out.data(), rows, columns, leading},
                   {codes.data(), rows, columns, leading},
                   {kept.data(), rows, columns, leading},
                   row_loss},
                  options, given);
  CHECK(row_loss == plain.row_loss);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      REQUIRE(out(r, c) == plain.weights(r, c));
      REQUIRE(codes(r, c) == plain.codes(r, c));
      REQUIRE(kept(r, c) == plain.kept(r, c));
    }
    for (auto c = columns; c < leading; ++c) {
      REQUIRE(out(r, c) == 5.0F);
      REQUIRE(codes(r, c) == 55);
      REQUIRE(kept(r, c) == 55);
    }
  }
  const auto nothing = miq::obs::sweep(exec, in, {}, options, given);
  CHECK(nothing.loss == plain.result.loss);
  CHECK(nothing.masked == plain.result.masked);
  CHECK(nothing.clamped == plain.result.clamped);
  std::fill(codes.data(), codes.data() + codes.size(), std::uint8_t{55});
  miq::obs::sweep(exec, in, {{}, {codes.data(), rows, columns, leading}, {}, {}}, options);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) REQUIRE(codes(r, c) == plain.codes(r, c));

  CHECK_THROWS_AS(miq::obs::sweep(exec, in, {}, options, {scratch.data(), bytes - 1}), miq::out_of_memory);
}

TEST_CASE("one allocation a sweep", "[obs]") {
  struct counting : std::pmr::memory_resource {
    std::int64_t allocations = 0;
    void* do_allocate(std::size_t size, std::size_t alignment) override {
      ++allocations;
      return std::pmr::new_delete_resource()->allocate(size, alignment);
    }
    void do_deallocate(void* p, std::size_t size, std::size_t alignment) override {
      std::pmr::new_delete_resource()->deallocate(p, size, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  } resource;
  const auto made = miq_test::random_layer(miq_test::seed(), 40, 50);
  const auto upper = upper_of(made);
  const miq::host_executor exec({.threads = 2, .resource = &resource});
  matrix<float> out(40, 50);
  miq::obs::sweep(exec, {made.weights.view(), upper.view(), {}, {}}, {out.view(), {}, {}, {}});
  CHECK(resource.allocations == 1);
}

TEST_CASE("the sweep rejects what it cannot take, naming it, and leaves outputs alone", "[obs]") {
  const std::int64_t rows = 20;
  const std::int64_t columns = 30;
  auto made = miq_test::random_layer(miq_test::seed(), rows, columns);
  auto upper = upper_of(made);
  auto grids = fit(made.weights, 4);
  const miq::host_executor exec({.threads = 2});
  matrix<float> out(rows, columns, 5.0F);
  matrix<std::uint8_t> codes(rows, columns, 55);
  matrix<std::uint8_t> kept(rows, columns, 55);
  std::vector<double> row_loss(static_cast<std::size_t>(rows), 5.0);
  auto view = grids.view();
  miq::obs::sweep_inputs<> in{made.weights.view(), upper.view(), view, {}};
  miq::obs::sweep_outputs<> to{out.view(), codes.view(), kept.view(), row_loss};
  const auto rejects = [&](const std::string& part, const sweep_options& options = {}) {
    CHECK_THROWS_AS(miq::obs::sweep(exec, in, to, options), miq::invalid_argument);
    CHECK_THROWS_WITH(miq::obs::sweep(exec, in, to, options), miq_test::contains(part));
    for (std::int64_t i = 0; i < out.size(); ++i) {
      REQUIRE(out.data()[i] == 5.0F);
      REQUIRE(codes.data()[i] == 55);
      REQUIRE(kept.data()[i] == 55);
    }
    for (const double loss : row_loss) REQUIRE(loss == 5.0);
  };
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, inf, -inf}) {
    const float good = made.weights(7, 19);
    made.weights(7, 19) = bad;
    made.weights(12, 3) = bad;
    rejects("row 7, column 19");
    made.weights(7, 19) = made.weights(12, 3) = good;
    const float diagonal = upper(11, 11);
    upper(11, 11) = bad;
    rejects("diagonal entry 11");
    upper(11, 11) = diagonal;
  }
  for (const auto scope : {mask_scope::layer, mask_scope::column_group}) rejects("mask_scope", {.mask = scope});
  rejects("sparsity", {.sparsity = 1.0});
  rejects("sparsity", {.sparsity = -0.1});
  rejects("sparsity", {.sparsity = std::numeric_limits<double>::quiet_NaN()});
  rejects("column_block", {.column_block = 0});
  rejects("column_block", {.column_block = 1025});
  rejects("kept must be given", {.mask = mask_scope::given});
  for (const float bad : {0.0F, -1.0F, nan, inf}) {
    const float good = grids.scale(9, 0);
    grids.scale(9, 0) = bad;
    rejects("scale of row 9, grid 0");
    grids.scale(9, 0) = good;
  }
  for (const float bad : {-1.0F, 256.0F, nan, 0.3F}) {
    const float good = grids.zero(9, 0);
    grids.zero(9, 0) = bad;
    rejects("zero point of row 9, grid 0");
    grids.zero(9, 0) = good;
  }
  grids.bits[0] = 9;
  rejects("bits of grid 0");
  grids.bits[0] = 4;
  grids.column_grid[8] = 1;
  rejects("grid of column 8");
  grids.column_grid[8] = 0;

  to.weights = made.weights.view();
  CHECK_THROWS_AS(miq::obs::sweep(exec, in, to), miq::invalid_argument);
  to.weights = {upper.data() + 1, rows, columns};
  CHECK_THROWS_AS(miq::obs::sweep(exec, in, to), miq::invalid_argument);
  to.weights = {};
  to.kept = codes.view();
  CHECK_THROWS_WITH(miq::obs::sweep(exec, in, to), miq_test::contains("must not overlap outputs.codes"));
  to.kept = {};
  matrix<float> own_scale(rows, columns);
  to.weights = {grids.scale.data(), 1, 1};
  CHECK_THROWS_AS(miq::obs::sweep(exec, in, to), miq::invalid_argument);
  to.weights = {out.data(), rows, columns - 1};
  CHECK_THROWS_WITH(miq::obs::sweep(exec, in, to), miq_test::contains("[20, 29]"));
  to.weights = out.view();
  in.grids.reset();
  CHECK_THROWS_WITH(miq::obs::sweep(exec, in, to), miq_test::contains("codes needs grids"));
  in.upper = {upper.data(), columns - 1, columns - 1, columns};
  CHECK_THROWS_WITH(miq::obs::sweep(exec, in, to), miq_test::contains("upper must be [30, 30]"));
}

TEST_CASE("outputs of a sweep do not overlap its grids", "[obs]") {
  const std::int64_t columns = 12;
  const auto made = miq_test::random_layer(miq_test::seed(), 10, columns);
  const auto upper = upper_of(made);
  // Grids of one scale per column and as many rows as the layer, so that the shapes would let the weights be written
  // over them.
  std::vector<std::int32_t> labels(static_cast<std::size_t>(columns));
  for (std::size_t c = 0; c < labels.size(); ++c) labels[c] = static_cast<std::int32_t>(c);
  auto grids = fit(made.weights, labels, std::vector<std::uint8_t>(static_cast<std::size_t>(columns), 4),
                   grid_layout::per_row_and_group, grid_symmetry::asymmetric);
  const auto view = grids.view();
  const miq::host_executor exec({.threads = 1});
  const miq::obs::sweep_inputs<> in{made.weights.view(), upper.view(), view, {}};
  CHECK_THROWS_WITH(miq::obs::sweep(exec, in, {grids.scale.view(), {}, {}, {}}), miq_test::contains("scale"));
  CHECK_THROWS_WITH(miq::obs::sweep(exec, in, {grids.zero.view(), {}, {}, {}}), miq_test::contains("zero"));
}

TEST_CASE("updates that overflow end in an error", "[obs]") {
  const auto made = miq_test::random_layer(miq_test::seed(), 40, 60);
  auto upper = upper_of(made);
  for (std::int64_t r = 0; r < 60; ++r)
    for (auto c = r + 1; c < 60; ++c) upper(r, c) = 3e38F;
  CHECK_THROWS_AS(solve(made.weights, upper, {.column_block = 16}), miq::numerical_error);
}

TEST_CASE("progress of a sweep rises to 1, and can cancel it", "[obs]") {
  const auto made = miq_test::random_layer(miq_test::seed(), 30, 100);
  const auto upper = upper_of(made);
  const miq::host_executor exec({.threads = 2});
  matrix<float> out(30, 100);
  std::vector<double> seen;
  miq::obs::sweep(exec, {made.weights.view(), upper.view(), {}, {}}, {out.view(), {}, {}, {}}, {.column_block = 16}, {},
                  [&](std::string_view phase, double fraction) {
                    CHECK(phase == "sweep");
                    seen.push_back(fraction);
                    return true;
                  });
  REQUIRE(seen.size() == 7);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() == 1.0);
  int calls = 0;
  CHECK_THROWS_AS(miq::obs::sweep(exec, {made.weights.view(), upper.view(), {}, {}}, {out.view(), {}, {}, {}},
                                  {.column_block = 16}, {}, [&](std::string_view, double) { return ++calls < 3; }),
                  miq::cancelled);
  CHECK(calls == 3);
}

TEST_CASE("the loss is the output error on the calibration data and what the damping adds", "[obs]") {
  // H = 2/n X^T X, undamped: the sweep's loss is |X W^T - X Q^T|^2 / n.
  miq::random_stream random(miq_test::seed());
  const std::int64_t columns = 24;
  const MatrixXd x = miq_test::normal_matrix(random, 100, columns);
  const auto hessian = miq_test::to_float(2.0 / 100 * (x.transpose() * x));
  const auto weights = miq_test::to_float(miq_test::normal_matrix(random, 9, columns));
  const miq::host_executor exec({.threads = 1});
  matrix<float> upper(columns, columns);
  miq::obs::factor(exec, hessian.view(), upper.view(), {.damping = 0});
  const auto grids = fit(weights, 3);
  const auto s = solve(weights, upper, {.sparsity = 0.5, .column_block = 8}, &grids);
  const double error = (x * (to_double(weights) - to_double(s.weights)).transpose()).squaredNorm() / 100;
  CHECK(s.result.loss == Approx(error).epsilon(1e-4));
}

TEMPLATE_TEST_CASE("weights of 16 bits are swept as their floats are", "[obs]", miq::float16, miq::bfloat16) {
  const auto made = miq_test::random_layer(miq_test::seed(), 21, 90);
  const auto upper = upper_of(made);
  const miq::host_executor exec({.threads = 2});
  matrix<TestType> weights(21, 90), got(21, 90);
  matrix<float> same(21, 90), expected(21, 90);
  for (std::int64_t k = 0; k < weights.size(); ++k) {
    weights.data()[k] = TestType(made.weights.data()[k]);
    same.data()[k] = static_cast<float>(weights.data()[k]);
  }
  const auto grids = fit(same, 4);
  const sweep_options options{.sparsity = 0.4, .column_block = 32};
  matrix<std::uint8_t> codes(21, 90), expected_codes(21, 90);
  const auto wanted = miq::obs::sweep(exec, {.weights = same, .upper = upper, .grids = grids},
                                      {.weights = expected, .codes = expected_codes}, options);
  const miq::obs::sweep_inputs<miq::host_memory, TestType> in{.weights = weights, .upper = upper, .grids = grids};
  const miq::obs::sweep_outputs<miq::host_memory, TestType> out{.weights = got, .codes = codes};
  const auto result = miq::obs::sweep(exec, in, out, options);
  CHECK(result.loss == wanted.loss);
  for (std::int64_t k = 0; k < got.size(); ++k) {
    REQUIRE(codes.data()[k] == expected_codes.data()[k]);
    REQUIRE(got.data()[k].bits == TestType(expected.data()[k]).bits);
  }
  const miq::obs::sweep_outputs<miq::host_memory, TestType> itself{.weights = weights};
  CHECK_THROWS_WITH(miq::obs::sweep(exec, in, itself, options), miq_test::contains("overlap"));
}
