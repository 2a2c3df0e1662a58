// Histograms on a device: bins, codes, their one-hot form, and information from joint counts.
//
// The joint counts of two channels are the product of their one-hot codes: with row (i, a) of a matrix holding, for
// each token, whether channel i has code a, sum_t row(i, a) row(j, b) is the number of tokens with codes a and b. That
// is a product of bytes with sums in 32-bit integers, which devices have units for; it is exact and has no order.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/information/detail/histogram/count_entropy.hpp>
#include <miq/information/detail/samples/body.hpp>
#include <miq/information/histogram.hpp>

namespace miq::information::detail {

/// What is known of all channels, in device memory.
struct device_channels {
  std::int64_t tokens = 0;
  std::int64_t channels = 0;
  std::int64_t slots = 0;    ///< codes that a channel may have
  std::int64_t leading = 0;  ///< of `codes`: tokens rounded up to 16
  int shift = 0;             ///< of n ln n in fixed point
  float* minimum = nullptr;  ///< [channels]
  float* maximum = nullptr;
  std::uint8_t* flags = nullptr;   ///< [channels], channel_flag
  std::int32_t* bins = nullptr;    ///< [channels], empty ones included; 1 for constant channels
  std::int32_t* used = nullptr;    ///< [channels], codes that occur
  std::int64_t* sums = nullptr;    ///< [channels], sum of n ln n
  std::int32_t* counts = nullptr;  ///< [channels, slots]
  std::uint8_t* codes = nullptr;   ///< [channels, leading]
  std::int64_t* table = nullptr;   ///< n ln n for n up to most_tabulated or the tokens
  std::int64_t table_entries = 0;

  MIQ_HOST_DEVICE std::int64_t n_log_n(std::int32_t n) const {
    return n < table_entries ? table[n] : fixed_n_log_n(static_cast<double>(n), shift);
  }
};

struct n_log_n_table_body {
  static constexpr int lanes = 256;
  device_channels of;

  std::int64_t blocks() const { return (of.table_entries + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (std::int64_t n = block * lanes + group.rank(); n < of.table_entries && n < (block + 1) * lanes;
         n += group.size())
      of.table[n] = fixed_n_log_n(static_cast<double>(n), of.shift);
  }
};

/// How many bins the channels `first` and on get. What does not depend on the channel is computed on the host, so that
/// both machines decide alike.
struct bin_counts_body {
  static constexpr int lanes = 128;

  device_channels of;
  std::int64_t first = 0;
  std::int64_t count = 0;
  double wanted = 0;                      // of all channels, unless quartiles decide
  const std::uint32_t* sorted = nullptr;  // [count, tokens] where they do, otherwise null
  double cube_root = 0;                   // of the tokens
  double sturges = 0;                     // where quartiles coincide
  int max_bins = 256;

  std::int64_t blocks() const { return (count + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (std::int64_t k = block * lanes + group.rank(); k < count && k < (block + 1) * lanes; k += group.size()) {
      const auto c = first + k;
      if (of.flags[c] != 0) {
        of.bins[c] = 1;
        continue;
      }
      double bins = wanted;
      if (sorted != nullptr) {
        const auto* const keys = sorted + k * of.tokens;
        const double spread = quantile(keys, 0.75) - quantile(keys, 0.25);
        const double range = static_cast<double>(of.maximum[c]) - static_cast<double>(of.minimum[c]);
        bins = spread == 0 ? sturges : std::ceil(range / (2 * spread / cube_root));
        if (spread == 0) of.flags[c] = static_cast<std::uint8_t>(of.flags[c] | channel_spreadless);
      }
      if (bins > max_bins) of.flags[c] = static_cast<std::uint8_t>(of.flags[c] | channel_capped);
      of.bins[c] = static_cast<std::int32_t>(bins < 2 ? 2.0 : bins > max_bins ? static_cast<double>(max_bins) : bins);
    }
  }

 private:
  /// By linear interpolation between neighbours, as `interpolated_quantile`.
  MIQ_HOST_DEVICE double quantile(const std::uint32_t* keys, double share) const {
    const double place = share * static_cast<double>(of.tokens - 1);
    const auto below = static_cast<std::int64_t>(place);
    const auto above = below + 1 < of.tokens ? below + 1 : of.tokens - 1;
    const auto low = static_cast<double>(value_of_ordered_bits(keys[below]));
    const auto high = static_cast<double>(value_of_ordered_bits(keys[above]));
    return unfused(place - static_cast<double>(below), high - low, low);
  }
};

/// A byte for each token of the channels `first` and on: its bin. Channels that are constant or not finite have code 0
/// only. What lies behind the last token is 0.
struct codes_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile_channels = 32;
  static constexpr std::int64_t tile_tokens = 128;

