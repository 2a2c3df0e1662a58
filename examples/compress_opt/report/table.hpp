// report/table.hpp: the result of a run as a table for people.
#pragma once

#include <string>
#include <vector>

#include "compress_opt/report/run_report.hpp"

namespace compress_opt {

/// Cells of a table: the first row is its head.
using table_cells = std::vector<std::vector<std::string>>;

/// A row for each method: perplexity on each text, sparsity, stored bits a weight with and without metadata, seconds of
/// compression and peak memory.
table_cells result_cells(const run_report& run);

/// In columns for a terminal: the first left-aligned, the others right-aligned.
std::string plain_table(const table_cells& cells);

/// As Markdown; a `|` in a cell is escaped.
std::string markdown_table(const table_cells& cells);

/// A number with `digits` behind the point; `inf` and `nan` where it is not finite.
std::string fixed(double value, int digits);

}  // namespace compress_opt
