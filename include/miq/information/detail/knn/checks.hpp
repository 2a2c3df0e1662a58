// What nearest neighbours ask of options and samples, and the constant of their estimates.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numbers>

#include <miq/information/detail/samples/checks.hpp>
#include <miq/information/knn_options.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

inline constexpr std::int64_t most_knn_tokens = std::int64_t{1} << 24;

inline void require_knn(const char* function, const knn_options& options, std::int64_t tokens) {
  require(options.neighbours >= 1, function, ": neighbours must be at least 1, got ", options.neighbours);
  require(options.variant == ksg_variant::first || options.variant == ksg_variant::second, function,
          ": variant must be a ksg_variant, got ", static_cast<int>(options.variant));
  require(options.noise >= 0 && options.noise <= 1, function, ": noise must be from 0 to 1 deviations, got ",
          options.noise);
  require(tokens <= most_knn_tokens, function, ": samples must hold at most ", most_knn_tokens, " tokens, got ",
          tokens);
  require(tokens > options.neighbours, function, ": samples must hold at least ", options.neighbours + 1,
          " tokens for ", options.neighbours, " neighbours, got ", tokens);
}

inline bool few_knn_tokens(const knn_options& options, std::int64_t tokens) {
  return tokens < std::max<std::int64_t>(100, 20 * static_cast<std::int64_t>(options.neighbours));
}

/// psi(n), for whole n.
inline double digamma(std::int64_t n) {
  double sum = -std::numbers::egamma;
  for (std::int64_t i = n - 1; i > 0; --i) sum += 1.0 / static_cast<double>(i);
  return sum;
}

/// What the mean over tokens is taken from.
inline double knn_start(const knn_options& options, std::int64_t tokens) {
  return digamma(tokens) + digamma(options.neighbours) -
         (options.variant == ksg_variant::second ? 1.0 / options.neighbours : 0.0);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
