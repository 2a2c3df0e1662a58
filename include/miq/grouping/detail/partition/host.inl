#pragma once

#include <algorithm>
#include <limits>
#include <utility>

#include <miq/grouping/partition.hpp>

namespace miq::grouping {

MIQ_API partition::partition(std::vector<std::int32_t> labels) {
  using miq::detail::require;
  std::int32_t groups = 0;
  for (std::size_t c = 0; c < labels.size(); ++c) {
    require(labels[c] >= 0, "partition: labels must not be negative, got ", labels[c], " for column ", c);
    // A label beyond the columns leaves a smaller one unused; found here, it does not size an array.
    require(static_cast<std::size_t>(labels[c]) < labels.size(),
            "partition: labels must be 0 to groups - 1, all used; ", labels.size(),
            " columns cannot use all below the label ", labels[c], " of column ", c);
    groups = std::max(groups, labels[c] + 1);
  }
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(groups) + 1, 0);
  for (const auto label : labels) ++offsets[static_cast<std::size_t>(label) + 1];
  for (std::size_t g = 0; g < static_cast<std::size_t>(groups); ++g) {
    require(offsets[g + 1] > 0, "partition: labels must be 0 to groups - 1, all used; ", g, " is not, of ", groups);
    offsets[g + 1] += offsets[g];
  }
  std::vector<std::int64_t> next(offsets.begin(), offsets.end() - 1);
  std::vector<std::int64_t> permutation(labels.size());
  for (std::size_t c = 0; c < labels.size(); ++c) {
    auto& place = next[static_cast<std::size_t>(labels[c])];
    permutation[static_cast<std::size_t>(place++)] = static_cast<std::int64_t>(c);
  }
  labels_ = std::move(labels);
  permutation_ = std::move(permutation);
  offsets_ = std::move(offsets);
}

MIQ_API partition partition::single(std::int64_t columns) {
  miq::detail::require(columns >= 0, "partition::single: columns must not be negative, got ", columns);
  return partition(std::vector<std::int32_t>(static_cast<std::size_t>(columns), 0));
}

MIQ_API partition partition::each_alone(std::int64_t columns) { return contiguous(columns, columns); }

MIQ_API partition partition::contiguous(std::int64_t columns, std::int64_t groups) {
  using miq::detail::require;
  require(columns >= 0 && (groups >= 1 || columns == 0) && groups >= 0 && groups <= columns,
          "partition::contiguous: groups must be 1 to the ", columns, " columns, got ", groups);
  require(groups <= std::numeric_limits<std::int32_t>::max(),
          "partition::contiguous: groups must be at most 2^31 - 1, got ", groups);
  // Group g begins at floor(g * columns / groups), kept free of overflow by dividing first.
  std::vector<std::int32_t> labels(static_cast<std::size_t>(columns));
  const auto begin = [&](std::int64_t g) { return g * (columns / groups) + g * (columns % groups) / groups; };
  for (std::int64_t g = 0; g < groups; ++g)
    std::fill(labels.begin() + begin(g), labels.begin() + begin(g + 1), static_cast<std::int32_t>(g));
  return partition(std::move(labels));
}

MIQ_API std::int64_t partition::size(std::int64_t group) const {
  return static_cast<std::int64_t>(members(group).size());
}

MIQ_API std::span<const std::int64_t> partition::members(std::int64_t group) const {
  miq::detail::require(group >= 0 && group < groups(), "partition: group must be 0 to ", groups() - 1, ", got ", group);
  const auto first = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(group)]);
  const auto last = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(group) + 1]);
  return std::span<const std::int64_t>(permutation_).subspan(first, last - first);
}

MIQ_API partition partition::canonical() const {
  std::vector<std::int32_t> renamed(static_cast<std::size_t>(groups()), -1);
  std::vector<std::int32_t> labels(labels_.size());
  std::int32_t next = 0;
  for (std::size_t c = 0; c < labels.size(); ++c) {
    auto& name = renamed[static_cast<std::size_t>(labels_[c])];
    if (name < 0) name = next++;
    labels[c] = name;
  }
  return partition(std::move(labels));
}

}  // namespace miq::grouping
