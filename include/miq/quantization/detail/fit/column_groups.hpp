// The columns of every group of a layer, group after group.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/matrix_view.hpp>

namespace miq::quantization::detail {

struct column_groups {
  std::vector<std::int64_t> start;    // [groups + 1]
  std::vector<std::int64_t> columns;  // [columns]

  std::span<const std::int64_t> of(std::int64_t group) const {
    const auto g = static_cast<std::size_t>(group);
    return {columns.data() + start[g], static_cast<std::size_t>(start[g + 1] - start[g])};
  }
};

inline column_groups columns_by_group(vector_view<const std::int32_t> labels, std::int64_t groups) {
  column_groups result;
  result.start.assign(static_cast<std::size_t>(groups) + 1, 0);
  result.columns.resize(static_cast<std::size_t>(labels.size()));
  for (const auto label : labels) ++result.start[static_cast<std::size_t>(label) + 1];
  for (std::size_t g = 0; g < static_cast<std::size_t>(groups); ++g) result.start[g + 1] += result.start[g];
  auto next = result.start;
  for (std::int64_t c = 0; c < labels.size(); ++c)
    result.columns[static_cast<std::size_t>(next[static_cast<std::size_t>(labels[c])]++)] = c;
  return result;
}

}  // namespace miq::quantization::detail
