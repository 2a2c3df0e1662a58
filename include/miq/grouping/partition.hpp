// grouping/partition.hpp: a division of the columns of a layer into groups.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/error.hpp>

namespace miq::grouping {

/// A division of `columns` columns into `groups` groups: every column has one label in 0 .. groups-1, and every label
/// is used. Immutable; lives on the host, whatever computed it. Copies are deep.
///
/// Memory: 4 bytes per column for the labels, 8 per column for the permutation, 8 per group for the offsets.
class partition {
 public:
  /// No columns, no groups.
  partition() = default;

  /// @param labels  the group of each column
  /// @throws invalid_argument  if a label is negative, or if some label below the largest is not used
  explicit partition(std::vector<std::int32_t> labels);

  /// All columns in one group. `single(0)` is the empty partition. @throws invalid_argument if `columns` is negative
  static partition single(std::int64_t columns);
  /// Every column a group of its own. @throws invalid_argument if `columns` is negative or beyond 2^31 - 1
  static partition each_alone(std::int64_t columns);
  /// Neighbours together: group g holds columns floor(g * columns / groups) up to floor((g + 1) * columns / groups), so
  /// that sizes differ by one at most. @throws invalid_argument unless 1 <= groups <= columns (or both are 0)
  static partition contiguous(std::int64_t columns, std::int64_t groups);

  std::int64_t columns() const { return static_cast<std::int64_t>(labels_.size()); }
  std::int64_t groups() const { return static_cast<std::int64_t>(offsets_.size()) - 1; }

  /// The group of each column.
  std::span<const std::int32_t> labels() const { return labels_; }
  /// How many columns group `group` has, at least 1. @throws invalid_argument if there is no such group
  std::int64_t size(std::int64_t group) const;
  /// The columns of group `group`, ascending. Valid as long as the partition.
  /// @throws invalid_argument if there is no such group
  std::span<const std::int64_t> members(std::int64_t group) const;
  /// The members of group 0, then those of group 1, and so on: the column that comes to each place when columns are
  /// reordered so that groups lie together. Within a group, columns keep their order.
  std::span<const std::int64_t> permutation() const { return permutation_; }

  /// The same division with groups numbered in the order in which their first column appears. Two partitions divide
  /// alike if and only if their canonical forms are equal.
  partition canonical() const;

  /// Whether labels are equal, number by number.
  friend bool operator==(const partition& a, const partition& b) { return a.labels_ == b.labels_; }

 private:
  std::vector<std::int32_t> labels_;
  std::vector<std::int64_t> permutation_;
  std::vector<std::int64_t> offsets_ = {0};  // group g is permutation_[offsets_[g]] up to permutation_[offsets_[g + 1]]
};

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/partition/host.inl>
#endif
