// quantization/packing.cuh: the bodies of quantization/packing_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_result.cuh>
#include <miq/core/machine.cuh>
#include <miq/quantization/detail/packing/body.hpp>
#include <miq/quantization/detail/packing/checks.hpp>
#include <miq/quantization/packing_cuda.hpp>

namespace miq::quantization::detail {
inline namespace MIQ_CUDA_NAMESPACE {

template <class A, class B>
void check_device_vectors_apart(const char* function, const vector_view<A, device_memory>& in, const char* in_name,
                                const vector_view<B, device_memory>& out, const char* out_name) {
  require(!miq::detail::ranges_overlap(in.data(), in.size() * static_cast<std::int64_t>(sizeof(A)), out.data(),
                                       out.size() * static_cast<std::int64_t>(sizeof(B))),
          function, ": ", in_name, " and ", out_name, " must not overlap");
}

inline void check_kept_words(const char* function, std::int64_t codes, std::int64_t kept, int bits,
                             std::int64_t words) {
  check_mask(function, codes, kept);
  require(bits >= minimum_bits && bits <= maximum_bits, function, ": bits must be 1 to 8, got ", bits);
  require(words <= packed_words(codes, bits), function, ": words must be at most the ", packed_words(codes, bits),
          " words of ", codes, " codes of ", bits, " bits, got ", words);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization::detail

namespace miq::quantization {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API void pack_codes(const cuda_executor& exec, vector_view<const std::uint8_t, device_memory> codes, int bits,
                             vector_view<std::uint32_t, device_memory> words,
                             result_ref<packing_result, device_memory> result) {
  detail::check_words("pack_codes", codes.size(), bits, words.size());
  detail::check_device_vectors_apart("pack_codes", codes, "codes", words, "words");
  device::write_result(exec, "pack_codes", result, packing_result{0, codes.size()});
  device::launch(
      exec, "pack_codes",
      detail::pack_body{codes.data(), codes.size(), bits, words.data(), words.size(), &result.get()->too_large});
}

MIQ_CUDA_API packing_result pack_codes(const cuda_executor& exec, vector_view<const std::uint8_t, device_memory> codes,
                                       int bits, vector_view<std::uint32_t, device_memory> words) {
  const device::result_on_device<packing_result> result(exec);
  pack_codes(exec, codes, bits, words, result.ref());
  return result.fetch();
}

MIQ_CUDA_API void unpack_codes(const cuda_executor& exec, vector_view<const std::uint32_t, device_memory> words,
                               int bits, vector_view<std::uint8_t, device_memory> codes) {
  detail::check_words("unpack_codes", codes.size(), bits, words.size());
  detail::check_device_vectors_apart("unpack_codes", words, "words", codes, "codes");
  device::launch(exec, "unpack_codes", detail::unpack_body{words.data(), bits, codes.data(), codes.size()});
}

MIQ_CUDA_API std::int64_t kept_codes_workspace_bytes(std::int64_t codes) {
  return detail::kept_layout(codes).all.bytes();
}

MIQ_CUDA_API void pack_kept_codes(const cuda_executor& exec, vector_view<const std::uint8_t, device_memory> codes,
                                  vector_view<const std::uint8_t, device_memory> kept, int bits,
                                  vector_view<std::uint32_t, device_memory> words,
                                  result_ref<packing_result, device_memory> result, device_workspace scratch) {
  detail::check_kept_words("pack_kept_codes", codes.size(), kept.size(), bits, words.size());
  detail::check_device_vectors_apart("pack_kept_codes", codes, "codes", words, "words");
  detail::check_device_vectors_apart("pack_kept_codes", kept, "kept", words, "words");
  const detail::kept_layout layout(codes.size());
  const miq::detail::device_scratch memory("pack_kept_codes", layout.all, scratch, exec.stream(), exec.resource());
  device::write_result(exec, "pack_kept_codes", result, packing_result{});
  detail::pack_kept_on(device::stream_machine(exec), codes.data(), kept.data(), codes.size(), bits, words.data(),
                       words.size(), layout, memory.at<std::byte>(0), &result.get()->kept, &result.get()->too_large);
}

MIQ_CUDA_API void unpack_kept_codes(const cuda_executor& exec, vector_view<const std::uint32_t, device_memory> words,
                                    vector_view<const std::uint8_t, device_memory> kept, int bits,
                                    vector_view<std::uint8_t, device_memory> codes,
                                    result_ref<packing_result, device_memory> result, device_workspace scratch) {
  detail::check_kept_words("unpack_kept_codes", codes.size(), kept.size(), bits, words.size());
  detail::check_device_vectors_apart("unpack_kept_codes", words, "words", codes, "codes");
  detail::check_device_vectors_apart("unpack_kept_codes", kept, "kept", codes, "codes");
  const detail::kept_layout layout(codes.size());
  const miq::detail::device_scratch memory("unpack_kept_codes", layout.all, scratch, exec.stream(), exec.resource());
  device::write_result(exec, "unpack_kept_codes", result, packing_result{});
  detail::unpack_kept_on(device::stream_machine(exec), words.data(), words.size(), kept.data(), codes.size(), bits,
                         codes.data(), layout, memory.at<std::byte>(0), &result.get()->kept);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization
