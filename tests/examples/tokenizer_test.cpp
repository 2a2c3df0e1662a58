#include <algorithm>
#include <map>

#include <miq/core/error.hpp>
#include <miq/core/random.hpp>

#include "compress_opt/tokenizer/byte_pair_tokenizer.hpp"
#include "compress_opt/tokenizer/token_windows.hpp"
#include "support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

namespace {

void check_against_hugging_face(const fs::path& model, const fs::path& fixture) {
  const auto tokenizer = byte_pair_tokenizer::load(model);
  const auto cases = read_json(fixture);
  REQUIRE(cases.size() >= 24);
  for (const auto& one : cases) {
    const auto text = one["text"].get<std::string>();
    INFO(text);
    const auto ids = tokenizer.encode(text);
    CHECK(ids == one["ids"].get<std::vector<std::int32_t>>());
    CHECK(tokenizer.decode(ids) == text);
  }
}

/// The definition, taken literally, for words of ASCII letters: of all adjacent pairs join the one that stands first in
/// merges.txt, the leftmost, and look again from the start. Knows only strings.
class literal_byte_pairs {
 public:
  explicit literal_byte_pairs(const fs::path& model) : vocabulary_(read_json(model / "vocab.json")) {
    std::istringstream lines(read_text(model / "merges.txt"));
    std::string line;
    while (std::getline(lines, line))
      if (line.rfind("#version", 0) != 0) ranks_.emplace(line, ranks_.size());
  }

  std::vector<std::int32_t> encode(const std::string& word) const {
    std::vector<std::string> parts;
    for (const char c : word) parts.push_back(c == ' ' ? "\u0120" : std::string(1, c));
    for (;;) {
      std::size_t best = parts.size(), best_rank = ranks_.size();
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto found = ranks_.find(parts[i] + ' ' + parts[i + 1]);
        if (found != ranks_.end() && found->second < best_rank) {
          best = i;
          best_rank = found->second;
        }
      }
      if (best == parts.size()) break;
      parts[best] += parts[best + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    std::vector<std::int32_t> ids;
    for (const auto& part : parts) ids.push_back(vocabulary_.at(part).get<std::int32_t>());
    return ids;
  }

 private:
  nlohmann::json vocabulary_;
  std::map<std::string, std::size_t> ranks_;
};

}  // namespace

TEST_CASE("token ids are Hugging Face's, opt-demo", "[tokenizer]") {
  check_against_hugging_face(demo_model(), test_data() / "opt-demo-tokens.json");
}

TEST_CASE("token ids are Hugging Face's, opt-mini", "[tokenizer]") {
  if (!fs::exists(shared_data() / "models/opt-mini"))
    MIQ_SKIP("opt-mini is not there: " + shared_data().string() + " (MIQ_TEST_MODELS names its folder)");
  check_against_hugging_face(shared_data() / "models/opt-mini", shared_data() / "reference/tokens-opt-mini.json");
}

TEST_CASE("words are joined as the definition says", "[tokenizer]") {
  const auto tokenizer = byte_pair_tokenizer::load(demo_model());
  const literal_byte_pairs oracle(demo_model());
  miq::random_stream random(seed());
  // Few letters make many ties; real fragments make long chains of merges.
  const std::vector<std::string> pieces = {"t", "h", "e", "the", "ing", "in", "a", "s", "er", "A", "zq"};
  std::string text;
  std::vector<std::int32_t> expected;
  for (int i = 0; i < 400; ++i) {
    std::string word = " ";
    const auto count = 1 + random.below(i % 40 == 0 ? 120 : 8);
    for (std::uint64_t k = 0; k < count; ++k) word += pieces[random.below(pieces.size())];
    text += word;
    const auto ids = oracle.encode(word);
    expected.insert(expected.end(), ids.begin(), ids.end());
  }
  CHECK(tokenizer.encode(text) == expected);
}

TEST_CASE("any text comes back from its tokens", "[tokenizer]") {
  const auto tokenizer = byte_pair_tokenizer::load(demo_model());
  miq::random_stream random(seed());
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    auto point = static_cast<std::uint32_t>(random.below(random.below(4) == 0 ? 0x110000 : 0x250));
    if (point >= 0xD800 && point < 0xE000) point = ' ';
    if (point < 0x80) {
      text += static_cast<char>(point);
    } else if (point < 0x800) {
      text += {static_cast<char>(0xC0 | point >> 6), static_cast<char>(0x80 | (point & 0x3F))};
    } else if (point < 0x10000) {
      text += {static_cast<char>(0xE0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 0x3F)),
               static_cast<char>(0x80 | (point & 0x3F))};
    } else {
      text += {static_cast<char>(0xF0 | point >> 18), static_cast<char>(0x80 | (point >> 12 & 0x3F)),
               static_cast<char>(0x80 | (point >> 6 & 0x3F)), static_cast<char>(0x80 | (point & 0x3F))};
    }
  }
  CHECK(first_invalid_utf8(text) == text.size());
  CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
}

