#pragma once

#include <algorithm>

namespace miq::calibration {
namespace detail {

/// What `hessian` asks of shapes, in any memory.
template <class Space>
void require_hessian(const statistics_view<Space>& seen, const matrix_view<float, Space>& out) {
  using miq::detail::require, miq::detail::shape_text;
  const auto columns = seen.covariance.columns();
  require(seen.covariance.rows() == columns, "hessian: the covariance must be square, got ",
          shape_text(seen.covariance.rows(), columns));
  require(seen.mean.size() == columns, "hessian: mean must have ", columns, " elements to match the covariance, got ",
          seen.mean.size());
  require(out.rows() == columns && out.columns() == columns, "hessian: hessian must be ", shape_text(columns, columns),
          " to match the statistics, got ", shape_text(out.rows(), out.columns()));
  require(seen.tokens >= 1, "hessian: at least 1 token must have been seen, got ", seen.tokens);
  require(!miq::detail::overlap(seen.covariance, matrix_view<const float, Space>(out)),
          "hessian: hessian must not overlap the covariance");
}

template <on_host Exec>
void hessian_on(const Exec& exec, const statistics_view<>& seen, matrix_view<float> out) {
  require_hessian(seen, out);
  const auto columns = seen.covariance.columns();
  constexpr std::int64_t strip = 32;
  exec.parallel_for(columns, [&](std::int64_t i) {
    // Products of floats are exact in double and do not mind their order, so symmetry carries over.
    const auto mean = static_cast<double>(seen.mean[i]);
    const float* const from = &seen.covariance(i, 0);
    const float* const means = seen.mean.data();
    float* const to = &out(i, 0);
    std::int64_t j = 0;
    for (; j + strip <= columns; j += strip)
      for (std::int64_t k = 0; k < strip; ++k)
        to[j + k] =
            static_cast<float>(2.0 * (static_cast<double>(from[j + k]) + mean * static_cast<double>(means[j + k])));
    for (; j < columns; ++j)
      to[j] = static_cast<float>(2.0 * (static_cast<double>(from[j]) + mean * static_cast<double>(means[j])));
  });
}

}  // namespace detail

template <executor Exec>
void hessian(const Exec& exec, const statistics_view<memory_of<Exec>>& seen,
             matrix_view<float, memory_of<Exec>> hessian) {
  detail::hessian_on(exec, seen, hessian);
}

}  // namespace miq::calibration
