// The whole way in one call: what comes out fits together, keeps its budget and does not depend on the threads.
#include <miq/calibration/accumulator.hpp>
#include <miq/calibration/cross_moments.hpp>
#include <miq/compress.hpp>
#include <miq/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <Eigen/Dense>

#include "compress/layer_checks.hpp"
#include "test_support/catch.hpp"

namespace {

using miq::host_executor;
using miq::matrix;
using miq_test::all_methods;
using miq_test::block_activations;
using miq_test::random_weights;
using miq_test::same;
using miq_test::to_eigen;

miq::calibration::statistics statistics_of(const host_executor& exec, const matrix<float>& x) {
  miq::calibration::accumulator seen(x.columns());
  seen.add(exec, x.view());
  return seen.finish(exec);
}

}  // namespace

TEST_CASE("every method's parts fit together, and its loss is the quadratic form of the error", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const auto [rows, columns] = GENERATE(table<std::int64_t, std::int64_t>({{31, 48}, {64, 130}, {127, 257}}));
  const auto x = block_activations(3 * columns, columns, 5, 0.6, seed);
  const auto seen = statistics_of(exec, x);
  const auto weights = random_weights(rows, columns, seed + 1);
  for (const auto& [name, options] : all_methods(0.5, 4)) {
    INFO(name << ", " << rows << " x " << columns);
    miq_test::check_layer(miq::compress(exec, weights.view(), seen.view(), options), weights, x, options);
  }
}

TEST_CASE("the budget is kept to the bit when the mask is known beforehand, and hardly underspent", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const double sparsity = GENERATE(0.0, 0.3, 0.5, 0.7);
  const double bits = GENERATE(3.0, 3.5, 4.0, 6.0);
  const std::int64_t rows = 96;
  const std::int64_t columns = 120;
  const auto seen = statistics_of(exec, block_activations(500, columns, 7, 0.7, seed));
  const auto weights = random_weights(rows, columns, seed + 1);
  for (const auto& options : {miq::enhanced_options(sparsity, bits), miq::mi_options(sparsity, bits)}) {
    const auto layer = miq::compress(exec, weights.view(), seen.view(), options);
    const auto& storage = layer.report.storage;
    const double uniform = static_cast<double>(storage.kept) * bits + static_cast<double>(rows) * (16 + bits) +
                           (sparsity > 0 ? static_cast<double>(rows * columns) : 0);
    CHECK(layer.report.budget_bits == Approx(uniform).epsilon(1e-12));
    CHECK(storage.total() <= uniform);
    // What is left is less than one more bit for the smallest group (its kept weights and zero points), and what
    // fewer parts than two a group need less for indices.
    double cheapest = std::numeric_limits<double>::infinity();
    for (const auto& group : layer.report.groups)
      if (group.bits < 8) cheapest = std::min(cheapest, static_cast<double>(group.kept + group.columns));
    CHECK(uniform - storage.total() < cheapest + columns);
    CHECK(layer.report.allocation_gap < 0.01);
  }
}

TEST_CASE("sparsegpt stores exactly what the budget of the others is made of", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 1});
  const auto seen = statistics_of(exec, block_activations(300, 64, 4, 0.5, seed));
  const auto weights = random_weights(40, 64, seed + 1);
  const auto layer = miq::compress(exec, weights.view(), seen.view(), miq::sparsegpt_options(0.5, 4));
  CHECK(layer.report.storage.total() == 40 * 32 * 4 + 40 * (16 + 4) + 40 * 64);
  CHECK(layer.report.storage.code_bits_per_kept_weight() == 4);
}

