// Keeps the largest of many values, an exact number of them, in a set of columns or in each row.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <numeric>
#include <span>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/obs/detail/selection/key.hpp>

namespace miq::obs::detail {

/// Row chunks whose digits are counted apart.
inline constexpr std::int64_t keep_chunks = 32;
inline constexpr std::int64_t keep_histograms = keep_chunks * digit_bins;

/// In the given columns, over all rows, sets `kept` to 1 for the `count` largest values and to 0 for the others.
///
/// @param histograms  [keep_histograms], scratch
template <on_host Exec>
void keep_largest(const Exec& exec, matrix_view<const float> values, const float* units,
                  std::span<const std::int64_t> columns, std::int64_t count, std::int64_t* histograms,
                  matrix_view<std::uint8_t> kept, tie_rule rule = tie_rule::first_stay) {
  const auto rows = values.rows();
  const auto chunk = (rows + keep_chunks - 1) / keep_chunks;
  const auto each_row = [&](const auto& body) {
    exec.parallel_for(keep_chunks, [&](std::int64_t task) {
      for (auto r = task * chunk; r < std::min(rows, (task + 1) * chunk); ++r) body(task, r);
    });
  };
  // Digit by digit, from the highest: the bits of the `count`-th largest key, and how many of its equals are kept.
  std::uint32_t limit = 0;
  std::int64_t wanted = count;
  std::int64_t ties[keep_chunks] = {};  // equals of the limit in each chunk of rows
  for (int digit = 0; digit < digits && wanted > 0; ++digit) {
    const auto shift = digit_shift(digit);
    const auto above = bits_above(digit);
    const auto mask = static_cast<std::uint32_t>(bins_of_digit(digit)) - 1;
    std::fill_n(histograms, keep_histograms, 0);
    each_row([&](std::int64_t task, std::int64_t r) {
      std::int64_t* const histogram = histograms + task * digit_bins;
      const float* const row = &values(r, 0);
      for (const auto c : columns) {
        const auto key = saliency_key(row[c], units[c]);
        if ((key & above) == limit) ++histogram[(key >> shift) & mask];
      }
    });
    for (auto bin = static_cast<std::int64_t>(mask); bin >= 0; --bin) {
      std::int64_t here = 0;
      for (std::int64_t task = 0; task < keep_chunks; ++task) here += histograms[task * digit_bins + bin];
      if (here >= wanted) {
        limit |= static_cast<std::uint32_t>(bin) << shift;
        for (std::int64_t task = 0; task < keep_chunks; ++task) ties[task] = histograms[task * digit_bins + bin];
        break;
      }
      wanted -= here;
    }
  }
  // How many of its equals are treated as the first ones are, chunk by chunk.
  const bool first_stay = rule == tie_rule::first_stay;
  auto first = first_stay ? wanted : std::accumulate(std::begin(ties), std::end(ties), std::int64_t{0}) - wanted;
  for (auto& here : ties) {
    here = std::min(here, first);
    first -= here;
  }
  each_row([&](std::int64_t task, std::int64_t r) {
    const float* const row = &values(r, 0);
    std::uint8_t* const out = &kept(r, 0);
    auto left = ties[task];
    for (const auto c : columns) {
      const auto key = saliency_key(row[c], units[c]);
      bool keeps = key > limit;
      if (key == limit) {
        keeps = (left > 0) == first_stay;
        if (left > 0) --left;
      }
      out[c] = keeps && count > 0 ? 1 : 0;
    }
    ties[task] = left;
  });
}

/// The same in one row. `keys` is scratch.
inline void keep_largest_of_row(vector_view<const float> values, const float* units, std::int64_t count,
                                std::vector<std::uint32_t>& keys, vector_view<std::uint8_t> kept,
                                tie_rule rule = tie_rule::first_stay) {
  const auto columns = values.size();
  std::fill_n(kept.data(), columns, std::uint8_t{0});
  if (count == 0) return;
  keys.resize(static_cast<std::size_t>(columns));
  for (std::int64_t c = 0; c < columns; ++c) keys[static_cast<std::size_t>(c)] = saliency_key(values[c], units[c]);
  std::nth_element(keys.begin(), keys.begin() + (count - 1), keys.end(), std::greater<>());
  const auto limit = keys[static_cast<std::size_t>(count - 1)];
  auto ties = count;
  for (std::int64_t c = 0; c < columns; ++c)
    if (saliency_key(values[c], units[c]) > limit) kept[c] = 1, --ties;
  for (std::int64_t i = 0; i < columns && ties > 0; ++i) {
    const auto c = rule == tie_rule::first_stay ? i : columns - 1 - i;
    if (saliency_key(values[c], units[c]) == limit) kept[c] = 1, --ties;
  }
}

}  // namespace miq::obs::detail
