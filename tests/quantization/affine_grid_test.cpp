// One affine grid against its definition in double precision, and against values that PyTorch's formula gives.
#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include <miq/core/detail/vector_lanes.hpp>
#include <miq/core/random.hpp>
#include <miq/quantization/affine_grid.hpp>

#include "reference/quantization_oracle.hpp"
#include "test_support/catch.hpp"
#include "torch_grids.hpp"

namespace {

using miq::quantization::affine_grid;
using miq::quantization::grid_of_range;
using miq::quantization::grid_symmetry;
using miq::quantization::scale_format;

}  // namespace

TEST_CASE("codes follow the definition, halves to the even integer", "[quantization]") {
  const int bits = GENERATE(1, 2, 3, 4, 5, 6, 7, 8);
  const bool symmetric = GENERATE(false, true);
  const int largest =
      miq::quantization::maximum_code(bits, symmetric ? grid_symmetry::symmetric : grid_symmetry::asymmetric);
  CHECK(largest == (symmetric && bits > 1 ? (1 << bits) - 2 : (1 << bits) - 1));
  const float zero = symmetric ? static_cast<float>(largest) / 2 : static_cast<float>(largest / 3);
  const affine_grid grid{0.25F, zero, largest};
  // Eighths of the scale: every multiple, and every half, is met exactly. round(w / scale) + zero, where the fraction
  // of the zero point (1 bit, symmetric) goes in before rounding.
  const double whole = std::floor(static_cast<double>(zero));
  for (int eighth = -3000; eighth <= 3000; ++eighth) {
    const double w = 0.25 * eighth / 8;
    const double code = miq_oracle::round_half_even(w / 0.25 + (static_cast<double>(zero) - whole)) + whole;
    const int expected = static_cast<int>(std::clamp(code, 0.0, static_cast<double>(largest)));
    REQUIRE(miq::quantization::quantise(static_cast<float>(w), grid) == expected);
  }
  for (int code = 0; code <= largest; ++code) {
    const float level = miq::quantization::dequantise(code, grid);
    REQUIRE(static_cast<double>(level) == 0.25 * (code - static_cast<double>(zero)));
    REQUIRE(miq::quantization::quantise(level, grid) == code);
  }
  for (const float far : {1e30F, std::numeric_limits<float>::max()}) {
    CHECK(miq::quantization::quantise(far, grid) == largest);
    CHECK(miq::quantization::quantise(-far, grid) == 0);
  }
}

TEST_CASE("the nearest level is chosen", "[quantization]") {
  const int bits = GENERATE(1, 2, 3, 4, 8);
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric);
  miq::random_stream random(miq_test::seed());
  for (int i = 0; i < 300; ++i) {
    const auto low = static_cast<float>(random.normal());
    const auto high = static_cast<float>(random.normal());
    const auto grid = grid_of_range(std::min(low, high), std::max(low, high), bits, symmetry, scale_format::float16);
    const miq_oracle::grid oracle{static_cast<double>(grid.scale), static_cast<double>(grid.zero), grid.maximum_code};
    for (int k = 0; k < 20; ++k) {
      const auto w = static_cast<float>(1.5 * random.normal());
      const double chosen = oracle.level(miq::quantization::quantise(w, grid));
      const double best = oracle.level(oracle.code_of(static_cast<double>(w)));
      // A quotient is off by 2^-24 of itself, at most 2^8 scales.
      REQUIRE(std::abs(chosen - static_cast<double>(w)) <=
              std::abs(best - static_cast<double>(w)) + 0x1.0p-15 * oracle.scale);
    }
  }
}

