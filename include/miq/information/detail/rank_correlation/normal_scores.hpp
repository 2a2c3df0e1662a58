// Ranks, and the quantiles of the normal distribution that stand for them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include <miq/information/detail/samples/ordered_bits.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// The quantile function of the standard normal distribution, to about 1e-15 relative: Newton's method with Halley's
/// correction on `erfc`, from the first-order rational approximation of Abramowitz and Stegun (1964), 26.2.23. In the
/// upper half the mirror image of the lower.
MIQ_HOST_DEVICE inline double normal_quantile(double p) {
  if (p == 0.5) return 0;
  const double lower = p > 0.5 ? 1 - p : p;
  const double t = std::sqrt(-2 * std::log(lower));
  double x = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
  for (int step = 0; step < 3; ++step) {
    const double error = 0.5 * std::erfc(-x / std::numbers::sqrt2) - lower;
    const double u = error * std::sqrt(2 * std::numbers::pi) * std::exp(0.5 * x * x);
    x -= u / (1 + 0.5 * x * u);
  }
  return p > 0.5 ? -x : x;
}

/// The score of a mean rank, given as twice its value, among T tokens: 2 to 2 T. The upper half is the lower one's
/// mirror image, to the bit.
MIQ_HOST_DEVICE inline float normal_score(std::int64_t twice, std::int64_t tokens) {
  const auto mirrored = 2 * tokens + 2 - twice;
  const bool lower = twice <= mirrored;
  const auto p = static_cast<double>(lower ? twice : mirrored) / (2 * (static_cast<double>(tokens) + 1));
  const auto score = static_cast<float>(normal_quantile(p));
  return lower ? score : -score;
}

/// Normal scores of all ranks and half ranks of T tokens.
class normal_scores {
 public:
  explicit normal_scores(std::int64_t tokens) : scores_(static_cast<std::size_t>(2 * tokens + 1)) {
    for (std::int64_t twice = 2; twice <= 2 * tokens; ++twice)
      scores_[static_cast<std::size_t>(twice)] = normal_score(twice, tokens);
  }

  /// Replaces each of the T values by the score of its rank, equal ones by that of their mean rank. Returns the size of
  /// the largest set of equal values. `sorted` is scratch.
  std::int64_t apply(float* values, std::int64_t tokens, std::vector<std::uint64_t>& sorted) const {
    sorted.resize(static_cast<std::size_t>(tokens));
    for (std::int64_t t = 0; t < tokens; ++t)
      sorted[static_cast<std::size_t>(t)] =
          (std::uint64_t{ordered_bits(values[t])} << 32) | static_cast<std::uint64_t>(t);
    std::sort(sorted.begin(), sorted.end());
    std::int64_t most = 0;
    for (std::size_t lower = 0; lower < sorted.size();) {
      auto upper = lower + 1;
      while (upper < sorted.size() && sorted[upper] >> 32 == sorted[lower] >> 32) ++upper;
      const auto score = scores_[lower + upper + 1];  // twice the mean of the ranks lower + 1 to upper
      for (auto k = lower; k < upper; ++k) values[sorted[k] & 0xFFFFFFFF] = score;
      most = std::max(most, static_cast<std::int64_t>(upper - lower));
      lower = upper;
    }
    return most;
  }

 private:
  std::vector<float> scores_;  ///< by twice the rank
};

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
