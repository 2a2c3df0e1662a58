#include "common/progress_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <ostream>

namespace examples {

namespace {

constexpr double seconds_between = 0.1;

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

display_style style_of_terminal(int descriptor) {
  const char* terminal = std::getenv("TERM");
  const bool capable =
      isatty(descriptor) == 1 && !is_set("NO_COLOR") && is_set("TERM") && std::string_view(terminal) != "dumb";
  return capable ? display_style::line : display_style::plain;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  const auto hours = whole / 3600;
  const auto minutes = whole / 60 % 60;
  return (hours > 0 ? std::to_string(hours) + ':' + two(minutes) : std::to_string(minutes)) + ':' + two(whole % 60);
}

progress_line::progress_line(std::ostream& out, display_style style, int columns)
    : out_(out), style_(style), columns_(std::max(columns, 20)) {}

void progress_line::show(std::string_view place, std::string_view detail, double fraction, double elapsed, bool terse) {
  const std::string whole = std::string(place) + (place.empty() || detail.empty() ? "" : ", ") + std::string(detail);
  // Before that the estimate would be noise.
  const bool can_estimate = fraction > 0.01 && elapsed > 0.5;
  const auto remaining = can_estimate ? duration_text(elapsed * (1 - fraction) / fraction) + " left" : "";

  if (style_ == display_style::plain) {
    const auto now = terse ? std::string(place) : whole;
    if (now == last_place_) return;
    last_place_ = now;
    out_ << now << (remaining.empty() ? "" : " (" + remaining + ')') << '\n' << std::flush;
    return;
  }
  if (open_ && elapsed - last_shown_ < seconds_between && fraction < 1) return;
  last_shown_ = elapsed;
  constexpr int bar_columns = 24;
  const int full = static_cast<int>(std::lround(bar_columns * std::clamp(fraction, 0.0, 1.0)));
  std::string line = "[" + std::string(static_cast<std::size_t>(full), '#') +
                     std::string(static_cast<std::size_t>(bar_columns - full), '.') + "] " +
                     std::to_string(static_cast<int>(100 * fraction)) + " %";
  if (!remaining.empty()) line += "  " + remaining;
  line += "  " + whole;
  line.resize(std::min(line.size(), static_cast<std::size_t>(columns_ - 1)));
  out_ << "\r\x1b[2K" << line << std::flush;
  open_ = true;
}

void progress_line::finish() {
  if (open_) out_ << "\r\x1b[2K" << std::flush;
  open_ = false;
}

}  // namespace examples
