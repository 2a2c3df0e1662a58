// Rank correlation on a device: normal scores of ranks, standardised, and the information of their products.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/information/detail/correlation/body.hpp>
#include <miq/information/detail/rank_correlation/normal_scores.hpp>
#include <miq/information/detail/samples/body.hpp>
#include <miq/information/rank_correlation.hpp>

namespace miq::information::detail {

/// Parts in which a channel is summed: always the same, so that sums do not depend on the number of lanes.
inline constexpr std::int64_t sum_parts = 256;

/// Sum of `term(t)` over `count` terms in double, in every lane: part k takes terms k, k + 256...; `slots` is scratch
/// for `sum_parts` doubles. Synchronises.
template <class Group, class Term>
MIQ_HOST_DEVICE double sum_in_parts(const Group& group, std::int64_t count, double* slots, const Term& term) {
  for (std::int64_t k = group.rank(); k < sum_parts; k += group.size()) {
    double sum = 0;
    for (auto t = k; t < count; t += sum_parts) sum += term(t);
    slots[k] = sum;
  }
  group.sync();
  for (auto distance = sum_parts / 2; distance > 0; distance /= 2) {
    for (std::int64_t k = group.rank(); k < distance; k += group.size()) slots[k] += slots[k + distance];
    group.sync();
  }
  const double total = slots[0];
  group.sync();
  return total;
}

/// Normal scores by twice the rank: [2 tokens + 1], the first two not used.
struct score_table_body {
  static constexpr int lanes = 128;

  std::int64_t tokens = 0;
  float* table = nullptr;

  std::int64_t blocks() const { return (2 * tokens + 1 + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (std::int64_t n = block * lanes + group.rank(); n <= 2 * tokens && n < (block + 1) * lanes; n += group.size())
      table[n] = n < 2 ? 0.0F : normal_score(n, tokens);
  }
};

/// Scores of some channels, contiguous; equal values have that of their mean rank.
struct scores_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 32;

  const float* samples = nullptr;  // [tokens, channels], the first channel that is wanted
  std::int64_t samples_leading = 0;
  std::int64_t tokens = 0;
  std::int64_t channels = 0;
  const std::uint32_t* sorted = nullptr;  // [channels, tokens]
  const float* table = nullptr;
  float* scores = nullptr;  // [channels, leading]
  std::int64_t leading = 0;

  MIQ_HOST_DEVICE std::int64_t token_blocks() const { return (tokens + tile - 1) / tile; }
  std::int64_t blocks() const { return (channels + tile - 1) / tile * token_blocks(); }
  std::int64_t scratch_bytes() const { return tile * (tile + 1) * static_cast<std::int64_t>(sizeof(float)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const square = reinterpret_cast<float*>(scratch);
    const auto first = block / token_blocks() * tile, begin = block % token_blocks() * tile;
    for (std::int64_t k = group.rank(); k < tile * tile; k += group.size()) {
      const auto t = begin + k / tile, c = first + k % tile;
      if (t >= tokens || c >= channels) continue;
      const auto ranks = ranks_of_key(sorted + c * tokens, tokens, ordered_bits(samples[t * samples_leading + c]));
      square[(k % tile) * (tile + 1) + k / tile] = table[ranks.lower + ranks.upper + 1];
    }
    group.sync();
    for (std::int64_t k = group.rank(); k < tile * tile; k += group.size()) {
      const auto c = first + k / tile, t = begin + k % tile;
      if (t < tokens && c < channels) scores[c * leading + t] = square[(k / tile) * (tile + 1) + k % tile];
    }
  }
};

/// Scores to mean 0 and mean square 1, where they lie; zeros for channels that are constant or not finite. Counts
/// these, and the channels of which more than a tenth of the tokens have one value. One channel a block.
struct standard_scores_body {
  static constexpr int lanes = 256;

  std::int64_t tokens = 0;
  std::int64_t channels = 0;
  const std::uint8_t* flags = nullptr;    // [channels]
  const std::uint32_t* sorted = nullptr;  // [channels, tokens]
  float* scores = nullptr;                // [channels, leading]
  std::int64_t leading = 0;
  rank_correlation_result* result = nullptr;

