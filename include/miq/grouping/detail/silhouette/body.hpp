// Silhouette widths: the kernel body, and the lists of columns that it sums over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <miq/core/detail/machine.hpp>
#include <miq/core/group.hpp>
#include <miq/core/workspace.hpp>
#include <miq/grouping/detail/graph/body.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping::detail {

using miq::detail::place;

/// Running sums of a row's distances to each group on the host: the columns up to the last multiple of it go to the sum
/// of their number's remainder, the others to the first. So the device adds in the host's order, to the bit.
inline constexpr std::int64_t silhouette_sums = 4;

/// Columns ordered by group and running sum: those of sum l of group g are `columns[begin[4 g + l]]` up to
/// `columns[begin[4 g + l + 1]]`, ascending.
struct silhouette_lists {
  std::vector<std::int32_t> columns;  // [n]
  std::vector<std::int64_t> begin;    // [4 groups + 1]
};

inline silhouette_lists make_silhouette_lists(const partition& groups) {
  const auto n = groups.columns();
  const auto labels = groups.labels();
  const auto list_of = [&](std::int64_t j) {
    const auto sum = j < n / silhouette_sums * silhouette_sums ? j % silhouette_sums : 0;
    return static_cast<std::size_t>(labels[static_cast<std::size_t>(j)] * silhouette_sums + sum);
  };
  silhouette_lists lists;
  lists.columns.resize(static_cast<std::size_t>(n));
  lists.begin.assign(static_cast<std::size_t>(groups.groups() * silhouette_sums + 1), 0);
  for (std::int64_t j = 0; j < n; ++j) ++lists.begin[list_of(j) + 1];
  for (std::size_t l = 1; l < lists.begin.size(); ++l) lists.begin[l] += lists.begin[l - 1];
  auto place = lists.begin;
  for (std::int64_t j = 0; j < n; ++j)
    lists.columns[static_cast<std::size_t>(place[list_of(j)]++)] = static_cast<std::int32_t>(j);
  return lists;
}

/// Widths of a few rows a block; groups are taken some at a time, so that their sums fit into scratch.
struct silhouette_body {
  static constexpr int lanes = 256;
  static constexpr double beyond = std::numeric_limits<double>::infinity();
  static constexpr std::int64_t most_sums = 4096;  // at once, of all rows of a block

  const float* distance = nullptr;  // [n, n]
  std::int64_t leading = 0;
  std::int64_t columns = 0;              // n
  std::int64_t groups = 0;               // k
  const std::int32_t* labels = nullptr;  // [n]
  const std::int32_t* listed = nullptr;  // [n], see silhouette_lists
  const std::int64_t* begin = nullptr;   // [4 k + 1]
  double* widths = nullptr;              // [n]

