// Grids of whole layers: every layout against one grid at a time, the clip search against all its candidates.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/quantization/fit.hpp>

#include "reference/quantization_oracle.hpp"
#include "test_support/catch.hpp"

namespace {

using miq::matrix;
using miq::quantization::fit_grids;
using miq::quantization::fit_options;
using miq::quantization::fit_result;
using miq::quantization::grid_layout;
using miq::quantization::grid_set;
using miq::quantization::grid_symmetry;
using miq::quantization::range_rule;
using miq::quantization::scale_format;

struct layer {
  matrix<float> weights;
  matrix<std::uint8_t> kept;
  std::vector<float> costs;
  std::vector<std::int32_t> labels;
  std::vector<std::uint8_t> bits;
};

layer random_layer(std::int64_t rows, std::int64_t columns, int groups) {
  miq::random_stream random(miq_test::seed());
  layer made{matrix<float>(rows, columns), matrix<std::uint8_t>(rows, columns), {}, {}, {}};
  for (std::int64_t i = 0; i < made.weights.size(); ++i) {
    made.weights.data()[i] = static_cast<float>(0.1 * random.normal());
    made.kept.data()[i] = static_cast<std::uint8_t>(random.below(2));
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    made.costs.push_back(static_cast<float>(random.uniform() * 3));
    made.labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(groups))));
  }
  for (int g = 0; g < groups; ++g) made.bits.push_back(static_cast<std::uint8_t>(1 + random.below(8)));
  return made;
}

/// The weights that share the grid of (r, c), and their costs.
void members(const layer& of, grid_layout layout, bool masked, std::int64_t row, std::int64_t column,
             std::vector<double>& values, std::vector<double>& costs) {
  values.clear();
  costs.clear();
  for (std::int64_t r = 0; r < of.weights.rows(); ++r)
    for (std::int64_t c = 0; c < of.weights.columns(); ++c) {
      const bool same_row = layout != grid_layout::per_row_and_group || r == row;
      const bool same_column = layout == grid_layout::per_column ? c == column
                                                                 : of.labels[static_cast<std::size_t>(c)] ==
                                                                       of.labels[static_cast<std::size_t>(column)];
      if (!same_row || !same_column || (masked && of.kept(r, c) == 0)) continue;
      values.push_back(static_cast<double>(of.weights(r, c)));
      costs.push_back(static_cast<double>(of.costs[static_cast<std::size_t>(c)]));
    }
}

double error_of(const std::vector<double>& values, const std::vector<double>& costs, const miq_oracle::grid& grid) {
  double total = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double code =
        std::clamp(std::nearbyint(values[i] / grid.scale + (grid.zero - std::floor(grid.zero))) + std::floor(grid.zero),
                   0.0, static_cast<double>(grid.largest));
    total += costs[i] * std::pow(grid.level(code) - values[i], 2);
  }
  return total;
}

}  // namespace

TEST_CASE("min/max grids of every layout are those of their weights", "[quantization]") {
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column);
  const bool symmetric = GENERATE(false, true);
  const bool masked = GENERATE(false, true);
  const auto [rows, columns, groups] =
      GENERATE(table<std::int64_t, std::int64_t, int>({{1, 1, 1}, {7, 50, 1}, {37, 19, 4}, {70, 33, 2}}));
  auto made = random_layer(rows, columns, groups);
  const miq::host_executor exec({.threads = 2});
  fit_result result;
  const auto grids = fit_grids(exec, made.weights.view(), made.labels, made.bits,
                               {.layout = layout,
                                .symmetry = symmetric ? grid_symmetry::symmetric : grid_symmetry::asymmetric,
                                .format = scale_format::float16},
                               {}, masked ? made.kept.view() : miq::matrix_view<std::uint8_t>{}, &result);
  CHECK(grids.scale.rows() == (layout == grid_layout::per_row_and_group ? rows : 1));
  CHECK(grids.scale.columns() == (layout == grid_layout::per_column ? columns : groups));
  CHECK(result.clipped == 0);
  std::vector<double> values;
  std::vector<double> costs;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      members(made, layout, masked, r, c, values, costs);
      double low = 0;
      double high = 0;
      for (const double v : values) {
        low = std::min(low, v);
        high = std::max(high, v);
      }
      const auto grid = grids.at(r, c);
      const int bits = made.bits[static_cast<std::size_t>(made.labels[static_cast<std::size_t>(c)])];
      const auto expected = miq_oracle::grid_of_range(low, high, bits, symmetric, true);
      REQUIRE(grid.maximum_code == expected.largest);
      REQUIRE(static_cast<double>(grid.scale) == Approx(expected.scale).epsilon(0x1.0p-10));
      if (static_cast<double>(grid.scale) == expected.scale)
        REQUIRE(std::abs(grid.zero - static_cast<float>(expected.zero)) <= (symmetric ? 0 : 1));
    }
}

