// The kernels of codes: packed words against the order of bits as packing.hpp defines it and against the host, codes of
// matrices against the definition of a grid.
#include <cmath>
#include <limits>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/quantization/detail/packing/body.hpp>
#include <miq/quantization/detail/quantise/body.hpp>
#include <miq/quantization/fit.hpp>

#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using miq::matrix;
using miq::quantization::affine_grid;
using miq::quantization::fit_options;
using miq::quantization::grid_layout;
using miq::quantization::grid_symmetry;
using miq::quantization::scale_format;
namespace detail = miq::quantization::detail;

constexpr std::uint32_t nonsense = 0xDEADBEEF;

struct masked_codes {
  std::vector<std::uint8_t> codes;
  std::vector<std::uint8_t> kept;
};

/// Codes below 2^bits; masked ones hold anything.
masked_codes random_codes(std::int64_t count, int bits, std::uint64_t share, std::uint64_t seed) {
  miq::random_stream random(seed);
  masked_codes made;
  for (std::int64_t i = 0; i < count; ++i) {
    made.kept.push_back(random.below(100) < share ? static_cast<std::uint8_t>(1 + random.below(255)) : 0);
    made.codes.push_back(
        static_cast<std::uint8_t>(random.below(made.kept.back() != 0 ? std::uint64_t{1} << bits : 256)));
  }
  return made;
}

/// One bit at a time, by the definition.
std::vector<std::uint32_t> words_by_bits(const std::vector<std::uint8_t>& codes, int bits) {
  std::vector<std::uint32_t> words((codes.size() * static_cast<std::size_t>(bits) + 31) / 32);
  for (std::size_t i = 0; i < codes.size(); ++i)
    for (std::size_t b = 0; b < static_cast<std::size_t>(bits); ++b) {
      const auto n = i * static_cast<std::size_t>(bits) + b;
      if ((codes[i] >> b & 1) != 0) words[n / 32] |= std::uint32_t{1} << n % 32;
    }
  return words;
}

std::vector<std::uint8_t> kept_of(const masked_codes& all) {
  std::vector<std::uint8_t> result;
  for (std::size_t i = 0; i < all.codes.size(); ++i)
    if (all.kept[i] != 0) result.push_back(all.codes[i]);
  return result;
}

struct packed {
  std::vector<std::uint32_t> words;
  std::int64_t kept = -1;
  std::int64_t too_large = 0;
};

packed pack_kept(const masked_codes& all, int bits, std::size_t word_count, std::int32_t lanes) {
  packed out{std::vector<std::uint32_t>(word_count + 1, nonsense)};
  const auto count = static_cast<std::int64_t>(all.codes.size());
  const detail::kept_layout layout(count);
  const miq_test::nonsense_memory memory(layout.all);
  detail::pack_kept_on(miq_test::host_machine(lanes), all.codes.data(), all.kept.data(), count, bits, out.words.data(),
                       static_cast<std::int64_t>(word_count), layout, memory.data(), &out.kept, &out.too_large);
  REQUIRE(out.words.back() == nonsense);
  out.words.pop_back();
  return out;
}

std::vector<std::uint8_t> unpack_kept(const std::vector<std::uint32_t>& words, const std::vector<std::uint8_t>& kept,
                                      int bits, std::int32_t lanes) {
  const auto count = static_cast<std::int64_t>(kept.size());
  std::vector<std::uint8_t> codes(kept.size() + 1, 0xEE);
  std::int64_t all = -1;
  const detail::kept_layout layout(count);
  const miq_test::nonsense_memory memory(layout.all);
  detail::unpack_kept_on(miq_test::host_machine(lanes), words.data(), static_cast<std::int64_t>(words.size()),
                         kept.data(), count, bits, codes.data(), layout, memory.data(), &all);
  REQUIRE(all == std::count_if(kept.begin(), kept.end(), [](std::uint8_t k) { return k != 0; }));
  REQUIRE(codes.back() == 0xEE);
  codes.pop_back();
  return codes;
}

}  // namespace

