// allocation/split_groups.hpp: divides groups into cheap and dear columns, so that one width no longer has to fit both.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <miq/allocation/bit_budget.hpp>
#include <miq/allocation/rate_distortion.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::allocation {

/// What goes in: columns, their errors and what they store.
struct split_inputs {
  matrix_view<const double>
      errors{};                     ///< [c, widths]: expected loss of each column at each width, finite, not negative
                                    ///< (`expected_errors` with every column its own group)
  std::span<const int> widths{};    ///< of the columns of `errors`: 1 to 16, ascending
  std::span<const double> costs{};  ///< [c], finite: what the columns of a group are ranked by, cheap to dear
                                    ///< (`column_costs::per_weight()`)
  std::span<const bit_item> columns{};  ///< [c]: what each column stores; its importance is not read
  bit_item part{};  ///< what each part stores besides: `fixed_bits` and `bits_per_bit`; the rest is not read
};

/// The parts, and their widths.
struct split_result {
  grouping::partition groups;  ///< the parts, those of group 0 first; of the two parts of a group the cheap first
  std::vector<std::int32_t> parents;  ///< of each part, the group that it comes from
  std::vector<int> bits;              ///< of each part
  rate_distortion_result choice;      ///< what the solver reports; its `chosen` are numbers of (cut, widths), no more
};

/// Divides every group in two, or leaves it whole, so that the total expected loss is the smallest that the budget
/// allows.
///
/// A group's columns are ranked by `costs`, ties by their numbers. It may get one width, or be cut at any place into
/// cheaper columns and dearer ones with a larger width: redundant columns and representatives, where costs are
/// `v_j / U_jj^2` of an order that takes them so (`grouping::order_by_representatives`, or the natural order: inside a
/// block of columns with equal correlations rho, 1 / U_jj^2 falls from 1 to about 1 - rho in every order). All cuts and
/// pairs of widths of all groups are options of one `rate_distortion`, so the division and the widths are optimal
/// together, within the budget, to `choice.gap()`: the search is told to stop at a thousandth, 0.0007 bits
/// a weight.
///
/// A second call with the result's groups divides in up to four, and so on.
///
/// @param groups       of the c columns
/// @param budget_bits  for all columns and parts. Group indices, `ceil(log2 parts)` bits per column, are not counted:
///                     take off what twice as many groups would need (or as many as there are widths, if that is what
///                     is stored)
/// @throws invalid_argument  if an input is not as described, or the budget is below what whole groups store at the
///                           smallest width
///
/// Cost: about c w^2 / 2 options for w widths. Host only, one thread. Allocates about 60 bytes for each. Deterministic.
MIQ_API split_result split_groups(const split_inputs& in, const grouping::partition& groups, double budget_bits,
                                  const rate_distortion_options& options = {.enough_gap = 1e-3,
                                                                            .most_states = std::int64_t{1} << 22});

}  // namespace miq::allocation

#if !defined(MIQ_PRECOMPILED)
#include <miq/allocation/detail/split_groups/host.inl>
#endif
