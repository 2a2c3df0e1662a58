#pragma once

#include <algorithm>
#include <cmath>

#include <miq/grouping/agreement.hpp>
#include <miq/information/detail/label_information/host.inl>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

inline double adjusted_rand_index_on(const host_executor&, vector_view<const std::int32_t> a,
                                     vector_view<const std::int32_t> b) {
  miq::detail::require(a.size() == b.size(), "adjusted_rand_index: a and b must have the same length, got ", a.size(),
                       " and ", b.size());
  const auto counts = information::detail::count_labels(a, b);
  // Ordered pairs; sums of whole numbers below 2^62, exact in 64 bits.
  const auto pairs = [](std::int64_t count) { return count * (count - 1); };
  std::int64_t together = 0, in_a = 0, in_b = 0;
  for (const auto& cell : counts.both) together += pairs(cell.count);
  for (const auto count : counts.of_a) in_a += pairs(count);
  for (const auto count : counts.of_b) in_b += pairs(count);
  const std::int64_t only_a = in_a - together, only_b = in_b - together;
  if (only_a == 0 && only_b == 0) return 1;
  const auto both = static_cast<double>(together), first = static_cast<double>(only_a),
             second = static_cast<double>(only_b);
  const auto none = static_cast<double>(pairs(a.size()) - in_a - only_b);
  // Steinley 2004, equation 6; sums and products of non-negative numbers, in an order that does not tell a from b.
  return 2 * (both * none - first * second) / ((both + first) * (first + none) + (both + second) * (second + none));
}

inline double normalised_information_on(const host_executor&, vector_view<const std::int32_t> a,
                                        vector_view<const std::int32_t> b, information::normalisation how) {
  using information::normalisation;
  using miq::detail::require;
  require(a.size() == b.size(), "normalised_information: a and b must have the same length, got ", a.size(), " and ",
          b.size());
  require(how == normalisation::arithmetic || how == normalisation::geometric || how == normalisation::minimum ||
              how == normalisation::maximum,
          "normalised_information: how must be arithmetic, geometric, minimum or maximum, got ", static_cast<int>(how));
  const auto counts = information::detail::count_labels(a, b);
  if (counts.of_a.size() < 2 && counts.of_b.size() < 2) return 1;
  const double information = information::detail::information_of(counts, a.size());
  if (information == 0) return 0;
  const double h = information::detail::entropy_of(counts.of_a, a.size());
  const double g = information::detail::entropy_of(counts.of_b, a.size());
  switch (how) {
    case normalisation::geometric:
      return information / std::sqrt(h * g);
    case normalisation::minimum:
      return information / std::min(h, g);
    case normalisation::maximum:
      return information / std::max(h, g);
    default:
      return information / ((h + g) / 2);
  }
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
double adjusted_rand_index(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> a,
                           vector_view<const std::int32_t, memory_of<Exec>> b) {
  return detail::adjusted_rand_index_on(exec, a, b);
}

template <executor Exec>
double adjusted_rand_index(const Exec& exec, const partition& a, const partition& b) {
  return detail::adjusted_rand_index_on(exec, a.labels(), b.labels());
}

template <executor Exec>
double normalised_information(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> a,
                              vector_view<const std::int32_t, memory_of<Exec>> b, information::normalisation how) {
  return detail::normalised_information_on(exec, a, b, how);
}

template <executor Exec>
double normalised_information(const Exec& exec, const partition& a, const partition& b,
                              information::normalisation how) {
  return detail::normalised_information_on(exec, a.labels(), b.labels(), how);
}

}  // namespace miq::grouping