  device_channels of;
  const float* samples = nullptr;  // [tokens, channels], all of them
  std::int64_t samples_leading = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;
  const std::uint32_t* sorted = nullptr;  // [count, tokens] for bins of equal frequency, null for equal width

  struct grid {
    double low, step, scale;
  };

  MIQ_HOST_DEVICE std::int64_t token_blocks() const { return (of.leading + tile_tokens - 1) / tile_tokens; }
  std::int64_t blocks() const { return (count + tile_channels - 1) / tile_channels * token_blocks(); }
  std::int64_t scratch_bytes() const {
    return tile_channels * static_cast<std::int64_t>(sizeof(grid)) + tile_channels * (tile_tokens + 4);
  }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const grids = reinterpret_cast<grid*>(scratch);
    auto* const square = reinterpret_cast<std::uint8_t*>(grids + tile_channels);
    const auto begin_channel = block / token_blocks() * tile_channels, begin = block % token_blocks() * tile_tokens;
    const auto channels_here = count - begin_channel < tile_channels ? count - begin_channel : tile_channels;
    for (std::int64_t k = group.rank(); k < channels_here; k += group.size()) {
      const auto c = first + begin_channel + k;
      const auto low = static_cast<double>(of.minimum[c]), high = static_cast<double>(of.maximum[c]);
      grids[k] = {low, (high - low) / of.bins[c], of.bins[c] / (high - low)};
    }
    group.sync();
    for (std::int64_t k = group.rank(); k < tile_channels * tile_tokens; k += group.size()) {
      const auto lane = k % tile_channels, t = begin + k / tile_channels;
      if (lane >= channels_here || t >= of.leading) continue;
      const auto c = first + begin_channel + lane;
      std::int32_t code = 0;
      if (t < of.tokens && of.bins[c] > 1) {
        const float x = samples[t * samples_leading + c];
        code = sorted != nullptr ? code_by_rank(x, c) : code_by_width(x, grids[lane], c);
      }
      square[lane * (tile_tokens + 4) + t - begin] = static_cast<std::uint8_t>(code);
    }
    group.sync();
    for (std::int64_t k = group.rank(); k < channels_here * tile_tokens; k += group.size()) {
      const auto lane = k / tile_tokens, t = begin + k % tile_tokens;
      if (t < of.leading)
        of.codes[(first + begin_channel + lane) * of.leading + t] = square[lane * (tile_tokens + 4) + t - begin];
    }
  }

 private:
  MIQ_HOST_DEVICE std::int32_t code_by_rank(float x, std::int64_t c) const {
    const auto ranks = ranks_of_key(sorted + (c - first) * of.tokens, of.tokens, ordered_bits(x));
    return static_cast<std::int32_t>(of.bins[c] * (ranks.lower + ranks.upper) / (2 * of.tokens));
  }
  /// As on the host: the product may round to the wrong side of an edge; the edges, those of NumPy's linspace, decide.
  MIQ_HOST_DEVICE std::int32_t code_by_width(float x, const grid& of_channel, std::int64_t c) const {
    const auto v = static_cast<double>(x);
    const auto bins = of.bins[c];
    auto k = static_cast<std::int32_t>((v - of_channel.low) * of_channel.scale);
    if (k > bins - 1) k = bins - 1;
    if (v < unfused(of_channel.step, k, of_channel.low)) --k;
    if (k < bins - 1 && v >= unfused(of_channel.step, k + 1, of_channel.low)) ++k;
    return k;
  }
};

/// Tokens of each code of a channel, how many codes occur, and the sum of n ln n. One channel a block.
struct code_counts_body {
  static constexpr int lanes = 256;