TEST_CASE("min/max grids follow the definition", "[quantization]") {
  const int bits = GENERATE(1, 2, 3, 4, 5, 6, 7, 8);
  const bool symmetric = GENERATE(false, true);
  const bool half = GENERATE(false, true);
  miq::random_stream random(miq_test::seed());
  for (int i = 0; i < 500; ++i) {
    const double size = std::pow(10.0, -6 + 9 * random.uniform());
    auto low = static_cast<float>(size * random.normal());
    auto high = static_cast<float>(size * random.normal());
    if (low > high) std::swap(low, high);
    const auto grid = grid_of_range(low, high, bits, symmetric ? grid_symmetry::symmetric : grid_symmetry::asymmetric,
                                    half ? scale_format::float16 : scale_format::float32);
    const auto expected =
        miq_oracle::grid_of_range(static_cast<double>(low), static_cast<double>(high), bits, symmetric, half);
    REQUIRE(grid.maximum_code == expected.largest);
    // The range in float may differ from the double's by an ulp, and so may the stored scale.
    REQUIRE(static_cast<double>(grid.scale) == Approx(expected.scale).epsilon(half ? 0x1.0p-10 : 0x1.0p-22));
    if (symmetric) REQUIRE(static_cast<double>(grid.zero) == expected.zero);
    // The zero point is the nearest integer to -low / scale for the scale that is stored, and a code.
    if (!symmetric) {
      const double position = -std::min(0.0, static_cast<double>(low)) / static_cast<double>(grid.scale);
      REQUIRE(grid.zero == std::floor(grid.zero));
      REQUIRE(std::abs(std::min(position, static_cast<double>(grid.maximum_code)) - static_cast<double>(grid.zero)) <=
              0.5 + 1e-4);
    }
    // 0 is a level, but for 1 bit symmetric.
    if (!(symmetric && bits == 1))
      REQUIRE(miq::quantization::dequantise(miq::quantization::quantise(0.0F, grid), grid) == 0.0F);
    // Nothing inside the range is further than half a step from a level, one step where the stored scale fell short.
    const float middle = low + (high - low) * static_cast<float>(random.uniform());
    const float back = miq::quantization::dequantise(miq::quantization::quantise(middle, grid), grid);
    const float short_of = std::max(grid.scale * 0x1.0p-11F, 0x1.0p-25F);  // half an ulp of the stored scale
    if (!(symmetric && bits == 1))
      REQUIRE(std::abs(back - middle) <= 1.01F * grid.scale + static_cast<float>(grid.maximum_code) * short_of);
  }
}

TEST_CASE("min/max grids are those of the published formula in PyTorch", "[quantization]") {
  // torch: xmin = min(x, 0), xmax = max(x, 0); scale = (xmax - xmin) / (2^b - 1); zero = round(-xmin / scale), float32.
  // Values from tests/quantization/make_reference.py.
  for (const auto& expected : torch_grids) {
    const auto grid =
        grid_of_range(expected.low, expected.high, expected.bits, grid_symmetry::asymmetric, scale_format::float32);
    INFO("[" << expected.low << ", " << expected.high << "], " << expected.bits << " bits");
    CHECK(grid.scale == expected.scale);
    CHECK(grid.zero == expected.zero);
  }
}

TEST_CASE("an empty range gives the grid of [-1, 1]", "[quantization]") {
  const auto grid = grid_of_range(0, 0, 4, grid_symmetry::asymmetric, scale_format::float32);
  CHECK(grid.scale == 2.0F / 15);
  CHECK(grid.zero == 7.0F);  // 1 / scale is a little below 7.5, as in PyTorch
  const auto symmetric = grid_of_range(0, 0, 4, grid_symmetry::symmetric, scale_format::float32);
  CHECK(symmetric.scale == 1.0F / 7);
  CHECK(symmetric.zero == 7.0F);
}

TEST_CASE("stored scales stay positive and finite", "[quantization]") {
  using miq::quantization::stored_scale;
  CHECK(stored_scale(1e-9F, scale_format::float16) == 0x1.0p-24F);
  CHECK(stored_scale(1e30F, scale_format::float16) == 65504.0F);
  CHECK(stored_scale(65519.0F, scale_format::float16) == 65504.0F);
  CHECK(stored_scale(65520.0F, scale_format::float16) == 65504.0F);
  CHECK(stored_scale(0x1.8p-24F, scale_format::float16) == 0x1.0p-23F);  // a tie, to even
  CHECK(stored_scale(1e-9F, scale_format::float32) == 1e-9F);
  miq::random_stream random(miq_test::seed());
  for (int i = 0; i < 5000; ++i) {
    const auto scale = static_cast<float>(std::pow(10.0, -10 + 16 * random.uniform()));
    REQUIRE(static_cast<double>(stored_scale(scale, scale_format::float16)) ==
            miq_oracle::nearest_half(static_cast<double>(scale)));
  }
}

