// common/canvas.hpp: a picture in memory: rectangles, lines, text, colours, and its PNG file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace examples {

struct colour {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
};

inline constexpr colour black{0, 0, 0};
inline constexpr colour white{255, 255, 255};
inline constexpr colour grey{150, 150, 150};
inline constexpr colour light_grey{225, 225, 225};

/// Colours for things of different kinds that colour-blind readers can tell apart (Okabe and Ito 2008).
colour series_colour(std::size_t index);

/// Viridis, from dark blue at 0 to yellow at 1: equal steps look equal, also in greyscale. (By N. Smith and S. van der
/// Walt, released into the public domain as CC0; here 17 of its values with lines between them.)
colour map_colour(double share);

struct point {
  double x = 0;
  double y = 0;
};

enum class text_align { left, centre, right };

/// A white picture; y grows downwards. What lies outside is cut off.
class canvas {
 public:
  canvas(std::int64_t width, std::int64_t height);

  std::int64_t width() const { return width_; }
  std::int64_t height() const { return height_; }
  colour at(std::int64_t x, std::int64_t y) const;

  void set(std::int64_t x, std::int64_t y, colour fill);
  void rectangle(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, colour fill);
  /// The outline, one pixel wide.
  void frame(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, colour line);
  /// Smooth lines from point to point.
  void polyline(std::span<const point> points, double thickness, colour line);

  /// A line of text of printable ASCII (anything else becomes `?`), `text_height` tall, its upper edge at y.
  void text(std::int64_t x, std::int64_t y, std::string_view words, text_align align = text_align::left,
            colour ink = black, std::int64_t scale = 2);
  /// The same, read from bottom to top, its left edge at x, centred at y.
  void vertical_text(std::int64_t x, std::int64_t y, std::string_view words, colour ink = black,
                     std::int64_t scale = 2);
  static std::int64_t text_width(std::string_view words, std::int64_t scale = 2);
  static std::int64_t text_height(std::int64_t scale = 2) { return 8 * scale; }

  /// @throws input_error naming the file and the system's reason
  void write_png(const std::filesystem::path& file) const;

 private:
  std::int64_t width_;
  std::int64_t height_;
  std::vector<std::uint8_t> pixels_;  // [height, width, 3]

  void mix(std::int64_t x, std::int64_t y, colour ink, double share);
};

}  // namespace examples
