// Packing against bits written one by one, and against words that other programs packed.
#include <algorithm>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/quantization/packing.hpp>

#include "packing_values.hpp"
#include "test_support/catch.hpp"

namespace {

using namespace miq::quantization;
using bytes = std::vector<std::uint8_t>;
using words = std::vector<std::uint32_t>;

const miq::host_executor& exec() {
  static const miq::host_executor instance({.threads = 3});
  return instance;
}

/// The stream's definition, a bit at a time.
words packed_bit_by_bit(const bytes& codes, int bits) {
  words result((codes.size() * static_cast<std::size_t>(bits) + 31) / 32);
  std::size_t n = 0;
  for (const auto code : codes)
    for (int bit = 0; bit < bits; ++bit, ++n) result[n / 32] |= ((code >> bit) & 1U) << n % 32;
  return result;
}

bytes random_bytes(miq::random_stream& random, std::int64_t count, int bits) {
  bytes result(static_cast<std::size_t>(count));
  for (auto& one : result) one = static_cast<std::uint8_t>(random.below(std::uint64_t{1} << bits));
  return result;
}

}  // namespace

TEST_CASE("packing follows the stream's definition at every width and size", "[packing]") {
  const int bits = GENERATE(1, 2, 3, 4, 5, 6, 7, 8);
  miq::random_stream random(miq_test::seed());
  std::vector<std::int64_t> sizes{65535, 65536, 65537, 200'003};
  for (std::int64_t size = 0; size < 140; ++size) sizes.push_back(size);
  for (const auto size : sizes) {
    INFO(bits << " bits, " << size << " codes");
    const auto codes = random_bytes(random, size, bits);
    words packed(static_cast<std::size_t>(packed_words(size, bits)), 0xDEADBEEF);
    pack_codes(exec(), codes, bits, packed);
    REQUIRE(packed == packed_bit_by_bit(codes, bits));
    bytes again(codes.size(), 0xAA);
    unpack_codes(exec(), packed, bits, again);
    REQUIRE(again == codes);
    // What stands behind the last code does not matter.
    if (size * bits % 32 != 0) {
      packed.back() |= ~std::uint32_t{0} << size * bits % 32;
      unpack_codes(exec(), packed, bits, again);
      REQUIRE(again == codes);
    }
  }
}

TEST_CASE("kept codes are packed without gaps", "[packing]") {
  const int bits = GENERATE(1, 2, 3, 4, 5, 6, 7, 8);
  const double density = GENERATE(0.0, 0.03, 0.5, 1.0);
  miq::random_stream random(miq_test::seed());
  for (const std::int64_t size : {0, 1, 31, 32, 33, 97, 1023, 1024, 1025, 4099, 70'001}) {
    INFO(bits << " bits, " << size << " codes, density " << density);
    auto codes = random_bytes(random, size, bits);
    bytes kept(codes.size());
    bytes compressed;
    bytes expected(codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      kept[i] = random.uniform() < density ? static_cast<std::uint8_t>(1 + random.below(255)) : std::uint8_t{0};
      if (kept[i] != 0) {
        compressed.push_back(codes[i]);
        expected[i] = codes[i];
      } else {
        codes[i] = static_cast<std::uint8_t>(random());  // anything may stand at a masked place
      }
    }
    REQUIRE(count_kept(kept) == static_cast<std::int64_t>(compressed.size()));
    words packed(static_cast<std::size_t>(packed_words(count_kept(kept), bits)), 0xDEADBEEF);
    pack_kept_codes(exec(), codes, kept, bits, packed);
    REQUIRE(packed == packed_bit_by_bit(compressed, bits));
    bytes again(codes.size(), 0xAA);
    unpack_kept_codes(exec(), packed, kept, bits, again);
    REQUIRE(again == expected);
  }
}

TEST_CASE("packing agrees with the words of compressed-tensors", "[packing]") {
  for (int bits = 1; bits <= 8; ++bits) {
    bytes codes(33);
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i * 5 % (1U << bits));
    words packed(static_cast<std::size_t>(packed_words(33, bits)));
    pack_codes(exec(), codes, bits, packed);
    CHECK(packed == packed_by_compressed_tensors[static_cast<std::size_t>(bits - 1)]);
  }
}

TEST_CASE("packing refuses what does not fit and leaves its output alone", "[packing]") {
  const bytes codes{1, 2, 3, 8};
  words packed(1, 77);
  CHECK_THROWS_WITH(pack_codes(exec(), codes, 3, packed), miq_test::contains("code 3 must be below 8"));
  CHECK_THROWS_WITH(pack_codes(exec(), codes, 0, packed), miq_test::contains("bits must be 1 to 8, got 0"));
  CHECK_THROWS_AS(pack_codes(exec(), codes, 9, packed), miq::invalid_argument);
  words two(2);
  CHECK_THROWS_WITH(pack_codes(exec(), codes, 4, two), miq_test::contains("words must hold the 1 words"));
  CHECK_THROWS_AS(pack_kept_codes(exec(), codes, bytes{1, 1, 1}, 4, packed), miq::invalid_argument);
  CHECK_THROWS_WITH(pack_kept_codes(exec(), codes, bytes{1, 1, 0, 1}, 3, packed), miq_test::contains("code 3"));
  CHECK(packed == words{77});
  pack_kept_codes(exec(), codes, bytes{1, 1, 1, 0}, 3, packed);
  CHECK(packed == words{1 | 2 << 3 | 3 << 6});
  bytes out(4, 9);
  CHECK_THROWS_AS(unpack_codes(exec(), two, 4, out), miq::invalid_argument);
  CHECK_THROWS_AS(unpack_kept_codes(exec(), two, bytes{1, 1, 1, 1}, 4, out), miq::invalid_argument);
  CHECK(out == bytes{9, 9, 9, 9});
  CHECK_THROWS_AS(packed_words(-1, 4), miq::invalid_argument);
  CHECK_THROWS_AS(packed_words((std::int64_t{1} << 59) + 1, 4), miq::invalid_argument);
  CHECK(packed_words(std::int64_t{1} << 59, 8) == std::int64_t{1} << 57);

  // One memory for both.
  words memory(8);
  const miq::vector_view<const std::uint8_t> inside(reinterpret_cast<const std::uint8_t*>(memory.data()), 32);
  CHECK_THROWS_WITH(pack_codes(exec(), inside, 8, memory), miq_test::contains("must not overlap"));
}
