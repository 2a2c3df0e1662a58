#define PCRE2_CODE_UNIT_WIDTH 8
#include "compress_opt/tokenizer/byte_pair_tokenizer.hpp"

#include <pcre2.h>

#include <array>
#include <limits>
#include <optional>
#include <queue>
#include <span>
#include <unordered_map>
#include <utility>

#include "common/mapped_file.hpp"
#include "compress_opt/errors.hpp"
#include "compress_opt/files/json.hpp"

namespace compress_opt {

namespace {

/// GPT-2's words: English contractions; letters, digits or other signs with a space before them; white space, of which
/// the last character is left to the word that follows. White space is Unicode's property White_Space, spelt out since
/// PCRE's \s also holds U+180E.
#define MIQ_WHITE_SPACE R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"
constexpr char word_pattern[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{L}\p{N})" MIQ_WHITE_SPACE
                                "]+|[" MIQ_WHITE_SPACE "]+(?![^" MIQ_WHITE_SPACE "])|[" MIQ_WHITE_SPACE "]+";
#undef MIQ_WHITE_SPACE

struct code_free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct match_data_free {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

std::string pcre_message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

std::unique_ptr<pcre2_code, code_free> compile_words() {
  int error = 0;
  PCRE2_SIZE offset = 0;
  std::unique_ptr<pcre2_code, code_free> code(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(word_pattern), PCRE2_ZERO_TERMINATED,
                    PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr));
  if (!code) throw text_error("the words' pattern does not compile: " + pcre_message(error));
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where it cannot, matching is interpreted
  return code;
}

/// Length in bytes of the well-formed UTF-8 sequence at `text[at]`, or 0 (Unicode 15, table 3-7).
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned least = first == 0xE0 ? 0xA0 : 0x80, most = first == 0xED ? 0x9F : 0xBF;
    return byte(1) >= least && byte(1) <= most && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned least = first == 0xF0 ? 0x90 : 0x80, most = first == 0xF4 ? 0x8F : 0xBF;
    return byte(1) >= least && byte(1) <= most && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/// GPT-2 writes each byte as one printable character: those of Latin-1 that are visible as themselves, the others, in
/// order, as the characters from U+0100 on. This is the way back: the byte of each character below U+0144, or -1.
std::array<int, 0x144> make_bytes_of_characters() {
  std::array<int, 0x144> bytes{};
  bytes.fill(-1);
  std::size_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    bytes[visible ? static_cast<std::size_t>(byte) : next++] = byte;
  }
  return bytes;
}

/// The bytes that a token of the vocabulary stands for. Characters that stand for no byte stay as they are: such tokens
/// (special ones) never come from a text.
std::string bytes_of_token(std::string_view token) {
  static const auto bytes_of_characters = make_bytes_of_characters();
  std::string bytes;
  for (std::size_t at = 0; at < token.size();) {
    const std::size_t length = sequence_length(token, at);  // JSON and merges were checked to be UTF-8
    const auto lead = static_cast<unsigned char>(token[at]);
    std::size_t character = lead;
    if (length == 2) character = (lead & 0x1FU) << 6 | (static_cast<unsigned char>(token[at + 1]) & 0x3FU);
    if (length <= 2 && character < bytes_of_characters.size() && bytes_of_characters[character] >= 0)
      bytes += static_cast<char>(bytes_of_characters[character]);
    else
      bytes += token.substr(at, length);
    at += length;
  }
  return bytes;
}

struct merge {
  std::int32_t rank;  ///< place in the list: lower ones come first
  std::int32_t id;    ///< of the joined token
};

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

struct pair_hash {
  std::size_t operator()(std::uint64_t key) const {
    key *= 0x9E3779B97F4A7C15ULL;
    return key ^ key >> 32;
  }
};

}  // namespace

struct byte_pair_tokenizer::tables {
  std::unordered_map<std::uint64_t, merge, pair_hash> merges;
  std::array<std::int32_t, 256> byte_ids{};  ///< -1: no token
  std::unordered_map<std::int32_t, std::string> bytes_of_ids;
  std::int64_t vocabulary = 0;
  std::unique_ptr<pcre2_code, code_free> words;

