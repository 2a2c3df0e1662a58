// report/report_folder.hpp: the folder with the report of a run: two files for people and programs, and pictures.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "compress_opt/pipeline/compression.hpp"
#include "compress_opt/report/run_report.hpp"

namespace compress_opt {

/// What `report.json` holds; numbers that are not finite become null. Layout: see docs/compress_opt.md.
nlohmann::json report_as_json(const run_report& run);

/// What `performance_report.md` holds.
std::string report_as_markdown(const run_report& run);

/// Writes into a folder, which may exist; files of the same names are replaced, others left alone.
class report_folder {
 public:
  /// Makes the folder if needed and tries to write in it. @throws input_error naming the folder and the reason
  report_folder(std::filesystem::path folder, const options& chosen);

  /// Draws `mi_matrix_LAYER.INPUT.png` and `grouping_LAYER.INPUT.png`, if this input is among those that get pictures:
  /// `options::pictures` layers, spread evenly over those selected, their attention and fc1 inputs (all compressed
  /// inputs where `prune_only` is given); method `mi` only. @throws input_error
  void draw(const grouped_input& input);

  /// Writes `report.json` and `performance_report.md`. @throws input_error
  void write(run_report run) const;

 private:
  std::filesystem::path folder_;
  options chosen_;
  std::vector<std::filesystem::path> pictures_;

  bool is_drawn(const grouped_input& input) const;
};

}  // namespace compress_opt
