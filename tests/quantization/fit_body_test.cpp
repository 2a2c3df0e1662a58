// The kernels that fit grids, in the order in which a device runs them: against the host, and against candidates and
// factors that are computed here in double precision.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/quantization/detail/fit/schedule.hpp>
#include <miq/quantization/fit.hpp>

#include "quantization/host_table.hpp"
#include "reference/quantization_oracle.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using miq::matrix;
using miq::quantization::affine_grid;
using miq::quantization::fit_options;
using miq::quantization::fit_result;
using miq::quantization::grid_layout;
using miq::quantization::grid_set;
using miq::quantization::grid_symmetry;
using miq::quantization::range_rule;
using miq::quantization::scale_format;
namespace detail = miq::quantization::detail;

constexpr float nonsense = -7.0F;

/// A layer whose weights are values of T, stored with a padded leading dimension.
template <class T>
struct layer {
  std::int64_t rows;
  std::int64_t columns;
  matrix<T> padded;
  matrix<float> weights;  // the same values
  matrix<std::uint8_t> kept;
  std::vector<float> costs;
  std::vector<std::int32_t> labels;
  std::vector<std::uint8_t> bits;
};

template <class T>
layer<T> random_layer(std::int64_t rows, std::int64_t columns, int groups, std::uint64_t seed) {
  miq::random_stream random(seed);
  layer<T> made{rows,
                columns,
                matrix<T>(rows, columns + 3),
                matrix<float>(rows, columns),
                matrix<std::uint8_t>(rows, columns),
                {},
                {},
                {}};
  for (std::int64_t r = 0; r < rows; ++r) {
    const double size = std::exp(0.5 * random.normal());
    for (std::int64_t c = 0; c < columns; ++c) {
      made.padded(r, c) = static_cast<T>(static_cast<float>(0.1 * size * random.normal()));
      if (random.below(19) == 0) made.padded(r, c) = static_cast<T>(0.0F);
      made.weights(r, c) = static_cast<float>(made.padded(r, c));
      made.kept(r, c) = static_cast<std::uint8_t>(random.below(2));
    }
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    made.costs.push_back(static_cast<float>(random.uniform() * 3));
    made.labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(groups))));
  }
  for (int g = 0; g < groups; ++g) made.bits.push_back(static_cast<std::uint8_t>(1 + random.below(8)));
  return made;
}

struct outcome {
  matrix<float> scale;
  matrix<float> zero;
  std::vector<float> row_factor;
  fit_result result;

  affine_grid at(const grid_set& like, std::int64_t r, std::int64_t c) const {
    auto grid = like.at(r, c);
    const auto g = static_cast<std::int64_t>(like.column_grid[static_cast<std::size_t>(c)]);
    const auto row = scale.rows() == 1 ? 0 : r;
    grid.scale = (row_factor.empty() ? 1.0F : row_factor[static_cast<std::size_t>(r)]) * scale(row, g);
    grid.zero = zero(row, g);
    return grid;
  }
};

template <class T>
detail::fit_arguments<T> arguments_of(const layer<T>& of, const detail::group_table& table, const fit_options& options,
                                      bool masked, bool weighted) {
  detail::fit_arguments<T> given;
  given.weights = {of.padded.data(), of.columns + 3, of.rows, of.columns, masked ? of.kept.data() : nullptr,
                   of.columns};
  given.table = table;
  given.options = options;
  given.column_weights = weighted ? of.costs.data() : nullptr;
  return given;
}