  /// Rows of a block: enough sums for all lanes, but no more.
  MIQ_HOST_DEVICE std::int64_t rows() const {
    const auto wanted = lanes / (silhouette_sums * groups);
    return wanted < 1 ? 1 : wanted;
  }
  MIQ_HOST_DEVICE std::int64_t groups_at_once() const {
    const auto most = most_sums / (silhouette_sums * rows());
    return groups < most ? groups : most;
  }
  std::int64_t blocks() const { return (columns + rows() - 1) / rows(); }
  std::int64_t scratch_bytes() const {
    return (silhouette_sums * groups_at_once() + 2) * rows() * static_cast<std::int64_t>(sizeof(double));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const within = reinterpret_cast<double*>(scratch);  // [rows]
    auto* const nearest = within + rows();                    // [rows]
    auto* const sums = nearest + rows();                      // [rows, groups at once, 4]
    const auto first = block * rows();
    const auto height = first + rows() < columns ? rows() : columns - first;
    for (std::int64_t r = group.rank(); r < height; r += group.size()) {
      within[r] = 0;
      nearest[r] = beyond;
    }
    for (std::int64_t g0 = 0; g0 < groups; g0 += groups_at_once()) {
      const auto count = g0 + groups_at_once() < groups ? groups_at_once() : groups - g0;
      const auto width = count * silhouette_sums;
      group.sync();
      for (std::int64_t k = group.rank(); k < height * width; k += group.size()) {
        const float* const row = distance + (first + k / width) * leading;
        const auto list = g0 * silhouette_sums + k % width;
        double sum = 0;
        for (std::int64_t p = begin[list]; p < begin[list + 1]; ++p) sum += static_cast<double>(row[listed[p]]);
        sums[k] = sum;
      }
      group.sync();
      for (std::int64_t k = group.rank(); k < height * count; k += group.size()) {
        double* const s = sums + k * silhouette_sums;
        const auto g = g0 + k % count;
        auto size = size_of(g);
        if (g == labels[first + k / count] && size > 1) --size;  // without itself
        s[0] = ((s[0] + s[1]) + (s[2] + s[3])) / static_cast<double>(size);
      }
      group.sync();
      for (std::int64_t r = group.rank(); r < height; r += group.size()) {
        const double* const means = sums + r * width;
        const auto own = labels[first + r] - g0;
        double least = nearest[r];
        for (std::int64_t g = 0; g < count; ++g)
          if (g != own && means[g * silhouette_sums] < least) least = means[g * silhouette_sums];
        nearest[r] = least;
        if (own >= 0 && own < count) within[r] = means[own * silhouette_sums];
      }
    }
    for (std::int64_t r = group.rank(); r < height; r += group.size()) {
      const double a = within[r], b = nearest[r];
      const double larger = a > b ? a : b;
      const bool alone = size_of(labels[first + r]) == 1;
      widths[first + r] = alone || larger == 0 ? 0.0 : (b - a) / larger;
    }
  }

 private:
  MIQ_HOST_DEVICE std::int64_t size_of(std::int64_t g) const {
    return begin[(g + 1) * silhouette_sums] - begin[g * silhouette_sums];
  }
};

/// The memory of `silhouette_on_machine`, and of the checks before.
struct silhouette_layout {
  miq::detail::workspace_layout layout;
  std::int64_t faults, labels, listed, begin, widths;

  silhouette_layout(std::int64_t n, std::int64_t groups) {
    faults = layout.add<matrix_faults>(1);
    labels = layout.add<std::int32_t>(n);
    listed = layout.add<std::int32_t>(n);
    begin = layout.add<std::int64_t>(groups * silhouette_sums + 1);
    widths = layout.add<double>(n);
  }
};

/// Mean width; `widths` becomes [n]. The distances are taken as they are.
template <class Machine>
double silhouette_on_machine(const Machine& machine, const float* distance, std::int64_t leading,
                             const partition& groups, std::byte* scratch, std::vector<double>& widths) {
  const auto n = groups.columns();
  const silhouette_layout at(n, groups.groups());
  const auto lists = make_silhouette_lists(groups);
  silhouette_body body{distance,
                       leading,
                       n,
                       groups.groups(),
                       place<std::int32_t>(scratch, at.labels),
                       place<std::int32_t>(scratch, at.listed),
                       place<std::int64_t>(scratch, at.begin),
                       place<double>(scratch, at.widths)};
  machine.store(groups.labels().data(), n, place<std::int32_t>(scratch, at.labels));
  machine.store(lists.columns.data(), n, place<std::int32_t>(scratch, at.listed));
  machine.store(lists.begin.data(), static_cast<std::int64_t>(lists.begin.size()),
                place<std::int64_t>(scratch, at.begin));
  machine.launch("silhouette", body);
  widths.resize(static_cast<std::size_t>(n));
  machine.fetch(body.widths, n, widths.data());
  double total = 0;
  for (const auto width : widths) total += width;
  return total / static_cast<double>(n);
}

}  // namespace miq::grouping::detail
