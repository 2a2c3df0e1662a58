// k-means: the kernel bodies. Several starts are advanced together: they share the points and each launch.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <miq/core/group.hpp>
#include <miq/core/random.hpp>

namespace miq::grouping::detail {

/// One start, in the machine's memory. A start that is not `active` is left as it is by all bodies of the iteration.
struct kmeans_state {
  random_stream random{0};
  std::int64_t relocated = 0;
  std::int64_t changed = 0;     ///< labels that the iteration under way has changed
  double inertia = 0;           ///< written at the end
  std::int32_t kept = 0;        ///< of the candidates drawn last, the one that becomes a centre
  std::int32_t iterations = 0;  ///< made
  std::int32_t active = 1;
  std::int32_t converged = 0;
  std::int32_t assigned = 0;  ///< whether the labels belong to the centres as they are
};

/// What the bodies work on. Everything is row-major without padding; sums are cut into tiles and slices of fixed size,
/// so that nothing depends on the number of lanes.
struct kmeans_arrays {
  static constexpr std::int64_t point_tile = 128;      // points whose distances are summed together
  static constexpr std::int64_t coordinate_tile = 32;  // coordinates that a block works on at once
  static constexpr std::int64_t slices = 32;           // of a sum over coordinates

  std::int64_t points = 0;       // n
  std::int64_t coordinates = 0;  // d
  std::int64_t groups = 0;       // k
  std::int64_t starts = 0;
  std::int64_t candidates = 0;       // drawn for each centre but the first
  double threshold = 0;              // sum of squared moves at which an iteration is the last
  const float* values = nullptr;     // [n, d], moved to their mean
  float* centres = nullptr;          // [starts, k, d]
  float* half_norms = nullptr;       // [starts, k]
  float* products = nullptr;         // [starts, k, n], of centres and points
  std::int32_t* members = nullptr;   // [starts, k, n], the points of each group; the memory of `products`
  float* closest[2] = {};            // [starts, candidates, n], squared distances to the centres and a candidate
  double* potentials = nullptr;      // [starts, point tiles, candidates], their sums
  std::int64_t* drawn = nullptr;     // [starts, candidates]
  std::int32_t* labels = nullptr;    // [starts, n]
  std::int32_t* previous = nullptr;  // [starts, n]
  std::int32_t* counts = nullptr;    // [starts, k], points of each group
  double* squares = nullptr;         // [starts, n], squared distances to the own centre
  double* moves = nullptr;           // [starts, k, coordinate tiles], squared moves of the centres
  kmeans_state* states = nullptr;    // [starts]

  MIQ_HOST_DEVICE std::int64_t point_tiles() const { return (points + point_tile - 1) / point_tile; }
  MIQ_HOST_DEVICE std::int64_t coordinate_tiles() const {
    return (coordinates + coordinate_tile - 1) / coordinate_tile;
  }
  MIQ_HOST_DEVICE std::int64_t rows_of(std::int64_t tile) const {
    const auto left = points - tile * point_tile;
    return left < point_tile ? left : point_tile;
  }
  MIQ_HOST_DEVICE float* centre(std::int64_t start, std::int64_t group) const {
    return centres + (start * groups + group) * coordinates;
  }
};

/// In every lane, whether some group of a start has no points. Synchronises; `slots` is scratch for one integer a lane.
template <class Group>
MIQ_HOST_DEVICE bool some_group_is_empty(const Group& group, const kmeans_arrays& a, std::int64_t start,
                                         std::int64_t* slots) {
  std::int64_t empty = 0;
  for (std::int64_t g = group.rank(); g < a.groups; g += group.size()) empty += a.counts[start * a.groups + g] == 0;
  return sum_over_lanes(group, empty, slots) > 0;
}

/// Greedy k-means++, one start a block: of the candidates drawn for centre `centre - 1` the one that lowers the sum of
/// squared distances most becomes that centre; then those for `centre` are drawn, in proportion to what is left.
struct kmeans_draw_body {
  static constexpr int lanes = 128;

  kmeans_arrays a;
  std::int64_t centre = 0;  // 0 to k; at k nothing more is drawn

