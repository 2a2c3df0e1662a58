// Masks from saliencies against a full sort in double precision.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/obs/mask.hpp>

#include "test_support/catch.hpp"

namespace {

using miq::matrix;
using miq::obs::mask_options;
using miq::obs::mask_scope;

/// Masks the `count` first of some weights, sorted by saliency, row and column.
void mask_smallest(const matrix<float>& weights, const std::vector<float>& saliency, std::int64_t first_row,
                   std::int64_t last_row, std::int64_t first, std::int64_t last, std::int64_t count,
                   matrix<std::uint8_t>& kept) {
  struct place {
    float saliency;
    std::int64_t row;
    std::int64_t column;
  };
  std::vector<place> all;
  for (auto r = first_row; r < last_row; ++r)
    for (auto c = first; c < last; ++c) {
      const float root = std::abs(weights(r, c)) * saliency[static_cast<std::size_t>(c)];
      all.push_back({root * root, r, c});
    }
  std::stable_sort(all.begin(), all.end(), [](const place& a, const place& b) { return a.saliency < b.saliency; });
  for (std::int64_t i = 0; i < count; ++i)
    kept(all[static_cast<std::size_t>(i)].row, all[static_cast<std::size_t>(i)].column) = 0;
}

matrix<std::uint8_t> expected_mask(const matrix<float>& weights, const std::vector<float>& saliency,
                                   const mask_options& options) {
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  matrix<std::uint8_t> kept(rows, columns, 1);
  const auto share = [&](std::int64_t of) {
    return static_cast<std::int64_t>(options.sparsity * static_cast<double>(of));
  };
  switch (options.scope) {
    case mask_scope::layer:
      mask_smallest(weights, saliency, 0, rows, 0, columns, share(rows * columns), kept);
      break;
    case mask_scope::column_block:
      for (std::int64_t c = 0; c < columns; c += options.column_block) {
        const auto last = std::min(columns, c + options.column_block);
        mask_smallest(weights, saliency, 0, rows, c, last, share(rows * (last - c)), kept);
      }
      break;
    case mask_scope::row:
      for (std::int64_t r = 0; r < rows; ++r)
        mask_smallest(weights, saliency, r, r + 1, 0, columns, share(columns), kept);
      break;
    case mask_scope::n_of_m:
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; c += options.pattern_width) {
          const auto last = std::min(columns, c + options.pattern_width);
          mask_smallest(weights, saliency, r, r + 1, c, last,
                        std::max<std::int64_t>(last - c - options.pattern_kept, 0), kept);
        }
      break;
    default:
      FAIL("select_mask knows no such scope");
  }
  return kept;
}

}  // namespace

TEST_CASE("masks are what a sort of the saliencies gives", "[obs]") {
  const auto scope = GENERATE(mask_scope::layer, mask_scope::column_block, mask_scope::row, mask_scope::n_of_m);
  const auto [rows, columns] =
      GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {1, 97}, {83, 1}, {17, 16}, {131, 61}, {40, 300}}));
  const double sparsity = GENERATE(0.0, 0.3, 0.5, 0.7, 0.999);
  const bool ties = GENERATE(false, true);
  miq::random_stream random(miq_test::seed());
  matrix<float> weights(rows, columns);
  std::vector<float> saliency;
  for (std::int64_t c = 0; c < columns; ++c)
    saliency.push_back(ties ? static_cast<float>(random.below(3)) : static_cast<float>(std::exp(3 * random.normal())));
  for (std::int64_t i = 0; i < weights.size(); ++i)
    weights.data()[i] = ties ? static_cast<float>(random.below(5)) - 2 : static_cast<float>(random.normal());
  const mask_options options{
      .scope = scope, .sparsity = sparsity, .column_block = 50, .pattern_kept = 3, .pattern_width = 7};
  const auto expected = expected_mask(weights, saliency, options);
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < expected.size(); ++i) count += expected.data()[i] == 0 ? 1 : 0;
  for (const int threads : {1, 2, 5}) {
    const miq::host_executor exec({.threads = threads});
    matrix<std::uint8_t> kept(rows, columns, 9);
    CHECK(miq::obs::select_mask(exec, weights.view(), saliency, kept.view(), options) == count);
    CHECK(std::equal(kept.data(), kept.data() + kept.size(), expected.data()));
  }
}

TEST_CASE("masks of overflowing and of tiny saliencies", "[obs]") {
  const miq::host_executor exec({.threads = 1});
  matrix<float> weights(1, 6);
  const float values[] = {1e30F, -1e-30F, 2.0F, 0.0F, 3e38F, 1e-42F};
  std::copy_n(values, 6, weights.data());
  const std::vector<float> ones(6, 1.0F);
  matrix<std::uint8_t> kept(1, 6);
  // Squares of 1e30 and 3e38 are infinite, those of 1e-30 and 1e-42 are 0: ties by column.
  miq::obs::select_mask(exec, weights.view(), ones, kept.view(), {.sparsity = 0.5});
  const std::uint8_t expected[] = {1, 0, 1, 0, 1, 0};
  CHECK(std::equal(kept.data(), kept.data() + 6, expected));
  miq::obs::select_mask(exec, weights.view(), ones, kept.view(), {.sparsity = 0.84});
  CHECK(static_cast<int>(kept(0, 4)) == 1);
}

TEST_CASE("bad masks are refused by name, and nothing is written", "[obs]") {
  const miq::host_executor exec({.threads = 1});
  matrix<float> weights(3, 4, 1.0F);
  std::vector<float> saliency(4, 1.0F);
  matrix<std::uint8_t> kept(3, 4, 9);
  const auto refuses = [&](const mask_options& options, const std::string& name) {
    try {
      miq::obs::select_mask(exec, weights.view(), saliency, kept.view(), options);
      FAIL("accepted");
    } catch (const miq::invalid_argument& failure) {
      CHECK(std::string(failure.what()).find(name) != std::string::npos);
    }
    for (std::int64_t i = 0; i < 12; ++i) REQUIRE(static_cast<int>(kept.data()[i]) == 9);
  };
  for (const auto scope : {mask_scope::none, mask_scope::column_group, mask_scope::given})
    refuses({.scope = scope}, "scope");
  refuses({.sparsity = 1.0}, "sparsity");
  refuses({.sparsity = -0.1}, "sparsity");
  refuses({.sparsity = NAN}, "sparsity");
  refuses({.column_block = 0}, "column_block");
  refuses({.pattern_width = 0}, "pattern_width");
  refuses({.pattern_kept = 5, .pattern_width = 4}, "pattern_kept");
  weights(1, 2) = NAN;
  refuses({}, "weights");
  weights(1, 2) = 1;
  saliency[3] = -1;
  refuses({}, "column_saliency");
  saliency[3] = INFINITY;
  refuses({}, "column_saliency");
  saliency.pop_back();
  refuses({}, "column_saliency");
}
