// Channels as neighbour searches take them: standardised, in fixed point, sorted, equal values told apart by noise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/information/detail/knn/fixed_point.hpp>
#include <miq/information/detail/samples/ordered_bits.hpp>
#include <miq/information/detail/samples/samples.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Levels of a binary search that are kept in one place (see `search_pivots`), and how many pivots that makes.
inline constexpr int pivot_levels = 5;
inline constexpr std::int64_t pivot_count = 1 << pivot_levels;

/// One channel, sorted. `values` are ascending, noise included. Sorted without the noise, the token at place p is
/// `order[p]` (equal values in the order of the tokens), and `first[t]` is the place of the first token that equals
/// token t. Of n equal values with first place f, the r-th goes to place `places[role][f + r]` of `values`; which of
/// the tokens is the r-th is for each pair of channels to say. Without equal values f is that place.
struct fixed_channel {
  const std::int32_t* values = nullptr;
  const std::int32_t* order = nullptr;
  const std::int32_t* first = nullptr;
  const std::int32_t* places[2] = {nullptr, nullptr};  // null without equal values or without noise
  const std::int32_t* pivots = nullptr;
  std::uint64_t fingerprint = 0;  // of the values without their order
  double deviation = 0;           // of the raw values, with the divisor `tokens`
  bool constant = false;
  bool ties = false;  // a value occurs more than once; never set for a constant channel
};

/// The first comparisons of a binary search among `tokens` sorted values, as a heap from index 1: with `rest` values
/// left from `base`, the next comparison is with values[base + rest / 2 - 1].
inline void search_pivots(const std::int32_t* values, std::int64_t tokens, std::int32_t* pivots) {
  pivots[0] = 0;
  std::int64_t base[pivot_count] = {};
  std::int64_t rest = tokens;
  for (int level = 0; level < pivot_levels; ++level) {
    const auto half = rest / 2;
    for (std::int64_t node = std::int64_t{1} << level; node < std::int64_t{2} << level; ++node) {
      pivots[node] = values[base[node] + std::max<std::int64_t>(half - 1, 0)];
      if (2 * node + 1 < pivot_count) {
        base[2 * node] = base[node];
        base[2 * node + 1] = base[node] + half;
      }
    }
    rest -= half;
  }
}

/// Memory of one thread that prepares channels.
struct channel_scratch {
  channel_scratch(std::int64_t tokens, std::pmr::memory_resource* resource)
      : keys(static_cast<std::size_t>(tokens), resource), groups(static_cast<std::size_t>(tokens), resource) {}
  std::pmr::vector<std::uint64_t> keys;
  std::pmr::vector<std::int32_t> groups;
};

/// A number of channels, prepared.
class fixed_channels {
 public:
  fixed_channels(std::int64_t channels, std::int64_t tokens, std::pmr::memory_resource* resource)
      : values_(channels, tokens, resource),
        order_(channels, tokens, resource),
        first_(channels, tokens, resource),
        pivots_(channels, pivot_count, resource),
        places_(static_cast<std::size_t>(channels), resource),
        channels_(static_cast<std::size_t>(channels), resource) {}

  const fixed_channel& operator[](std::int64_t c) const { return channels_[static_cast<std::size_t>(c)]; }

