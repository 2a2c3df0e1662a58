// The readers of mutual_information: .npy files and texts that NumPy and pandas write, and what is refused.
#include <cmath>
#include <limits>
#include <miq/core/random.hpp>
#include <set>

#include "mutual_information/files/csv.hpp"
#include "mutual_information/files/npy.hpp"
#include "mutual_information/samples.hpp"
#include "support.hpp"
#include "test_support/catch.hpp"

using namespace mutual_information;
using namespace miq_test;
using examples::input_error;

namespace {

fs::path tables() { return test_data() / "tables"; }

samples read_text_samples(const std::string& text, std::int64_t most = 0, std::uint64_t seed = 0) {
  const temporary_directory directory;
  write_text(directory / "table.csv", text);
  return read_samples(directory / "table.csv", most, seed);
}

std::string refusal(const std::string& text) {
  return message_of<input_error>([&] { read_text_samples(text); });
}

/// A .npy file of version 1 with this dictionary and these bytes of data.
std::string npy_text(const std::string& dictionary, const std::string& data) {
  std::string text = "\x93NUMPY";
  text += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
  return text + dictionary + data;
}

std::string npy_refusal(const std::string& text) {
  const temporary_directory directory;
  write_text(directory / "array.npy", text);
  return message_of<input_error>([&] { read_samples(directory / "array.npy", 0, 0); });
}

std::string header_of(const std::string& shape, const std::string& type = "<f4") {
  return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
}

}  // namespace

TEST_CASE("arrays that NumPy wrote have NumPy's values", "[tables]") {
  const auto all = read_json(tables() / "expected.json");
  REQUIRE(all.size() == 48);
  for (const auto& [name, expected] : all.items()) {
    INFO(name);
    const auto read = read_samples(tables() / name, 0, 0);
    REQUIRE(read.values.rows() == 5);
    REQUIRE(read.values.columns() == 3);
    CHECK(read.shifted.empty());
    CHECK(read.names == std::vector<std::string>{"0", "1", "2"});
    for (std::int64_t t = 0; t < 5; ++t)
      for (std::int64_t c = 0; c < 3; ++c)
        CHECK(read.values(t, c) == expected[static_cast<std::size_t>(t)][static_cast<std::size_t>(c)].get<float>());
  }
}

TEST_CASE("what is no matrix of numbers is refused by name", "[tables]") {
  const auto [name, reason] = GENERATE(table<std::string, std::string>({{"structure", "structures"},
                                                                        {"complex", "'<c8'"},
                                                                        {"long-double", "'<f16'"},
                                                                        {"text", "'<U1'"},
                                                                        {"dates", "'<M8[D]'"},
                                                                        {"objects", "'|O'"},
                                                                        {"cube", "[2, 3, 4]"},
                                                                        {"vector", "[4]"},
                                                                        {"scalar", "[]"},
                                                                        {"no-tokens", "no tokens"},
                                                                        {"no-channels", "no channels"}}));
  const auto file = tables() / ("refused-" + name + ".npy");
  const auto message = message_of<input_error>([&, &n = file] { read_samples(n, 0, 0); });
  CHECK_THAT(message, contains(reason) && contains(file.string()));
}

TEST_CASE("matrices are written as NumPy writes them", "[tables]") {
  const temporary_directory directory;
  const auto expected = read_json(tables() / "expected.json");
  const auto check = [&](const std::string& name, auto number) {
    miq::matrix<decltype(number)> values(5, 3);
    for (std::int64_t t = 0; t < 5; ++t)
      for (std::int64_t c = 0; c < 3; ++c)
        values(t, c) = expected[name][static_cast<std::size_t>(t)][static_cast<std::size_t>(c)].get<decltype(number)>();
    write_npy(directory / name, std::as_const(values).view());
    // The fixtures have other versions of the header; what follows it is the same.
    const auto ours = read_text(directory / name);
    const auto theirs = read_text(tables() / name);
    REQUIRE(ours.size() == theirs.size());
    CHECK(ours.substr(128) == theirs.substr(128));
    CHECK(ours.substr(0, 10) == std::string("\x93NUMPY\x01\x00\x76\x00", 10));
    const auto dictionary = theirs.find('{');
    CHECK_THAT(ours.substr(10, 118), contains(theirs.substr(dictionary, theirs.find('}') - dictionary + 1)));
    CHECK(ours[127] == '\n');
  };
  check("f4-little-C.npy", float{});
  check("f8-little-C.npy", double{});
}

