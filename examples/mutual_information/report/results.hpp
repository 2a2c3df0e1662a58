// report/results.hpp: the files and the table that a run leaves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mutual_information/analysis.hpp"

namespace mutual_information {

/// All that was asked and found.
struct result {
  options chosen;
  samples input;
  findings found;
  int threads = 0;
  double seconds = 0;  ///< of reading and analysing
};

/// Two channels and what they share.
struct ranked_pair {
  std::int64_t first = 0;
  std::int64_t second = 0;
  float mi = 0;
};

/// The pairs with the most information, largest first; of equal ones those of lower channels.
std::vector<ranked_pair> strongest_pairs(miq::matrix_view<const float> mi, std::size_t count);

/// What `groups.json` holds. Layout: see docs/mutual_information.md.
nlohmann::json groups_as_json(const result& run, const std::vector<std::string>& files);

/// Writes all files into `run.chosen.out`, which must exist; each appears whole or not at all. Returns their names.
/// @throws examples::input_error naming the file
std::vector<std::string> write_results(const result& run);

/// For the terminal: what was estimated, warnings, the strongest pairs, the groups.
std::string summary(const result& run);

}  // namespace mutual_information
