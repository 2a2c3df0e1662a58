#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory_resource>
#include <numbers>
#include <vector>

#include <miq/information/detail/knn/checks.hpp>
#include <miq/information/detail/knn/neighbours.hpp>
#include <miq/information/knn.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// What all pairs need: the digamma function, and the way from prepared channels to an estimate.
class ksg_estimator {
 public:
  ksg_estimator(const knn_options& options, std::int64_t tokens, std::pmr::memory_resource* resource)
      : neighbours_(options.neighbours),
        second_(options.variant == ksg_variant::second),
        tokens_(tokens),
        digamma_(tokens + 1, resource),
        start_(knn_start(options, tokens)),
        resource_(resource) {}

  double operator()(const fixed_channel& x, const fixed_channel& y, pair_scratch& scratch) const {
    if (x.constant || y.constant) return 0;
    const auto points = arrange(x, y, tokens_, scratch);
    const auto sum_with = [&](const auto& make) {
      return neighbour_sum(x, y, points, neighbours_, second_, digamma_, make);
    };
    const auto sum = [&] {
      switch (neighbours_) {
        case 1:
          return sum_with([] { return nearest<1>(); });
        case 2:
          return sum_with([] { return nearest<2>(); });
        case 3:
          return sum_with([] { return nearest<3>(); });
        case 4:
          return sum_with([] { return nearest<4>(); });
        case 5:
          return sum_with([] { return nearest<5>(); });
        default: {
          matrix<std::int32_t> memory(neighbours_, lanes, resource_);  // rows are aligned for vectors
          return sum_with([&] { return nearest_many(reinterpret_cast<int_lanes*>(memory.data()), neighbours_); });
        }
      }
    }();
    return start_ - static_cast<double>(sum) * digamma_table::unit / static_cast<double>(tokens_);
  }

 private:
  int neighbours_;
  bool second_;
  std::int64_t tokens_;
  digamma_table digamma_;
  double start_;
  std::pmr::memory_resource* resource_;
};

/// One `Scratch` for each thread.
template <class Scratch>
std::pmr::vector<Scratch> scratch_for(const host_executor& exec, std::int64_t tokens) {
  std::pmr::vector<Scratch> result(exec.resource());
  result.reserve(static_cast<std::size_t>(exec.threads()));
  for (int i = 0; i < exec.threads(); ++i) result.emplace_back(tokens, exec.resource());
  return result;
}

template <class Scratch>
Scratch& of_slot(std::pmr::vector<Scratch>& all, std::int64_t slot) {
  return all[static_cast<std::size_t>(slot)];
}

/// Prepares `count` channels from place `to` on, `column(i)` of the samples each.
template <class Column>
void prepare_channels(const host_executor& exec, matrix_view<const float> samples, const knn_options& options,
                      fixed_channels& channels, std::int64_t to, std::int64_t count, const Column& column,
                      const progress_callback& progress, double from_share, double to_share) {
  auto scratch = scratch_for<channel_scratch>(exec, samples.rows());
  for_each_item(exec, count, progress, "channels", from_share, to_share, [&](std::int64_t slot, std::int64_t i) {
    const auto c = column(i);
    channels.prepare(to + i, options.noise, options.seed, of_slot(scratch, slot),
                     [&](std::int64_t t) { return samples(t, c); });
  });
}

template <on_host Exec>
double knn_on(const Exec& exec, vector_view<const float> x, vector_view<const float> y, const knn_options& options) {
  require(x.size() == y.size(), "knn: x and y must have the same number of tokens, got ", x.size(), " and ", y.size());
  require_knn("knn", options, x.size());
  require_channel("knn", "x", x, 2);
  require_channel("knn", "y", y, 2);
  fixed_channels channels(2, x.size(), exec.resource());
  channel_scratch sorting(x.size(), exec.resource());
  channels.prepare(0, options.noise, options.seed, sorting, [&](std::int64_t t) { return x[t]; });
  channels.prepare(1, options.noise, options.seed, sorting, [&](std::int64_t t) { return y[t]; });
  pair_scratch scratch(x.size(), exec.resource());
  const auto value = ksg_estimator(options, x.size(), exec.resource())(channels[0], channels[1], scratch);
  return options.clip_negative ? std::max(value, 0.0) : value;
}

inline void count_channels(const fixed_channels& channels, std::int64_t first, std::int64_t count, knn_result& result) {
  for (auto c = first; c < first + count; ++c) {
    result.constant += channels[c].constant ? 1 : 0;
    result.tied += channels[c].ties ? 1 : 0;
  }
}

