// The joint histogram of two channels' codes, counted by bit planes or by counters, whichever is faster.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#if defined(__AVX512VPOPCNTDQ__) && defined(__AVX512BW__)
#include <immintrin.h>
#endif

#include <miq/core/matrix.hpp>
#include <miq/information/detail/binning.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

using miq::detail::long_lanes;
using miq::detail::reinterpret_lanes;

#if defined(__AVX512VPOPCNTDQ__) && defined(__AVX512BW__)
/// Where popcounts of whole registers exist, (B_x - 1)(B_y - 1) of them for 512 tokens beat 512 increments up to about
/// this product.
inline constexpr std::int32_t most_plane_products = 26 * 26;
#else
inline constexpr std::int32_t most_plane_products = 0;
#endif
inline constexpr std::int32_t most_planes = 31;  ///< of one channel

/// Counts the joint codes of pairs of channels, for one thread. Remembers the bit planes of a few channels, so that
/// pairs which come in tiles find them.
class joint_counter {
 public:
  static constexpr std::int64_t tile = 32;  ///< channels of either side that are remembered

  joint_counter(const binned_channels& channels, std::pmr::memory_resource* resource) : channels_(channels) {
    if constexpr (most_plane_products > 0) {
      words_ = (channels.tokens + 511) / 512;
      const auto most = std::min(*std::max_element(channels.used.begin(), channels.used.end()) - 1, most_planes);
      planes_ = matrix<std::uint64_t>(2 * tile, std::max(most, 1) * words_ * 8, resource);
      std::fill(std::begin(resident_), std::end(resident_), std::int64_t{-1});
    }
  }

  /// How many tokens every joint code has, in no particular order and without some of those that none has. Valid until
  /// the next call.
  std::span<const std::int32_t> cells(std::int64_t i, std::int64_t j) {
    const auto rows = channels_.used[static_cast<std::size_t>(i)];
    const auto columns = channels_.used[static_cast<std::size_t>(j)];
    if (rows <= most_planes + 1 && columns <= most_planes + 1 && (rows - 1) * (columns - 1) <= most_plane_products) {
      count_by_planes(i, j);
    } else if (rows * columns <= 4096) {
      count_by_counters(i, j);
    } else {
      return count_sparsely(i, j);
    }
    return {table_.data(), static_cast<std::size_t>(rows * columns)};
  }

 private:
  /// T increments, spread over four tables so that equal codes in a row do not wait for each other.
  void count_by_counters(std::int64_t i, std::int64_t j) {
    const auto columns = channels_.used[static_cast<std::size_t>(j)];
    const auto cells = static_cast<std::size_t>(channels_.used[static_cast<std::size_t>(i)] * columns);
    table_.assign(4 * cells, 0);
    const auto* const x = &channels_.codes(i, 0);
    const auto* const y = &channels_.codes(j, 0);
    auto* const counts = table_.data();
    const auto stride = static_cast<std::size_t>(columns);
    std::int64_t t = 0;
    for (; t + 4 <= channels_.tokens; t += 4)
      for (std::size_t k = 0; k < 4; ++k)
        ++counts[k * cells + x[t + static_cast<std::int64_t>(k)] * stride + y[t + static_cast<std::int64_t>(k)]];
    for (; t < channels_.tokens; ++t) ++counts[x[t] * stride + y[t]];
    for (std::size_t k = 0; k < cells; ++k)
      counts[k] += counts[cells + k] + counts[2 * cells + k] + counts[3 * cells + k];
  }