template <class T>
outcome fit(const layer<T>& of, const fit_options& options, bool masked, bool weighted, std::int32_t lanes = 0) {
  const miq_test::host_table groups(of.labels, of.bits);
  auto given = arguments_of(of, groups.table(), options, masked, weighted);
  const bool own_rows = options.layout == grid_layout::per_row_and_group;
  const auto across =
      miq::quantization::has_column_scales(options.layout) ? of.columns : static_cast<std::int64_t>(of.bits.size());
  outcome out;
  // Padded where rows have grids.
  out.scale = matrix<float>(own_rows ? of.rows : 1, across + 2, nonsense);
  out.zero = matrix<float>(own_rows ? of.rows : 1, across + 1, nonsense);
  if (is_rank_one(options.layout)) out.row_factor.assign(static_cast<std::size_t>(of.rows), nonsense);
  given.out = {out.scale.data(), across + 2, out.zero.data(), across + 1, &out.result};
  given.row_factor = out.row_factor.data();
  given.counter = &out.result.not_finite;
  const detail::fit_layout layout(of.rows, given.table, options, false);
  const miq_test::nonsense_memory memory(layout.all);
  detail::fit_on(miq_test::host_machine(lanes), given, layout, memory.data());
  for (std::int64_t r = 0; r < out.scale.rows(); ++r) {
    REQUIRE(out.scale(r, across) == nonsense);
    REQUIRE(out.scale(r, across + 1) == nonsense);
    REQUIRE(out.zero(r, across) == nonsense);
  }
  return out;
}

template <class T>
matrix<double> errors_of_widths(const layer<T>& of, const std::vector<std::uint8_t>& widths, const fit_options& options,
                                bool masked, bool weighted, std::int32_t lanes = 0,
                                std::int64_t* not_finite = nullptr) {
  const miq_test::host_table groups(of.labels, of.bits);
  auto given = arguments_of(of, groups.table(), options, masked, weighted);
  std::int64_t counter = 0;
  given.counter = &counter;
  matrix<double> errors(static_cast<std::int64_t>(of.bits.size()), static_cast<std::int64_t>(widths.size()), -1.0);
  const detail::fit_layout layout(of.rows, given.table, options, true);
  const miq_test::nonsense_memory memory(layout.all);
  detail::measure_errors_on(miq_test::host_machine(lanes), given, widths, layout, memory.data(), errors.data());
  if (not_finite != nullptr) *not_finite = counter;
  return errors;
}

template <class T>
grid_set host_fit(const layer<T>& of, const fit_options& options, bool masked, bool weighted, fit_result& result) {
  const miq::host_executor exec({.threads = 2});
  return miq::quantization::fit_grids(
      exec, of.weights.view(), of.labels, of.bits, options,
      weighted ? miq::vector_view<const float>(of.costs) : miq::vector_view<const float>{},
      masked ? of.kept.view() : miq::matrix_view<const std::uint8_t>{}, &result);
}

/// The squared error of a value on a grid, its nearest level by trial of all, from the definition of levels.
double squared_error(double value, const affine_grid& grid) {
  double least = std::numeric_limits<double>::infinity();
  const int half = (grid.maximum_code + 1) / 2;
  for (int code = 0; code <= grid.maximum_code; ++code) {
    const double steps = !grid.zero_free ? code - static_cast<double>(grid.zero)
                         : code < half   ? -(half - 1 - code + static_cast<double>(grid.zero))
                                         : code - half + static_cast<double>(grid.zero);
    // A grid without zero gives a value a level of its own sign.
    if (grid.zero_free && (value < 0) != (code < half)) continue;
    const double d = static_cast<double>(grid.scale) * steps - value;
    least = std::min(least, d * d);
  }
  return least;
}

/// What one search decides on: the weighted squared error, and the weighted squares of the weights themselves, from
/// which rounding of the error is judged.
struct search_error {
  double error = 0;
  double squares = 0;
};

/// Of a grid column (in a row that has grids), or, with rank-one scales, of the group of that column.
template <class T, class Grids>
search_error error_of_search(const layer<T>& of, const grid_set& shape, const Grids& grid_at, bool masked,
                             bool weighted, std::int64_t row, std::int64_t column) {
  const auto label = [&](std::int64_t c) { return of.labels[static_cast<std::size_t>(c)]; };
  const auto shares = [&](std::int64_t c) {
    if (shape.layout == grid_layout::row_by_column) return label(c) == label(column);
    return shape.column_grid[static_cast<std::size_t>(c)] == column;
  };
  search_error total;
  for (std::int64_t r = 0; r < of.rows; ++r) {
    if (shape.scale.rows() > 1 && r != row) continue;
    for (std::int64_t c = 0; c < of.columns; ++c)
      if (shares(c) && (!masked || of.kept(r, c) != 0)) {
        const double cost = weighted ? static_cast<double>(of.costs[static_cast<std::size_t>(c)]) : 1.0;
        const auto weight = static_cast<double>(of.weights(r, c));
        total.error += cost * squared_error(weight, grid_at(r, c));
        total.squares += cost * weight * weight;
      }
  }
  return total;
}

