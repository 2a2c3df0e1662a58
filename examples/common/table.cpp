#include "common/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace examples {

std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (std::abs(value) >= 1e15) digits = 0;
  std::array<char, 400> text{};
  std::snprintf(text.data(), text.size(), std::abs(value) >= 1e15 ? "%.*e" : "%.*f", digits, value);
  return text.data();
}

std::string plain_table(const table_cells& cells, std::size_t left) {
  std::vector<std::size_t> widths;
  for (const auto& row : cells)
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c == widths.size()) widths.push_back(0);
      widths[c] = std::max(widths[c], row[c].size());
    }
  std::string text;
  for (std::size_t r = 0; r < cells.size(); ++r) {
    for (std::size_t c = 0; c < cells[r].size(); ++c) {
      const std::string space(widths[c] - cells[r][c].size(), ' ');
      if (c > 0) text += "  ";
      text += c < left ? cells[r][c] + space : space + cells[r][c];
    }
    text += '\n';
    if (r > 0) continue;
    for (std::size_t c = 0; c < widths.size(); ++c) text += (c > 0 ? "  " : "") + std::string(widths[c], '-');
    text += '\n';
  }
  return text;
}

std::string markdown_table(const table_cells& cells) {
  std::string text;
  for (std::size_t r = 0; r < cells.size(); ++r) {
    text += '|';
    for (const auto& cell : cells[r]) {
      text += ' ';
      for (const char letter : cell) {
        if (letter == '|') text += '\\';
        text += letter;
      }
      text += " |";
    }
    text += '\n';
    if (r > 0) continue;
    for (std::size_t c = 0; c < cells[r].size(); ++c) text += c == 0 ? "|---|" : "---:|";
    text += '\n';
  }
  return text;
}

}  // namespace examples