TEST_CASE("planted blocks of redundant columns are found and given fewer bits", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  // Columns 0, 3, 6, ... nearly equal; the others each on their own signal of two: block 0 is the redundant one.
  const std::int64_t columns = 60;
  auto x = block_activations(2000, columns, 3, 0.9, seed);
  miq::random_stream random(seed + 7);
  for (std::int64_t t = 0; t < x.rows(); ++t)
    for (std::int64_t c = 0; c < columns; c += 3) x(t, c) = x(t, 0) + 0.02F * static_cast<float>(random.normal());
  // Without a mask: one would remove the redundancy, and leave few large weights to the redundant block.
  auto options = miq::mi_options(0, 4);
  options.groups = 0;
  const auto seen = statistics_of(exec, x);
  const auto weights = random_weights(50, columns, seed + 1);
  const auto shared = miq::prepare(exec, seen.view(), options);
  REQUIRE(shared.groups.groups() == 3);
  for (std::int64_t c = 3; c < columns; ++c)
    REQUIRE(shared.groups.labels()[static_cast<std::size_t>(c)] ==
            shared.groups.labels()[static_cast<std::size_t>(c % 3)]);
  options.split_groups = false;
  const auto whole = miq::compress(exec, weights.view(), seen.view(), shared, options);
  CHECK(whole.groups == shared.groups);
  CHECK(whole.bits[0] < whole.bits[1]);
  CHECK(whole.bits[0] < whole.bits[2]);
  for (const auto& group : whole.report.groups) CHECK(group.mi_within > 10 * std::abs(group.mi_between));

  // Parts of the groups realise more: the last column of each block is not redundant given those after it.
  options.split_groups = true;
  const auto split = miq::compress(exec, weights.view(), seen.view(), shared, options);
  CHECK(split.groups.groups() > 3);
  CHECK(split.groups.groups() <= 6);
  for (std::int64_t g = 0; g < split.groups.groups(); ++g)
    for (const auto c : split.groups.members(g)) CHECK(c % 3 == split.groups.members(g).front() % 3);
  CHECK(split.report.headroom_bits == Approx(whole.report.headroom_bits));
  CHECK(split.report.realised_bits > whole.report.realised_bits);
  CHECK(split.report.realised_bits <= split.report.headroom_bits);
  CHECK(split.report.loss < whole.report.loss);
  CHECK(split.bits[static_cast<std::size_t>(split.groups.labels()[columns - 3])] >
        split.bits[static_cast<std::size_t>(split.groups.labels()[0])]);
}

TEST_CASE("what earlier layers lost is made up where the drift is known", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const std::int64_t columns = 50, rows = 33;
  const auto dense = block_activations(1500, columns, 6, 0.5, seed);
  const auto now = miq_test::drifted(dense, seed + 3);
  const auto seen = statistics_of(exec, now);
  const auto weights = random_weights(rows, columns, seed + 1);
  miq::calibration::cross_moments drift(columns, columns, {.difference = true});
  drift.add(exec, now.view(), dense.view());

  const Eigen::MatrixXd wanted = to_eigen(dense) * to_eigen(weights).transpose();
  const auto error = [&](const miq::compressed_layer& layer) {
    return (wanted - to_eigen(now) * to_eigen(layer.weights).transpose()).squaredNorm() / wanted.squaredNorm();
  };
  for (const auto order : {miq::column_order::natural, miq::column_order::descending_diagonal}) {
    auto options = miq::mi_options(0.5, 4);
    options.order = order;
    auto shared = miq::prepare(exec, seen.view(), options);
    const auto unaware = miq::compress(exec, weights.view(), seen.view(), shared, options);
    CHECK(unaware.report.target_change == 0);
    shared.drift = drift.finish(exec);
    const auto aware = miq::compress(exec, weights.view(), seen.view(), shared, options);
    options.target_strength = 0.5;
    const auto half = miq::compress(exec, weights.view(), seen.view(), shared, options);
    CHECK(aware.report.target_change > 0.1);
    CHECK(half.report.target_change == Approx(aware.report.target_change / 2).epsilon(1e-3));
    CHECK(error(aware) < error(half));
    CHECK(error(half) < error(unaware));
    options.target_strength = 0;
    CHECK(same(miq::compress(exec, weights.view(), seen.view(), shared, options).weights, unaware.weights));
    // With the bias's change the mean output is that of the dense layer.
    const Eigen::RowVectorXd mean = (to_eigen(now) * to_eigen(aware.weights).transpose()).colwise().mean();
    for (std::int64_t r = 0; r < rows; ++r)
      CHECK(mean(r) + static_cast<double>(aware.bias_change[static_cast<std::size_t>(r)]) ==
            Approx(wanted.col(r).mean()).margin(1e-3));
  }
  auto shared = miq::prepare(exec, seen.view(), miq::mi_options(0.5, 4));
  shared.drift = miq::calibration::cross_statistics{};
  CHECK_THROWS_WITH(miq::compress(exec, weights.view(), seen.view(), shared, miq::mi_options(0.5, 4)),
                    miq_test::contains("drift") && miq_test::contains("50"));
}