  device_channels of;

  std::int64_t blocks() const { return of.channels; }
  std::int64_t scratch_bytes() const { return 256 * static_cast<std::int64_t>(sizeof(std::int32_t)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t c, std::byte* scratch) const {
    auto* const counters = reinterpret_cast<std::int32_t*>(scratch);
    for (std::int64_t k = group.rank(); k < 256; k += group.size()) counters[k] = 0;
    group.sync();
    const auto* const codes = of.codes + c * of.leading;
    for (std::int64_t t = group.rank(); t < of.tokens; t += group.size()) add_atomically(counters + codes[t], 1);
    group.sync();
    for (std::int64_t k = group.rank(); k < of.slots; k += group.size()) of.counts[c * of.slots + k] = counters[k];
    if (group.rank() != 0) return;
    std::int64_t sum = 0;
    std::int32_t used = 0;
    for (std::int64_t k = 0; k < of.slots; ++k) {
      sum += of.n_log_n(counters[k]);
      used += counters[k] > 0 ? 1 : 0;
    }
    of.sums[c] = sum;
    of.used[c] = used;
  }
};

/// What the result says about channels. One block.
struct channel_summary_body {
  static constexpr int lanes = 256;

  device_channels of;
  histogram_result* result = nullptr;  // written whole

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    std::int64_t constant = 0, not_finite = 0, capped = 0, spreadless = 0, most = 0;
    for (std::int64_t c = group.rank(); c < of.channels; c += group.size()) {
      constant += (of.flags[c] & channel_constant) != 0 ? 1 : 0;
      not_finite += (of.flags[c] & channel_not_finite) != 0 ? 1 : 0;
      capped += (of.flags[c] & channel_capped) != 0 ? 1 : 0;
      spreadless += (of.flags[c] & channel_spreadless) != 0 ? 1 : 0;
      if (of.bins[c] > most) most = of.bins[c];
    }
    constant = sum_over_lanes(group, constant, slots);
    not_finite = sum_over_lanes(group, not_finite, slots);
    capped = sum_over_lanes(group, capped, slots);
    spreadless = sum_over_lanes(group, spreadless, slots);
    slots[group.rank()] = most;
    group.sync();
    if (group.rank() != 0) return;
    for (std::int32_t k = 0; k < group.size(); ++k)
      if (slots[k] > most) most = slots[k];
    histogram_result found;
    found.constant = constant;
    found.not_finite = not_finite;
    found.capped = capped;
    found.spreadless = spreadless;
    found.most_bins = static_cast<int>(most);
    const auto away = static_cast<double>(most - 1);
    found.few_tokens = away * away > 0.2 * static_cast<double>(of.tokens);
    *result = found;
  }
};

/// Codes of the channels `first` and on as bytes 0 and 1: row (c, a) says which tokens of channel `first + c` have code
/// a. Rows of channels that there are not, and bytes behind the last token, are 0.
struct one_hot_body {
  static constexpr int lanes = 256;

  device_channels of;
  std::int64_t first = 0;
  std::int64_t count = 0;      // rows are made for so many channels
  std::int8_t* out = nullptr;  // [count, slots, leading]

