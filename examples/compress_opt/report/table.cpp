#include "compress_opt/report/table.hpp"

namespace compress_opt {

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

}  // namespace compress_opt
