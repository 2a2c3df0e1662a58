// information/estimate.hpp: what all estimators of mutual information from samples have in common.
#pragma once

#include <cstdint>

namespace miq::information {

/// Two channels, by their columns.
struct channel_pair {
  std::int64_t first = 0;
  std::int64_t second = 0;
};

/// What happened on the way, whatever the estimator.
struct estimate_result {
  std::int64_t constant = 0;    ///< channels with one value only; their information and discrete entropy are exactly 0
  std::int64_t negative = 0;    ///< pairs (i < j) with a negative estimate: kept, or set to 0 where the options say so
  bool few_tokens = false;      ///< fewer tokens than the estimator needs for a useful value, though it can be computed
  std::int64_t not_finite = 0;  ///< on a device: channels with a NaN or an infinity, whose information is NaN; on the
                                ///< host these are errors
};

/// What the entropies of an estimator are, if it has any.
enum class entropy_kind {
  none,         ///< there are none
  discrete,     ///< never negative, of any use for `normalise`
  differential  ///< depend on the channel's unit and may be negative
};

/// What belongs to an estimator, by the type of its options; specialised beside these, for every member of
/// `estimator_options`:
///
///     using result = ...;                                what it reports, derived from `estimate_result`
///     static constexpr const char* name = ...;           of its functions; in errors and files
///     static constexpr entropy_kind entropies = ...;
///     static auto estimate(const auto&... arguments);    its functions, of host and device, by their arguments
///     static auto entropy(const auto&... arguments);     the same, of entropies; left out with `entropy_kind::none`
template <class Options>
struct estimator_traits;

}  // namespace miq::information
