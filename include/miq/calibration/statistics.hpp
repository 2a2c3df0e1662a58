// calibration/statistics.hpp: what is known of a layer's input columns: covariance, means, amplitudes, ranges.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::calibration {

/// The statistics of c columns (input channels) over all tokens, in the memory of an executor. Owns nothing.
///
/// Functions that take it name the parts they read. `minimum` and `maximum` decide exactly whether a column is
/// constant; statistics that come from elsewhere may leave both empty, and then a column is constant if its variance is
/// 0.
template <class Space = host_memory>
struct statistics_view {
  std::int64_t tokens = 0;                        ///< tokens that were seen, n
  matrix_view<const float, Space> covariance;     ///< [c, c]: 1/n sum (x - mean)(x - mean)^T, symmetric to the bit
  vector_view<const float, Space> mean;           ///< [c]: 1/n sum x
  vector_view<const float, Space> mean_absolute;  ///< [c]: 1/n sum |x|
  vector_view<const float, Space> minimum;        ///< [c]
  vector_view<const float, Space> maximum;        ///< [c]

  std::int64_t columns() const { return covariance.columns(); }
};

/// The same on the host, owning its memory: 4 c^2 + 16 c bytes. Converts to a view wherever one is asked for.
struct statistics {
  std::int64_t tokens = 0;           ///< tokens that were seen, n
  matrix<float> covariance;          ///< [c, c]: 1/n sum (x - mean)(x - mean)^T, symmetric to the bit
  std::vector<float> mean;           ///< [c]: 1/n sum x
  std::vector<float> mean_absolute;  ///< [c]: 1/n sum |x|
  std::vector<float> minimum;        ///< [c]
  std::vector<float> maximum;        ///< [c]

  std::int64_t columns() const { return covariance.columns(); }

  /// Whether column c was 0 for every token. Its variance and covariances are exactly 0.
  bool is_dead(std::int64_t c) const { return is_constant(c) && minimum[static_cast<std::size_t>(c)] == 0.0F; }

  /// Whether column c had one value for every token (so dead columns are constant too). Its variance and covariances
  /// are exactly 0, its mean is exactly that value.
  bool is_constant(std::int64_t c) const {
    return minimum[static_cast<std::size_t>(c)] == maximum[static_cast<std::size_t>(c)];
  }

  statistics_view<> view() const { return {tokens, covariance.view(), mean, mean_absolute, minimum, maximum}; }
  operator statistics_view<>() const { return view(); }
};

/// The Hessian of the layer's squared output error, per output row and per token, in the convention of SparseGPT:
/// `H = 2/n sum x x^T = 2 (C + m m^T)` (Frantar and Alistarh 2023, section 3; n counts tokens).
///
/// @param exec     where to run; does not allocate, does not synchronise
/// @param statistics     covariance [c, c] and mean [c] of at least 1 token
/// @param hessian  [c, c], written whole, symmetric to the bit. The row and column of a dead column are 0.
/// @throws invalid_argument  if shapes differ, no token was seen, or `hessian` overlaps the covariance; `hessian` is
///                           untouched
///
/// Cost: reads and writes c^2 floats once. Each element is computed in double and rounded once.
template <executor Exec>
void hessian(const Exec& exec, const statistics_view<memory_of<Exec>>& statistics,
             matrix_view<float, memory_of<Exec>> hessian);

}  // namespace miq::calibration

#if !defined(MIQ_PRECOMPILED)
#include <miq/calibration/detail/statistics/host.inl>
#endif
