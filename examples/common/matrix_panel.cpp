#include "common/matrix_panel.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "common/axes.hpp"

namespace examples {

namespace {

/// The value up to which at least `share` of the values lie (of few values the largest); reorders them.
double percentile(std::vector<float>& values, double share) {
  if (values.empty()) return 0;
  const auto place = static_cast<std::ptrdiff_t>(std::ceil(share * static_cast<double>(values.size() - 1)));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return static_cast<double>(values[static_cast<std::size_t>(place)]);
}

}  // namespace

colour_range range_of_pairs(miq::matrix_view<const float> mi) {
  std::vector<float> values;
  for_pairs(mi.rows(), [&](std::int64_t i, std::int64_t j) { values.push_back(mi(i, j)); });
  colour_range range;
  range.largest = values.empty() ? 0 : static_cast<double>(*std::max_element(values.begin(), values.end()));
  range.top = percentile(values, 0.995);
  if (!(range.top > 0)) range.top = range.largest > 0 ? range.largest : 1;
  return range;
}

void matrix_panel::draw(canvas& picture, std::int64_t x, std::int64_t y, miq::matrix_view<const float> mi,
                        std::span<const std::int64_t> order, double top) const {
  for (std::int64_t r = 0; r < cells_; ++r)
    for (std::int64_t c = 0; c < cells_; ++c) {
      double sum = 0;
      std::int64_t count = 0;
      for (auto i = r * block_; i < std::min((r + 1) * block_, columns_); ++i)
        for (auto j = c * block_; j < std::min((c + 1) * block_, columns_); ++j) {
          if (i == j) continue;
          sum += std::max(
              0.0, static_cast<double>(mi(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)])));
          ++count;
        }
      const double mean = count > 0 ? sum / static_cast<double>(count) : 0;
      const auto fill = count == 0 ? white : map_colour(top > 0 ? std::sqrt(mean / top) : 0);
      picture.rectangle(x + c * zoom_, y + r * zoom_, zoom_, zoom_, fill);
    }
}

void draw_colour_bar(canvas& picture, std::int64_t x, std::int64_t y, std::int64_t height, std::string_view title,
                     const colour_range& range) {
  for (std::int64_t r = 0; r < height; ++r)
    picture.rectangle(
        x, y + r, 24, 1,
        map_colour(1 - static_cast<double>(r) / static_cast<double>(std::max<std::int64_t>(height - 1, 1))));
  picture.frame(x - 1, y - 1, 26, height + 2, black);
  picture.text(x, y - 30, title);
  const auto label = [&](double value, const std::string& words) {
    const auto at =
        y + height - static_cast<std::int64_t>(std::lround(std::sqrt(value / range.top) * static_cast<double>(height)));
    picture.rectangle(x + 25, at, 6, 1, black);
    picture.text(x + 36, at - 7, words);
  };
  for (const double tick : ticks_to(range.top, 5))
    if (std::sqrt(tick / range.top) < 0.96) label(tick, axis_number(tick));
  label(range.top, (range.largest > range.top ? ">=" : "") + axis_number(range.top));
}

}  // namespace examples