  /// Four tokens a lane.
  MIQ_HOST_DEVICE std::int64_t word_blocks() const { return (of.leading / 4 + lanes - 1) / lanes; }
  std::int64_t blocks() const { return count * word_blocks(); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto c = block / word_blocks(), begin = block % word_blocks() * lanes;
    const auto words = of.leading / 4;
    const bool there = first + c < of.channels;
    const auto* const codes = reinterpret_cast<const std::uint32_t*>(of.codes + (there ? first + c : 0) * of.leading);
    auto* const rows = reinterpret_cast<std::uint32_t*>(out) + c * of.slots * words;
    for (std::int64_t w = begin + group.rank(); w < words && w < begin + lanes; w += group.size()) {
      const std::uint32_t four = codes[w];
      std::uint32_t inside = 0;  // bytes of tokens that there are
      for (int k = 0; k < 4; ++k)
        if (there && 4 * w + k < of.tokens) inside |= std::uint32_t{1} << (8 * k);
      for (std::int64_t a = 0; a < of.slots; ++a) {
        // A byte is 0 where the code is a; its uppermost bit is what adding 127 leaves, exactly.
        const std::uint32_t other = four ^ (static_cast<std::uint32_t>(a) * 0x01010101U);
        const std::uint32_t differs = ((other & 0x7F7F7F7FU) + 0x7F7F7F7FU) | other;
        rows[a * words + w] = (~differs >> 7) & inside;
      }
    }
  }
};

/// The terms of one side of shrunk joint cells.
MIQ_HOST_DEVICE inline std::int64_t margin_terms(const device_channels& of, const shrinkage& shrunk, std::int64_t c) {
  std::int64_t terms = 0;
  for (std::int32_t k = 0; k < of.bins[c]; ++k) terms += shrunk.term(of.counts[c * of.slots + k], 1.0 / of.bins[c]);
  return terms;
}

/// The joint counts of two channels in a matrix: all of them for one lane.
struct cells_of_lane {
  const std::int32_t* from = nullptr;
  std::int64_t leading = 0;
  std::int32_t rows = 0;
  std::int32_t columns = 0;

  /// Calls `take(n, a, b)` for every count n, to add to the sums a and b.
  template <class Take>
  MIQ_HOST_DEVICE void add_up(const Take& take, std::int64_t& a, std::int64_t& b) const {
    for (std::int32_t i = 0; i < rows; ++i)
      for (std::int32_t j = 0; j < columns; ++j) take(from[i * leading + j], a, b);
  }
};

/// The joint counts of two channels, counted by all lanes of a group in scratch: those of `rows_at_once` codes of the
/// first channel at a time. Synchronises; every lane gets the sums.
template <class Group>
struct cells_of_group {
  const Group& group;
  const std::uint8_t* x = nullptr;
  const std::uint8_t* y = nullptr;
  std::int64_t tokens = 0;
  std::int32_t rows = 0;
  std::int32_t columns = 0;
  std::int32_t rows_at_once = 0;
  std::int32_t* counters = nullptr;
  std::int64_t* slots = nullptr;

