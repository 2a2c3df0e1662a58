// The joint histograms of one channel with 256 others (128 on 128-bit machines) at once, by logic on bit planes.
//
// Tokens are taken in the order of the one channel's codes, so that each of its codes is a run of tokens. Along a run,
// the ones of "the other channel has code b" are added up for all the others by carry-save adders: 512 sums of one bit
// (two tokens of 256 channels) take two instructions where there are three-operand ones. (The idea of adding bit
// vectors vertically is that of positional population counts: Mula, Kurz and Lemire 2018; Harley and Seal's tree of
// adders.)
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include <miq/core/detail/vector_transpose.hpp>
#include <miq/core/matrix.hpp>
#include <miq/information/detail/histogram/binning.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// One bit for each of the channels of a tile; 512 bits hold two tokens, since more channels would be wasted on small
/// matrices.
using bit_lanes [[gnu::vector_size(miq::detail::lanes * 4)]] = std::uint64_t;
using byte_lanes [[gnu::vector_size(miq::detail::lanes * 4)]] = std::uint8_t;
#if defined(__AVX512F__)
inline constexpr std::int64_t tokens_of_vector = 2;
#else
inline constexpr std::int64_t tokens_of_vector = 1;
#endif
inline constexpr std::int64_t tile_channels = miq::detail::lanes * 32 / tokens_of_vector;
inline constexpr std::int64_t tile_words = tile_channels / 64;
/// Channels with more used codes are counted pair by pair: planes cost as much as there are codes.
inline constexpr std::int32_t most_tile_codes = 64;
/// Fewer lanes are counted pair by pair, too.
inline constexpr std::int64_t fewest_lanes = 10;

/// a + b + c, bit by bit: the sum replaces `a`, the carry is returned.
inline bit_lanes add_bits(bit_lanes& a, bit_lanes b, bit_lanes c) {
#if defined(__AVX512F__)
  const auto x = miq::detail::reinterpret_lanes<__m512i>(a), y = miq::detail::reinterpret_lanes<__m512i>(b),
             z = miq::detail::reinterpret_lanes<__m512i>(c);
  a = miq::detail::reinterpret_lanes<bit_lanes>(_mm512_ternarylogic_epi64(x, y, z, 0x96));
  return miq::detail::reinterpret_lanes<bit_lanes>(_mm512_ternarylogic_epi64(x, y, z, 0xE8));
#else
  const auto either = a ^ b;
  const auto carry = (a & b) | (either & c);
  a = either ^ c;
  return carry;
#endif
}

/// `high & (first == bit 0 of low) & (second == bit 1 of low)`.
template <int low>
bit_lanes matching(bit_lanes high, bit_lanes first, bit_lanes second) {
#if defined(__AVX512F__)
  constexpr int table = low == 0 ? 0x10 : low == 1 ? 0x40 : low == 2 ? 0x20 : 0x80;
  return miq::detail::reinterpret_lanes<bit_lanes>(_mm512_ternarylogic_epi64(
      miq::detail::reinterpret_lanes<__m512i>(high), miq::detail::reinterpret_lanes<__m512i>(first),
      miq::detail::reinterpret_lanes<__m512i>(second), table));
#else
  return high & ((low & 1) != 0 ? first : ~first) & ((low & 2) != 0 ? second : ~second);
#endif
}

/// Codes of the channels of a tile, transposed: bit p of a token's codes side by side, planes of a token one behind the
/// other.
struct code_tile {
  std::int64_t first = 0;      ///< channel of lane 0
  std::int64_t channels = 0;   ///< lanes in use
  std::int32_t planes = 2;     ///< bits of a code, at least 2
  std::int32_t codes = 1;      ///< one more than the largest code of a channel that takes part
  matrix<std::uint64_t> bits;  ///< [tokens, planes * tile_words]; lanes of channels that take no part are 0
  std::vector<std::int32_t>
      totals;  ///< [codes, tile_channels] tokens of each code; lanes that take no part have code 0 only
};

inline bool takes_part(const binned_channels& channels, std::int64_t c) {
  return channels.used[static_cast<std::size_t>(c)] <= most_tile_codes;
}

