// Vectors of the widest registers that the including translation unit may use, by the vector extension that GCC and
// Clang share: `lanes` floats, or half as many doubles. Arithmetic, comparison and shift operators work lane by lane.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include <miq/core/version.hpp>

namespace miq::detail {
inline namespace MIQ_INSTRUCTION_SET {

#if defined(__AVX512F__)
inline constexpr int lanes = 16;
#elif defined(__AVX__)
inline constexpr int lanes = 8;
#else
inline constexpr int lanes = 4;
#endif
/// How many registers hold a strip of rows at a time.
#if defined(__AVX512F__) || defined(__ARM_NEON) || defined(__aarch64__)
inline constexpr int strip_vectors = 4;
#else
inline constexpr int strip_vectors = 2;
#endif
inline constexpr int double_lanes = lanes / 2;

using float_lanes [[gnu::vector_size(lanes * 4)]] = float;
using int_lanes [[gnu::vector_size(lanes * 4)]] = std::int32_t;
using half_float_lanes [[gnu::vector_size(lanes * 2)]] = float;  // as many floats as there are double lanes
using half_int_lanes [[gnu::vector_size(lanes * 2)]] = std::int32_t;
using wide_lanes [[gnu::vector_size(lanes * 4)]] = double;
using long_lanes [[gnu::vector_size(lanes * 4)]] = std::int64_t;
using byte_lanes [[gnu::vector_size(lanes)]] = std::uint8_t;
using sixteen_bytes [[gnu::vector_size(16)]] = std::uint8_t;

template <class Vector, class T>
Vector load(const T* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

/// The first `count` lanes from memory, the others 0.
template <class Vector, class T>
Vector load_first(const T* from, std::int64_t count) {
  Vector v{};
  std::memcpy(&v, from, static_cast<std::size_t>(count) * sizeof(T));
  return v;
}

template <class Vector, class T>
void store(T* to, Vector v) {
  std::memcpy(to, &v, sizeof v);
}

inline wide_lanes widen(half_float_lanes v) { return __builtin_convertvector(v, wide_lanes); }
inline half_float_lanes narrow(wide_lanes v) { return __builtin_convertvector(v, half_float_lanes); }

template <class To, class From>
To reinterpret_lanes(From v) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &v, sizeof to);
  return to;
}

inline float_lanes absolute(float_lanes v) {
  return reinterpret_lanes<float_lanes>(reinterpret_lanes<int_lanes>(v) & 0x7FFFFFFF);
}
inline half_float_lanes absolute(half_float_lanes v) {
  return reinterpret_lanes<half_float_lanes>(reinterpret_lanes<half_int_lanes>(v) & 0x7FFFFFFF);
}

/// Lane by lane `mask ? a : b`; a mask lane is all ones or 0, as comparisons give it.
template <class Mask, class Vector>
Vector select(Mask mask, Vector a, Vector b) {
  return reinterpret_lanes<Vector>((mask & reinterpret_lanes<Mask>(a)) | (~mask & reinterpret_lanes<Mask>(b)));
}

/// Calls `body(0)`, ..., `body(count - 1)` one after the other, without a loop: sums in arrays then live in registers
/// at every level of optimisation.
template <int count, class Body>
[[gnu::always_inline]] inline void unrolled(const Body& body) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) { (body(i), ...); }
  (std::make_integer_sequence<int, count>{});
}

inline float_lanes smaller(float_lanes a, float_lanes b) { return a < b ? a : b; }
inline float_lanes larger(float_lanes a, float_lanes b) { return a > b ? a : b; }

/// Whether any lane of a mask is set.
template <class Mask>
bool any(Mask mask) {
  std::uint64_t words[sizeof(Mask) / 8];
  std::memcpy(words, &mask, sizeof mask);
  std::uint64_t joined = 0;
  for (const auto word : words) joined |= word;
  return joined != 0;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::detail