  template <class Take>
  MIQ_HOST_DEVICE void add_up(const Take& take, std::int64_t& a, std::int64_t& b) const {
    std::int64_t own_a = 0, own_b = 0;
    for (std::int32_t first = 0; first < rows; first += rows_at_once) {
      const auto here = rows - first < rows_at_once ? rows - first : rows_at_once;
      for (std::int32_t k = group.rank(); k < here * columns; k += group.size()) counters[k] = 0;
      group.sync();
      for (std::int64_t t = group.rank(); t < tokens; t += group.size()) {
        const std::int32_t row = x[t] - first;
        if (row >= 0 && row < here) add_atomically(counters + row * columns + y[t], 1);
      }
      group.sync();
      for (std::int32_t k = group.rank(); k < here * columns; k += group.size()) take(counters[k], own_a, own_b);
      group.sync();
    }
    a += sum_over_lanes(group, own_a, slots);
    b += sum_over_lanes(group, own_b, slots);
  }
};

/// Information of two channels from their joint counts; `negative` is counted up for a negative estimate. All sums are
/// of integers, so that the order of cells, and which channel comes first, makes no difference.
template <bool Shrunk, class Cells>
MIQ_HOST_DEVICE float counted_information(const device_channels& of, std::int64_t i, std::int64_t j,
                                          entropy_estimator how, bool clip_negative, const Cells& cells,
                                          std::int64_t& negative) {
  if (((of.flags[i] | of.flags[j]) & channel_not_finite) != 0) return not_a_number();
  if (((of.flags[i] | of.flags[j]) & channel_constant) != 0) return 0;
  const auto tokens = static_cast<double>(of.tokens);
  double value = 0;
  std::int64_t used = 0;
  if constexpr (Shrunk) {
    std::int64_t squares = 0, none = 0;
    cells.add_up(
        [](std::int32_t n, std::int64_t& a, std::int64_t& b) {
          a += static_cast<std::int64_t>(n) * n;
          b += n > 0 ? 1 : 0;
        },
        squares, used);
    const auto all = static_cast<std::int64_t>(of.bins[i]) * of.bins[j];
    const double share = 1 / static_cast<double>(all);
    const shrinkage shrunk(static_cast<double>(squares), tokens, static_cast<double>(all));
    std::int64_t joint = (all - used) * shrunk.term(0, share);
    cells.add_up(
        [&](std::int32_t n, std::int64_t& a, std::int64_t&) {
          if (n > 0) a += shrunk.term(n, share);
        },
        joint, none);
    value = shrinkage::value(margin_terms(of, shrunk, i) + margin_terms(of, shrunk, j) - joint);
    if (!(value > 0)) value = 0;  // a divergence, below 0 by rounding only
  } else {
    std::int64_t sum = 0;
    cells.add_up(
        [&](std::int32_t n, std::int64_t& a, std::int64_t& b) {
          a += of.n_log_n(n);
          b += n > 0 ? 1 : 0;
        },
        sum, used);
    const auto whole = fixed_n_log_n(tokens, of.shift);
    value = std::ldexp(static_cast<double>((whole - of.sums[i]) + (sum - of.sums[j])), -of.shift) / tokens;
    if (how == entropy_estimator::miller_madow)
      value += static_cast<double>(of.used[i] + of.used[j] - used - 1) / (2 * tokens);
    else if (!(value > 0))
      value = 0;  // below 0 by rounding only
  }
  if (value < 0) {
    ++negative;
    if (clip_negative) value = 0;
  }
  return static_cast<float>(value);
}

/// Entropy of each channel's bins, discrete or (by the width of the bins) differential.
struct histogram_entropy_body {
  static constexpr int lanes = 128;

  device_channels of;
  entropy_estimator how = entropy_estimator::plug_in;
  bool differential = false;
  float* entropies = nullptr;  // [channels]

  std::int64_t blocks() const { return (of.channels + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (std::int64_t c = block * lanes + group.rank(); c < of.channels && c < (block + 1) * lanes; c += group.size())
      entropies[c] = entropy(c);
  }

 private:
  MIQ_HOST_DEVICE float entropy(std::int64_t c) const {
    if ((of.flags[c] & channel_not_finite) != 0) return not_a_number();
    if ((of.flags[c] & channel_constant) != 0) return differential ? miq::detail::bits_as<float>(0xFF800000U) : 0.0F;
    const auto tokens = static_cast<double>(of.tokens);
    double value = 0;
    if (how == entropy_estimator::james_stein) {
      double squares = 0;
      for (std::int32_t k = 0; k < of.bins[c]; ++k) {
        const auto n = static_cast<double>(of.counts[c * of.slots + k]);
        squares += n * n;
      }
      value = shrinkage::value(margin_terms(of, shrinkage(squares, tokens, of.bins[c]), c));
    } else {
      value = std::ldexp(static_cast<double>(fixed_n_log_n(tokens, of.shift) - of.sums[c]), -of.shift) / tokens;
      if (how == entropy_estimator::miller_madow) value += (of.used[c] - 1) / (2 * tokens);
    }
    if (differential)
      value += std::log((static_cast<double>(of.maximum[c]) - static_cast<double>(of.minimum[c])) / of.bins[c]);
    return static_cast<float>(value);
  }
};

/// Information of the channels of one panel with those of another, not before it, from the product of their codes. The
/// pairs of a tile a block. `Shrunk`: by `james_stein`.
template <bool Shrunk>
struct panel_information_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 16;

