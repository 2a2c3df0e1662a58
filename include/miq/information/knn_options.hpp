// information/knn_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>

#include <miq/information/estimate.hpp>

namespace miq::information {

/// Which of the two estimators of Kraskov, Stoegbauer and Grassberger (2004, "Estimating mutual information").
enum class ksg_variant {
  first,  ///< eq. 8: one square around a point; counts of points strictly inside its sides. Less variance
  second  ///< eq. 9: one rectangle; counts up to and with its sides. Less bias where the dependence is strong
};

/// What `knn` may be asked for.
struct knn_options {
  int neighbours = 3;                        ///< k, at least 1: a larger one has less variance and more bias
  ksg_variant variant = ksg_variant::first;  ///< see there
  /// Equal values are spread uniformly over this many deviations of the channel, from 0 (not at all) to 1; n of them
  /// over at least `256 sqrt(n T) / 7e8` deviations (0.001 for half of 2048 tokens), the resolution being finite.
  /// Values that occur once stay as they are. The default is some thousand times what float resolves in standardised
  /// channels.
  float noise = 0x1p-11F;
  std::uint64_t seed = 0;      ///< of the noise
  bool clip_negative = false;  ///< whether negative estimates become 0
};

/// What happened on the way.
struct knn_result : estimate_result {
  std::int64_t tied = 0;  ///< channels in use, not constant, in which a value occurs more than once
};

/// See `estimator_traits`.
template <>
struct estimator_traits<knn_options> {
  using result = knn_result;
  static constexpr const char* name = "knn";
  static constexpr auto entropies = entropy_kind::differential;
  static auto estimate(const auto&... arguments) -> decltype(knn(arguments...)) { return knn(arguments...); }
  static auto entropy(const auto&... arguments) -> decltype(knn_entropy(arguments...)) {
    return knn_entropy(arguments...);
  }
};

}  // namespace miq::information