TEST_CASE("the clip search finds the best of its candidates", "[quantization]") {
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column);
  const bool symmetric = GENERATE(false, true);
  const bool masked = GENERATE(false, true);
  const bool weighted = GENERATE(false, true);
  const std::int64_t rows = 19;
  const std::int64_t columns = 41;
  auto made = random_layer(rows, columns, 3);
  made.bits = {2, 3, 4};  // few levels, so that clipping pays
  const miq::host_executor exec({.threads = 2});
  fit_options options{.layout = layout,
                      .symmetry = symmetric ? grid_symmetry::symmetric : grid_symmetry::asymmetric,
                      .range = range_rule::clip_search,
                      .clip_steps = 13,
                      .smallest_clip = 0.3};
  fit_result result;
  const auto keep = masked ? made.kept.view() : miq::matrix_view<std::uint8_t>{};
  const miq::vector_view<const float> cost =
      weighted ? miq::vector_view<const float>(made.costs) : miq::vector_view<const float>{};
  if (!weighted) std::fill(made.costs.begin(), made.costs.end(), 1.0F);
  const auto grids = fit_grids(exec, made.weights.view(), made.labels, made.bits, options, cost, keep, &result);
  options.range = range_rule::min_max;
  const auto plain = fit_grids(exec, made.weights.view(), made.labels, made.bits, options, cost, keep);
  std::vector<double> values;
  std::vector<double> costs;
  std::int64_t clipped = 0;
  for (std::int64_t r = 0; r < grids.scale.rows(); ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      members(made, layout, masked, r, c, values, costs);
      const auto as_oracle = [](const miq::quantization::affine_grid& g) {
        return miq_oracle::grid{static_cast<double>(g.scale), static_cast<double>(g.zero), g.maximum_code};
      };
      const double found = error_of(values, costs, as_oracle(grids.at(r, c)));
      // The library sums squares in float, a few hundred of them at most.
      constexpr double slack = 1 + 1e-4;
      REQUIRE(found <= slack * error_of(values, costs, as_oracle(plain.at(r, c))) + 1e-12);
      double low = 0;
      double high = 0;
      for (const double v : values) {
        low = std::min(low, v);
        high = std::max(high, v);
      }
      double best = std::numeric_limits<double>::infinity();
      for (int step = 0; step < 13; ++step) {
        const double share = 1 - 0.7 * step / 12;
        const auto candidate = miq::quantization::grid_of_range(
            static_cast<float>(share * low), static_cast<float>(share * high),
            made.bits[static_cast<std::size_t>(made.labels[static_cast<std::size_t>(c)])], options.symmetry,
            options.format);
        best = std::min(best, error_of(values, costs, as_oracle(candidate)));
      }
      REQUIRE(found <= slack * best + 1e-12);
      const bool first = layout == grid_layout::per_column ||
                         std::find(made.labels.begin(), made.labels.end(), made.labels[static_cast<std::size_t>(c)]) ==
                             made.labels.begin() + c;
      if (first && (grids.at(r, c).scale != plain.at(r, c).scale || grids.at(r, c).zero != plain.at(r, c).zero))
        ++clipped;
    }
  // Clipping may, by rounding, give the same stored grid as the whole range; it counts as clipped nevertheless.
  CHECK(result.clipped >= clipped);
  CHECK(clipped > 0);
}

