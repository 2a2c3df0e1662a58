// float16 and bfloat16 against Eigen's, over every bit pattern and around every rounding boundary.
#include "test_support/catch.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <Eigen/Core>

#include <miq/core/numeric_types.hpp>
#include <miq/core/random.hpp>

namespace {

template <class Mine>
struct eigen_twin;
template <>
struct eigen_twin<miq::float16> {
  using type = Eigen::half;
  static type from_bits(std::uint16_t bits) { return Eigen::half_impl::raw_uint16_to_half(bits); }
  static std::uint16_t bits(type value) { return Eigen::numext::bit_cast<std::uint16_t>(value); }
};
template <>
struct eigen_twin<miq::bfloat16> {
  using type = Eigen::bfloat16;
  static type from_bits(std::uint16_t bits) { return Eigen::bfloat16_impl::raw_uint16_to_bfloat16(bits); }
  static std::uint16_t bits(type value) { return Eigen::numext::bit_cast<std::uint16_t>(value); }
};

template <class Mine>
Mine from_bits(std::uint16_t bits) {
  Mine value;
  value.bits = bits;
  return value;
}

/// Rounds `value` and compares with Eigen: the same bits, or both NaN of the same sign.
template <class Mine>
bool rounds_as_eigen(float value) {
  const auto mine = Mine(value).bits;
  const auto twin = eigen_twin<Mine>::bits(typename eigen_twin<Mine>::type(value));
  if (std::isnan(value)) return std::isnan(static_cast<float>(from_bits<Mine>(mine)));
  return mine == twin;
}

}  // namespace

TEMPLATE_TEST_CASE("16-bit floats widen as Eigen's do, for all 65536 bit patterns", "[core][numeric_types]",
                   miq::float16, miq::bfloat16) {
  int different = 0;
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto narrow = static_cast<std::uint16_t>(bits);
    const float mine = from_bits<TestType>(narrow);
    const auto twin = static_cast<float>(eigen_twin<TestType>::from_bits(narrow));
    const bool same = std::bit_cast<std::uint32_t>(mine) == std::bit_cast<std::uint32_t>(twin);
    if (!same && !(std::isnan(mine) && std::isnan(twin))) ++different;
  }
  CHECK(different == 0);
}

TEMPLATE_TEST_CASE("16-bit floats survive the way to float and back", "[core][numeric_types]", miq::float16,
                   miq::bfloat16) {
  int changed = 0;
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const float wide = from_bits<TestType>(static_cast<std::uint16_t>(bits));
    const auto back = TestType(wide);
    if (std::isnan(wide) ? !std::isnan(static_cast<float>(back)) : back.bits != bits) ++changed;
  }
  CHECK(changed == 0);
}

TEMPLATE_TEST_CASE("16-bit floats round as Eigen's do", "[core][numeric_types]", miq::float16, miq::bfloat16) {
  int different = 0;
  SECTION("on, just below and just above every value and every midpoint") {
    // Between two neighbours of a 16-bit type lies a midpoint that float holds exactly; so do its own neighbours.
    for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
      const float low = from_bits<TestType>(static_cast<std::uint16_t>(bits));
      const float high = from_bits<TestType>(static_cast<std::uint16_t>(bits + 1U));
      if (!std::isfinite(low)) continue;
      const float middle = std::isfinite(high) ? low / 2 + high / 2 : low;
      for (const float centre : {low, middle})
        for (const float value : {centre, std::nextafter(centre, std::numeric_limits<float>::infinity()),
                                  std::nextafter(centre, -std::numeric_limits<float>::infinity())})
          if (!rounds_as_eigen<TestType>(value)) ++different;
    }
  }
  SECTION("at the edges of the ranges") {
    const float edges[] = {65504.0F,
                           65519.996F,
                           65520.0F,
                           65536.0F,
                           0x1.0p-14F,
                           0x1.FFCp-15F,
                           0x1.0p-24F,
                           0x1.0p-25F,
                           0x1.000002p-25F,
                           std::numeric_limits<float>::max(),
                           std::numeric_limits<float>::min(),
                           std::numeric_limits<float>::denorm_min(),
                           std::numeric_limits<float>::infinity(),
                           0.0F,
                           std::numeric_limits<float>::quiet_NaN(),
                           std::bit_cast<float>(0x7F800001U)};
    for (const float edge : edges)
      for (const float value : {edge, -edge})
        if (!rounds_as_eigen<TestType>(value)) ++different;
  }
  SECTION("for random bit patterns") {
    miq::random_stream random(miq_test::seed());
    for (int i = 0; i < 4'000'000; ++i)
      if (!rounds_as_eigen<TestType>(std::bit_cast<float>(static_cast<std::uint32_t>(random() >> 32)))) ++different;
  }
  CHECK(different == 0);
}

TEST_CASE("known bit patterns of binary16 and bfloat16", "[core][numeric_types]") {
  // IEEE 754-2019, table 3.5, and the first 16 bits of binary32.
  STATIC_REQUIRE(miq::float16(1.0F).bits == 0x3C00);
  STATIC_REQUIRE(miq::float16(-2.0F).bits == 0xC000);
  STATIC_REQUIRE(miq::float16(65504.0F).bits == 0x7BFF);
  STATIC_REQUIRE(miq::float16(65520.0F).bits == 0x7C00);
  STATIC_REQUIRE(miq::float16(0x1.0p-24F).bits == 0x0001);
  STATIC_REQUIRE(miq::float16(0x1.0p-25F).bits == 0x0000);  // half of the smallest value: a tie, to even
  STATIC_REQUIRE(miq::float16(0.1F).bits == 0x2E66);
  STATIC_REQUIRE(miq::bfloat16(1.0F).bits == 0x3F80);
  STATIC_REQUIRE(miq::bfloat16(-2.0F).bits == 0xC000);
  STATIC_REQUIRE(miq::bfloat16(0.1F).bits == 0x3DCD);
  STATIC_REQUIRE(sizeof(miq::float16) == 2);
  STATIC_REQUIRE(sizeof(miq::bfloat16) == 2);
}
