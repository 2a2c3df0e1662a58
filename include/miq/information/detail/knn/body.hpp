// Mutual information from nearest neighbours: the kernel bodies. All distances and counts are whole numbers, so that
// the sums do not depend on who adds what.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <miq/core/detail/upper_tiles.hpp>
#include <miq/core/group.hpp>
#include <miq/core/random.hpp>
#include <miq/information/detail/knn/fixed_point.hpp>
#include <miq/information/detail/samples/ordered_bits.hpp>
#include <miq/information/knn.hpp>

namespace miq::information::detail {

/// Of a channel, what is one number: see `fixed_channel`.
struct knn_channel {
  std::uint64_t fingerprint = 0;
  double units = 0;  ///< of a deviation
  std::int32_t constant = 0;
  std::int32_t ties = 0;  ///< a value occurs more than once
  std::int32_t finite = 1;
  std::int32_t spread = 0;  ///< ties, and noise to tell them apart
};

/// Channels, prepared; the meaning of all is that of `fixed_channel`.
struct knn_channels {
  std::int64_t channels = 0;
  std::int64_t tokens = 0;
  float noise = 0;
  std::uint64_t seed = 0;
  std::int32_t* values = nullptr;     // [channels, tokens]
  std::int32_t* order = nullptr;      // [channels, tokens]
  std::int32_t* first = nullptr;      // [channels, tokens]
  std::int32_t* places[2] = {};       // [channels, tokens], of channels with `spread`
  knn_channel* each = nullptr;        // [channels]
  std::int32_t* to_spread = nullptr;  // [channels], `spread` of each
  std::uint64_t* keys = nullptr;      // [channels, tokens], to be sorted
  std::int32_t* payload = nullptr;    // [channels, tokens], along with them
};

/// Keys by which a channel's tokens are sorted by value, read in tiles so that both sides are coalesced.
struct knn_keys_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 32;

  const float* samples = nullptr;  // [tokens, ...]
  std::int64_t leading = 0;
  const std::int64_t* columns = nullptr;  // [channels], of the samples; null: the first ones
  knn_channels a;

  std::int64_t channel_tiles() const { return (a.channels + tile - 1) / tile; }
  std::int64_t blocks() const { return channel_tiles() * ((a.tokens + tile - 1) / tile); }
  std::int64_t scratch_bytes() const { return tile * (tile + 1) * static_cast<std::int64_t>(sizeof(float)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const values = reinterpret_cast<float*>(scratch);
    const auto across = (a.channels + tile - 1) / tile;
    const auto c0 = block % across * tile;
    const auto t0 = block / across * tile;
    for (std::int64_t k = group.rank(); k < tile * tile; k += group.size()) {
      const auto t = t0 + k / tile, c = c0 + k % tile;
      if (t >= a.tokens || c >= a.channels) continue;
      values[k / tile * (tile + 1) + k % tile] = samples[t * leading + (columns != nullptr ? columns[c] : c)];
    }
    group.sync();
    for (std::int64_t k = group.rank(); k < tile * tile; k += group.size()) {
      const auto c = c0 + k / tile, t = t0 + k % tile;
      if (t >= a.tokens || c >= a.channels) continue;
      a.keys[c * a.tokens + t] = ordered_bits(values[k % tile * (tile + 1) + k / tile]);
      a.payload[c * a.tokens + t] = static_cast<std::int32_t>(t);
    }
  }
};

/// From sorted values to fixed point; and keys that spread equal ones. One channel a block; mean and deviation are
/// summed by one lane in the order of the values, as on the host.
struct knn_standardise_body {
  static constexpr int lanes = 256;

  knn_channels a;

