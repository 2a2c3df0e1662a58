// The whole way in one call: what comes out fits together, keeps its budget and does not depend on the threads.
#include <miq/calibration/accumulator.hpp>
#include <miq/compress.hpp>
#include <miq/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <Eigen/Dense>

#include "test_support/catch.hpp"

namespace {

using miq::host_executor;
using miq::matrix;

/// Columns in `blocks` blocks, dealt out in turn; those of one block share a signal of correlation `rho`.
matrix<float> block_activations(std::int64_t tokens, std::int64_t columns, std::int64_t blocks, double rho,
                                std::uint64_t seed) {
  miq::random_stream random(seed);
  matrix<float> x(tokens, columns);
  std::vector<double> signal(static_cast<std::size_t>(blocks));
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (auto& s : signal) s = random.normal();
    for (std::int64_t c = 0; c < columns; ++c)
      x(t, c) = static_cast<float>(std::sqrt(rho) * signal[static_cast<std::size_t>(c % blocks)] +
                                   std::sqrt(1 - rho) * random.normal());
  }
  return x;
}

matrix<float> random_weights(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  miq::random_stream random(seed);
  matrix<float> w(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) w(r, c) = static_cast<float>(random.normal());
  return w;
}

miq::calibration::statistics statistics_of(const host_executor& exec, const matrix<float>& x) {
  miq::calibration::accumulator seen(x.columns());
  seen.add(exec, x.view());
  return seen.finish(exec);
}

template <class T>
bool same(const matrix<T>& a, const matrix<T>& b) {
  return a.rows() == b.rows() && a.columns() == b.columns() && std::equal(a.data(), a.data() + a.size(), b.data());
}

Eigen::MatrixXd to_eigen(const matrix<float>& m) {
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(m.data(), m.rows(),
                                                                                                 m.columns())
      .cast<double>();
}

/// The bits of a layer, counted weight by weight from what it holds.
double count_bits(const miq::compressed_layer& layer) {
  double bits = 0;
  std::int64_t masked = 0;
  for (std::int64_t r = 0; r < layer.kept.rows(); ++r)
    for (std::int64_t c = 0; c < layer.kept.columns(); ++c) {
      const auto group = static_cast<std::size_t>(layer.groups.labels()[static_cast<std::size_t>(c)]);
      if (layer.kept(r, c) != 0) bits += layer.bits[group];
      masked += layer.kept(r, c) == 0 ? 1 : 0;
    }
  if (masked > 0) bits += static_cast<double>(layer.kept.size());
  for (std::int64_t r = 0; r < layer.grids.scale.rows(); ++r)
    for (std::int64_t g = 0; g < layer.grids.scale.columns(); ++g)
      bits += 16 + layer.grids.bits[static_cast<std::size_t>(g)];
  const auto groups = layer.groups.groups();
  if (groups > 1) bits += 3.0 * static_cast<double>(groups);
  if (groups > 1 && groups < layer.kept.columns()) {
    int index = 0;
    while ((std::int64_t{1} << index) < groups) ++index;
    bits += static_cast<double>(layer.kept.columns() * index);
  }
  return bits;
}

struct named_options {
  const char* name;
  miq::compress_options options;
};

