// The joint histogram of two channels' codes, by counters.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/information/detail/histogram/binning.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {
/// Counts the joint codes of pairs of channels, for one thread.
class joint_counter {
 public:
  explicit joint_counter(const binned_channels& channels) : channels_(channels) {}

  /// How many tokens every joint code has, in no particular order and without some of those that none has. Valid until
  /// the next call.
  std::span<const std::int32_t> cells(std::int64_t i, std::int64_t j) {
    const auto rows = channels_.used[static_cast<std::size_t>(i)];
    const auto columns = channels_.used[static_cast<std::size_t>(j)];
    if (rows * columns > 4096) return count_sparsely(i, j);
    count_by_counters(i, j);
    return {table_.data(), static_cast<std::size_t>(rows * columns)};
  }

 private:
  /// T increments, spread over four tables so that equal codes in a row do not wait for each other.
  void count_by_counters(std::int64_t i, std::int64_t j) {
    const auto columns = channels_.used[static_cast<std::size_t>(j)];
    const auto cells = static_cast<std::size_t>(channels_.used[static_cast<std::size_t>(i)] * columns);
    table_.assign(4 * cells, 0);
    const auto* const x = &channels_.codes(i, 0);
    const auto* const y = &channels_.codes(j, 0);
    auto* const counts = table_.data();
    const auto stride = static_cast<std::size_t>(columns);
    std::int64_t t = 0;
    for (; t + 4 <= channels_.tokens; t += 4)
      for (std::size_t k = 0; k < 4; ++k)
        ++counts[k * cells + x[t + static_cast<std::int64_t>(k)] * stride + y[t + static_cast<std::int64_t>(k)]];
    for (; t < channels_.tokens; ++t) ++counts[x[t] * stride + y[t]];
    for (std::size_t k = 0; k < cells; ++k)
      counts[k] += counts[cells + k] + counts[2 * cells + k] + counts[3 * cells + k];
  }

  /// A table too large to be read through for every pair: only the cells that tokens reach are visited.
  std::span<const std::int32_t> count_sparsely(std::int64_t i, std::int64_t j) {
    const auto columns = static_cast<std::size_t>(channels_.used[static_cast<std::size_t>(j)]);
    sparse_.resize(256 * 256);
    table_.clear();
    const auto* const x = &channels_.codes(i, 0);
    const auto* const y = &channels_.codes(j, 0);
    auto* const counts = sparse_.data();
    for (std::int64_t t = 0; t < channels_.tokens; ++t) ++counts[x[t] * columns + y[t]];
    for (std::int64_t t = 0; t < channels_.tokens; ++t) {
      auto& count = counts[x[t] * columns + y[t]];
      if (count == 0) continue;
      table_.push_back(count);
      count = 0;
    }
    return table_;
  }

  const binned_channels& channels_;
  std::vector<std::int32_t> table_;   ///< [codes of i, codes of j]
  std::vector<std::int32_t> sparse_;  ///< the same, zero between pairs
};

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
