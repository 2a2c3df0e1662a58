// Files that were cut short or changed at random: reading them throws the program's own error or succeeds, nothing
// else.
#include <algorithm>

#include <miq/core/random.hpp>

#include "compress_opt/checkpoint/checkpoint.hpp"
#include "compress_opt/tokenizer/byte_pair_tokenizer.hpp"
#include "support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

namespace {

/// A copy of a checkpoint, to be spoilt.
struct copied_checkpoint {
  explicit copied_checkpoint(const std::string& name) { copy_files(checkpoint(name), directory.path()); }
  void load() const { load_model(exec, directory.path()); }

  temporary_directory directory;
  miq::host_executor exec{{.threads = 1}};
};

/// Changes `text` in one to four places before `end`: to random bytes, to others by a bit, or by leaving some out.
std::string changed(std::string text, std::size_t end, miq::random_stream& random) {
  for (auto count = 1 + random.below(4); count > 0; --count) {
    const auto place = random.below(std::min(end, text.size()));
    switch (random.below(4)) {
      case 0:
        text[place] = static_cast<char>(random());
        break;
      case 1:
        text[place] = static_cast<char>(text[place] ^ (1 << random.below(8)));
        break;
      case 2:
        text[place] = "0123456789\"{}[],:-.eE\\ "[random.below(23)];
        break;
      default:
        text.erase(place, 1 + random.below(3));
        break;
    }
    if (text.empty()) return text;
  }
  return text;
}

}  // namespace

TEST_CASE("a safetensors file cut at any byte of its header is refused", "[hostile]") {
  const copied_checkpoint copy("safetensors-bfloat16-plain");
  const auto file = copy.directory / "model.safetensors";
  const auto size = fs::file_size(file);
  std::uint64_t header = 0;
  std::memcpy(&header, read_text(file).data(), sizeof(header));
  for (auto length = size; length-- > 0;) {
    if (length > header + 8 && length % 97 != 0 && length != size - 1) continue;  // in the data a sample is enough
    fs::resize_file(file, length);
    const auto message = message_of<checkpoint_error>([&] { copy.load(); });
    INFO("first " << length << " bytes: " << message);
    REQUIRE(message.find("model.safetensors") != std::string::npos);
  }
}

TEST_CASE("a PyTorch file cut anywhere is refused", "[hostile]") {
  const copied_checkpoint copy("torch-bfloat16-parameters");
  const auto file = copy.directory / "pytorch_model.bin";
  for (auto length = fs::file_size(file); length-- > 0;) {
    if (length > 64 && length % 7 != 0) continue;
    fs::resize_file(file, length);
    const auto message = message_of<checkpoint_error>([&] { copy.load(); });
    INFO("first " << length << " bytes: " << message);
    REQUIRE(message.find("pytorch_model.bin") != std::string::npos);
  }
}

TEST_CASE("changed checkpoints are refused or read", "[hostile]") {
  miq::random_stream random(seed());
  for (const auto& name : checkpoint_names()) {
    const copied_checkpoint copy(name);
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(copy.directory.path())) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      const auto whole = read_text(file);
      INFO(file.string());
      for (int i = 0; i < 100; ++i) {
        // In safetensors files the header is what can go wrong; in the others everything.
        const auto end = file.extension() == ".safetensors" && i % 8 != 0 ? std::size_t{3000} : whole.size();
        write_text(file, changed(whole, end, random));
        REQUIRE(returns_or_refuses<checkpoint_error>([&] { copy.load(); }));
      }
      write_text(file, whole);
    }
    CHECK_NOTHROW(copy.load());
  }
}

TEST_CASE("a changed weight in a PyTorch file is noticed", "[hostile]") {
  const copied_checkpoint copy("torch-post-norm-projected");
  const auto file = copy.directory / "pytorch_model.bin";
  auto text = read_text(file);
  const auto model = load_model(copy.exec, copy.directory.path());
  const auto place = text.find(std::string(reinterpret_cast<const char*>(model.layers[0].fc1.weight.data()), 64));
  REQUIRE(place != std::string::npos);
  text[place] = static_cast<char>(text[place] ^ 1);
  write_text(file, text);
  CHECK_THAT(message_of<checkpoint_error>([&] { copy.load(); }), contains("pytorch_model.bin") && contains("CRC"));
}

TEST_CASE("changed vocabularies are refused or read", "[hostile]") {
  miq::random_stream random(seed());
  const temporary_directory directory;
  // A short vocabulary: the first 300 tokens, and the merges that need no others.
  auto vocabulary = read_json(demo_model() / "vocab.json");
  for (auto it = vocabulary.begin(); it != vocabulary.end();)
    it = it->get<int>() < 300 ? std::next(it) : vocabulary.erase(it);
  std::istringstream lines(read_text(demo_model() / "merges.txt"));
  std::string merges, line;
  for (int i = 0; i < 40 && std::getline(lines, line); ++i) merges += line + "\n";
  const std::string text = "The quick brown fox, 1234 \xC3\xA9\xE2\x82\xAC \n\n and so on";
  for (const char* name : {"vocab.json", "merges.txt"}) {
    write_text(directory / "vocab.json", vocabulary.dump());
    write_text(directory / "merges.txt", merges);
    REQUIRE_NOTHROW(byte_pair_tokenizer::load(directory.path()).encode(text));
    const auto whole = read_text(directory / name);
    for (int i = 0; i < 300; ++i) {
      write_text(directory / name, changed(whole, whole.size(), random));
      REQUIRE(returns_or_refuses<text_error>([&] {
        const auto tokenizer = byte_pair_tokenizer::load(directory.path());
        tokenizer.decode(tokenizer.encode(text));
      }));
    }
  }
}
