// What estimators from samples do with single channels on a device: ranges, keys to sort by, and the sorted keys'
// search.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>
#include <miq/information/detail/affinity/body.hpp>
#include <miq/information/detail/samples/ordered_bits.hpp>

namespace miq::information::detail {

/// What is known of a channel.
enum channel_flag : std::uint8_t {
  channel_constant = 1,    ///< one value only
  channel_not_finite = 2,  ///< has a NaN or an infinity
  channel_capped = 4,      ///< the rule asked for more bins than there may be
  channel_spreadless = 8   ///< quartiles coincide where the rule asks for them
};

/// Smallest and largest value of each channel, and whether it is constant or not finite. Of values that are not finite
/// nothing is taken over.
struct channel_range_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t channels_of_block = 32;
  static constexpr std::int64_t parts = 8;  // of the tokens, each gone through in order

  const float* samples = nullptr;  // [tokens, channels]
  std::int64_t samples_leading = 0;
  std::int64_t tokens = 0;
  std::int64_t channels = 0;
  float* minimum = nullptr;  // [channels]
  float* maximum = nullptr;
  std::uint8_t* flags = nullptr;

  struct range {
    float low, high;
    std::int32_t bad;
  };

  std::int64_t blocks() const { return (channels + channels_of_block - 1) / channels_of_block; }
  std::int64_t scratch_bytes() const { return channels_of_block * parts * static_cast<std::int64_t>(sizeof(range)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const ranges = reinterpret_cast<range*>(scratch);
    const auto first = block * channels_of_block;
    for (std::int64_t k = group.rank(); k < channels_of_block * parts; k += group.size()) {
      const auto c = first + k % channels_of_block;
      if (c >= channels) continue;
      range own{not_a_number(), not_a_number(), 0};
      for (auto t = k / channels_of_block; t < tokens; t += parts) {
        const float x = samples[t * samples_leading + c];
        if (!is_finite(x)) {
          own.bad = 1;
          continue;
        }
        if (!(own.low <= x)) own.low = x;
        if (!(own.high >= x)) own.high = x;
      }
      ranges[k] = own;
    }
    group.sync();
    for (std::int64_t k = group.rank(); k < channels_of_block && first + k < channels; k += group.size()) {
      range all = ranges[k];
      for (std::int64_t part = 1; part < parts; ++part) {
        const auto& other = ranges[part * channels_of_block + k];
        if (other.low < all.low || !is_finite(all.low)) all.low = other.low;
        if (other.high > all.high || !is_finite(all.high)) all.high = other.high;
        all.bad |= other.bad;
      }
      minimum[first + k] = all.low;
      maximum[first + k] = all.high;
      const auto flag = all.bad != 0 ? 0U + channel_not_finite : all.low == all.high ? 0U + channel_constant : 0U;
      flags[first + k] = static_cast<std::uint8_t>(flag);
    }
  }
};

/// Channels contiguous, as integers that order as their values do.
struct channel_keys_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 32;

  const float* samples = nullptr;  // [tokens, channels], the first channel that is wanted
  std::int64_t samples_leading = 0;
  std::int64_t tokens = 0;
  std::int64_t channels = 0;
  std::uint32_t* keys = nullptr;  // [channels, tokens]

  MIQ_HOST_DEVICE std::int64_t token_blocks() const { return (tokens + tile - 1) / tile; }
  std::int64_t blocks() const { return (channels + tile - 1) / tile * token_blocks(); }
  std::int64_t scratch_bytes() const { return tile * (tile + 1) * static_cast<std::int64_t>(sizeof(std::uint32_t)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const square = reinterpret_cast<std::uint32_t*>(scratch);
    const auto first = block / token_blocks() * tile, begin = block % token_blocks() * tile;
    for (std::int64_t k = group.rank(); k < tile * tile; k += group.size()) {
      const auto t = begin + k / tile, c = first + k % tile;
      if (t < tokens && c < channels)
        square[(k % tile) * (tile + 1) + k / tile] = ordered_bits(samples[t * samples_leading + c]);
    }
    group.sync();
    for (std::int64_t k = group.rank(); k < tile * tile; k += group.size()) {
      const auto c = first + k / tile, t = begin + k % tile;
      if (t < tokens && c < channels) keys[c * tokens + t] = square[(k / tile) * (tile + 1) + k % tile];
    }
  }
};

/// Where the segments of equal length begin that a library sorts.
struct segment_offsets_body {
  static constexpr int lanes = 256;

  std::int64_t segments = 0;
  std::int64_t length = 0;
  std::int32_t* offsets = nullptr;  // [segments + 1]

  std::int64_t blocks() const { return (segments + 1 + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (std::int64_t k = block * lanes + group.rank(); k <= segments && k < (block + 1) * lanes; k += group.size())
      offsets[k] = static_cast<std::int32_t>(k * length);
  }
};

/// How many of `count` sorted keys are smaller than `key`.
MIQ_HOST_DEVICE inline std::int64_t keys_below(const std::uint32_t* sorted, std::int64_t count, std::uint32_t key) {
  std::int64_t first = 0;
  while (count > 0) {
    const auto half = count / 2;
    if (sorted[first + half] < key) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first;
}

/// How many are smaller (`lower`) and how many are not larger (`upper`) than a key that is among them.
struct key_ranks {
  std::int64_t lower = 0, upper = 0;
};

MIQ_HOST_DEVICE inline key_ranks ranks_of_key(const std::uint32_t* sorted, std::int64_t count, std::uint32_t key) {
  const auto lower = keys_below(sorted, count, key);
  if (lower + 1 < count && sorted[lower + 1] != key) return {lower, lower + 1};  // most often it is alone
  const auto above = key == 0xFFFFFFFFU ? count - lower : keys_below(sorted + lower, count - lower, key + 1);
  return {lower, lower + above};
}

/// a b + c with both roundings, whatever the compiler would like to fuse.
MIQ_HOST_DEVICE inline double unfused(double a, double b, double c) {
#if defined(__CUDA_ARCH__)
  return __dadd_rn(__dmul_rn(a, b), c);
#else
  const volatile double product = a * b;
  return product + c;
#endif
}

}  // namespace miq::information::detail