TEST_CASE("the kernels of packing: all codes", "[quantization][body]") {
  const int bits = GENERATE(range(1, 9));
  const auto count = GENERATE(0, 1, 2, 31, 32, 33, 97, 1023, 4096, 4099, 33000);
  const auto lanes = GENERATE(0, 8);
  if (lanes > 1 && count > 5000) return;
  const auto all = random_codes(count, bits, 100, miq_test::seed());
  const auto expected = words_by_bits(all.codes, bits);
  std::vector<std::uint32_t> words(expected.size() + 1, nonsense);
  std::int64_t too_large = 0;
  const miq_test::host_machine machine(lanes);
  machine.launch("", detail::pack_body{all.codes.data(), count, bits, words.data(),
                                       static_cast<std::int64_t>(expected.size()), &too_large});
  CHECK(too_large == 0);
  CHECK(words.back() == nonsense);
  words.pop_back();
  CHECK(words == expected);
  std::vector<std::uint32_t> host(expected.size());
  miq::quantization::pack_codes(miq::host_executor({.threads = 1}), all.codes, bits, host);
  CHECK(host == words);
  std::vector<std::uint8_t> codes(all.codes.size() + 1, 0xEE);
  machine.launch("", detail::unpack_body{words.data(), bits, codes.data(), count});
  CHECK(codes.back() == 0xEE);
  codes.pop_back();
  CHECK(codes == all.codes);
}

TEST_CASE("the kernels of packing: kept codes", "[quantization][body]") {
  const int bits = GENERATE(range(1, 9));
  const auto count = GENERATE(0, 1, 33, 4095, 4096, 4097, 13000);
  const auto share = static_cast<std::uint64_t>(GENERATE(0, 1, 50, 100));
  const auto lanes = GENERATE(0, 8);
  if (lanes > 1 && (count > 5000 || bits % 3 != 0)) return;
  const auto all = random_codes(count, bits, share, miq_test::seed());
  const auto own = kept_of(all);
  const auto expected = words_by_bits(own, bits);
  const auto out = pack_kept(all, bits, expected.size(), lanes);
  CHECK(out.kept == static_cast<std::int64_t>(own.size()));
  CHECK(out.too_large == 0);
  CHECK(out.words == expected);
  std::vector<std::uint32_t> host(expected.size());
  miq::quantization::pack_kept_codes(miq::host_executor({.threads = 1}), all.codes, all.kept, bits, host);
  CHECK(host == expected);
  auto codes = all.codes;
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (all.kept[i] == 0) codes[i] = 0;
  CHECK(unpack_kept(out.words, all.kept, bits, lanes) == codes);
  // Room for all codes: the words behind are 0.
  auto longer = expected;
  longer.resize(static_cast<std::size_t>(miq::quantization::packed_words(count, bits)), 0U);
  CHECK(pack_kept(all, bits, longer.size(), lanes).words == longer);
  CHECK(unpack_kept(longer, all.kept, bits, lanes) == codes);
  // Too little room: nothing is written or read behind.
  auto shorter = expected;
  shorter.resize(expected.size() / 2);
  const auto cut = pack_kept(all, bits, shorter.size(), lanes);
  CHECK(cut.words == shorter);
  CHECK(cut.kept == static_cast<std::int64_t>(own.size()));
  const auto part = unpack_kept(shorter, all.kept, bits, lanes);
  std::size_t at = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const bool fits = all.kept[i] != 0 && (at + 1) * static_cast<std::size_t>(bits) <= 32 * shorter.size();
    REQUIRE(part[i] == (fits ? codes[i] : 0));
    at += all.kept[i] != 0 ? 1U : 0U;
  }
}