  device_channels of;
  std::int64_t row = 0;
  std::int64_t rows = 0;
  std::int64_t column = 0;
  std::int64_t columns = 0;
  const std::int32_t* cells = nullptr;  // [rows, slots, columns, slots], padded
  std::int64_t cells_leading = 0;
  entropy_estimator how = entropy_estimator::plug_in;
  bool clip_negative = false;
  float* mi = nullptr;  // [channels, channels]
  std::int64_t mi_leading = 0;
  histogram_result* result = nullptr;

  MIQ_HOST_DEVICE std::int64_t column_tiles() const { return (columns + tile - 1) / tile; }
  std::int64_t blocks() const { return (rows + tile - 1) / tile * column_tiles(); }
  std::int64_t scratch_bytes() const {
    return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)) +
           symmetric_tile_floats(tile) * static_cast<std::int64_t>(sizeof(float));
  }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto i0 = block / column_tiles() * tile, j0 = block % column_tiles() * tile;
    if (column + j0 + tile <= row + i0) return;  // all lanes: below the diagonal
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const values = reinterpret_cast<float*>(slots + lanes);
    const miq::detail::tile_place at{row + i0, column + j0, rows - i0 < tile ? rows - i0 : tile,
                                     columns - j0 < tile ? columns - j0 : tile};
    std::int64_t negative = 0;
    write_symmetric_tile(group, at, tile, values, mi, mi_leading, [&](std::int64_t i, std::int64_t j) {
      const cells_of_lane own{cells + (i - row) * of.slots * cells_leading + (j - column) * of.slots, cells_leading,
                              of.bins[i], of.bins[j]};
      return counted_information<Shrunk>(of, i, j, how, clip_negative, own, negative);
    });
    negative = sum_over_lanes(group, negative, slots);
    if (group.rank() == 0 && negative != 0) add_atomically(&result->negative, negative);
  }
};

/// Information of listed pairs: joint counts in scratch, by counters; of so many codes of the first channel at once as
/// there is room for. One pair a block.
template <bool Shrunk>
struct listed_information_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t most_cells = 8192;

  device_channels of;
  const channel_pair* pairs = nullptr;
  std::int64_t count = 0;
  entropy_estimator how = entropy_estimator::plug_in;
  bool clip_negative = false;
  float* mi = nullptr;  // [count]
  histogram_result* result = nullptr;

  std::int64_t blocks() const { return count; }
  std::int64_t scratch_bytes() const {
    return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)) +
           most_cells * static_cast<std::int64_t>(sizeof(std::int32_t));
  }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t p, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    auto* const counters = reinterpret_cast<std::int32_t*>(slots + lanes);
    const auto first = pairs[p].first, second = pairs[p].second;
    const bool there = first >= 0 && first < of.channels && second >= 0 && second < of.channels;
    if (!there || first == second) {
      if (group.rank() == 0) mi[p] = there ? 0.0F : not_a_number();
      return;
    }
    const auto i = first < second ? first : second, j = first < second ? second : first;
    const auto rows = of.bins[i], columns = of.bins[j];
    const auto at_once = static_cast<std::int32_t>(most_cells / columns);  // 32 or more
    const cells_of_group<Group> cells{
        group, of.codes + i * of.leading, of.codes + j * of.leading, of.tokens, rows, columns, at_once, counters,
        slots};
    std::int64_t negative = 0;
    // All lanes take the same way through, since the sums are the same in all of them.
    const float value = counted_information<Shrunk>(of, i, j, how, clip_negative, cells, negative);
    if (group.rank() != 0) return;
    mi[p] = value;
    if (negative != 0) add_atomically(&result->negative, negative);
  }
};

}  // namespace miq::information::detail