TEST_CASE("headers that lie are refused without large allocations", "[tables]") {
  const std::string data(24, '\0');
  CHECK(npy_refusal(npy_text(header_of("(2, 3)"), data)) == "(nothing was thrown)");
  CHECK_THAT(npy_refusal(npy_text(header_of("(3, 3)"), data)), contains("truncated") && contains("36 bytes"));
  CHECK_THAT(npy_refusal(npy_text(header_of("(2, 2)"), data)), contains("more than its header promises"));
  CHECK_THAT(npy_refusal(npy_text(header_of("(4000000000, 4000000000)"), data)), contains("too large"));
  CHECK_THAT(npy_refusal(npy_text(header_of("(0, 9223372036854775807)"), "")), contains("no tokens"));
  CHECK_THAT(npy_refusal(npy_text(header_of("(9223372036854775808, 1)"), data)), contains("extent"));
  CHECK_THAT(npy_refusal(npy_text(header_of("(-2, 3)"), data)), contains("extent"));
  CHECK_THAT(npy_refusal(npy_text(header_of("(1, 65537)", "|u1"), std::string(65537, '\0'))), contains("65536"));
  std::string deep = "(";
  for (int i = 0; i < 40; ++i) deep += "1, ";
  CHECK_THAT(npy_refusal(npy_text(header_of(deep + ")"), "1234")), contains("32 extents"));
  CHECK_THAT(npy_refusal(npy_text("{'descr': '<f4', 'shape': (2, 3), }", data)), contains("lacks"));
  CHECK_THAT(npy_refusal(npy_text("{'descr': '<f4', 'descr': '<f4', }", data)), contains("twice"));
  CHECK_THAT(npy_refusal(npy_text("{'__import__': 1}", data)), contains("__import__"));
  CHECK_THAT(npy_refusal(npy_text(header_of("(2, 3)") + "x", data)), contains("behind its end"));
  // A header of 4 GB in a file of some bytes; another version of the format.
  CHECK_THAT(npy_refusal(std::string("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", 12) + data), contains("64 KiB"));
  CHECK_THAT(npy_refusal(std::string("\x93NUMPY\x04\x00\x10\x00", 10) + data), contains("version 4.0"));
  CHECK_THAT(npy_refusal("not an array"), contains("not a .npy file"));
}

TEST_CASE("values that cannot be used are named by channel and token", "[tables]") {
  const auto of = [](float x) {
    std::string data(24, '\0');
    std::memcpy(data.data() + 16, &x, 4);  // row 1, column 1
    return npy_refusal(npy_text(header_of("(2, 3)"), data));
  };
  CHECK_THAT(of(std::nanf("")), contains("channel 1, token 1") && contains("not finite"));
  CHECK_THAT(of(-std::numeric_limits<float>::infinity()), contains("channel 1, token 1") && contains("-inf"));
  CHECK_THAT(refusal("a,b\n1,2\n3,nan\n"), contains("channel 'b' (column 1), token 1") && contains("nan"));
  CHECK_THAT(refusal("1,2\n3,1e300\n"), contains("channel 1, token 1") && contains("single precision"));
  CHECK_THAT(refusal("1,2e-60\n3,3e-60\n"), contains("channel 1") && contains("closer to each other"));
}

TEST_CASE("texts of several dialects are read", "[tables]") {
  const auto check = [](const std::string& text, const std::vector<std::string>& names) {
    INFO(text);
    const auto read = read_text_samples(text);
    CHECK(read.names == names);
    REQUIRE(read.values.rows() == 2);
    REQUIRE(read.values.columns() == 2);
    CHECK(read.values(0, 0) == 1.5F);
    CHECK(read.values(0, 1) == -2.0F);
    CHECK(read.values(1, 0) == 300.0F);
    CHECK(read.values(1, 1) == 0.0F);
  };
  check("1.5,-2\n300,0\n", {"0", "1"});
  check("1.5,-2\r\n3e2,0", {"0", "1"});
  check("a,b\n1.5,-2\n3E+2,-0\n\n \r\n", {"a", "b"});
  check(
      "\xEF\xBB\xBF"
      "a;b\n +1.5 ; -2 \n300.;.0\n",
      {"a", "b"});
  check("x\ty\n1.5\t-2\n300\t0\n", {"x", "y"});
  check("# x,y\n1.5,-2\n300,0\n", {"x", "y"});
  check("\"a, \"\"quoted\"\"\" , b \n\"1.5\",-2\n300,0\n", {"a, \"quoted\"", "b"});
  check(",b\n1.5,-2\n300,0\n", {"0", "b"});
  const auto column = read_text_samples("only\n1\n2\n3\n");
  CHECK(column.values.rows() == 3);
  CHECK(column.values.columns() == 1);
  CHECK(column.names == std::vector<std::string>{"only"});
}