TEST_CASE("the kernels of packing count codes that are too large, once", "[quantization][body]") {
  const int bits = GENERATE(range(1, 8));
  const auto lanes = GENERATE(0, 8);
  auto all = random_codes(4200, bits, 50, miq_test::seed());
  std::vector<std::uint8_t> cut = all.codes;
  std::int64_t wrong = 0;
  std::int64_t wrong_kept = 0;
  for (std::size_t i = 0; i < cut.size(); ++i) {
    if (i % 7 == 0) all.codes[i] = static_cast<std::uint8_t>(all.codes[i] | 1 << bits);
    wrong += all.codes[i] >> bits != 0 ? 1 : 0;
    wrong_kept += all.kept[i] != 0 && all.codes[i] >> bits != 0 ? 1 : 0;
    cut[i] = static_cast<std::uint8_t>(all.codes[i] & ((1 << bits) - 1));
  }
  const auto expected = words_by_bits(cut, bits);
  std::vector<std::uint32_t> words(expected.size());
  std::int64_t too_large = 0;
  miq_test::host_machine(lanes).launch("", detail::pack_body{all.codes.data(), 4200, bits, words.data(),
                                                             static_cast<std::int64_t>(words.size()), &too_large});
  CHECK(words == expected);
  CHECK(too_large == wrong);
  const auto own = words_by_bits(kept_of({cut, all.kept}), bits);
  const auto out = pack_kept(all, bits, own.size(), lanes);
  CHECK(out.words == own);
  CHECK(out.too_large == wrong_kept);
}

TEST_CASE("packing: places beyond 2^31 codes", "[quantization][body]") {
  // Reading two words far into a stream that is not there: only addresses matter, so a window of it is enough.
  const std::int64_t far = (std::int64_t{1} << 33) + 32 * 5;
  const std::vector<std::uint32_t> window{0x89ABCDEF, 0x01234567, 0xFEDCBA98};
  const auto* const begin =
      reinterpret_cast<const std::uint32_t*>(reinterpret_cast<std::uintptr_t>(window.data()) -
                                             static_cast<std::uintptr_t>(far * 3 / 32) * sizeof(std::uint32_t));
  CHECK(detail::unpacked_code(begin, far, 3) == 7);
  CHECK(detail::unpacked_code(begin, far + 10, 3) == ((0x89ABCDEF >> 30 | 0x01234567 << 2) & 7));
  const auto word = detail::packed_word(far * 3 / 32, far + 64, 3,
                                        [&](std::int64_t i) { return static_cast<std::uint32_t>(i - far) & 7U; });
  std::uint32_t expected = 0;
  for (std::uint32_t i = 0; i < 11; ++i) expected |= (i & 7U) << 3 * i;
  CHECK(word == expected);
  CHECK(detail::unpack_body{nullptr, 3, nullptr, far}.blocks() == (far + 4095) / 4096);
  CHECK(detail::pack_body{nullptr, far, 3, nullptr, far * 3 / 32, nullptr}.blocks() == (far * 3 / 32 + 1023) / 1024);
}

