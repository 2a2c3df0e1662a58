// Codes in dense words, and back (packing.hpp): the kernel bodies, and the order in which they run.
#pragma once

#include <miq/core/workspace.hpp>
#include <miq/quantization/detail/fit/body_tools.hpp>
#include <miq/quantization/packing.hpp>

namespace miq::quantization::detail {

/// Word `n` of the stream of `count` codes of `bits` bits. `code(i)` is code i, below 2^bits.
template <class Code>
MIQ_HOST_DEVICE std::uint32_t packed_word(std::int64_t n, std::int64_t count, int bits, const Code& code) {
  std::uint32_t word = 0;
  const std::int64_t begin = 32 * n;
  for (auto i = begin / bits; i < count && i * bits < begin + 32; ++i) {
    const auto shift = static_cast<int>(i * bits - begin);  // negative: the word before has the lowest bits
    const std::uint32_t value = code(i);
    word |= shift < 0 ? value >> -shift : value << shift;
  }
  return word;
}

/// Code i of a stream. Reads the second of two words only where the code straddles them.
MIQ_HOST_DEVICE inline std::uint8_t unpacked_code(const std::uint32_t* words, std::int64_t i, int bits) {
  const std::int64_t bit = i * bits;
  const auto shift = static_cast<int>(bit % 32);
  std::uint32_t value = words[bit / 32] >> shift;
  if (shift + bits > 32) value |= words[bit / 32 + 1] << (32 - shift);
  return static_cast<std::uint8_t>(value & ((1U << bits) - 1));
}

/// All codes, a word per lane. Of a code that is too large the lowest bits are taken; it is counted.
struct pack_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 1024;  // words

  const std::uint8_t* codes = nullptr;
  std::int64_t count = 0;
  int bits = 1;
  std::uint32_t* words = nullptr;
  std::int64_t word_count = 0;        // packed_words(count, bits)
  std::int64_t* too_large = nullptr;  // 0 before

  std::int64_t blocks() const { return divided_up(word_count, tile); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto last = (block + 1) * tile < word_count ? (block + 1) * tile : word_count;
    const auto largest = (1U << bits) - 1;
    std::int64_t wrong = 0;
    for (auto n = block * tile + group.rank(); n < last; n += group.size())
      words[n] = packed_word(n, count, bits, [&](std::int64_t i) {
        const std::uint32_t code = codes[i];
        wrong += code > largest && i * bits >= 32 * n ? 1 : 0;  // counted where it begins
        return code & largest;
      });
    if (wrong != 0) add_atomically(too_large, wrong);
  }
};

struct unpack_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 4096;  // codes

  const std::uint32_t* words = nullptr;
  int bits = 1;
  std::uint8_t* codes = nullptr;
  std::int64_t count = 0;

  std::int64_t blocks() const { return divided_up(count, tile); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto last = (block + 1) * tile < count ? (block + 1) * tile : count;
    for (auto i = block * tile + group.rank(); i < last; i += group.size()) codes[i] = unpacked_code(words, i, bits);
  }
};

/// Codes of one tile of a mask; what its lanes keep is numbered tile by tile, and inside a tile lane by lane.
inline constexpr std::int64_t kept_tile = 4096;

/// Kept codes of every tile.
struct count_kept_body {
  static constexpr int lanes = 256;

  const std::uint8_t* kept = nullptr;
  std::int64_t count = 0;
  std::int64_t* totals = nullptr;  // [tiles]

  std::int64_t blocks() const { return divided_up(count, kept_tile); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t tile, std::byte* scratch) const {
    const auto last = (tile + 1) * kept_tile < count ? (tile + 1) * kept_tile : count;
    std::int64_t mine = 0;
    for (auto i = tile * kept_tile + group.rank(); i < last; i += group.size()) mine += kept[i] != 0 ? 1 : 0;
    const auto total = sum_over_lanes(group, mine, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0) totals[tile] = total;
  }
};

/// Totals become sums of the totals before, in place; the sum of all goes to `all`. One block.
struct offsets_body {
  static constexpr int lanes = 256;

  std::int64_t* totals = nullptr;  // [tiles]
  std::int64_t tiles = 0;
  std::int64_t* all = nullptr;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    const auto each = divided_up(tiles, group.size());
    const auto first = each * group.rank() < tiles ? each * group.rank() : tiles;
    const auto last = first + each < tiles ? first + each : tiles;
    std::int64_t sum = 0;
    for (auto t = first; t < last; ++t) sum += totals[t];
    const auto total = exclusive_sum_over_lanes(group, sum, slots);
    sum = slots[group.rank()];
    for (auto t = first; t < last; ++t) {
      const auto own = totals[t];
      totals[t] = sum;
      sum += own;
    }
    if (group.rank() == 0) *all = total;
  }
};

/// The part of a tile that a lane has, and how many codes the lanes before keep.
struct kept_run {
  std::int64_t first;
  std::int64_t last;
  std::int64_t before;
  std::int64_t total;  // of the tile

  /// Synchronises. `slots` is scratch for one number a lane.
  template <class Group>
  MIQ_HOST_DEVICE static kept_run of(const Group& group, std::int64_t tile, const std::uint8_t* kept,
                                     std::int64_t count, std::int64_t* slots) {
    const auto end = (tile + 1) * kept_tile < count ? (tile + 1) * kept_tile : count;
    const auto each = divided_up(kept_tile, group.size());
    const auto begin = tile * kept_tile + each * group.rank();
    kept_run run{begin < end ? begin : end, begin + each < end ? begin + each : end, 0, 0};
    std::int64_t mine = 0;
    for (auto i = run.first; i < run.last; ++i) mine += kept[i] != 0 ? 1 : 0;
    run.total = exclusive_sum_over_lanes(group, mine, slots);
    run.before = slots[group.rank()];
    return run;
  }
};

