// Mutual information from kernel densities: the kernel bodies. Kernels and their sums are float, logarithms whole
// numbers of 2^-32, so that the sums of these do not depend on who adds what.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <miq/core/detail/upper_tiles.hpp>
#include <miq/core/group.hpp>
#include <miq/information/detail/kde/kernel_width.hpp>
#include <miq/information/detail/samples/ordered_bits.hpp>
#include <miq/information/kde.hpp>

namespace miq::information::detail {

/// Of a channel, what is one number.
struct kde_channel {
  std::int64_t logarithms = 0;  ///< sum over the tokens of the logarithm of the kernels' sum, of the channel alone
  std::int32_t constant = 0;
  std::int32_t finite = 1;
};

/// Channels, prepared.
struct kde_arrays {
  std::int64_t channels = 0;
  std::int64_t tokens = 0;
  bool leave_one_out = true;
  float* units = nullptr;       // [channels, tokens], in kernel units
  kde_channel* each = nullptr;  // [channels]

  MIQ_HOST_DEVICE bool usable(std::int64_t c) const { return each[c].finite != 0 && each[c].constant == 0; }
};

/// 2^(-d^2), at least 2^-62.
MIQ_HOST_DEVICE inline float kernel_of(float d) {
  const float square = d * d;
  return std::exp2(-(square < largest_exponent ? square : largest_exponent));
}

/// ln v in units of 2^-32.
MIQ_HOST_DEVICE inline std::int64_t fixed_logarithm(float v) {
  return static_cast<std::int64_t>(std::nearbyint(std::log(static_cast<double>(v)) * 0x1.0p32));
}

/// Tokens whose kernels are added up before their sum joins the others', as on the host.
inline constexpr std::int64_t kernels_together = 64;

/// The sum over the tokens s of `kernel(s)` at token t, which is left out if wanted.
template <class Kernel>
MIQ_HOST_DEVICE float kernel_sum(std::int64_t tokens, std::int64_t left_out, const Kernel& kernel) {
  float sum = 0;
  for (std::int64_t first = 0; first < tokens; first += kernels_together) {
    const auto end = first + kernels_together < tokens ? first + kernels_together : tokens;
    float part = 0;
    for (auto s = first; s < end; ++s)
      if (s != left_out) part += kernel(s);
    sum += part;
  }
  return sum;
}

/// Widths of channels from their sorted values (keys of `ordered_bits`), and the values in units of them. One channel a
/// block; the moments are summed by one lane in the order of the values, as on the host.
struct kde_units_body {
  static constexpr int lanes = 256;

  kde_arrays a;
  const float* samples = nullptr;  // [tokens, ...]
  std::int64_t leading = 0;
  const std::int64_t* columns = nullptr;  // [channels], of the samples; null: the first ones
  const std::uint64_t* sorted = nullptr;  // [channels, tokens]
  bool silverman = false;
  double factor = 1;  // see kernel_width_factor
  double power = 1;   // see kernel_width_power

  std::int64_t blocks() const { return a.channels; }
  std::int64_t scratch_bytes() const { return static_cast<std::int64_t>(sizeof(kernel_width)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t c, std::byte* scratch) const {
    auto& width = *reinterpret_cast<kernel_width*>(scratch);
    const std::uint64_t* const keys = sorted + c * a.tokens;
    const auto value_at = [&](std::int64_t p) {
      return static_cast<double>(value_of_ordered_bits(static_cast<std::uint32_t>(keys[p])));
    };
    // Sorted, what is not finite is at the ends.
    const double least = value_at(0), most = value_at(a.tokens - 1);
    const bool finite = least - least == 0 && most - most == 0;
    if (group.rank() == 0) {
      kde_channel channel;
      channel.finite = finite ? 1 : 0;
      channel.constant = finite && least == most ? 1 : 0;
      a.each[c] = channel;
      if (finite && least != most) width = kernel_width_of(value_at, a.tokens, silverman, factor, power);
    }
    group.sync();
    if (!finite || least == most) {  // kernels of it are asked for by blocks, and then left alone
      for (std::int64_t t = group.rank(); t < a.tokens; t += group.size()) a.units[c * a.tokens + t] = 0;
      return;
    }
    const auto column = columns != nullptr ? columns[c] : c;
    for (std::int64_t t = group.rank(); t < a.tokens; t += group.size())
      a.units[c * a.tokens + t] = in_kernel_units(samples[t * leading + column], width);
  }
};

/// Logarithms of the densities of channels alone. A share of the tokens of one channel a block.
struct kde_alone_body {
  static constexpr int lanes = 256;

