// What the estimators from samples share: checks, channels laid out contiguous, and the way over the pairs.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include <miq/core/detail/upper_blocks.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/detail/samples/checks.hpp>
#include <miq/information/estimate.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Throws unless there are channels and at least `minimum_tokens` tokens, in any memory.
template <class Space>
void require_samples_shape(const char* function, const matrix_view<const float, Space>& samples,
                           std::int64_t minimum_tokens) {
  require(samples.columns() > 0, function, ": samples must have at least one channel, got ",
          shape_text(samples.rows(), samples.columns()));
  require(samples.rows() >= minimum_tokens, function, ": samples must hold at least ", minimum_tokens, " tokens, got ",
          samples.rows());
}

/// The same, and only finite values.
template <on_host Exec>
void require_samples(const Exec& exec, const char* function, matrix_view<const float> samples,
                     std::int64_t minimum_tokens) {
  require_samples_shape(function, samples, minimum_tokens);
  exec.parallel_for(samples.rows(), [&](std::int64_t t) {
    const auto row = samples.row(t);
    for (std::int64_t c = 0; c < row.size(); ++c)
      require(std::isfinite(row[c]), function, ": samples must be finite, got ", row[c], " in channel ", c,
              " at token ", t);
  });
}

/// The same for one channel given alone, under its own name.
inline void require_channel(const char* function, const char* name, vector_view<const float> values,
                            std::int64_t minimum_tokens) {
  require(values.size() >= minimum_tokens, function, ": ", name, " must hold at least ", minimum_tokens,
          " tokens, got ", values.size());
  for (std::int64_t t = 0; t < values.size(); ++t)
    require(std::isfinite(values[t]), function, ": ", name, " must be finite, got ", values[t], " at token ", t);
}

inline void require_pairs_in_range(const char* function, std::span<const channel_pair> pairs, std::int64_t channels) {
  for (std::size_t p = 0; p < pairs.size(); ++p)
    for (const auto channel : {pairs[p].first, pairs[p].second})
      require(channel >= 0 && channel < channels, function, ": pairs must be of channels 0 to ", channels - 1, ", got ",
              channel, " in pair ", p);
}

template <class Space>
void require_pairs(const char* function, std::span<const channel_pair> pairs, std::int64_t channels,
                   const vector_view<float, Space>& out) {
  require(out.size() == static_cast<std::int64_t>(pairs.size()), function, ": mi must have ", pairs.size(),
          " elements to match the pairs, got ", out.size());
  require_pairs_in_range(function, pairs, channels);
}

template <class Space>
void require_mi(const char* function, const matrix_view<const float, Space>& samples,
                const matrix_view<float, Space>& mi) {
  const auto channels = samples.columns();
  require(mi.rows() == channels && mi.columns() == channels, function, ": mi must be ", shape_text(channels, channels),
          " to match the samples, got ", shape_text(mi.rows(), mi.columns()));
  require(!miq::detail::overlap(samples, matrix_view<const float, Space>(mi)), function,
          ": mi must not overlap samples");
}

/// [tokens, channels] to [channels, tokens], each channel in `leading` floats, the rest of which stays as it is.
template <on_host Exec>
void copy_channels(const Exec& exec, matrix_view<const float> samples, matrix<float>& out) {
  constexpr std::int64_t tile = 64;
  const auto channels = samples.columns(), tokens = samples.rows();
  exec.parallel_for((channels + tile - 1) / tile, [&](std::int64_t block) {
    const auto first = block * tile, last = std::min(first + tile, channels);
    for (std::int64_t t0 = 0; t0 < tokens; t0 += tile)
      for (auto c = first; c < last; ++c)
        for (auto t = t0; t < std::min(t0 + tile, tokens); ++t) out(c, t) = samples(t, c);
  });
}

/// The channels that occur in a list of pairs, each once, in the order in which they come.
class listed_channels {
 public:
  listed_channels(std::span<const channel_pair> pairs, std::int64_t channels, std::pmr::memory_resource* resource)
      : places_(static_cast<std::size_t>(channels), -1, resource), columns_(resource) {
    for (const auto& pair : pairs)
      for (const auto channel : {pair.first, pair.second})
        if (auto& place = places_[static_cast<std::size_t>(channel)]; place < 0) {
          place = count();
          columns_.push_back(channel);
        }
  }

  std::int64_t count() const { return static_cast<std::int64_t>(columns_.size()); }
  std::int64_t column(std::int64_t place) const { return columns_[static_cast<std::size_t>(place)]; }
  /// Where a channel is that occurs.
  std::int64_t place(std::int64_t channel) const { return places_[static_cast<std::size_t>(channel)]; }
  std::span<const std::int64_t> columns() const { return columns_; }

