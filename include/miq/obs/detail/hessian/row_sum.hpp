// Sums over a row, or over any range, by all lanes of a block, in one order whatever the number of lanes.
#pragma once

#include <cstdint>

#include <miq/core/group.hpp>

namespace miq::obs::detail {

/// Partial sums that a range is cut into: part p holds the terms p, p + sum_parts, ... in that order.
inline constexpr std::int32_t sum_parts = 256;

/// term(0) + ... + term(count - 1) in every lane, T being what `term` returns. `slots` is scratch for `sum_parts`
/// values of T; it may be used again after the call. Synchronises.
template <class T, class Group, class Term>
MIQ_HOST_DEVICE T sum_in_parts(const Group& group, std::int64_t count, T* slots, const Term& term) {
  for (std::int32_t part = group.rank(); part < sum_parts; part += group.size()) {
    T sum{};
    for (std::int64_t i = part; i < count; i += sum_parts) sum += term(i);
    slots[part] = sum;
  }
  group.sync();
  for (std::int32_t distance = sum_parts / 2; distance > 0; distance /= 2) {
    for (std::int32_t part = group.rank(); part < distance; part += group.size()) slots[part] += slots[part + distance];
    group.sync();
  }
  const T total = slots[0];
  group.sync();
  return total;
}

}  // namespace miq::obs::detail
