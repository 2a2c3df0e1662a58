// The device's selection of masks on the host, on one lane and on threads, against a sort and the host's selection.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/core/numeric_types.hpp>
#include <miq/core/random.hpp>
#include <miq/obs/detail/mask/checks.hpp>
#include <miq/obs/detail/mask/schedule.hpp>

#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using miq::matrix;
using miq::matrix_view;
using miq::vector_view;
using miq::obs::mask_options;
using miq::obs::mask_scope;
using miq::obs::detail::device_mask_scratch;

/// `masked` receives what the function returns. Weights and mask lie in wider matrices.
template <class T>
matrix<std::uint8_t> mask_bodies(const matrix<T>& weights, const std::vector<float>& saliency,
                                 const mask_options& options, std::int64_t& masked, std::int32_t lanes) {
  const auto rows = weights.rows(), columns = weights.columns();
  matrix<T> wide(rows, columns + 3, T(NAN));
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) wide(r, c) = weights(r, c);
  matrix<std::uint8_t> out(rows, columns + 5, 77);
  const matrix_view<const T> from(wide.data(), rows, columns, wide.columns());
  const matrix_view<std::uint8_t> to(out.data(), rows, columns, out.columns());
  const vector_view<const float> units(saliency);
  miq::obs::detail::check_select_mask(from, units, to, options);
  const device_mask_scratch plan(rows, columns, options);
  const miq_test::nonsense_memory memory(plan.layout);
  masked =
      miq::obs::detail::select_mask_on_machine(miq_test::host_machine(lanes), plan, memory, from, units, to, options);
  matrix<std::uint8_t> kept(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) kept(r, c) = to(r, c);
    for (auto c = columns; c < out.columns(); ++c) REQUIRE(out(r, c) == 77);
  }
  return kept;
}

/// Masks the `count` smallest of a window by sorting; ties by row, then column. Squares of floats are what is compared.
template <class T>
void mask_window(const matrix<T>& weights, const std::vector<float>& saliency, std::int64_t top, std::int64_t bottom,
                 std::int64_t first, std::int64_t last, std::int64_t count, matrix<std::uint8_t>& kept) {
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  for (auto r = top; r < bottom; ++r)
    for (auto c = first; c < last; ++c) places.emplace_back(r, c);
  const auto size = [&](const auto& at) {
    const float root = static_cast<float>(weights(at.first, at.second)) * saliency[static_cast<std::size_t>(at.second)];
    return root * root;
  };
  std::stable_sort(places.begin(), places.end(), [&](const auto& a, const auto& b) { return size(a) < size(b); });
  for (std::size_t i = 0; i < places.size(); ++i)
    kept(places[i].first, places[i].second) = static_cast<std::int64_t>(i) < count ? 0 : 1;
}

template <class T>
matrix<std::uint8_t> sorted_mask(const matrix<T>& weights, const std::vector<float>& saliency,
                                 const mask_options& options) {
  const auto rows = weights.rows(), columns = weights.columns();
  matrix<std::uint8_t> kept(rows, columns, 9);
  const auto share = [&](std::int64_t of) {
    return static_cast<std::int64_t>(std::floor(options.sparsity * static_cast<double>(of)));
  };
  switch (options.scope) {
    case mask_scope::layer:
      mask_window(weights, saliency, 0, rows, 0, columns, share(rows * columns), kept);
      break;
    case mask_scope::column_block:
      for (std::int64_t c = 0; c < columns; c += options.column_block) {
        const auto last = std::min(columns, c + options.column_block);
        mask_window(weights, saliency, 0, rows, c, last, share(rows * (last - c)), kept);
      }
      break;
    case mask_scope::row:
      for (std::int64_t r = 0; r < rows; ++r)
        mask_window(weights, saliency, r, r + 1, 0, columns, share(columns), kept);
      break;
    case mask_scope::n_of_m:
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; c += options.pattern_width) {
          const auto last = std::min(columns, c + options.pattern_width);
          mask_window(weights, saliency, r, r + 1, c, last, last - c - options.pattern_kept, kept);
        }
      break;
    default:
      FAIL("select_mask knows no such scope");
  }
  return kept;
}

}  // namespace

