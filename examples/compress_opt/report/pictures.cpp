#include "compress_opt/report/pictures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "common/axes.hpp"
#include "common/matrix_panel.hpp"

namespace compress_opt {

namespace {

/// A panel with axes; y goes from 0 to a top value.
struct chart {
  canvas& picture;
  std::int64_t x, y, width, height;
  double top;

  double height_of(double value) const {
    return static_cast<double>(height) * (top > 0 ? std::clamp(value / top, 0.0, 1.0) : 0);
  }

  void axes(const std::string& title, const std::string& across, const std::string& up) const {
    picture.text(x, y - 44, title);
    for (const double tick : ticks_to(top, 5)) {
      const auto at = y + height - static_cast<std::int64_t>(std::lround(height_of(tick)));
      picture.rectangle(x, at, width, 1, light_grey);
      picture.text(x - 10, at - 7, axis_number(tick), text_align::right);
    }
    picture.rectangle(x, y, 2, height, black);
    picture.rectangle(x, y + height, width, 2, black);
    picture.text(x + width / 2, y + height + 38, across, text_align::centre);
    picture.vertical_text(x - 96, y + height / 2, up);
  }

  /// Bars of several series side by side, one cluster for each group.
  void bars(const std::vector<std::vector<double>>& series) const {
    const auto groups = static_cast<std::int64_t>(series.front().size());
    const auto count = static_cast<std::int64_t>(series.size());
    const std::int64_t label_step = (groups + 15) / 16;
    for (std::int64_t g = 0; g < groups; ++g) {
      const auto left = x + 2 + g * (width - 2) / groups;
      const auto right = x + 2 + (g + 1) * (width - 2) / groups;
      const auto gap = (right - left) / 6;
      for (std::int64_t s = 0; s < count; ++s) {
        const auto from = left + gap + s * (right - left - 2 * gap) / count;
        const auto to = left + gap + (s + 1) * (right - left - 2 * gap) / count;
        const auto tall = static_cast<std::int64_t>(
            std::lround(height_of(series[static_cast<std::size_t>(s)][static_cast<std::size_t>(g)])));
        const auto space = count > 1 && to - from > 4 ? 1 : 0;
        picture.rectangle(from, y + height - tall, std::max<std::int64_t>(1, to - from - space), tall,
                          series_colour(static_cast<std::size_t>(s)));
      }
      if (g % label_step == 0)
        picture.text((left + right) / 2, y + height + 12, std::to_string(g + 1), text_align::centre);
    }
  }