  std::int64_t blocks() const { return a.starts; }
  std::int64_t scratch_bytes() const { return (a.candidates + 1) * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t start, std::byte* scratch) const {
    auto* const totals = reinterpret_cast<double*>(scratch);
    auto* const place = reinterpret_cast<std::int64_t*>(totals + a.candidates);
    kmeans_state& state = a.states[start];
    const auto tiles = a.point_tiles();
    const double* const sums = a.potentials + start * tiles * a.candidates;
    std::int64_t* const drawn = a.drawn + start * a.candidates;
    if (centre > 0) {
      const auto count = centre == 1 ? 1 : a.candidates;
      for (std::int64_t l = group.rank(); l < count; l += group.size()) {
        double sum = 0;
        for (std::int64_t t = 0; t < tiles; ++t) sum += sums[t * a.candidates + l];
        totals[l] = sum;
      }
      group.sync();
      if (group.rank() == 0) {
        std::int64_t best = 0;
        for (std::int64_t l = 1; l < count; ++l)
          if (totals[l] < totals[best]) best = l;
        state.kept = static_cast<std::int32_t>(best);
        *place = drawn[best];
      }
      group.sync();
      const float* const from = a.values + *place * a.coordinates;
      for (std::int64_t j = group.rank(); j < a.coordinates; j += group.size())
        a.centre(start, centre - 1)[j] = from[j];
    }
    if (centre == a.groups) return;
    const auto n = static_cast<std::uint64_t>(a.points);
    const std::int64_t kept = centre == 0 ? 0 : state.kept;
    const double total = centre == 0 ? 0.0 : totals[kept];
    if (total > 0) {
      for (std::int64_t l = group.rank(); l < a.candidates; l += group.size()) {
        random_stream random = state.random;
        random.skip(static_cast<std::uint64_t>(l));
        drawn[l] = point_at(random.uniform() * total, sums + kept,
                            a.closest[(centre - 1) % 2] + (start * a.candidates + kept) * a.points);
      }
      group.sync();
      if (group.rank() == 0) state.random.skip(static_cast<std::uint64_t>(a.candidates));
    } else if (group.rank() == 0) {  // the first, or every point coincides with a centre
      const auto count = centre == 0 ? 1 : a.candidates;
      for (std::int64_t l = 0; l < count; ++l) drawn[l] = static_cast<std::int64_t>(state.random.below(n));
    }
  }

 private:
  /// The first point up to which the distances sum to more than `target`; sums run over tiles, then inside one.
  MIQ_HOST_DEVICE std::int64_t point_at(double target, const double* sums, const float* distances) const {
    double before = 0;
    for (std::int64_t t = 0; t < a.point_tiles(); ++t) {
      const double sum = sums[t * a.candidates];
      if (before + sum > target) {
        double inside = 0;
        for (std::int64_t i = t * a.point_tile; i < t * a.point_tile + a.rows_of(t); ++i) {
          inside += static_cast<double>(distances[i]);
          if (before + inside > target) return i;
        }
      }
      before += sum;
    }
    return a.points - 1;
  }
};

/// Squared distances of a tile of points to the nearest of the centres so far and each candidate, and their sums. Of
/// differences, so that a point at a centre has exactly 0 and is not drawn; one sum for each point, in the order of the
/// coordinates.
struct kmeans_distances_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t width = kmeans_arrays::coordinate_tile;

  kmeans_arrays a;
  std::int64_t centre = 0;

