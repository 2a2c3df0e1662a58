// Channels cut into bins: a byte per token.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include <miq/core/detail/vector_transpose.hpp>
#include <miq/core/matrix.hpp>
#include <miq/information/detail/samples/samples.hpp>
#include <miq/information/histogram_options.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Codes of all channels. Bins without tokens are left out of the numbering: codes are 0 to `used - 1`.
struct binned_channels {
  std::int64_t tokens = 0;
  matrix<std::uint8_t> codes;            ///< [c, tokens rounded up to 64], filled up with 0
  matrix<std::int32_t> counts;           ///< [c, 256], tokens of each code
  std::vector<std::int32_t> used;        ///< [c], codes that occur; 1 for a constant channel
  std::vector<std::int32_t> bins;        ///< [c], bins that there are, empty ones included
  std::vector<double> width;             ///< [c], of equal-width bins
  std::vector<std::uint8_t> capped;      ///< [c]
  std::vector<std::uint8_t> spreadless;  ///< [c]

  explicit binned_channels(std::int64_t channels, std::int64_t token_count, std::pmr::memory_resource* resource)
      : tokens(token_count),
        codes(channels, (token_count + 63) / 64 * 64, resource),
        counts(channels, 256, resource),
        used(static_cast<std::size_t>(channels)),
        bins(static_cast<std::size_t>(channels)),
        width(static_cast<std::size_t>(channels)),
        capped(static_cast<std::size_t>(channels)),
        spreadless(static_cast<std::size_t>(channels)) {}

  std::int64_t channels() const { return codes.rows(); }
};

/// The quantile of sorted values by linear interpolation between neighbours.
inline double interpolated_quantile(const std::vector<float>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, sorted.size() - 1);
  const auto low = static_cast<double>(sorted[below]), high = static_cast<double>(sorted[above]);
  // Kept apart from the sum, so that no machine fuses them: the number of bins may hang on the last bit.
  const volatile double step = (place - static_cast<double>(below)) * (high - low);
  return low + step;
}

/// Cuts channel c, whose values are given, into bins.
inline void bin_channel(std::int64_t c, const float* values, const histogram_options& options,
                        std::vector<float>& sorted, binned_channels& out) {
  const auto place = static_cast<std::size_t>(c);
  const auto tokens = out.tokens;
  auto* const codes = &out.codes(c, 0);
  auto* const counts = &out.counts(c, 0);
  const auto [smallest, largest] = std::minmax_element(values, values + tokens);
  const auto low = static_cast<double>(*smallest), high = static_cast<double>(*largest);
  if (low == high) {
    out.bins[place] = out.used[place] = 1;
    counts[0] = static_cast<std::int32_t>(tokens);
    return;
  }
  const bool by_frequency = options.edges == bin_edges::equal_frequency;
  if (by_frequency || options.rule == bin_count_rule::freedman_diaconis) {
    sorted.assign(values, values + tokens);
    std::sort(sorted.begin(), sorted.end());
  }

  const auto count = static_cast<double>(tokens);
  double wanted = options.bins;
  if (options.rule == bin_count_rule::square_root) wanted = std::ceil(std::sqrt(count));
  if (options.rule == bin_count_rule::freedman_diaconis) {
    const double spread = interpolated_quantile(sorted, 0.75) - interpolated_quantile(sorted, 0.25);
    wanted = std::ceil((high - low) / (2 * spread / std::cbrt(count)));
    out.spreadless[place] = spread == 0;
  }
  if (options.rule == bin_count_rule::sturges || out.spreadless[place] != 0) wanted = std::ceil(std::log2(count) + 1);
  out.capped[place] = wanted > options.max_bins;
  const auto bins = static_cast<std::int32_t>(std::clamp(wanted, 2.0, static_cast<double>(options.max_bins)));
  out.bins[place] = bins;

  if (by_frequency) {
    // The smallest value of each bin but the first; a value's code is the number of them that it reaches.
    float starts[256];
    std::int32_t used = 0;
    std::int64_t last_bin = -1;
    for (std::int64_t lower = 0; lower < tokens;) {
      auto upper = lower + 1;
      while (upper < tokens && sorted[static_cast<std::size_t>(upper)] == sorted[static_cast<std::size_t>(lower)])
        ++upper;
      const auto bin = bins * (lower + upper) / (2 * tokens);
      if (bin != last_bin) {
        starts[used++] = sorted[static_cast<std::size_t>(lower)];
        last_bin = bin;
      }
      counts[used - 1] += static_cast<std::int32_t>(upper - lower);
      lower = upper;
    }
    out.used[place] = used;
    constexpr std::int64_t batch = 64;
    for (std::int64_t t = 0; t < tokens; t += batch) {
      const auto part = std::min(batch, tokens - t);
      std::int32_t reached[batch] = {};
      float x[batch] = {};
      std::copy_n(values + t, part, x);
      for (std::int32_t k = 1; k < used; ++k)
        for (std::int64_t i = 0; i < batch; ++i) reached[i] += x[i] >= starts[k];
      for (std::int64_t i = 0; i < part; ++i) codes[t + i] = static_cast<std::uint8_t>(reached[i]);
    }
    return;
  }

  const double step = (high - low) / bins;
  out.width[place] = step;
  // The edges of NumPy's linspace: the product is rounded before the sum, so it must not become part of a fused one.
  double edges[257];
  for (std::int32_t k = 0; k < bins; ++k) edges[k] = step * k;
  for (std::int32_t k = 0; k < bins; ++k) edges[k] += low;
  edges[bins] = high;
  const double scale = bins / (high - low);
  constexpr std::int64_t batch = 64;
  std::int32_t occurrences[4][256] = {};  // four, so that equal codes in a row do not wait for each other
  for (std::int64_t t = 0; t < tokens; t += batch) {
    const auto part = std::min(batch, tokens - t);
    float x[batch] = {};
    std::int32_t code[batch];
    std::copy_n(values + t, part, x);
    std::fill(x + part, x + batch, values[t]);
    for (std::int64_t i = 0; i < batch; ++i) {
      const auto v = static_cast<double>(x[i]);
      // The product may round to the wrong side of an edge; the edges decide.
      auto k = std::min(static_cast<std::int32_t>((v - low) * scale), bins - 1);
      k -= v < edges[k] ? 1 : 0;
      k += k < bins - 1 && v >= edges[k + 1] ? 1 : 0;
      code[i] = k;
    }
    for (std::int64_t i = 0; i < part; ++i) {
      codes[t + i] = static_cast<std::uint8_t>(code[i]);
      ++occurrences[i % 4][code[i]];
    }
  }
  std::uint8_t dense[256] = {};
  std::int32_t used = 0;
  for (std::int32_t k = 0; k < bins; ++k)
    if (const auto n = occurrences[0][k] + occurrences[1][k] + occurrences[2][k] + occurrences[3][k]; n > 0) {
      dense[k] = static_cast<std::uint8_t>(used);
      counts[used++] = n;
    }
  out.used[place] = used;
  if (used < bins)
    for (std::int64_t t = 0; t < tokens; ++t) codes[t] = dense[codes[t]];
}