  void legend(const std::vector<std::string>& names) const {
    auto at = x + width;
    for (std::size_t i = names.size(); i-- > 0;) {
      at -= canvas::text_width(names[i]);
      picture.text(at, y - 20, names[i]);
      at -= 22;
      picture.rectangle(at, y - 20, 14, 14, series_colour(i));
      at -= 20;
    }
  }
};

double largest(const std::vector<std::vector<double>>& series) {
  double top = 0;
  for (const auto& values : series)
    for (const double value : values) top = std::max(top, value);
  return top > 0 ? 1.05 * top : 1;
}

/// `self_attn.q_proj` of `3.self_attn.q_proj`, without what all matrices of the layer share.
std::string short_name(const std::string& name) {
  const auto dot = name.rfind('.');
  return dot == std::string::npos ? name : name.substr(dot + 1);
}

}  // namespace

canvas draw_information(const std::string& title, miq::matrix_view<const float> mi,
                        const miq::grouping::partition& groups) {
  const auto columns = mi.rows();
  const auto range = range_of_pairs(mi);
  const matrix_panel panel(columns);
  const auto side = panel.size();
  constexpr std::int64_t left = 110, above = 110, between = 110, right = 190, below = 90;
  canvas picture(left + side + between + side + right, above + side + below);
  picture.text(left, 20, title, text_align::left, black, 3);

  std::vector<std::int64_t> natural(static_cast<std::size_t>(columns));
  for (std::int64_t c = 0; c < columns; ++c) natural[static_cast<std::size_t>(c)] = c;
  const auto sorted_x = left + side + between;
  panel.draw(picture, left, above, mi, natural, range.top);
  panel.draw(picture, sorted_x, above, mi, groups.permutation(), range.top);
  picture.frame(left - 1, above - 1, side + 2, side + 2, black);
  picture.frame(sorted_x - 1, above - 1, side + 2, side + 2, black);
  picture.text(left + side / 2, above - 30, "natural order", text_align::centre);
  picture.text(sorted_x + side / 2, above - 30, "sorted by group", text_align::centre);
  picture.text(left + side / 2, above + side + 50, "input channel", text_align::centre);
  picture.text(sorted_x + side / 2, above + side + 50, "group", text_align::centre);
  picture.vertical_text(20, above + side / 2, "input channel");
  picture.vertical_text(sorted_x - 80, above + side / 2, "group");

  for (const double tick : ticks_to(static_cast<double>(columns - 1), 5)) {
    const auto at = panel.offset(static_cast<std::int64_t>(tick));
    picture.rectangle(left + at, above + side + 1, 1, 8, black);
    picture.rectangle(left - 9, above + at, 8, 1, black);
    picture.text(left + at, above + side + 14, axis_number(tick), text_align::centre);
    picture.text(left - 14, above + at - 7, axis_number(tick), text_align::right);
  }
  std::int64_t begin = 0;
  std::int64_t last_label = -1000;
  for (std::int64_t g = 0; g < groups.groups(); ++g) {
    const auto from = panel.offset(begin);
    begin += groups.size(g);
    const auto to = panel.offset(begin);
    if (g + 1 < groups.groups()) {
      picture.rectangle(sorted_x, above + to, side, 1, white);
      picture.rectangle(sorted_x + to, above, 1, side, white);
    }
    picture.rectangle(sorted_x - 9, above + to, 8, 1, black);
    picture.rectangle(sorted_x + to, above + side + 1, 1, 8, black);
    const auto middle = (from + to) / 2;
    if (middle - last_label < 26) continue;  // no room for a number
    last_label = middle;
    picture.text(sorted_x - 14, above + middle - 7, std::to_string(g + 1), text_align::right);
    picture.text(sorted_x + middle, above + side + 14, std::to_string(g + 1), text_align::centre);
  }

  draw_colour_bar(picture, sorted_x + side + 40, above, side, "MI (nats)", range);
  return picture;
}

canvas draw_groups(const std::string& title, miq::matrix_view<const float> mi, const miq::grouping::partition& groups,
                   std::span<const matrix_entry> matrices) {
  canvas picture(1500, 1120);
  picture.text(130, 20, title, text_align::left, black, 3);
  constexpr std::int64_t width = 560, height = 340, first_x = 130, second_x = 880, first_y = 140, second_y = 660;
  const auto count = static_cast<std::size_t>(groups.groups());

  std::vector<double> sizes(count);
  for (std::size_t g = 0; g < count; ++g) sizes[g] = static_cast<double>(groups.size(static_cast<std::int64_t>(g)));
  const chart size_chart{picture, first_x, first_y, width, height, largest({sizes})};
  size_chart.axes("Group sizes", "group", "input channels");
  size_chart.bars({sizes});

  std::vector<std::vector<double>> bits;
  std::vector<std::string> names;
  for (const auto& matrix : matrices) {
    auto& row = bits.emplace_back(count);
    names.push_back(short_name(matrix.name));
    for (const auto& part : matrix.report.groups) {
      const auto group = static_cast<std::size_t>(part.parent);
      row[group] += static_cast<double>(part.bits) * static_cast<double>(part.columns) / sizes[group];
    }
  }
  const chart bits_chart{picture, second_x, first_y, width, height, std::max(8.0, largest(bits))};
  bits_chart.axes("Mean bits of the channels", "group", "bits");
  if (!bits.empty()) bits_chart.bars(bits);
  bits_chart.legend(names);

  if (!matrices.empty()) {
    std::vector<std::vector<double>> means(2, std::vector<double>(count));
    std::vector<std::vector<double>> pairs(2, std::vector<double>(count));
    for_pairs(mi.rows(), [&](std::int64_t i, std::int64_t j) {
      const auto a = static_cast<std::size_t>(groups.labels()[static_cast<std::size_t>(i)]);
      const auto b = static_cast<std::size_t>(groups.labels()[static_cast<std::size_t>(j)]);
      const std::size_t kind = a == b ? 0 : 1;
      for (const auto g : {a, b}) {
        means[kind][g] += static_cast<double>(mi(i, j));
        pairs[kind][g] += 1;
        if (kind == 0) break;
      }
    });
    for (std::size_t kind = 0; kind < 2; ++kind)
      for (std::size_t g = 0; g < count; ++g)
        if (pairs[kind][g] > 0) means[kind][g] /= pairs[kind][g];
    const chart mean_chart{picture, first_x, second_y, width, height, largest(means)};
    mean_chart.axes("Mean mutual information", "group", "nats");
    mean_chart.bars(means);
    mean_chart.legend({"inside", "across"});
  }

  std::array<std::vector<double>, 2> affinities;
  for_pairs(mi.rows(), [&](std::int64_t i, std::int64_t j) {
    const bool same = groups.labels()[static_cast<std::size_t>(i)] == groups.labels()[static_cast<std::size_t>(j)];
    affinities[same ? 0 : 1].push_back(std::sqrt(-std::expm1(-2 * std::max(0.0, static_cast<double>(mi(i, j))))));
  });
  const chart curve_chart{picture, second_x, second_y, width, height, 1};
  curve_chart.axes("Sorted affinities", "share of pairs (%)", "information coefficient");
  for (int tick = 0; tick <= 100; tick += 20)
    picture.text(second_x + width * tick / 100, second_y + height + 12, std::to_string(tick), text_align::centre);
  for (std::size_t s = 0; s < 2; ++s) {
    auto& values = affinities[s];
    if (values.empty()) continue;
    std::sort(values.begin(), values.end(), std::greater<>());
    std::vector<point> points;
    for (std::int64_t i = 0; i <= width; i += 2) {
      const auto place = static_cast<std::size_t>(i) * (values.size() - 1) / static_cast<std::size_t>(width);
      points.push_back({static_cast<double>(second_x + i),
                        static_cast<double>(second_y + height) - curve_chart.height_of(values[place])});
    }
    picture.polyline(points, 3, series_colour(s));
  }
  curve_chart.legend({"inside", "across"});
  return picture;
}

}  // namespace compress_opt