TEMPLATE_TEST_CASE("the device's masks are those of a sort and of the host", "[obs][body]", float, miq::float16,
                   miq::bfloat16) {
  const auto scope = GENERATE(mask_scope::layer, mask_scope::column_block, mask_scope::row, mask_scope::n_of_m);
  const auto [rows, columns] = GENERATE(
      table<std::int64_t, std::int64_t>({{1, 1}, {1, 300}, {7, 5}, {37, 131}, {131, 64}, {3, 2100}, {2101, 5}}));
  const auto lanes = GENERATE(0, 8);
  if (lanes > 0 && rows > 37) return;  // the simulated device runs the others, with all lanes
  // Few values, many ties; or all different.
  const bool coarse = GENERATE(false, true);
  miq::random_stream random(miq_test::seed());
  matrix<TestType> weights(rows, columns);
  matrix<float> values(rows, columns);
  for (std::int64_t i = 0; i < weights.size(); ++i) {
    weights.data()[i] =
        TestType(coarse ? static_cast<float>(random.below(5)) - 2.0F : static_cast<float>(random.normal()));
    values.data()[i] = static_cast<float>(weights.data()[i]);
  }
  std::vector<float> saliency;
  for (std::int64_t c = 0; c < columns; ++c)
    saliency.push_back(coarse ? 1.0F : (c % 11 == 3 ? 0.0F : 0.5F + static_cast<float>(random.uniform())));
  for (const auto& options :
       {mask_options{.scope = scope, .sparsity = 0.5, .column_block = 48},
        mask_options{.scope = scope, .sparsity = 0.83, .column_block = 7, .pattern_kept = 5, .pattern_width = 70},
        mask_options{.scope = scope, .sparsity = 0, .column_block = 1000, .pattern_kept = 3, .pattern_width = 3}}) {
    std::int64_t masked = -1;
    const auto got = mask_bodies(weights, saliency, options, masked, lanes);
    const auto expected = sorted_mask(weights, saliency, options);
    matrix<std::uint8_t> host(rows, columns);
    const auto host_masked =
        miq::obs::select_mask(miq::host_executor({.threads = 1}), values.view(), saliency, host.view(), options);
    CHECK(masked == host_masked);
    CHECK(masked == std::count(got.data(), got.data() + got.size(), std::uint8_t{0}));
    for (std::int64_t i = 0; i < got.size(); ++i) {
      REQUIRE(static_cast<int>(got.data()[i]) == static_cast<int>(expected.data()[i]));
      REQUIRE(got.data()[i] == host.data()[i]);
    }
  }
}

TEST_CASE("what is not a number is never masked before what is", "[obs][body]") {
  matrix<float> weights(3, 4, 1.0F);
  weights(0, 0) = NAN;
  weights(1, 2) = INFINITY;
  std::int64_t masked = 0;
  const auto kept = mask_bodies(weights, {1, 1, 1, 1}, {.sparsity = 0.83}, masked, 0);  // 9 of 12
  CHECK(masked == 9);
  CHECK(kept(0, 0) == 1);
  CHECK(kept(1, 2) == 1);
}

TEST_CASE("blocks of rows: few enough, and all rows", "[obs][body]") {
  using miq::obs::detail::blocks_of_rows;
  using miq::obs::detail::rows_of_block;
  for (const std::int64_t columns : {1, 7, 128, 1024, 4096, 28672})
    for (const std::int64_t rows : {1, 2, 31, 4096, 28672, 1'000'003}) {
      const auto each = rows_of_block(rows, columns);
      const auto blocks = blocks_of_rows(rows, columns);
      REQUIRE(each >= 1);
      REQUIRE(blocks <= 2048);
      REQUIRE((blocks - 1) * each < rows);
      REQUIRE(blocks * each >= rows);
      // Counters of a block are 32 bits.
      REQUIRE(each * columns < (std::int64_t{1} << 31));
      const device_mask_scratch plan(rows, columns, {.scope = mask_scope::layer});
      REQUIRE(plan.layout.bytes() <= 100 * 1024);
    }
}