TEST_CASE("grids without zero: two halves, and the nearest level of a value's own sign", "[quantization]") {
  const int bits = GENERATE(1, 2, 3, 4, 5, 6, 7, 8);
  miq::random_stream random(miq_test::seed());
  for (int trial = 0; trial < 50; ++trial) {
    affine_grid grid;
    grid.zero_free = true;
    grid.maximum_code = miq::quantization::maximum_code(bits, grid_symmetry::zero_free);
    grid.zero = 0.5F + 0.5F * static_cast<float>(random.below(std::uint64_t{1} << bits));
    grid.scale = static_cast<float>(0.01 + random.uniform());
    REQUIRE(grid.maximum_code == (1 << bits) - 1);
    const int half = 1 << (bits - 1);
    float last = -INFINITY;
    for (int code = 0; code <= grid.maximum_code; ++code) {
      const float level = dequantise(code, grid);
      REQUIRE(level > last);
      REQUIRE(level == -dequantise(grid.maximum_code - code, grid));
      REQUIRE(static_cast<double>(std::abs(level)) ==
              Approx(static_cast<double>(grid.scale) *
                     (static_cast<double>(grid.zero) + (code < half ? half - 1 - code : code - half))));
      REQUIRE(quantise(level, grid) == code);
      last = level;
    }
    for (int i = 0; i < 50; ++i) {
      const auto value = static_cast<float>(2 * random.normal());
      const auto code = quantise(value, grid);
      const float off = std::abs(dequantise(code, grid) - value);
      for (int other = value < 0 ? 0 : half; other < (value < 0 ? half : 2 * half); ++other)
        REQUIRE(off <= std::abs(dequantise(other, grid) - value) * 1.00001F);
      REQUIRE((code < half) == (value < 0));
    }
  }
}

TEST_CASE("grids of halves end at their reach", "[quantization]") {
  const int bits = GENERATE(1, 2, 3, 4, 8);
  for (const float nearest : {0.0F, 0.1F, 0.4F, 0.9F, 2.0F}) {
    const auto grid = miq::quantization::grid_of_halves(nearest, 2.0F, bits, scale_format::float32);
    CHECK(dequantise(grid.maximum_code, grid) == Approx(2.0F));
    CHECK(grid.zero >= 0.5F);
    CHECK(grid.zero <= static_cast<float>(1 << (bits - 1)));
  }
  const auto empty = miq::quantization::grid_of_range(0, 0, 3, grid_symmetry::zero_free, scale_format::float16);
  CHECK(dequantise(empty.maximum_code, empty) == Approx(1.0F).epsilon(1e-3));
}

TEST_CASE("logarithmic scales: sixteen steps an octave", "[quantization]") {
  miq::random_stream random(miq_test::seed());
  for (int i = 0; i < 2000; ++i) {
    const auto scale = static_cast<float>(std::exp(20 * random.normal()));
    if (!(scale > 1e-37F) || !(scale < 1e37F)) continue;
    const float stored = miq::quantization::stored_scale(scale, scale_format::logarithmic8);
    REQUIRE(std::abs(std::log2(static_cast<double>(stored) / static_cast<double>(scale))) <= 1.0 / 32 + 1e-6);
    REQUIRE(miq::quantization::stored_scale(stored, scale_format::logarithmic8) == stored);
    const double steps = 16 * std::log2(static_cast<double>(stored));
    REQUIRE(steps == Approx(std::nearbyint(steps)).margin(1e-4));
  }
  CHECK(miq::quantization::stored_scale(0.25F, scale_format::logarithmic8) == 0.25F);
}

