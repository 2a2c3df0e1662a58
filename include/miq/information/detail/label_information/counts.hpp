// How often labels occur, and how often two labels occur together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <miq/core/matrix_view.hpp>
#include <miq/core/version.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Labels by their rank among those that occur.
struct ranked_labels {
  std::vector<std::int32_t> ranks;   // of each thing
  std::vector<std::int64_t> counts;  // of each rank
};

inline ranked_labels ranked(vector_view<const std::int32_t> labels) {
  std::vector<std::int32_t> names(labels.begin(), labels.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  ranked_labels result;
  result.counts.resize(names.size());
  result.ranks.reserve(static_cast<std::size_t>(labels.size()));
  for (const auto label : labels) {
    const auto rank = std::lower_bound(names.begin(), names.end(), label) - names.begin();
    result.ranks.push_back(static_cast<std::int32_t>(rank));
    ++result.counts[static_cast<std::size_t>(rank)];
  }
  return result;
}

/// The table of contingency, without the cells that are 0.
struct label_counts {
  struct cell {
    std::int64_t a, b, count;  // ranks of the labels
  };
  std::vector<std::int64_t> of_a, of_b;
  std::vector<cell> both;
};

inline label_counts count_labels(vector_view<const std::int32_t> a, vector_view<const std::int32_t> b) {
  auto first = ranked(a), second = ranked(b);
  std::vector<std::int64_t> pairs(first.ranks.size());
  for (std::size_t i = 0; i < pairs.size(); ++i)
    pairs[i] = static_cast<std::int64_t>(first.ranks[i]) << 32 | static_cast<std::int64_t>(second.ranks[i]);
  std::sort(pairs.begin(), pairs.end());
  label_counts result{std::move(first.counts), std::move(second.counts), {}};
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (i == 0 || pairs[i] != pairs[i - 1]) result.both.push_back({pairs[i] >> 32, pairs[i] & 0xFFFFFFFF, 0});
    ++result.both.back().count;
  }
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
