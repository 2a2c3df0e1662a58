// grouping/quality.hpp: how much of the mutual information a partition keeps inside its groups.
#pragma once

#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/partition.hpp>

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

/// Describes a partition by the mutual information of its pairs of columns. Higher within and lower between is better;
/// one group keeps all.
///
/// @param exec    where to run
/// @param mi      [n, n], finite, negative estimates included; symmetric (not checked: the mean of both triangles is
///                used); the diagonal does not count
/// @param groups  of n columns
/// @throws invalid_argument  if `mi` is not square and finite, or does not match `groups`
///
/// Allocates 1024 bytes a group. Synchronises. Cost: reads `mi` twice; n^2 additions in double precision.
/// Deterministic, the same to the bit for every number of threads.
template <executor Exec>
group_information describe_groups(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                                  const partition& groups);

}  // namespace miq::grouping

#include <miq/grouping/detail/quality.inl>