inline code_tile make_code_tile(const binned_channels& channels, std::int64_t first,
                                std::pmr::memory_resource* resource) {
  code_tile tile;
  tile.first = first;
  tile.channels = std::min(tile_channels, channels.channels() - first);
  for (std::int64_t c = first; c < first + tile.channels; ++c)
    if (takes_part(channels, c)) tile.codes = std::max(tile.codes, channels.used[static_cast<std::size_t>(c)]);
  tile.planes = std::max(2, static_cast<std::int32_t>(std::bit_width(static_cast<std::uint32_t>(tile.codes - 1))));
  tile.bits = matrix<std::uint64_t>(channels.tokens, tile.planes * tile_words, resource);
  tile.totals.resize(static_cast<std::size_t>(tile.codes * tile_channels));
  for (std::int64_t lane = 0; lane < tile_channels; ++lane) {
    if (lane < tile.channels && takes_part(channels, first + lane)) {
      for (std::int32_t b = 0; b < channels.used[static_cast<std::size_t>(first + lane)]; ++b)
        tile.totals[static_cast<std::size_t>(b * tile_channels + lane)] = channels.counts(first + lane, b);
    } else {
      tile.totals[static_cast<std::size_t>(lane)] = static_cast<std::int32_t>(channels.tokens);  // all have code 0
    }
  }
  constexpr std::int64_t batch = 64;
  std::uint8_t codes[batch][tile_channels];
  for (std::int64_t t0 = 0; t0 < channels.tokens; t0 += batch) {
    const auto count = std::min(batch, channels.tokens - t0);
    std::memset(codes, 0, sizeof codes);
    for (std::int64_t lane = 0; lane < tile.channels; ++lane)
      if (takes_part(channels, first + lane))
        for (std::int64_t t = 0; t < count; ++t) codes[t][lane] = channels.codes(first + lane, t0 + t);
    for (std::int64_t t = 0; t < count; ++t)
      for (std::int32_t plane = 0; plane < tile.planes; ++plane)
        for (std::int64_t word = 0; word < tile_words; ++word) {
          std::uint64_t bits = 0;
          for (int byte = 0; byte < 8; ++byte) {
            std::uint64_t eight;
            std::memcpy(&eight, &codes[t][64 * word + 8 * byte], 8);
            // The wanted bits of eight bytes, moved to the uppermost byte by a product without carries.
            const auto ones = (eight >> plane) & 0x0101010101010101;
            bits |= ((ones * 0x0102040810204080) >> 56) << (8 * byte);
          }
          tile.bits(t0 + t, plane * tile_words + word) = bits;
        }
  }
  return tile;
}

/// Counts the joint codes of one channel and a tile, for one thread.
class tile_counter {
 public:
  explicit tile_counter(const binned_channels& channels) : channels_(channels) {}

  /// For channel x, which takes part: calls `take(counts)` once for each of its codes, in any order, with the tokens
  /// that have it, by the tile's codes and lanes: [codes, tile_channels]. Counts are never negative, in no lane.
  template <class Take>
  void count(std::int64_t x, const code_tile& tile, const Take& take) {
    const auto rows = channels_.used[static_cast<std::size_t>(x)];
    const auto* const of_x = &channels_.counts(x, 0);
    const auto size = tile.codes * tile_channels;
    sort_tokens(x);
    sums_.assign(static_cast<std::size_t>(tile.codes) * sum_planes, bit_lanes{});
    counts_.resize(static_cast<std::size_t>(size));
    rest_ = tile.totals;
    for (std::int32_t a = 0; a < rows; ++a) {
      if (a == skipped_) continue;
      const auto* const tokens = &order_[static_cast<std::size_t>(starts_[a])];
      auto* const zeros = counts_.data();
      std::fill_n(zeros + tile_channels, size - tile_channels, 0);
      switch (tile.planes) {
        case 2:
          count_run<2>(tokens, of_x[a], tile);
          break;
        case 3:
          count_run<3>(tokens, of_x[a], tile);
          break;
        case 4:
          count_run<4>(tokens, of_x[a], tile);
          break;
        case 5:
          count_run<5>(tokens, of_x[a], tile);
          break;
        default:
          count_run<6>(tokens, of_x[a], tile);
      }
      // Code 0 is not counted: it is what is left of the run. And the tokens of the skipped code are those of the
      // other channel that are in no run.
      std::fill_n(zeros, tile_channels, of_x[a]);
      for (std::int64_t b = 1; b < tile.codes; ++b)
        for (std::int64_t lane = 0; lane < tile_channels; ++lane) zeros[lane] -= zeros[b * tile_channels + lane];
      for (std::int64_t k = 0; k < size; ++k) rest_[static_cast<std::size_t>(k)] -= zeros[k];
      take(counts_.data());
    }
    take(rest_.data());
  }

