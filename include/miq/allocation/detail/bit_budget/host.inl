#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <queue>
#include <sstream>
#include <tuple>

#include <miq/allocation/bit_budget.hpp>

namespace miq::allocation {
namespace detail {

/// An item as it is counted: what does not depend on its bits, and what one more bit of width stores.
struct counted_item {
  double importance;
  double weights;
  double fixed;
  double price;

  /// Whether further bits can be of any use.
  bool carries_codes() const { return weights > 0; }
};

using counted_items = std::vector<counted_item>;

/// Counts are rounded up to multiples of a power of two so small that whole numbers stay what they are, and so large
/// that every sum of stored bits is exact in double. So no order of purchases can overdraw the budget by rounding.
inline counted_items count(std::span<const bit_item> items, int maximum_bits) {
  double most = 1;
  for (const auto& item : items) most += stored_bits(item, maximum_bits);
  miq::detail::require(std::isfinite(most), "allocate_bits: the items' counts add up to more than a double can hold");
  const int unit = std::ilogb(most) - 51;
  const auto up = [&](double bits) { return std::scalbn(std::ceil(std::scalbn(bits, -unit)), unit); };
  counted_items counted;
  counted.reserve(items.size());
  for (const auto& item : items)
    counted.push_back({item.importance, item.weights, up(item.fixed_bits), up(item.weights) + up(item.bits_per_bit)});
  return counted;
}

inline double total_stored_bits(const counted_items& items, const std::vector<int>& bits) {
  double sum = 0;
  for (std::size_t i = 0; i < items.size(); ++i) sum += items[i].fixed + bits[i] * items[i].price;
  return sum;
}

inline double total_expected_error(const counted_items& items, const std::vector<int>& bits) {
  double sum = 0;
  for (std::size_t i = 0; i < items.size(); ++i)
    sum += std::scalbn(items[i].importance * items[i].weights, -2 * bits[i]);
  return sum;
}

/// What the bit after `bits` takes from the expected error.
inline double gain(const counted_item& item, int bits) {
  return 0.75 * std::scalbn(item.importance * item.weights, -2 * bits);
}

/// Bits being spent: an assignment within the budget, and what is left of it.
class purse {
 public:
  purse(const counted_items& items, std::vector<int> bits, double budget_bits, int maximum_bits)
      : items_(items),
        bits_(std::move(bits)),
        left_(budget_bits - total_stored_bits(items, bits_)),
        maximum_(maximum_bits) {}

  const std::vector<int>& bits() const { return bits_; }
  double left() const { return left_; }

  /// Buys one more bit for item i, if it can use one and the budget allows it.
  bool raise(std::size_t i) {
    if (!items_[i].carries_codes() || bits_[i] == maximum_ || items_[i].price > left_) return false;
    ++bits_[i];
    left_ -= items_[i].price;
    return true;
  }

 private:
  const counted_items& items_;
  std::vector<int> bits_;
  double left_;
  int maximum_;
};

/// A bit that could be bought.
struct offer {
  double gain_per_stored_bit;
  int bits;  ///< before it
  double importance;
  std::size_t item;

  offer(const counted_items& items, std::size_t i, int bits_before)
      // With weights / price apart, equally important items without metadata have exactly equal offers.
      : gain_per_stored_bit(std::scalbn(items[i].importance * (items[i].weights / items[i].price), -2 * bits_before)),
        bits(bits_before),
        importance(items[i].importance),
        item(i) {}

  /// Whether `a` is bought after `b`.
  friend bool operator<(const offer& a, const offer& b) {
    return std::tuple(a.gain_per_stored_bit, -a.bits, a.importance, b.item) <
           std::tuple(b.gain_per_stored_bit, -b.bits, b.importance, a.item);
  }
};

struct greedy_outcome {
  std::vector<int> bits;
  double smallest_error;
};

/// Largest gain per stored bit first. Up to the first offer that does not fit this is also the solution of the problem
/// in which parts of a bit can be bought; the affordable part of that offer completes the bound.
inline greedy_outcome spend_greedily(const counted_items& items, double budget_bits, const budget_options& options) {
  purse spent(items, std::vector<int>(items.size(), options.minimum_bits), budget_bits, options.maximum_bits);
  std::priority_queue<offer> offers;
  if (options.minimum_bits < options.maximum_bits)
    for (std::size_t i = 0; i < items.size(); ++i)
      if (items[i].carries_codes()) offers.push({items, i, options.minimum_bits});
  double smallest_error = -1;
  while (!offers.empty()) {
    const auto [ratio, bits, importance, i] = offers.top();
    offers.pop();
    if (spent.raise(i)) {
      if (bits + 1 < options.maximum_bits) offers.push({items, i, bits + 1});
    } else if (smallest_error < 0) {
      const auto affordable = std::max(0.0, spent.left()) / items[i].price;
      smallest_error = std::max(0.0, total_expected_error(items, spent.bits()) - affordable * gain(items[i], bits));
    }
  }
  if (smallest_error < 0) smallest_error = total_expected_error(items, spent.bits());
  return {spent.bits(), smallest_error};
}

/// Items that carry codes, most important first, ties to the lower index.
inline std::vector<std::size_t> by_importance(const counted_items& items) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (items[i].carries_codes()) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return items[a].importance > items[b].importance; });
  return order;
}

/// Calls `body(first, last)` for every run of equally important items in `order`.
template <class Body>
void for_each_tie(const counted_items& items, const std::vector<std::size_t>& order, Body&& body) {
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && items[order[last]].importance == items[order[first]].importance) ++last;
    body(first, last);
  }
}

