// tokenizer/token_windows.hpp: texts as streams of tokens, cut into windows for calibration and evaluation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "compress_opt/tokenizer/byte_pair_tokenizer.hpp"

namespace compress_opt {

/// Windows of equal length, contiguous.
struct token_windows {
  std::vector<std::int32_t> ids;
  std::int64_t context = 0;  ///< tokens of a window

  std::int64_t count() const { return context > 0 ? static_cast<std::int64_t>(ids.size()) / context : 0; }
  std::span<const std::int32_t> operator[](std::int64_t window) const {
    return std::span(ids).subspan(static_cast<std::size_t>(window * context), static_cast<std::size_t>(context));
  }
};

/// The tokens of a file: `bos_token`, then its whole text.
/// @throws text_error naming the file if it cannot be read, is empty or is not UTF-8 (with the byte's offset)
std::vector<std::int32_t> read_token_stream(const byte_pair_tokenizer& tokenizer, const std::filesystem::path& file,
                                            std::int32_t bos_token);

/// `count` windows spread evenly over the stream: window i starts at `i * (tokens - context) / (count - 1)`, rounded
/// down; a single window starts at 0. Windows overlap where the stream is short.
/// @param name  of the text, for the error
/// @throws text_error if the stream is shorter than a window; miq::invalid_argument unless count and context >= 1
token_windows calibration_windows(std::span<const std::int32_t> stream, std::int64_t context, std::int64_t count,
                                  const std::string& name);

/// `count` windows that start anywhere in the stream with equal probability, drawn with `seed`. Errors as above.
token_windows random_windows(std::span<const std::int32_t> stream, std::int64_t context, std::int64_t count,
                             const std::string& name, std::uint64_t seed);

/// The first consecutive full windows of the stream, at most `limit` of them (0: all).
/// @throws text_error if the stream is shorter than a window; miq::invalid_argument unless context >= 1, limit >= 0
token_windows evaluation_windows(std::span<const std::int32_t> stream, std::int64_t context, std::int64_t limit,
                                 const std::string& name);

}  // namespace compress_opt
