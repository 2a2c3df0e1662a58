// Scales that are products of a row's factor and another, grids without zero, and the errors that allocation sees.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/quantization/fit.hpp>
#include <miq/quantization/storage.hpp>

#include "test_support/catch.hpp"

namespace {

using miq::matrix;
using miq::quantization::affine_grid;
using miq::quantization::fit_grids;
using miq::quantization::fit_options;
using miq::quantization::grid_errors;
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
  std::int64_t groups;
};

/// Rows and columns of very different size; the smallest 60 % in units of their row and column are masked.
layer uneven_layer(std::int64_t rows, std::int64_t columns, std::int64_t groups, double spread, std::uint64_t seed) {
  miq::random_stream random(seed);
  layer made{matrix<float>(rows, columns), matrix<std::uint8_t>(rows, columns), {}, {}, groups};
  std::vector<double> row(static_cast<std::size_t>(rows));
  for (auto& r : row) r = std::exp(spread * random.normal());
  for (std::int64_t c = 0; c < columns; ++c) {
    const double column = std::exp(spread * random.normal());
    made.labels.push_back(static_cast<std::int32_t>(c < groups ? static_cast<std::uint64_t>(c)
                                                               : random.below(static_cast<std::uint64_t>(groups))));
    made.costs.push_back(static_cast<float>(1 / (column * column)));
    for (std::int64_t r = 0; r < rows; ++r) {
      const double value = random.normal();
      made.kept(r, c) = std::abs(value) > 0.84 ? 1 : 0;
      made.weights(r, c) = static_cast<float>(value * column * row[static_cast<std::size_t>(r)]);
    }
  }
  return made;
}

/// The level of a grid nearest to a value, zero-free grids by sign, from the definition.
double nearest(double value, const affine_grid& grid) {
  if (!grid.zero_free) {
    double best = 0;
    double least = INFINITY;
    for (int code = 0; code <= grid.maximum_code; ++code) {
      const double level = static_cast<double>(grid.scale) * (code - static_cast<double>(grid.zero));
      if (std::abs(level - value) < least) {
        least = std::abs(level - value);
        best = level;
      }
    }
    return best;
  }
  const int half = (grid.maximum_code + 1) / 2;
  double best = 0;
  double least = INFINITY;
  for (int i = 0; i < half; ++i) {
    const double level = static_cast<double>(grid.scale) * (static_cast<double>(grid.zero) + i);
    if (std::abs(level - std::abs(value)) < least) {
      least = std::abs(level - std::abs(value));
      best = level;
    }
  }
  return value < 0 ? -best : best;
}

/// The weighted squared error of each group.
std::vector<double> errors_of(const layer& of, const grid_set& grids) {
  std::vector<double> errors(static_cast<std::size_t>(of.groups));
  for (std::int64_t r = 0; r < of.weights.rows(); ++r)
    for (std::int64_t c = 0; c < of.weights.columns(); ++c)
      if (of.kept(r, c) != 0) {
        const double value = static_cast<double>(of.weights(r, c));
        errors[static_cast<std::size_t>(of.labels[static_cast<std::size_t>(c)])] +=
            static_cast<double>(of.costs[static_cast<std::size_t>(c)]) *
            std::pow(value - nearest(value, grids.at(r, c)), 2);
      }
  return errors;
}

grid_set fit(const layer& of, int bits, const fit_options& options, int threads = 2,
             miq::quantization::fit_result* result = nullptr) {
  const miq::host_executor exec({.threads = threads});
  const std::vector<std::uint8_t> widths(static_cast<std::size_t>(of.groups), static_cast<std::uint8_t>(bits));
  return fit_grids(exec, of.weights.view(), of.labels, widths, options, of.costs, of.kept.view(), result);
}

double total(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

}  // namespace