template <class T>
void check_against_host(const layer<T>& made, const fit_options& options, bool masked, bool weighted) {
  INFO("layout " << static_cast<int>(options.layout) << ", symmetry " << static_cast<int>(options.symmetry)
                 << ", format " << static_cast<int>(options.format) << ", range " << static_cast<int>(options.range)
                 << ", masked " << masked << ", weighted " << weighted << ", " << made.rows << " x " << made.columns);
  fit_result expected;
  const auto host = host_fit(made, options, masked, weighted, expected);
  const auto got = fit(made, options, masked, weighted);
  REQUIRE(got.result.empty == expected.empty);
  REQUIRE(got.result.not_finite == 0);
  const bool rank_one = is_rank_one(options.layout);
  const bool exact = options.range == range_rule::min_max && !rank_one;
  if (exact) REQUIRE(got.result.clipped == 0);
  if (exact) REQUIRE(got.result.rescaled == expected.rescaled);
  for (std::size_t r = 0; r < got.row_factor.size(); ++r)
    REQUIRE(got.row_factor[r] ==
            Approx(host.row_factor[r]).epsilon(options.format == scale_format::float32 ? 1e-6 : 0x1.0p-10).margin(0));
  std::vector<int> checked(made.bits.size());
  for (std::int64_t r = 0; r < host.scale.rows(); ++r)
    for (std::int64_t g = 0; g < host.scale.columns(); ++g) {
      if (got.scale(r, g) == host.scale(r, g) && got.zero(r, g) == host.zero(r, g)) continue;
      INFO("row " << r << ", grid " << g << ": scale " << got.scale(r, g) << " and " << host.scale(r, g) << ", zero "
                  << got.zero(r, g) << " and " << host.zero(r, g));
      REQUIRE(!exact);
      // Another candidate: as good, up to the rounding of the sums (float over 32 to 256 weights on either machine),
      // and with rank-one scales up to the width of a bin: factors that differ by rounding move weights to the bin
      // beside.
      const auto mine = error_of_search(
          made, host, [&](std::int64_t i, std::int64_t c) { return got.at(host, i, c); }, masked, weighted, r, g);
      const auto theirs = error_of_search(
          made, host, [&](std::int64_t i, std::int64_t c) { return host.at(i, c); }, masked, weighted, r, g);
      // Levels are rounded too, to 2^-24 of a weight, by a product or by a fused one: that moves every difference from
      // a weight by as much, and their squares' sum by what Cauchy and Schwarz allow. Rank-one histograms know a weight
      // to a bin on either machine, which is 2^-11 of the largest.
      const double rounding = (rank_one ? 0x1p-10 : 0x1p-23) * std::sqrt(theirs.squares);
      const double most = theirs.error * (1 + (rank_one ? 0.06 : 2e-5)) + 1e-12;
      REQUIRE(mine.error <= most + 2 * rounding * std::sqrt(theirs.error) + rounding * rounding);
    }
}

const std::vector<grid_layout> all_layouts{grid_layout::per_row_and_group, grid_layout::per_group,
                                           grid_layout::per_column, grid_layout::row_by_group,
                                           grid_layout::row_by_column};
const std::vector<grid_symmetry> all_symmetries{grid_symmetry::asymmetric, grid_symmetry::symmetric,
                                                grid_symmetry::zero_free};
const std::vector<scale_format> all_formats{scale_format::float16, scale_format::float32, scale_format::logarithmic8};

