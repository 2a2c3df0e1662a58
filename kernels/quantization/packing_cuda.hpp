// quantization/packing_cuda.hpp: codes in dense 32-bit words and back (quantization/packing.hpp) on a device.
#pragma once

#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/quantization/packing.hpp>

namespace miq::quantization {
inline namespace MIQ_CUDA_NAMESPACE {

/// What the packing of codes on a device reports, where the host would refuse.
struct packing_result {
  std::int64_t too_large = 0;  ///< codes (kept ones, where there is a mask) that their width does not hold; their
                               ///< lowest bits were packed
  std::int64_t kept = 0;       ///< codes that the mask keeps; all, where there is no mask
};

/// As `pack_codes` on the host: the same words to the bit. Does not allocate, does not synchronise, may be captured.
/// @param words   [packed_words(codes.size(), bits)], written whole; must not overlap `codes`
/// @param result  one object in device memory
/// @throws invalid_argument  for a width outside 1 to 8, a wrong size, an overlap
MIQ_CUDA_API void pack_codes(const cuda_executor& exec, vector_view<const std::uint8_t, device_memory> codes, int bits,
                             vector_view<std::uint32_t, device_memory> words,
                             result_ref<packing_result, device_memory> result);

/// The same, returning the result: synchronises. Takes 16 bytes from the executor's resource.
MIQ_CUDA_API packing_result pack_codes(const cuda_executor& exec, vector_view<const std::uint8_t, device_memory> codes,
                                       int bits, vector_view<std::uint32_t, device_memory> words);

/// As `unpack_codes` on the host. Does not allocate, does not synchronise, may be captured.
MIQ_CUDA_API void unpack_codes(const cuda_executor& exec, vector_view<const std::uint32_t, device_memory> words,
                               int bits, vector_view<std::uint8_t, device_memory> codes);

/// Scratch of the functions of kept codes, in bytes: 8 for every 4096 codes.
MIQ_CUDA_API std::int64_t kept_codes_workspace_bytes(std::int64_t codes);

/// As `pack_kept_codes` on the host, the same words to the bit. Does not allocate if `scratch` is given, does not
/// synchronise, may be captured.
///
/// How many codes there are is not known to the host: `words` may be longer than they need, and the words behind are 0;
/// where it is too short, what does not fit is dropped, which `result.kept` tells (`packed_words(kept, bits)` beyond
/// `words.size()`).
/// @param words  at most packed_words(codes.size(), bits), written whole; must not overlap the inputs
/// @throws invalid_argument  for a width outside 1 to 8, wrong sizes, an overlap
MIQ_CUDA_API void pack_kept_codes(const cuda_executor& exec, vector_view<const std::uint8_t, device_memory> codes,
                                  vector_view<const std::uint8_t, device_memory> kept, int bits,
                                  vector_view<std::uint32_t, device_memory> words,
                                  result_ref<packing_result, device_memory> result, device_workspace scratch = {});

/// The reverse: masked places get code 0, and so do codes that `words` is too short to hold. Scratch and the rest as
/// there; `too_large` stays 0.
MIQ_CUDA_API void unpack_kept_codes(const cuda_executor& exec, vector_view<const std::uint32_t, device_memory> words,
                                    vector_view<const std::uint8_t, device_memory> kept, int bits,
                                    vector_view<std::uint8_t, device_memory> codes,
                                    result_ref<packing_result, device_memory> result, device_workspace scratch = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization
