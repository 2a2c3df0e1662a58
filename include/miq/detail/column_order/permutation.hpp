// Takes matrices into the order in which the sweep sees their columns, and back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <numeric>
#include <span>
#include <vector>

#include <miq/core/matrix.hpp>

namespace miq::detail {

/// Columns by their diagonal entry, largest first; ties by column.
inline std::vector<std::int64_t> descending_order(const std::vector<float>& diagonal) {
  std::vector<std::int64_t> order(diagonal.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return diagonal[static_cast<std::size_t>(a)] > diagonal[static_cast<std::size_t>(b)];
  });
  return order;
}

/// `matrix` with its columns in the given order; empty: as they are.
template <class T>
matrix<T> columns_in_order(matrix_view<const T> from, std::span<const std::int64_t> order,
                           std::pmr::memory_resource* resource) {
  if (order.empty()) return matrix<T>(from, resource);
  matrix<T> to(from.rows(), from.columns(), resource);
  for (std::int64_t r = 0; r < from.rows(); ++r)
    for (std::int64_t c = 0; c < from.columns(); ++c) to(r, c) = from(r, order[static_cast<std::size_t>(c)]);
  return to;
}

/// The way back.
template <class T>
void columns_from_order(matrix<T>& m, std::span<const std::int64_t> order, std::pmr::memory_resource* resource) {
  if (order.empty() || m.empty()) return;
  std::pmr::vector<T> row(static_cast<std::size_t>(m.columns()), resource);
  for (std::int64_t r = 0; r < m.rows(); ++r) {
    std::copy_n(&m(r, 0), m.columns(), row.begin());
    for (std::int64_t c = 0; c < m.columns(); ++c)
      m(r, order[static_cast<std::size_t>(c)]) = row[static_cast<std::size_t>(c)];
  }
}

/// A square matrix with rows and columns in the given order.
inline matrix<float> square_in_order(matrix_view<const float> from, std::span<const std::int64_t> order,
                                     std::pmr::memory_resource* resource) {
  matrix<float> to(from.rows(), from.columns(), resource);
  for (std::int64_t r = 0; r < from.rows(); ++r)
    for (std::int64_t c = 0; c < from.columns(); ++c)
      to(r, c) = from(order[static_cast<std::size_t>(r)], order[static_cast<std::size_t>(c)]);
  return to;
}

}  // namespace miq::detail
