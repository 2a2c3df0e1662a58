// Nearest neighbours of every point of a pair of channels, and how many points lie as near in one channel alone.
//
// The points are cut by their place in x into strips of equal numbers, and sorted by y within each. As many neighbours
// of a strip as there are vector lanes search together, outwards from where they are: first in their strip, then in the
// strips beside it, for as long as a point there could be nearer than what one of them has. Numbers within a distance
// are differences of two binary searches in the sorted channel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include <miq/core/detail/vector_lanes.hpp>
#include <miq/core/matrix.hpp>
#include <miq/information/detail/knn/digamma_table.hpp>
#include <miq/information/detail/knn/fixed_channels.hpp>

namespace miq::information::detail {

/// Memory of one thread that works on pairs.
class pair_scratch {
 public:
  pair_scratch(std::int64_t tokens, std::pmr::memory_resource* resource)
      : memory_(6, tokens + 32, resource), filled_(1, tokens / 16 + 2, resource) {}

  std::int32_t* x() { return &memory_(0, 0); }        // of the points, strip by strip
  std::int32_t* y() { return &memory_(1, 0); }        // ascending in each strip
  std::int32_t* counter() { return &memory_(2, 0); }  // of the equal values met so far, by their first place
  std::int32_t* place() { return &memory_(3, 0); }    // of a token in x
  std::int32_t* token() { return &memory_(4, 0); }    // at a place in y
  std::int32_t* filled() { return &filled_(0, 0); }   // points so far in a strip

  std::int64_t negative = 0;  // estimates below 0

 private:
  matrix<std::int32_t> memory_, filled_;
};

/// Whether `a` plays the first role of the pair: decided by the data alone, so that swapped channels give the same.
inline bool first_role(const fixed_channel& a, const fixed_channel& b, std::int64_t tokens) {
  if (a.fingerprint != b.fingerprint) return a.fingerprint < b.fingerprint;
  // The same values: by how they are joined. Equal sums mean that swapping changes nothing.
  std::uint64_t ab = 0, ba = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto p = static_cast<std::uint64_t>(a.first[t]), q = static_cast<std::uint64_t>(b.first[t]);
    ab += random_hash(p, q);
    ba += random_hash(q, p);
  }
  return ab <= ba;
}

