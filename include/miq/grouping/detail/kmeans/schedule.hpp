// k-means on a machine: which bodies and products run, in which order, on which memory.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <miq/core/detail/machine.hpp>
#include <miq/core/random.hpp>
#include <miq/core/workspace.hpp>
#include <miq/grouping/detail/kmeans/body.hpp>
#include <miq/grouping/detail/kmeans/checks.hpp>
#include <miq/grouping/kmeans.hpp>

namespace miq::grouping::detail {

using miq::detail::place;

using miq::detail::operand;

/// The memory of `kmeans_on_machine`.
struct kmeans_layout {
  miq::detail::workspace_layout layout;
  std::int64_t together;  ///< starts that are advanced together
  std::int64_t values, means, column_sums, largest, squares_of_tiles, not_finite;
  std::int64_t centres, half_norms, products, closest[2], potentials, drawn, labels, previous, counts, squares, moves,
      states;

  kmeans_layout(std::int64_t n, std::int64_t d, const kmeans_options& options) {
    const std::int64_t k = options.groups;
    kmeans_arrays a;
    a.points = n;
    a.coordinates = d;
    a.groups = k;
    a.candidates = kmeans_candidates(k);
    // As many starts as keep the products of centres and points near the size of 1024 centres'.
    together = std::clamp<std::int64_t>(1024 / k, 1, std::min(16, options.restarts));
    kmeans_moments_body moments;
    moments.rows = n;
    moments.columns = d;
    values = layout.add<float>(n * d);
    means = layout.add<double>(d);
    column_sums = layout.add<double>(moments.row_tiles() * d);
    largest = layout.add<double>(moments.blocks());
    squares_of_tiles = layout.add<double>(moments.blocks());
    not_finite = layout.add<std::int64_t>(1);
    centres = layout.add<float>(together * k * d);
    half_norms = layout.add<float>(together * k);
    products = layout.add<float>(together * k * n);
    for (auto& distances : closest) distances = layout.add<float>(together * a.candidates * n);
    potentials = layout.add<double>(together * a.point_tiles() * a.candidates);
    drawn = layout.add<std::int64_t>(together * a.candidates);
    labels = layout.add<std::int32_t>(together * n);
    previous = layout.add<std::int32_t>(together * n);
    counts = layout.add<std::int32_t>(together * k);
    squares = layout.add<double>(together * n);
    moves = layout.add<double>(together * k * a.coordinate_tiles());
    states = layout.add<kmeans_state>(together);
  }
};

/// Points moved to their mean and scaled, as `centre_points` does it on the host; what they were is returned.
struct machine_centring {
  std::vector<double> mean;
  double scale = 1;
  double variance = 0;
};

template <class Machine>
machine_centring centre_on_machine(const Machine& machine, const float* points, std::int64_t leading, std::int64_t n,
                                   std::int64_t d, const kmeans_layout& at, std::byte* scratch) {
  auto* const means = place<double>(scratch, at.means);
  auto* const not_finite = place<std::int64_t>(scratch, at.not_finite);
  kmeans_moments_body moments{points,
                              leading,
                              n,
                              d,
                              nullptr,
                              place<double>(scratch, at.column_sums),
                              place<double>(scratch, at.largest),
                              place<double>(scratch, at.squares_of_tiles),
                              not_finite};
  machine.clear(not_finite, 1);
  machine.launch("kmeans: sums of columns", moments);
  std::int64_t bad = 0;
  machine.fetch(not_finite, 1, &bad);
  miq::detail::require(bad == 0, "kmeans: points must be finite, got ", bad, " values that are not");
  machine.launch("kmeans: means of columns", kmeans_column_means_body{n, d, moments.row_tiles(), moments.sums, means});
  moments.means = means;
  machine.launch("kmeans: distances from the mean", moments);

  machine_centring result;
  std::vector<double> largest(static_cast<std::size_t>(moments.blocks())), squares(largest.size());
  result.mean.resize(static_cast<std::size_t>(d));
  machine.fetch(moments.largest, moments.blocks(), largest.data());
  machine.fetch(moments.squares, moments.blocks(), squares.data());
  machine.fetch(means, d, result.mean.data());
  int exponent = 0;
  std::frexp(*std::max_element(largest.begin(), largest.end()), &exponent);
  result.scale = std::ldexp(1.0, -exponent);
  for (const auto square : squares) result.variance += square * result.scale * result.scale;
  result.variance /= static_cast<double>(n) * static_cast<double>(d);
  machine.launch("kmeans: points about their mean",
                 kmeans_centre_body{points, leading, n, d, means, result.scale, place<float>(scratch, at.values)});
  return result;
}

/// Labels of the nearest centres of active starts; no group is empty afterwards.
template <class Machine>
void assign_on_machine(const Machine& machine, const kmeans_arrays& a) {
  machine.launch("kmeans: squares of centres", kmeans_prepare_body{a});
  machine.multiply("kmeans: products", operand::as_is, operand::transposed, a.starts * a.groups, a.points,
                   a.coordinates, 1.0F, a.centres, a.coordinates, a.values, a.coordinates, 0.0F, a.products, a.points);
  machine.launch("kmeans: nearest centres", kmeans_nearest_body{a});
  machine.launch("kmeans: distances for empty groups", kmeans_measure_body{a, false});
  machine.launch("kmeans: empty groups", kmeans_relocate_body{a});
}

/// @param points   [n, d] in the machine's memory
/// @param scratch  `kmeans_layout(n, d, options).layout.bytes()` bytes there, aligned
template <class Machine>
kmeans_result kmeans_on_machine(const Machine& machine, const float* points, std::int64_t leading, std::int64_t n,
                                std::int64_t d, const kmeans_options& options, std::byte* scratch) {
  const kmeans_layout at(n, d, options);
  const auto centring = centre_on_machine(machine, points, leading, n, d, at, scratch);
  kmeans_arrays a;
  a.points = n;
  a.coordinates = d;
  a.groups = options.groups;
  a.candidates = kmeans_candidates(options.groups);
  a.threshold = static_cast<double>(options.tolerance) * centring.variance;
  a.values = place<float>(scratch, at.values);
  a.centres = place<float>(scratch, at.centres);
  a.half_norms = place<float>(scratch, at.half_norms);
  a.products = place<float>(scratch, at.products);
  a.members = place<std::int32_t>(scratch, at.products);
  for (int parity = 0; parity < 2; ++parity) a.closest[parity] = place<float>(scratch, at.closest[parity]);
  a.potentials = place<double>(scratch, at.potentials);
  a.drawn = place<std::int64_t>(scratch, at.drawn);
  a.labels = place<std::int32_t>(scratch, at.labels);
  a.previous = place<std::int32_t>(scratch, at.previous);
  a.counts = place<std::int32_t>(scratch, at.counts);
  a.squares = place<double>(scratch, at.squares);
  a.moves = place<double>(scratch, at.moves);
  a.states = place<kmeans_state>(scratch, at.states);

  kmeans_result result;
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::int32_t> labels(static_cast<std::size_t>(n));
  matrix<float> centres(options.groups, d);
  for (std::int64_t first = 0; first < options.restarts; first += at.together) {
    a.starts = std::min(at.together, options.restarts - first);
    std::vector<kmeans_state> states(static_cast<std::size_t>(a.starts));
    for (std::int64_t r = 0; r < a.starts; ++r)
      states[static_cast<std::size_t>(r)].random =
          random_stream(random_hash(options.seed, static_cast<std::uint64_t>(first + r)));
    machine.store(states.data(), a.starts, a.states);
    const std::vector<std::int32_t> none(static_cast<std::size_t>(a.starts * n), -1);
    machine.store(none.data(), a.starts * n, a.previous);
    for (std::int64_t g = 0; g < a.groups; ++g) {
      machine.launch("kmeans: draw a centre", kmeans_draw_body{a, g});
      machine.launch("kmeans: distances to candidates", kmeans_distances_body{a, g});
    }
    machine.launch("kmeans: draw a centre", kmeans_draw_body{a, a.groups});

    // What ended is left alone by every body, so that asking now and then is enough.
    constexpr int between_questions = 4;
    bool active = true;
    for (int iteration = 1; active; ++iteration) {
      assign_on_machine(machine, a);
      machine.launch("kmeans: members of groups", kmeans_members_body{a});
      machine.launch("kmeans: means of groups", kmeans_means_body{a});
      machine.launch("kmeans: end of an iteration", kmeans_step_body{a, options.max_iterations});
      if (iteration % between_questions != 0 && iteration < options.max_iterations) continue;
      machine.fetch(a.states, a.starts, states.data());
      active = std::any_of(states.begin(), states.end(), [](const kmeans_state& s) { return s.active != 0; });
    }
    machine.launch("kmeans: after the last iteration", kmeans_settle_body{a});
    assign_on_machine(machine, a);
    machine.launch("kmeans: distances to centres", kmeans_measure_body{a, true});
    machine.launch("kmeans: inertia", kmeans_inertia_body{a});
    machine.fetch(a.states, a.starts, states.data());
    for (std::int64_t r = 0; r < a.starts; ++r) {
      const auto& state = states[static_cast<std::size_t>(r)];
      if (!(state.inertia < best)) continue;
      best = state.inertia;
      result.inertia = best / (centring.scale * centring.scale);
      result.iterations = state.iterations;
      result.relocated = state.relocated;
      result.converged = state.converged != 0;
      machine.fetch(a.labels + r * n, n, labels.data());
      machine.fetch(a.centre(r, 0), a.groups * d, centres.data());
    }
  }
  number_groups(labels, centres, centring.scale, centring.mean, result);
  return result;
}

}  // namespace miq::grouping::detail
