// pipeline/progress_display.hpp: tells people where a run is: one changing line on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

#include "compress_opt/pipeline/compression.hpp"

namespace compress_opt {

enum class display_style {
  line,  ///< one line with a bar that is written again and again
  plain  ///< a line whenever method, layer or the kind of work changes
};

/// `line` if the file descriptor is a terminal that can do it: not with NO_COLOR (no-color.org) or TERM=dumb set.
display_style style_of_terminal(int descriptor);

/// `1:05`, `2:03:04`.
std::string duration_text(double seconds);

class progress_display {
 public:
  /// @param columns  of the terminal; longer lines are cut
  progress_display(std::ostream& out, display_style style, int columns = 80);
  ~progress_display() { finish(); }
  progress_display(const progress_display&) = delete;
  progress_display& operator=(const progress_display&) = delete;

  /// `elapsed`: seconds since the start. The remaining time is estimated from it and the fraction that is done.
  void show(const run_state& state, double elapsed);
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

}  // namespace compress_opt
