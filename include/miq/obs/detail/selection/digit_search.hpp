// The search for the key at which a selection ends, digit by digit, by the lanes of a block: on a device or anywhere.
#pragma once

#include <cstdint>

#include <miq/core/group.hpp>
#include <miq/obs/detail/selection/key.hpp>

namespace miq::obs::detail {

/// Whether a selection takes the smallest keys (to mask them) or the largest (to keep them).
enum class selected { smallest, largest };

/// How far a search has come: all keys before `limit` in the digits found so far are selected, and `wanted` of those that
/// agree with it in them. At the end `limit` is the key of the last weight that is selected.
struct selection_state {
  std::int64_t wanted = 0;
  std::int64_t ties = 0;  ///< keys that agree with `limit` in the digits found so far
  std::uint32_t limit = 0;
  std::uint32_t unused = 0;
};

/// The digit at which `before.wanted` keys are reached; 1 <= wanted <= all that the histogram holds. `slots` is scratch
/// for one integer a lane, `found` for one object. Synchronises.
template <selected Which, class Count, class Group>
MIQ_HOST_DEVICE selection_state next_digit(const Group& group, const Count* histogram, int digit,
                                           const selection_state& before, std::int64_t* slots, selection_state* found) {
  const std::int32_t bins = bins_of_digit(digit);
  const std::int32_t each = (bins + group.size() - 1) / group.size();
  const std::int32_t first = group.rank() * each < bins ? group.rank() * each : bins;
  const std::int32_t last = first + each < bins ? first + each : bins;
  const auto bin = [&](std::int32_t k) { return Which == selected::smallest ? k : bins - 1 - k; };
  const auto in_bin = [&](std::int32_t k) { return static_cast<std::int64_t>(histogram[bin(k)]); };
  std::int64_t mine = 0;
  for (std::int32_t k = first; k < last; ++k) mine += in_bin(k);
  exclusive_sum_over_lanes(group, mine, slots);
  std::int64_t left = before.wanted - slots[group.rank()];
  if (left > 0 && left <= mine) {
    std::int32_t k = first;
    for (; in_bin(k) < left; ++k) left -= in_bin(k);
    *found = {left, in_bin(k), before.limit | (static_cast<std::uint32_t>(bin(k)) << digit_shift(digit)), 0};
  }
  group.sync();
  const selection_state result = *found;
  group.sync();
  return result;
}

/// Whether a key agrees with the digits found before `digit`.
MIQ_HOST_DEVICE inline bool agrees(std::uint32_t key, const selection_state& state, int digit) {
  return (key & bits_above(digit)) == state.limit;
}

}  // namespace miq::obs::detail
