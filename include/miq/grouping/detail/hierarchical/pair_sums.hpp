// For every merge of a tree, the sum of the distances between the members of its two parts: each pair of columns comes
// together in one merge, so that all sums take one pass over half of the distances.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// The two parts of a cluster; merge m of n columns makes cluster n + m, and its parts are clusters below that.
struct tree_pair {
  std::int64_t first;
  std::int64_t second;
};

/// Sum of row[columns[j]] over j in [begin, end), by four running sums.
inline double gathered_sum(const float* row, const std::int32_t* columns, std::int64_t begin, std::int64_t end) {
  double sums[4] = {};
  std::int64_t j = begin;
  for (; j + 4 <= end; j += 4)
    for (int l = 0; l < 4; ++l) sums[l] += static_cast<double>(row[columns[j + l]]);
  for (; j < end; ++j) sums[0] += static_cast<double>(row[columns[j]]);
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

/// [merges], in double precision, by tiles of rows that depend on n alone.
template <on_host Exec>
std::vector<double> sums_between(const Exec& exec, matrix_view<const float> distance,
                                 const std::vector<tree_pair>& merges) {
  const auto n = static_cast<std::int64_t>(merges.size()) + 1;
  const std::size_t clusters = merges.size() * 2 + 1;
  const auto at = [](std::int64_t c) { return static_cast<std::size_t>(c); };
  // The columns in an order in which every cluster is a range and its smaller part comes first. A column is then in the
  // first part of no more than log2 n clusters, whose second parts are the ranges that its row is summed over.
  std::vector<std::int64_t> size(clusters, 1), begin(clusters, 0), leads(clusters, -1);
  for (std::size_t m = 0; m < merges.size(); ++m)
    size[at(n) + m] = size[at(merges[m].first)] + size[at(merges[m].second)];
  std::vector<bool> swapped(merges.size());
  for (auto m = merges.size(); m-- > 0;) {
    const auto cluster = at(n) + m;
    swapped[m] = size[at(merges[m].first)] > size[at(merges[m].second)];
    const auto small = at(swapped[m] ? merges[m].second : merges[m].first);
    const auto large = at(swapped[m] ? merges[m].first : merges[m].second);
    begin[small] = begin[cluster];
    begin[large] = begin[cluster] + size[small];
    leads[small] = static_cast<std::int64_t>(cluster);  // the nearest cluster above in whose first part it lies
    leads[large] = leads[cluster];
  }
  std::vector<std::int32_t> order(at(n));
  for (std::int64_t c = 0; c < n; ++c) order[at(begin[at(c)])] = static_cast<std::int32_t>(c);

  constexpr std::int64_t most_tiles = 64;
  const std::int64_t tile = (n + most_tiles - 1) / most_tiles, tiles = (n + tile - 1) / tile;
  matrix<double> partial(tiles, n, exec.resource());
  exec.parallel_for(tiles, [&](std::int64_t t) {
    for (std::int64_t p = t * tile; p < std::min(n, (t + 1) * tile); ++p) {
      const std::int64_t column = order[at(p)];
      const float* row = distance.data() + column * distance.leading();
      for (auto above = leads[at(column)]; above >= 0; above = leads[at(above)]) {
        const auto m = static_cast<std::size_t>(above - n);
        const auto large = at(swapped[m] ? merges[m].first : merges[m].second);
        partial(t, above - n) += gathered_sum(row, order.data(), begin[large], begin[large] + size[large]);
      }
    }
  });
  std::vector<double> sums(merges.size(), 0.0);
  for (std::int64_t t = 0; t < tiles; ++t)
    for (std::size_t m = 0; m < merges.size(); ++m) sums[m] += partial(t, static_cast<std::int64_t>(m));
  return sums;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::grouping::detail