TEST_CASE("empty grids and scales that their format cannot hold are counted", "[quantization]") {
  const miq::host_executor exec({.threads = 1});
  matrix<float> weights(4, 10);
  const std::vector<std::int32_t> labels(10, 0);
  const std::vector<std::uint8_t> bits{4};
  const auto range = GENERATE(range_rule::min_max, range_rule::clip_search);
  for (std::int64_t c = 0; c < 10; ++c) {
    weights(1, c) = static_cast<float>(c) * 1e-10F;
    weights(2, c) = static_cast<float>(c) * 1e29F;
    weights(3, c) = static_cast<float>(c) - 4;
  }
  fit_result result;
  const auto grids = fit_grids(exec, weights.view(), labels, bits, {.range = range}, {}, {}, &result);
  CHECK(result.empty == 1);
  CHECK(result.rescaled == 2);
  CHECK(grids.scale(0, 0) == static_cast<float>(miq::float16(2.0F / 15)));
  CHECK(grids.scale(1, 0) == 0x1.0p-24F);
  CHECK(grids.scale(2, 0) == 65504.0F);
  for (std::int64_t r = 0; r < 4; ++r) {
    REQUIRE(std::isfinite(grids.zero(r, 0)));
    REQUIRE(grids.zero(r, 0) >= 0);
    REQUIRE(grids.zero(r, 0) <= 15);
  }
  fit_result exact;
  fit_grids(exec, weights.view(), labels, bits, {.format = scale_format::float32, .range = range}, {}, {}, &exact);
  CHECK(exact.rescaled == 0);
  // All weights of a row left out: an empty grid.
  matrix<std::uint8_t> kept(4, 10);
  std::fill_n(&kept(3, 0), 10, std::uint8_t{1});
  fit_grids(exec, weights.view(), labels, bits, {.range = range}, {}, kept.view(), &result);
  CHECK(result.empty == 3);
}

TEST_CASE("fits are the same to the bit for any number of threads, and for strided views", "[quantization]") {
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column);
  const auto range = GENERATE(range_rule::min_max, range_rule::clip_search);
  const auto made = random_layer(131, 77, 5);
  const fit_options options{.layout = layout, .range = range, .clip_steps = 5};
  const auto run = [&](int threads, miq::matrix_view<const float> weights) {
    const miq::host_executor exec({.threads = threads});
    return fit_grids(exec, weights, made.labels, made.bits, options, made.costs, made.kept.view());
  };
  const auto same = [](const grid_set& a, const grid_set& b) {
    const auto bytes = static_cast<std::size_t>(a.scale.size()) * sizeof(float);
    return a.scale.size() == b.scale.size() && std::memcmp(a.scale.data(), b.scale.data(), bytes) == 0 &&
           std::memcmp(a.zero.data(), b.zero.data(), bytes) == 0 && a.bits == b.bits && a.column_grid == b.column_grid;
  };
  const auto one = run(1, made.weights.view());
  CHECK(same(one, run(2, made.weights.view())));
  CHECK(same(one, run(5, made.weights.view())));
  matrix<float> wide(131, 80, std::numeric_limits<float>::quiet_NaN());
  for (std::int64_t r = 0; r < 131; ++r) std::copy_n(&made.weights(r, 0), 77, &wide(r, 0));
  CHECK(same(one, run(2, {wide.data(), 131, 77, 80})));
}

TEST_CASE("fit_grids rejects what it cannot take, naming it", "[quantization]") {
  const miq::host_executor exec({.threads = 2});
  auto made = random_layer(20, 12, 2);
  fit_options options;
  const auto rejects = [&](const std::string& part) {
    CHECK_THROWS_AS(fit_grids(exec, made.weights.view(), made.labels, made.bits, options, made.costs, made.kept.view()),
                    miq::invalid_argument);
    CHECK_THROWS_WITH(
        fit_grids(exec, made.weights.view(), made.labels, made.bits, options, made.costs, made.kept.view()),
        miq_test::contains(part));
  };
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const auto layout : {grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column}) {
      options.layout = layout;
      const float good = made.weights(17, 5);
      made.weights(17, 5) = bad;
      rejects("row 17, column 5");
      made.weights(17, 5) = good;
    }
    const float cost = made.costs[3];
    made.costs[3] = bad;
    rejects("column 3");
    made.costs[3] = cost;
  }
  made.costs[4] = -1;
  rejects("column 4");
  made.costs[4] = 1;
  made.labels[7] = 2;
  rejects("label of column 7");
  made.labels[7] = 0;
  made.bits[1] = 9;
  rejects("bits of group 1");
  made.bits[1] = 4;
  options.clip_steps = 1;
  rejects("clip_steps");
  options.clip_steps = 2;
  options.smallest_clip = 0;
  rejects("smallest_clip");
  options.smallest_clip = 0.5;
  made.costs.pop_back();
  rejects("column_weights");
  made.costs.push_back(1);
  made.labels.pop_back();
  rejects("labels");
  made.labels.push_back(0);
  made.bits.clear();
  rejects("bits");
  made.bits = {4, 4};
  made.kept = matrix<std::uint8_t>(20, 11);
  rejects("kept");
}
