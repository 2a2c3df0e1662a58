// Vectors of the compiler's vector extension, and transposes of small squares of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include <miq/core/version.hpp>

namespace miq::detail {

inline namespace MIQ_INSTRUCTION_SET {

/// Floats of one vector register, and how many such registers there are to hold a strip of rows.
#if defined(__AVX512F__)
inline constexpr int lane_count = 16;
inline constexpr int strip_vectors = 4;
#elif defined(__AVX__)
inline constexpr int lane_count = 8;
inline constexpr int strip_vectors = 2;
#elif defined(__ARM_NEON) || defined(__aarch64__)
inline constexpr int lane_count = 4;
inline constexpr int strip_vectors = 4;
#else
inline constexpr int lane_count = 4;
inline constexpr int strip_vectors = 2;
#endif

using float_lanes = float __attribute__((vector_size(sizeof(float) * lane_count)));
using integer_lanes = std::int32_t __attribute__((vector_size(sizeof(std::int32_t) * lane_count)));
using byte_lanes = std::uint8_t __attribute__((vector_size(lane_count)));
using sixteen_bytes = std::uint8_t __attribute__((vector_size(16)));

template <class Vector>
inline Vector load(const void* from) {
  Vector result;
  std::memcpy(&result, from, sizeof(Vector));
  return result;
}

template <class Vector>
inline void store(void* to, const Vector& value) {
  std::memcpy(to, &value, sizeof(Vector));
}

inline float_lanes smaller(float_lanes a, float_lanes b) { return a < b ? a : b; }
inline float_lanes larger(float_lanes a, float_lanes b) { return a > b ? a : b; }

template <class Vector, std::size_t... Index>
inline Vector interleave_first(Vector a, Vector b, std::index_sequence<Index...>) {
  return __builtin_shufflevector(a, b, static_cast<int>(Index / 2 + Index % 2 * sizeof...(Index))...);
}

template <class Vector, std::size_t... Index>
inline Vector interleave_last(Vector a, Vector b, std::index_sequence<Index...>) {
  constexpr std::size_t count = sizeof...(Index);
  return __builtin_shufflevector(a, b, static_cast<int>(count / 2 + Index / 2 + Index % 2 * count)...);
}

/// Transposes a square of `Count` vectors of `Count` elements: log2 Count rounds of interleaving the first half of the
/// vectors with the second.
template <std::size_t Count, class Vector>
inline void transpose(Vector (&square)[Count]) {
  constexpr auto index = std::make_index_sequence<Count>{};
  for (std::size_t round = 1; round < Count; round *= 2) {
    Vector next[Count];
    for (std::size_t i = 0; i < Count / 2; ++i) {
      next[2 * i] = interleave_first(square[i], square[i + Count / 2], index);
      next[2 * i + 1] = interleave_last(square[i], square[i + Count / 2], index);
    }
    for (std::size_t i = 0; i < Count; ++i) square[i] = next[i];
  }
}

/// to(c, r) = from(r, c) for a matrix of `rows` rows and `columns` columns, in squares of whole vectors where they fit.
template <class Vector, class T>
inline void transpose_copy(const T* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, T* to,
                           std::int64_t to_stride) {
  constexpr std::size_t count = sizeof(Vector) / sizeof(T);
  constexpr auto side = static_cast<std::int64_t>(count);
  const auto whole_rows = rows / side * side;
  const auto whole_columns = columns / side * side;
  for (std::int64_t r = 0; r < whole_rows; r += side)
    for (std::int64_t c = 0; c < whole_columns; c += side) {
      Vector square[count];
      for (std::int64_t i = 0; i < side; ++i) square[i] = load<Vector>(from + (r + i) * from_stride + c);
      transpose(square);
      for (std::int64_t i = 0; i < side; ++i) store(to + (c + i) * to_stride + r, square[i]);
    }
  for (std::int64_t r = 0; r < rows; ++r)
    for (auto c = r < whole_rows ? whole_columns : 0; c < columns; ++c)
      to[c * to_stride + r] = from[r * from_stride + c];
}

}  // namespace MIQ_INSTRUCTION_SET

}  // namespace miq::detail