TEMPLATE_TEST_CASE("the kernels of codes give every weight the nearest level of its grid", "[quantization][body]",
                   float, miq::float16, miq::bfloat16) {
  const auto layout = GENERATE(grid_layout::per_row_and_group, grid_layout::per_group, grid_layout::per_column,
                               grid_layout::row_by_group, grid_layout::row_by_column);
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric, grid_symmetry::zero_free);
  const auto [rows, columns] = GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {17, 259}, {33, 31}}));
  const auto lanes = GENERATE(0, 8);
  const bool masked = GENERATE(false, true);
  miq::random_stream random(miq_test::seed());
  matrix<TestType> padded(rows, columns + 3);
  matrix<float> weights(rows, columns);
  matrix<std::uint8_t> kept(rows, columns + 1, 1);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      padded(r, c) = static_cast<TestType>(static_cast<float>(random.normal()));
      weights(r, c) = static_cast<float>(padded(r, c));
      kept(r, c) = static_cast<std::uint8_t>(masked ? random.below(2) : 1);
    }
  std::vector<std::int32_t> labels;
  for (std::int64_t c = 0; c < columns; ++c) labels.push_back(static_cast<std::int32_t>(c % 8));
  const std::vector<std::uint8_t> bits{1, 2, 3, 4, 5, 6, 7, 8};
  const auto grids =
      miq::quantization::fit_grids(miq::host_executor({.threads = 1}), weights.view(), labels, bits,
                                   {.layout = layout, .symmetry = symmetry, .format = scale_format::float16});
  const detail::grid_pointers pointers(grids.view());
  matrix<std::uint8_t> codes(rows, columns + 2, 0xEE);
  std::int64_t not_finite = 0;
  const miq_test::host_machine machine(lanes);
  const detail::masked_weights<TestType> from{padded.data(), columns + 3, rows, columns, masked ? kept.data() : nullptr,
                                              columns + 1};
  machine.launch("", detail::quantise_body<TestType>{from, pointers, codes.data(), columns + 2, &not_finite});
  CHECK(not_finite == 0);
  matrix<TestType> back(rows, columns + 1, static_cast<TestType>(-7.0F));
  machine.launch("", detail::dequantise_body<TestType>{codes.data(), columns + 2, masked ? kept.data() : nullptr,
                                                       columns + 1, pointers, back.data(), columns + 1, rows, columns});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      if (kept(r, c) == 0) {
        REQUIRE(codes(r, c) == 0);
        REQUIRE(static_cast<float>(back(r, c)) == 0.0F);
        continue;
      }
      const auto grid = grids.at(r, c);
      REQUIRE(codes(r, c) == miq::quantization::quantise(weights(r, c), grid));
      REQUIRE(static_cast<float>(back(r, c)) ==
              static_cast<float>(static_cast<TestType>(miq::quantization::dequantise(codes(r, c), grid))));
      // From the definition: no level of the grid (of the weight's sign, without zero) is nearer.
      const auto level = [&](int code) {
        const int half = (grid.maximum_code + 1) / 2;
        const double steps = !grid.zero_free ? code - static_cast<double>(grid.zero)
                             : code < half   ? -(half - 1 - code + static_cast<double>(grid.zero))
                                             : code - half + static_cast<double>(grid.zero);
        return static_cast<double>(grid.scale) * steps;
      };
      const auto w = static_cast<double>(weights(r, c));
      REQUIRE(codes(r, c) <= grid.maximum_code);
      double least = std::numeric_limits<double>::infinity();
      for (int code = 0; code <= grid.maximum_code; ++code)
        if (!grid.zero_free || (level(code) < 0) == (w < 0)) least = std::min(least, std::abs(level(code) - w));
      REQUIRE(std::abs(level(codes(r, c)) - w) <=
              least + 1e-6 * static_cast<double>(grid.scale) * (grid.maximum_code + 1));
    }
    REQUIRE(codes(r, columns) == 0xEE);
    REQUIRE(static_cast<float>(back(r, columns)) == -7.0F);
  }
}

TEST_CASE("codes of weights that are not finite", "[quantization][body]") {
  const auto symmetry = GENERATE(grid_symmetry::asymmetric, grid_symmetry::symmetric, grid_symmetry::zero_free);
  matrix<float> weights(2, 3, 0.25F);
  const std::vector<std::int32_t> labels{0, 0, 0};
  const std::vector<std::uint8_t> bits{3};
  weights(1, 0) = -1;
  const auto grids = miq::quantization::fit_grids(miq::host_executor({.threads = 1}), weights.view(), labels, bits,
                                                  {.layout = grid_layout::per_group, .symmetry = symmetry});
  const float infinite = std::numeric_limits<float>::infinity();
  weights(0, 0) = infinite;
  weights(0, 1) = -infinite;
  weights(1, 2) = std::numeric_limits<float>::quiet_NaN();
  matrix<std::uint8_t> codes(2, 3);
  std::int64_t not_finite = 0;
  miq_test::host_machine(0).launch(
      "", detail::quantise_body<float>{
              {weights.data(), 3, 2, 3}, detail::grid_pointers(grids.view()), codes.data(), 3, &not_finite});
  const auto grid = grids.at(0, 0);
  CHECK(not_finite == 3);
  CHECK(codes(0, 0) == grid.maximum_code);
  CHECK(codes(0, 1) == 0);
  CHECK(codes(1, 2) == miq::quantization::quantise(0.0F, grid));
  CHECK(codes(0, 2) == miq::quantization::quantise(0.25F, grid));
}

TEST_CASE("scratch of kept codes", "[quantization][body]") {
  CHECK(detail::kept_layout(0).all.bytes() == 0);
  CHECK(detail::kept_layout(1).all.bytes() == 64 + 63);
  CHECK(detail::kept_layout(std::int64_t{1} << 32).all.bytes() == 8 * (std::int64_t{1} << 20) + 63);
  CHECK(detail::pack_kept_body{}.scratch_bytes() <= 48 * 1024);
}
