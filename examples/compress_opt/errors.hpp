// errors.hpp: what goes wrong with the files that the program reads and writes.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

namespace compress_opt {

/// A text for the terminal: control characters, which names in a hostile file may hold, become `?`, and the middle of
/// a text beyond 1000 bytes is left out.
inline std::string printable(std::string text) {
  constexpr std::size_t longest = 1000;
  if (text.size() > longest) text.replace(longest / 2, text.size() - longest, " ... ");
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return text;
}

/// A file given by the user cannot be used; the message names the file and what is wrong in it.
class input_error : public std::runtime_error {
 public:
  explicit input_error(const std::string& message) : std::runtime_error(printable(message)) {}
};

/// A checkpoint cannot be read or written: a missing, truncated or corrupt file, a wrong shape, a weight that is not
/// finite, a full disk. The message names the file and, where there is one, the tensor.
class checkpoint_error : public input_error {
 public:
  using input_error::input_error;
};

/// A text or a vocabulary cannot be read: invalid UTF-8 (with its byte offset), an empty text, one shorter than a
/// window.
class text_error : public input_error {
 public:
  using input_error::input_error;
};

/// Calls `work` and turns the errors of the parts that know files only, and of the file system, into the caller's kind.
template <class Error, class Function>
auto errors_as(Function&& work) {
  try {
    return work();
  } catch (const Error&) {
    throw;
  } catch (const input_error& failure) {
    throw Error(failure.what());
  } catch (const std::filesystem::filesystem_error& failure) {
    throw Error(failure.what());
  }
}

}  // namespace compress_opt
