// allocation/bit_budget.hpp: how many bits each group gets, so that all of them together fit a budget of stored bits.
#pragma once

#include <span>
#include <vector>

#include <miq/allocation/bit_budget_options.hpp>
#include <miq/core/error.hpp>

namespace miq::allocation {

/// One thing that gets a number of bits: a group of columns, or one column where every column is its own group.
/// With b bits it stores `fixed_bits + b * (weights + bits_per_bit)` bits. Counts need not be whole numbers: where the
/// kept weights are not yet known, the expected number will do.
struct bit_item {
  double importance = 0;    ///< of one weight (the mean over the item, not the sum); finite, not negative
  double weights = 0;       ///< weights that carry a code, those that are pruned left out
  double fixed_bits = 0;    ///< what is stored whatever the bits: scales, mask, indices
  double bits_per_bit = 0;  ///< what every bit of width adds besides the codes: one for every b-bit zero point
};

/// An assignment, and how well it uses the budget.
struct budget_result {
  std::vector<int> bits;      ///< one number an item, minimum_bits to maximum_bits
  double stored_bits = 0;     ///< of all items, metadata included; at most `budget_bits`
  double budget_bits = 0;     ///< as given
  double unspent_bits = 0;    ///< budget_bits - stored_bits
  double expected_error = 0;  ///< sum of importance * weights * 4^-bits
  double smallest_error = 0;  ///< no assignment within the budget has a smaller `expected_error` than this
};

/// Bits that an item stores at a width of `bits`: `fixed_bits + bits * (weights + bits_per_bit)`.
MIQ_API double stored_bits(const bit_item& item, int bits);

/// Gives every item its bits so that together they store at most `budget_bits`.
///
/// The error that a bit is worth is the classical one of a fine uniform quantizer, a quarter for each further bit
/// (Gersho & Gray 1992, chapter 8): `expected_error = sum importance_i weights_i 4^-bits_i`. It leaves out what
/// SparseGPT's update repairs, and is optimistic at one or two bits.
///
/// `greedy_budget` starts everything at `minimum_bits` and buys single bits, largest gain per stored bit first, until
/// no bit fits; an item whose next bit does not fit is left, and cheaper ones go on. Where all items are of one size
/// (`weights + bits_per_bit`) the result is optimal, since gains fall with every bit (Fox 1966, "Discrete optimization
/// via marginal analysis"). Otherwise it is above the optimum by less than the gain of the first bit that did not fit;
/// `smallest_error` gives the bound of the instance (from the relaxation that buys parts of a bit).
/// Ties: fewer bits, then more importance, then the lower index. Items of importance 0 are raised last, evenly.
///
/// `threshold`: an item starts at `maximum_bits` when the items more important than it hold less than `threshold` of
/// all importance (summed over weights), otherwise at `minimum_bits`.
/// `quantile`: an item starts at `levels[floor(L * below / n)]`, where `below` of the n items are less important.
/// Equally important items start equal in both. Then both are scaled into the budget by one rule: to all starting
/// widths the largest whole number is added (widths clamped to minimum and maximum) that the budget allows; what then
/// still fits is spent in rounds of one bit per item, most important first, ties to the lower index.
///
/// For every strategy:
/// - the budget is never exceeded, and what is left is smaller than the cheapest bit that could still be added. Both
///   hold exactly: fractional counts are rounded up to a power of two, about 2^-51 of the largest possible total, so
///   that sums are exact;
/// - of two items of one size (equal `weights`, equal `bits_per_bit`) the more important never gets fewer bits, and
///   equally important ones differ by one bit at most;
/// - items without weights keep `minimum_bits`.
///
/// @param items        may be empty
/// @param budget_bits  all that may be stored, metadata included
/// @throws invalid_argument  if an importance or a count is negative or not finite (the item is named), an option is
///                           out of range, or the budget is below what all items store at `minimum_bits` (both numbers
///                           are named)
///
/// Cost: n log n for each bit of width. Host only; allocates a few vectors of n; deterministic.
MIQ_API budget_result allocate_bits(std::span<const bit_item> items, double budget_bits,
                                    const budget_options& options = {});

}  // namespace miq::allocation

#if !defined(MIQ_PRECOMPILED)
#include <miq/allocation/detail/bit_budget/host.inl>
#endif