  std::int64_t blocks() const { return a.starts * a.point_tiles(); }
  std::int64_t scratch_bytes() const {
    return (a.point_tile * (width + 1) + a.candidates * width + a.candidates * a.point_tile) *
           static_cast<std::int64_t>(sizeof(float));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const tile = reinterpret_cast<float*>(scratch);        // [rows, width + 1]
    auto* const candidates = tile + a.point_tile * (width + 1);  // [candidates, width]
    auto* const squares = candidates + a.candidates * width;     // [candidates, rows]
    const auto start = block / a.point_tiles();
    const auto t = block % a.point_tiles();
    const auto rows = a.rows_of(t);
    const auto first = t * a.point_tile;
    const auto count = centre == 0 ? 1 : a.candidates;
    const std::int64_t* const drawn = a.drawn + start * a.candidates;
    for (std::int64_t k = group.rank(); k < count * a.point_tile; k += group.size()) squares[k] = 0;
    for (std::int64_t j0 = 0; j0 < a.coordinates; j0 += width) {
      const auto left = a.coordinates - j0;
      const auto columns = left < width ? left : width;
      for (std::int64_t k = group.rank(); k < rows * width; k += group.size())
        if (k % width < columns)
          tile[k / width * (width + 1) + k % width] = a.values[(first + k / width) * a.coordinates + j0 + k % width];
      for (std::int64_t k = group.rank(); k < count * width; k += group.size())
        if (k % width < columns) candidates[k] = a.values[drawn[k / width] * a.coordinates + j0 + k % width];
      group.sync();
      for (std::int64_t k = group.rank(); k < count * a.point_tile; k += group.size()) {
        if (k % a.point_tile >= rows) continue;
        const float* const x = tile + k % a.point_tile * (width + 1);
        const float* const y = candidates + k / a.point_tile * width;
        float sum = squares[k];
        for (std::int64_t j = 0; j < columns; ++j) sum += (x[j] - y[j]) * (x[j] - y[j]);
        squares[k] = sum;
      }
      group.sync();
    }
    const float* const before =
        centre == 0 ? nullptr
                    : a.closest[(centre - 1) % 2] + (start * a.candidates + a.states[start].kept) * a.points + first;
    float* const after = a.closest[centre % 2] + start * a.candidates * a.points + first;
    for (std::int64_t k = group.rank(); k < count * a.point_tile; k += group.size()) {
      const auto i = k % a.point_tile;
      if (i >= rows) continue;
      if (before != nullptr && before[i] < squares[k]) squares[k] = before[i];
      after[k / a.point_tile * a.points + i] = squares[k];
    }
    group.sync();
    for (std::int64_t l = group.rank(); l < count; l += group.size()) {
      double sum = 0;
      for (std::int64_t i = 0; i < rows; ++i) sum += static_cast<double>(squares[l * a.point_tile + i]);
      a.potentials[(start * a.point_tiles() + t) * a.candidates + l] = sum;
    }
  }
};

/// Half of each centre's square, in double precision by slices; and the counts of its points begin at 0.
struct kmeans_prepare_body {
  static constexpr int lanes = 32;

  kmeans_arrays a;

  std::int64_t blocks() const { return a.starts * a.groups; }
  std::int64_t scratch_bytes() const { return a.slices * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    if (a.states[block / a.groups].active == 0) return;
    auto* const sums = reinterpret_cast<double*>(scratch);
    const float* const c = a.centres + block * a.coordinates;
    for (std::int64_t q = group.rank(); q < a.slices; q += group.size()) {
      double sum = 0;
      for (std::int64_t j = q; j < a.coordinates; j += a.slices)
        sum += static_cast<double>(c[j]) * static_cast<double>(c[j]);
      sums[q] = sum;
    }
    group.sync();
    if (group.rank() == 0) {
      double sum = 0;
      for (std::int64_t q = 0; q < a.slices; ++q) sum += sums[q];
      a.half_norms[block] = static_cast<float>(0.5 * sum);
      a.counts[block] = 0;
    }
  }
};

/// Labels of the nearest centres: the smallest |c|^2 / 2 - x.c, of equal ones the first; and the groups' counts.
struct kmeans_nearest_body {
  static constexpr int lanes = 256;
  static constexpr float beyond = std::numeric_limits<float>::infinity();
  static constexpr std::int64_t tile = 256;

  kmeans_arrays a;

  std::int64_t tiles() const { return (a.points + tile - 1) / tile; }
  std::int64_t blocks() const { return a.starts * tiles(); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto all = (a.points + tile - 1) / tile;
    const auto start = block / all;
    if (a.states[start].active == 0) return;
    const auto first = block % all * tile;
    const auto last = first + tile < a.points ? first + tile : a.points;
    for (std::int64_t i = first + group.rank(); i < last; i += group.size()) {
      float smallest = beyond;
      std::int32_t nearest = 0;
      for (std::int64_t g = 0; g < a.groups; ++g) {
        const auto at = start * a.groups + g;
        const float score = a.half_norms[at] - a.products[at * a.points + i];
        if (score < smallest) {
          smallest = score;
          nearest = static_cast<std::int32_t>(g);
        }
      }
      a.labels[start * a.points + i] = nearest;
      add_atomically(&a.counts[start * a.groups + nearest], std::int32_t{1});
    }
  }
};

/// Squared distances of points to the centres of their groups, in double precision by slices; unless `always`, only of
/// active starts with an empty group.
struct kmeans_measure_body {
  static constexpr int lanes = 256;

  kmeans_arrays a;
  bool always = false;

