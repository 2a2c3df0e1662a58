#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <sstream>
#include <tuple>

#include <miq/allocation/rate_distortion.hpp>

namespace miq::allocation {
namespace detail {

/// An option that no other of its item dominates. Bits are counted above the item's cheapest option, in units that
/// divide all such counts.
struct efficient_option {
  std::int64_t bits;
  double distortion;
  std::int32_t number;  ///< as given
};

/// An item's efficient options: ascending in bits, descending in distortion.
struct efficient_item {
  std::size_t first;
  std::size_t last;
};

/// An edge of an item's lower convex hull.
struct hull_edge {
  double slope;  ///< distortion that it saves per unit of bits
  std::int64_t item;
  std::size_t from;
  std::size_t to;
};

/// A partial choice of the search: what differs from the choice in which the greedy ended, and what follows from it.
struct search_state {
  std::int64_t left;  ///< budget left, negative if overdrawn
  double excess;      ///< sum of reduced costs
  std::int32_t node;
};

/// How a partial choice came about.
struct search_node {
  std::int32_t parent;
  std::uint32_t option;  ///< place among the efficient options
};

class rate_solver {
 public:
  rate_solver(const rate_curves& curves, double budget_bits, const rate_distortion_options& options)
      : curves_(curves), options_(options) {
    keep_efficient_options(budget_bits);
  }

  rate_distortion_result solve() {
    relax();
    complete_greedily();
    if (slope_ > 0) search();
    return outcome();
  }

 private:
  static constexpr std::size_t most_at_once = std::size_t{1} << 15;

  void keep_efficient_options(double budget_bits) {
    using miq::detail::require;
    require(std::isfinite(budget_bits), "rate_distortion: budget_bits must be finite, got ", budget_bits);
    require(options_.enough_gap >= 0, "rate_distortion: enough_gap must not be negative, got ", options_.enough_gap);
    require(options_.most_states >= 0 && options_.most_states <= (std::int64_t{1} << 30),
            "rate_distortion: most_states must be 0 to 2^30, got ", options_.most_states);
    require(curves_.options() < std::numeric_limits<std::int32_t>::max(),
            "rate_distortion: curves must hold fewer than 2^31 options, got ", curves_.options());
    budget_bits_ = budget_bits;
    std::vector<std::int32_t> order;
    double most = 0;
    double worst = 0;
    std::int64_t least = 0;
    std::int64_t range = 0;
    items_.reserve(static_cast<std::size_t>(curves_.items()));
    efficient_.reserve(static_cast<std::size_t>(curves_.options()));
    for (std::int64_t i = 0; i < curves_.items(); ++i) {
      const auto given = curves_[i];
      order.resize(given.size());
      std::iota(order.begin(), order.end(), 0);
      const auto at = [&](std::int32_t k) -> const rate_option& { return given[static_cast<std::size_t>(k)]; };
      std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        return std::tuple(at(a).stored_bits, at(a).distortion, a) < std::tuple(at(b).stored_bits, at(b).distortion, b);
      });
      most += at(order.back()).stored_bits;
      require(most < 0x1.0p53, "rate_distortion: the items' largest options must store less than 2^53 bits in all");
      worst += at(order.front()).distortion;
      const auto cheapest = static_cast<std::int64_t>(at(order.front()).stored_bits);
      least += cheapest;
      const auto first = efficient_.size();
      for (const auto k : order) {
        const auto bits = static_cast<std::int64_t>(at(k).stored_bits) - cheapest;
        if (efficient_.size() > first && at(k).distortion >= efficient_.back().distortion) continue;
        efficient_.push_back({bits, at(k).distortion, k});
        unit_ = std::gcd(unit_, bits);
      }
      items_.push_back({first, efficient_.size()});
      range += efficient_.back().bits;
    }
    require(std::isfinite(worst), "rate_distortion: the items' distortions add up to more than a double can hold");
    if (static_cast<double>(least) > budget_bits) {
      std::ostringstream text;
      text.precision(std::numeric_limits<double>::max_digits10);
      text << "rate_distortion: budget_bits must be at least " << least
           << ", what all items store with their cheapest options, got " << budget_bits;
      throw invalid_argument(text.str());
    }
    unit_ = std::max<std::int64_t>(unit_, 1);
    for (auto& option : efficient_) option.bits /= unit_;
    // What no choice can spend does not count: bits beyond everybody's best, and the remainder of the unit.
    const double spendable = std::min(budget_bits - static_cast<double>(least), static_cast<double>(range));
    budget_ = static_cast<std::int64_t>(std::floor(spendable)) / unit_;
  }

