// information/correlation_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>

#include <miq/information/estimate.hpp>

namespace miq::information {

/// What `correlation` may be asked for.
struct correlation_options {
  float max_correlation = 0.999999F;  ///< |rho| above this is lowered to it, and counted in the result; in (0, 1)
};

/// What happened on the way; written in the executor's memory, fetched when the caller likes. `constant` counts
/// channels without variance; `few_tokens`: fewer than 100, where independent channels read about 1/(2 tokens), 0.005
/// nats or more; nothing is ever negative.
struct correlation_result : estimate_result {
  std::int64_t clamped = 0;  ///< pairs i < j whose |rho| exceeded `max_correlation`
};

/// See `estimator_traits`.
template <>
struct estimator_traits<correlation_options> {
  using result = correlation_result;
  static constexpr const char* name = "correlation";
  static constexpr auto entropies = entropy_kind::differential;
  static auto estimate(const auto&... arguments) -> decltype(correlation(arguments...)) {
    return correlation(arguments...);
  }
  static auto entropy(const auto&... arguments) -> decltype(gaussian_entropy(arguments...)) {
    return gaussian_entropy(arguments...);
  }
};

}  // namespace miq::information
