#include "mutual_information/report/pictures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "common/axes.hpp"
#include "common/matrix_panel.hpp"

namespace mutual_information {

namespace {

using examples::canvas;
using examples::colour;
using examples::text_align;

constexpr colour dark_grey{90, 90, 90};
constexpr std::int64_t strip = 20;       // height of the strip of groups
constexpr std::int64_t side_strip = 30;  // width of that beside a matrix: room for two digits

/// A name as pictures show it, cut to what is legible.
std::string short_name(const std::string& name) {
  constexpr std::size_t longest = 24;
  return name.size() <= longest ? name : name.substr(0, longest - 3) + "...";
}

std::int64_t widest(const std::vector<std::string>& names, std::int64_t scale) {
  std::int64_t width = 0;
  for (const auto& name : names) width = std::max(width, canvas::text_width(short_name(name), scale));
  return width;
}

/// The colour of each group: neighbours in the pictures' order differ.
std::vector<colour> group_colours(const findings& found) {
  std::vector<colour> colours(static_cast<std::size_t>(found.groups.groups()));
  std::int32_t last = -1;
  std::size_t rank = 0;
  for (const auto channel : found.order) {
    const auto label = found.groups.labels()[static_cast<std::size_t>(channel)];
    if (label == last) continue;
    last = label;
    colours[static_cast<std::size_t>(label)] = examples::series_colour(rank++);
  }
  return colours;
}

/// Neighbouring channels of the same group, in a given order: group, first place, place behind the last.
struct run {
  std::int32_t group;
  std::int64_t first;
  std::int64_t end;
};

std::vector<run> runs_of(const findings& found, std::span<const std::int64_t> order) {
  std::vector<run> runs;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto label = found.groups.labels()[static_cast<std::size_t>(order[i])];
    const auto place = static_cast<std::int64_t>(i);
    if (runs.empty() || runs.back().group != label) runs.push_back({label, place, place});
    runs.back().end = place + 1;
  }
  return runs;
}

/// A group's number where there is room for it.
void number_in(canvas& picture, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
               std::int32_t group) {
  const auto words = std::to_string(group);
  for (const std::int64_t scale : {2, 1})
    if (width >= canvas::text_width(words, scale) + 3 && height >= canvas::text_height(scale) + 1) {
      picture.text(x + (width - canvas::text_width(words, scale) + 1) / 2, y + (height - 7 * scale) / 2, words,
                   text_align::left, examples::white, scale);
      return;
    }
}

/// The scale of text for lines that are `pixels` apart; 0 where none is legible.
std::int64_t text_scale(std::int64_t pixels) { return pixels >= 18 ? 2 : pixels >= 10 ? 1 : 0; }

}  // namespace