  double slope_between(std::size_t from, std::size_t to) const {
    return (efficient_[from].distortion - efficient_[to].distortion) /
           static_cast<double>(efficient_[to].bits - efficient_[from].bits);
  }

  /// Buys edges of the hulls, steepest first, up to the first that does not fit; its slope is that of the relaxation.
  void relax() {
    std::vector<std::size_t> hull;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      hull.clear();
      for (auto k = items_[i].first; k < items_[i].last; ++k) {
        while (hull.size() > 1 && slope_between(hull.back(), k) >= slope_between(hull[hull.size() - 2], hull.back()))
          hull.pop_back();
        hull.push_back(k);
      }
      for (std::size_t k = 1; k < hull.size(); ++k) {
        // An edge is never steeper than the one before it, whatever the rounding.
        const double slope = slope_between(hull[k - 1], hull[k]);
        edges_.push_back(
            {k > 1 ? std::min(slope, edges_.back().slope) : slope, static_cast<std::int64_t>(i), hull[k - 1], hull[k]});
      }
    }
    std::stable_sort(edges_.begin(), edges_.end(),
                     [](const hull_edge& a, const hull_edge& b) { return a.slope > b.slope; });
    for (const auto& item : items_) base_.push_back(item.first);
    base_left_ = budget_;
    std::size_t next = 0;
    for (; next < edges_.size(); ++next) {
      const auto& edge = edges_[next];
      const auto price = efficient_[edge.to].bits - efficient_[edge.from].bits;
      if (price > base_left_) break;
      base_left_ -= price;
      base_[static_cast<std::size_t>(edge.item)] = edge.to;
    }
    next_edge_ = next;
    slope_ = next < edges_.size() ? edges_[next].slope : 0;
    relaxed_ = std::max(0.0, total_distortion(base_) - slope_ * static_cast<double>(base_left_));
  }

  double total_distortion(const std::vector<std::size_t>& choice) const {
    double sum = 0;
    for (const auto k : choice) sum += efficient_[k].distortion;
    return sum;
  }

  /// What is left at the relaxation's end goes to later edges that fit, then to whatever option of an item fits best.
  void complete_greedily() {
    best_ = base_;
    best_left_ = base_left_;
    for (auto e = next_edge_; e < edges_.size(); ++e) {
      const auto& edge = edges_[e];
      auto& mine = best_[static_cast<std::size_t>(edge.item)];
      const auto price = efficient_[edge.to].bits - efficient_[edge.from].bits;
      if (mine != edge.from || price > best_left_) continue;
      mine = edge.to;
      best_left_ -= price;
    }
    spend_the_rest();
    best_excess_ = excess_of(best_, best_left_);
  }

  /// Options ascend in bits as they descend in distortion, so one pass leaves no item that could still be improved.
  void spend_the_rest() {
    for (std::size_t i = 0; i < items_.size(); ++i) {
      auto k = best_[i];
      while (k + 1 < items_[i].last && efficient_[k + 1].bits - efficient_[best_[i]].bits <= best_left_) ++k;
      best_left_ -= efficient_[k].bits - efficient_[best_[i]].bits;
      best_[i] = k;
    }
  }

  /// What option k of item i loses at the relaxation's slope over the item's best there.
  double reduced_cost(std::size_t i, std::size_t k) const {
    const auto& base = efficient_[base_[i]];
    const auto& option = efficient_[k];
    return std::max(0.0, (option.distortion - base.distortion) + slope_ * static_cast<double>(option.bits - base.bits));
  }

  double excess_of(const std::vector<std::size_t>& choice, std::int64_t left) const {
    double sum = slope_ * static_cast<double>(left);
    for (std::size_t i = 0; i < items_.size(); ++i)
      if (choice[i] != base_[i]) sum += reduced_cost(i, choice[i]);
    return sum;
  }

  /// An item that may differ from the greedy's base in a choice better than the best.
  struct open_item {
    std::size_t item;
    double cheapest;  ///< smallest reduced cost of an alternative
    double gain;      ///< smallest reduced cost for each unit of bits spent, over this and all later open items
    double relief;    ///< the same for each unit of bits saved
  };

  std::vector<open_item> open_items() const {
    constexpr auto infinite = std::numeric_limits<double>::infinity();
    std::vector<open_item> open;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      open_item mine{i, infinite, slope_, infinite};
      for (auto k = items_[i].first; k < items_[i].last; ++k) {
        if (k == base_[i]) continue;
        const double cost = reduced_cost(i, k);
        if (cost >= best_excess_) continue;
        const auto bits = static_cast<double>(efficient_[k].bits - efficient_[base_[i]].bits);
        mine.cheapest = std::min(mine.cheapest, cost);
        if (bits > 0) mine.gain = std::min(mine.gain, cost / bits);
        if (bits < 0) mine.relief = std::min(mine.relief, cost / -bits);
      }
      if (mine.cheapest < infinite) open.push_back(mine);
    }
    std::stable_sort(open.begin(), open.end(),
                     [](const open_item& a, const open_item& b) { return a.cheapest < b.cheapest; });
    for (auto k = open.size(); k-- > 1;) {
      open[k - 1].gain = std::min(open[k - 1].gain, open[k].gain);
      open[k - 1].relief = std::min(open[k - 1].relief, open[k].relief);
    }
    return open;
  }

  /// The least excess that a partial choice can come to with open items of the given gain and relief.
  static double bound_of(const search_state& state, double gain, double relief) {
    if (state.left == 0) return state.excess;
    return state.excess +
           (state.left > 0 ? gain * static_cast<double>(state.left) : relief * -static_cast<double>(state.left));
  }

  double value_of(const search_state& state) const { return state.excess + slope_ * static_cast<double>(state.left); }

  bool good_enough() const {
    return best_excess_ <= tolerance_ || best_excess_ <= options_.enough_gap * (relaxed_ + best_excess_);
  }

  void search() {
    constexpr auto infinite = std::numeric_limits<double>::infinity();
    tolerance_ = std::scalbn(relaxed_ + best_excess_, -50);  // what the sums cannot tell apart
    const auto open = open_items();
    std::vector<search_node> nodes{{-1, 0}};
    std::vector<search_state> states{{base_left_, 0, 0}};
    std::vector<search_state> merged;
    std::int32_t best_node = -1;
    for (std::size_t at = 0; at < open.size() && open[at].cheapest < best_excess_ - tolerance_; ++at) {
      const auto item = open[at].item;
      states_ += static_cast<std::int64_t>(states.size() * (items_[item].last - items_[item].first));
      if (states_ > options_.most_states || good_enough()) {
        for (const auto& state : states) drop(bound_of(state, open[at].gain, open[at].relief));
        break;
      }
      const bool more = at + 1 < open.size();
      const double gain = more ? open[at + 1].gain : slope_;
      const double relief = more ? open[at + 1].relief : infinite;
      merged = states;
      origins_.clear();
      for (auto k = items_[item].first; k < items_[item].last; ++k)
        if (k != base_[item]) merge_with_option(states, item, k, merged);
      // Most left first: what follows must have less distortion than all before it, or it is dominated.
      double least = infinite;
      std::size_t kept = 0;
      for (auto& state : merged) {
        const double value = value_of(state);
        if (value >= least || bound_of(state, gain, relief) >= best_excess_ - tolerance_) continue;
        least = value;
        if (state.node < 0) {
          nodes.push_back(origins_[static_cast<std::size_t>(-1 - state.node)]);
          state.node = static_cast<std::int32_t>(nodes.size()) - 1;
        }
        if (state.left >= 0 && value < best_excess_) {
          best_excess_ = value;
          best_node = state.node;
        }
        merged[kept++] = state;
      }
      merged.resize(kept);
      if (kept > most_at_once) thin_out(merged, gain, relief);
      states.swap(merged);
    }
    optimal_ = dropped_ >= best_excess_ - tolerance_;
    if (best_node < 0) return;
    best_ = base_;
    for (auto n = best_node; n > 0; n = nodes[static_cast<std::size_t>(n)].parent) {
      const auto k = std::size_t{nodes[static_cast<std::size_t>(n)].option};
      best_[item_of(k)] = k;
    }
    best_left_ = budget_;
    for (const auto k : best_) best_left_ -= efficient_[k].bits;
    spend_the_rest();
  }

  /// Notes the bound of a partial choice that is not followed.
  void drop(double bound) { dropped_ = std::min(dropped_, bound); }

  std::size_t item_of(std::size_t option) const {
    const auto next = std::upper_bound(items_.begin(), items_.end(), option,
                                       [](std::size_t k, const efficient_item& item) { return k < item.first; });
    return static_cast<std::size_t>(next - items_.begin()) - 1;
  }

  /// Merges into `merged` the states with option k of the item taken. New ones have a negative node: where they come
  /// from is noted apart until they are kept.
  void merge_with_option(const std::vector<search_state>& states, std::size_t item, std::size_t k,
                         std::vector<search_state>& merged) {
    const double cost = reduced_cost(item, k);
    const auto spent = efficient_[k].bits - efficient_[base_[item]].bits;
    taken_.clear();
    for (const auto& state : states) {
      if (state.excess + cost >= best_excess_ - tolerance_) continue;
      origins_.push_back({state.node, static_cast<std::uint32_t>(k)});
      const auto note = -static_cast<std::int64_t>(origins_.size());
      taken_.push_back({state.left - spent, state.excess + cost, static_cast<std::int32_t>(note)});
    }
    both_.resize(merged.size() + taken_.size());
    std::merge(merged.begin(), merged.end(), taken_.begin(), taken_.end(), both_.begin(),
               [](const search_state& a, const search_state& b) {
                 return a.left != b.left ? a.left > b.left : a.excess < b.excess;
               });
    merged.swap(both_);
  }

  /// Keeps the states with the smallest bounds, in their order; the others' bound is noted.
  void thin_out(std::vector<search_state>& states, double gain, double relief) {
    std::vector<double> bounds;
    bounds.reserve(states.size());
    for (const auto& state : states) bounds.push_back(bound_of(state, gain, relief));
    auto sorted = bounds;
    const auto limit = sorted.begin() + static_cast<std::ptrdiff_t>(most_at_once);
    std::nth_element(sorted.begin(), limit, sorted.end());
    std::size_t kept = 0;
    for (std::size_t k = 0; k < states.size(); ++k) {
      if (bounds[k] < *limit) {
        states[kept++] = states[k];
      } else {
        drop(bounds[k]);
      }
    }
    states.resize(kept);
  }

  rate_distortion_result outcome() const {
    rate_distortion_result result;
    result.chosen.reserve(items_.size());
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const auto number = efficient_[best_[i]].number;
      const auto& option = curves_[static_cast<std::int64_t>(i)][static_cast<std::size_t>(number)];
      result.chosen.push_back(number);
      result.stored_bits += option.stored_bits;
      result.distortion += option.distortion;
    }
    result.budget_bits = budget_bits_;
    result.unspent_bits = budget_bits_ - result.stored_bits;
    result.slope = slope_ / static_cast<double>(unit_);
    result.states = states_;
    result.optimal = optimal_;
    result.relaxed_distortion = std::min(relaxed_, result.distortion);
    result.smallest_distortion =
        optimal_ ? result.distortion : std::min(result.distortion, relaxed_ + std::min(dropped_, best_excess_));
    return result;
  }

  const rate_curves& curves_;
  rate_distortion_options options_;
  double budget_bits_ = 0;
  std::int64_t unit_ = 0;
  std::int64_t budget_ = 0;  // above the cheapest options, in units
  std::vector<efficient_option> efficient_;
  std::vector<efficient_item> items_;
  std::vector<hull_edge> edges_;
  std::size_t next_edge_ = 0;

  std::vector<std::size_t> base_;  // where the relaxation ends; every option in it is its item's best at the slope
  std::int64_t base_left_ = 0;
  double slope_ = 0;
  double relaxed_ = 0;

  std::vector<std::size_t> best_;
  std::int64_t best_left_ = 0;
  double best_excess_ = 0;
  bool optimal_ = true;
  double dropped_ = std::numeric_limits<double>::infinity();  // least excess that what was not followed may have
  double tolerance_ = 0;
  std::int64_t states_ = 0;
  std::vector<search_node> origins_;
  std::vector<search_state> taken_;
  std::vector<search_state> both_;
};

}  // namespace detail

MIQ_API void rate_curves::add(std::span<const rate_option> options) {
  using miq::detail::require;
  require(!options.empty(), "rate_curves: item ", items(), " must have at least one option");
  for (std::size_t k = 0; k < options.size(); ++k) {
    const auto [bits, distortion] = options[k];
    require(bits >= 0 && bits < 0x1.0p53 && bits == std::floor(bits), "rate_curves: stored_bits of option ", k,
            " of item ", items(), " must be a whole number, 0 to 2^53, got ", bits);
    require(std::isfinite(distortion) && distortion >= 0, "rate_curves: distortion of option ", k, " of item ", items(),
            " must be finite and not negative, got ", distortion);
  }
  options_.insert(options_.end(), options.begin(), options.end());
  first_.push_back(options_.size());
}

MIQ_API rate_distortion_result rate_distortion(const rate_curves& curves, double budget_bits,
                                               const rate_distortion_options& options) {
  return detail::rate_solver(curves, budget_bits, options).solve();
}

}  // namespace miq::allocation