  std::int64_t blocks() const { return a.starts * a.point_tiles(); }
  std::int64_t scratch_bytes() const { return a.point_tile * a.slices * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto start = block / a.point_tiles();
    const auto first = block % a.point_tiles() * a.point_tile;
    const auto rows = a.rows_of(block % a.point_tiles());
    if (!always) {
      if (a.states[start].active == 0) return;
      if (!some_group_is_empty(group, a, start, reinterpret_cast<std::int64_t*>(scratch))) return;
    }
    auto* const sums = reinterpret_cast<double*>(scratch);  // [rows, slices]
    for (std::int64_t k = group.rank(); k < rows * a.slices; k += group.size()) {
      const auto i = first + k / a.slices;
      const float* const x = a.values + i * a.coordinates;
      const float* const c = a.centre(start, a.labels[start * a.points + i]);
      double sum = 0;
      for (std::int64_t j = k % a.slices; j < a.coordinates; j += a.slices) {
        const double step = static_cast<double>(x[j]) - static_cast<double>(c[j]);
        sum += step * step;
      }
      sums[k] = sum;
    }
    group.sync();
    for (std::int64_t i = group.rank(); i < rows; i += group.size()) {
      double sum = 0;
      for (std::int64_t q = 0; q < a.slices; ++q) sum += sums[i * a.slices + q];
      a.squares[start * a.points + first + i] = sum;
    }
  }
};

/// Every empty group of an active start takes the point that lies farthest from its centre, among groups of two and
/// more; of equal ones the first. One start a block.
struct kmeans_relocate_body {
  static constexpr int lanes = 256;

  kmeans_arrays a;

  std::int64_t blocks() const { return a.starts; }
  std::int64_t scratch_bytes() const {
    return lanes * static_cast<std::int64_t>(sizeof(double) + sizeof(std::int64_t));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t start, std::byte* scratch) const {
    if (a.states[start].active == 0) return;
    auto* const places = reinterpret_cast<std::int64_t*>(scratch);
    auto* const farthest = reinterpret_cast<double*>(places + lanes);
    if (!some_group_is_empty(group, a, start, places)) return;
    std::int32_t* const counts = a.counts + start * a.groups;
    std::int32_t* const labels = a.labels + start * a.points;
    double* const squares = a.squares + start * a.points;
    for (std::int64_t g = 0; g < a.groups; ++g) {
      if (counts[g] > 0) continue;  // all lanes see the same: counts change between meetings only
      std::int64_t place = -1;
      double most = 0;
      for (std::int64_t i = group.rank(); i < a.points; i += group.size())
        if (counts[labels[i]] >= 2 && (place < 0 || squares[i] > most)) {
          place = i;
          most = squares[i];
        }
      places[group.rank()] = place;
      farthest[group.rank()] = most;
      group.sync();
      if (group.rank() == 0) {
        for (std::int32_t r = 1; r < group.size(); ++r) {
          if (places[r] < 0) continue;
          if (place < 0 || farthest[r] > most || (farthest[r] == most && places[r] < place)) {
            place = places[r];
            most = farthest[r];
          }
        }
        places[0] = place;  // exists, since there are no more groups than points
        --counts[labels[place]];
        counts[g] = 1;
        labels[place] = static_cast<std::int32_t>(g);
        squares[place] = 0;
        ++a.states[start].relocated;
      }
      group.sync();
      const float* const from = a.values + places[0] * a.coordinates;
      for (std::int64_t j = group.rank(); j < a.coordinates; j += group.size()) a.centre(start, g)[j] = from[j];
      group.sync();
    }
  }
};

/// The points of one group of one start, ascending; counts those whose label is new.
struct kmeans_members_body {
  static constexpr int lanes = 256;

  kmeans_arrays a;

  std::int64_t blocks() const { return a.starts * a.groups; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto start = block / a.groups;
    if (a.states[start].active == 0) return;
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    const auto own = static_cast<std::int32_t>(block % a.groups);
    const std::int32_t* const labels = a.labels + start * a.points;
    std::int32_t* const previous = a.previous + start * a.points;
    std::int32_t* const members = a.members + block * a.points;
    const auto share = (a.points + group.size() - 1) / group.size();
    const auto first = group.rank() * share;
    const auto last = first + share < a.points ? first + share : a.points;
    std::int64_t found = 0, changed = 0;
    for (std::int64_t i = first; i < last; ++i)
      if (labels[i] == own) ++found;
    exclusive_sum_over_lanes(group, found, slots);
    auto place = slots[group.rank()];
    group.sync();
    for (std::int64_t i = first; i < last; ++i)
      if (labels[i] == own) {
        members[place++] = static_cast<std::int32_t>(i);
        if (previous[i] != own) ++changed;  // a point is of one group, so that no other block reads or writes this
        previous[i] = own;
      }
    changed = sum_over_lanes(group, changed, slots);
    if (group.rank() == 0 && changed > 0) add_atomically(&a.states[start].changed, changed);
  }
};

