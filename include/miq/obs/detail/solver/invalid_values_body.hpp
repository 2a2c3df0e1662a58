// Counts values of inputs that a function on the host would reject: the kernel body.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>
#include <miq/core/numeric_types.hpp>

namespace miq::obs::detail {

MIQ_HOST_DEVICE inline bool is_finite_value(float value) {
  return (miq::detail::bits_as<std::uint32_t>(value) & 0x7F800000U) != 0x7F800000U;
}

/// Adds the number of values that are not finite to `count`; `hessian`: of the upper triangle alone, and of the values
/// on the diagonal that are negative. Some rows a block.
struct invalid_values_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tall = 4;

  const float* values = nullptr;  // [rows, columns]
  std::int64_t leading = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  bool hessian = false;
  std::int64_t* count = nullptr;

  std::int64_t blocks() const { return (rows + tall - 1) / tall; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto end = (block + 1) * tall < rows ? (block + 1) * tall : rows;
    std::int64_t here = 0;
    for (auto r = block * tall; r < end; ++r) {
      const float* const row = values + r * leading;
      for (auto c = (hessian ? r : 0) + group.rank(); c < columns; c += group.size())
        if (!is_finite_value(row[c])) ++here;
      if (hessian && group.rank() == 0 && row[r] < 0 && is_finite_value(row[r])) ++here;
    }
    here = sum_over_lanes(group, here, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && here != 0) add_atomically(count, here);
  }
};

}  // namespace miq::obs::detail