std::vector<named_options> all_methods(double sparsity, int bits) {
  std::vector<named_options> methods{{"sparsegpt", miq::sparsegpt_options(sparsity, bits)},
                                     {"enhanced", miq::enhanced_options(sparsity, bits)},
                                     {"mi", miq::mi_options(sparsity, bits)}};
  auto by_row = miq::mi_options(sparsity, bits);
  by_row.fit.layout = miq::quantization::grid_layout::per_row_and_group;
  by_row.groups = 2;
  by_row.budget.minimum_bits = 1;
  methods.push_back({"mi, scales per row and group", by_row});
  auto by_group = miq::mi_options(sparsity, bits);
  by_group.fit.layout = miq::quantization::grid_layout::per_group;
  by_group.timing = miq::mask_timing::inside_sweep;
  methods.push_back({"mi, one scale a group, mask inside the sweep", by_group});
  auto chosen = miq::mi_options(sparsity, bits);
  chosen.groups = 0;
  chosen.mask = miq::obs::mask_rule::per_row;
  methods.push_back({"mi, number of groups chosen, masks per row", chosen});
  return methods;
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
    const auto layer = miq::compress(exec, weights.view(), seen.view(), options);

    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) {
        const auto grid = layer.grids.at(r, c);
        const float expected = layer.kept(r, c) != 0 ? miq::quantization::dequantise(layer.codes(r, c), grid) : 0.0F;
        if (layer.weights(r, c) != expected || layer.codes(r, c) > grid.maximum_code) {
          FAIL("row " << r << ", column " << c << ": " << layer.weights(r, c) << " instead of " << expected);
        }
      }

    const auto& storage = layer.report.storage;
    CHECK(storage.total() == count_bits(layer));
    std::int64_t masked = 0;
    for (std::int64_t first = 0; first < columns; first += 128) {
      const auto width = std::min<std::int64_t>(128, columns - first);
      masked += options.mask == miq::obs::mask_rule::per_row
                    ? rows * static_cast<std::int64_t>(0.5 * static_cast<double>(width))
                    : static_cast<std::int64_t>(0.5 * static_cast<double>(rows * width));
    }
    CHECK(storage.weights - storage.kept == masked);

    Eigen::MatrixXd h(columns, columns);
    const auto xd = to_eigen(x);
    h = 2.0 / static_cast<double>(x.rows()) * xd.transpose() * xd;
    const Eigen::VectorXd diagonal = h.diagonal();
    for (std::int64_t c = 0; c < columns; ++c)
      h(c, c) += layer.report.damping *
                 (options.factor.rule == miq::obs::damping_rule::mean_diagonal ? diagonal.mean() : diagonal(c));
    const Eigen::MatrixXd error = to_eigen(weights) - to_eigen(layer.weights);
    const double loss = 0.5 * (error * h * error.transpose()).trace();
    CHECK(layer.report.loss == Approx(loss).epsilon(1e-3));
    double rows_loss = 0;
    for (const double l : layer.row_loss) rows_loss += l;
    CHECK(rows_loss == Approx(layer.report.loss).epsilon(1e-9));

    std::int64_t kept = 0;
    std::int64_t members = 0;
    for (const auto& group : layer.report.groups) {
      kept += group.kept;
      members += group.columns;
    }
    CHECK(kept == storage.kept);
    CHECK(members == columns);
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
    // What is left is less than one more bit for the smallest group (its kept weights and zero points).
    double cheapest = std::numeric_limits<double>::infinity();
    for (const auto& group : layer.report.groups)
      if (group.bits < 8) cheapest = std::min(cheapest, static_cast<double>(group.kept + group.columns));
    CHECK(uniform - storage.total() < cheapest);
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
  auto options = miq::mi_options(0.5, 4);
  options.groups = 0;
  options.timing = miq::mask_timing::inside_sweep;  // groups of one size cost alike, so that only importance decides
  const auto layer =
      miq::compress(exec, random_weights(50, columns, seed + 1).view(), statistics_of(exec, x).view(), options);
  REQUIRE(layer.groups.groups() == 3);
  for (std::int64_t c = 3; c < columns; ++c)
    REQUIRE(layer.groups.labels()[static_cast<std::size_t>(c)] ==
            layer.groups.labels()[static_cast<std::size_t>(c % 3)]);
  CHECK(layer.bits[0] < layer.bits[1]);
  CHECK(layer.bits[0] < layer.bits[2]);
  for (const auto& group : layer.report.groups) CHECK(group.mi_within > 10 * std::abs(group.mi_between));
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
      INFO(method.name << ", " << columns << " columns");
      const auto layer = miq::compress(exec, random_weights(40, columns, seed + 1).view(), few.view(), options);
      CHECK(layer.weights.columns() == columns);
      CHECK(layer.report.storage.total() <=
            8 * 40.0 * static_cast<double>(columns) + 40 * 24 + 40.0 * static_cast<double>(columns));
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
  auto given = miq::mi_options(0.5, 4);
  given.mask = miq::obs::mask_rule::given;
  fails(given, "mask_rule::given");

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
  CHECK(phases.contains("sweep"));
  for (const auto& phase : phases)
    CHECK_THROWS_AS(miq::compress(exec, weights.view(), seen.view(), miq::mi_options(0.5, 4),
                                  [&](std::string_view now, double) { return now != phase; }),
                    miq::cancelled);
}