TEST_CASE("each part of mi lowers the loss it was made for", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const auto seen = statistics_of(exec, block_activations(900, 160, 9, 0.7, seed));
  const auto weights = random_weights(120, 160, seed + 1);
  auto plain = miq::mi_options(0.6, 4);
  plain.method = miq::mask_method::pruning_sweep;
  plain.refit_iterations = -1;
  auto refitted = plain;
  refitted.refit_iterations = 3;
  const auto searched = miq::mi_options(0.6, 4);
  const auto without = miq::compress(exec, weights.view(), seen.view(), plain);
  const auto with_refit = miq::compress(exec, weights.view(), seen.view(), refitted);
  const auto with_search = miq::compress(exec, weights.view(), seen.view(), searched);
  CHECK(with_refit.report.loss < 0.97 * without.report.loss);
  CHECK(with_search.report.loss < with_refit.report.loss);
  CHECK(same(with_refit.kept, without.kept));
  CHECK(with_search.report.exchanged > 0);
  CHECK(with_refit.report.exchanged == 0);
  // The refit's own error falls with every iteration.
  const auto& losses = with_refit.report.refit_loss;
  REQUIRE(losses.size() == 4);
  for (std::size_t i = 1; i < losses.size(); ++i) CHECK(losses[i] < losses[i - 1]);
}

TEST_CASE("N:M masks keep N of M in every order of the sweep", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const std::int64_t columns = 72;
  const auto seen = statistics_of(exec, block_activations(500, columns, 5, 0.6, seed));
  const auto weights = random_weights(21, columns, seed + 1);
  const auto [kept, width] = GENERATE(table<std::int64_t, std::int64_t>({{2, 4}, {1, 4}, {4, 8}}));
  auto options = miq::mi_options(0.5, 4);
  options.mask = miq::obs::mask_scope::n_of_m;
  options.pattern_kept = kept;
  options.pattern_width = width;
  for (const auto order : {miq::column_order::natural, miq::column_order::representatives}) {
    options.method =
        order == miq::column_order::natural ? miq::mask_method::pruning_sweep : miq::mask_method::selection;
    options.order = order;
    const auto layer = miq::compress(exec, weights.view(), seen.view(), options);
    for (std::int64_t r = 0; r < 21; ++r)
      for (std::int64_t first = 0; first < columns; first += width) {
        std::int64_t here = 0;
        for (std::int64_t c = first; c < first + width; ++c) here += layer.kept(r, c);
        if (here != kept) FAIL("row " << r << ", columns from " << first << ": " << here << " kept");
      }
    CHECK(layer.report.storage.total() <= layer.report.budget_bits);
  }
  options.method = miq::mask_method::search;
  CHECK_THROWS_WITH(miq::compress(exec, weights.view(), seen.view(), options), miq_test::contains("search"));
  options.method = miq::mask_method::pruning_sweep;
  options.order = miq::column_order::by_group;
  CHECK_THROWS_WITH(miq::compress(exec, weights.view(), seen.view(), options), miq_test::contains("natural order"));
}

TEST_CASE("columns in other units change nothing but their scales", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const std::int64_t columns = 96;
  auto x = block_activations(700, columns, 6, 0.6, seed);
  auto weights = random_weights(64, columns, seed + 1);
  const auto even = miq::compress(exec, weights.view(), statistics_of(exec, x).view(), miq::mi_options(0.6, 4));
  const auto groups = miq::prepare(exec, statistics_of(exec, x).view()).groups;
  miq::random_stream random(seed + 9);
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto unit = static_cast<float>(std::exp2(std::floor(8 * random.uniform()) - 4));
    for (std::int64_t t = 0; t < x.rows(); ++t) x(t, c) *= unit;
    for (std::int64_t r = 0; r < weights.rows(); ++r) weights(r, c) /= unit;
  }
  const auto uneven = miq::compress(exec, weights.view(), statistics_of(exec, x).view(), miq::mi_options(0.6, 4));
  CHECK(miq::prepare(exec, statistics_of(exec, x).view()).groups == groups);
  CHECK(uneven.report.loss == Approx(even.report.loss).epsilon(0.01));
  std::int64_t differ = 0;
  for (std::int64_t i = 0; i < even.kept.size(); ++i) differ += even.kept.data()[i] != uneven.kept.data()[i] ? 1 : 0;
  CHECK(static_cast<double>(differ) < 0.01 * static_cast<double>(even.kept.size()));
}

TEST_CASE("results do not depend on the number of threads, to the bit", "[compress]") {
  const auto seed = miq_test::seed();
  const auto x = block_activations(400, 190, 6, 0.6, seed);
  const auto weights = random_weights(77, 190, seed + 1);
  for (const auto& [name, options] : all_methods(0.6, 3)) {
    INFO(name);
    const host_executor one({.threads = 1});
    const auto expected = miq::compress(one, weights.view(), statistics_of(one, x).view(), options);
    for (const int threads : {2, 5}) {
      const host_executor exec({.threads = threads});
      const auto layer = miq::compress(exec, weights.view(), statistics_of(exec, x).view(), options);
      CHECK(same(layer.weights, expected.weights));
      CHECK(same(layer.codes, expected.codes));
      CHECK(same(layer.kept, expected.kept));
      CHECK(same(layer.grids.scale, expected.grids.scale));
      CHECK(layer.groups == expected.groups);
      CHECK(layer.bits == expected.bits);
      CHECK(layer.report.loss == expected.report.loss);
    }
  }
}