canvas draw_heat_map(const std::string& title, const std::string& subtitle, const std::vector<std::string>& names,
                     const findings& found) {
  const auto channels = found.mi.rows();
  const examples::matrix_panel panel(channels, std::min<std::int64_t>(900, 120 * channels + 240));
  const auto side = panel.size();
  const auto scale = text_scale(side / channels);
  const auto labels = scale > 0 ? widest(names, scale) : 30;
  const auto left = std::max<std::int64_t>(labels + 40, 80);
  constexpr std::int64_t above = 140;
  const auto bar_x = left + side + side_strip + 60;
  const auto width = std::max(bar_x + 160, left + std::max(canvas::text_width(title, 3), canvas::text_width(subtitle)));
  const auto below = std::max<std::int64_t>(labels + 30, 70);
  canvas picture(width, above + side + below);
  picture.text(left, 20, title, text_align::left, examples::black, 3);
  picture.text(left, 54, subtitle, text_align::left, dark_grey);

  const auto range = examples::range_of_pairs(found.mi.view());
  panel.draw(picture, left, above, found.mi.view(), found.order, range.top);

  const auto colours = group_colours(found);
  const auto runs = runs_of(found, found.order);
  const std::int64_t line = channels <= 100 ? 3 : 1;
  for (const auto& [group, first, end] : runs) {
    const auto from = panel.offset(first);
    const auto to = panel.offset(end);
    if (end < channels) {
      picture.rectangle(left, above + to - line / 2, side, line, examples::white);
      picture.rectangle(left + to - line / 2, above, line, side, examples::white);
    }
    const auto fill = colours[static_cast<std::size_t>(group)];
    const std::int64_t gap = end < channels && to - from > 4 ? 1 : 0;
    picture.rectangle(left + from, above - strip - 4, to - from - gap, strip, fill);
    picture.rectangle(left + side + 4, above + from, side_strip, to - from - gap, fill);
    number_in(picture, left + from, above - strip - 4, to - from, strip, group);
    number_in(picture, left + side + 4, above + from, side_strip, to - from, group);
  }
  picture.frame(left - 1, above - 1, side + 2, side + 2, examples::black);
  picture.text(left, above - strip - 26, runs.size() == 1 ? "group" : "groups");

  if (scale > 0) {
    for (std::int64_t i = 0; i < channels; ++i) {
      const auto name = short_name(names[static_cast<std::size_t>(found.order[static_cast<std::size_t>(i)])]);
      const auto middle = (panel.offset(i) + panel.offset(i + 1)) / 2;
      const auto length = canvas::text_width(name, scale);
      picture.text(left - 8, above + middle - 4 * scale + scale / 2, name, text_align::right, examples::black, scale);
      picture.vertical_text(left + middle - 4 * scale + scale / 2, above + side + 8 + (length + 1) / 2, name,
                            examples::black, scale);
    }
  } else {
    for (const double tick : examples::ticks_to(static_cast<double>(channels), 5)) {
      const auto at = panel.offset(static_cast<std::int64_t>(tick));
      picture.rectangle(left + at, above + side + 1, 1, 8, examples::black);
      picture.rectangle(left - 9, above + at, 8, 1, examples::black);
      picture.text(left + at, above + side + 14, examples::axis_number(tick), text_align::centre);
      picture.text(left - 14, above + at - 7, examples::axis_number(tick), text_align::right);
    }
    picture.text(left + side / 2, above + side + 44,
                 panel.block() == 1 ? "place of the channel in groups.json, order"
                                    : "place of the channel in groups.json, order; means over squares of " +
                                          std::to_string(panel.block()) + " x " + std::to_string(panel.block()),
                 text_align::centre);
  }
  examples::draw_colour_bar(picture, bar_x, above, side, "MI (nats)", range);
  return picture;
}