  /// Fills place c from `value(t)`, finite. Every step depends on the multiset of the values only, except the order of
  /// equal ones.
  template <class Value>
  void prepare(std::int64_t c, float noise, std::uint64_t seed, channel_scratch& scratch, const Value& value) {
    const auto tokens = values_.columns();
    std::int32_t* const values = &values_(c, 0);
    std::int32_t* const order = &order_(c, 0);
    std::int32_t* const first = &first_(c, 0);
    auto& keys = scratch.keys;
    for (std::int64_t t = 0; t < tokens; ++t) {
      keys[static_cast<std::size_t>(t)] = std::uint64_t{ordered_bits(value(t))} << 32 | static_cast<std::uint64_t>(t);
    }
    std::sort(keys.begin(), keys.end());
    const auto token_at = [&](std::int64_t p) {
      return static_cast<std::int32_t>(keys[static_cast<std::size_t>(p)] & 0xFFFFFFFFU);
    };
    const auto value_at = [&](std::int64_t p) {
      const auto key = static_cast<std::uint32_t>(keys[static_cast<std::size_t>(p)] >> 32);
      return static_cast<double>(value_of_ordered_bits(key));
    };
    auto& channel = channels_[static_cast<std::size_t>(c)];
    channel = {};
    channel.values = values;
    channel.order = order;
    channel.first = first;
    channel.pivots = &pivots_(c, 0);
    channel.constant = value_at(0) == value_at(tokens - 1);
    if (channel.constant) return;

    // In the order of the values, so that the rounding does not depend on the order of the tokens.
    const double shift = value_at(tokens / 2), count = static_cast<double>(tokens);
    double mean = 0, square = 0;
    for (std::int64_t p = 0; p < tokens; ++p) mean += value_at(p) - shift;
    mean /= count;
    for (std::int64_t p = 0; p < tokens; ++p) {
      const auto z = (value_at(p) - shift) - mean;
      square += z * z;
    }
    channel.deviation = std::sqrt(square / count);
    const auto units = units_per_deviation(tokens, noise);
    const auto unit = units / channel.deviation;
    auto& groups = scratch.groups;  // for each place, the first place of an equal value
    for (std::int64_t p = 0, f = 0; p < tokens; ++p) {
      if (value_at(p) != value_at(f)) f = p;
      channel.ties = channel.ties || f < p;
      values[p] = fixed_value(value_at(p), shift, mean, unit);
      groups[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(f);
      order[p] = token_at(p);
      first[order[p]] = static_cast<std::int32_t>(noise > 0 ? f : p);
      channel.fingerprint += random_hash(static_cast<std::uint64_t>(values[p]), static_cast<std::uint64_t>(p));
    }
    if (channel.ties && noise > 0) spread(c, static_cast<double>(noise) * units, seed, scratch);
    search_pivots(values, tokens, &pivots_(c, 0));
  }

 private:
  /// Moves equal values apart, uniformly over `width` units or more around where they are, and says where they went.
  void spread(std::int64_t c, double width, std::uint64_t seed, channel_scratch& scratch) {
    const auto tokens = values_.columns();
    std::int32_t* const values = &values_(c, 0);
    auto& store = places_[static_cast<std::size_t>(c)];
    store = matrix<std::int32_t>(2, tokens, values_resource());
    auto& keys = scratch.keys;
    const auto key_of = [](std::int64_t value, std::int64_t place) {
      return static_cast<std::uint64_t>(value + (std::int64_t{1} << 31)) << 32 | static_cast<std::uint64_t>(place);
    };
    const auto for_groups = [&](const auto& use) {
      for (std::int64_t p = 1, f = 0; p <= tokens; ++p)
        if (p == tokens || scratch.groups[static_cast<std::size_t>(p)] == p) {
          use(f, p);
          f = p;
        }
    };
    for_groups([&](std::int64_t first, std::int64_t end) {
      const auto stream = random_hash(seed, static_cast<std::uint64_t>(first));
      const auto spread_over = spread_of_equals(width, end - first);
      for (auto p = first; p < end; ++p) {
        auto moved = static_cast<std::int64_t>(values[p]);
        if (end - first > 1) moved += noise_of_place(stream, p - first, spread_over);
        keys[static_cast<std::size_t>(p)] = key_of(moved, p);
      }
    });
    std::sort(keys.begin(), keys.end());
    for (std::int64_t p = 0; p < tokens; ++p) {
      const auto key = keys[static_cast<std::size_t>(p)];
      values[p] = static_cast<std::int32_t>(static_cast<std::int64_t>(key >> 32) - (std::int64_t{1} << 31));
      store(0, static_cast<std::int64_t>(key & 0xFFFFFFFFU)) = static_cast<std::int32_t>(p);
    }
    // The other role: the same places, dealt out differently.
    for_groups([&](std::int64_t first, std::int64_t end) {
      const auto stream = random_hash(~seed, static_cast<std::uint64_t>(first));
      for (auto p = first; p < end; ++p)
        keys[static_cast<std::size_t>(p)] = deal_of_place(stream, p - first) << 32 | static_cast<std::uint64_t>(p);
      std::sort(keys.begin() + first, keys.begin() + end);
      for (auto p = first; p < end; ++p)
        store(1, p) = store(0, static_cast<std::int64_t>(keys[static_cast<std::size_t>(p)] & 0xFFFFFFFFU));
    });
    auto& channel = channels_[static_cast<std::size_t>(c)];
    channel.places[0] = &store(0, 0);
    channel.places[1] = &store(1, 0);
  }

  std::pmr::memory_resource* values_resource() const { return places_.get_allocator().resource(); }

  matrix<std::int32_t> values_, order_, first_, pivots_;
  std::pmr::vector<matrix<std::int32_t>> places_;
  std::pmr::vector<fixed_channel> channels_;
};

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