  const merge* find(std::int32_t left, std::int32_t right) const {
    const auto found = merges.find(pair_key(left, right));
    return found == merges.end() ? nullptr : &found->second;
  }
};

namespace {

/// Joins the symbols of one word. Keeps its memory from word to word.
class word_encoder {
 public:
  /// Appends the ids of a word whose symbols are `ids` to `out`.
  template <class Tables>
  void encode(const Tables& tables, std::span<const std::int32_t> ids, std::vector<std::int32_t>& out) {
    const auto count = static_cast<std::int32_t>(ids.size());
    symbols_.clear();
    for (std::int32_t i = 0; i < count; ++i)
      symbols_.push_back({ids[static_cast<std::size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
    for (std::int32_t i = 0; i + 1 < count; ++i) propose(tables, i);
    while (!candidates_.empty()) {
      const candidate best = candidates_.top();
      candidates_.pop();
      symbol& left = at(best.left);
      if (left.id < 0 || left.next < 0) continue;  // joined to something else meanwhile
      const merge* still = tables.find(left.id, at(left.next).id);
      if (still == nullptr || still->rank != best.rank) continue;
      symbol& right = at(left.next);
      left.id = still->id;
      left.next = right.next;
      right.id = -1;
      if (left.next >= 0) {
        at(left.next).previous = best.left;
        propose(tables, best.left);
      }
      if (left.previous >= 0) propose(tables, left.previous);
    }
    for (std::int32_t i = 0; i >= 0; i = at(i).next) out.push_back(at(i).id);
  }

 private:
  struct symbol {
    std::int32_t id;  ///< -1: joined to the one before it
    std::int32_t previous;
    std::int32_t next;
  };
  struct candidate {
    std::int32_t rank;
    std::int32_t left;
    bool operator<(const candidate& other) const {  // the queue's top is its greatest: lowest rank, then leftmost
      return std::pair(rank, left) > std::pair(other.rank, other.left);
    }
  };

  symbol& at(std::int32_t i) { return symbols_[static_cast<std::size_t>(i)]; }

  template <class Tables>
  void propose(const Tables& tables, std::int32_t left) {
    if (const merge* found = tables.find(at(left).id, at(at(left).next).id)) candidates_.push({found->rank, left});
  }

  std::vector<symbol> symbols_;
  std::priority_queue<candidate> candidates_;
};

}  // namespace

byte_pair_tokenizer::byte_pair_tokenizer(std::unique_ptr<tables> data) : tables_(std::move(data)) {}
byte_pair_tokenizer::byte_pair_tokenizer(byte_pair_tokenizer&&) noexcept = default;
byte_pair_tokenizer& byte_pair_tokenizer::operator=(byte_pair_tokenizer&&) noexcept = default;
byte_pair_tokenizer::~byte_pair_tokenizer() = default;

byte_pair_tokenizer byte_pair_tokenizer::load(const std::filesystem::path& directory) {
  return load(directory / "vocab.json", directory / "merges.txt");
}

byte_pair_tokenizer byte_pair_tokenizer::load(const std::filesystem::path& vocabulary_file,
                                              const std::filesystem::path& merges_file) {
  auto data = std::make_unique<tables>();
  data->words = compile_words();

  std::unordered_map<std::string, std::int32_t> ids;  // of the tokens as they are written in the files
  const auto vocabulary = errors_as<text_error>(
      [&] { return parse_json_object(mapped_file(vocabulary_file).text(), vocabulary_file.string()); });
  for (const auto& [token, value] : vocabulary.items()) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= (1U << 24))
      throw text_error(vocabulary_file.string() + ": the id of token '" + token +
                       "' must be an integer from 0 to 16777215, got " + value.dump());
    const auto id = value.get<std::int32_t>();
    ids.emplace(token, id);
    if (!data->bytes_of_ids.emplace(id, bytes_of_token(token)).second)
      throw text_error(vocabulary_file.string() + ": two tokens have the id " + std::to_string(id) + ", one is '" +
                       token + "'");
    data->vocabulary = std::max<std::int64_t>(data->vocabulary, id + 1);
  }

