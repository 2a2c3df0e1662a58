// Storage accounting against counts by hand.
#include <vector>

#include <miq/core/random.hpp>
#include <miq/quantization/fit.hpp>
#include <miq/quantization/storage.hpp>

#include "test_support/catch.hpp"

namespace {

using miq::matrix;
using miq::quantization::grid_layout;
using miq::quantization::grid_symmetry;
using miq::quantization::scale_format;
using miq::quantization::storage_of;

/// 6 rows, 8 columns; columns 0 to 4 in group 0 (3 bits), 5 to 7 in group 1 (5 bits).
miq::quantization::grid_set grids_of(grid_layout layout, grid_symmetry symmetry = grid_symmetry::asymmetric,
                                     scale_format format = scale_format::float16) {
  const miq::host_executor exec({.threads = 1});
  const matrix<float> weights(6, 8, 0.5F);
  const std::vector<std::int32_t> labels{0, 0, 0, 0, 0, 1, 1, 1};
  const std::vector<std::uint8_t> bits{3, 5};
  return miq::quantization::fit_grids(exec, weights.view(), labels, bits,
                                      {.layout = layout, .symmetry = symmetry, .format = format});
}

const std::vector<std::int32_t> two_groups{0, 0, 0, 0, 0, 1, 1, 1};

}  // namespace

TEST_CASE("storage of two groups, by hand, for every layout", "[quantization]") {
  matrix<std::uint8_t> kept(6, 8, 1);
  kept(0, 0) = kept(1, 0) = kept(2, 6) = 0;  // 28 of 30 at 3 bits, 17 of 18 at 5 bits
  struct expectation {
    grid_layout layout;
    double scales;
    double zeros;
  };
  // Zero points: as many as scales, each as wide as its group.
  const expectation expected[] = {{grid_layout::per_row_and_group, 12 * 16, 6 * 3 + 6 * 5},
                                  {grid_layout::per_group, 2 * 16, 3 + 5},
                                  {grid_layout::per_column, 8 * 16, 5 * 3 + 3 * 5}};
  for (const auto& e : expected) {
    const auto report = storage_of(kept.view(), grids_of(e.layout), two_groups, 2);
    CHECK(report.weights == 48);
    CHECK(report.kept == 45);
    CHECK(report.code_bits == 28 * 3 + 17 * 5);
    CHECK(report.mask_bits == 48);
    CHECK(report.scale_bits == e.scales);
    CHECK(report.zero_bits == e.zeros);
    CHECK(report.group_index_bits == 8);  // one bit per column tells two groups apart
    CHECK(report.width_bits == 6);
    CHECK(report.total() == 169 + 48 + e.scales + e.zeros + 8 + 6);
    CHECK(report.bits_per_weight_stored() == report.total() / 48);
    CHECK(report.bits_per_weight_without_metadata() == 169.0 / 48);
    CHECK(report.code_bits_per_kept_weight() == 169.0 / 45);
    CHECK(report.sparsity() == Approx(3.0 / 48));
  }
}

TEST_CASE("storage: what is not there costs nothing", "[quantization]") {
  const matrix<std::uint8_t> all(6, 8, 1);
  const auto symmetric =
      storage_of(all.view(), grids_of(grid_layout::per_group, grid_symmetry::symmetric), two_groups, 2);
  CHECK(symmetric.zero_bits == 0);
  CHECK(symmetric.mask_bits == 0);
  const auto wide = storage_of(
      all.view(), grids_of(grid_layout::per_group, grid_symmetry::asymmetric, scale_format::float32), two_groups, 2);
  CHECK(wide.scale_bits == 64);

  // One group: no indices, no widths.
  const miq::host_executor exec({.threads = 1});
  const matrix<float> weights(6, 8, 0.5F);
  const std::vector<std::int32_t> one(8, 0);
  const std::vector<std::uint8_t> four{4};
  const auto uniform = storage_of(all.view(), miq::quantization::fit_grids(exec, weights.view(), one, four), one, 1);
  CHECK(uniform.total() == 48 * 4 + 6 * 16 + 6 * 4);
  // Every column its own group: the index is the column, widths remain.
  std::vector<std::int32_t> alone(8);
  std::vector<std::uint8_t> widths(8, 4);
  for (std::size_t c = 0; c < 8; ++c) alone[c] = static_cast<std::int32_t>(c);
  const auto each = storage_of(
      all.view(),
      miq::quantization::fit_grids(exec, weights.view(), alone, widths, {.layout = grid_layout::per_column}), alone, 8);
  CHECK(each.total() == 48 * 4 + 8 * 16 + 8 * 4 + 8 * 3);

  const auto pruned = miq::quantization::storage_of_unquantised(matrix<std::uint8_t>(6, 8).view());
  CHECK(pruned.total() == 48);
  CHECK(pruned.sparsity() == 1);
  CHECK(miq::quantization::storage_of_unquantised(all.view()).total() == 48 * 16);
}