  std::int64_t blocks() const { return channels; }
  std::int64_t scratch_bytes() const { return sum_parts * static_cast<std::int64_t>(sizeof(double)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t c, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<double*>(scratch);
    float* const row = scores + c * leading;
    if (flags[c] != 0) {
      for (std::int64_t t = group.rank(); t < tokens; t += group.size()) row[t] = 0;
      if (group.rank() != 0) return;
      if ((flags[c] & channel_constant) != 0) add_atomically(&result->constant, std::int64_t{1});
      if ((flags[c] & channel_not_finite) != 0) add_atomically(&result->not_finite, std::int64_t{1});
      return;
    }
    const auto n = static_cast<double>(tokens);
    const double mean =
        sum_in_parts(group, tokens, slots, [&](std::int64_t t) { return static_cast<double>(row[t]); }) / n;
    const double squares = sum_in_parts(group, tokens, slots, [&](std::int64_t t) {
      const double away = static_cast<double>(row[t]) - mean;
      return away * away;
    });
    const double scale = 1 / std::sqrt(squares / n);
    for (std::int64_t t = group.rank(); t < tokens; t += group.size())
      row[t] = static_cast<float>((static_cast<double>(row[t]) - mean) * scale);
    // A set of equal values larger than a tenth reaches from some place to the one a tenth further on.
    const auto tenth = tokens / 10;
    const auto* const keys = sorted + c * tokens;
    const double ties = sum_in_parts(group, tokens - tenth, slots,
                                     [&](std::int64_t k) { return keys[k] == keys[k + tenth] ? 1.0 : 0.0; });
    if (group.rank() == 0 && ties > 0) add_atomically(&result->tied, std::int64_t{1});
  }
};

/// Adds products in float to sums in double, or begins with them.
struct add_products_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t step = 4 * lanes;

  std::int64_t size = 0;
  const float* part = nullptr;
  bool first = false;
  double* sums = nullptr;

  std::int64_t blocks() const { return (size + step - 1) / step; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (auto k = block * step + group.rank(); k < size && k < (block + 1) * step; k += group.size())
      sums[k] = first ? static_cast<double>(part[k]) : sums[k] + static_cast<double>(part[k]);
  }
};

/// Information of `rows` channels, `row` and on, with all channels from `row` on, from the sums of products of their
/// scores.
struct rank_information_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 32;

  std::int64_t row = 0;
  std::int64_t rows = 0;
  std::int64_t channels = 0;
  const double* sums = nullptr;  // [rows, channels - row]
  const std::uint8_t* flags = nullptr;
  double tokens = 0;
  double largest_square = 0;
  float* mi = nullptr;
  std::int64_t mi_leading = 0;
  rank_correlation_result* result = nullptr;

  MIQ_HOST_DEVICE std::int64_t column_tiles() const { return (channels - row + tile - 1) / tile; }
  std::int64_t blocks() const { return (rows + tile - 1) / tile * column_tiles(); }
  std::int64_t scratch_bytes() const {
    return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)) +
           symmetric_tile_floats(tile) * static_cast<std::int64_t>(sizeof(float));
  }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto i0 = block / column_tiles() * tile, j0 = block % column_tiles() * tile;
    if (j0 < i0) return;  // all lanes: below the diagonal
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const values = reinterpret_cast<float*>(slots + lanes);
    const miq::detail::tile_place at{row + i0, row + j0, rows - i0 < tile ? rows - i0 : tile,
                                     channels - row - j0 < tile ? channels - row - j0 : tile};
    std::int64_t clamped = 0;
    write_symmetric_tile(group, at, tile, values, mi, mi_leading, [&](std::int64_t i, std::int64_t j) {
      if (((flags[i] | flags[j]) & channel_not_finite) != 0) return not_a_number();
      const double rho = sums[(i - row) * (channels - row) + (j - row)] / tokens;
      return clamped_information(rho * rho, largest_square, clamped);
    });
    clamped = sum_over_lanes(group, clamped, slots);
    if (group.rank() == 0 && clamped != 0) add_atomically(&result->clamped, clamped);
  }
};

/// The same of listed pairs. One pair a block.
struct listed_rank_information_body {
  static constexpr int lanes = 256;

  std::int64_t tokens = 0;
  std::int64_t channels = 0;
  const channel_pair* pairs = nullptr;
  std::int64_t count = 0;
  const float* scores = nullptr;  // [channels, leading]
  std::int64_t leading = 0;
  const std::uint8_t* flags = nullptr;
  double largest_square = 0;
  float* mi = nullptr;  // [count]
  rank_correlation_result* result = nullptr;

  std::int64_t blocks() const { return count; }
  std::int64_t scratch_bytes() const { return sum_parts * static_cast<std::int64_t>(sizeof(double)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t p, std::byte* scratch) const {
    const auto i = pairs[p].first, j = pairs[p].second;
    const bool there = i >= 0 && i < channels && j >= 0 && j < channels;
    if (!there || i == j || ((flags[i] | flags[j]) & channel_not_finite) != 0) {
      if (group.rank() == 0) mi[p] = there && i == j ? 0.0F : not_a_number();
      return;
    }
    const auto* const x = scores + i * leading;
    const auto* const y = scores + j * leading;
    const double rho =
        sum_in_parts(group, tokens, reinterpret_cast<double*>(scratch),
                     [&](std::int64_t t) { return static_cast<double>(x[t]) * static_cast<double>(y[t]); }) /
        static_cast<double>(tokens);
    if (group.rank() != 0) return;
    std::int64_t clamped = 0;
    mi[p] = clamped_information(rho * rho, largest_square, clamped);
    if (clamped != 0) add_atomically(&result->clamped, clamped);
  }
};

}  // namespace miq::information::detail