inline void require_histogram_options(const char* function, const histogram_options& options) {
  require(options.bins >= 2 && options.bins <= 256, function, ": bins must be 2 to 256, got ", options.bins);
  require(options.max_bins >= 2 && options.max_bins <= 256, function, ": max_bins must be 2 to 256, got ",
          options.max_bins);
  require(options.edges == bin_edges::equal_width || options.rule != bin_count_rule::freedman_diaconis, function,
          ": bin_count_rule::freedman_diaconis gives a width, which bin_edges::equal_frequency does not have");
}

inline void require_histogram_entropies(std::int64_t channels, std::int64_t entropies, bool differential,
                                        const histogram_options& options) {
  require(entropies == channels, "histogram_entropy: entropies must have ", channels,
          " elements to match the samples, got ", entropies);
  require(!differential || options.edges == bin_edges::equal_width,
          "histogram_entropy: a differential entropy needs bin_edges::equal_width");
}

/// All channels cut into bins; what happened is counted in `result`.
template <on_host Exec>
binned_channels bin_channels(const Exec& exec, const char* function, matrix_view<const float> samples,
                             const histogram_options& options, const progress_callback& progress, double share,
                             histogram_result& result) {
  require_histogram_options(function, options);
  require_samples(exec, function, samples, 2);
  require(samples.rows() <= 0x7FFFFFFF, function, ": samples must hold at most 2^31 - 1 tokens, got ", samples.rows());
  constexpr std::int64_t block = 16;
  const auto tokens = samples.rows(), channels = samples.columns();
  binned_channels out(channels, tokens, exec.resource());
  // One block of channels for each thread that gets one.
  const auto workers = std::min<std::int64_t>(exec.threads(), (channels + block - 1) / block);
  const auto rows = std::min(block, channels);
  matrix<float> values(workers * rows, tokens, exec.resource());
  std::vector<std::vector<float>> sorted(static_cast<std::size_t>(exec.threads()));
  for_each_item(
      exec, (channels + block - 1) / block, progress, "bins", 0, share, [&](std::int64_t slot, std::int64_t item) {
        const auto first = item * block, count = std::min(block, channels - first);
        for (std::int64_t t = 0; t < tokens; ++t)
          for (std::int64_t c = 0; c < count; ++c) values(slot * rows + c, t) = samples(t, first + c);
        for (std::int64_t c = 0; c < count; ++c)
          bin_channel(first + c, &values(slot * rows + c, 0), options, sorted[static_cast<std::size_t>(slot)], out);
      });
  for (std::size_t c = 0; c < out.used.size(); ++c) {
    result.most_bins = std::max(result.most_bins, out.bins[c]);
    result.constant += out.used[c] == 1;
    result.capped += out.capped[c];
    result.spreadless += out.spreadless[c];
  }
  const double most = result.most_bins - 1;
  result.few_tokens = most * most > 0.2 * static_cast<double>(tokens);
  return out;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
