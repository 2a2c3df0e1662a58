#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <miq/information/detail/label_information/counts.hpp>
#include <miq/information/label_information.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// In ascending order, so that the sum does not depend on the names of the labels.
inline double sum_by_size(std::vector<double>& terms) {
  std::sort(terms.begin(), terms.end());
  double sum = 0;
  for (const auto term : terms) sum += term;
  return sum;
}

inline double entropy_of(const std::vector<std::int64_t>& counts, std::int64_t n) {
  if (counts.size() < 2) return 0;
  std::vector<double> terms;
  for (const auto count : counts) {
    const double share = static_cast<double>(count) / static_cast<double>(n);
    terms.push_back(-share * std::log(share));
  }
  return sum_by_size(terms);
}

inline double information_of(const label_counts& counts, std::int64_t n) {
  if (counts.of_a.size() < 2 || counts.of_b.size() < 2) return 0;
  std::vector<double> terms;
  for (const auto& cell : counts.both) {
    const double together = static_cast<double>(cell.count);
    const double apart = static_cast<double>(counts.of_a[static_cast<std::size_t>(cell.a)]) *
                         static_cast<double>(counts.of_b[static_cast<std::size_t>(cell.b)]);
    terms.push_back(together / static_cast<double>(n) * std::log(together * static_cast<double>(n) / apart));
  }
  return std::max(0.0, sum_by_size(terms));
}

inline double label_entropy_on(const host_executor&, vector_view<const std::int32_t> labels) {
  miq::detail::require(labels.size() > 0, "label_entropy: labels must not be empty");
  return entropy_of(ranked(labels).counts, labels.size());
}

inline double label_information_on(const host_executor&, vector_view<const std::int32_t> a,
                                   vector_view<const std::int32_t> b) {
  miq::detail::require(a.size() > 0 && a.size() == b.size(),
                       "label_information: a and b must have the same length, at least 1, got ", a.size(), " and ",
                       b.size());
  return information_of(count_labels(a, b), a.size());
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
double label_entropy(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> labels) {
  return detail::label_entropy_on(exec, labels);
}

template <executor Exec>
double label_information(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> a,
                         vector_view<const std::int32_t, memory_of<Exec>> b) {
  return detail::label_information_on(exec, a, b);
}

}  // namespace miq::information
