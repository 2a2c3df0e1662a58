// report/table.hpp: the result of a run as a table for people.
#pragma once

#include "common/table.hpp"
#include "compress_opt/report/run_report.hpp"

namespace compress_opt {

/// A row for each method: perplexity on each text, sparsity, stored bits per weight with and without metadata, seconds
/// of compression and peak memory.
table_cells result_cells(const run_report& run);

}  // namespace compress_opt
