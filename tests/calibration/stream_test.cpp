#include <cstring>
#include <sstream>

#include "calibration/support.hpp"
#include "test_support/catch.hpp"

using miq::calibration::accumulator;
using namespace miq_test;

namespace {

constexpr auto tile = accumulator::tile_tokens;

std::string bytes_of(const accumulator& a) {
  std::ostringstream out;
  a.save(out);
  return out.str();
}

accumulator loaded(const std::string& bytes) {
  std::istringstream in(bytes);
  return accumulator::load(in);
}

template <class T>
std::string with(std::string bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

/// A 64-bit FNV-1a of our own, so that a hostile file can carry the right one.
std::string sealed(std::string bytes) {
  bytes.resize(bytes.size() - 8);
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
  for (int k = 0; k < 8; ++k) bytes.push_back(static_cast<char>(static_cast<unsigned char>(hash >> (8 * k))));
  return bytes;
}

}  // namespace

TEST_CASE("a loaded accumulator goes on with the same bits", "[calibration]") {
  const auto columns = GENERATE(1, 64, 97);
  const auto seen_before = GENERATE(0, 1, 511, 512, 1300);
  CAPTURE(columns, seen_before);
  const auto x = normal_tokens(2000, columns, seed(), 10);
  const miq::host_executor exec({.threads = 2});
  accumulator a(columns, {.sample_tokens = 20, .seed = 5});
  a.add(exec, x.view().rows_from(0, seen_before));
  const auto bytes = bytes_of(a);
  auto b = loaded(bytes);
  CHECK(bytes_of(b) == bytes);
  CHECK(b.tokens() == seen_before);
  CHECK(b.columns() == columns);
  for (auto* each : {&a, &b}) each->add(exec, x.view().rows_from(seen_before, 2000 - seen_before));
  CHECK(same_bits(a.finish(exec), b.finish(exec)));
  CHECK(a.sample().indices == b.sample().indices);
  CHECK(same_bits(a.sample().tokens.view(), b.sample().tokens.view()));
}

TEST_CASE("the file is what its description says", "[calibration]") {
  const miq::host_executor exec({.threads = 1});
  accumulator a(2, {.sample_tokens = 1, .seed = 0x0102030405060708ULL});
  const float values[] = {1, 2, 3, 4};
  a.add(exec, miq::matrix_view<const float>(values, 2, 2));
  const auto bytes = bytes_of(a);
  REQUIRE(bytes.size() == 8 + 9 * 8 + 2 * 2 * 4 + 8 + 2 * 4 + 8);
  CHECK(bytes.substr(0, 8) == "miq-acc\n");
  CHECK(bytes[8] == 1);  // little-endian version
  CHECK(bytes.substr(40, 8) == "\x08\x07\x06\x05\x04\x03\x02\x01");
  CHECK(bytes.substr(80, 4) == std::string("\0\0\x80\x3F", 4));  // 1.0F
  CHECK(sealed(bytes) == bytes);
}

TEST_CASE("a stream cut short or damaged anywhere is refused", "[calibration]") {
  const miq::host_executor exec({.threads = 1});
  accumulator a(3, {.sample_tokens = 2});
  a.add(exec, normal_tokens(tile + 5, 3, seed()));
  const auto bytes = bytes_of(a);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    REQUIRE_THROWS_AS(loaded(bytes.substr(0, size)), miq::invalid_argument);
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (const int flip : {0x01, 0x80}) {
      auto damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      REQUIRE_THROWS_AS(loaded(damaged), miq::invalid_argument);
    }
  std::istringstream followed(bytes + "something else");
  CHECK(accumulator::load(followed).tokens() == tile + 5);
  CHECK(static_cast<std::size_t>(followed.tellg()) == bytes.size());
}

TEST_CASE("a hostile stream with a right checksum is refused", "[calibration]") {
  const miq::host_executor exec({.threads = 1});
  accumulator a(3, {.sample_tokens = 2});
  a.add(exec, normal_tokens(tile + 5, 3, seed()));
  const auto bytes = bytes_of(a);
  CHECK_NOTHROW(loaded(sealed(bytes)));
  CHECK_THROWS_WITH(loaded(sealed(with(bytes, 0, 'M'))), contains("does not hold"));
  CHECK_THROWS_WITH(loaded(sealed(with(bytes, 8, std::int64_t{2}))), contains("version") && contains("got 2"));
  CHECK_THROWS_WITH(loaded(sealed(with(bytes, 16, std::int64_t{256}))), contains("tiles"));
  for (const std::size_t offset :
       {24U, 32U, 48U, 56U, 64U, 72U})  // columns, sample, place, closed, incomplete, sampled
    for (const std::int64_t value :
         {std::int64_t{-1}, std::int64_t{1} << 24, std::int64_t{1} << 62, INT64_MAX, INT64_MIN}) {
      CAPTURE(offset, value);
      // Sizes beyond the bytes that are there end the stream; they must not be believed with memory.
      if (offset == 48 && value > 0 && value <= std::int64_t{1} << 62) continue;  // a later place is possible
      if (offset == 56 && value > 0 && value <= std::int64_t{1} << 62) continue;  // as are more tokens
      CHECK_THROWS_AS(loaded(sealed(with(bytes, offset, value))), miq::invalid_argument);
    }
  const std::size_t sums = 80, absolutes = sums + 24, minima = absolutes + 24, products = minima + 24,
                    buffer = products + 48, indices = buffer + 60, rows = indices + 16;
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(loaded(sealed(with(bytes, sums, nan))), contains("column sums"));
  CHECK_THROWS_AS(loaded(sealed(with(bytes, absolutes, -1.0))), miq::invalid_argument);
  CHECK_THROWS_WITH(loaded(sealed(with(bytes, minima, 1e9F))), contains("ranges"));
  CHECK_THROWS_WITH(loaded(sealed(with(bytes, products, nan))), contains("products"));
  CHECK_THROWS_AS(loaded(sealed(with(bytes, products + 8, 1e300))), miq::invalid_argument);
  CHECK_THROWS_WITH(loaded(sealed(with(bytes, buffer, std::numeric_limits<float>::infinity()))),
                    contains("incomplete"));
  CHECK_THROWS_WITH(loaded(sealed(with(bytes, indices, std::int64_t{-3}))), contains("indices"));
  CHECK_THROWS_AS(loaded(sealed(with(bytes, indices, std::int64_t{100000}))), miq::invalid_argument);
  CHECK_THROWS_WITH(loaded(sealed(with(bytes, rows, std::numeric_limits<float>::quiet_NaN()))), contains("sample"));
}

TEST_CASE("a stream that cannot be written to is an error", "[calibration]") {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  CHECK_THROWS_WITH(accumulator(3).save(out), contains("accumulator::save"));
}
