// common/table.hpp: tables for people.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace examples {

/// Cells of a table: the first row is its head.
using table_cells = std::vector<std::vector<std::string>>;

/// In columns for a terminal: the first `left` of them left-aligned, the others right-aligned.
std::string plain_table(const table_cells& cells, std::size_t left = 1);

/// As Markdown; a `|` in a cell is escaped.
std::string markdown_table(const table_cells& cells);

/// A number with `digits` behind the point; `inf` and `nan` where it is not finite.
std::string fixed(double value, int digits);

}  // namespace examples