TEST_CASE("layers that share an input share what prepare made of it", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const auto seen = statistics_of(exec, block_activations(300, 64, 4, 0.5, seed));
  const auto options = miq::mi_options(0.5, 4);
  const auto shared = miq::prepare(exec, seen.view(), options);
  for (const std::int64_t rows : {24, 37, 64}) {
    const auto weights = random_weights(rows, 64, seed + static_cast<std::uint64_t>(rows));
    const auto apart = miq::compress(exec, weights.view(), seen.view(), shared, options);
    const auto at_once = miq::compress(exec, weights.view(), seen.view(), options);
    CHECK(same(apart.weights, at_once.weights));
    CHECK(apart.bits == at_once.bits);
  }
  // What was prepared for less does not do.
  const auto plain = miq::prepare(exec, seen.view(), miq::sparsegpt_options(0.5, 4));
  CHECK_THROWS_WITH(miq::compress(exec, random_weights(8, 64, seed).view(), seen.view(), plain, options),
                    miq_test::contains("hessian"));
}

TEST_CASE("pruning alone keeps 16 bits a weight and quantises nothing", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const auto seen = statistics_of(exec, block_activations(300, 64, 4, 0.5, seed));
  const auto weights = random_weights(24, 64, seed + 1);
  auto options = miq::sparsegpt_options(0.5, 4);
  options.quantise = false;
  const auto layer = miq::compress(exec, weights.view(), seen.view(), options);
  CHECK(layer.codes.empty());
  CHECK(layer.grids.bits.empty());
  CHECK(layer.report.storage.total() == 24 * 32 * 16 + 24 * 64);
  CHECK(layer.report.loss > 0);
  options.sparsity = 0;
  const auto dense = miq::compress(exec, weights.view(), seen.view(), options);
  CHECK(same(dense.weights, weights));
  CHECK(dense.report.loss == 0);
  CHECK(dense.report.storage.total() == 24 * 64 * 16);
}

TEST_CASE("dead, constant and duplicated columns, and the smallest layers", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  auto x = block_activations(400, 40, 4, 0.5, seed);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    x(t, 3) = 0;          // dead
    x(t, 11) = 2.5F;      // constant
    x(t, 20) = x(t, 21);  // duplicated
  }
  const auto seen = statistics_of(exec, x);
  for (const auto& [name, options] : all_methods(0.5, 4)) {
    INFO(name);
    const auto layer = miq::compress(exec, random_weights(16, 40, seed + 1).view(), seen.view(), options);
    CHECK(layer.report.dead == 1);
    for (std::int64_t r = 0; r < 16; ++r) CHECK(layer.weights(r, 3) == 0);
    CHECK(std::isfinite(layer.report.loss));
  }
  for (const std::int64_t columns : {1, 2, 3, 5}) {
    const auto few = statistics_of(exec, block_activations(50, columns, 1, 0.5, seed));
    for (const auto& method : all_methods(0.5, 4)) {
      auto options = method.options;
      // So small a layer cannot pay for groups out of a uniform budget; ask for what it can.
      options.average_bits = 8;
      options.budget.minimum_bits = 1;
      if (options.fit.layout == miq::quantization::grid_layout::per_row_and_group &&
          options.grouping != miq::column_grouping::single)
        continue;
      if (options.order != miq::column_order::natural && columns == 1) continue;
      INFO(method.name << ", " << columns << " columns");
      const auto layer = miq::compress(exec, random_weights(40, columns, seed + 1).view(), few.view(), options);
      CHECK(layer.weights.columns() == columns);
      CHECK(layer.report.storage.total() <=
            8 * 40.0 * static_cast<double>(columns) + 40 * 24 + 40.0 * static_cast<double>(columns));
      if (!layer.grids.bits.empty() && options.grouping != miq::column_grouping::single)
        CHECK(layer.report.storage.total() <= layer.report.budget_bits);
    }
  }
}