  /// A table too large to be read through for every pair: only the cells that tokens reach are visited.
  std::span<const std::int32_t> count_sparsely(std::int64_t i, std::int64_t j) {
    const auto columns = static_cast<std::size_t>(channels_.used[static_cast<std::size_t>(j)]);
    sparse_.resize(256 * 256);
    table_.clear();
    const auto* const x = &channels_.codes(i, 0);
    const auto* const y = &channels_.codes(j, 0);
    auto* const counts = sparse_.data();
    for (std::int64_t t = 0; t < channels_.tokens; ++t) ++counts[x[t] * columns + y[t]];
    for (std::int64_t t = 0; t < channels_.tokens; ++t) {
      auto& count = counts[x[t] * columns + y[t]];
      if (count == 0) continue;
      table_.push_back(count);
      count = 0;
    }
    return table_;
  }

#if defined(__AVX512VPOPCNTDQ__) && defined(__AVX512BW__)
  /// The planes of channel c, one a code but the first: bit t says whether token t has that code.
  const std::uint64_t* planes_of(std::int64_t c, std::int64_t side) {
    const auto place = side * tile + c % tile;
    auto* const planes = &planes_(place, 0);
    if (resident_[place] == c) return planes;
    resident_[place] = c;
    const auto* const codes = &channels_.codes(c, 0);
    const auto registers = channels_.codes.columns() / 64;
    for (std::int32_t code = 1; code < channels_.used[static_cast<std::size_t>(c)]; ++code) {
      auto* const plane = planes + (code - 1) * words_ * 8;
      const auto wanted = _mm512_set1_epi8(static_cast<char>(code));
      for (std::int64_t r = 0; r < registers; ++r)
        plane[r] = _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(codes + 64 * r), wanted);
      for (auto r = registers; r < words_ * 8; ++r) plane[r] = 0;
    }
    return planes;
  }

  /// Eight registers to the eight sums of their elements: halves of neighbours are added, three times.
  static long_lanes element_sums(const long_lanes (&v)[8]) {
    const auto by_two = [](long_lanes a, long_lanes b) {
      return __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14) +
             __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
    };
    const auto by_four = [](long_lanes a, long_lanes b) {
      return __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13) +
             __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15);
    };
    return by_four(by_four(by_two(v[0], v[1]), by_two(v[2], v[3])), by_four(by_two(v[4], v[5]), by_two(v[6], v[7])));
  }

  /// Joint counts of `Rows` codes of x and `Columns` codes of y, all sums in registers.
  template <int Rows, int Columns>
  static void multiply_planes(const std::uint64_t* x, const std::uint64_t* y, std::int64_t words, std::int32_t* out,
                              std::int64_t stride) {
    constexpr int products = Rows * Columns, batches = (products + 7) / 8;
    long_lanes sums[std::size_t{products}] = {};
    for (std::int64_t w = 0; w < words; ++w) {
      long_lanes column[std::size_t{Columns}];
      miq::detail::unrolled<Columns>([&](int b) __attribute__((always_inline)) {
        column[b] = miq::detail::load<long_lanes>(y + (b * words + w) * 8);
      });
      miq::detail::unrolled<Rows>([&](int a) __attribute__((always_inline)) {
        const auto row = miq::detail::load<long_lanes>(x + (a * words + w) * 8);
        miq::detail::unrolled<Columns>([&](int b) __attribute__((always_inline)) {
          const auto both = reinterpret_lanes<__m512i>(row & column[b]);
          sums[a * Columns + b] += reinterpret_lanes<long_lanes>(_mm512_popcnt_epi64(both));
        });
      });
    }
    std::int64_t counts[std::size_t{8 * batches}];
    miq::detail::unrolled<batches>([&](int batch) __attribute__((always_inline)) {
      long_lanes eight[8] = {};
      miq::detail::unrolled<8>([&](int k) __attribute__((always_inline)) {
        if (8 * batch + k < products) eight[k] = sums[8 * batch + k];
      });
      miq::detail::store(counts + 8 * batch, element_sums(eight));
    });
    for (int a = 0; a < Rows; ++a)
      for (int b = 0; b < Columns; ++b) out[a * stride + b] = static_cast<std::int32_t>(counts[a * Columns + b]);
  }

  template <int Rows>
  static void multiply_planes(int columns, const std::uint64_t* x, const std::uint64_t* y, std::int64_t words,
                              std::int32_t* out, std::int64_t stride) {
    switch (columns) {
      case 1:
        return multiply_planes<Rows, 1>(x, y, words, out, stride);
      case 2:
        return multiply_planes<Rows, 2>(x, y, words, out, stride);
      case 3:
        return multiply_planes<Rows, 3>(x, y, words, out, stride);
      case 4:
        return multiply_planes<Rows, 4>(x, y, words, out, stride);
      default:
        return multiply_planes<Rows, 5>(x, y, words, out, stride);
    }
  }

  /// Only codes from 1 on are counted; the marginal counts give the rest.
  void count_by_planes(std::int64_t i, std::int64_t j) {
    const auto rows = channels_.used[static_cast<std::size_t>(i)];
    const auto columns = channels_.used[static_cast<std::size_t>(j)];
    table_.assign(static_cast<std::size_t>(rows * columns), 0);
    auto* const counts = table_.data();
    const auto* const x = planes_of(i, 0);
    const auto* const y = planes_of(j, 1);
    constexpr std::int32_t side = 5;
    for (std::int32_t a = 1; a < rows; a += side)
      for (std::int32_t b = 1; b < columns; b += side) {
        const auto* const from_x = x + (a - 1) * words_ * 8;
        const auto* const from_y = y + (b - 1) * words_ * 8;
        auto* const out = counts + a * columns + b;
        const auto width = std::min(side, columns - b);
        switch (std::min(side, rows - a)) {
          case 1:
            multiply_planes<1>(width, from_x, from_y, words_, out, columns);
            break;
          case 2:
            multiply_planes<2>(width, from_x, from_y, words_, out, columns);
            break;
          case 3:
            multiply_planes<3>(width, from_x, from_y, words_, out, columns);
            break;
          case 4:
            multiply_planes<4>(width, from_x, from_y, words_, out, columns);
            break;
          default:
            multiply_planes<5>(width, from_x, from_y, words_, out, columns);
        }
      }
    const auto* const of_x = &channels_.counts(i, 0);
    const auto* const of_y = &channels_.counts(j, 0);
    for (std::int32_t b = 0; b < columns; ++b) counts[b] = of_y[b];
    for (std::int32_t a = 1; a < rows; ++a) {
      auto* const row = counts + a * columns;
      std::int32_t sum = 0;
      for (std::int32_t b = 1; b < columns; ++b) {
        sum += row[b];
        counts[b] -= row[b];
      }
      row[0] = of_x[a] - sum;
      counts[0] -= row[0];
    }
  }
#else
  void count_by_planes(std::int64_t i, std::int64_t j) { count_by_counters(i, j); }
#endif

  const binned_channels& channels_;
  std::vector<std::int32_t> table_;          ///< [codes of i, codes of j]
  std::vector<std::int32_t> sparse_;         ///< the same, zero between pairs
  [[maybe_unused]] std::int64_t words_ = 0;  ///< 512-bit words of a plane
  matrix<std::uint64_t> planes_;             ///< of `tile` channels on either side
  [[maybe_unused]] std::int64_t resident_[2 * tile] = {};
};

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
