// Gaussian kernels, sums of their products, and logarithms of those, many at a time.
//
// Every lane does the same operations in the same order whatever lies in the lanes beside it, and multiplications are
// fused with additions where it is written and nowhere else. So tokens by lanes and channels by lanes give the same
// bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include <miq/core/detail/vector_lanes.hpp>
#include <miq/information/detail/kde/kernel_width.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

using miq::detail::double_lanes;
using miq::detail::float_lanes;
using miq::detail::half_float_lanes;
using miq::detail::int_lanes;
using miq::detail::lanes;
using miq::detail::long_lanes;
using miq::detail::reinterpret_lanes;
using miq::detail::select;
using miq::detail::wide_lanes;

/// The same in every lane. (0 is subtracted, which the compiler leaves out; to add it would turn -0 into 0.)
inline float_lanes in_all_lanes(float value) { return value - float_lanes{}; }
inline wide_lanes in_all_lanes(double value) { return value - wide_lanes{}; }

/// a b + c, rounded once where the machine has that.
inline float_lanes fused(float_lanes a, float_lanes b, float_lanes c) {
#if defined(__AVX512F__)
  return float_lanes(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
#elif defined(__FMA__)
  return float_lanes(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
#elif defined(__ARM_FEATURE_FMA)
  for (int i = 0; i < lanes; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
#else
  return a * b + c;
#endif
}
inline wide_lanes fused(wide_lanes a, wide_lanes b, wide_lanes c) {
#if defined(__AVX512F__)
  return wide_lanes(_mm512_fmadd_pd(__m512d(a), __m512d(b), __m512d(c)));
#elif defined(__FMA__)
  return wide_lanes(_mm256_fmadd_pd(__m256d(a), __m256d(b), __m256d(c)));
#elif defined(__ARM_FEATURE_FMA)
  for (int i = 0; i < double_lanes; ++i) c[i] = __builtin_fma(a[i], b[i], c[i]);
  return c;
#else
  return a * b + c;
#endif
}

/// 2^(-d^2), at least 2^-62. Its relative error is that of d^2, at most 3e-6, and 1e-7 besides.
inline float_lanes kernel(float_lanes d) {
  const auto square = d * d;
  const auto y = square < largest_exponent ? square : in_all_lanes(largest_exponent);
  const auto rounded = y + 0x1.8p23F;  // the nearest integer is in the low bits
  const auto f = y - (rounded - 0x1.8p23F);
  // 2^-f on [-1/2, 1/2], by Taylor: the first term left out is below 2e-7 / 8.
  auto p = fused(f, in_all_lanes(1.5403530e-4F), in_all_lanes(-1.3333558e-3F));
  p = fused(p, f, in_all_lanes(9.6181291e-3F));
  p = fused(p, f, in_all_lanes(-5.5504109e-2F));
  p = fused(p, f, in_all_lanes(2.4022651e-1F));
  p = fused(p, f, in_all_lanes(-6.9314718e-1F));
  p = fused(p, f, in_all_lanes(1.0F));
  return reinterpret_lanes<float_lanes>(reinterpret_lanes<int_lanes>(p) -
                                        (reinterpret_lanes<int_lanes>(rounded) << 23));
}

inline constexpr double logarithm_unit = 0x1p-32;

/// ln x in units of 2^-32, rounded, for normal x. Error below 1e-9 before the rounding.
inline long_lanes logarithm(half_float_lanes x) {
  constexpr std::int64_t root_half = 0x3FE6A09E667F3BCD, one = 0x3FF0000000000000, mantissa = 0x000FFFFFFFFFFFFF;
  const auto shifted = reinterpret_lanes<long_lanes>(miq::detail::widen(x)) + (one - root_half);
  const auto m = reinterpret_lanes<wide_lanes>((shifted & mantissa) + root_half);  // in [sqrt(1/2), sqrt(2))
  const auto k = reinterpret_lanes<wide_lanes>((shifted >> 52) | 0x4330000000000000) - (0x1p52 + 1023.0);
  const auto f = m - 1.0, s = f / (m + 1.0), z = s * s;  // ln m = 2 artanh s
  auto p = fused(z, in_all_lanes(2.0 / 11), in_all_lanes(2.0 / 9));
  p = fused(p, z, in_all_lanes(2.0 / 7));
  p = fused(p, z, in_all_lanes(2.0 / 5));
  p = fused(p, z, in_all_lanes(2.0 / 3));
  p = fused(p, z, in_all_lanes(2.0));
  const auto result = fused(k, in_all_lanes(0.69314718055994531), p * s);
  const auto fixed = fused(result, in_all_lanes(1 / logarithm_unit), in_all_lanes(0x1.8p52));
  return reinterpret_lanes<long_lanes>(fixed) - reinterpret_lanes<long_lanes>(in_all_lanes(0x1.8p52));
}

/// The two halves of a vector.
inline half_float_lanes first_half(float_lanes v) {
  half_float_lanes h;
  std::memcpy(&h, &v, sizeof h);
  return h;
}
inline half_float_lanes second_half(float_lanes v) {
  half_float_lanes h;
  std::memcpy(&h, reinterpret_cast<const char*>(&v) + sizeof h, sizeof h);
  return h;
}

/// The sum of the logarithms of the first `count` lanes.
inline std::int64_t sum_of_logarithms(float_lanes v, std::int64_t count) {
  const auto a = logarithm(first_half(v)), b = logarithm(second_half(v));
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += i < double_lanes ? a[i] : b[i - double_lanes];
  return sum;
}

/// Tokens that are added up in float before their sum joins the others': so many small kernels are not lost beside a
/// large sum. In tiles, the kernels of a block and chunk are 36 KB.
inline constexpr std::int64_t kernel_chunk = 64;

/// Calls `use(sum_s K(t, s) for `lanes` tokens, their number)` from token 0 on, where `term(s, t, sum, self)` adds the
/// kernels of the tokens from t on with token s, and the self kernel counts only if wanted.
template <class Term, class Use>
inline void for_kernel_sums(std::int64_t tokens, bool leave_one_out, const Term& term, const Use& use) {
  alignas(64) std::int32_t numbers[16];
  for (int i = 0; i < 16; ++i) numbers[i] = i;
  const auto number = miq::detail::load<int_lanes>(numbers);
  // Two groups of tokens at a time, to hide the latency of the sums.
  for (std::int64_t t = 0; t < tokens; t += 2 * lanes) {
    float_lanes sums[2] = {};
    for (std::int64_t first = 0; first < tokens; first += kernel_chunk) {
      float_lanes part[2] = {};
      const auto add = [&](std::int64_t s) {
        miq::detail::unrolled<2>([&](int g) { part[g] = term(s, t + g * lanes, part[g], int_lanes{}); });
      };
      const auto end = std::min(tokens, first + kernel_chunk);
      const auto own = std::clamp(t, first, end), own_end = std::clamp(t + 2 * lanes, first, end);
      for (auto s = first; s < own; ++s) add(s);
      for (auto s = own; s < own_end; ++s)
        miq::detail::unrolled<2>([&](int g) {
          const auto self = number == static_cast<std::int32_t>(leave_one_out ? s - (t + g * lanes) : -1);
          part[g] = term(s, t + g * lanes, part[g], self);
        });
      for (auto s = own_end; s < end; ++s) add(s);
      for (int g = 0; g < 2; ++g) sums[g] += part[g];
    }
    for (int g = 0; g < 2; ++g)
      if (t + g * lanes < tokens) use(sums[g], std::min<std::int64_t>(lanes, tokens - t - g * lanes));
  }
}

struct logarithm_sum {
  std::int64_t logarithms = 0;  // in units of 2^-32
  std::int64_t floored = 0;
};

inline void add_logarithms(logarithm_sum& total, float_lanes sums, std::int64_t count, float floor) {
  total.logarithms += sum_of_logarithms(sums, count);
  for (std::int64_t i = 0; i < count; ++i) total.floored += sums[i] < floor ? 1 : 0;
}

/// Of one channel's densities: u holds its values in kernel units, and 2 lanes more, which do not matter.
inline logarithm_sum channel_logarithms(const float* u, std::int64_t tokens, bool leave_one_out) {
  logarithm_sum total;
  const auto floor = static_cast<float>(tokens) * floored_share;
  for_kernel_sums(
      tokens, leave_one_out,
      [&](std::int64_t s, std::int64_t t, float_lanes sum, int_lanes self) {
        return sum + select(self, float_lanes{}, kernel(miq::detail::load<float_lanes>(u + t) - u[s]));
      },
      [&](float_lanes sums, std::int64_t count) { add_logarithms(total, sums, count, floor); });
  return total;
}

/// Of the joint densities of two channels.
inline logarithm_sum pair_logarithms(const float* u, const float* v, std::int64_t tokens, bool leave_one_out) {
  logarithm_sum total;
  const auto floor = static_cast<float>(tokens) * floored_share;
  for_kernel_sums(
      tokens, leave_one_out,
      [&](std::int64_t s, std::int64_t t, float_lanes sum, int_lanes self) {
        return fused(select(self, float_lanes{}, kernel(miq::detail::load<float_lanes>(u + t) - u[s])),
                     kernel(miq::detail::load<float_lanes>(v + t) - v[s]), sum);
      },
      [&](float_lanes sums, std::int64_t count) { add_logarithms(total, sums, count, floor); });
  return total;
}

// ---- All pairs of two blocks of channels ---------------------------------------------------------------------------

inline constexpr std::int64_t kernel_block = 128;                  // channels of a block
inline constexpr std::int64_t kernel_leading = kernel_block + 16;  // a power of two would crowd few lines of the cache
#if defined(__AVX512F__)
inline constexpr int product_rows = 8;
#else
inline constexpr int product_rows = 4;
#endif
inline constexpr int product_vectors = 3;  // at most

/// Rounded up to a multiple.
constexpr std::int64_t up_to(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

/// What one thread holds for a pair of blocks.
struct kernel_tile {
  alignas(64) float rows[kernel_chunk * kernel_leading];
  alignas(64) float columns[kernel_chunk * kernel_leading];
  alignas(64) float sums[kernel_block * kernel_block];
  alignas(64) float alone[kernel_block];  // sums of the channels' own kernels
  alignas(64) std::int64_t logarithms[kernel_block * kernel_block];
  alignas(64) std::int64_t logarithms_alone[kernel_block];
  alignas(64) std::int32_t floored[kernel_block * kernel_block];

  void clear() {
    std::fill_n(logarithms, kernel_block * kernel_block, std::int64_t{0});
    std::fill_n(logarithms_alone, kernel_block, std::int64_t{0});
    std::fill_n(floored, kernel_block * kernel_block, 0);
  }
};

/// Kernels of token t with tokens `first` to `first + count`, of `channels` channels (a multiple of `lanes`) of u,
/// whose rows are tokens. With `alone`, adds them up.
template <bool sum_alone>
inline void fill_kernels(const float* u, std::int64_t leading, std::int64_t channels, std::int64_t t,
                         std::int64_t first, std::int64_t count, bool leave_one_out, float* to, float* alone) {
  for (std::int64_t c = 0; c < channels; c += lanes) {
    const auto here = miq::detail::load<float_lanes>(u + t * leading + c);
    float_lanes sum{};
    const auto fill = [&](std::int64_t s) {
      const auto value = kernel(here - miq::detail::load<float_lanes>(u + (first + s) * leading + c));
      miq::detail::store(to + s * kernel_leading + c, value);
      if constexpr (sum_alone) sum += value;
    };
    const auto self = leave_one_out && t >= first && t < first + count ? t - first : count;
    for (std::int64_t s = 0; s < self; ++s) fill(s);
    if (self < count) miq::detail::store(to + self * kernel_leading + c, float_lanes{});
    for (auto s = self + 1; s < count; ++s) fill(s);
    if constexpr (sum_alone) miq::detail::store(alone + c, miq::detail::load<float_lanes>(alone + c) + sum);
  }
}

/// sums += rows^T columns for a tile of channels, token by token.
template <int vectors>
inline void add_products(const float* rows, const float* columns, std::int64_t count, float* sums) {
  float_lanes total[static_cast<std::size_t>(product_rows)][static_cast<std::size_t>(vectors)];
  miq::detail::unrolled<product_rows * vectors>([&](int n) { total[n / vectors][n % vectors] = float_lanes{}; });
  for (std::int64_t s = 0; s < count; ++s, rows += kernel_leading, columns += kernel_leading) {
    float_lanes column[static_cast<std::size_t>(vectors)];
    miq::detail::unrolled<vectors>([&](int v) { column[v] = miq::detail::load<float_lanes>(columns + v * lanes); });
    miq::detail::unrolled<product_rows>([&](int r) {
      const auto row = in_all_lanes(rows[r]);
      miq::detail::unrolled<vectors>([&](int v) { total[r][v] = fused(row, column[v], total[r][v]); });
    });
  }
  miq::detail::unrolled<product_rows * vectors>([&](int n) {
    auto* const to = sums + n / vectors * kernel_block + n % vectors * lanes;
    miq::detail::store(to, miq::detail::load<float_lanes>(to) + total[n / vectors][n % vectors]);
  });
}

/// Adds the logarithms for token t of all pairs of `rows` channels of u and `columns` channels of v to the tile; if u
/// is v, of those right of the diagonal and some more, and of the channels alone.
inline void add_token(kernel_tile& tile, const float* u, const float* v, std::int64_t leading, std::int64_t rows,
                      std::int64_t columns, std::int64_t tokens, std::int64_t t, bool leave_one_out) {
  const bool same = u == v;
  rows = up_to(rows, product_rows);
  columns = up_to(columns, lanes);
  const auto first_column = [&](std::int64_t r) { return same ? r / lanes * lanes : 0; };
  for (std::int64_t r = 0; r < rows; ++r) std::fill_n(tile.sums + r * kernel_block, columns, 0.0F);
  std::fill_n(tile.alone, kernel_block, 0.0F);
  for (std::int64_t s = 0; s < tokens; s += kernel_chunk) {
    const auto count = std::min(kernel_chunk, tokens - s);
    if (same) {
      fill_kernels<true>(v, leading, columns, t, s, count, leave_one_out, tile.columns, tile.alone);
    } else {
      fill_kernels<false>(v, leading, columns, t, s, count, leave_one_out, tile.columns, nullptr);
      fill_kernels<false>(u, leading, up_to(rows, lanes), t, s, count, leave_one_out, tile.rows, nullptr);
    }
    const auto* const from = same ? tile.columns : tile.rows;
    for (std::int64_t r = 0; r < rows; r += product_rows)
      for (auto c = first_column(r); c < columns;) {
        const auto left = (columns - c) / lanes;
        float* const to = tile.sums + r * kernel_block + c;
        if (left == 1) {
          add_products<1>(from + r, tile.columns + c, count, to);
          c += lanes;
        } else if (left == 2 || left == 4) {
          add_products<2>(from + r, tile.columns + c, count, to);
          c += 2 * lanes;
        } else {
          add_products<3>(from + r, tile.columns + c, count, to);
          c += 3 * lanes;
        }
      }
  }
  const auto floor = static_cast<float>(tokens) * floored_share;
  const auto add = [](const float* sums, std::int64_t* to) {
    const auto value = miq::detail::load<float_lanes>(sums);
    miq::detail::store(to, miq::detail::load<long_lanes>(to) + logarithm(first_half(value)));
    to += double_lanes;
    miq::detail::store(to, miq::detail::load<long_lanes>(to) + logarithm(second_half(value)));
    return value;
  };
  for (std::int64_t r = 0; r < rows; ++r)
    for (auto c = first_column(r); c < columns; c += lanes) {
      const auto at = r * kernel_block + c;
      const auto low = add(tile.sums + at, tile.logarithms + at) < floor;
      if (miq::detail::any(low))
        miq::detail::store(tile.floored + at, miq::detail::load<int_lanes>(tile.floored + at) - low);
    }
  if (!same) return;
  for (std::int64_t c = 0; c < columns; c += lanes) add(tile.alone + c, tile.logarithms_alone + c);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
