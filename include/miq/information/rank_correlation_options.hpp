// information/rank_correlation_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>

#include <miq/information/estimate.hpp>

namespace miq::information {

/// What `rank_correlation` may be asked for.
struct rank_correlation_options {
  float max_correlation = 0.999999F;  ///< |rho| above this is lowered to it, and counted in the result; in (0, 1)
};

/// What happened on the way.
struct rank_correlation_result : estimate_result {
  std::int64_t clamped = 0;  ///< pairs whose |rho| exceeded `max_correlation`
  std::int64_t tied = 0;     ///< channels, constant ones aside, of which more than a tenth of the tokens have one value
};

/// See `estimator_traits`.
template <>
struct estimator_traits<rank_correlation_options> {
  using result = rank_correlation_result;
  static constexpr const char* name = "rank_correlation";
  static constexpr auto entropies = entropy_kind::none;
  static auto estimate(const auto&... arguments) -> decltype(rank_correlation(arguments...)) {
    return rank_correlation(arguments...);
  }
};

}  // namespace miq::information