canvas draw_dendrogram(const std::string& title, const std::string& subtitle, const std::vector<std::string>& names,
                       const findings& found, bool cut) {
  const auto channels = found.mi.rows();
  const auto order = found.tree.leaf_order();
  const auto merges = found.tree.merges();
  // Room for names as long as that keeps the picture below about 2000 pixels.
  const double spacing = channels <= 40    ? std::max(30.0, 800.0 / static_cast<double>(channels))
                         : channels <= 100 ? 20.0
                         : channels <= 200 ? 11.0
                                           : 1800.0 / static_cast<double>(channels);
  const auto scale = channels <= 200 ? text_scale(static_cast<std::int64_t>(spacing)) : 0;
  const auto plot_width = static_cast<std::int64_t>(std::lround(spacing * static_cast<double>(channels)));
  constexpr std::int64_t left = 120, above = 110, height = 640, right = 130, strip_gap = 14;
  const auto labels = scale > 0 ? widest(names, scale) + 12 : 30;
  const auto width = std::max(left + plot_width + right,
                              left + 20 + std::max(canvas::text_width(title, 3), canvas::text_width(subtitle)));
  canvas picture(width, above + height + strip_gap + strip + 6 + labels + 10);
  picture.text(left, 20, title, text_align::left, examples::black, 3);
  picture.text(left, 54, subtitle, text_align::left, dark_grey);

  // The axis: from 0, unless all merges lie far above it.
  const double highest = merges.empty() ? 1 : merges.back().height;
  const double lowest = merges.empty() ? 0 : merges.front().height;
  const double top = highest > 0 ? 1.03 * highest : 1;
  double base = lowest - 0.15 * (highest - lowest);
  if (base < 0.3 * highest || highest - lowest < 1e-6 * highest) base = 0;
  const auto ticks = examples::ticks_to(top - base, 6);
  const double step = ticks.size() > 1 ? ticks[1] : top;
  base = step * std::floor(base / step);
  const auto y_of = [&](double distance) {
    return static_cast<double>(above) + static_cast<double>(height) * (top - distance) / (top - base);
  };
  for (double tick = base; tick <= top * (1 + 1e-9); tick += step) {
    const auto at = std::lround(y_of(tick));
    picture.rectangle(left, at, plot_width, 1, examples::light_grey);
    picture.text(left - 10, at - 7, examples::axis_number(std::abs(tick) < 1e-9 ? 0 : tick), text_align::right);
  }
  picture.vertical_text(14, above + height / 2, "distance exp(-I)");
  std::int64_t last = -1000;
  for (const double nats : {0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0}) {
    const auto at = std::lround(y_of(std::exp(-nats)));
    if (at < above || at > above + height || at - last < 24) continue;
    last = at;
    picture.rectangle(left + plot_width, at, 8, 1, examples::black);
    picture.text(left + plot_width + 14, at - 7, examples::axis_number(nats));
  }
  picture.vertical_text(left + plot_width + 84, above + height / 2, "I (nats)");
  picture.rectangle(left, above, 1, height, examples::black);
  picture.rectangle(left + plot_width, above, 1, height, examples::black);

  // Clusters: where their stem stands, how high, and their group if they have a single one.
  struct cluster {
    double x, height;
    std::int32_t group;
  };
  constexpr std::int32_t mixed = -1;
  std::vector<cluster> clusters(static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto channel = static_cast<std::size_t>(order[i]);
    clusters[channel] = {static_cast<double>(left) + (static_cast<double>(i) + 0.5) * spacing, base,
                         found.groups.labels()[channel]};
  }
  const auto colours = group_colours(found);
  const std::int64_t line = channels <= 200 ? 2 : 1;
  const auto upright = [&](double x, double from, double to, colour ink) {
    const auto upper = std::lround(y_of(to));
    picture.rectangle(std::lround(x) - line / 2, upper, line, std::lround(y_of(from)) - upper + line, ink);
  };
  for (const auto& merge : merges) {
    const auto& a = clusters[static_cast<std::size_t>(merge.first)];
    const auto& b = clusters[static_cast<std::size_t>(merge.second)];
    const auto group = a.group == b.group ? a.group : mixed;
    const auto ink_of = [&](std::int32_t which) {
      return which == mixed ? dark_grey : colours[static_cast<std::size_t>(which)];
    };
    upright(a.x, a.height, merge.height, ink_of(a.group));
    upright(b.x, b.height, merge.height, ink_of(b.group));
    const auto from = std::lround(std::min(a.x, b.x)) - line / 2;
    const auto to = std::lround(std::max(a.x, b.x)) - line / 2 + line;
    picture.rectangle(from, std::lround(y_of(merge.height)), to - from, line, ink_of(group));
    const cluster both{(a.x + b.x) / 2, merge.height, group};
    clusters.push_back(both);
  }
  const auto groups = found.groups.groups();
  if (cut && groups > 1 && groups < channels) {
    const auto first_undone = static_cast<std::size_t>(channels - groups);
    const auto at = std::lround(y_of((merges[first_undone - 1].height + merges[first_undone].height) / 2));
    for (std::int64_t x = 0; x < plot_width; x += 12) picture.rectangle(left + x, at, 6, 1, examples::black);
  }

  const auto strip_y = above + height + strip_gap;
  const auto place = [&](std::int64_t leaf) {
    return left + static_cast<std::int64_t>(std::lround(static_cast<double>(leaf) * spacing));
  };
  for (const auto& [group, first, end] : runs_of(found, order)) {
    const auto from = place(first);
    const auto wide = place(end) - from;
    picture.rectangle(from, strip_y, wide > 4 ? wide - 1 : wide, strip, colours[static_cast<std::size_t>(group)]);
    number_in(picture, from, strip_y, wide, strip, group);
  }
  picture.text(left - 10, strip_y + 3, "group", text_align::right);
  for (std::size_t i = 0; scale > 0 && i < order.size(); ++i) {
    const auto name = short_name(names[static_cast<std::size_t>(order[i])]);
    const auto x =
        static_cast<std::int64_t>(std::lround(static_cast<double>(left) + (static_cast<double>(i) + 0.5) * spacing));
    picture.vertical_text(x - 4 * scale + scale / 2, strip_y + strip + 8 + (canvas::text_width(name, scale) + 1) / 2,
                          name, examples::black, scale);
  }
  if (scale == 0)
    picture.text(left + plot_width / 2, strip_y + strip + 12, std::to_string(channels) + " channels",
                 text_align::centre);
  return picture;
}

}  // namespace mutual_information
