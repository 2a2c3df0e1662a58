// Packed layers: round trips to the bit, the bits that storage_of counts, a layer written by hand, hostile bytes.
#include <cstring>
#include <limits>
#include <string>

#include <miq/quantization/packed_layer.hpp>
#include <miq/quantization/storage.hpp>

#include "random_layer.hpp"
#include "test_support/catch.hpp"

namespace {

using namespace miq_test;
using miq::matrix;
using q::grid_layout;
using q::grid_symmetry;
using q::packed_layer_view;
using q::packed_section;
using q::scale_format;

const miq::host_executor& exec() {
  static const miq::host_executor instance({.threads = 1});
  return instance;
}

constexpr grid_layout layouts[] = {grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column,
                                   grid_layout::row_by_group, grid_layout::row_by_column};
constexpr grid_symmetry symmetries[] = {grid_symmetry::asymmetric, grid_symmetry::symmetric, grid_symmetry::zero_free};
constexpr scale_format formats[] = {scale_format::float16, scale_format::float32, scale_format::logarithmic8};

template <class T>
bool same(const matrix<T>& a, const matrix<T>& b) {
  return a.rows() == b.rows() && a.columns() == b.columns() &&
         (a.empty() || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(T)) == 0);
}

/// What a layer stands for, by the grids' own definition.
matrix<float> dequantised(const random_layer& layer) {
  matrix<float> weights(layer.kept.rows(), layer.kept.columns());
  for (std::int64_t r = 0; r < weights.rows(); ++r)
    for (std::int64_t c = 0; c < weights.columns(); ++c)
      weights(r, c) = layer.kept(r, c) != 0 ? q::dequantise(layer.codes(r, c), layer.grids.at(r, c)) : 0.0F;
  return weights;
}

void check_round_trip(const random_layer& layer) {
  const auto bytes = q::pack_layer(exec(), layer.source());
  REQUIRE(static_cast<std::int64_t>(bytes.size()) == q::packed_layer_bytes(layer.source()));
  const packed_layer_view view(bytes);
  const auto expected = dequantised(layer);
  REQUIRE(same(q::unpack_layer(exec(), view), expected));
  matrix<miq::float16> half(expected.rows(), expected.columns());
  q::unpack_layer(exec(), view, half.view());
  for (std::int64_t i = 0; i < half.size(); ++i) REQUIRE(half.data()[i].bits == miq::float16(expected.data()[i]).bits);

  matrix<std::uint8_t> codes(expected.rows(), expected.columns(), 7);
  matrix<std::uint8_t> kept(expected.rows(), expected.columns(), 7);
  q::unpack_layer_codes(exec(), view, codes.view(), kept.view());
  REQUIRE(same(kept, layer.kept));
  for (std::int64_t i = 0; i < codes.size(); ++i)
    REQUIRE(codes.data()[i] == (kept.data()[i] != 0 ? layer.codes.data()[i] : 0));
  const auto grids = view.grids();
  REQUIRE(same(grids.scale, layer.grids.scale));
  REQUIRE(same(grids.zero, layer.grids.zero));
  REQUIRE(grids.row_factor == layer.grids.row_factor);
  REQUIRE(grids.bits == layer.grids.bits);
  REQUIRE(grids.column_grid == layer.grids.column_grid);
  REQUIRE(grids.layout == layer.grids.layout);
  REQUIRE(grids.symmetry == layer.grids.symmetry);
  REQUIRE(grids.format == layer.grids.format);
  REQUIRE(std::equal(layer.labels.begin(), layer.labels.end(), view.labels().begin(), view.labels().end()));

  // Honest accounting: what is counted is what lies in the file.
  const auto counted = q::storage_of(layer.kept.view(), layer.grids, layer.labels, layer.groups);
  REQUIRE(static_cast<double>(view.payload_bits()) == counted.total());
  REQUIRE(static_cast<double>(view.section_bits(packed_section::codes)) == counted.code_bits);
  REQUIRE(static_cast<double>(view.section_bits(packed_section::mask)) == counted.mask_bits);
  REQUIRE(static_cast<double>(view.section_bits(packed_section::zeros)) == counted.zero_bits);
  REQUIRE(static_cast<double>(view.section_bits(packed_section::labels)) == counted.group_index_bits);
  REQUIRE(static_cast<double>(view.section_bits(packed_section::widths)) == counted.width_bits);
  REQUIRE(static_cast<double>(view.section_bits(packed_section::scales) +
                              view.section_bits(packed_section::row_factors)) == counted.scale_bits);
  // Header, and less than 8 bytes of padding in each of the sections that there are.
  std::int64_t most = 8 * 128;
  for (std::size_t i = 0; i < q::packed_sections; ++i)
    most += view.section_bits(static_cast<packed_section>(i)) > 0 ? 63 : 0;
  REQUIRE(8 * static_cast<std::int64_t>(bytes.size()) <= view.payload_bits() + most);
}