bool same_bits(const outcome& a, const outcome& b) {
  const auto same = [](const float* x, const float* y, std::int64_t count) {
    return count == 0 || std::memcmp(x, y, static_cast<std::size_t>(count) * sizeof(float)) == 0;
  };
  return same(a.scale.data(), b.scale.data(), a.scale.size()) && same(a.zero.data(), b.zero.data(), a.zero.size()) &&
         same(a.row_factor.data(), b.row_factor.data(), static_cast<std::int64_t>(a.row_factor.size())) &&
         a.result.empty == b.result.empty && a.result.clipped == b.result.clipped &&
         a.result.rescaled == b.result.rescaled && a.result.not_finite == b.result.not_finite;
}

}  // namespace

TEMPLATE_TEST_CASE("the kernels of fit_grids give the host's grids", "[quantization][body]", float, miq::float16,
                   miq::bfloat16) {
  const auto [rows, columns, groups] =
      GENERATE(table<std::int64_t, std::int64_t, int>({{1, 1, 1}, {1, 5, 2}, {7, 50, 1}, {37, 19, 4}, {70, 33, 2}}));
  const auto made = random_layer<TestType>(rows, columns, groups, miq_test::seed());
  for (const auto layout : all_layouts)
    for (const auto symmetry : all_symmetries)
      for (const auto format : all_formats)
        for (const auto range : {range_rule::min_max, range_rule::clip_search})
          for (int variant = 0; variant < 4; ++variant) {
            if (range == range_rule::min_max && variant >= 2) continue;
            if (rows > 30 && range == range_rule::clip_search && variant != 3) continue;
            const fit_options options{.layout = layout,
                                      .symmetry = symmetry,
                                      .format = format,
                                      .range = range,
                                      .clip_steps = 7,
                                      .smallest_clip = 0.3};
            check_against_host(made, options, variant % 2 != 0, variant >= 2);
          }
}

TEST_CASE("the kernels of fit_grids: more columns and rows than a tile or a part has", "[quantization][body]") {
  const auto [rows, columns, groups] =
      GENERATE(table<std::int64_t, std::int64_t, int>({{3, 1111, 1}, {1100, 17, 1}, {520, 130, 2}, {5, 300, 300}}));
  const auto made = random_layer<float>(rows, columns, groups, miq_test::seed());
  for (const auto layout : all_layouts)
    for (const auto range : {range_rule::min_max, range_rule::clip_search}) {
      const fit_options options{.layout = layout, .range = range, .clip_steps = 70};
      check_against_host(made, options, true, true);
    }
}

TEST_CASE("the kernels of fit_grids find the best of the candidates", "[quantization][body]") {
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column);
  const bool symmetric = GENERATE(false, true);
  const bool masked = GENERATE(false, true);
  auto made = random_layer<float>(19, 41, 3, miq_test::seed());
  made.bits = {2, 3, 4};
  const fit_options options{.layout = layout,
                            .symmetry = symmetric ? grid_symmetry::symmetric : grid_symmetry::asymmetric,
                            .format = GENERATE(scale_format::float16, scale_format::float32),
                            .range = range_rule::clip_search,
                            .clip_steps = 13,
                            .smallest_clip = 0.3};
  const auto got = fit(made, options, masked, true);
  fit_result unused;
  const auto shape = host_fit(made, options, masked, true, unused);
  std::int64_t clipped = 0;
  for (std::int64_t r = 0; r < shape.scale.rows(); ++r)
    for (std::int64_t g = 0; g < shape.scale.columns(); ++g) {
      std::vector<std::pair<double, double>> values;  // and costs
      double low = 0;
      double high = 0;
      for (std::int64_t i = 0; i < made.rows; ++i)
        for (std::int64_t c = 0; c < made.columns; ++c) {
          if ((shape.scale.rows() > 1 && i != r) || shape.column_grid[static_cast<std::size_t>(c)] != g ||
              (masked && made.kept(i, c) == 0))
            continue;
          values.emplace_back(static_cast<double>(made.weights(i, c)),
                              static_cast<double>(made.costs[static_cast<std::size_t>(c)]));
          low = std::min(low, values.back().first);
          high = std::max(high, values.back().first);
        }
      const auto error = [&](const miq_oracle::grid& grid) {
        double total = 0;
        for (const auto& [value, cost] : values) total += cost * grid.error(value);
        return total;
      };
      double best = std::numeric_limits<double>::infinity();
      const int bits = shape.bits[static_cast<std::size_t>(g)];
      for (int step = 0; step < 13; ++step) {
        const double share = 1 - 0.7 * step / 12;
        best =
            std::min(best, error(miq_oracle::grid_of_range(static_cast<double>(static_cast<float>(share * low)),
                                                           static_cast<double>(static_cast<float>(share * high)), bits,
                                                           symmetric, options.format == scale_format::float16)));
      }
      const miq_oracle::grid mine{static_cast<double>(got.scale(r, g)), static_cast<double>(got.zero(r, g)),
                                  miq::quantization::maximum_code(bits, options.symmetry)};
      // Errors are summed in float over 32 weights. A scale in half precision is rounded to float before, and may end
      // at the half beside: levels then move by 2^-11 of themselves, the error by what Cauchy and Schwarz allow.
      double squares = 0;
      for (const auto& [value, cost] : values) squares += cost * value * value;
      const double beside = options.format == scale_format::float16 ? 0x1p-11 * std::sqrt(squares) : 0;
      REQUIRE(error(mine) <= best * (1 + 1e-4) + 2 * beside * std::sqrt(best) + beside * beside + 1e-12);
      if (values.empty() || (low == 0 && high == 0)) continue;
      const auto whole = miq_oracle::grid_of_range(low, high, bits, symmetric, options.format == scale_format::float16);
      clipped += std::abs(mine.scale / whole.scale - 1) > 0.01 ? 1 : 0;
    }
  CHECK(clipped > 0);
  CHECK(got.result.clipped >= clipped);
}

TEST_CASE("the kernels of grid_errors give what the grids cost, and the host's errors", "[quantization][body]") {
  const auto layout = GENERATE(from_range(all_layouts));
  const auto symmetry = GENERATE(from_range(all_symmetries));
  const auto format = GENERATE(from_range(all_formats));
  const bool masked = GENERATE(false, true);
  const auto made = random_layer<float>(61, 47, 3, miq_test::seed());
  const std::vector<std::uint8_t> widths{1, 2, 3, 4, 5, 6, 7, 8};
  const fit_options options{
      .layout = layout, .symmetry = symmetry, .format = format, .range = range_rule::clip_search, .clip_steps = 9};
  std::int64_t not_finite = -1;
  const auto errors = errors_of_widths(made, widths, options, masked, true, 0, &not_finite);
  CHECK(not_finite == 0);
  const miq::host_executor exec({.threads = 2});
  const auto expected =
      miq::quantization::grid_errors(exec, made.weights.view(), made.labels, 3, widths, options, made.costs,
                                     masked ? made.kept.view() : miq::matrix_view<const std::uint8_t>{});
  for (std::size_t w = 0; w < widths.size(); ++w) {
    auto one = made;
    one.bits.assign(3, widths[w]);
    const auto grids = fit(one, options, masked, true);
    fit_result unused;
    const auto shape = host_fit(one, options, masked, true, unused);
    for (std::int64_t g = 0; g < 3; ++g) {
      double measured = 0;
      for (std::int64_t r = 0; r < made.rows; ++r)
        for (std::int64_t c = 0; c < made.columns; ++c)
          if (made.labels[static_cast<std::size_t>(c)] == g && (!masked || made.kept(r, c) != 0))
            measured += static_cast<double>(made.costs[static_cast<std::size_t>(c)]) *
                        squared_error(static_cast<double>(made.weights(r, c)), grids.at(shape, r, c));
      INFO("layout " << static_cast<int>(layout) << ", symmetry " << static_cast<int>(symmetry) << ", format "
                     << static_cast<int>(format) << ", bits " << static_cast<int>(widths[w]) << ", group " << g);
      const auto found = errors(g, static_cast<std::int64_t>(w));
      // Rank one: a weight in the bin of a border may count for the level beside. Of 4096 bins over 2^b levels a share
      // d = 2^b / 4096 of the weights is there, each of which then errs by up to d steps^2 more than the mean, 1/12
      // step^2: 12 d^2 on average, here thrice that, since groups are small.
      const double share = std::ldexp(1.0, widths[w]) / 4096;
      REQUIRE(found ==
              Approx(measured).epsilon(!is_rank_one(layout) ? 1e-3 : std::max(0.02, 36 * share * share)).margin(1e-9));
      REQUIRE(found == Approx(expected(g, static_cast<std::int64_t>(w))).epsilon(is_rank_one(layout) ? 1e-6 : 2e-5));
    }
  }
}

