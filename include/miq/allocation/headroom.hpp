// allocation/headroom.hpp: the most that unequal bits can gain over equal ones in a layer, and how much of it is had.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/error.hpp>

namespace miq::allocation {

/// What ideal unequal bits could gain, in bits per weight.
struct headroom_result {
  double bits = 0;  ///< 1/2 log2(arithmetic mean / geometric mean), at least 0
  double arithmetic_mean = 0;
  double geometric_mean = 0;
  double weights = 0;       ///< that the means are over
  double free_weights = 0;  ///< of columns whose cost is 0, left out of the means: any width will do for them
};

/// The headroom of a layer: `1/2 log2(AM / GM)` of the columns' costs `d_j = v_j / U_jj^2` (v_j the mean square of the
/// column's weights), each column counted with its kept weights n_j.
///
/// With b_j bits per column loses n_j d_j 4^-b_j, up to a constant. With equal bits B all columns lose `N AM 4^-B`.
/// With `b_j = B + 1/2 log2(d_j / GM)`, the same bits in all, every weight loses the same and all columns lose `N GM
/// 4^-B`; nothing loses less at these bits, since an arithmetic mean is never below the geometric one (reverse
/// water-filling: Cover & Thomas 2006, theorem 10.3.3; transform coding gain: Gersho & Gray 1992, section 8.3, Jayant &
/// Noll 1984, section 12.2). So ideal bits are worth `1/2 log2(AM / GM)` more bits per weight everywhere. It is a bound
/// in that model: widths may be fractions, negative ones too, and cost nothing to tell.
///
/// The costs belong to an order of the columns, and so do AM and the headroom. GM does not, where the weights' mean
/// squares and counts are equal: `sum of ln(1 / U_jj^2) = ln det (H + D)` whatever the order. So an order can move loss
/// from AM to GM's share, but what is left with ideal bits stays what it is. Say which order is meant; the natural one
/// where nothing is said.
///
/// @param costs    [c], finite, not negative: `column_costs::per_weight()`
/// @param weights  [c], finite, not negative: `column_costs::kept`
/// @throws invalid_argument  if that does not hold or the lengths differ
MIQ_API headroom_result headroom(std::span<const double> costs, std::span<const double> weights);

/// What given widths gain.
struct realised_headroom {
  double gain_bits = 0;     ///< bits a weight that equal widths would need more for the same loss; negative if these
                            ///< widths lose more than equal ones do
  double average_bits = 0;  ///< mean width of the weights that count
  double headroom_bits = 0;
  double share = 0;  ///< gain_bits / headroom_bits, at most 1; 0 where there is no headroom
};

/// How much of the headroom given widths realise: `gain = -1/2 log2(sum n_j d_j 4^-b_j / sum n_j d_j 4^-B)` with B the
/// mean of b_j over the weights. Columns whose cost is 0 are left out, of B too. What the widths cost to tell is not
/// counted here.
///
/// @param bits  [c], the width of each column, -64 to 64
/// @throws invalid_argument  as `headroom` does; if a width is out of range or the lengths differ
MIQ_API realised_headroom realised(std::span<const double> costs, std::span<const double> weights,
                                   std::span<const int> bits);

}  // namespace miq::allocation

#if !defined(MIQ_PRECOMPILED)
#include <miq/allocation/detail/headroom/host.inl>
#endif
