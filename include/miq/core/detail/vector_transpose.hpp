// Transposes of small squares of vectors, and of matrices by way of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <miq/core/detail/vector_lanes.hpp>

namespace miq::detail {
inline namespace MIQ_INSTRUCTION_SET {

#if defined(__CUDACC__)
// nvcc 13 loses packs of arguments of builtins on their way to the host's compiler.
template <class Vector, std::size_t... Index>
inline Vector interleave_from(Vector a, Vector b, std::size_t first) {
  Vector result{};
  for (std::size_t i = 0; i < sizeof...(Index); i += 2) {
    result[i] = a[first + i / 2];
    result[i + 1] = b[first + i / 2];
  }
  return result;
}

template <class Vector, std::size_t... Index>
inline Vector interleave_first(Vector a, Vector b, std::index_sequence<Index...>) {
  return interleave_from<Vector, Index...>(a, b, 0);
}

template <class Vector, std::size_t... Index>
inline Vector interleave_last(Vector a, Vector b, std::index_sequence<Index...>) {
  return interleave_from<Vector, Index...>(a, b, sizeof...(Index) / 2);
}
#else
template <class Vector, std::size_t... Index>
inline Vector interleave_first(Vector a, Vector b, std::index_sequence<Index...>) {
  return __builtin_shufflevector(a, b, static_cast<int>(Index / 2 + Index % 2 * sizeof...(Index))...);
}

template <class Vector, std::size_t... Index>
inline Vector interleave_last(Vector a, Vector b, std::index_sequence<Index...>) {
  constexpr std::size_t count = sizeof...(Index);
  return __builtin_shufflevector(a, b, static_cast<int>(count / 2 + Index / 2 + Index % 2 * count)...);
}
#endif

/// The first elements of all vectors come first, then the second ones, and so on: log2 Count rounds of interleaving the
/// first half of the vectors with the second. `Count` is a power of two.
template <std::size_t Count, class Vector>
inline void interleave_all(Vector (&vectors)[Count]) {
  constexpr auto index = std::make_index_sequence<sizeof(Vector) / sizeof(vectors[0][0])>{};
  for (std::size_t round = 1; round < Count; round *= 2) {
    Vector next[Count];
    for (std::size_t i = 0; i < Count / 2; ++i) {
      next[2 * i] = interleave_first(vectors[i], vectors[i + Count / 2], index);
      next[2 * i + 1] = interleave_last(vectors[i], vectors[i + Count / 2], index);
    }
    for (std::size_t i = 0; i < Count; ++i) vectors[i] = next[i];
  }
}

/// Transposes a square of `Count` vectors of `Count` elements.
template <std::size_t Count, class Vector>
inline void transpose(Vector (&square)[Count]) {
  static_assert(sizeof(Vector) / sizeof(square[0][0]) == Count);
  interleave_all(square);
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