 private:
  static constexpr std::int32_t sum_planes = 9;  ///< sums of up to 511
  static constexpr std::int64_t vectors = 16;    ///< added up at once
  static constexpr std::int64_t flush_after = 511 / vectors;

  /// Tokens by the code of x, but those of its most frequent code.
  void sort_tokens(std::int64_t x) {
    const auto rows = channels_.used[static_cast<std::size_t>(x)];
    const auto* const counts = &channels_.counts(x, 0);
    const auto* const codes = &channels_.codes(x, 0);
    skipped_ = static_cast<std::int32_t>(std::max_element(counts, counts + rows) - counts);
    order_.resize(static_cast<std::size_t>(channels_.tokens + 1));
    // Two halves of the tokens are sorted side by side, so that one need not wait for the other's store.
    const auto middle = channels_.tokens / 2;
    std::int32_t in_first[most_tile_codes] = {};
    for (std::int64_t t = 0; t < middle; ++t) ++in_first[codes[t]];
    std::int64_t next[2][most_tile_codes];
    std::int64_t place = 0;
    for (std::int32_t a = 0; a < rows; ++a) {
      starts_[a] = next[0][a] = place;
      next[1][a] = place + in_first[a];
      if (a != skipped_) place += counts[a];
    }
    // The tokens of the skipped code all go to the place behind the last.
    next[0][skipped_] = next[1][skipped_] = channels_.tokens;
    auto* const order = order_.data();
    const auto put = [&](int half, std::int64_t t) {
      const std::int32_t a = codes[t];
      auto& to = next[half][a];
      order[to] = static_cast<std::int32_t>(t);
      to += a != skipped_;
    };
    for (std::int64_t t = 0; t < middle; ++t) {
      put(0, t);
      put(1, middle + t);
    }
    if (2 * middle < channels_.tokens) put(1, channels_.tokens - 1);
  }

  template <std::size_t planes>
  void count_run(const std::int32_t* tokens, std::int64_t count, const code_tile& tile) {
    constexpr auto tokens_at_once = tokens_of_vector * vectors;
    constexpr auto stride = tile_words * static_cast<std::int64_t>(planes);
    const auto* const bits = tile.bits.data();
    std::int64_t since_flush = 0;
    for (std::int64_t first = 0; first < count; first += tokens_at_once) {
      bit_lanes taken[planes][vectors];  // plane by plane
      // `row(k)`: the planes of token k of the run.
      const auto take = [&](const auto& row) __attribute__((always_inline)) {
        for (std::int64_t v = 0; v < vectors; ++v)
          miq::detail::unrolled<static_cast<int>(planes)>([&](int p) __attribute__((always_inline)) {
#if defined(__AVX512F__)
            using half_lanes [[gnu::vector_size(32)]] = std::uint64_t;
            taken[p][v] = __builtin_shufflevector(
                miq::detail::load<half_lanes>(row(first + 2 * v) + tile_words * p),
                miq::detail::load<half_lanes>(row(first + 2 * v + 1) + tile_words * p), 0, 1, 2, 3, 4, 5, 6, 7);
#else
            taken[p][v] = miq::detail::load<bit_lanes>(row(first + v) + tile_words * p);
#endif
          });
      };
      if (first + tokens_at_once <= count) {
        take([&](std::int64_t k) { return bits + tokens[k] * stride; });
      } else {
        static constexpr std::uint64_t nothing[planes * std::size_t{tile_words}] = {};  // code 0, which is not counted
        take([&](std::int64_t k) { return k < count ? bits + tokens[k] * stride : nothing; });
      }
      for (std::int32_t high = 0; 4 * high < tile.codes; ++high) {
        bit_lanes matches[vectors];
        for (std::int64_t v = 0; v < vectors; ++v) {
          bit_lanes match = bit_lanes{} - 1;  // all ones; nvcc 13 gives up at ~bit_lanes{}
          for (std::size_t p = 2; p < planes; ++p) match &= ((high >> (p - 2)) & 1) != 0 ? taken[p][v] : ~taken[p][v];
          matches[v] = match;
        }
        if (high > 0) add_up<0>(matches, taken[0], taken[1], sums_of(4 * high));
        if (4 * high + 1 < tile.codes) add_up<1>(matches, taken[0], taken[1], sums_of(4 * high + 1));
        if (4 * high + 2 < tile.codes) add_up<2>(matches, taken[0], taken[1], sums_of(4 * high + 2));
        if (4 * high + 3 < tile.codes) add_up<3>(matches, taken[0], taken[1], sums_of(4 * high + 3));
      }
      if (++since_flush == flush_after) {
        flush(tile.codes);
        since_flush = 0;
      }
    }
    if (since_flush > 0) flush(tile.codes);
  }

