// allocation/rate_distortion.hpp: one option for every item, so that the total distortion is the smallest that a budget
// of bits allows.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include <miq/core/error.hpp>

namespace miq::allocation {

/// One way to store an item: a width of a group, a sparsity of a layer, a whole setting of a layer.
struct rate_option {
  double stored_bits = 0;  ///< what it costs, all metadata included: a whole number, not negative. Whatever is budgeted
                           ///< may be counted here: for sparsities, kept weights
  double distortion = 0;   ///< what it loses; finite, not negative
};

/// Items and their options, one item behind the other. 16 bytes an option and 8 per item.
class rate_curves {
 public:
  /// Appends an item. @throws invalid_argument if there are no options, or one is not as `rate_option` says (the item,
  /// the option and the value are named); nothing is appended then
  void add(std::span<const rate_option> options);
  void add(std::initializer_list<rate_option> options) { add(std::span(options.begin(), options.size())); }

  std::int64_t items() const { return static_cast<std::int64_t>(first_.size()) - 1; }
  /// All options of all items.
  std::int64_t options() const { return static_cast<std::int64_t>(options_.size()); }
  /// The options of one item, in the order in which they were given. Valid until the next `add`.
  std::span<const rate_option> operator[](std::int64_t item) const {
    const auto i = static_cast<std::size_t>(item);
    return std::span(options_).subspan(first_[i], first_[i + 1] - first_[i]);
  }

 private:
  std::vector<rate_option> options_;
  std::vector<std::size_t> first_ = {0};
};

/// How hard `rate_distortion` may try.
struct rate_distortion_options {
  double enough_gap = 0;  ///< the search ends when (distortion - bound) is at most this share of the distortion; 0:
                          ///< only when the optimum is proved, or `most_states` are used up
  std::int64_t most_states = std::int64_t{1} << 24;  ///< partial choices that the search may look at, about 10 ns each
};

/// A choice, and how good it is known to be.
struct rate_distortion_result {
  std::vector<std::int32_t> chosen;  ///< of each item, the number of its option, as given
  double stored_bits = 0;            ///< of all chosen options; at most `budget_bits`, exactly
  double budget_bits = 0;            ///< as given
  double unspent_bits = 0;           ///< budget_bits - stored_bits
  double distortion = 0;             ///< of all chosen options
  double smallest_distortion = 0;    ///< no choice within the budget has less, up to the rounding of the sums
  double relaxed_distortion = 0;     ///< the bound of the linear relaxation, in which an item may take parts of two
                                     ///< options, with the budget rounded down to what whole
                                     ///< choices can store; at most `smallest_distortion`
  double slope = 0;         ///< what a further bit would save there, distortion per bit; 0 if all are at their best
  bool optimal = false;     ///< whether the search came to its end: no choice within the budget has less
  std::int64_t states = 0;  ///< partial choices that the search looked at

  /// (distortion - smallest_distortion) / distortion; 0 if the distortion is 0.
  double gap() const { return distortion > 0 ? (distortion - smallest_distortion) / distortion : 0; }
};

/// Chooses one option for every item: the smallest total distortion whose total of stored bits is at most
/// `budget_bits`. (The multiple-choice knapsack problem.)
///
/// First the relaxation: options above the lower convex hull of an item's (bits, distortion) are set aside, and the
/// hulls' edges are bought in order of their slopes, steepest first, until one does not fit (Shoham & Gersho 1988,
/// "Efficient bit allocation for an arbitrary set of quantizers"; Sinha & Zoltners 1979, "The multiple-choice knapsack
/// problem"). At that slope `L` every option has a reduced cost: `distortion + L bits`, less the smallest such sum of
/// its item. A choice loses as much over the relaxation as its reduced costs plus `L` times the bits it leaves unspent.
/// Then the search: the greedy choice is completed with what still fits, and a dynamic programme runs over the items
/// whose cheapest alternative has a reduced cost below what the best choice so far loses, in the order of those costs,
/// options off the hulls included. Partial choices that another dominates, or whose bound is not better than the best
/// choice, are dropped (Pisinger 1995, "A minimal algorithm for the multiple-choice knapsack problem").
///
/// Where the search ends in time, which it nearly always does, the choice is optimal up to the rounding of the sums
/// (about 1e-15 of the distortion). If it runs out of states, or keeps more than 2^15 at a time, the best choice found
/// is returned and `smallest_distortion` says how far from the optimum it can be at most. Either way no item can be
/// changed alone so that the distortion falls within the budget.
///
/// Ties: of options equal in bits and distortion the first; of equal slopes the lower item; of choices equally good the
/// one that stores fewer bits, then the one that was found first. Deterministic.
///
/// @param curves       may hold no items
/// @param budget_bits  finite; need not be whole
/// @throws invalid_argument  if even the cheapest options store more than the budget (both numbers are named), an
///                           option is out of range, or the items' largest options store 2^53 bits and more in all
///
/// Cost: k log k for k options, then a search that takes about as long again for curves of groups and layers, and at
/// most `most_states` steps. Host only, one thread. Allocates about 40 bytes an option, and 8 for each partial choice
/// that is kept.
MIQ_API rate_distortion_result rate_distortion(const rate_curves& curves, double budget_bits,
                                               const rate_distortion_options& options = {});

}  // namespace miq::allocation

#if !defined(MIQ_PRECOMPILED)
#include <miq/allocation/detail/rate_distortion/host.inl>
#endif