  std::int64_t blocks() const { return a.channels; }
  std::int64_t scratch_bytes() const {
    return 4 * static_cast<std::int64_t>(sizeof(double)) + lanes * static_cast<std::int64_t>(sizeof(std::uint64_t));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t c, std::byte* scratch) const {
    auto* const moments = reinterpret_cast<double*>(scratch);
    auto* const slots = reinterpret_cast<std::uint64_t*>(moments + 4);
    const auto tokens = a.tokens;
    std::uint64_t* const keys = a.keys + c * tokens;
    const auto value_at = [&](std::int64_t p) {
      return static_cast<double>(value_of_ordered_bits(static_cast<std::uint32_t>(keys[p])));
    };
    knn_channel& channel = a.each[c];
    // Sorted, what is not finite is at the ends (NaN beyond infinity, on the side of its sign).
    const double least = value_at(0), most = value_at(tokens - 1);
    const bool finite = least - least == 0 && most - most == 0;
    const bool constant = least == most;
    if (!finite || constant) {
      if (group.rank() == 0) {
        channel = {};
        channel.constant = finite ? 1 : 0;
        channel.finite = finite ? 1 : 0;
        a.to_spread[c] = 0;
      }
      return;
    }
    const double shift = value_at(tokens / 2);
    const auto count = static_cast<double>(tokens);
    if (group.rank() == 0) {
      double mean = 0, square = 0;
      for (std::int64_t p = 0; p < tokens; ++p) mean += value_at(p) - shift;
      mean /= count;
      for (std::int64_t p = 0; p < tokens; ++p) {
        const double z = (value_at(p) - shift) - mean;
        square += z * z;
      }
      moments[0] = mean;
      moments[1] = std::sqrt(square / count);
    }
    group.sync();
    const double mean = moments[0];
    const double units = units_per_deviation(tokens, a.noise);
    const double unit = units / moments[1];
    std::uint64_t fingerprint = 0, ties = 0;
    for (std::int64_t p = group.rank(); p < tokens; p += group.size()) {
      const auto value = fixed_value(value_at(p), shift, mean, unit);
      a.values[c * tokens + p] = value;
      fingerprint += random_hash(static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(p));
      const auto f = first_equal(keys, p);
      if (f < p) ++ties;
      const auto token = a.payload[c * tokens + p];
      a.order[c * tokens + p] = token;
      a.first[c * tokens + token] = static_cast<std::int32_t>(a.noise > 0 ? f : p);
    }
    fingerprint = sum_over_lanes(group, fingerprint, slots);
    ties = sum_over_lanes(group, ties, slots);
    const bool spread = ties > 0 && a.noise > 0;
    if (group.rank() == 0) {
      channel = {};
      channel.fingerprint = fingerprint;
      channel.units = units;
      channel.ties = ties > 0 ? 1 : 0;
      channel.spread = spread ? 1 : 0;
      a.to_spread[c] = channel.spread;
    }
    if (!spread) return;
    const double width = static_cast<double>(a.noise) * units;
    // The new key says the moved value above; below, the first place of its equals, for the second deal.
    std::uint64_t* const moved_keys = keys;
    for (std::int64_t p = group.rank(); p < tokens; p += group.size()) {
      const auto f = a.first[c * tokens + a.order[c * tokens + p]];
      const auto end = end_of_equals(p, c);
      auto moved = static_cast<std::int64_t>(a.values[c * tokens + p]);
      if (end - f > 1)
        moved +=
            noise_of_place(random_hash(a.seed, static_cast<std::uint64_t>(f)), p - f, spread_of_equals(width, end - f));
      moved_keys[p] = static_cast<std::uint64_t>(moved + (std::int64_t{1} << 31));
      a.payload[c * tokens + p] = static_cast<std::int32_t>(p);
    }
  }

 private:
  /// The place of the first key that equals that of place p, of sorted keys.
  MIQ_HOST_DEVICE std::int64_t first_equal(const std::uint64_t* keys, std::int64_t p) const {
    std::int64_t low = 0, rest = p;
    while (rest > 0) {
      const auto half = rest / 2;
      const bool before = keys[low + half] < keys[p];
      low = before ? low + half + 1 : low;
      rest = before ? rest - half - 1 : half;
    }
    return low;
  }
  /// Where the equals of place p end: by the first places of their tokens, which ascend.
  MIQ_HOST_DEVICE std::int64_t end_of_equals(std::int64_t p, std::int64_t c) const {
    const std::int32_t* const order = a.order + c * a.tokens;
    const std::int32_t* const first = a.first + c * a.tokens;
    const auto f = first[order[p]];
    std::int64_t low = p + 1, rest = a.tokens - low;
    while (rest > 0) {
      const auto half = rest / 2;
      const bool before = first[order[low + half]] <= f;
      low = before ? low + half + 1 : low;
      rest = before ? rest - half - 1 : half;
    }
    return low;
  }
};

/// After the spread values are sorted: the values, where each place went, and keys that deal the same places out
/// differently. One channel a block.
struct knn_places_body {
  static constexpr int lanes = 256;

