#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <miq/quantization/affine_grid.hpp>
#include <miq/quantization/detail/packing/checks.hpp>
#include <miq/quantization/packing.hpp>

namespace miq::quantization {

namespace detail {

/// Eight bytes below 2^bits, the first the lowest, as one field of 8 * bits bits: neighbours are joined three times.
constexpr std::uint64_t gather_eight(std::uint64_t bytes, int bits) {
  constexpr std::uint64_t even_bytes = 0x00FF00FF00FF00FF;
  constexpr std::uint64_t even_pairs = 0x0000FFFF0000FFFF;
  constexpr std::uint64_t low_half = 0x00000000FFFFFFFF;
  bytes = (bytes & even_bytes) | ((bytes & ~even_bytes) >> (8 - bits));
  bytes = (bytes & even_pairs) | ((bytes & ~even_pairs) >> (16 - 2 * bits));
  return (bytes & low_half) | ((bytes & ~low_half) >> (32 - 4 * bits));
}

/// The reverse.
constexpr std::uint64_t spread_eight(std::uint64_t field, int bits) {
  const auto lowest = [](int count) { return (std::uint64_t{1} << count) - 1; };
  field = (field & lowest(4 * bits)) | ((field & (lowest(4 * bits) << 4 * bits)) << (32 - 4 * bits));
  const auto pairs = lowest(2 * bits) * 0x0000000100000001;
  field = (field & pairs) | ((field & (pairs << 2 * bits)) << (16 - 2 * bits));
  const auto ones = lowest(bits) * 0x0001000100010001;
  return (field & ones) | ((field & (ones << bits)) << (8 - bits));
}

/// Eight bytes as a number, the first the lowest. (Compilers make one load of it.)
inline std::uint64_t load_eight(const std::uint8_t* bytes) {
  if constexpr (std::endian::native == std::endian::little) {
    std::uint64_t value;
    std::memcpy(&value, bytes, sizeof(value));
    return value;
  }
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= std::uint64_t{bytes[i]} << 8 * i;
  return value;
}

inline void store_eight(std::uint64_t value, std::uint8_t* bytes) {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(bytes, &value, sizeof(value));
  } else {
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(value >> 8 * i);
  }
}

/// Writes a stream of fields of up to 32 bits into words.
class word_writer {
 public:
  explicit word_writer(std::uint32_t* words) : next_(words) {}

  void put(std::uint32_t value, int bits) {
    pending_ |= std::uint64_t{value} << filled_;
    filled_ += bits;
    if (filled_ >= 32) {
      *next_++ = static_cast<std::uint32_t>(pending_);
      pending_ >>= 32;
      filled_ -= 32;
    }
  }
  void finish() {
    if (filled_ > 0) *next_++ = static_cast<std::uint32_t>(pending_);
    pending_ = 0;
    filled_ = 0;
  }

 private:
  std::uint32_t* next_;
  std::uint64_t pending_ = 0;
  int filled_ = 0;
};

/// Reads it. Never reads a word before a bit of it is asked for.
class word_reader {
 public:
  explicit word_reader(const std::uint32_t* words) : next_(words) {}

  std::uint32_t get(int bits) {
    if (filled_ < bits) {
      pending_ |= std::uint64_t{*next_++} << filled_;
      filled_ += 32;
    }
    const auto value = static_cast<std::uint32_t>(pending_ & ((std::uint64_t{1} << bits) - 1));
    pending_ >>= bits;
    filled_ -= bits;
    return value;
  }

