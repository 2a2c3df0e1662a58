// Rows times the inverse Hessian, by its triangular factor: no further factorisation, no inverse.
#pragma once

#include <algorithm>
#include <cstdint>

#include <miq/core/detail/matrix_product.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::obs::detail {

/// Rows that a task takes through products with a [columns, columns] matrix: many, so that packing the matrix is worth
/// it, but enough tasks for the threads. Depends on the layer's shape alone.
constexpr std::int64_t product_rows(std::int64_t rows) {
  return rows >= 4096 ? 256 : rows >= 1024 ? 128 : rows >= 256 ? 64 : 32;
}
constexpr std::int64_t product_tasks(std::int64_t rows) { return (rows + product_rows(rows) - 1) / product_rows(rows); }

/// out = in U^T U for `rows` rows; `half` receives in U^T. `out` may be `in`, or neither may overlap the other.
inline void multiply_by_inverse(std::int64_t rows, const float* in, std::int64_t in_leading,
                                matrix_view<const float> upper, float* halfway, std::int64_t half_leading, float* out,
                                std::int64_t out_leading) {
  using miq::detail::multiply_add;
  using miq::detail::operand;
  constexpr std::int64_t block = 256;
  const auto n = upper.columns();
  for (std::int64_t r = 0; r < rows; ++r) std::fill_n(halfway + r * half_leading, n, 0.0F);
  for (std::int64_t first = 0; first < n; first += block)
    multiply_add<operand::as_is, operand::transposed>(rows, std::min(block, n - first), n - first, 1.0F, in + first,
                                                      in_leading, &upper(first, first), upper.leading(),
                                                      halfway + first, half_leading);
  for (std::int64_t r = 0; r < rows; ++r) std::fill_n(out + r * out_leading, n, 0.0F);
  for (std::int64_t first = 0; first < n; first += block) {
    const auto width = std::min(block, n - first);
    multiply_add<operand::as_is, operand::as_is>(rows, width, first + width, 1.0F, halfway, half_leading,
                                                 &upper(0, first), upper.leading(), out + first, out_leading);
  }
}

}  // namespace miq::obs::detail
