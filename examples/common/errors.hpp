// common/errors.hpp: what goes wrong with the files that the examples read and write.
#pragma once

#include <stdexcept>
#include <string>

namespace examples {

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

/// The command line, or a set of options made in a program, makes no sense. The message names the option.
class option_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace examples
