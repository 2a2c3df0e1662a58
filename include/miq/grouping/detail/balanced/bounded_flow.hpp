// Minimum-cost assignment of many points to few groups of bounded size, by shortest paths among the groups.
//
// The residual network of the transport problem, seen from the groups: from g to h it costs the least that any point of
// g pays more in h. One more node, the sink, takes in the points of all groups; its arc from g carries between
// minimum[g] and maximum[g]. Since paths lead through groups only, a path costs k^2 and not n k.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_INSTRUCTION_SET {

class bounded_flow {
 public:
  bounded_flow(const host_executor& exec, matrix_view<const double> costs, std::span<const std::int64_t> minimum,
               std::span<const std::int64_t> maximum)
      : costs_(costs),
        n_(costs.rows()),
        k_(costs.columns()),
        minimum_(minimum),
        maximum_(maximum),
        labels_(fit(n_)),
        counts_(fit(k_), 0, exec.resource()),
        flow_(fit(k_), exec.resource()),
        potential_(fit(k_ + 1), 0.0, exec.resource()),
        distance_(fit(k_ + 1), exec.resource()),
        previous_(fit(k_ + 1), exec.resource()),
        settled_(fit(k_ + 1), exec.resource()),
        heaps_(fit(k_ * k_), exec.resource()),
        weights_(fit(k_ * k_), infinity, exec.resource()) {
    for (std::int64_t i = 0; i < n_; ++i) {
      const double* row = costs.data() + i * costs.leading();
      labels_[fit(i)] = static_cast<std::int32_t>(std::min_element(row, row + k_) - row);
      ++counts_[fit(labels_[fit(i)])];
    }
    for (std::int64_t g = 0; g < k_; ++g)
      for (std::int64_t h = 0; h < k_; ++h)
        if (h != g) heap(g, h).reserve(fit(counts_[fit(g)]));
    for (std::int64_t i = 0; i < n_; ++i) {
      const std::int64_t g = labels_[fit(i)];
      for (std::int64_t h = 0; h < k_; ++h)
        if (h != g) heap(g, h).push_back({costs(i, h) - costs(i, g), static_cast<std::int32_t>(i)});
    }
    for (std::int64_t g = 0; g < k_; ++g)
      for (std::int64_t h = 0; h < k_; ++h) {
        std::make_heap(heap(g, h).begin(), heap(g, h).end(), dearer);
        if (!heap(g, h).empty()) weight(g, h) = heap(g, h).front().first;
      }
  }

  void solve() {
    // What a group has beyond its arc to the sink is excess; what the sink has beyond n is too.
    std::vector<std::int64_t> excess(fit(k_ + 1));
    excess[fit(k_)] = -n_;
    for (std::int64_t g = 0; g < k_; ++g) {
      flow_[fit(g)] = std::clamp(counts_[fit(g)], minimum_[fit(g)], maximum_[fit(g)]);
      excess[fit(g)] = counts_[fit(g)] - flow_[fit(g)];
      excess[fit(k_)] += flow_[fit(g)];
    }
    for (std::int64_t from = 0; from <= k_; ++from)
      while (excess[fit(from)] > 0) {
        const auto to = shortest_path(from, excess);
        send(from, to);
        --excess[fit(from)];
        ++excess[fit(to)];
      }
  }

  const std::vector<std::int32_t>& labels() const { return labels_; }
  /// Of a place in each group; the sink's potential is the zero point.
  double price(std::int64_t g) const { return potential_[fit(k_)] - potential_[fit(g)]; }

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  using entry = std::pair<double, std::int32_t>;  // what point `second` pays more
  static bool dearer(const entry& a, const entry& b) { return a > b; }
  static std::size_t fit(std::int64_t i) { return static_cast<std::size_t>(i); }

  std::pmr::vector<entry>& heap(std::int64_t g, std::int64_t h) { return heaps_[fit(g * k_ + h)]; }
  double& weight(std::int64_t g, std::int64_t h) { return weights_[fit(g * k_ + h)]; }

  /// Dijkstra's algorithm with reduced costs, until the nearest node that lacks something; raises the potentials.
  std::int64_t shortest_path(std::int64_t from, const std::vector<std::int64_t>& excess) {
    std::fill(distance_.begin(), distance_.end(), infinity);
    std::fill(settled_.begin(), settled_.end(), char{0});
    distance_[fit(from)] = 0;
    std::int64_t to = -1;
    for (;;) {
      to = -1;
      for (std::int64_t v = 0; v <= k_; ++v)
        if (settled_[fit(v)] == 0 && (to < 0 || distance_[fit(v)] < distance_[fit(to)])) to = v;
      if (excess[fit(to)] < 0) break;
      settled_[fit(to)] = 1;
      const double reach = distance_[fit(to)] + potential_[fit(to)];
      const auto relax = [&](std::int64_t v, double cost) {
        if (settled_[fit(v)] != 0) return;
        const double length = std::max(distance_[fit(to)], reach + cost - potential_[fit(v)]);
        if (length < distance_[fit(v)]) {
          distance_[fit(v)] = length;
          previous_[fit(v)] = to;
        }
      };
      if (to == k_) {
        for (std::int64_t g = 0; g < k_; ++g)
          if (flow_[fit(g)] > minimum_[fit(g)]) relax(g, 0);
      } else {
        for (std::int64_t h = 0; h < k_; ++h) relax(h, weight(to, h));
        if (flow_[fit(to)] < maximum_[fit(to)]) relax(k_, 0);
      }
    }
    for (std::int64_t v = 0; v <= k_; ++v) potential_[fit(v)] += std::min(distance_[fit(v)], distance_[fit(to)]);
    return to;
  }

  void send(std::int64_t from, std::int64_t to) {
    for (auto v = to; v != from;) {
      const auto u = previous_[fit(v)];
      if (v == k_)
        ++flow_[fit(u)];
      else if (u == k_)
        --flow_[fit(v)];
      else
        move(heap(u, v).front().second, u, v);
      v = u;
    }
  }

  void move(std::int32_t point, std::int64_t g, std::int64_t h) {
    labels_[fit(point)] = static_cast<std::int32_t>(h);
    for (std::int64_t other = 0; other < k_; ++other) {
      if (other != g) {  // entries of points that have left are dropped when they come to the top
        auto& leaving = heap(g, other);
        while (!leaving.empty() && labels_[fit(leaving.front().second)] != g) {
          std::pop_heap(leaving.begin(), leaving.end(), dearer);
          leaving.pop_back();
        }
        weight(g, other) = leaving.empty() ? infinity : leaving.front().first;
      }
      if (other != h) {
        auto& coming = heap(h, other);
        coming.push_back({costs_(point, other) - costs_(point, h), point});
        std::push_heap(coming.begin(), coming.end(), dearer);
        weight(h, other) = coming.front().first;
      }
    }
  }

  matrix_view<const double> costs_;
  std::int64_t n_, k_;
  std::span<const std::int64_t> minimum_, maximum_;
  std::vector<std::int32_t> labels_;
  std::pmr::vector<std::int64_t> counts_;  // before anything moved
  std::pmr::vector<std::int64_t> flow_;    // on the arc from each group to the sink
  std::pmr::vector<double> potential_;     // of the groups and the sink
  std::pmr::vector<double> distance_;
  std::pmr::vector<std::int64_t> previous_;
  std::pmr::vector<char> settled_;
  std::pmr::vector<std::pmr::vector<entry>> heaps_;  // [from, to], smallest first
  std::pmr::vector<double> weights_;                 // the tops
};

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::grouping::detail