TEST_CASE("what a width costs is what the fitted grids cost", "[quantization]") {
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column,
                               grid_layout::row_by_group, grid_layout::row_by_column);
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric, grid_symmetry::zero_free);
  const auto format = GENERATE(scale_format::float16, scale_format::float32, scale_format::logarithmic8);
  const auto made = uneven_layer(61, 47, 3, 0.5, miq_test::seed());
  const fit_options options{.layout = layout, .symmetry = symmetry, .format = format, .range = range_rule::clip_search};
  const std::vector<std::uint8_t> widths{1, 2, 3, 4, 5, 6, 7, 8};
  const miq::host_executor exec({.threads = 2});
  const auto errors =
      grid_errors(exec, made.weights.view(), made.labels, 3, widths, options, made.costs, made.kept.view());
  for (std::size_t w = 0; w < widths.size(); ++w) {
    const auto measured = errors_of(made, fit(made, widths[w], options));
    for (std::int64_t g = 0; g < 3; ++g) {
      INFO("layout " << static_cast<int>(layout) << ", symmetry " << static_cast<int>(symmetry) << ", bits "
                     << static_cast<int>(widths[w]) << ", group " << g);
      // Rank one: a weight in the bin of a border may count for the level beside.
      REQUIRE(errors(g, static_cast<std::int64_t>(w)) ==
              Approx(measured[static_cast<std::size_t>(g)])
                  .epsilon(!is_rank_one(layout) ? 1e-3 : (widths[w] < 7 ? 0.02 : 0.06)));
    }
  }
}

TEST_CASE("rank-one scales follow rows and columns of any size", "[quantization]") {
  const auto format = GENERATE(scale_format::float16, scale_format::logarithmic8);
  const auto made = uneven_layer(128, 96, 2, 1.0, miq_test::seed());
  const fit_options rank_one{.layout = grid_layout::row_by_column,
                             .symmetry = grid_symmetry::zero_free,
                             .format = format,
                             .range = range_rule::clip_search};
  auto shared = rank_one;
  shared.layout = grid_layout::per_column;
  auto even = rank_one;
  const auto plain = uneven_layer(128, 96, 2, 0.0, miq_test::seed());
  const double uneven_error = total(errors_of(made, fit(made, 4, rank_one)));
  // Much better than the columns' scales alone.
  CHECK(uneven_error < 0.5 * total(errors_of(made, fit(made, 4, shared))));
  // In units of the rows, as good as where there is nothing to follow.
  double unit = 0;
  double unit_even = 0;
  for (std::int64_t r = 0; r < 128; ++r)
    for (std::int64_t c = 0; c < 96; ++c) {
      const auto add = [&](const layer& of, double& sum) {
        if (of.kept(r, c) != 0)
          sum += static_cast<double>(of.costs[static_cast<std::size_t>(c)]) *
                 std::pow(static_cast<double>(of.weights(r, c)), 2);
      };
      add(made, unit);
      add(plain, unit_even);
    }
  CHECK(uneven_error / unit < 1.5 * total(errors_of(plain, fit(plain, 4, even))) / unit_even);
}

TEST_CASE("rank-one scales by columns do not notice the units of the columns", "[quantization]") {
  const auto made = uneven_layer(80, 60, 2, 0.3, miq_test::seed());
  const fit_options options{.layout = grid_layout::row_by_column,
                            .symmetry = grid_symmetry::zero_free,
                            .format = scale_format::logarithmic8,
                            .range = range_rule::clip_search};
  auto scaled = made;
  miq::random_stream random(miq_test::seed() + 1);
  for (std::int64_t c = 0; c < 60; ++c) {
    const double unit = std::exp(random.normal()) * (c == 7 ? 20 : 1);
    scaled.costs[static_cast<std::size_t>(c)] *= static_cast<float>(1 / (unit * unit));
    for (std::int64_t r = 0; r < 80; ++r)
      scaled.weights(r, c) = static_cast<float>(static_cast<double>(made.weights(r, c)) * unit);
  }
  CHECK(total(errors_of(scaled, fit(scaled, 4, options))) ==
        Approx(total(errors_of(made, fit(made, 4, options)))).epsilon(0.1));
}