random_layer small_layer(std::uint64_t seed) {
  miq::random_stream random(seed);
  return make_random_layer(random, 5, 12, 3, 0.6, {});
}

std::string refusal(std::span<const std::byte> bytes) {
  try {
    const packed_layer_view view(bytes);
    return "(accepted)";
  } catch (const miq::invalid_argument& error) {
    return error.what();
  }
}

template <class T>
void put(std::vector<std::byte>& bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
}

}  // namespace

TEST_CASE("a packed layer decodes to the bit, and holds the bits that are counted", "[packed_layer]") {
  miq::random_stream random(miq_test::seed());
  for (const auto layout : layouts)
    for (const auto symmetry : symmetries)
      for (const auto format : formats)
        for (const double density : {0.0, 0.37, 1.0}) {
          INFO(static_cast<int>(layout) << ' ' << static_cast<int>(symmetry) << ' ' << static_cast<int>(format) << ' '
                                        << density);
          const layer_kind kind{layout, symmetry, format};
          check_round_trip(make_random_layer(random, 13, 29, 1, density, kind));
          check_round_trip(make_random_layer(random, 13, 29, 4, density, kind));
          check_round_trip(make_random_layer(random, 7, 11, 11, density, kind));
          check_round_trip(make_random_layer(random, 1, 1, 1, density, kind));
          check_round_trip(make_random_layer(random, 1, 67, 5, density, kind, true));
          check_round_trip(make_random_layer(random, 67, 3, 2, density, kind));
        }
}

TEST_CASE("a larger layer, and one that lies in a larger matrix", "[packed_layer]") {
  miq::random_stream random(miq_test::seed());
  check_round_trip(make_random_layer(random, 131, 517, 8, 0.5, {}));
  check_round_trip(make_random_layer(random, 131, 517, 517, 0.5, {grid_layout::per_column}));

  const auto layer = small_layer(3);
  matrix<std::uint8_t> codes(5, 40, 200);
  matrix<std::uint8_t> kept(5, 40, 1);
  for (std::int64_t r = 0; r < 5; ++r)
    for (std::int64_t c = 0; c < 12; ++c) {
      codes(r, c) = layer.codes(r, c);
      kept(r, c) = layer.kept(r, c);
    }
  const q::packed_layer_source inside{
      {codes.data(), 5, 12, 40}, {kept.data(), 5, 12, 40}, layer.grids, layer.labels, layer.groups};
  CHECK(q::pack_layer(exec(), inside) == q::pack_layer(exec(), layer.source()));
  std::vector<std::byte> own(static_cast<std::size_t>(q::packed_layer_bytes(layer.source())) + 1, std::byte{0xAA});
  q::pack_layer(exec(), layer.source(), std::span(own).subspan(1));  // any alignment
  const packed_layer_view view(std::span<const std::byte>(own).subspan(1));
  CHECK(same(q::unpack_layer(exec(), view), dequantised(layer)));
}

