#include "compress_opt/report/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace compress_opt {

std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (std::abs(value) >= 1e15) digits = 0;
  std::array<char, 400> text{};
  std::snprintf(text.data(), text.size(), std::abs(value) >= 1e15 ? "%.*e" : "%.*f", digits, value);
  return text.data();
}

table_cells result_cells(const run_report& run) {
  table_cells cells(1, {"method"});
  auto& head = cells.front();
  for (const auto& text : run.texts) head.push_back("ppl " + text.name);
  for (const auto* name : {"sparsity", "bits/weight", "without metadata", "seconds", "peak MiB"})
    head.emplace_back(name);
  for (const auto& method : run.methods) {
    auto& row = cells.emplace_back();
    row.emplace_back(name_of(method.which));
    for (const auto& text : method.texts) row.push_back(fixed(text.perplexity, 2));
    row.push_back(fixed(100 * method.storage.sparsity(), 1) + " %");
    row.push_back(fixed(method.storage.bits_per_weight_stored(), 3));
    row.push_back(fixed(method.storage.bits_per_weight_without_metadata(), 3));
    row.push_back(fixed(method.seconds, 1));
    row.push_back(fixed(static_cast<double>(method.peak_bytes) / (1024.0 * 1024.0), 0));
  }
  return cells;
}

std::string plain_table(const table_cells& cells) {
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
      text += c == 0 ? cells[r][c] + space : space + cells[r][c];
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

}  // namespace compress_opt