  knn_channels a;

  std::int64_t blocks() const { return a.channels; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t c, std::byte*) const {
    if (a.each[c].spread == 0) return;
    const auto row = c * a.tokens;
    for (std::int64_t p = group.rank(); p < a.tokens; p += group.size()) {
      a.values[row + p] =
          static_cast<std::int32_t>(static_cast<std::int64_t>(a.keys[row + p]) - (std::int64_t{1} << 31));
      a.places[0][row + a.payload[row + p]] = static_cast<std::int32_t>(p);
    }
    group.sync();
    for (std::int64_t p = group.rank(); p < a.tokens; p += group.size()) {
      const std::int64_t f = a.first[row + a.order[row + p]];
      a.keys[row + p] = static_cast<std::uint64_t>(f) << 32 |
                        deal_of_place(random_hash(~a.seed, static_cast<std::uint64_t>(f)), p - f);
      a.payload[row + p] = static_cast<std::int32_t>(p);
    }
  }
};

/// After those are sorted: the places of the other role. One channel a block.
struct knn_other_places_body {
  static constexpr int lanes = 256;

  knn_channels a;

  std::int64_t blocks() const { return a.channels; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t c, std::byte*) const {
    if (a.each[c].spread == 0) return;
    const auto row = c * a.tokens;
    for (std::int64_t p = group.rank(); p < a.tokens; p += group.size())
      a.places[1][row + p] = a.places[0][row + a.payload[row + p]];
  }
};

/// psi(n) for n = 1 to `largest` in units of `digamma_table`, as it computes them: one lane, a sum in order.
struct digamma_body {
  static constexpr int lanes = 32;

  std::int64_t largest = 0;
  std::int64_t* table = nullptr;  // [largest + 1]

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte*) const {
    if (group.rank() != 0) return;
    double sum = -0.57721566490153286061, lost = 0;
    table[0] = 0;
    for (std::int64_t n = 1; n <= largest; ++n) {
      table[n] = static_cast<std::int64_t>(std::nearbyint(sum * 0x1.0p32));
      const double term = 1.0 / static_cast<double>(n) - lost, next = sum + term;
      lost = (next - sum) - term;
      sum = next;
    }
  }
};

/// Which pairs a batch is of: of a list, or of the upper triangle with the diagonal, by number.
struct knn_pairs {
  const channel_pair* listed = nullptr;  // of prepared channels; null: all
  std::int64_t channels = 0;
  std::int64_t first = 0;  // number of the batch's first pair
  std::int64_t count = 0;

  MIQ_HOST_DEVICE channel_pair operator[](std::int64_t k) const {
    if (listed != nullptr) return listed[first + k];
    const auto at = miq::detail::upper_tile(first + k, channels, 1);
    return {at.row, at.column};
  }
};

/// Whether a pair has to be looked at.
MIQ_HOST_DEVICE inline bool knn_needs_search(const knn_channels& a, channel_pair pair) {
  const auto &x = a.each[pair.first], &y = a.each[pair.second];
  return pair.first != pair.second && x.finite != 0 && y.finite != 0 && x.constant == 0 && y.constant == 0;
}

/// The points of a pair, ascending in x: `partner[p]` is the value in y of the token whose value in x is values[p]. One
/// pair a block. Without equal values a scatter; with them, the r-th of equal values is the one with the r-th smallest
/// value in the other channel, which takes a pass over the tokens for each channel, by one lane each.
struct knn_arrange_body {
  static constexpr int lanes = 64;