TEST_CASE("the bytes of a layer, by hand", "[packed_layer]") {
  // 2 rows, 3 columns; columns 0 and 2 in group 0 (3 bits), column 1 in group 1 (2 bits); weight (1, 0) is masked.
  random_layer layer;
  layer.groups = 2;
  layer.labels = {0, 1, 0};
  layer.codes = matrix<std::uint8_t>(2, 3);
  layer.kept = matrix<std::uint8_t>(2, 3, 1);
  layer.kept(1, 0) = 0;
  const std::uint8_t codes[] = {5, 2, 7, 0, 1, 3};
  std::copy_n(codes, 6, layer.codes.data());
  layer.grids.layout = grid_layout::per_group;
  layer.grids.scale = matrix<float>(1, 2);
  layer.grids.scale(0, 0) = 0.5F;   // 0x3800
  layer.grids.scale(0, 1) = 0.25F;  // 0x3400
  layer.grids.zero = matrix<float>(1, 2);
  layer.grids.zero(0, 0) = 4;
  layer.grids.zero(0, 1) = 3;
  layer.grids.bits = {3, 2};
  layer.grids.column_grid = layer.labels;

  std::string expected("miqlayer", 8);
  const auto add = [&](std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) expected.push_back(static_cast<char>(value >> 8 * i & 0xFF));
  };
  add(1, 4);                                                  // version
  add(1 | 4, 4);                                              // mask, labels
  for (const unsigned extent : {2U, 3U, 2U}) add(extent, 8);  // rows, columns, groups
  add(0, 1), add(1, 1), add(0, 1), add(0, 1), add(0, 4);      // asymmetric, per group, float16, -, -
  add(5, 8), add(128 + 6 * 8, 8);                             // kept, total
  for (const unsigned bits : {6U, 3U, 0U, 6U, 32U, 0U, 5U, 3U * 3 + 2 * 2}) add(bits, 8);
  add(2 | 1 << 3, 8);                              // widths less 1
  add(0 | 1 << 1 | 0 << 2, 8);                     // labels
  add(0b110111, 8);                                // mask, (0, 0) lowest
  add(0x3800 | 0x34000000, 8);                     // scales
  add(4 | 3 << 3, 8);                              // zero points
  add(5 | 7 << 3 | 3 << 6 | 2 << 9 | 1 << 11, 8);  // codes: group 0 rows 0 and 1, then group 1
  const auto bytes = q::pack_layer(exec(), layer.source());
  CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == expected);
  const packed_layer_view view(bytes);
  CHECK(view.first_code_bit(0) == 0);
  CHECK(view.first_code_bit(1) == 9);
  CHECK(view.first_code_bit(2) == 13);
  const auto weights = q::unpack_layer(exec(), view);
  const float values[] = {0.5F, -0.25F, 1.5F, 0, -0.5F, -0.5F};
  CHECK(std::equal(values, values + 6, weights.data()));
}

