// tokenizer/byte_pair_tokenizer.hpp: text to token ids by GPT-2's byte-level byte pair encoding.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace compress_opt {

/// Byte-level byte pair encoding as GPT-2 and OPT use it (Sennrich et al. 2016; Radford et al. 2019): the text is cut
/// into words by a fixed regular expression over Unicode classes, each byte of a word is one symbol, and the pair of
/// adjacent symbols that stands first in the list of merges is joined, the leftmost first, until none is left.
///
/// The ids are those of Hugging Face's `ByteLevelBPETokenizer(vocab, merges).encode(text).ids`: nothing is put before
/// the text, it is not normalised, and it is never searched for special tokens.
///
/// Immutable after loading; `encode` may be called from several threads at once.
class byte_pair_tokenizer {
 public:
  /// Reads `vocab.json` and `merges.txt`. @throws text_error naming the file and what is wrong in it
  static byte_pair_tokenizer load(const std::filesystem::path& vocabulary_file,
                                  const std::filesystem::path& merges_file);

  /// Both files of a model's directory.
  static byte_pair_tokenizer load(const std::filesystem::path& directory);

  byte_pair_tokenizer(byte_pair_tokenizer&&) noexcept;
  byte_pair_tokenizer& operator=(byte_pair_tokenizer&&) noexcept;
  ~byte_pair_tokenizer();

  /// Token ids of a text. Words seen before in the same call are looked up in a cache of bounded size, so memory is
  /// that of the result plus a few megabytes. Time is O(bytes log(longest word)).
  /// @param source  what the text is called in errors, e.g. its file
  /// @throws text_error if the text is not UTF-8 (naming the offset of the first bad byte), or holds a byte that the
  ///         vocabulary has no token for
  std::vector<std::int32_t> encode(std::string_view text, std::string_view source = "text") const;

  /// The bytes that a sequence of tokens stands for. @throws text_error if an id is not in the vocabulary
  std::string decode(const std::vector<std::int32_t>& ids) const;

  /// One more than the largest id.
  std::int64_t vocabulary_size() const;

 private:
  struct tables;
  explicit byte_pair_tokenizer(std::unique_ptr<tables> data);
  std::unique_ptr<tables> tables_;
};

/// Offset of the first byte that is not part of well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF),
/// or `text.size()`.
std::size_t first_invalid_utf8(std::string_view text);

}  // namespace compress_opt