/// Kept codes alone. `words` holds zeros before: words at the ends of a tile are shared with its neighbours, whose bits
/// in them are others. What does not fit into `words` is dropped.
struct pack_kept_body {
  static constexpr int lanes = 256;

  const std::uint8_t* codes = nullptr;
  const std::uint8_t* kept = nullptr;
  std::int64_t count = 0;
  const std::int64_t* offsets = nullptr;  // [tiles]
  int bits = 1;
  std::uint32_t* words = nullptr;
  std::int64_t word_count = 0;
  std::int64_t* too_large = nullptr;  // 0 before

  std::int64_t blocks() const { return divided_up(count, kept_tile); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)) + kept_tile; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t tile, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const mine = reinterpret_cast<std::uint8_t*>(slots + lanes);
    const auto run = kept_run::of(group, tile, kept, count, slots);
    const auto largest = (1U << bits) - 1;
    std::int64_t wrong = 0;
    auto at = run.before;
    for (auto i = run.first; i < run.last; ++i) {
      if (kept[i] == 0) continue;
      wrong += codes[i] > largest ? 1 : 0;
      mine[at++] = static_cast<std::uint8_t>(codes[i] & largest);
    }
    if (wrong != 0) add_atomically(too_large, wrong);
    group.sync();
    const auto offset = offsets[tile];
    const auto begin = offset * bits;
    const auto end = (offset + run.total) * bits;
    const auto last = divided_up(end, 32) < word_count ? divided_up(end, 32) : word_count;
    for (auto n = begin / 32 + group.rank(); n < last; n += group.size()) {
      const auto word = packed_word_from(n, offset, run.total, mine);
      if (32 * n >= begin && 32 * n + 32 <= end)
        words[n] = word;
      else
        add_atomically(words + n, word);
    }
  }

 private:
  /// The tile's bits of word n; its codes begin at code `offset` of the stream.
  MIQ_HOST_DEVICE std::uint32_t packed_word_from(std::int64_t n, std::int64_t offset, std::int64_t total,
                                                 const std::uint8_t* mine) const {
    return packed_word(n, offset + total, bits,
                       [&](std::int64_t i) { return i < offset ? 0U : std::uint32_t{mine[i - offset]}; });
  }
};

/// The reverse: masked places get 0, and so do codes that `words` does not hold.
struct unpack_kept_body {
  static constexpr int lanes = 256;

  const std::uint32_t* words = nullptr;
  std::int64_t word_count = 0;
  const std::uint8_t* kept = nullptr;
  std::int64_t count = 0;
  const std::int64_t* offsets = nullptr;  // [tiles]
  int bits = 1;
  std::uint8_t* codes = nullptr;

  std::int64_t blocks() const { return divided_up(count, kept_tile); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t tile, std::byte* scratch) const {
    const auto run = kept_run::of(group, tile, kept, count, reinterpret_cast<std::int64_t*>(scratch));
    auto at = offsets[tile] + run.before;
    for (auto i = run.first; i < run.last; ++i) {
      std::uint8_t code = 0;
      if (kept[i] != 0) {
        if ((at + 1) * bits <= 32 * word_count) code = unpacked_code(words, at, bits);
        ++at;
      }
      codes[i] = code;
    }
  }
};

/// Scratch of the functions of kept codes.
struct kept_layout {
  miq::detail::workspace_layout all;
  std::int64_t tiles;
  std::int64_t totals;

  explicit kept_layout(std::int64_t codes) : tiles(divided_up(codes, kept_tile)) {
    totals = all.add<std::int64_t>(tiles);
  }
};

/// Numbers the kept codes: where those of each tile begin. The sum of all goes to `all`.
template <class Machine>
std::int64_t* number_kept_on(const Machine& machine, const std::uint8_t* kept, std::int64_t count,
                             const kept_layout& layout, std::byte* base, std::int64_t* all) {
  auto* const totals = reinterpret_cast<std::int64_t*>(base + layout.totals);
  machine.launch("kept codes: count", count_kept_body{kept, count, totals});
  machine.launch("kept codes: offsets", offsets_body{totals, layout.tiles, all});
  return totals;
}

/// `pack_kept_codes` in the order of a device. `Machine` runs bodies in order: `launch(name, body)`. `*too_large` is 0
/// before.
template <class Machine>
void pack_kept_on(const Machine& machine, const std::uint8_t* codes, const std::uint8_t* kept, std::int64_t count,
                  int bits, std::uint32_t* words, std::int64_t word_count, const kept_layout& layout, std::byte* base,
                  std::int64_t* all, std::int64_t* too_large) {
  const auto* const offsets = number_kept_on(machine, kept, count, layout, base, all);
  machine.launch("pack_kept_codes: clear", fill_body<std::uint32_t>{words, word_count, 0});
  machine.launch("pack_kept_codes", pack_kept_body{codes, kept, count, offsets, bits, words, word_count, too_large});
}

/// `unpack_kept_codes` in the order of a device.
template <class Machine>
void unpack_kept_on(const Machine& machine, const std::uint32_t* words, std::int64_t word_count,
                    const std::uint8_t* kept, std::int64_t count, int bits, std::uint8_t* codes,
                    const kept_layout& layout, std::byte* base, std::int64_t* all) {
  const auto* const offsets = number_kept_on(machine, kept, count, layout, base, all);
  machine.launch("unpack_kept_codes", unpack_kept_body{words, word_count, kept, count, offsets, bits, codes});
}

}  // namespace miq::quantization::detail
