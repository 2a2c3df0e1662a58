// Affinities, distances and normalisations of a matrix of information: the kernel body.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/core/numeric_types.hpp>
#include <miq/information/detail/affinity/symmetric_tile.hpp>
#include <miq/information/normalisation.hpp>

namespace miq::information::detail {

MIQ_HOST_DEVICE inline float not_a_number() { return miq::detail::bits_as<float>(0x7FC00000U); }
MIQ_HOST_DEVICE inline bool is_finite(float x) {
  return (miq::detail::bits_as<std::uint32_t>(x) & 0x7F800000U) != 0x7F800000U;
}

/// sqrt(1 - exp(-2 I)).
struct coefficient_map {
  static constexpr bool clips = true;
  MIQ_HOST_DEVICE bool usable(std::int64_t, std::int64_t, double) const { return true; }
  MIQ_HOST_DEVICE double operator()(std::int64_t, std::int64_t, double x) const {
    return x > 0 ? std::sqrt(-std::expm1(-2 * x)) : 0.0;
  }
};

/// exp(-I).
struct distance_map {
  static constexpr bool clips = true;
  MIQ_HOST_DEVICE bool usable(std::int64_t, std::int64_t, double) const { return true; }
  MIQ_HOST_DEVICE double operator()(std::int64_t, std::int64_t, double x) const { return std::exp(-x); }
};

/// I over what the entropies of both channels make; none of them is asked for `normalisation::none`.
template <normalisation How>
struct ratio_map {
  static constexpr bool clips = false;
  const float* entropies = nullptr;  // [c]

  /// Neither NaN, nor infinite, nor negative; but minus infinity is a continuous channel that holds nothing.
  MIQ_HOST_DEVICE static bool allowed(float h) { return (is_finite(h) && h >= 0) || h < -0x1.FFFFFEp127F; }
  MIQ_HOST_DEVICE static bool nothing(float h) { return !(h > 0); }

  MIQ_HOST_DEVICE bool usable(std::int64_t i, std::int64_t j, double x) const {
    if constexpr (How == normalisation::none) return true;
    const float a = entropies[i], b = entropies[j];
    return allowed(a) && allowed(b) && (x == 0 || !(nothing(a) || nothing(b)));
  }
  MIQ_HOST_DEVICE double operator()(std::int64_t i, std::int64_t j, double x) const {
    if (x == 0) return 0;
    if constexpr (How == normalisation::none) {
      return x;
    } else {
      const auto a = static_cast<double>(entropies[i]), b = static_cast<double>(entropies[j]);
      if constexpr (How == normalisation::arithmetic) return x / (0.5 * (a + b));
      if constexpr (How == normalisation::geometric) return x / std::sqrt(a * b);
      if constexpr (How == normalisation::minimum) return x / (b < a ? b : a);
      return x / (a < b ? b : a);
    }
  }
};

/// One tile of the upper triangle a block. What is counted is added to `result`, which holds zeros before.
template <class Map, class Result>
struct information_map_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 32;

  std::int64_t columns = 0;
  const float* mi = nullptr;  // [columns, columns], the upper triangle without the diagonal is read
  std::int64_t mi_leading = 0;
  float* out = nullptr;
  std::int64_t out_leading = 0;
  Map map;
  Result* result = nullptr;

  std::int64_t blocks() const { return miq::detail::upper_tiles(columns, tile); }
  std::int64_t scratch_bytes() const {
    return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)) +
           symmetric_tile_floats(tile) * static_cast<std::int64_t>(sizeof(float));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const values = reinterpret_cast<float*>(slots + lanes);
    std::int64_t clipped = 0, not_finite = 0, unusable = 0;
    write_symmetric_tile(group, miq::detail::upper_tile(block, columns, tile), tile, values, out, out_leading,
                         [&](std::int64_t i, std::int64_t j) {
                           const float from = mi[i * mi_leading + j];
                           auto x = static_cast<double>(from);
                           if (!is_finite(from)) {
                             ++not_finite;
                             return not_a_number();
                           }
                           if (!map.usable(i, j, x)) {
                             ++unusable;
                             return not_a_number();
                           }
                           if (Map::clips && x < 0) {
                             ++clipped;
                             x = 0;
                           }
                           return static_cast<float>(map(i, j, x));
                         });
    clipped = sum_over_lanes(group, clipped, slots);
    not_finite = sum_over_lanes(group, not_finite, slots);
    if constexpr (!Map::clips) unusable = sum_over_lanes(group, unusable, slots);
    if (group.rank() != 0) return;
    if (clipped != 0) add_atomically(&result->clipped, clipped);
    if (not_finite != 0) add_atomically(&result->not_finite, not_finite);
    if constexpr (!Map::clips)
      if (unusable != 0) add_atomically(&result->unusable, unusable);
  }
};

}  // namespace miq::information::detail
