// psi(n), the digamma function of whole numbers, in fixed point.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory_resource>
#include <vector>

namespace miq::information::detail {

/// psi(n) for n = 1, 2, ..., in units of 2^-32, so that sums are exact and their order does not matter.
class digamma_table {
 public:
  static constexpr double unit = 0x1.0p-32;

  digamma_table(std::int64_t largest, std::pmr::memory_resource* resource)
      : values_(static_cast<std::size_t>(largest) + 1, resource) {
    double sum = -0.57721566490153286061, lost = 0;
    for (std::size_t n = 1; n < values_.size(); ++n) {
      values_[n] = static_cast<std::int64_t>(std::nearbyint(sum / unit));
      const auto term = 1.0 / static_cast<double>(n) - lost, next = sum + term;
      lost = (next - sum) - term;
      sum = next;
    }
  }

  std::int64_t operator[](std::int64_t n) const { return values_[static_cast<std::size_t>(n)]; }

 private:
  std::pmr::vector<std::int64_t> values_;
};

}  // namespace miq::information::detail
