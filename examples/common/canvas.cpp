#include "common/canvas.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#if __has_include(<stb/stb_image_write.h>)
#include <stb/stb_easy_font.h>
#include <stb/stb_image_write.h>
#else
#include <stb_easy_font.h>
#include <stb_image_write.h>
#endif

#include "common/whole_file.hpp"

namespace examples {

namespace {

constexpr std::array<colour, 17> viridis = {{{68, 1, 84},
                                             {72, 24, 106},
                                             {71, 45, 123},
                                             {66, 64, 134},
                                             {59, 82, 139},
                                             {51, 99, 141},
                                             {44, 114, 142},
                                             {38, 130, 142},
                                             {33, 145, 140},
                                             {31, 160, 136},
                                             {40, 174, 128},
                                             {63, 188, 115},
                                             {94, 201, 98},
                                             {132, 212, 75},
                                             {173, 220, 48},
                                             {216, 226, 25},
                                             {253, 231, 37}}};

/// Calls `draw(x, y, width, height)` for each rectangle that the letters are made of.
template <class Draw>
void for_letters(std::string_view words, Draw&& draw) {
  std::string printable(words);
  for (auto& letter : printable)
    if (letter < ' ' || letter > '~') letter = '?';
  struct vertex {
    float x, y, z;
    unsigned char colour[4];
  };
  std::vector<vertex> vertices(printable.size() * 4 * 32 + 4);
  const int quads = stb_easy_font_print(0, 0, printable.data(), nullptr, vertices.data(),
                                        static_cast<int>(vertices.size() * sizeof(vertex)));
  for (std::size_t q = 0; q < static_cast<std::size_t>(quads); ++q) {
    const auto& low = vertices[4 * q];
    const auto& high = vertices[4 * q + 2];
    draw(static_cast<std::int64_t>(low.x), static_cast<std::int64_t>(low.y), static_cast<std::int64_t>(high.x - low.x),
         static_cast<std::int64_t>(high.y - low.y));
  }
}

}  // namespace

colour series_colour(std::size_t index) {
  constexpr std::array<colour, 6> colours = {
      {{0, 114, 178}, {230, 159, 0}, {0, 158, 115}, {204, 121, 167}, {86, 180, 233}, {213, 94, 0}}};
  return colours[index % colours.size()];
}

colour map_colour(double share) {
  const double place = (share > 0 ? std::min(share, 1.0) : 0) * static_cast<double>(viridis.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(place), viridis.size() - 2);
  const double part = place - static_cast<double>(below);
  const auto between = [part](std::uint8_t a, std::uint8_t b) {
    return static_cast<std::uint8_t>(std::lround((1 - part) * a + part * b));
  };
  const auto& a = viridis[below];
  const auto& b = viridis[below + 1];
  return {between(a.red, b.red), between(a.green, b.green), between(a.blue, b.blue)};
}

canvas::canvas(std::int64_t width, std::int64_t height)
    : width_(width), height_(height), pixels_(static_cast<std::size_t>(3 * width * height), 255) {}

colour canvas::at(std::int64_t x, std::int64_t y) const {
  const auto* pixel = &pixels_.at(static_cast<std::size_t>(3 * (y * width_ + x)));
  return {pixel[0], pixel[1], pixel[2]};
}

void canvas::set(std::int64_t x, std::int64_t y, colour fill) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
  auto* pixel = &pixels_[static_cast<std::size_t>(3 * (y * width_ + x))];
  pixel[0] = fill.red;
  pixel[1] = fill.green;
  pixel[2] = fill.blue;
}

void canvas::mix(std::int64_t x, std::int64_t y, colour ink, double share) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
  const auto old = at(x, y);
  const auto between = [share](std::uint8_t a, std::uint8_t b) {
    return static_cast<std::uint8_t>(std::lround((1 - share) * a + share * b));
  };
  set(x, y, {between(old.red, ink.red), between(old.green, ink.green), between(old.blue, ink.blue)});
}

void canvas::rectangle(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, colour fill) {
  for (auto r = std::max<std::int64_t>(y, 0); r < std::min(y + height, height_); ++r)
    for (auto c = std::max<std::int64_t>(x, 0); c < std::min(x + width, width_); ++c) set(c, r, fill);
}

void canvas::frame(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, colour line) {
  rectangle(x, y, width, 1, line);
  rectangle(x, y + height - 1, width, 1, line);
  rectangle(x, y, 1, height, line);
  rectangle(x + width - 1, y, 1, height, line);
}

void canvas::polyline(std::span<const point> points, double thickness, colour line) {
  for (std::size_t i = 1; i < points.size(); ++i) {
    const auto a = points[i - 1];
    const auto b = points[i];
    const double dx = b.x - a.x;
    const double dy = b.y - a.y;
    const double square = dx * dx + dy * dy;
    const double reach = thickness / 2 + 1;
    for (auto y = std::lround(std::min(a.y, b.y) - reach); y <= std::lround(std::max(a.y, b.y) + reach); ++y)
      for (auto x = std::lround(std::min(a.x, b.x) - reach); x <= std::lround(std::max(a.x, b.x) + reach); ++x) {
        const double px = static_cast<double>(x) - a.x;
        const double py = static_cast<double>(y) - a.y;
        const double along = square > 0 ? std::clamp((px * dx + py * dy) / square, 0.0, 1.0) : 0;
        const double away = std::hypot(px - along * dx, py - along * dy);
        mix(x, y, line, std::clamp(thickness / 2 + 0.5 - away, 0.0, 1.0));
      }
  }
}

void canvas::text(std::int64_t x, std::int64_t y, std::string_view words, text_align align, colour ink,
                  std::int64_t scale) {
  const auto width = text_width(words, scale);
  if (align == text_align::centre) x -= width / 2;
  if (align == text_align::right) x -= width;
  for_letters(words, [&](std::int64_t left, std::int64_t top, std::int64_t w, std::int64_t h) {
    rectangle(x + left * scale, y + top * scale, w * scale, h * scale, ink);
  });
}

void canvas::vertical_text(std::int64_t x, std::int64_t y, std::string_view words, colour ink, std::int64_t scale) {
  const auto bottom = y + text_width(words, scale) / 2;
  for_letters(words, [&](std::int64_t left, std::int64_t top, std::int64_t w, std::int64_t h) {
    rectangle(x + top * scale, bottom - (left + w) * scale, h * scale, w * scale, ink);
  });
}

std::int64_t canvas::text_width(std::string_view words, std::int64_t scale) {
  std::int64_t width = 0;
  for_letters(
      words, [&](std::int64_t left, std::int64_t, std::int64_t w, std::int64_t) { width = std::max(width, left + w); });
  return width * scale;
}

void canvas::write_png(const std::filesystem::path& file) const {
  std::string bytes;
  const auto append = [](void* target, void* data, int size) {
    static_cast<std::string*>(target)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  const bool done = stbi_write_png_to_func(append, &bytes, static_cast<int>(width_), static_cast<int>(height_), 3,
                                           pixels_.data(), static_cast<int>(3 * width_)) != 0;
  if (!done) throw input_error(file.string() + ": the picture cannot be encoded");
  write_whole_file(file, bytes);
}

}  // namespace examples