TEST_CASE("vector lanes follow the rule of quantise", "[quantization]") {
  using namespace miq::quantization::detail;
  using lanes = miq::detail::float_lanes;
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric, grid_symmetry::zero_free);
  const int bits = GENERATE(1, 2, 3, 4, 8);
  const bool zero_free = symmetry == grid_symmetry::zero_free;
  miq::random_stream random(miq_test::seed());
  for (int i = 0; i < 300; ++i) {
    const auto low = static_cast<float>(random.normal() - 1), high = static_cast<float>(random.normal() + 1);
    const auto grid = grid_of_range(std::min(low, high), std::max(low, high), bits, symmetry, scale_format::float32);
    const lanes highest = lanes{} + miq::quantization::highest_step(grid.maximum_code, zero_free);
    lanes values{};
    for (int k = 0; k < miq::detail::lanes; ++k) values[k] = static_cast<float>(2 * random.normal());
    const lanes scale = lanes{} + grid.scale, zero = lanes{} + grid.zero;
    const auto got = zero_free ? vectors::nearest_level<grid_kind::zero_free>(
                                     values, vectors::steps_of<grid_kind::zero_free>(scale, zero, highest))
                               : vectors::nearest_level<grid_kind::affine>(
                                     values, vectors::steps_of<grid_kind::affine>(scale, zero, highest));
    for (int k = 0; k < miq::detail::lanes; ++k) {
      const auto code = miq::quantization::quantise(values[k], grid);
      REQUIRE(got.code[k] == static_cast<float>(code));
      REQUIRE(got.value[k] == miq::quantization::dequantise(code, grid));
    }
  }
}

TEST_CASE("the reciprocal variant differs from the rule at ties only", "[quantization]") {
  using namespace miq::quantization::detail;
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric, grid_symmetry::zero_free);
  const int bits = GENERATE(1, 2, 4, 8);
  const bool zero_free = symmetry == grid_symmetry::zero_free;
  miq::random_stream random(miq_test::seed());
  for (int i = 0; i < 2000; ++i) {
    // From large to subnormal scales.
    const float unit = std::ldexp(1.0F, static_cast<int>(random.uniform() * 240) - 140);
    const auto grid =
        grid_of_range(-unit * static_cast<float>(random.uniform()), unit, bits, symmetry, scale_format::float32);
    const reciprocal_steps reciprocal(grid.scale, grid.zero,
                                      miq::quantization::highest_step(grid.maximum_code, zero_free), zero_free);
    // Every second value beside a tie of the rule.
    const double step = std::floor(random.uniform() * (grid.maximum_code + 2)) + 0.5 - static_cast<double>(grid.zero);
    const auto value = static_cast<float>(i % 2 == 0 ? 1.5 * static_cast<double>(unit) * random.normal()
                                                     : step * static_cast<double>(grid.scale) *
                                                           (1 + (random.uniform() - 0.5) * 0x1p-22));
    const double exact = static_cast<double>(value);
    const double by_rule = std::fabs(
        exact - static_cast<double>(miq::quantization::dequantise(miq::quantization::quantise(value, grid), grid)));
    const double got = std::fabs(static_cast<double>(reciprocal.difference(value)));
    // Both positions are rounded at most three times, by 2^-24 each of what is rounded: v / s, or that and the zero
    // point. A value that the two put on different levels is within the sum of that of halfway, and its distances from
    // the two levels differ by twice as much. The level and the difference themselves are rounded twice more.
    const double position = std::fabs(exact) / static_cast<double>(grid.scale) + static_cast<double>(grid.zero) + 1;
    const double levels = static_cast<double>(grid.maximum_code) + 1;
    const double smallest = static_cast<double>(std::numeric_limits<float>::denorm_min());
    REQUIRE(std::fabs(got - by_rule) <=
            (14 * position + 2 * levels) * 0x1p-24 * static_cast<double>(grid.scale) + 2 * smallest);
  }
}