/// Centres become the means of their groups, summed in double precision by eight slices of the members; the squared
/// moves are written. One tile of coordinates of one group of one start a block.
struct kmeans_means_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t width = kmeans_arrays::coordinate_tile;
  static constexpr std::int64_t member_slices = 8;

  kmeans_arrays a;

  std::int64_t blocks() const { return a.starts * a.groups * a.coordinate_tiles(); }
  std::int64_t scratch_bytes() const { return (member_slices + 1) * width * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto at = block / a.coordinate_tiles();  // start and group
    const auto& state = a.states[at / a.groups];
    if (state.active == 0 || state.changed == 0) return;
    auto* const sums = reinterpret_cast<double*>(scratch);
    auto* const steps = sums + member_slices * width;
    const auto j0 = block % a.coordinate_tiles() * width;
    const auto left = a.coordinates - j0;
    const auto columns = left < width ? left : width;
    const std::int64_t count = a.counts[at];
    const std::int32_t* const members = a.members + at * a.points;
    for (std::int64_t k = group.rank(); k < member_slices * width; k += group.size()) {
      if (k % width >= columns) continue;
      double sum = 0;
      for (std::int64_t m = k / width; m < count; m += member_slices)
        sum += static_cast<double>(a.values[members[m] * a.coordinates + j0 + k % width]);
      sums[k] = sum;
    }
    group.sync();
    for (std::int64_t j = group.rank(); j < columns; j += group.size()) {
      double sum = 0;
      for (std::int64_t q = 0; q < member_slices; ++q) sum += sums[q * width + j];
      const auto mean = static_cast<float>(sum / static_cast<double>(count));
      float& centre = a.centres[at * a.coordinates + j0 + j];
      const double step = static_cast<double>(mean) - static_cast<double>(centre);
      steps[j] = step * step;
      centre = mean;
    }
    group.sync();
    if (group.rank() == 0) {
      double move = 0;
      for (std::int64_t j = 0; j < columns; ++j) move += steps[j];
      a.moves[block] = move;
    }
  }
};

/// The end of an iteration: whether it was the last. One start a block.
struct kmeans_step_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t move_slices = 256;

  kmeans_arrays a;
  std::int32_t max_iterations = 0;

  std::int64_t blocks() const { return a.starts; }
  std::int64_t scratch_bytes() const { return move_slices * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t start, std::byte* scratch) const {
    kmeans_state& state = a.states[start];
    if (state.active == 0) return;
    auto* const sums = reinterpret_cast<double*>(scratch);
    const auto count = a.groups * a.coordinate_tiles();
    const bool moved = state.changed > 0;
    for (std::int64_t q = group.rank(); q < move_slices; q += group.size()) {
      double sum = 0;
      for (std::int64_t k = q; moved && k < count; k += move_slices) sum += a.moves[start * count + k];
      sums[q] = sum;
    }
    group.sync();
    if (group.rank() == 0) {
      double move = 0;
      for (std::int64_t q = 0; q < move_slices; ++q) move += sums[q];
      ++state.iterations;
      state.converged = !moved || move <= a.threshold ? 1 : 0;
      state.assigned = moved ? 0 : 1;
      state.active = state.converged == 0 && state.iterations < max_iterations ? 1 : 0;
      state.changed = 0;
    }
  }
};

/// After the last iteration, starts whose centres moved since are assigned once more.
struct kmeans_settle_body {
  static constexpr int lanes = 32;

  kmeans_arrays a;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte*) const {
    for (std::int64_t s = group.rank(); s < a.starts; s += group.size())
      a.states[s].active = a.states[s].assigned == 0 ? 1 : 0;
  }
};

/// Sums of the squared distances, by slices. One start a block.
struct kmeans_inertia_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t sum_slices = 256;

  kmeans_arrays a;

  std::int64_t blocks() const { return a.starts; }
  std::int64_t scratch_bytes() const { return sum_slices * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t start, std::byte* scratch) const {
    auto* const sums = reinterpret_cast<double*>(scratch);
    for (std::int64_t q = group.rank(); q < sum_slices; q += group.size()) {
      double sum = 0;
      for (std::int64_t i = q; i < a.points; i += sum_slices) sum += a.squares[start * a.points + i];
      sums[q] = sum;
    }
    group.sync();
    if (group.rank() == 0) {
      double total = 0;
      for (std::int64_t q = 0; q < sum_slices; ++q) total += sums[q];
      a.states[start].inertia = total;
    }
  }
};

