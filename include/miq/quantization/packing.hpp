// quantization/packing.hpp: codes of 1 to 8 bits in dense 32-bit words, and back.
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::quantization {

// The order of bits, the same for every width b: code i lies at bits i*b ... i*b + b - 1 of one stream, its lowest bit
// first; bit n of the stream is bit n mod 32 (0 the lowest) of word n / 32. A code may straddle two words; 32 codes
// fill exactly b words. The last word's unused bits are 0. Written to a little-endian file the words are the same
// stream byte by byte. GPTQ checkpoints (at 2, 3, 4 and 8 bits) and compressed-tensors' `pack-quantized` pack the codes
// of one row or column in this order.

/// The 32-bit words that `codes` codes of `bits` bits take: `ceil(codes * bits / 32)`.
/// @throws invalid_argument  if `bits` is not 1 to 8, or `codes` is negative or above 2^59
MIQ_API std::int64_t packed_words(std::int64_t codes, int bits);

/// Weights that a mask keeps: how many of its elements are not 0.
MIQ_API std::int64_t count_kept(vector_view<const std::uint8_t> kept);

/// Packs codes. Exact: `unpack_codes` gives them back.
///
/// @param exec   where to run. Does not allocate.
/// @param codes  each below 2^bits
/// @param words  [packed_words(codes.size(), bits)], written whole; must not overlap `codes`
/// @throws invalid_argument  for a width outside 1 to 8, a wrong size, a code that is too large (named with its index);
///                           `words` is untouched
/// Cost: reads the codes twice (once to check them), eight codes a step. Deterministic, whatever the number of threads.
template <executor Exec>
void pack_codes(const Exec& exec, vector_view<const std::uint8_t, memory_of<Exec>> codes, int bits,
                vector_view<std::uint32_t, memory_of<Exec>> words);

/// The reverse. The bits of the last word behind the last code are ignored.
/// @param words  [packed_words(codes.size(), bits)]
/// @throws invalid_argument  as `pack_codes`; `codes` is untouched
template <executor Exec>
void unpack_codes(const Exec& exec, vector_view<const std::uint32_t, memory_of<Exec>> words, int bits,
                  vector_view<std::uint8_t, memory_of<Exec>> codes);

/// Packs the codes of kept weights alone, contiguous in their order.
///
/// @param exec   where to run (on the calling thread). Does not allocate.
/// @param codes  each kept one below 2^bits; what stands at masked places is not looked at
/// @param kept   [codes.size()], 0 where a weight is masked
/// @param words  [packed_words(count_kept(kept), bits)], written whole; must not overlap the inputs
/// @throws invalid_argument  as `pack_codes`; `words` is untouched
template <executor Exec>
void pack_kept_codes(const Exec& exec, vector_view<const std::uint8_t, memory_of<Exec>> codes,
                     vector_view<const std::uint8_t, memory_of<Exec>> kept, int bits,
                     vector_view<std::uint32_t, memory_of<Exec>> words);

/// The reverse: masked places get code 0.
/// @throws invalid_argument  as `pack_kept_codes`; `codes` is untouched
template <executor Exec>
void unpack_kept_codes(const Exec& exec, vector_view<const std::uint32_t, memory_of<Exec>> words,
                       vector_view<const std::uint8_t, memory_of<Exec>> kept, int bits,
                       vector_view<std::uint8_t, memory_of<Exec>> codes);

}  // namespace miq::quantization

#if !defined(MIQ_PRECOMPILED)
#include <miq/quantization/detail/packing/host.inl>
#endif