  // A single byte is a token of one character, so it is found by its written form.
  data->byte_ids.fill(-1);
  for (const auto& [token, id] : ids)
    if (sequence_length(token, 0) == token.size() && data->bytes_of_ids.at(id).size() == 1)
      data->byte_ids[static_cast<unsigned char>(data->bytes_of_ids.at(id)[0])] = id;

  const auto file = errors_as<text_error>([&] { return mapped_file(merges_file); });
  const std::string_view text = file.text();
  if (const auto bad = first_invalid_utf8(text); bad != text.size())
    throw text_error(merges_file.string() + ": byte " + std::to_string(bad) + " is not valid UTF-8");
  std::int64_t line_number = 0;
  std::int32_t rank = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view line = text.substr(start, end - start);
    start = end + 1;
    ++line_number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("#version")) continue;
    const auto fail = [&](const std::string& what) {
      throw text_error(merges_file.string() + ": line " + std::to_string(line_number) + ": " + what);
    };
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
      fail("must hold two tokens with one space between them");
    const std::string left(line.substr(0, space)), right(line.substr(space + 1));
    const auto id_of = [&](const std::string& token) {
      const auto found = ids.find(token);
      if (found == ids.end()) fail("token '" + token + "' is not in " + vocabulary_file.string());
      return found->second;
    };
    data->merges.insert_or_assign(pair_key(id_of(left), id_of(right)), merge{rank++, id_of(left + right)});
  }
  return byte_pair_tokenizer(std::move(data));
}

std::vector<std::int32_t> byte_pair_tokenizer::encode(std::string_view text, std::string_view source) const {
  constexpr std::size_t most_cached_words = 1U << 16, longest_cached_word = 64;
  if (const auto bad = first_invalid_utf8(text); bad != text.size())
    throw text_error(std::string(source) + ": byte " + std::to_string(bad) + " is not valid UTF-8");
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw text_error(std::string(source) + ": texts beyond 2 GiB are not supported");

  const std::unique_ptr<pcre2_match_data, match_data_free> match(
      pcre2_match_data_create_from_pattern(tables_->words.get(), nullptr));
  if (!match) throw std::bad_alloc();
  struct encoded_word {  // a range of the result, where the same word was encoded before
    std::size_t first;
    std::size_t count;
  };
  std::unordered_map<std::string_view, encoded_word> cache;
  std::vector<std::int32_t> result, symbols;
  word_encoder encoder;
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    const int found =
        pcre2_match(tables_->words.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (found <= 0)
      throw text_error(std::string(source) + ": no word at byte " + std::to_string(at) + ": " + pcre_message(found));
    const std::size_t end = pcre2_get_ovector_pointer(match.get())[1];
    const std::string_view word = text.substr(at, end - at);
    if (const auto known = cache.find(word); known != cache.end()) {
      for (std::size_t i = 0; i < known->second.count; ++i) result.push_back(result[known->second.first + i]);
      at = end;
      continue;
    }
    symbols.clear();
    for (std::size_t i = 0; i < word.size(); ++i) {
      const auto byte = static_cast<unsigned char>(word[i]);
      symbols.push_back(tables_->byte_ids[byte]);
      if (symbols.back() < 0)
        throw text_error(std::string(source) + ": the vocabulary has no token for byte " + std::to_string(byte) +
                         " at offset " + std::to_string(at + i));
    }
    const std::size_t first = result.size();
    encoder.encode(*tables_, symbols, result);
    if (word.size() <= longest_cached_word && cache.size() < most_cached_words)
      cache.emplace(word, encoded_word{first, result.size() - first});
    at = end;
  }
  return result;
}

std::string byte_pair_tokenizer::decode(const std::vector<std::int32_t>& ids) const {
  std::string bytes;
  for (const auto id : ids) {
    const auto found = tables_->bytes_of_ids.find(id);
    if (found == tables_->bytes_of_ids.end())
      throw text_error("the vocabulary has no token with the id " + std::to_string(id));
    bytes += found->second;
  }
  return bytes;
}

std::int64_t byte_pair_tokenizer::vocabulary_size() const { return tables_->vocabulary; }

std::size_t first_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = sequence_length(text, at);
    if (length == 0) return at;
    at += length;
  }
  return text.size();
}

}  // namespace compress_opt