inline std::vector<int> start_by_threshold(const counted_items& items, const std::vector<std::size_t>& order,
                                           const budget_options& options) {
  std::vector<int> start(items.size(), options.minimum_bits);
  if (order.empty() || !(items[order[0]].importance > 0)) return start;
  const auto held = [&](std::size_t i) { return items[i].importance / items[order[0]].importance * items[i].weights; };
  double total = 0;
  for (const auto i : order) total += held(i);
  double above = 0;
  for_each_tie(items, order, [&](std::size_t first, std::size_t last) {
    const bool high = above < options.threshold * total;
    for (auto k = first; k < last; ++k) {
      if (high) start[order[k]] = options.maximum_bits;
      above += held(order[k]);
    }
  });
  return start;
}

inline std::vector<int> start_by_quantile(const counted_items& items, const std::vector<std::size_t>& order,
                                          const budget_options& options) {
  std::vector<int> start(items.size(), options.minimum_bits);
  for_each_tie(items, order, [&](std::size_t first, std::size_t last) {
    const auto below = order.size() - last;
    const auto level = options.levels[options.levels.size() * below / order.size()];
    for (auto k = first; k < last; ++k) start[order[k]] = std::clamp(level, options.minimum_bits, options.maximum_bits);
  });
  return start;
}

/// All starting widths moved by the same number of bits, as far up as the budget allows; then the rest is spent.
inline std::vector<int> scale_into_budget(const counted_items& items, const std::vector<std::size_t>& order,
                                          const std::vector<int>& start, double budget_bits,
                                          const budget_options& options) {
  const auto shifted = [&](int shift) {
    std::vector<int> bits(items.size(), options.minimum_bits);
    for (const auto i : order) bits[i] = std::clamp(start[i] + shift, options.minimum_bits, options.maximum_bits);
    return bits;
  };
  int shift = options.maximum_bits - options.minimum_bits;
  while (total_stored_bits(items, shifted(shift)) > budget_bits) --shift;  // at the other end all are at the minimum
  purse spent(items, shifted(shift), budget_bits, options.maximum_bits);
  for (bool raised = true; raised;) {
    raised = false;
    for (const auto i : order) raised |= spent.raise(i);
  }
  return spent.bits();
}

inline void require_valid(std::span<const bit_item> items, double budget_bits, const budget_options& options) {
  using miq::detail::require;
  require(options.minimum_bits >= 1 && options.minimum_bits <= options.maximum_bits && options.maximum_bits <= 16,
          "allocate_bits: bits must satisfy 1 <= minimum_bits <= maximum_bits <= 16, got ", options.minimum_bits,
          " and ", options.maximum_bits);
  require(options.rule == strategy::threshold || options.rule == strategy::quantile ||
              options.rule == strategy::greedy_budget,
          "allocate_bits: rule is not a strategy, got ", static_cast<int>(options.rule));
  if (options.rule == strategy::threshold)
    require(options.threshold >= 0 && options.threshold <= 1, "allocate_bits: threshold must be 0 to 1, got ",
            options.threshold);
  if (options.rule == strategy::quantile) {
    require(!options.levels.empty(), "allocate_bits: levels must not be empty");
    for (std::size_t k = 1; k < options.levels.size(); ++k)
      require(options.levels[k - 1] < options.levels[k], "allocate_bits: levels must ascend, got ",
              options.levels[k - 1], " before ", options.levels[k]);
  }
  const auto not_negative = [](double x) { return std::isfinite(x) && x >= 0; };
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto check = [&](double value, const char* field) {
      require(not_negative(value), "allocate_bits: ", field, " of item ", i, " must be finite and not negative, got ",
              value);
    };
    check(items[i].importance, "importance");
    check(items[i].weights, "weights");
    check(items[i].fixed_bits, "fixed_bits");
    check(items[i].bits_per_bit, "bits_per_bit");
  }
  require(std::isfinite(budget_bits), "allocate_bits: budget_bits must be finite, got ", budget_bits);
}

inline void require_feasible(const counted_items& items, double budget_bits, const budget_options& options) {
  const auto least = total_stored_bits(items, std::vector<int>(items.size(), options.minimum_bits));
  if (least <= budget_bits) return;
  std::ostringstream text;
  text.precision(std::numeric_limits<double>::max_digits10);
  text << "allocate_bits: budget_bits must be at least " << least << ", what all items store at the minimum of "
       << options.minimum_bits << " bits, got " << budget_bits;
  throw invalid_argument(text.str());
}

}  // namespace detail

MIQ_API double stored_bits(const bit_item& item, int bits) {
  return item.fixed_bits + bits * (item.weights + item.bits_per_bit);
}

MIQ_API budget_result allocate_bits(std::span<const bit_item> given, double budget_bits,
                                    const budget_options& options) {
  detail::require_valid(given, budget_bits, options);
  const auto items = detail::count(given, options.maximum_bits);
  detail::require_feasible(items, budget_bits, options);
  auto greedy = detail::spend_greedily(items, budget_bits, options);
  budget_result result;
  if (options.rule == strategy::greedy_budget) {
    result.bits = std::move(greedy.bits);
  } else {
    const auto order = detail::by_importance(items);
    const auto start = options.rule == strategy::threshold ? detail::start_by_threshold(items, order, options)
                                                           : detail::start_by_quantile(items, order, options);
    result.bits = detail::scale_into_budget(items, order, start, budget_bits, options);
  }
  result.stored_bits = detail::total_stored_bits(items, result.bits);
  result.budget_bits = budget_bits;
  result.unspent_bits = budget_bits - result.stored_bits;
  result.expected_error = detail::total_expected_error(items, result.bits);
  result.smallest_error = std::min(greedy.smallest_error, result.expected_error);
  return result;
}

}  // namespace miq::allocation
