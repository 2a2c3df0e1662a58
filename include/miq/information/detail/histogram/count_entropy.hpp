// What makes entropies out of counts, on both machines: n ln n in fixed point, and the James-Stein shrinkage.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/version.hpp>

namespace miq::information::detail {

/// Larger counts are not looked up in tables of n ln n.
inline constexpr std::int32_t most_tabulated = 0xFFFF;

/// Binary digits behind the point that T ln T leaves in 60 bits.
inline int n_log_n_shift(std::int64_t tokens) {
  const auto count = static_cast<double>(tokens);
  return 60 - static_cast<int>(std::ceil(std::log2(count * std::log(count) + 1)));
}

/// n ln n in fixed point: sums of them are exact and have no order.
MIQ_HOST_DEVICE inline std::int64_t fixed_n_log_n(double n, int shift) {
  return n < 2 ? 0 : std::llround(std::ldexp(n * std::log(n), shift));
}

/// The James-Stein shrinkage of Hausser and Strimmer: p = shrink / cells + (1 - shrink) n / T.
struct shrinkage {
  double shrink = 1;
  double count = 0;  ///< T

  /// @param squares  sum of n^2
  MIQ_HOST_DEVICE shrinkage(double squares, double tokens, double cells) : count(tokens) {
    const double sum = squares / (tokens * tokens);
    const double away = sum - 1 / cells;  // sum of (p - 1 / cells)^2
    if (!(away > 0 && tokens > 1)) return;
    shrink = (1 - sum) / ((tokens - 1) * away);
    if (shrink < 0) shrink = 0;
    if (shrink > 1) shrink = 1;
  }

  /// -p ln p of a cell (or a margin of cells) that `n` tokens reach and whose share of the target is `target`, in
  /// fixed point, so that sums have no order.
  MIQ_HOST_DEVICE std::int64_t term(double n, double target) const {
    const double p = shrink * target + (1 - shrink) * n / count;
    return p > 0 ? std::llround(std::ldexp(-p * std::log(p), 52)) : 0;
  }
  MIQ_HOST_DEVICE static double value(std::int64_t terms) { return std::ldexp(static_cast<double>(terms), -52); }
};

}  // namespace miq::information::detail