TEST_CASE("grids without zero: the search against all its candidates", "[quantization]") {
  const int bits = GENERATE(1, 2, 3, 4);
  const auto made = uneven_layer(1, 90, 1, 0.0, miq_test::seed());
  const fit_options options{.layout = grid_layout::per_group,
                            .symmetry = grid_symmetry::zero_free,
                            .format = scale_format::float32,
                            .range = range_rule::clip_search};
  double reach = 0;
  for (std::int64_t c = 0; c < 90; ++c)
    if (made.kept(0, c) != 0) reach = std::max(reach, std::abs(static_cast<double>(made.weights(0, c))));
  double least = INFINITY;
  for (int step = 0; step < options.clip_steps; ++step)
    for (int gap = 1; gap <= 1 << bits; ++gap) {
      affine_grid grid;
      grid.zero_free = true;
      grid.maximum_code = (1 << bits) - 1;
      grid.zero = 0.5F * static_cast<float>(gap);
      const double share = 1 - (1 - options.smallest_clip) * step / (options.clip_steps - 1);
      grid.scale = static_cast<float>(share * reach / (0.5 * gap + (1 << (bits - 1)) - 1));
      double error = 0;
      for (std::int64_t c = 0; c < 90; ++c)
        if (made.kept(0, c) != 0)
          error +=
              static_cast<double>(made.costs[static_cast<std::size_t>(c)]) *
              std::pow(static_cast<double>(made.weights(0, c)) - nearest(static_cast<double>(made.weights(0, c)), grid),
                       2);
      least = std::min(least, error);
    }
  CHECK(total(errors_of(made, fit(made, bits, options))) == Approx(least).epsilon(1e-4));
  auto rank_one = options;
  rank_one.layout = grid_layout::row_by_group;
  CHECK(total(errors_of(made, fit(made, bits, rank_one))) == Approx(least).epsilon(0.02));
}

TEST_CASE("rank-one fits of empty rows, columns, groups and layers", "[quantization]") {
  auto made = uneven_layer(20, 12, 3, 0.4, miq_test::seed());
  const auto layout = GENERATE(grid_layout::row_by_column, grid_layout::row_by_group);
  const auto format = GENERATE(scale_format::float16, scale_format::float32, scale_format::logarithmic8);
  for (std::int64_t c = 0; c < 12; ++c) {
    made.kept(3, c) = 0;
    made.weights(4, c) = 0;
    if (made.labels[static_cast<std::size_t>(c)] == 1)
      for (std::int64_t r = 0; r < 20; ++r) made.kept(r, c) = 0;
  }
  for (std::int64_t r = 0; r < 20; ++r) made.weights(r, 0) = 0;
  const fit_options options{
      .layout = layout, .symmetry = grid_symmetry::zero_free, .format = format, .range = range_rule::clip_search};
  miq::quantization::fit_result result;
  const auto grids = fit(made, 3, options, 2, &result);
  std::vector<std::uint8_t> present(3);
  for (std::int64_t r = 0; r < 20; ++r)
    for (std::int64_t c = 0; c < 12; ++c)
      if (made.kept(r, c) != 0 && made.weights(r, c) != 0)
        present[static_cast<std::size_t>(made.labels[static_cast<std::size_t>(c)])] = 1;
  CHECK(result.empty == std::count(present.begin(), present.end(), std::uint8_t{0}));
  CHECK(grids.row_factor.size() == 20);
  for (std::int64_t r = 0; r < 20; ++r)
    for (std::int64_t c = 0; c < 12; ++c) {
      const auto grid = grids.at(r, c);
      REQUIRE(std::isfinite(grid.scale));
      REQUIRE(grid.scale > 0);
      REQUIRE(grid.zero >= 0.5F);
      REQUIRE(grid.zero <= 4);
    }
  std::fill_n(made.kept.data(), made.kept.size(), std::uint8_t{0});
  fit(made, 3, options, 2, &result);
  CHECK(result.empty == 3);
}

