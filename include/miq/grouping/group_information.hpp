// grouping/group_information.hpp: what `describe_groups` finds.
#pragma once

#include <vector>

namespace miq::grouping {

/// Mutual information inside groups and across them, in the unit of the matrix (nats).
struct group_information {
  std::vector<double> within;   ///< of each group, the mean over pairs inside it; 0 for a single column
  std::vector<double> between;  ///< of each group, the mean over pairs with one column inside; 0 if it has all columns
  double mean_within = 0;       ///< mean over all pairs of columns of the same group; 0 if there are none
  double mean_between = 0;      ///< mean over all pairs of columns of different groups; 0 if there are none
  double kept = 0;              ///< sum over all pairs inside groups, each counted once
  double total = 0;             ///< sum over all pairs
  double kept_share = 0;        ///< kept / total, 0 if the total is not positive; what is left when groups are treated
                                ///< as independent
};

}  // namespace miq::grouping