  knn_channels a;
  knn_pairs pairs;
  std::int32_t* partner = nullptr;      // [pairs, tokens]
  std::int32_t* counters[2] = {};       // [pairs, tokens], scratch
  std::int32_t* place = nullptr;        // [pairs, tokens], scratch
  std::int32_t* other_place = nullptr;  // [pairs, tokens], scratch
  std::int64_t* sums = nullptr;         // [pairs], set to 0

  std::int64_t blocks() const { return pairs.count; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::uint64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto pair = pairs[block];
    if (group.rank() == 0) sums[block] = 0;
    if (!knn_needs_search(a, pair)) return;
    const auto tokens = a.tokens;
    const auto x = pair.first * tokens, y = pair.second * tokens;
    const auto &channel_x = a.each[pair.first], &channel_y = a.each[pair.second];
    std::int32_t* const to = partner + block * tokens;
    if (channel_x.spread == 0 && channel_y.spread == 0) {
      for (std::int64_t t = group.rank(); t < tokens; t += group.size())
        to[a.first[x + t]] = a.values[y + a.first[y + t]];
      return;
    }
    const auto role =
        first_plays_first(group, channel_x, channel_y, x, y, reinterpret_cast<std::uint64_t*>(scratch)) ? 0 : 1;
    for (int side = 0; side < 2; ++side)
      for (std::int64_t p = group.rank(); p < tokens; p += group.size()) counters[side][block * tokens + p] = 0;
    group.sync();
    // The passes have nothing in common, so that two lanes can make them at once.
    const std::int32_t last = group.size() - 1;
    if (group.rank() == 0)
      deal(x, channel_x.spread != 0 ? a.places[role] : nullptr, y, counters[0] + block * tokens,
           place + block * tokens);
    if (group.rank() == last)
      deal(y, channel_y.spread != 0 ? a.places[1 - role] : nullptr, x, counters[1] + block * tokens,
           other_place + block * tokens);
    group.sync();
    for (std::int64_t t = group.rank(); t < tokens; t += group.size())
      to[place[block * tokens + t]] = a.values[y + other_place[block * tokens + t]];
  }

 private:
  /// Places in the channel at `own` of all tokens, taken in the order of the channel at `other`.
  MIQ_HOST_DEVICE void deal(std::int64_t own, const std::int32_t* places, std::int64_t other, std::int32_t* counter,
                            std::int32_t* out) const {
    for (std::int64_t p = 0; p < a.tokens; ++p) {
      const auto t = a.order[other + p];
      const auto f = a.first[own + t];
      out[t] = places == nullptr ? f : places[own + f + counter[f]++];
    }
  }

  /// `first_role` of the host.
  template <class Group>
  MIQ_HOST_DEVICE bool first_plays_first(const Group& group, const knn_channel& channel_x, const knn_channel& channel_y,
                                         std::int64_t x, std::int64_t y, std::uint64_t* slots) const {
    if (channel_x.fingerprint != channel_y.fingerprint) return channel_x.fingerprint < channel_y.fingerprint;
    std::uint64_t xy = 0, yx = 0;
    for (std::int64_t t = group.rank(); t < a.tokens; t += group.size()) {
      const auto p = static_cast<std::uint64_t>(a.first[x + t]), q = static_cast<std::uint64_t>(a.first[y + t]);
      xy += random_hash(p, q);
      yx += random_hash(q, p);
    }
    xy = sum_over_lanes(group, xy, slots);
    yx = sum_over_lanes(group, yx, slots);
    return xy <= yx;
  }
};

/// The distances of the `Most` nearest points so far, of which those beyond the number wanted are places that nothing
/// takes, so that the last is always the one asked for.
template <int Most>
struct nearest_distances {
  std::int32_t of[static_cast<std::size_t>(Most)];

