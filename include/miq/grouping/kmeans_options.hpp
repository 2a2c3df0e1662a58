// grouping/kmeans_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>

#include <miq/core/matrix.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// What `kmeans` may be asked for.
struct kmeans_options {
  int groups = 8;            ///< number of groups, 1 to the number of points
  int restarts = 10;         ///< independent starts, at least 1; the one with the smallest inertia is returned
  int max_iterations = 300;  ///< Lloyd iterations of one start, at least 1
  float tolerance = 1e-4F;  ///< stop when the centres' squared moves sum to at most this times the mean variance of the
                            ///< coordinates; 0: only when no label changes
  std::uint64_t seed = 0;   ///< start r draws its centres from `random_stream(random_hash(seed, r))`
};

/// The start that was best.
struct kmeans_result {
  partition groups;       ///< numbered in order of first appearance
  matrix<float> centres;  ///< [groups, d], the mean of each group (of the assignment before the last, if `tolerance`
                          ///< stopped the iteration)
  double inertia = 0;     ///< sum of squared distances of the points to the centre of their group
  int iterations = 0;     ///< Lloyd iterations made
  std::int64_t relocated = 0;  ///< times an empty group was moved to the point farthest from its centre
  bool converged = false;      ///< false if `max_iterations` ended the iteration
};

}  // namespace miq::grouping
