// grouping/quality.hpp: how much of the mutual information a partition keeps inside its groups.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/group_information.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// Describes a partition by the mutual information of its pairs of columns. Higher within and lower between is better;
/// one group keeps all.
///
/// @param exec    where to run
/// @param mi      [n, n], finite, negative estimates included; symmetric (not checked: the mean of both triangles is
///                used); the diagonal does not count
/// @param groups  of n columns
/// @throws invalid_argument  if `mi` is not square and finite, or does not match `groups`
///
/// Allocates 1024 bytes per group. Synchronises. Cost: reads `mi` twice; n^2 additions in double precision.
/// Deterministic, the same to the bit for every number of threads.
template <executor Exec>
group_information describe_groups(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                                  const partition& groups);

}  // namespace miq::grouping

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/quality/host.inl>
#endif