template <on_host Exec>
knn_result knn_on(const Exec& exec, matrix_view<const float> samples, std::span<const channel_pair> pairs,
                  vector_view<float> mi, const knn_options& options, const progress_callback& progress) {
  require_knn("knn", options, samples.rows());
  require_samples(exec, "knn", samples, 2);
  require_pairs("knn", pairs, samples.columns(), mi);
  const listed_channels listed(pairs, samples.columns(), exec.resource());
  const auto count = listed.count();
  fixed_channels channels(count, samples.rows(), exec.resource());
  prepare_channels(
      exec, samples, options, channels, 0, count, [&](std::int64_t i) { return listed.column(i); }, progress, 0.0,
      0.05);
  knn_result result;
  result.few_tokens = few_knn_tokens(options, samples.rows());
  count_channels(channels, 0, count, result);
  const ksg_estimator estimate(options, samples.rows(), exec.resource());
  auto scratch = scratch_for<pair_scratch>(exec, samples.rows());
  for_listed_pairs(exec, pairs, mi, progress, "pairs", 0.05, 1.0,
                   [&](std::int64_t slot, std::int64_t i, std::int64_t j) {
                     const auto& x = channels[listed.place(i)];
                     const auto& y = channels[listed.place(j)];
                     auto& own = of_slot(scratch, slot);
                     return finished_estimate(estimate(x, y, own), options.clip_negative, own.negative);
                   });
  for (const auto& own : scratch) result.negative += own.negative;
  return result;
}

template <on_host Exec>
knn_result knn_on(const Exec& exec, matrix_view<const float> samples, matrix_view<float> mi, const knn_options& options,
                  const progress_callback& progress) {
  require_knn("knn", options, samples.rows());
  require_samples(exec, "knn", samples, 2);
  require_mi("knn", samples, mi);
  // Up to 512 channels are prepared at a time: all of them, or the rows and the columns of a block of the result.
  constexpr std::int64_t most = 512, tile = 16;
  const auto count = samples.columns(), tokens = samples.rows();
  const auto side = count <= most ? count : most / 2;
  const auto blocks = (count + side - 1) / side;
  fixed_channels channels(std::min(count, most), tokens, exec.resource());
  const ksg_estimator estimate(options, tokens, exec.resource());
  auto scratch = scratch_for<pair_scratch>(exec, tokens);
  knn_result result;
  result.few_tokens = few_knn_tokens(options, tokens);
  const auto parts = static_cast<double>(calibration::detail::upper_blocks_of(blocks));
  double done = 0;
  const auto prepare = [&](std::int64_t block, std::int64_t to) {
    const auto first = block * side, some = std::min(side, count - first);
    prepare_channels(
        exec, samples, options, channels, to, some, [&](std::int64_t i) { return first + i; }, progress, done / parts,
        (done + 0.02) / parts);
    return some;
  };
  for (std::int64_t row = 0; row < blocks; ++row) {
    const auto rows = prepare(row, 0);
    count_channels(channels, 0, rows, result);
    for (auto column = row; column < blocks; ++column, done += 1) {
      const auto columns = column == row ? rows : prepare(column, side);
      const auto offset = column == row ? 0 : side;
      const auto tiles_down = (rows + tile - 1) / tile, tiles_across = (columns + tile - 1) / tile;
      const auto items = column == row ? calibration::detail::upper_blocks_of(tiles_down) : tiles_down * tiles_across;
      for_each_item(exec, items, progress, "pairs", (done + 0.02) / parts, (done + 1) / parts,
                    [&](std::int64_t slot, std::int64_t item) {
                      const auto at =
                          column == row ? calibration::detail::upper_block_at(item, tiles_down)
                                        : calibration::detail::block_position{item / tiles_across, item % tiles_across};
                      auto& own = of_slot(scratch, slot);
                      for (auto i = at.row * tile; i < std::min(rows, (at.row + 1) * tile); ++i) {
                        const auto r = row * side + i;
                        if (column == row && at.row == at.column) mi(r, r) = 0.0F;
                        for (auto j = column == row ? std::max(i + 1, at.column * tile) : at.column * tile;
                             j < std::min(columns, (at.column + 1) * tile); ++j) {
                          const auto value = finished_estimate(estimate(channels[i], channels[offset + j], own),
                                                               options.clip_negative, own.negative);
                          mi(r, column * side + j) = mi(column * side + j, r) = value;
                        }
                      }
                    });
    }
  }
  for (const auto& own : scratch) result.negative += own.negative;
  return result;
}

