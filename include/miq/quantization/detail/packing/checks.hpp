// What packing asks of its arguments, in any memory.
#pragma once

#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/quantization/affine_grid.hpp>

namespace miq::quantization {

MIQ_API std::int64_t packed_words(std::int64_t codes, int bits);  // packing.hpp

namespace detail {

using miq::detail::require;

template <class T, class U>
void check_apart(const char* function, vector_view<T> a, const char* a_name, vector_view<U> b, const char* b_name) {
  require(!miq::detail::ranges_overlap(a.data(), a.size() * static_cast<std::int64_t>(sizeof(T)), b.data(),
                                       b.size() * static_cast<std::int64_t>(sizeof(U))),
          function, ": ", a_name, " and ", b_name, " must not overlap");
}

inline void check_words(const char* function, std::int64_t codes, int bits, std::int64_t words) {
  require(bits >= minimum_bits && bits <= maximum_bits, function, ": bits must be 1 to 8, got ", bits);
  require(words == packed_words(codes, bits), function, ": words must hold the ", packed_words(codes, bits),
          " words of ", codes, " codes of ", bits, " bits, got ", words);
}

inline void check_mask(const char* function, std::int64_t codes, std::int64_t kept) {
  require(kept == codes, function, ": kept must have an element for each of the ", codes, " codes, got ", kept);
}

}  // namespace detail
}  // namespace miq::quantization
