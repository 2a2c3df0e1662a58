// What the functions of information check about matrices before they write anything.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include <miq/core/detail/vector_lanes.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

using miq::detail::require;
using miq::detail::shape_text;

/// Throws if a value right of the diagonal is NaN or infinite, naming the first.
template <on_host Exec>
void require_finite_upper(const Exec& exec, const char* function, const char* name, matrix_view<const float> m) {
  constexpr std::int64_t step = miq::detail::lanes;
  using miq::detail::float_lanes;
  exec.parallel_for(m.rows(), [&](std::int64_t i) {
    const float* const row = &m(i, 0);
    const auto finite = [](float_lanes x) { return miq::detail::absolute(x) <= std::numeric_limits<float>::max(); };
    miq::detail::int_lanes bad{};
    auto j = i + 1;
    for (; j + step <= m.columns(); j += step) bad |= ~finite(miq::detail::load<float_lanes>(row + j));
    if (j < m.columns()) bad |= ~finite(miq::detail::load_first<float_lanes>(row + j, m.columns() - j));
    if (!miq::detail::any(bad)) return;
    for (j = i + 1; std::isfinite(row[j]);) ++j;
    require(false, function, ": ", name, " must be finite, got ", row[j], " for columns ", i, " and ", j);
  });
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
