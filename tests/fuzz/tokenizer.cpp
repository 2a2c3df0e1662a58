// Vocabularies and merges, in one input: a zero byte stands between the two files, another before a text.
#include "compress_opt/errors.hpp"
#include "compress_opt/tokenizer/byte_pair_tokenizer.hpp"
#include "fuzz/target.hpp"

std::vector<std::string> miq_fuzz::seeds() {
  const std::string separator(1, '\0');
  std::string vocabulary = "{";
  for (int i = 0; i < 60; ++i)
    vocabulary += '"' + std::string(1, static_cast<char>('A' + i % 58)) + (i >= 58 ? "B" : "") +
                  "\": " + std::to_string(i) + ", ";
  // `\` has to be escaped.
  const auto backslash = vocabulary.find("\"\\\"");
  vocabulary.replace(backslash, 3, "\"\\\\\"");
  vocabulary += "\"th\": 60, \"the\": 61}";
  return {vocabulary + separator + "#version: 0.2\nt h\nth e\n" + separator + "theABzw",
          "{\"a\": 0}" + separator + "" + separator + "aaa"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const auto first = all.find('\0');
  if (first == all.npos) return 0;
  const auto second = all.find('\0', first + 1);
  static miq_fuzz::file_in_memory vocabulary;
  static miq_fuzz::file_in_memory merges;
  vocabulary.write(all.substr(0, first));
  merges.write(all.substr(first + 1, second == all.npos ? second : second - first - 1));
  try {
    const auto tokenizer = compress_opt::byte_pair_tokenizer::load(vocabulary.path(), merges.path());
    if (second != all.npos) tokenizer.decode(tokenizer.encode(all.substr(second + 1)));
  } catch (const examples::input_error&) {
  }
  return 0;
}