  MIQ_HOST_DEVICE explicit nearest_distances(int wanted) {
    for (int m = 0; m < Most; ++m) of[m] = m < Most - wanted ? -1 : std::int32_t{1'430'000'000};
  }
  MIQ_HOST_DEVICE std::int32_t reach() const { return of[Most - 1]; }
  MIQ_HOST_DEVICE void add(std::int32_t d) {
    for (int m = Most - 1; m > 0; --m) {
      const auto moved = of[m - 1] > d ? of[m - 1] : d;
      of[m] = of[m] < moved ? of[m] : moved;
    }
    of[0] = of[0] < d ? of[0] : d;
  }
};

/// psi of the counts around each of a share of a pair's points, summed. Neighbours are looked for outwards from a
/// point in the order of x, for as long as x alone is nearer than the k-th; counts are two binary searches in each
/// channel. `Most` is at least the number of neighbours; 0 is for any number, by halving the distance's range.
template <int Most>
struct knn_search_body {
  static constexpr int lanes = 128;
  static constexpr std::int64_t share = 1024;  // points of a block

  knn_channels a;
  knn_pairs pairs;
  const std::int32_t* partner = nullptr;  // [pairs, tokens]
  const std::int64_t* digamma = nullptr;  // [tokens + 2]
  int neighbours = 0;
  bool second = false;
  std::int64_t share_of_one = 0;  // 1 / neighbours in units of psi, taken away where points coincide
  std::int64_t* sums = nullptr;   // [pairs]

  MIQ_HOST_DEVICE std::int64_t shares() const { return (a.tokens + share - 1) / share; }
  std::int64_t blocks() const { return pairs.count * shares(); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto number = block / shares();
    const auto pair = pairs[number];
    if (!knn_needs_search(a, pair)) return;
    const std::int32_t* const x = a.values + pair.first * a.tokens;
    const std::int32_t* const y = partner + number * a.tokens;
    const std::int32_t* const sorted_y = a.values + pair.second * a.tokens;
    const auto begin = block % shares() * share;
    const auto end = begin + share < a.tokens ? begin + share : a.tokens;
    std::int64_t sum = 0;
    for (std::int64_t p = begin + group.rank(); p < end; p += group.size()) sum += term(x, y, sorted_y, p);
    sum = sum_over_lanes(group, sum, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0) add_atomically(sums + number, sum);
  }

 private:
  MIQ_HOST_DEVICE static std::int32_t distance(std::int32_t a, std::int32_t b) { return a < b ? b - a : a - b; }

  /// Calls `visit(dx, dy)` with the other points from p outwards, while dx is below `reach()`.
  template <class Visit, class Reach>
  MIQ_HOST_DEVICE void outwards(const std::int32_t* x, const std::int32_t* y, std::int64_t p, const Visit& visit,
                                const Reach& reach) const {
    const auto own_x = x[p], own_y = y[p];
    auto left = p - 1, right = p + 1;
    for (bool more = true; more;) {
      more = false;
      if (right < a.tokens && x[right] - own_x < reach()) {
        visit(x[right] - own_x, distance(y[right], own_y));
        ++right;
        more = true;
      }
      if (left >= 0 && own_x - x[left] < reach()) {
        visit(own_x - x[left], distance(y[left], own_y));
        --left;
        more = true;
      }
    }
  }

  MIQ_HOST_DEVICE std::int32_t kth_distance(const std::int32_t* x, const std::int32_t* y, std::int64_t p) const {
    if constexpr (Most > 0) {
      nearest_distances<Most> nearest(neighbours);
      outwards(
          x, y, p, [&](std::int32_t dx, std::int32_t dy) { nearest.add(dx > dy ? dx : dy); },
          [&] { return nearest.reach(); });
      return nearest.reach();
    } else {
      // The smallest distance within which there are enough points.
      std::int32_t low = 0, high = 1'430'000'000;
      while (low < high) {
        const auto middle = low + (high - low) / 2;
        int found = 0;
        outwards(
            x, y, p, [&](std::int32_t, std::int32_t dy) { found += dy <= middle ? 1 : 0; },
            [&] { return found < neighbours ? middle + 1 : std::int32_t{-1}; });
        if (found >= neighbours)
          high = middle;
        else
          low = middle + 1;
      }
      return low;
    }
  }

  /// Values of a sorted channel that are smaller.
  MIQ_HOST_DEVICE std::int64_t smaller(const std::int32_t* sorted, std::int32_t value) const {
    std::int64_t low = 0, rest = a.tokens;
    while (rest > 0) {
      const auto half = rest / 2;
      const bool before = sorted[low + half] < value;
      low = before ? low + half + 1 : low;
      rest = before ? rest - half - 1 : half;
    }
    return low;
  }