  kde_arrays a;

  MIQ_HOST_DEVICE std::int64_t shares() const { return (a.tokens + lanes - 1) / lanes; }
  std::int64_t blocks() const { return a.channels * shares(); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto c = block / shares();
    if (!a.usable(c)) return;
    const float* const u = a.units + c * a.tokens;
    const auto first = block % shares() * lanes;
    const auto end = first + lanes < a.tokens ? first + lanes : a.tokens;
    std::int64_t sum = 0;
    for (auto t = first + group.rank(); t < end; t += group.size())
      sum += fixed_logarithm(kernel_sum(a.tokens, a.leave_one_out ? t : std::int64_t{-1},
                                        [&](std::int64_t s) { return kernel_of(u[t] - u[s]); }));
    sum = sum_over_lanes(group, sum, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0) add_atomically(&a.each[c].logarithms, sum);
  }
};

/// Logarithms of the joint densities of listed pairs. A share of the tokens of one pair a block.
struct kde_pair_body {
  static constexpr int lanes = 256;

  kde_arrays a;
  const channel_pair* pairs = nullptr;  // [count]
  std::int64_t count = 0;
  std::int64_t* joint = nullptr;  // [count], 0 before
  kde_result* result = nullptr;

  MIQ_HOST_DEVICE std::int64_t shares() const { return (a.tokens + lanes - 1) / lanes; }
  std::int64_t blocks() const { return count * shares(); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    const auto number = block / shares();
    const auto pair = pairs[number];
    if (pair.first == pair.second || !a.usable(pair.first) || !a.usable(pair.second)) return;
    const float* const u = a.units + pair.first * a.tokens;
    const float* const v = a.units + pair.second * a.tokens;
    const auto floor = static_cast<float>(a.tokens) * floored_share;
    const auto first = block % shares() * lanes;
    const auto end = first + lanes < a.tokens ? first + lanes : a.tokens;
    std::int64_t sum = 0, floored = 0;
    for (auto t = first + group.rank(); t < end; t += group.size()) {
      const float density = kernel_sum(a.tokens, a.leave_one_out ? t : std::int64_t{-1},
                                       [&](std::int64_t s) { return kernel_of(u[t] - u[s]) * kernel_of(v[t] - v[s]); });
      sum += fixed_logarithm(density);
      if (density < floor) ++floored;
    }
    sum = sum_over_lanes(group, sum, slots);
    floored = sum_over_lanes(group, floored, slots);
    if (group.rank() == 0) {
      add_atomically(joint + number, sum);
      if (floored > 0) add_atomically(&result->floored, floored);
    }
  }
};

/// For some tokens t, the kernels with all tokens of a block of channels: rows of products.
struct kde_rows_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t share = 2048;  // tokens s of a block

  kde_arrays a;
  std::int64_t first_token = 0;
  std::int64_t token_count = 0;
  std::int64_t first_channel = 0;
  std::int64_t channel_count = 0;
  float* rows = nullptr;  // [token_count, channel_count, tokens]

  MIQ_HOST_DEVICE std::int64_t shares() const { return (a.tokens + share - 1) / share; }
  std::int64_t blocks() const { return token_count * channel_count * shares(); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto row = block / shares();
    const auto t = first_token + row / channel_count;
    const float* const u = a.units + (first_channel + row % channel_count) * a.tokens;
    const auto first = block % shares() * share;
    const auto end = first + share < a.tokens ? first + share : a.tokens;
    for (auto s = first + group.rank(); s < end; s += group.size())
      rows[row * a.tokens + s] = a.leave_one_out && s == t ? 0.0F : kernel_of(u[t] - u[s]);
  }
};

/// Adds the logarithms of products of rows to those of the pairs of two blocks of channels.
struct kde_logarithms_body {
  static constexpr int lanes = 256;