TEST_CASE("bad input is named and nothing is lost", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const auto seen = statistics_of(exec, block_activations(300, 32, 4, 0.5, seed));
  auto weights = random_weights(8, 32, seed + 1);
  const auto fails = [&](const miq::compress_options& options, const char* part) {
    CHECK_THROWS_WITH(miq::compress(exec, weights.view(), seen.view(), options), miq_test::contains(part));
    CHECK_THROWS_AS(miq::compress(exec, weights.view(), seen.view(), options), miq::invalid_argument);
  };
  fails(miq::mi_options(1.0, 4), "sparsity must be in [0, 1), got 1");
  fails(miq::mi_options(-0.1, 4), "sparsity");
  fails(miq::mi_options(std::numeric_limits<double>::quiet_NaN(), 4), "sparsity");
  fails(miq::mi_options(0.5, 9), "average_bits must be 1 to 8, got 9");
  fails(miq::mi_options(0.5, 1), "budget");
  auto fraction = miq::sparsegpt_options(0.5, 4);
  fraction.average_bits = 3.5;
  fails(fraction, "whole number");
  auto strength = miq::mi_options(0.5, 4);
  strength.target_strength = 1.5;
  fails(strength, "target_strength must be in [0, 1], got 1.5");
  auto ridge = miq::mi_options(0.5, 4);
  ridge.target_ridge = -1;
  fails(ridge, "target_ridge");
  auto range = miq::mi_options(0.5, 4);
  range.fit.range = miq::quantization::range_rule::min_max;
  fails(range, "clip_search");
  auto widths = miq::mi_options(0.5, 4);
  widths.budget.minimum_bits = 0;
  fails(widths, "minimum_bits");
  auto given = miq::mi_options(0.5, 4);
  given.mask = miq::obs::mask_scope::given;
  fails(given, "mask must be mask_scope::none");

  weights(5, 7) = std::numeric_limits<float>::quiet_NaN();
  fails(miq::sparsegpt_options(0.5, 4), "row 5, column 7");
  weights(5, 7) = std::numeric_limits<float>::infinity();
  fails(miq::mi_options(0.5, 4), "row 5, column 7");
  weights(5, 7) = 0;

  const auto wide = random_weights(8, 33, seed + 2);
  CHECK_THROWS_WITH(miq::compress(exec, wide.view(), seen.view(), miq::mi_options(0.5, 4)), miq_test::contains("33"));
}

TEST_CASE("a progress callback sees the phases and may stop the work", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const auto seen = statistics_of(exec, block_activations(300, 256, 4, 0.5, seed));
  const auto weights = random_weights(32, 256, seed + 1);
  std::set<std::string> phases;
  double last = 0;
  miq::compress(exec, weights.view(), seen.view(), miq::mi_options(0.5, 4), [&](std::string_view phase, double done) {
    phases.emplace(phase);
    CHECK(done >= last);
    CHECK(done <= 1);
    last = done;
    return true;
  });
  CHECK(last == 1);
  CHECK(phases.contains("factor"));
  CHECK(phases.contains("mask"));
  CHECK(phases.contains("refit"));
  CHECK(phases.contains("allocation"));
  CHECK(phases.contains("sweep"));
  for (const auto& phase : phases)
    CHECK_THROWS_AS(miq::compress(exec, weights.view(), seen.view(), miq::mi_options(0.5, 4),
                                  [&](std::string_view now, double) { return now != phase; }),
                    miq::cancelled);
}

TEMPLATE_TEST_CASE("weights of 16 bits are compressed as their floats are", "[compress]", miq::float16, miq::bfloat16) {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const auto x = block_activations(900, 40, 4, 0.6, seed);
  const auto seen = statistics_of(exec, x);
  const auto dense = random_weights(23, 40, seed + 1);
  matrix<TestType> weights(23, 40);
  matrix<float> same(23, 40);
  for (std::int64_t k = 0; k < dense.size(); ++k) {
    weights.data()[k] = TestType(dense.data()[k]);
    same.data()[k] = static_cast<float>(weights.data()[k]);
  }
  for (const auto& options : {miq::mi_options(0.5, 4), miq::enhanced_options(0.5, 4)}) {
    const auto shared = miq::prepare(exec, seen.view(), options);
    const auto expected = miq::compress(exec, same, seen.view(), shared, options);
    const auto got = miq::compress(exec, weights, seen.view(), shared, options);
    CHECK(got.bits == expected.bits);
    CHECK(got.report.loss == expected.report.loss);
    CHECK(got.bias_change == expected.bias_change);
    for (std::int64_t k = 0; k < same.size(); ++k) REQUIRE(got.weights.data()[k] == expected.weights.data()[k]);
  }
  weights(3, 5) = TestType(std::numeric_limits<float>::infinity());
  CHECK_THROWS_WITH(miq::compress(exec, weights, seen.view(), miq::mi_options(0.5, 4)),
                    miq_test::contains("weights must be finite, got inf in row 3, column 5"));
}