TEST_CASE("a layer that is only pruned keeps half-precision weights", "[packed_layer]") {
  miq::random_stream random(miq_test::seed());
  for (const double density : {0.0, 0.4, 1.0}) {
    matrix<float> weights(9, 31);
    matrix<std::uint8_t> kept(9, 31);
    for (std::int64_t i = 0; i < weights.size(); ++i) {
      weights.data()[i] = static_cast<float>(random.normal());
      kept.data()[i] = density >= 1 || random.uniform() < density ? 1 : 0;
    }
    const auto bytes = q::pack_pruned_layer(exec(), weights.view(), kept.view());
    const packed_layer_view view(bytes);
    CHECK(!view.quantised());
    CHECK(static_cast<double>(view.payload_bits()) == q::storage_of_unquantised(kept.view()).total());
    const auto again = q::unpack_layer(exec(), view);
    for (std::int64_t i = 0; i < weights.size(); ++i)
      REQUIRE(again.data()[i] == (kept.data()[i] != 0 ? static_cast<float>(miq::float16(weights.data()[i])) : 0.0F));
    matrix<std::uint8_t> codes(9, 31);
    CHECK_THROWS_WITH(q::unpack_layer_codes(exec(), view, codes.view(), kept.view()), contains("must be quantised"));
  }
  matrix<float> weights(2, 2, 70'000);
  CHECK_THROWS_WITH(q::pack_pruned_layer(exec(), weights.view(), matrix<std::uint8_t>(2, 2, 1).view()),
                    contains("row 0, column 0"));
  CHECK_NOTHROW(q::pack_pruned_layer(exec(), weights.view(), matrix<std::uint8_t>(2, 2).view()));
}

TEST_CASE("a layer that does not fit together is not packed", "[packed_layer]") {
  auto layer = small_layer(1);
  const auto message = [&] {
    std::vector<std::byte> bytes(static_cast<std::size_t>(4096), std::byte{0x55});
    const auto before = bytes;
    std::string text = "(packed)";
    try {
      q::pack_layer(exec(), layer.source(), bytes);
    } catch (const miq::invalid_argument& error) {
      text = error.what();
    }
    CHECK(bytes == before);
    return text;
  };
  CHECK_THAT(message(), contains("bytes must be") && contains("got 4096"));
  SECTION("a scale between two halves") {
    layer.grids.scale(0, 1) = 0.1F;
    layer.codes = matrix<std::uint8_t>(5, 12);
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("scale 1 must be positive and held exactly"));
    layer.grids.scale(0, 1) = -1;
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("scale 1"));
    layer.grids.scale(0, 1) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("scale 1"));
  }
  SECTION("logarithms too far apart") {
    layer.grids.format = scale_format::logarithmic8;
    for (std::int64_t i = 0; i < layer.grids.scale.size(); ++i) layer.grids.scale.data()[i] = 1;
    CHECK_NOTHROW(q::pack_layer(exec(), layer.source()));
    layer.grids.scale(0, 0) = q::logarithmic_scale(255);
    CHECK_NOTHROW(q::pack_layer(exec(), layer.source()));
    layer.grids.scale(0, 0) = q::logarithmic_scale(256);
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("within 255 sixteenths"));
  }
  SECTION("a zero point off the grid") {
    layer.grids.zero(0, 0) = 0.5F;
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("whole number"));
    layer.grids.zero(0, 0) = 256;
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("whole number"));
    layer.grids.symmetry = grid_symmetry::zero_free;
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("gap"));
    layer.grids.symmetry = grid_symmetry::symmetric;
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("symmetric"));
  }
  SECTION("a code beyond its grid") {
    layer = random_layer(small_layer(1));
    layer.grids.bits.assign(3, 8);
    std::int64_t kept_at = 0;
    while (layer.kept.data()[kept_at] == 0) ++kept_at;
    auto narrow = layer;
    narrow.grids.bits.assign(3, 1);
    for (std::int64_t i = 0; i < narrow.grids.zero.size(); ++i) narrow.grids.zero.data()[i] = 0;
    narrow.codes = matrix<std::uint8_t>(5, 12);
    CHECK_NOTHROW(q::pack_layer(exec(), narrow.source()));
    narrow.codes.data()[kept_at] = 2;
    CHECK_THROWS_WITH(q::pack_layer(exec(), narrow.source()), contains("must be 0 to 1, got 2"));
  }
  SECTION("labels, groups and shapes") {
    layer.labels[4] = 3;
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("label of column 4"));
    layer.labels[4] = layer.grids.column_grid[4];
    layer.groups = 13;
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("groups must be 1 to the 12 columns"));
    layer.groups = 3;
    layer.grids.column_grid[2] = (layer.grids.column_grid[2] + 1) % 3;
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("column 2 must use grid"));
    layer.codes = matrix<std::uint8_t>(5, 11);
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("codes must be [5, 12]"));
    layer.kept = matrix<std::uint8_t>();
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("1 to 2^31 - 1"));
  }
  SECTION("two widths in a group") {
    miq::random_stream random(5);
    layer = make_random_layer(random, 4, 9, 2, 1, {grid_layout::per_column});
    std::size_t c = 0;
    while (layer.labels[c] != layer.labels[8]) ++c;
    layer.grids.bits[8] = layer.grids.bits[8] == 8 ? 7 : 8;
    if (c != 8) CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("must have one width"));
  }
  SECTION("zero points that differ where one is stored") {
    miq::random_stream random(5);
    layer = make_random_layer(random, 4, 9, 1, 1, {grid_layout::row_by_column});
    layer.grids.zero(0, 3) = layer.grids.zero(0, 0) == 0 ? 1.0F : 0.0F;
    CHECK_THROWS_WITH(q::pack_layer(exec(), layer.source()), contains("must share a zero point"));
  }
}