 private:
  const std::uint32_t* next_;
  std::uint64_t pending_ = 0;
  int filled_ = 0;
};

/// Packs `count` codes; the stream begins at a word's first bit.
template <int Bits>
void pack_run(const std::uint8_t* codes, std::int64_t count, std::uint32_t* words) {
  // 32 codes are four fields of 8 * Bits bits, which are Bits words.
  while (count >= 32) {
    std::array<std::uint64_t, 4> field;
    for (std::size_t i = 0; i < 4; ++i) field[i] = gather_eight(load_eight(codes + 8 * i), Bits);
    word_writer writer(words);
    for (const auto one : field) {
      constexpr int low = Bits > 4 ? 32 : 8 * Bits;
      writer.put(static_cast<std::uint32_t>(one), low);
      if constexpr (Bits > 4) writer.put(static_cast<std::uint32_t>(one >> 32), 8 * Bits - 32);
    }
    codes += 32;
    words += Bits;
    count -= 32;
  }
  word_writer writer(words);
  for (std::int64_t i = 0; i < count; ++i) writer.put(codes[i], Bits);
  writer.finish();
}

template <int Bits>
void unpack_run(const std::uint32_t* words, std::int64_t count, std::uint8_t* codes) {
  while (count >= 32) {
    word_reader reader(words);
    for (int i = 0; i < 4; ++i) {
      constexpr int low = Bits > 4 ? 32 : 8 * Bits;
      std::uint64_t field = reader.get(low);
      if constexpr (Bits > 4) field |= std::uint64_t{reader.get(8 * Bits - 32)} << 32;
      store_eight(spread_eight(field, Bits), codes + 8 * i);
    }
    codes += 32;
    words += Bits;
    count -= 32;
  }
  word_reader reader(words);
  for (std::int64_t i = 0; i < count; ++i) codes[i] = static_cast<std::uint8_t>(reader.get(Bits));
}

using pack_function = void (*)(const std::uint8_t*, std::int64_t, std::uint32_t*);
using unpack_function = void (*)(const std::uint32_t*, std::int64_t, std::uint8_t*);

inline pack_function pack_run_of(int bits) {
  constexpr std::array<pack_function, 8> runs{pack_run<1>, pack_run<2>, pack_run<3>, pack_run<4>,
                                              pack_run<5>, pack_run<6>, pack_run<7>, pack_run<8>};
  return runs[static_cast<std::size_t>(bits - 1)];
}

inline unpack_function unpack_run_of(int bits) {
  constexpr std::array<unpack_function, 8> runs{unpack_run<1>, unpack_run<2>, unpack_run<3>, unpack_run<4>,
                                                unpack_run<5>, unpack_run<6>, unpack_run<7>, unpack_run<8>};
  return runs[static_cast<std::size_t>(bits - 1)];
}

/// Codes of one task, and of one buffer of kept ones: a multiple of 32, so that each begins at a word.
inline constexpr std::int64_t packing_tile = std::int64_t{1} << 16;
inline constexpr std::int64_t kept_buffer = 1024;

/// Whether a code is above `largest`; masked ones (where `kept` is not null and 0) do not count.
inline bool exceeds(const std::uint8_t* codes, const std::uint8_t* kept, std::int64_t count, unsigned largest) {
  unsigned seen = 0;  // `largest` is all ones in binary, so that a bit above it in any code shows in the union
  if (kept == nullptr)
    for (std::int64_t i = 0; i < count; ++i) seen |= codes[i];
  else
    for (std::int64_t i = 0; i < count; ++i) seen |= kept[i] != 0 ? codes[i] : 0U;
  return seen > largest;
}

template <on_host Exec>
void check_codes(const Exec& exec, const char* function, vector_view<const std::uint8_t> codes,
                 const std::uint8_t* kept, int bits) {
  const auto largest = (1U << bits) - 1;
  exec.parallel_for((codes.size() + packing_tile - 1) / packing_tile, [&](std::int64_t task) {
    const auto first = task * packing_tile;
    const auto last = std::min(codes.size(), first + packing_tile);
    if (!exceeds(codes.data() + first, kept != nullptr ? kept + first : nullptr, last - first, largest)) return;
    for (auto i = first; i < last; ++i)
      require(codes[i] <= largest || (kept != nullptr && kept[i] == 0), function, ": code ", i, " must be below ",
              largest + 1, " to have ", bits, " bits, got ", static_cast<int>(codes[i]));
  });
}

template <on_host Exec>
void pack_codes_on(const Exec& exec, vector_view<const std::uint8_t> codes, int bits,
                   vector_view<std::uint32_t> words) {
  check_words("pack_codes", codes.size(), bits, words.size());
  check_apart("pack_codes", codes, "codes", words, "words");
  check_codes(exec, "pack_codes", codes, nullptr, bits);
  const auto run = pack_run_of(bits);
  exec.parallel_for((codes.size() + packing_tile - 1) / packing_tile, [&](std::int64_t task) {
    const auto first = task * packing_tile;
    run(codes.data() + first, std::min(packing_tile, codes.size() - first), words.data() + first / 32 * bits);
  });
}

template <on_host Exec>
void unpack_codes_on(const Exec& exec, vector_view<const std::uint32_t> words, int bits,
                     vector_view<std::uint8_t> codes) {
  check_words("unpack_codes", codes.size(), bits, words.size());
  check_apart("unpack_codes", words, "words", codes, "codes");
  const auto run = unpack_run_of(bits);
  exec.parallel_for((codes.size() + packing_tile - 1) / packing_tile, [&](std::int64_t task) {
    const auto first = task * packing_tile;
    run(words.data() + first / 32 * bits, std::min(packing_tile, codes.size() - first), codes.data() + first);
  });
}

template <on_host Exec>
void pack_kept_codes_on(const Exec& exec, vector_view<const std::uint8_t> codes, vector_view<const std::uint8_t> kept,
                        int bits, vector_view<std::uint32_t> words) {
  check_mask("pack_kept_codes", codes.size(), kept.size());
  check_words("pack_kept_codes", count_kept(kept), bits, words.size());
  check_apart("pack_kept_codes", codes, "codes", words, "words");
  check_apart("pack_kept_codes", kept, "kept", words, "words");
  check_codes(exec, "pack_kept_codes", codes, kept.data(), bits);
  const auto run = pack_run_of(bits);
  std::array<std::uint8_t, kept_buffer + 32> buffer;
  std::int64_t filled = 0;
  auto* next = words.data();
  for (std::int64_t first = 0; first < codes.size(); first += 32) {
    const auto last = std::min(codes.size(), first + 32);
    for (auto i = first; i < last; ++i) {  // without a branch: a masked code is overwritten by the next
      buffer[static_cast<std::size_t>(filled)] = codes[i];
      filled += kept[i] != 0 ? 1 : 0;
    }
    if (filled < kept_buffer) continue;
    run(buffer.data(), kept_buffer, next);
    next += kept_buffer / 32 * bits;
    filled -= kept_buffer;
    std::copy_n(buffer.data() + kept_buffer, filled, buffer.data());
  }
  run(buffer.data(), filled, next);
}

inline void unpack_kept_codes_on(const host_executor&, vector_view<const std::uint32_t> words,
                                 vector_view<const std::uint8_t> kept, int bits, vector_view<std::uint8_t> codes) {
  check_mask("unpack_kept_codes", codes.size(), kept.size());
  const auto count = count_kept(kept);
  check_words("unpack_kept_codes", count, bits, words.size());
  check_apart("unpack_kept_codes", words, "words", codes, "codes");
  check_apart("unpack_kept_codes", kept, "kept", codes, "codes");
  const auto run = unpack_run_of(bits);
  std::array<std::uint8_t, kept_buffer + 32> buffer{};
  std::int64_t begin = 0;  // the buffer's codes begin ... end - 1 are still to be handed out
  std::int64_t end = 0;
  std::int64_t left = count;
  const auto* next = words.data();
  for (std::int64_t first = 0; first < codes.size(); first += 32) {
    if (end - begin < 32 && left > 0) {
      std::copy(buffer.data() + begin, buffer.data() + end, buffer.data());
      end -= begin;
      begin = 0;
      const auto more = std::min(left, kept_buffer - 32);
      run(next, more, buffer.data() + end);
      next += more / 32 * bits;
      end += more;
      left -= more;
    }
    const auto last = std::min(codes.size(), first + 32);
    for (auto i = first; i < last; ++i) {  // without a branch, which random masks would make costly
      const unsigned keep = kept[i] != 0 ? 1 : 0;
      codes[i] = static_cast<std::uint8_t>(buffer[static_cast<std::size_t>(begin)] & (0U - keep));
      begin += keep;
    }
  }
}

}  // namespace detail

