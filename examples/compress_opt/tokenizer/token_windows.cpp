#include "compress_opt/tokenizer/token_windows.hpp"

#include <algorithm>

#include <miq/core/error.hpp>
#include <miq/core/random.hpp>

#include "common/mapped_file.hpp"
#include "common/text.hpp"
#include "compress_opt/errors.hpp"

namespace compress_opt {

namespace {

void check_length(std::span<const std::int32_t> stream, std::int64_t context, const std::string& name) {
  if (static_cast<std::int64_t>(stream.size()) < context)
    throw text_error(name + ": has " + std::to_string(stream.size()) + " tokens, fewer than one window of " +
                     std::to_string(context));
}

}  // namespace

std::vector<std::int32_t> read_token_stream(const byte_pair_tokenizer& tokenizer, const std::filesystem::path& file,
                                            std::int32_t bos_token) {
  const auto text = errors_as<text_error>([&] { return mapped_file(file); });
  if (text.bytes().empty()) throw text_error(file.string() + ": the text is empty");
  auto stream = tokenizer.encode(text.text(), file.string());
  stream.insert(stream.begin(), bos_token);
  return stream;
}

token_windows calibration_windows(std::span<const std::int32_t> stream, std::int64_t context, std::int64_t count,
                                  const std::string& name) {
  examples::require(context >= 1 && count >= 1, "calibration_windows: context and count must be at least 1, got ",
                    context, " and ", count);
  check_length(stream, context, name);
  const std::int64_t room = static_cast<std::int64_t>(stream.size()) - context;
  token_windows windows;
  windows.context = context;
  windows.ids.reserve(static_cast<std::size_t>(count * context));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto start = stream.begin() + (count == 1 ? 0 : i * room / (count - 1));
    windows.ids.insert(windows.ids.end(), start, start + context);
  }
  return windows;
}

token_windows random_windows(std::span<const std::int32_t> stream, std::int64_t context, std::int64_t count,
                             const std::string& name, std::uint64_t seed) {
  examples::require(context >= 1 && count >= 1, "random_windows: context and count must be at least 1, got ", context,
                    " and ", count);
  check_length(stream, context, name);
  miq::random_stream random(seed);
  token_windows windows;
  windows.context = context;
  windows.ids.reserve(static_cast<std::size_t>(count * context));
  const auto starts = stream.size() - static_cast<std::size_t>(context) + 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto start = stream.begin() + static_cast<std::int64_t>(random.below(starts));
    windows.ids.insert(windows.ids.end(), start, start + context);
  }
  return windows;
}

token_windows evaluation_windows(std::span<const std::int32_t> stream, std::int64_t context, std::int64_t limit,
                                 const std::string& name) {
  examples::require(context >= 1 && limit >= 0,
                    "evaluation_windows: context must be at least 1 and limit at least 0, got ", context, " and ",
                    limit);
  check_length(stream, context, name);
  std::int64_t count = static_cast<std::int64_t>(stream.size()) / context;
  if (limit > 0) count = std::min(count, limit);
  return {{stream.begin(), stream.begin() + count * context}, context};
}

}  // namespace compress_opt
