// The damped diagonal of a Hessian: the kernel body.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>
#include <miq/obs/detail/solver/damping.hpp>
#include <miq/obs/detail/solver/lane_loops.hpp>

namespace miq::obs::detail {

/// What `damped_diagonal` is on the host, rounded to float, and what is made of it. One block, since the mean comes
/// first.
struct damped_diagonal_body {
  static constexpr int lanes = sum_parts;

  const float* hessian = nullptr;  // [columns, columns]
  std::int64_t leading = 0;
  std::int64_t columns = 0;
  double damping = 0;
  damping_rule rule = damping_rule::mean_diagonal;
  float* diagonal = nullptr;  // [columns]: of H + D
  float* inverse = nullptr;   // [columns] or null: 1 / diagonal, 0 where the column is dead
  float* units = nullptr;     // [columns] or null: the roots of the diagonal

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return sum_parts * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    const auto entry = [&](std::int64_t c) { return hessian[c * (leading + 1)]; };
    const auto total = sum_in_parts(group, columns, reinterpret_cast<double*>(scratch),
                                    [&](std::int64_t c) { return static_cast<double>(entry(c)); });
    const auto alive = sum_in_parts(group, columns, reinterpret_cast<std::int64_t*>(scratch),
                                    [&](std::int64_t c) { return std::int64_t{entry(c) != 0}; });
    const double mean = alive > 0 ? total / static_cast<double>(alive) : 1.0;
    for (std::int64_t c = group.rank(); c < columns; c += group.size()) {
      diagonal[c] = static_cast<float>(damped_entry(static_cast<double>(entry(c)), mean, damping, rule));
      if (inverse != nullptr) inverse[c] = entry(c) == 0 ? 0.0F : 1.0F / diagonal[c];
      if (units != nullptr) units[c] = std::sqrt(diagonal[c]);
    }
  }
};

}  // namespace miq::obs::detail