TEST_CASE("bytes that are no packed layer are refused, with the reason", "[packed_layer]") {
  const auto layer = small_layer(2);
  const auto whole = q::pack_layer(exec(), layer.source());
  CHECK(refusal(whole) == "(accepted)");
  CHECK_THAT(refusal({}), contains("begins with 128 bytes, got 0"));
  auto bytes = whole;
  SECTION("cut anywhere, or longer") {
    for (std::size_t size = 0; size < whole.size(); ++size)
      REQUIRE(refusal(std::span(whole).first(size)) != "(accepted)");
    bytes.push_back(std::byte{0});
    CHECK_THAT(refusal(bytes), contains("got") && contains("bytes"));
  }
  SECTION("magic, version, flags, reserved") {
    bytes[0] = std::byte{'M'};
    CHECK_THAT(refusal(bytes), contains("begins with 'miqlayer'"));
    bytes = whole;
    put<std::uint32_t>(bytes, 8, 2);
    CHECK_THAT(refusal(bytes), contains("version must be 1, got 2"));
    bytes = whole;
    put<std::uint32_t>(bytes, 12, 8 | 5);
    CHECK_THAT(refusal(bytes), contains("flags must be 0 to 7"));
    bytes = whole;
    put<std::uint32_t>(bytes, 44, 1);
    CHECK_THAT(refusal(bytes), contains("44 to 47"));
  }
  SECTION("extents") {
    for (const std::size_t field : {16U, 24U, 32U, 48U, 56U})
      for (const std::uint64_t value :
           {std::uint64_t{0}, std::uint64_t{1} << 31, std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
        bytes = whole;
        put(bytes, field, value);
        REQUIRE(refusal(bytes) != "(accepted)");
      }
    bytes = whole;
    put<std::uint64_t>(bytes, 16, 0x7FFFFFFF);
    put<std::uint64_t>(bytes, 24, 0x7FFFFFFF);
    CHECK_THAT(refusal(bytes), contains("cannot lie in"));
  }
  SECTION("kinds") {
    for (std::size_t field = 40; field < 44; ++field)
      for (int value = 0; value < 256; ++value) {
        bytes = whole;
        if (std::to_integer<int>(bytes[field]) == value) continue;
        bytes[field] = static_cast<std::byte>(value);
        const auto message = refusal(bytes);
        // Symmetries differ in what zero points mean, so that one may stand for another; all else shows.
        INFO(field << ' ' << value << ' ' << message);
        REQUIRE((message != "(accepted)" || field == 40));
      }
  }
  SECTION("sizes of sections") {
    for (std::size_t i = 0; i < q::packed_sections; ++i)
      for (const std::uint64_t value : {std::uint64_t{1} << 63, std::uint64_t{7}, std::uint64_t{1} << 20}) {
        bytes = whole;
        put(bytes, 64 + 8 * i, value);
        REQUIRE(refusal(bytes) != "(accepted)");
      }
  }
  SECTION("contents") {
    const packed_layer_view view(whole);
    const auto offset = [&](packed_section which) {
      return static_cast<std::size_t>(view.section(which).data() - whole.data());
    };
    put<std::uint16_t>(bytes, offset(packed_section::scales), 0);
    CHECK_THAT(refusal(bytes), contains("scale 0 must be positive"));
    put<std::uint16_t>(bytes, offset(packed_section::scales), 0x7C00);
    CHECK_THAT(refusal(bytes), contains("scale 0"));
    bytes = whole;
    bytes[offset(packed_section::mask)] ^= std::byte{1};
    CHECK_THAT(refusal(bytes), contains("the mask keeps"));
    bytes = whole;
    put<std::uint8_t>(bytes, offset(packed_section::labels), 0xFF);  // 2 bits per column: 3 is no group
    CHECK_THAT(refusal(bytes), contains("label of column 0 must be 0 to 2, got 3"));
    bytes = whole;
    bytes[offset(packed_section::widths) + 7] = std::byte{0x80};
    CHECK_THAT(refusal(bytes), contains("bits behind the 9 of section widths"));
  }
  SECTION("a code that a symmetric grid does not have") {
    miq::random_stream random(1);
    const auto symmetric = make_random_layer(random, 3, 3, 1, 1, {grid_layout::per_group, grid_symmetry::symmetric});
    auto wide = symmetric;
    wide.grids.bits = {4};
    wide.grids.zero(0, 0) = 7;
    wide.codes = matrix<std::uint8_t>(3, 3, 14);
    bytes = q::pack_layer(exec(), wide.source());
    const packed_layer_view view(bytes);
    const auto at = static_cast<std::size_t>(view.section(packed_section::codes).data() - bytes.data());
    bytes[at] = std::byte{0xEF};
    CHECK_THAT(refusal(bytes), contains("a code of group 0 must be 0 to 14, got 15"));
  }
}

TEST_CASE("changed bytes decode to finite weights or are refused", "[packed_layer]") {
  miq::random_stream random(miq_test::seed());
  std::int64_t accepted = 0;
  for (int i = 0; i < 300; ++i) {
    const layer_kind kind{layouts[random.below(5)], symmetries[random.below(3)], formats[random.below(3)]};
    const auto layer = make_random_layer(random, 1 + static_cast<std::int64_t>(random.below(6)), 8,
                                         1 + static_cast<std::int64_t>(random.below(8)), random.uniform() + 0.3, kind);
    const auto whole = q::pack_layer(exec(), layer.source());
    for (int k = 0; k < 40; ++k) {
      auto bytes = whole;
      for (auto count = 1 + random.below(3); count > 0; --count)
        bytes[random.below(bytes.size())] = static_cast<std::byte>(random());
      try {
        const packed_layer_view view(bytes);
        const auto weights = q::unpack_layer(exec(), view);
        for (std::int64_t w = 0; w < weights.size(); ++w) REQUIRE(std::isfinite(weights.data()[w]));
        ++accepted;
      } catch (const miq::invalid_argument&) {
      }
    }
  }
  CHECK(accepted > 100);  // changed codes and scales are layers too
}
