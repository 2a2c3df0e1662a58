#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <miq/grouping/dendrogram.hpp>
#include <miq/grouping/detail/graph/checks.hpp>
#include <miq/grouping/detail/hierarchical/pair_sums.hpp>

namespace miq::grouping {

MIQ_API dendrogram::dendrogram(std::vector<cluster_merge> merges) {
  using miq::detail::require;
  const auto columns = static_cast<std::int64_t>(merges.size()) + 1;
  std::vector<std::int64_t> sizes(merges.size() * 2 + 1, 1);  // 0: merged already
  for (std::size_t m = 0; m < merges.size(); ++m) {
    const auto& merge = merges[m];
    const auto next = columns + static_cast<std::int64_t>(m);
    require(merge.first >= 0 && merge.first < merge.second && merge.second < next, "dendrogram: merge ", m,
            " must join two clusters below ", next, ", the lower number first, got ", merge.first, " and ",
            merge.second);
    auto& a = sizes[static_cast<std::size_t>(merge.first)];
    auto& b = sizes[static_cast<std::size_t>(merge.second)];
    require(a > 0 && b > 0, "dendrogram: merge ", m, " joins ", a > 0 ? merge.second : merge.first,
            ", which was merged before");
    require(merge.size == a + b, "dendrogram: merge ", m, " must have the size ", a + b, ", got ", merge.size);
    require(std::isfinite(merge.height), "dendrogram: heights must be finite, got ", merge.height, " for merge ", m);
    require(m == 0 || merge.height >= merges[m - 1].height, "dendrogram: heights must not descend, got ", merge.height,
            " for merge ", m, " after ", m == 0 ? 0.0 : merges[m - 1].height);
    sizes[static_cast<std::size_t>(next)] = a + b;
    a = b = 0;
  }
  columns_ = columns;
  merges_ = std::move(merges);
}

MIQ_API partition dendrogram::cut_after(std::int64_t merges) const {
  // From the last merge made downwards, every cluster hands its group to its two parts.
  const auto n = static_cast<std::size_t>(columns_);
  std::vector<std::int32_t> group(n + static_cast<std::size_t>(merges), -1);
  std::int32_t next = 0;
  for (auto c = group.size(); c-- > 0;) {
    if (group[c] < 0) group[c] = next++;
    if (c < n) continue;
    group[static_cast<std::size_t>(merges_[c - n].first)] = group[c];
    group[static_cast<std::size_t>(merges_[c - n].second)] = group[c];
  }
  group.resize(n);
  return partition(std::move(group)).canonical();
}

MIQ_API partition dendrogram::cut_by_count(std::int64_t count) const {
  miq::detail::require(count >= 1 && count <= columns_, "dendrogram: count must be 1 to the ", columns_,
                       " columns, got ", count);
  return cut_after(columns_ - count);
}

MIQ_API partition dendrogram::cut_by_height(double height) const {
  miq::detail::require(!std::isnan(height), "dendrogram: height must not be NaN");
  miq::detail::require(columns_ > 0, "dendrogram: there are no columns to cut");
  const auto above = std::upper_bound(merges_.begin(), merges_.end(), height,
                                      [](double value, const cluster_merge& merge) { return value < merge.height; });
  return cut_after(above - merges_.begin());
}

MIQ_API std::vector<std::int64_t> dendrogram::leaf_order() const {
  std::vector<std::int64_t> order, open;
  if (columns_ > 0) open.push_back(2 * columns_ - 2);
  while (!open.empty()) {
    const auto cluster = open.back();
    open.pop_back();
    if (cluster < columns_) {
      order.push_back(cluster);
    } else {
      const auto& merge = merges_[static_cast<std::size_t>(cluster - columns_)];
      open.push_back(merge.second);
      open.push_back(merge.first);
    }
  }
  return order;
}

namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

template <on_host Exec>
double cophenetic_correlation_on(const Exec& exec, const dendrogram& tree, matrix_view<const float> distance) {
  using miq::detail::require;
  require_distance(exec, distance, "cophenetic_correlation");
  const std::int64_t n = distance.rows();
  require(tree.columns() == n, "cophenetic_correlation: tree must have the ", n, " columns of distance, got ",
          tree.columns());
  require(n >= 2, "cophenetic_correlation: tree must have at least 2 columns, got 1");
  std::vector<tree_pair> tree_pairs;
  for (const auto& merge : tree.merges()) tree_pairs.push_back({merge.first, merge.second});
  const auto sums = sums_between(exec, distance, tree_pairs);
  double pairs = 0, total = 0, total_height = 0;
  std::vector<double> counts(sums.size());
  const auto size_of = [&](std::int64_t c) {
    return c < n ? 1.0 : static_cast<double>(tree.merges()[static_cast<std::size_t>(c - n)].size);
  };
  for (std::size_t m = 0; m < sums.size(); ++m) {
    const auto& merge = tree.merges()[m];
    counts[m] = size_of(merge.first) * size_of(merge.second);
    pairs += counts[m];
    total += sums[m];
    total_height += counts[m] * merge.height;
  }
  const double mean = total / pairs, mean_height = total_height / pairs;
  // Deviations, so that nothing cancels.
  double heights = 0, both = 0;
  for (std::size_t m = 0; m < sums.size(); ++m) {
    const double step = tree.merges()[m].height - mean_height;
    heights += counts[m] * step * step;
    both += step * (sums[m] - counts[m] * mean);
  }
  std::vector<double> squares(static_cast<std::size_t>(n));
  exec.parallel_for(n, [&](std::int64_t i) {
    const float* row = distance.data() + i * distance.leading();
    double sum[8] = {};
    for (std::int64_t j = 0; j < i; ++j) {
      const double step = static_cast<double>(row[j]) - mean;
      sum[j % 8] += step * step;
    }
    squares[static_cast<std::size_t>(i)] =
        ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
  });
  double distances = 0;
  for (const auto square : squares) distances += square;
  return both / std::sqrt(distances * heights);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
double cophenetic_correlation(const Exec& exec, const dendrogram& tree,
                              matrix_view<const float, memory_of<Exec>> distance) {
  return detail::cophenetic_correlation_on(exec, tree, distance);
}

}  // namespace miq::grouping
