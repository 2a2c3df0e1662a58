// common/progress_line.hpp: tells people where a run is: one changing line on a terminal, plain lines elsewhere.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

namespace examples {

enum class display_style {
  line,  ///< one line with a bar that is written again and again
  plain  ///< a line whenever there is news
};

/// `line` if the file descriptor is a terminal that can do it: not with NO_COLOR (no-color.org) or TERM=dumb set.
display_style style_of_terminal(int descriptor);

/// `1:05`, `2:03:04`.
std::string duration_text(double seconds);

class progress_line {
 public:
  /// @param columns  of the terminal; longer lines are cut
  progress_line(std::ostream& out, display_style style, int columns = 80);
  ~progress_line() { finish(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  /// @param place     where the run is, in words; with `detail`, what it does there. Either may be empty.
  /// @param fraction  of the whole run, 0 to 1
  /// @param elapsed   seconds since the start. The remaining time is estimated from it and the fraction that is done.
  /// @param terse     whether plain lines leave out `detail`, and so a change of it is no news
  void show(std::string_view place, std::string_view detail, double fraction, double elapsed, bool terse = false);
  /// Clears the line.
  void finish();

 private:
  std::ostream& out_;
  display_style style_;
  int columns_;
  bool open_ = false;
  double last_shown_ = -1;
  std::string last_place_;
};

}  // namespace examples