  kde_arrays a;
  std::int64_t token_count = 0;
  std::int64_t rows = 0;       // channels of the first block
  std::int64_t columns = 0;    // of the second
  std::int64_t first_row = 0;  // of all channels
  std::int64_t first_column = 0;
  const float* products = nullptr;  // [token_count, rows, columns]
  std::int64_t* joint = nullptr;    // [rows, columns]
  kde_result* result = nullptr;

  std::int64_t blocks() const { return (rows * columns + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto floor = static_cast<float>(a.tokens) * floored_share;
    const auto size = rows * columns;
    std::int64_t floored = 0;
    for (auto k = block * lanes + group.rank(); k < (block + 1) * lanes && k < size; k += group.size()) {
      const auto i = first_row + k / columns, j = first_column + k % columns;
      if (i >= j || !a.usable(i) || !a.usable(j)) continue;
      std::int64_t sum = 0;
      for (std::int64_t t = 0; t < token_count; ++t) {
        const float density = products[t * size + k];
        sum += fixed_logarithm(density);
        if (density < floor) ++floored;
      }
      joint[k] += sum;
    }
    floored = sum_over_lanes(group, floored, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && floored > 0) add_atomically(&result->floored, floored);
  }
};

/// Estimates from sums of logarithms: of a list, or of two blocks of channels, to both places.
struct kde_finish_body {
  static constexpr int lanes = 256;
  static constexpr float not_known = std::numeric_limits<float>::quiet_NaN();

  kde_arrays a;
  const channel_pair* pairs = nullptr;  // [rows], with one column; null: blocks
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t first_row = 0;
  std::int64_t first_column = 0;
  const std::int64_t* joint = nullptr;  // [rows, columns]
  double start = 0;                     // ln of the number of kernels in a sum
  bool clip_negative = false;
  float* mi = nullptr;
  std::int64_t leading = 0;
  kde_result* result = nullptr;

  std::int64_t blocks() const { return (rows * columns + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    std::int64_t negative = 0;
    for (auto k = block * lanes + group.rank(); k < (block + 1) * lanes && k < rows * columns; k += group.size()) {
      const auto i = pairs != nullptr ? pairs[k].first : first_row + k / columns;
      const auto j = pairs != nullptr ? pairs[k].second : first_column + k % columns;
      if (pairs == nullptr && i > j) continue;
      float value = 0;
      if (i != j && a.usable(i) && a.usable(j)) {
        const double estimate = start + static_cast<double>(joint[k] - (a.each[i].logarithms + a.each[j].logarithms)) *
                                            0x1.0p-32 / static_cast<double>(a.tokens);
        if (estimate < 0) ++negative;
        value = clip_negative && estimate < 0 ? 0.0F : static_cast<float>(estimate);
      } else if (i != j && (a.each[i].finite == 0 || a.each[j].finite == 0)) {
        value = not_known;
      }
      if (pairs != nullptr) {
        mi[k] = value;
      } else {
        mi[i * leading + j] = value;
        mi[j * leading + i] = value;
      }
    }
    negative = sum_over_lanes(group, negative, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && negative > 0) add_atomically(&result->negative, negative);
  }
};

/// Counts channels that are constant or not finite. One block.
struct kde_count_body {
  static constexpr int lanes = 256;

  kde_arrays a;
  kde_result* result = nullptr;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    std::int64_t constant = 0, not_finite = 0;
    for (std::int64_t c = group.rank(); c < a.channels; c += group.size()) {
      constant += a.each[c].constant;
      not_finite += 1 - a.each[c].finite;
    }
    constant = sum_over_lanes(group, constant, slots);
    not_finite = sum_over_lanes(group, not_finite, slots);
    if (group.rank() == 0) {
      result->constant = constant;
      result->not_finite = not_finite;
    }
  }
};

}  // namespace miq::information::detail
