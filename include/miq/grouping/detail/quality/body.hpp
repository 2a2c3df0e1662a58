// What a row of the mutual information has inside its group and outside it: the kernel body.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>

namespace miq::grouping::detail {

/// sums(i, 0) = sum of mi(i, j) over the other columns j of i's group, sums(i, 1) over the columns of other groups; a
/// block takes a row. In double, each lane its columns in order, then `sum_over_lanes`.
struct group_sums_body {
  static constexpr int lanes = 256;

  std::int64_t size = 0;
  const float* mi = nullptr;  // [size, size]
  std::int64_t leading = 0;
  const std::int32_t* labels = nullptr;  // [size]
  double* sums = nullptr;                // [size, 2]

  std::int64_t blocks() const { return size; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<double*>(scratch);
    const auto own = labels[block];
    double within = 0;
    double between = 0;
    for (std::int64_t j = group.rank(); j < size; j += group.size()) {
      if (j == block) continue;
      const auto value = static_cast<double>(mi[block * leading + j]);
      if (labels[j] == own)
        within += value;
      else
        between += value;
    }
    within = sum_over_lanes(group, within, slots);
    between = sum_over_lanes(group, between, slots);
    if (group.rank() != 0) return;
    sums[2 * block] = within;
    sums[2 * block + 1] = between;
  }
};

}  // namespace miq::grouping::detail