/// What points are like before they are moved to their mean: sums of columns, or (once the means are known) the largest
/// distance to them and the sum of the squares, of a tile of rows and columns a block.
struct kmeans_moments_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t width = 32;  // columns of a tile
  static constexpr std::int64_t height = 512;
  static constexpr double most_finite = std::numeric_limits<float>::max();
  static constexpr std::int64_t slices = 8;

  const float* points = nullptr;  // [rows, columns]
  std::int64_t leading = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const double* means = nullptr;       // [columns], or null: `sums` are asked for
  double* sums = nullptr;              // [row tiles, columns]
  double* largest = nullptr;           // [blocks]
  double* squares = nullptr;           // [blocks]
  std::int64_t* not_finite = nullptr;  // values that are not finite; counted where `means` is null

  MIQ_HOST_DEVICE std::int64_t column_tiles() const { return (columns + width - 1) / width; }
  MIQ_HOST_DEVICE std::int64_t row_tiles() const { return (rows + height - 1) / height; }
  std::int64_t blocks() const { return row_tiles() * column_tiles(); }
  std::int64_t scratch_bytes() const {
    return slices * width * 2 * static_cast<std::int64_t>(sizeof(double)) +
           lanes * static_cast<std::int64_t>(sizeof(std::int64_t));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const partial = reinterpret_cast<double*>(scratch);
    auto* const most = partial + slices * width;
    auto* const slots = reinterpret_cast<std::int64_t*>(most + slices * width);
    const auto j0 = block % column_tiles() * width;
    const auto i0 = block / column_tiles() * height;
    const auto i1 = i0 + height < rows ? i0 + height : rows;
    std::int64_t bad = 0;
    for (std::int64_t k = group.rank(); k < slices * width; k += group.size()) {
      const auto j = j0 + k % width;
      double sum = 0, far = 0;
      if (j < columns)
        for (std::int64_t i = i0 + k / width; i < i1; i += slices) {
          const auto value = static_cast<double>(points[i * leading + j]);
          if (means == nullptr) {
            sum += value;
            if (!(std::fabs(value) <= most_finite)) ++bad;
          } else {
            const double away = std::fabs(value - means[j]);
            sum += away * away;
            if (away > far) far = away;
          }
        }
      partial[k] = sum;
      most[k] = far;
    }
    group.sync();
    if (means == nullptr) {
      for (std::int64_t j = group.rank(); j < width && j0 + j < columns; j += group.size()) {
        double sum = 0;
        for (std::int64_t q = 0; q < slices; ++q) sum += partial[q * width + j];
        sums[block / column_tiles() * columns + j0 + j] = sum;
      }
      bad = sum_over_lanes(group, bad, slots);
      if (group.rank() == 0 && bad > 0) add_atomically(not_finite, bad);
    } else if (group.rank() == 0) {
      double sum = 0, far = 0;
      for (std::int64_t k = 0; k < slices * width; ++k) {
        sum += partial[k];
        if (most[k] > far) far = most[k];
      }
      largest[block] = far;
      squares[block] = sum;
    }
  }
};

/// Means of columns from the sums of tiles of rows.
struct kmeans_column_means_body {
  static constexpr int lanes = 256;

  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t tiles = 0;
  const double* sums = nullptr;  // [tiles, columns]
  double* means = nullptr;       // [columns]

  std::int64_t blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (std::int64_t j = block * lanes + group.rank(); j < (block + 1) * lanes && j < columns; j += group.size()) {
      double sum = 0;
      for (std::int64_t t = 0; t < tiles; ++t) sum += sums[t * columns + j];
      means[j] = sum / static_cast<double>(rows);
    }
  }
};

/// Points moved to their mean and scaled.
struct kmeans_centre_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t share = 4096;  // elements of a block

  const float* points = nullptr;  // [rows, columns]
  std::int64_t leading = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const double* means = nullptr;
  double scale = 1;
  float* centred = nullptr;  // [rows, columns], no padding

  std::int64_t blocks() const { return (rows * columns + share - 1) / share; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto size = rows * columns;
    for (std::int64_t k = block * share + group.rank(); k < (block + 1) * share && k < size; k += group.size())
      centred[k] = static_cast<float>(
          (static_cast<double>(points[k / columns * leading + k % columns]) - means[k % columns]) * scale);
  }
};

}  // namespace miq::grouping::detail
