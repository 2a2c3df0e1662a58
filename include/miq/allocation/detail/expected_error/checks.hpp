// What functions that take tables of expected errors ask of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::allocation::detail {

inline void require_widths(const char* function, std::span<const int> widths, int most) {
  for (const auto width : widths)
    miq::detail::require(width >= 1 && width <= most, function, ": widths must be 1 to ", most, ", got ", width);
}

inline void require_errors(const char* function, const char* name, matrix_view<const double> errors) {
  for (std::int64_t i = 0; i < errors.rows(); ++i)
    for (std::int64_t k = 0; k < errors.columns(); ++k)
      miq::detail::require(std::isfinite(errors(i, k)) && errors(i, k) >= 0, function, ": ", name,
                           " must be finite and not negative, got ", errors(i, k), " in row ", i, ", column ", k);
}

}  // namespace miq::allocation::detail