TEST_CASE("very long words and runs of space are no trouble", "[tokenizer]") {
  const auto tokenizer = byte_pair_tokenizer::load(demo_model());
  for (const char* piece : {"a", " ", "the", "\n", "1", "-", "\u00E9", "\u3000"}) {
    std::string text;
    while (text.size() < 300'000) text += piece;
    CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
  }
}

TEST_CASE("invalid UTF-8 is found at its byte", "[tokenizer]") {
  // Unicode 15, table 3-7: what may follow what.
  const std::vector<std::pair<std::string, std::size_t>> bad = {{"\x80", 0},
                                                                {"ab\xFF", 2},
                                                                {"a\xC3", 1},
                                                                {"\xC0\x80", 0},
                                                                {"\xC1\xBF", 0},
                                                                {"\xE0\x9F\x80", 0},
                                                                {"\xED\xA0\x80", 0},
                                                                {"ok\xE2\x82", 2},
                                                                {"\xF0\x8F\xBF\xBF", 0},
                                                                {"\xF4\x90\x80\x80", 0},
                                                                {"\xF5\x80\x80\x80", 0},
                                                                {"\xC3\xA9\xC3(", 2},
                                                                {"\xF0\x9F\x99", 0}};
  for (const auto& [text, offset] : bad) CHECK(first_invalid_utf8(text) == offset);
  for (const std::string& good : std::vector<std::string>{"", "a", "\u0080", "\u07FF", "\u0800", "\uD7FF", "\uE000",
                                                          "\uFFFF", "\U00010000", "\U0010FFFF"})
    CHECK(first_invalid_utf8(good) == good.size());

  const auto tokenizer = byte_pair_tokenizer::load(demo_model());
  CHECK_THAT(message_of<text_error>([&] { tokenizer.encode("abc\xFF", "book.txt"); }),
             contains("book.txt") && contains("byte 3"));
}

TEST_CASE("spoilt vocabularies and merges are refused by name", "[tokenizer]") {
  const temporary_directory directory;
  const auto message = [&](const std::string& vocabulary, const std::string& merges) {
    write_text(directory / "vocab.json", vocabulary);
    write_text(directory / "merges.txt", merges);
    return message_of<text_error>([&] { byte_pair_tokenizer::load(directory.path()); });
  };
  CHECK_THAT(message("[]", ""), contains("vocab.json"));
  CHECK_THAT(message("{\"a\": 0", ""), contains("vocab.json") && contains("JSON"));
  CHECK_THAT(message("{\"a\": -1}", ""), contains("'a'"));
  CHECK_THAT(message("{\"a\": 1.5}", ""), contains("'a'"));
  CHECK_THAT(message("{\"a\": 1, \"b\": 1}", ""), contains("two tokens"));
  CHECK_THAT(message("{\"a\": 1, \"a\": 2}", ""), contains("twice"));
  CHECK_THAT(message("{\"a\": 1, \"b\": 2}", "#version: 0.2\na b\n"),
             contains("merges.txt: line 2") && contains("'ab'"));
  CHECK_THAT(message("{\"a\": 1, \"b\": 2}", "a\n"), contains("line 1"));
  CHECK_THAT(message("{\"a\": 1, \"b\": 2}", "a b c\n"), contains("line 1"));
  CHECK_THAT(message("{\"a\": 1, \"b\": 2}", "a \xFF\n"), contains("byte 2"));
  fs::remove(directory / "merges.txt");
  CHECK_THAT(message_of<text_error>([&] { byte_pair_tokenizer::load(directory.path()); }), contains("merges.txt"));

  write_text(directory / "vocab.json", "{\"a\": 1, \"b\": 2, \"ab\": 7}");
  write_text(directory / "merges.txt", "a b\r\n");
  const auto tokenizer = byte_pair_tokenizer::load(directory.path());
  CHECK(tokenizer.vocabulary_size() == 8);
  CHECK(tokenizer.encode("abba") == std::vector<std::int32_t>{7, 2, 1});
  CHECK_THAT(message_of<text_error>([&] { tokenizer.encode("abc"); }), contains("byte 99") && contains("offset 2"));
  CHECK_THROWS_AS(tokenizer.decode({3}), text_error);
}

TEST_CASE("streams are cut into windows", "[tokenizer]") {
  std::vector<std::int32_t> stream(10);
  for (std::size_t i = 0; i < stream.size(); ++i) stream[i] = static_cast<std::int32_t>(i);
  using list = std::vector<std::int32_t>;

  CHECK(evaluation_windows(stream, 3, 0, "t").ids == list{0, 1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(evaluation_windows(stream, 3, 2, "t").count() == 2);
  CHECK(evaluation_windows(stream, 10, 5, "t").count() == 1);
  // starts i * 7 / 3, rounded down: 0, 2, 4, 7
  CHECK(calibration_windows(stream, 3, 4, "t").ids == list{0, 1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 9});
  CHECK(calibration_windows(stream, 3, 1, "t").ids == list{0, 1, 2});
  CHECK(calibration_windows(stream, 10, 2, "t").count() == 2);
  CHECK_THAT(message_of<text_error>([&] { calibration_windows(stream, 11, 1, "short.txt"); }),
             contains("short.txt") && contains("10 tokens") && contains("11"));
  CHECK_THAT(message_of<text_error>([&] { evaluation_windows(stream, 11, 0, "short.txt"); }), contains("short.txt"));
  CHECK_THROWS_AS(calibration_windows(stream, 3, 0, "t"), miq::invalid_argument);
  CHECK_THROWS_AS(evaluation_windows(stream, 0, 0, "t"), miq::invalid_argument);
  CHECK_THROWS_AS(evaluation_windows(stream, 2, -1, "t"), miq::invalid_argument);

  const temporary_directory directory;
  const auto tokenizer = byte_pair_tokenizer::load(demo_model());
  write_text(directory / "empty.txt", "");
  write_text(directory / "text.txt", "Hello world");
  CHECK_THAT(message_of<text_error>([&] { read_token_stream(tokenizer, directory / "empty.txt", 2); }),
             contains("empty.txt"));
  CHECK_THAT(message_of<text_error>([&] { read_token_stream(tokenizer, directory / "none.txt", 2); }),
             contains("none.txt"));
  CHECK_THROWS_AS(read_token_stream(tokenizer, directory.path(), 2), text_error);
  CHECK(read_token_stream(tokenizer, directory / "text.txt", 2) == list{2, 43, 72, 312, 82, 1603, 381});
}