/// Kozachenko and Leonenko's entropy of sorted `values`, which are spread where they are equal; -infinity if the k-th
/// nearest is at distance 0 all the same.
inline double nearest_entropy(std::pmr::vector<double>& values, const knn_options& options, bool& ties) {
  const auto count = static_cast<double>(values.size());
  double mean = 0, square = 0;
  for (const auto v : values) mean += v / count;
  for (const auto v : values) square += (v - mean) * (v - mean);
  const auto width = static_cast<double>(options.noise) * std::sqrt(square / count);
  ties = false;
  for (std::size_t p = 0, first = 0; p <= values.size(); ++p)
    if (p == values.size() || values[p] != values[first]) {
      ties = ties || p - first > 1;
      const auto stream = random_hash(options.seed, first);
      for (auto q = first; p - first > 1 && q < p; ++q)
        values[q] += (static_cast<double>(random_hash(stream, q - first) >> 11) * 0x1.0p-53 - 0.5) * width;
      first = p;
    }
  if (ties) std::sort(values.begin(), values.end());
  const auto k = static_cast<std::size_t>(options.neighbours);
  double sum = 0;
  for (std::size_t p = 0; p < values.size(); ++p) {
    auto nearest = std::numeric_limits<double>::infinity();
    for (auto low = p > k ? p - k : 0; low <= std::min(p, values.size() - 1 - k); ++low)
      nearest = std::min(nearest, std::max(values[p] - values[low], values[low + k] - values[p]));
    sum += std::log(2 * nearest);
  }
  return digamma(static_cast<std::int64_t>(values.size())) - digamma(options.neighbours) + sum / count;
}

template <on_host Exec>
knn_result knn_entropy_on(const Exec& exec, matrix_view<const float> samples, vector_view<float> entropies,
                          const knn_options& options) {
  require_knn("knn_entropy", options, samples.rows());
  require_samples(exec, "knn_entropy", samples, 2);
  require(entropies.size() == samples.columns(), "knn_entropy: entropies must have ", samples.columns(),
          " elements to match the samples, got ", entropies.size());
  struct slot_memory {
    slot_memory(std::int64_t tokens, std::pmr::memory_resource* resource)
        : values(static_cast<std::size_t>(tokens), resource) {}
    std::pmr::vector<double> values;
    std::int64_t constant = 0, tied = 0;
  };
  const auto tokens = samples.rows();
  auto slots = scratch_for<slot_memory>(exec, tokens);
  for_each_item(exec, samples.columns(), {}, "", 0, 1, [&](std::int64_t slot, std::int64_t c) {
    auto& own = of_slot(slots, slot);
    for (std::int64_t t = 0; t < tokens; ++t)
      own.values[static_cast<std::size_t>(t)] = static_cast<double>(samples(t, c));
    std::sort(own.values.begin(), own.values.end());
    if (own.values.front() == own.values.back()) {
      ++own.constant;
      entropies[c] = -std::numeric_limits<float>::infinity();
      return;
    }
    bool ties = false;
    entropies[c] = static_cast<float>(nearest_entropy(own.values, options, ties));
    own.tied += ties ? 1 : 0;
  });
  knn_result result;
  result.few_tokens = few_knn_tokens(options, tokens);
  for (const auto& own : slots) {
    result.constant += own.constant;
    result.tied += own.tied;
  }
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
double knn(const Exec& exec, vector_view<const float, memory_of<Exec>> x, vector_view<const float, memory_of<Exec>> y,
           const knn_options& options) {
  return detail::knn_on(exec, x, y, options);
}

template <executor Exec>
knn_result knn(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples, std::span<const channel_pair> pairs,
               vector_view<float, memory_of<Exec>> mi, const knn_options& options, const progress_callback& progress) {
  return detail::knn_on(exec, samples, pairs, mi, options, progress);
}

template <executor Exec>
knn_result knn(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
               matrix_view<float, memory_of<Exec>> mi, const knn_options& options, const progress_callback& progress) {
  return detail::knn_on(exec, samples, mi, options, progress);
}

template <on_host Exec>
knn_result knn_entropy(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                       vector_view<float, memory_of<Exec>> entropies, const knn_options& options) {
  return detail::knn_entropy_on(exec, samples, entropies, options);
}

}  // namespace miq::information