  bit_lanes* sums_of(std::int32_t code) { return sums_.data() + code * sum_planes; }

  /// Adds 16 vectors of bits to sums of nine bits.
  template <int low>
  static void add_up(const bit_lanes (&high)[vectors], const bit_lanes (&first)[vectors],
                     const bit_lanes (&second)[vectors], bit_lanes* sums) {
    const auto in = [&](std::int64_t v) __attribute__((always_inline)) {
      return matching<low>(high[v], first[v], second[v]);
    };
    auto ones = sums[0], twos = sums[1], fours = sums[2], eights = sums[3];
    const auto four = [&](std::int64_t v) __attribute__((always_inline)) {
      const auto a = add_bits(ones, in(v), in(v + 1));
      const auto b = add_bits(ones, in(v + 2), in(v + 3));
      return add_bits(twos, a, b);
    };
    const auto eight = [&](std::int64_t v) __attribute__((always_inline)) {
      const auto a = four(v);
      const auto b = four(v + 4);
      return add_bits(fours, a, b);
    };
    const auto a = eight(0);
    const auto b = eight(8);
    auto carry = add_bits(eights, a, b);
    sums[0] = ones;
    sums[1] = twos;
    sums[2] = fours;
    sums[3] = eights;
    for (std::int32_t p = 4; p < sum_planes; ++p) {
      const auto next = sums[p] & carry;
      sums[p] ^= carry;
      carry = next;
    }
  }

  /// Adds the sums of all codes from 1 on to the counts of the lanes, and starts them again.
  void flush(std::int32_t codes) {
    constexpr int vector_bytes = sizeof(bit_lanes);
    for (std::int32_t b = 1; b < codes; ++b) {
      auto* const sums = sums_of(b);
      auto* const counts = counts_.data() + b * tile_channels;
      byte_lanes square[8];
      for (int p = 0; p < 8; ++p) square[p] = miq::detail::reinterpret_lanes<byte_lanes>(sums[p]);
      // Bytes of eight planes that belong to the same eight lanes come together; then bits change places with planes.
      miq::detail::interleave_all(square);
      alignas(64) std::uint8_t low[8 * vector_bytes];
      for (int v = 0; v < 8; ++v) {
        auto x = miq::detail::reinterpret_lanes<bit_lanes>(square[v]);
        auto t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AA;
        x ^= t ^ (t << 7);
        t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCC;
        x ^= t ^ (t << 14);
        t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0;
        x ^= t ^ (t << 28);
        miq::detail::store(low + vector_bytes * v, x);
      }
      for (std::int64_t token = 0; token < tokens_of_vector; ++token)
        for (std::int64_t lane = 0; lane < tile_channels; ++lane) counts[lane] += low[token * tile_channels + lane];
      if (miq::detail::any(sums[8])) {
        std::uint64_t words[vector_bytes / 8];
        miq::detail::store(words, sums[8]);
        for (std::int64_t lane = 0; lane < 8 * vector_bytes; ++lane)
          counts[lane % tile_channels] += static_cast<std::int32_t>((words[lane / 64] >> (lane % 64)) & 1) << 8;
      }
      for (std::int32_t p = 0; p < sum_planes; ++p) sums[p] = bit_lanes{};
    }
  }

  const binned_channels& channels_;
  std::int32_t skipped_ = 0;  ///< the most frequent code of x
  std::int64_t starts_[most_tile_codes] = {};
  std::vector<std::int32_t> order_;
  std::vector<std::int32_t> counts_, rest_;  ///< [codes, tile_channels]
  std::vector<bit_lanes> sums_;              ///< [codes, sum_planes]
};

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