MIQ_API std::int64_t packed_words(std::int64_t codes, int bits) {
  miq::detail::require(bits >= minimum_bits && bits <= maximum_bits, "packed_words: bits must be 1 to 8, got ", bits);
  miq::detail::require(codes >= 0 && codes <= std::int64_t{1} << 59, "packed_words: codes must be 0 to 2^59, got ",
                       codes);
  return (codes * bits + 31) / 32;
}

MIQ_API std::int64_t count_kept(vector_view<const std::uint8_t> kept) {
  std::int64_t count = 0;
  for (const auto one : kept) count += one != 0 ? 1 : 0;
  return count;
}

template <executor Exec>
void pack_codes(const Exec& exec, vector_view<const std::uint8_t, memory_of<Exec>> codes, int bits,
                vector_view<std::uint32_t, memory_of<Exec>> words) {
  detail::pack_codes_on(exec, codes, bits, words);
}

template <executor Exec>
void unpack_codes(const Exec& exec, vector_view<const std::uint32_t, memory_of<Exec>> words, int bits,
                  vector_view<std::uint8_t, memory_of<Exec>> codes) {
  detail::unpack_codes_on(exec, words, bits, codes);
}

template <executor Exec>
void pack_kept_codes(const Exec& exec, vector_view<const std::uint8_t, memory_of<Exec>> codes,
                     vector_view<const std::uint8_t, memory_of<Exec>> kept, int bits,
                     vector_view<std::uint32_t, memory_of<Exec>> words) {
  detail::pack_kept_codes_on(exec, codes, kept, bits, words);
}

template <executor Exec>
void unpack_kept_codes(const Exec& exec, vector_view<const std::uint32_t, memory_of<Exec>> words,
                       vector_view<const std::uint8_t, memory_of<Exec>> kept, int bits,
                       vector_view<std::uint8_t, memory_of<Exec>> codes) {
  detail::unpack_kept_codes_on(exec, words, kept, bits, codes);
}

}  // namespace miq::quantization