TEST_CASE("index_bits is the ceiling of the binary logarithm", "[quantization]") {
  for (std::int64_t groups = 1; groups < 300; ++groups) {
    int bits = 0;
    while ((std::int64_t{1} << bits) < groups) ++bits;
    REQUIRE(miq::quantization::index_bits(groups) == bits);
  }
}

TEST_CASE("what groups cost beforehand adds up to what is counted afterwards", "[quantization]") {
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column);
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric);
  const auto format = GENERATE(scale_format::float16, scale_format::float32);
  const std::int64_t groups = GENERATE(1, 2, 5, 17);
  miq::random_stream random(miq_test::seed());
  const std::int64_t rows = 13;
  const std::int64_t columns = 17;
  matrix<float> weights(rows, columns, 1.0F);
  matrix<std::uint8_t> kept(rows, columns);
  for (std::int64_t i = 0; i < kept.size(); ++i) kept.data()[i] = static_cast<std::uint8_t>(random.below(2));
  std::vector<std::int32_t> labels(static_cast<std::size_t>(columns));
  std::vector<std::int64_t> size(static_cast<std::size_t>(groups));
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto label = c < groups ? c : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(groups)));
    labels[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(label);
    ++size[static_cast<std::size_t>(label)];
  }
  std::vector<std::uint8_t> bits;
  for (std::int64_t g = 0; g < groups; ++g) bits.push_back(static_cast<std::uint8_t>(1 + random.below(8)));
  const miq::host_executor exec({.threads = 1});
  const auto grids = miq::quantization::fit_grids(exec, weights.view(), labels, bits,
                                                  {.layout = layout, .symmetry = symmetry, .format = format});
  const auto report = storage_of(kept.view(), grids, labels, groups);
  double metadata = 0;
  for (std::int64_t g = 0; g < groups; ++g) {
    const auto cost = miq::quantization::metadata_of_group(rows, columns, size[static_cast<std::size_t>(g)], groups,
                                                           layout, symmetry, format);
    metadata += cost.fixed_bits + cost.bits_per_bit * bits[static_cast<std::size_t>(g)];
  }
  CHECK(report.metadata_bits() == metadata);
  auto twice = report;
  twice += report;
  CHECK(twice.total() == 2 * report.total());
  CHECK(twice.bits_per_weight_stored() == report.bits_per_weight_stored());
}

TEST_CASE("storage_of rejects what does not fit", "[quantization]") {
  const matrix<std::uint8_t> kept(6, 8, 1);
  const auto grids = grids_of(grid_layout::per_group);
  CHECK_THROWS_AS(storage_of(matrix<std::uint8_t>(6, 7, 1).view(), grids, two_groups, 2), miq::invalid_argument);
  CHECK_THROWS_AS(storage_of(kept.view(), grids, two_groups, 0), miq::invalid_argument);
  CHECK_THROWS_WITH(storage_of(kept.view(), grids, two_groups, 1), miq_test::contains("label of column 5"));
  CHECK_THROWS_AS(storage_of(kept.view(), grids, std::vector<std::int32_t>(7, 0), 2), miq::invalid_argument);
}