TEST_CASE("texts that are no table are refused by line and column", "[tables]") {
  CHECK_THAT(refusal("a,b\n1,2\n3\n4,5\n"), contains("line 3: has 1 cell, the first line 2 cells"));
  CHECK_THAT(refusal("1,2\n3,4,5\n"), contains("line 2: has 3 cells"));
  CHECK_THAT(refusal("1,2\n3,x\n"), contains("line 2: column 2: 'x' is not a number"));
  CHECK_THAT(refusal("1,2\n3,\n"), contains("line 2: column 2: the cell is empty"));
  CHECK_THAT(refusal("1,2\n\n3,4\n"), contains("line 2: is blank"));
  CHECK_THAT(refusal("1,2\n3,0x1p3\n"), contains("line 2: column 2"));
  CHECK_THAT(refusal("1,2\n3,1e999\n"), contains("line 2: column 2") && contains("beyond"));
  CHECK_THAT(refusal("1,2\n3,4 5\n"), contains("'4 5'"));
  CHECK_THAT(refusal("1,2\n3,+-5\n"), contains("'+-5'"));
  CHECK_THAT(refusal("a,\"b\n1,2\n"), contains("line 1: column 2: a quote is not closed"));
  CHECK_THAT(refusal("a,\"b\"c\n1,2\n"), contains("line 1: column 2") && contains("behind a closing quote"));
  CHECK_THAT(refusal(""), contains("is empty"));
  CHECK_THAT(refusal(" \n\n\t\n"), contains("is empty"));
  CHECK_THAT(refusal("\n1,2\n"), contains("line 1: is blank"));
  CHECK_THAT(refusal("a,b\n"), contains("no tokens"));
  CHECK_THAT(refusal(std::string("1,2\n3,\0\n", 8)), contains("NUL"));
  CHECK_THAT(refusal("PK\x03\x04more"), contains(".npz"));
  CHECK_THAT(message_of<input_error>([] { read_samples("/no/such/table.csv", 0, 0); }), contains("/no/such/table.csv"));
  CHECK_THAT(message_of<input_error>([] { read_samples(test_data(), 0, 0); }), contains("regular file"));
}

TEST_CASE("a sample of tokens is seeded, ordered and without repetition", "[tables]") {
  std::string text = "value\n";
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + "\n";
  const auto random = seed();
  const auto first = read_text_samples(text, 100, random);
  CHECK(first.tokens_in_file == 1000);
  REQUIRE(first.values.rows() == 100);
  CHECK(std::is_sorted(first.tokens.begin(), first.tokens.end()));
  CHECK(std::set(first.tokens.begin(), first.tokens.end()).size() == 100);
  // The smallest hashes, by the definition.
  std::vector<std::uint64_t> hashes;
  for (std::uint64_t i = 0; i < 1000; ++i) hashes.push_back(miq::random_hash(random, i));
  std::sort(hashes.begin(), hashes.end());
  for (std::int64_t t = 0; t < 100; ++t) {
    const auto token = first.tokens[static_cast<std::size_t>(t)];
    CHECK(first.values(t, 0) == static_cast<float>(token));
    CHECK(miq::random_hash(random, static_cast<std::uint64_t>(token)) <= hashes[99]);
  }
  CHECK(read_text_samples(text, 100, random).tokens == first.tokens);
  CHECK(read_text_samples(text, 100, random + 1).tokens != first.tokens);
  CHECK(read_text_samples(text, 1000, random).tokens.size() == 1000);
}

TEST_CASE("channels far from 0 keep their differences", "[tables]") {
  // Seconds since 1970 with milliseconds, which float would round to minutes; a channel beside it that stays.
  const auto read = read_text_samples("time,value\n1700000000.001,1\n1700000000.002,5\n1700000000.004,2\n");
  CHECK(read.shifted == std::vector<std::int64_t>{0});
  CHECK(read.values(0, 0) == 0.0F);
  CHECK(read.values(1, 0) == Approx(0.001).epsilon(1e-3));  // double has 2.4e-7 here
  CHECK(read.values(2, 0) == Approx(0.003).epsilon(1e-3));
  CHECK(read.values(1, 1) == 5.0F);
  const auto constant = read_text_samples("1700000000.001\n1700000000.001\n");
  CHECK(constant.values(0, 0) == constant.values(1, 0));
}

TEST_CASE("class labels are read from words, numbers and arrays", "[tables]") {
  const temporary_directory directory;
  samples used;
  used.tokens = {0, 2, 3};
  used.tokens_in_file = 4;
  const auto read = [&](const std::string& name, const std::string& text) {
    write_text(directory / name, text);
    return read_labels(directory / name, used);
  };
  const auto words = read("words.csv", "kind\nb\nignored\na\n\"b\"\n");
  CHECK(words.labels == std::vector<std::int32_t>{0, 1, 0});
  CHECK(words.names == std::vector<std::string>{"b", "a"});
  const auto numbers = read("numbers.csv", "1\n2\n1\n-1\n");
  CHECK(numbers.labels == std::vector<std::int32_t>{0, 0, 1});
  std::string data(32, '\0');
  const std::int64_t large[] = {10000001, 0, 10000002, 10000001};
  std::memcpy(data.data(), large, 32);
  const auto array = read("array.npy", npy_text(header_of("(4,)", "<i8"), data));
  CHECK(array.labels == std::vector<std::int32_t>{0, 1, 0});
  CHECK(array.names == std::vector<std::string>{"10000001", "10000002"});

  const auto refused = [&](const std::string& text) { return message_of<input_error>([&] { read("bad", text); }); };
  CHECK_THAT(refused("1\n2\n3\n"), contains("each of the 4 tokens, got 3"));
  CHECK_THAT(refused("1\n2\n3\n4\n5\n6\n"), contains("got 6"));
  CHECK_THAT(refused("1,2\n2,3\n3,4\n4,5\n"), contains("line 1: has 2 cells"));
  CHECK_THAT(refused(npy_text(header_of("(2, 2)", "<i8"), data)), contains("single column"));
}