  /// What point p adds; the host's `neighbour_sum` of one.
  MIQ_HOST_DEVICE std::int64_t term(const std::int32_t* x, const std::int32_t* y, const std::int32_t* sorted_y,
                                    std::int64_t p) const {
    const auto reach = kth_distance(x, y, p);
    auto inside_x = reach > 1 ? reach : 1, inside_y = inside_x;  // counted are |d| < inside
    if (second) {
      std::int32_t side_x = 0, side_y = 0;
      outwards(
          x, y, p,
          [&](std::int32_t dx, std::int32_t dy) {
            if (dy > reach) return;
            if (dx > side_x) side_x = dx;
            if (dy > side_y) side_y = dy;
          },
          [&] { return reach + 1; });
      inside_x = side_x + 1;
      inside_y = side_y + 1;
    }
    const auto in_x = smaller(x, x[p] + inside_x) - smaller(x, x[p] - inside_x + 1);
    const auto in_y = smaller(sorted_y, y[p] + inside_y) - smaller(sorted_y, y[p] - inside_y + 1);
    const auto less = second && reach > 0 ? 1 : 0;
    auto sum = digamma[in_x - less] + digamma[in_y - less];
    if (reach > 0) return sum;
    std::int64_t equal = 1;
    outwards(
        x, y, p, [&](std::int32_t, std::int32_t dy) { equal += dy == 0 ? 1 : 0; }, [] { return 1; });
    sum += digamma[neighbours] - digamma[equal];
    if (second) sum -= share_of_one;
    return sum;
  }
};

/// Estimates from sums, to their places; what is negative is counted. Of channels that are not finite, NaN.
struct knn_finish_body {
  static constexpr int lanes = 256;
  static constexpr float not_known = std::numeric_limits<float>::quiet_NaN();

  knn_channels a;
  knn_pairs pairs;
  const std::int64_t* sums = nullptr;  // [pairs]
  double start = 0;                    // what the mean is taken from
  bool clip_negative = false;
  float* mi = nullptr;  // [channels, leading] of all pairs; of a list, one value per pair
  std::int64_t leading = 0;
  knn_result* result = nullptr;

  std::int64_t blocks() const { return (pairs.count + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    std::int64_t negative = 0;
    for (std::int64_t k = block * lanes + group.rank(); k < (block + 1) * lanes && k < pairs.count; k += group.size()) {
      const auto pair = pairs[k];
      float value = 0;
      if (knn_needs_search(a, pair)) {
        const double estimate = start - static_cast<double>(sums[k]) * 0x1.0p-32 / static_cast<double>(a.tokens);
        if (estimate < 0) ++negative;
        value = clip_negative && estimate < 0 ? 0.0F : static_cast<float>(estimate);
      } else if (pair.first != pair.second && (a.each[pair.first].finite == 0 || a.each[pair.second].finite == 0)) {
        value = not_known;
      }
      if (pairs.listed != nullptr) {
        mi[pairs.first + k] = value;
      } else {
        mi[pair.first * leading + pair.second] = value;
        mi[pair.second * leading + pair.first] = value;
      }
    }
    negative = sum_over_lanes(group, negative, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && negative > 0) add_atomically(&result->negative, negative);
  }
};

/// Counts channels that are constant, have equal values, or are not finite. One block.
struct knn_count_body {
  static constexpr int lanes = 256;

  knn_channels a;
  knn_result* result = nullptr;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    std::int64_t constant = 0, tied = 0, not_finite = 0;
    for (std::int64_t c = group.rank(); c < a.channels; c += group.size()) {
      constant += a.each[c].constant;
      tied += a.each[c].ties;
      not_finite += 1 - a.each[c].finite;
    }
    constant = sum_over_lanes(group, constant, slots);
    tied = sum_over_lanes(group, tied, slots);
    not_finite = sum_over_lanes(group, not_finite, slots);
    if (group.rank() == 0) {
      result->constant = constant;
      result->tied = tied;
      result->not_finite = not_finite;
    }
  }
};

}  // namespace miq::information::detail