 private:
  std::pmr::vector<std::int64_t> places_;
  std::pmr::vector<std::int64_t> columns_;
};

/// A list of pairs, by places; of each pair the channel with the smaller column first, as in the order of all pairs.
inline std::vector<channel_pair> pairs_of_places(std::span<const channel_pair> pairs, const listed_channels& listed) {
  std::vector<channel_pair> result;
  result.reserve(pairs.size());
  for (const auto& [i, j] : pairs) result.push_back({listed.place(std::min(i, j)), listed.place(std::max(i, j))});
  return result;
}

/// Two channels as the columns of a matrix.
template <on_host Exec>
matrix<float> side_by_side(const Exec& exec, const char* function, vector_view<const float> x,
                           vector_view<const float> y) {
  require(x.size() == y.size(), function, ": x and y must have the same number of tokens, got ", x.size(), " and ",
          y.size());
  matrix<float> samples(x.size(), 2, exec.resource());
  for (std::int64_t t = 0; t < x.size(); ++t) {
    samples(t, 0) = x[t];
    samples(t, 1) = y[t];
  }
  return samples;
}

/// Calls `body(slot, item)` for every item; a slot, below the number of threads and of items, is used by one thread at
/// a time, so that it can own scratch memory. Progress goes from `from` to `to` on the calling thread.
template <class Body>
void for_each_item(const host_executor& exec, std::int64_t items, const progress_callback& progress,
                   std::string_view phase, double from, double to, const Body& body) {
  miq::report_progress(progress, phase, from);
  const auto caller = std::this_thread::get_id();
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> stop{false};
  exec.parallel_for(std::min<std::int64_t>(exec.threads(), items), [&](std::int64_t slot) {
    try {
      for (;;) {
        if (stop.load(std::memory_order_relaxed)) return;
        const auto item = next.fetch_add(1, std::memory_order_relaxed);
        if (item >= items) return;
        body(slot, item);
        if (std::this_thread::get_id() == caller)
          miq::report_progress(progress, phase,
                               from + (to - from) * static_cast<double>(item + 1) / static_cast<double>(items));
      }
    } catch (...) {
      stop.store(true, std::memory_order_relaxed);
      throw;
    }
  });
  miq::report_progress(progress, phase, to);  // the calling thread may have had no item
}

/// All pairs i < j, in square tiles of the upper triangle. `pair(slot, i, j)` gives the value, which is written to both
/// places; the diagonal becomes 0. Pairs of a tile come row by row.
template <class Pair>
void for_all_pairs(const host_executor& exec, matrix_view<float> mi, std::int64_t tile,
                   const progress_callback& progress, std::string_view phase, double from, double to,
                   const Pair& pair) {
  const auto channels = mi.columns();
  const auto blocks = (channels + tile - 1) / tile;
  for_each_item(exec, calibration::detail::upper_blocks_of(blocks), progress, phase, from, to,
                [&](std::int64_t slot, std::int64_t place) {
                  const auto [row_block, column_block] = calibration::detail::upper_block_at(place, blocks);
                  const auto last_row = std::min((row_block + 1) * tile, channels);
                  const auto last_column = std::min((column_block + 1) * tile, channels);
                  for (auto i = row_block * tile; i < last_row; ++i) {
                    if (row_block == column_block) mi(i, i) = 0.0F;
                    for (auto j = std::max(i + 1, column_block * tile); j < last_column; ++j)
                      mi(i, j) = mi(j, i) = pair(slot, i, j);
                  }
                });
}

/// A list of pairs. A channel paired with itself gives 0, as on the diagonal of all pairs.
template <class Pair>
void for_listed_pairs(const host_executor& exec, std::span<const channel_pair> pairs, vector_view<float> mi,
                      const progress_callback& progress, std::string_view phase, double from, double to,
                      const Pair& pair) {
  constexpr std::int64_t chunk = 8;
  const auto count = static_cast<std::int64_t>(pairs.size());
  for_each_item(exec, (count + chunk - 1) / chunk, progress, phase, from, to,
                [&](std::int64_t slot, std::int64_t item) {
                  for (auto p = item * chunk; p < std::min((item + 1) * chunk, count); ++p) {
                    const auto [i, j] = pairs[static_cast<std::size_t>(p)];
                    // In the order of all pairs, so that the list gives the same bits.
                    mi[p] = i == j ? 0.0F : pair(slot, std::min(i, j), std::max(i, j));
                  }
                });
}

/// What is done with a negative estimate. Counts it in `negative`, which belongs to the slot that calls.
inline float finished_estimate(double estimate, bool clip_negative, std::int64_t& negative) {
  if (estimate < 0) {
    ++negative;
    if (clip_negative) return 0.0F;
  }
  return static_cast<float>(estimate);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