TEST_CASE("the kernels of rank-one scales follow the factors of the definition", "[quantization][body]") {
  const bool by_column = GENERATE(false, true);
  const auto [rows, columns] = GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {5, 300}, {300, 7}, {530, 140}}));
  const auto made = random_layer<float>(rows, columns, 3, miq_test::seed());
  const fit_options options{.layout = by_column ? grid_layout::row_by_column : grid_layout::row_by_group,
                            .format = scale_format::float32};
  const auto got = fit(made, options, true, false);
  // row_r^2 = mean of (w / column)^2, owner^2 = mean of (w / row)^2, four times; what has no weights keeps 0 here.
  std::vector<double> row(static_cast<std::size_t>(rows));
  std::vector<double> owner(static_cast<std::size_t>(by_column ? columns : 3), 1.0);
  const auto owner_of = [&](std::int64_t c) {
    return static_cast<std::size_t>(by_column ? c
                                              : static_cast<std::int64_t>(made.labels[static_cast<std::size_t>(c)]));
  };
  for (int round = 0; round < 4; ++round) {
    std::vector<double> sums(owner.size());
    std::vector<double> counts(owner.size());
    for (std::int64_t r = 0; r < rows; ++r) {
      double sum = 0;
      double count = 0;
      const auto weight = [&](std::int64_t c) {
        return made.kept(r, c) != 0 ? static_cast<double>(made.weights(r, c)) : 0.0;
      };
      for (std::int64_t c = 0; c < columns; ++c) {
        if (weight(c) == 0) continue;
        sum += std::pow(weight(c) / owner[owner_of(c)], 2);
        count += 1;
      }
      row[static_cast<std::size_t>(r)] = count > 0 ? std::sqrt(sum / count) : 0;
      for (std::int64_t c = 0; c < columns; ++c) {
        if (weight(c) == 0) continue;
        sums[owner_of(c)] += std::pow(weight(c) / row[static_cast<std::size_t>(r)], 2);
        counts[owner_of(c)] += 1;
      }
    }
    for (std::size_t o = 0; o < owner.size(); ++o)
      owner[o] = counts[o] > 0 ? std::sqrt(sums[o] / counts[o]) : 1;  // unused: it has no weights
  }
  double logarithms = 0;
  double present = 0;
  for (const double one : row)
    if (one > 0) {
      logarithms += std::log(one);
      ++present;
    }
  for (std::int64_t r = 0; r < rows; ++r) {
    const double own = row[static_cast<std::size_t>(r)];
    const double expected = own > 0 ? own : (present > 0 ? std::exp(logarithms / present) : 1.0);
    REQUIRE(static_cast<double>(got.row_factor[static_cast<std::size_t>(r)]) == Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("fits do not depend on the number of lanes", "[quantization][body][lanes]") {
  const auto made = random_layer<miq::bfloat16>(71, 90, 4, miq_test::seed());
  const std::vector<std::uint8_t> widths{1, 4};
  for (const auto layout : all_layouts)
    for (const auto range : {range_rule::min_max, range_rule::clip_search}) {
      const fit_options options{
          .layout = layout,
          .symmetry = layout == grid_layout::per_group ? grid_symmetry::asymmetric : grid_symmetry::zero_free,
          .format = scale_format::logarithmic8,
          .range = range,
          .clip_steps = 3};
      INFO("layout " << static_cast<int>(layout) << ", range " << static_cast<int>(range));
      auto small = made;
      if (layout == grid_layout::per_row_and_group) small.rows = 5;
      const auto one = fit(small, options, true, true);
      CHECK(same_bits(one, fit(small, options, true, true, 8)));
      if (range != range_rule::clip_search) continue;
      const auto errors = errors_of_widths(small, widths, options, true, true);
      const auto again = errors_of_widths(small, widths, options, true, true, 8);
      CHECK(std::memcmp(errors.data(), again.data(), sizeof(double) * static_cast<std::size_t>(errors.size())) == 0);
    }
}

TEST_CASE("weights that are not finite are left out and counted", "[quantization][body]") {
  auto made = random_layer<float>(23, 30, 2, miq_test::seed());
  auto masked = made;
  const auto ruin = [&](std::int64_t r, std::int64_t c, float with) {
    made.padded(r, c) = with;
    made.kept(r, c) = 1;
    masked.kept(r, c) = 0;
  };
  ruin(0, 0, std::numeric_limits<float>::infinity());
  ruin(7, 29, -std::numeric_limits<float>::infinity());
  ruin(22, 3, std::numeric_limits<float>::quiet_NaN());
  const std::vector<std::uint8_t> widths{2, 5};
  for (const auto layout : all_layouts)
    for (const auto range : {range_rule::min_max, range_rule::clip_search}) {
      const fit_options options{.layout = layout, .range = range, .clip_steps = 5};
      INFO("layout " << static_cast<int>(layout) << ", range " << static_cast<int>(range));
      const auto got = fit(made, options, true, true);
      CHECK(got.result.not_finite == 3);
      auto like = fit(masked, options, true, true);
      like.result.not_finite = 3;
      CHECK(same_bits(got, like));
      if (range == range_rule::min_max) continue;
      std::int64_t counted = 0;
      errors_of_widths(made, widths, options, true, true, 0, &counted);
      CHECK(counted == 3);
    }
}

TEST_CASE("empty rows, columns and groups, constant weights, scales out of range", "[quantization][body]") {
  const auto format = GENERATE(from_range(all_formats));
  const auto symmetry = GENERATE(from_range(all_symmetries));
  const auto layout = GENERATE(from_range(all_layouts));
  // The whole numbers of rank-one histograms hold costs down to 2^-54 of the largest in a layer as small as this; a
  // cost is the square of a row's factor.
  const float large = is_rank_one(layout) ? 1e4F : 1e15F;
  auto made = random_layer<float>(20, 12, 4, miq_test::seed());
  for (std::int64_t c = 0; c < 12; ++c) {
    made.labels[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(c % 3);  // group 3 has no columns
    made.kept(3, c) = 0;
    const float row = c % 2 == 0 ? 0.25F : -0.25F;
    made.weights(4, c) = made.padded(4, c) = 0;
    made.weights(5, c) = made.padded(5, c) = row;
    if (c % 3 == 1)
      for (std::int64_t r = 0; r < 20; ++r) made.kept(r, c) = 0;
  }
  for (std::int64_t r = 0; r < 20; ++r) {
    made.weights(r, 0) = made.padded(r, 0) = 0;
    made.weights(r, 3) = made.padded(r, 3) = 1e-9F * made.weights(r, 3);
    made.weights(r, 6) = made.padded(r, 6) = large * made.weights(r, 6);
  }
  for (const auto range : {range_rule::min_max, range_rule::clip_search})
    for (const bool masked : {false, true})
      check_against_host(made,
                         {.layout = layout, .symmetry = symmetry, .format = format, .range = range, .clip_steps = 5},
                         masked, false);
}

TEST_CASE("scales spread further than eight bits hold are raised and counted as on the host", "[quantization][body]") {
  const auto layout = GENERATE(from_range(all_layouts));
  auto made = random_layer<float>(9, 8, 2, miq_test::seed());
  made.bits = {4, 4};
  for (std::int64_t c = 0; c < 8; ++c) {
    made.labels[static_cast<std::size_t>(c)] = c == 7 ? 1 : 0;
    for (std::int64_t r = 0; r < 9; ++r) {
      float w = (r + c) % 2 == 0 ? 1.0F : -1.5F;
      if (c == 7) w *= 0x1.0p-20F;
      if (r == 8) w *= 0x1.0p-21F;
      made.weights(r, c) = made.padded(r, c) = w;
    }
  }
  const fit_options options{.layout = layout, .format = scale_format::logarithmic8};
  fit_result expected;
  const auto host = host_fit(made, options, false, false, expected);
  const auto got = fit(made, options, false, false);
  CHECK(expected.rescaled > 0);
  CHECK(got.result.rescaled == expected.rescaled);
  for (std::int64_t r = 0; r < host.scale.rows(); ++r)
    for (std::int64_t g = 0; g < host.scale.columns(); ++g) REQUIRE(got.scale(r, g) == host.scale(r, g));
  CHECK(got.row_factor == host.row_factor);
}

TEST_CASE("the logarithms of scales are the same wherever log2 and exp2 are right to 2^-40", "[quantization][body]") {
  // logarithm_of_scale rounds 16 log2(scale): no float lies closer than this to where the rounding changes, so that a
  // device's log2 (one unit in the last place off, by its documentation) gives what the host's gives. Both ends of
  // every such place within one octave are tried; the others differ by an exact power of 2.
  for (int k = 0; k < 16; ++k) {
    const double border = std::exp2((k + 0.5) / 16);
    const auto near = static_cast<float>(border);
    for (const float f : {std::nextafter(near, 0.0F), near, std::nextafter(near, 4.0F)})
      CHECK(std::abs(std::log2(static_cast<double>(f)) * 16 - (k + 0.5)) > 0x1.0p-40);
    // And logarithmic_scale rounds 2^(k/16) to float, far enough from halfway between two floats.
    const double exact = std::exp2(k / 16.0);
    const auto rounded = static_cast<float>(exact);
    const double halfway = std::abs(exact - static_cast<double>(rounded));
    CHECK(0x1.0p-24 - halfway > 0x1.0p-40);
  }
}

TEST_CASE("scratch of fits: by the layer's size, for all sizes and limits", "[quantization][body]") {
  for (const std::int64_t columns : {std::int64_t{1}, std::int64_t{63}, std::int64_t{4096}, std::int64_t{28672}})
    for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{28672}, std::int64_t{150'000}})
      for (const std::int64_t groups : {std::int64_t{1}, std::min<std::int64_t>(columns, 224), columns}) {
        detail::group_table table;
        table.columns = columns;
        table.groups = groups;
        table.chunks = std::max(groups, (columns + 63) / 64);
        for (const auto layout : all_layouts) {
          const fit_options options{
              .layout = layout, .symmetry = grid_symmetry::zero_free, .range = range_rule::clip_search};
          const detail::fit_layout scratch(rows, table, options, false);
          INFO(rows << " x " << columns << ", " << groups << " groups, layout " << static_cast<int>(layout));
          CHECK(scratch.all.bytes() > 0);
          CHECK(scratch.all.bytes() < std::int64_t{2} << 30);
          if (layout == grid_layout::per_group) {
            const auto parts = table.chunks * ((rows + scratch.part_rows - 1) / scratch.part_rows);
            CHECK(parts <= std::max<std::int64_t>(2 * 2048, 2 * table.chunks));
            CHECK(scratch.candidates == 1 + 40 * 32);
          }
        }
      }
  // Shared memory of a block: 48 KiB at most.
  CHECK(detail::row_fit_body<float>{}.scratch_bytes() <= 48 * 1024);
  CHECK(detail::part_errors_body<float>{}.scratch_bytes() <= 48 * 1024);
  CHECK(detail::column_fit_body<float>{}.scratch_bytes() <= 48 * 1024);
  // Blocks of layers with more than 2^31 weights.
  detail::row_fit_body<float> rows_and_groups;
  rows_and_groups.weights.rows = 150'000;
  rows_and_groups.table.groups = 28'672;
  CHECK(rows_and_groups.blocks() == std::int64_t{150'000} * 28'672);
}
