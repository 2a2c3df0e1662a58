// Tables that were cut short or changed at random: reading them throws the program's own error or succeeds, nothing
// else.
#include <algorithm>
#include <miq/core/random.hpp>

#include "mutual_information/samples.hpp"
#include "support.hpp"
#include "test_support/catch.hpp"

using namespace mutual_information;
using namespace miq_test;
using examples::input_error;

namespace {

/// Changes `text` in one to six places before `end`: to random bytes, by a bit, to characters that headers and tables
/// are made of, by leaving some out, or by repeating some.
std::string changed(std::string text, std::size_t end, miq::random_stream& random) {
  for (auto count = 1 + random.below(6); count > 0 && !text.empty(); --count) {
    const auto place = random.below(std::min(end, text.size()));
    switch (random.below(5)) {
      case 0:
        text[place] = static_cast<char>(random());
        break;
      case 1:
        text[place] = static_cast<char>(text[place] ^ (1 << random.below(8)));
        break;
      case 2:
        text[place] = "0123456789'\"{}()[],:;-+.eE<>|=fiubLTF\t\r\n #"[random.below(42)];
        break;
      case 3:
        text.erase(place, 1 + random.below(9));
        break;
      default:
        text.insert(place, text.substr(place, 1 + random.below(9)));
        break;
    }
  }
  return text;
}

/// Reads a file in every way; what comes out fits together.
void read_all(const fs::path& file) {
  REQUIRE(returns_or_refuses<input_error>([&] {
    const auto read = read_samples(file, 3, 1);
    REQUIRE(read.values.columns() == static_cast<std::int64_t>(read.names.size()));
    REQUIRE(read.values.rows() == static_cast<std::int64_t>(read.tokens.size()));
    REQUIRE(read.values.rows() <= 3);
    for (std::int64_t i = 0; i < read.values.size(); ++i) REQUIRE(std::isfinite(read.values.data()[i]));
  }));
  REQUIRE(returns_or_refuses<input_error>([&] {
    samples used;
    used.tokens = {0, 4};
    used.tokens_in_file = 5;
    const auto read = read_labels(file, used);
    REQUIRE(read.labels.size() == 2);
  }));
}

std::vector<fs::path> arrays() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(test_data() / "tables"))
    if (entry.path().extension() == ".npy") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("an array cut at any byte is refused", "[hostile]") {
  const temporary_directory directory;
  for (const auto* name : {"f4-little-C.npy", "f2-big-F.npy", "i8-little-F.npy"}) {
    const auto whole = read_text(test_data() / "tables" / name);
    for (auto length = whole.size(); length-- > 0;) {
      const auto file = directory / "cut.npy";
      write_text(file, whole.substr(0, length));
      const auto message = message_of<input_error>([&] { read_samples(file, 0, 0); });
      INFO("first " << length << " bytes: " << message);
      REQUIRE(message.find("cut.npy") != std::string::npos);
    }
  }
}

TEST_CASE("changed arrays are refused or read", "[hostile]") {
  miq::random_stream random(seed());
  const temporary_directory directory;
  const auto file = directory / "changed.npy";
  for (const auto& original : arrays()) {
    INFO(original.string());
    const auto whole = read_text(original);
    // Mostly in the header up to its padding, which is where things can go wrong.
    const auto dictionary_end = std::min(whole.find('}') + 2, whole.size());
    for (int i = 0; i < 100; ++i) {
      write_text(file, changed(whole, i % 8 == 0 ? whole.size() : dictionary_end, random));
      read_all(file);
    }
  }
}

TEST_CASE("changed texts are refused or read", "[hostile]") {
  miq::random_stream random(seed());
  const temporary_directory directory;
  const auto file = directory / "changed.csv";
  for (const std::string whole :
       {"a,b,c\n1,2,3\n4,5,6\n7,8,9\n10,11,12\n13,14,15\n", "1.5;2e5\n-3;+4\n\"5\";6\n7;8\n9;10\n",
        "# x\ty\r\n1\t2\r\n3\t4\r\n5\t6\r\n7\t8\r\n9\t0\r\n",
        "\"a \"\"q\"\", b\",\"c\"\n1e-300,nan\ninf,1e999\n1,2\n3,4\n", "\xEF\xBB\xBFred\ngreen\nblue\nred\ngreen\n"})
    for (int i = 0; i < 1500; ++i) {
      write_text(file, changed(whole, whole.size(), random));
      read_all(file);
    }
}