inline namespace MIQ_INSTRUCTION_SET {

using miq::detail::int_lanes;
using miq::detail::lanes;
using miq::detail::load;
using miq::detail::store;

inline constexpr std::int32_t far_away = std::numeric_limits<std::int32_t>::max();
/// More than any distance, and a value plus this still fits (see `units_per_deviation`).
inline constexpr std::int32_t beyond_all = 1'430'000'000;

inline constexpr std::int32_t lane_numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

inline int_lanes all_lanes(std::int32_t value) { return int_lanes{} + value; }

inline int_lanes smaller(int_lanes a, int_lanes b) { return a < b ? a : b; }
inline int_lanes larger(int_lanes a, int_lanes b) { return a > b ? a : b; }
inline int_lanes magnitude(int_lanes a) { return a < 0 ? -a : a; }

#if defined(__AVX512F__)
/// Whether a < b and c < d in one lane.
inline bool any_less(int_lanes a, int_lanes b, int_lanes c, int_lanes d) {
  const auto first = _mm512_cmplt_epi32_mask(__m512i(a), __m512i(b));
  return _mm512_mask_cmplt_epi32_mask(first, __m512i(c), __m512i(d)) != 0;
}
inline bool any_less(int_lanes a, int_lanes b) { return _mm512_cmplt_epi32_mask(__m512i(a), __m512i(b)) != 0; }
#else
inline bool any_less(int_lanes a, int_lanes b, int_lanes c, int_lanes d) { return miq::detail::any((a < b) & (c < d)); }
inline bool any_less(int_lanes a, int_lanes b) { return miq::detail::any(a < b); }
#endif

#if defined(__AVX512F__)
/// from[index], by lanes. (Masked, because the plain one reads what GCC 12 calls uninitialised; and without
/// optimisation it is a macro that converts the mask to a signed number.)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
inline __m512i gather(__m512i index, const std::int32_t* from) {
  return _mm512_mask_i32gather_epi32(index, _cvtu32_mask16(0xFFFFU), index, from, 4);
}
#pragma GCC diagnostic pop
#endif

/// How many values of a channel are smaller than v[0] and v[1] of x, and v[2] and v[3] of y.
inline void count_smaller(const fixed_channel& x, const fixed_channel& y, std::int64_t tokens, const int_lanes (&v)[4],
                          int_lanes (&count)[4]) {
#if defined(__AVX512F__)
  __m512i base[4];
  for (auto& b : base) b = _mm512_setzero_si512();
  auto rest = static_cast<std::int32_t>(tokens);
  if (tokens >= 2 * pivot_count) {
    const __m512i pivots[4] = {_mm512_loadu_si512(x.pivots), _mm512_loadu_si512(x.pivots + 16),
                               _mm512_loadu_si512(y.pivots), _mm512_loadu_si512(y.pivots + 16)};
    const auto one = _mm512_set1_epi32(1);
    __m512i node[4] = {one, one, one, one};
    for (int level = 0; level < pivot_levels; ++level) {
      const auto step = _mm512_set1_epi32(rest / 2);
      miq::detail::unrolled<4>([&](int i) {
        const auto pivot = _mm512_permutex2var_epi32(pivots[i / 2 * 2], node[i], pivots[i / 2 * 2 + 1]);
        const auto beyond = _mm512_cmplt_epi32_mask(pivot, __m512i(v[i]));
        base[i] = _mm512_mask_add_epi32(base[i], beyond, base[i], step);
        node[i] = _mm512_add_epi32(node[i], node[i]);
        node[i] = _mm512_mask_add_epi32(node[i], beyond, node[i], one);
      });
      rest -= rest / 2;
    }
  }
  while (rest > 1) {
    const auto step = rest / 2;
    const auto steps = _mm512_set1_epi32(step);
    miq::detail::unrolled<4>([&](int i) {
      const auto found = gather(base[i], (i < 2 ? x : y).values + step - 1);
      base[i] = _mm512_mask_add_epi32(base[i], _mm512_cmplt_epi32_mask(found, __m512i(v[i])), base[i], steps);
    });
    rest -= step;
  }
  const auto one = _mm512_set1_epi32(1);
  miq::detail::unrolled<4>([&](int i) {
    const auto found = gather(base[i], (i < 2 ? x : y).values);
    count[i] = int_lanes(_mm512_mask_add_epi32(base[i], _mm512_cmplt_epi32_mask(found, __m512i(v[i])), base[i], one));
  });
#else
  for (int i = 0; i < 4; ++i)
    for (int lane = 0; lane < lanes; ++lane) {
      const std::int32_t* at = (i < 2 ? x : y).values;
      const std::int32_t wanted = v[i][lane];
      for (std::int64_t rest = tokens; rest > 1;) {
        const auto step = rest / 2;
        at += at[step - 1] < wanted ? step : 0;
        rest -= step;
      }
      count[i][lane] = static_cast<std::int32_t>(at - (i < 2 ? x : y).values) + (*at < wanted ? 1 : 0);
    }
#endif
}

/// The points of a pair, strip by strip.
struct strip_points {
  const std::int32_t* x = nullptr;
  const std::int32_t* y = nullptr;
  const std::int32_t* sorted_x = nullptr;
  std::int64_t tokens = 0;
  int shift = 0;  // 2^shift points in a strip, less in the last

  std::int64_t begin(std::int64_t strip) const { return strip << shift; }
  std::int64_t end(std::int64_t strip) const { return std::min((strip + 1) << shift, tokens); }
  std::int64_t strips() const { return ((tokens - 1) >> shift) + 1; }
};

/// Strips of about 8 times the root of the number of points per lane: groups of lanes are then about square.
inline int strip_shift(std::int64_t tokens) {
  int shift = 4;
  while ((std::int64_t{2} << (2 * shift)) < 8 * tokens) ++shift;
  return shift;
}

inline strip_points arrange(const fixed_channel& x, const fixed_channel& y, std::int64_t tokens,
                            pair_scratch& scratch) {
  strip_points points{scratch.x(), scratch.y(), x.values, tokens, strip_shift(tokens)};
  std::int32_t *const to_x = scratch.x(), *const to_y = scratch.y(), *const filled = scratch.filled();
  for (std::int64_t strip = 0; strip < points.strips(); ++strip)
    filled[strip] = static_cast<std::int32_t>(points.begin(strip));
  const auto put = [&](std::int32_t place_x, std::int64_t place_y) {
    const auto to = filled[place_x >> points.shift]++;
    to_x[to] = x.values[place_x];
    to_y[to] = y.values[place_y];
  };
  if (x.places[0] == nullptr && y.places[0] == nullptr) {
    for (std::int64_t p = 0; p < tokens; ++p) put(x.first[y.order[p]], p);
  } else {
    // Among equal values of x, the r-th is the one with the r-th smallest y, and the other way round.
    const auto role = first_role(x, y, tokens) ? 0 : 1;
    const auto* const places_x = x.places[role];
    const auto* const places_y = y.places[1 - role];
    std::int32_t *const counter = scratch.counter(), *const place = scratch.place(), *const token = scratch.token();
    const auto next_place = [&](const fixed_channel& channel, const std::int32_t* places, std::int32_t t) {
      const auto f = channel.first[t];
      return places == nullptr ? f : places[f + counter[f]++];
    };
    std::fill_n(counter, tokens, 0);
    for (std::int64_t p = 0; p < tokens; ++p) place[y.order[p]] = next_place(x, places_x, y.order[p]);
    std::fill_n(counter, tokens, 0);
    for (std::int64_t p = 0; p < tokens; ++p) token[next_place(y, places_y, x.order[p])] = x.order[p];
    for (std::int64_t p = 0; p < tokens; ++p) put(place[token[p]], p);
  }
  // What the last vector reads beyond the end.
  std::fill_n(to_x + tokens, 32, to_x[tokens - 1]);
  std::fill_n(to_y + tokens, 32, to_y[tokens - 1]);
  return points;
}

/// Shows `visit(dx, dy)`, by lanes, to `lanes` points from `from` on, every point that is nearer than `visit.reach()`,
/// and some that are not. Points that are no lane's own self are shown once; the own self never.
template <class Visit>
[[gnu::always_inline]] inline void visit_near(const strip_points& points, std::int64_t strip, std::int64_t from,
                                              Visit& visit) {
  constexpr std::int64_t chunk = 4;
  const auto begin = points.begin(strip), end = points.end(strip);
  const auto x = load<int_lanes>(points.x + from), y = load<int_lanes>(points.y + from);
  const auto show = [&](std::int64_t c) {
    visit(magnitude(all_lanes(points.x[c]) - x), magnitude(all_lanes(points.y[c]) - y));
  };
  const auto own = std::min(from + lanes, end);
  const auto numbers = load<int_lanes>(lane_numbers);
  for (auto c = from; c < own; ++c) {
    const auto self = (numbers == static_cast<std::int32_t>(c - from)) & far_away;
    visit(magnitude(all_lanes(points.x[c]) - x) | self, magnitude(all_lanes(points.y[c]) - y));
  }
  for (auto c = own; c < end;) {
    if (!any_less(all_lanes(points.y[c]), y + visit.reach())) break;
    for (const auto stop = std::min(c + chunk, end); c < stop; ++c) show(c);
  }
  for (auto c = from; c > begin;) {
    if (!any_less(y - visit.reach(), all_lanes(points.y[c - 1]))) break;
    for (const auto stop = std::max(c - chunk, begin); c > stop;) show(--c);
  }
  const auto middle = points.y[std::min(from + lanes / 2, end - 1)];
  const auto other_strip = [&](std::int64_t other, const auto& within_x) {
    const auto first = points.begin(other), last = points.end(other);
    const auto* at = points.y + first;
    for (auto rest = last - first; rest > 1;) {
      const auto step = rest / 2;
      at += at[step - 1] < middle ? step : 0;
      rest -= step;
    }
    const auto start = at - points.y;
    for (auto c = start; c < last;) {
      if (!within_x(all_lanes(points.y[c]), y + visit.reach())) break;
      for (const auto stop = std::min(c + chunk, last); c < stop; ++c) show(c);
    }
    for (auto c = start; c > first;) {
      if (!within_x(y - visit.reach(), all_lanes(points.y[c - 1]))) break;
      for (const auto stop = std::max(c - chunk, first); c > stop;) show(--c);
    }
  };
  auto right = strip + 1, left = strip - 1;
  for (const auto strips = points.strips(); right < strips || left >= 0;) {
    if (right < strips) {
      const auto edge = all_lanes(points.sorted_x[points.begin(right)]);
      if (any_less(edge, x + visit.reach())) {
        other_strip(right++, [&](int_lanes a, int_lanes b) { return any_less(edge, x + visit.reach(), a, b); });
      } else {
        right = strips;
      }
    }
    if (left >= 0) {
      const auto edge = all_lanes(points.sorted_x[points.end(left) - 1]);
      if (any_less(x - visit.reach(), edge)) {
        other_strip(left--, [&](int_lanes a, int_lanes b) { return any_less(x - visit.reach(), edge, a, b); });
      } else {
        left = -1;
      }
    }
  }
}

/// The distances of the nearest points so far, ascending.
template <int neighbours>
class nearest {
 public:
  nearest() {
    for (auto& distance : distances_) distance = all_lanes(beyond_all);
  }
  int_lanes reach() const { return distances_[neighbours - 1]; }
  [[gnu::always_inline]] void operator()(int_lanes dx, int_lanes dy) {
    const auto d = larger(dx, dy);
    miq::detail::unrolled<neighbours - 1>([&](int i) {
      const int m = neighbours - 1 - i;
      distances_[m] = smaller(distances_[m], larger(distances_[m - 1], d));
    });
    distances_[0] = smaller(distances_[0], d);
  }

 private:
  int_lanes distances_[static_cast<std::size_t>(neighbours)];
};

/// The same for a number of neighbours known at run time.
class nearest_many {
 public:
  nearest_many(int_lanes* memory, int neighbours) : distances_(memory), last_(neighbours - 1) {
    std::fill(distances_, distances_ + neighbours, all_lanes(beyond_all));
  }
  int_lanes reach() const { return distances_[last_]; }
  void operator()(int_lanes dx, int_lanes dy) {
    const auto d = larger(dx, dy);
    if (!any_less(d, distances_[last_])) return;
    for (int m = last_; m > 0; --m) distances_[m] = smaller(distances_[m], larger(distances_[m - 1], d));
    distances_[0] = smaller(distances_[0], d);
  }

 private:
  int_lanes* distances_;
  int last_;
};

/// The sides of the smallest rectangle around a point that holds all points within a distance.
class rectangle {
 public:
  explicit rectangle(int_lanes distance) : distance_(distance) {}
  int_lanes reach() const { return distance_ + 1; }
  void operator()(int_lanes dx, int_lanes dy) {
    const auto near = larger(dx, dy) <= distance_;
    x_ = larger(x_, near & dx);
    y_ = larger(y_, near & dy);
  }
  int_lanes x() const { return x_; }
  int_lanes y() const { return y_; }

 private:
  int_lanes distance_, x_{}, y_{};
};

/// Points equal to (x, y), itself included.
inline std::int64_t count_equal(const strip_points& points, std::int32_t x, std::int32_t y) {
  const auto* const sorted = points.sorted_x;
  const auto first = std::lower_bound(sorted, sorted + points.tokens, x) - sorted;
  const auto last = std::upper_bound(sorted + first, sorted + points.tokens, x) - sorted;
  std::int64_t count = 0;
  for (auto strip = first >> points.shift; strip <= (last - 1) >> points.shift; ++strip) {
    const auto range = std::equal_range(points.y + points.begin(strip), points.y + points.end(strip), y);
    for (const auto* p = range.first; p != range.second; ++p) count += points.x[p - points.y] == x;
  }
  return count;
}

/// The sum over all points of psi for both channels, in units of `digamma_table`, that is taken from psi(k) + psi(T).
template <class Make>
std::int64_t neighbour_sum(const fixed_channel& x, const fixed_channel& y, const strip_points& points, int neighbours,
                           bool second, const digamma_table& digamma, const Make& make_nearest) {
  std::int64_t sum = 0;
  std::int32_t last_x = 0, last_y = 0;
  std::int64_t last_equal = 0;
  for (std::int64_t strip = 0; strip < points.strips(); ++strip)
    for (auto from = points.begin(strip); from < points.end(strip); from += lanes) {
      auto near = make_nearest();
      visit_near(points, strip, from, near);
      const auto distance = near.reach();
      auto inside_x = larger(distance, all_lanes(1)), inside_y = inside_x;  // counted are |d| < inside
      if (second) {
        rectangle sides(distance);
        visit_near(points, strip, from, sides);
        inside_x = sides.x() + 1;
        inside_y = sides.y() + 1;
      }
      const auto px = load<int_lanes>(points.x + from), py = load<int_lanes>(points.y + from);
      const int_lanes bounds[4] = {px - inside_x + 1, px + inside_x, py - inside_y + 1, py + inside_y};
      int_lanes counts[4];
      count_smaller(x, y, points.tokens, bounds, counts);
      std::int32_t in_x[lanes], in_y[lanes];  // the point itself included
      store(in_x, counts[1] - counts[0]);
      store(in_y, counts[3] - counts[2]);
      const auto count = std::min<std::int64_t>(lanes, points.end(strip) - from);
      if (!any_less(distance, all_lanes(1))) {
        const auto less = second ? 1 : 0;
        for (std::int64_t lane = 0; lane < count; ++lane)
          sum += digamma[in_x[lane] - less] + digamma[in_y[lane] - less];
        continue;
      }
      for (std::int64_t lane = 0; lane < count; ++lane) {
        const auto zero = distance[lane] == 0;
        const auto less = second && !zero ? 1 : 0;
        sum += digamma[in_x[lane] - less] + digamma[in_y[lane] - less];
        if (!zero) continue;
        if (last_equal == 0 || px[lane] != last_x || py[lane] != last_y) {
          last_x = px[lane];
          last_y = py[lane];
          last_equal = count_equal(points, last_x, last_y);
        }
        sum += digamma[neighbours] - digamma[last_equal];
        if (second) sum -= static_cast<std::int64_t>(1 / digamma_table::unit) / neighbours;
      }
    }
  return sum;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