TEST_CASE("scales spread further than eight bits hold are counted", "[quantization]") {
  auto made = uneven_layer(4, 8, 1, 0.0, miq_test::seed());
  for (std::int64_t r = 0; r < 4; ++r)
    for (std::int64_t c = 0; c < 8; ++c) {
      made.kept(r, c) = 1;
      made.weights(r, c) = (r + c) % 2 == 0 ? 1.0F : -1.5F;
      if (c == 7) made.weights(r, c) *= 0x1.0p-20F;
    }
  miq::quantization::fit_result result;
  const auto grids = fit(made, 4,
                         {.layout = grid_layout::row_by_column,
                          .symmetry = grid_symmetry::zero_free,
                          .format = scale_format::logarithmic8,
                          .range = range_rule::clip_search},
                         2, &result);
  CHECK(result.rescaled == 1);
  CHECK(grids.scale(0, 7) == Approx(grids.scale(0, 0) * std::exp2(-255.0 / 16)).epsilon(0.5));
}

TEST_CASE("rank-one fits are the same to the bit for any number of threads", "[quantization]") {
  const auto layout = GENERATE(grid_layout::row_by_column, grid_layout::row_by_group);
  const auto made = uneven_layer(300, 200, 3, 0.4, miq_test::seed());
  const fit_options options{.layout = layout, .symmetry = grid_symmetry::zero_free, .range = range_rule::clip_search};
  const auto one = fit(made, 4, options, 1);
  for (const int threads : {2, 5}) {
    const auto other = fit(made, 4, options, threads);
    CHECK(std::memcmp(one.scale.data(), other.scale.data(),
                      sizeof(float) * static_cast<std::size_t>(one.scale.size())) == 0);
    CHECK(one.row_factor == other.row_factor);
  }
}

TEST_CASE("a layer of rank one stores what its report counts", "[quantization]") {
  const auto made = uneven_layer(30, 20, 3, 0.2, miq_test::seed());
  const miq::host_executor exec({.threads = 1});
  const std::vector<std::uint8_t> widths{2, 3, 5};
  const auto grids = fit_grids(exec, made.weights.view(), made.labels, widths,
                               {.layout = grid_layout::row_by_column,
                                .symmetry = grid_symmetry::zero_free,
                                .format = scale_format::logarithmic8,
                                .range = range_rule::clip_search},
                               made.costs, made.kept.view());
  const auto report = storage_of(made.kept.view(), grids, made.labels, 3);
  CHECK(report.scale_bits == 8 * (30 + 20) + 16 + 16);
  CHECK(report.zero_bits == 2 + 3 + 5);
  CHECK(report.group_index_bits == 20 * 2);
  CHECK(report.width_bits == 9);
  double codes = 0;
  for (std::int64_t r = 0; r < 30; ++r)
    for (std::int64_t c = 0; c < 20; ++c)
      codes += made.kept(r, c) != 0 ? widths[static_cast<std::size_t>(made.labels[static_cast<std::size_t>(c)])] : 0;
  CHECK(report.code_bits == codes);
  // The allocation's view of the same.
  double allocated = miq::quantization::metadata_of_layer(30, grids.layout, grids.format);
  for (std::int64_t g = 0; g < 3; ++g) {
    const auto size = std::count(made.labels.begin(), made.labels.end(), static_cast<std::int32_t>(g));
    const auto metadata =
        miq::quantization::metadata_of_group(30, 20, size, 3, grids.layout, grids.symmetry, grids.format);
    allocated += metadata.fixed_bits + metadata.bits_per_bit * widths[static_cast<std::size_t>(g)];
  }
  CHECK(report.metadata_bits() == allocated);
}
