// grouping/spectral_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/grouping/eigenpairs_options.hpp>
#include <miq/grouping/kmeans_options.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// What `spectral` may be asked for.
struct spectral_options {
  int groups = 8;                 ///< number of groups, 1 to the number of columns
  int restarts = 10;              ///< of k-means
  int max_iterations = 300;       ///< of one k-means start
  float tolerance = 1e-4F;        ///< of k-means
  double eigen_tolerance = 1e-5;  ///< residual of the eigenvectors, see `eigenpairs_options::tolerance`
  bool dense_fallback = true;     ///< see `eigenpairs_options::dense_fallback`
  std::uint64_t seed = 0;         ///< of the eigensolver's start and of k-means
};

/// The groups, and what happened on the way.
struct spectral_result {
  partition groups;                ///< exactly `options.groups` groups, numbered in order of first appearance
  std::vector<float> eigenvalues;  ///< descending, in [-1, 1]; of the connected columns, one for each of their groups;
                                   ///< empty where no vectors are needed (no more such groups than components,
                                   ///< or each column alone)
  std::int64_t isolated = 0;       ///< columns with no affinity to any other
  std::int64_t components = 0;     ///< connected components of the graph of positive affinities, isolated ones included

  int eigen_products = 0;                     ///< see `eigenpairs_result::products`
  float eigen_residual = 0;                   ///< see `eigenpairs_result::residual`
  bool eigen_converged = true;                ///< see `eigenpairs_result::converged`
  eigen_solver solver = eigen_solver::dense;  ///< see `eigenpairs_result::solver`
  double inertia = 0;                         ///< of k-means
  int iterations = 0;                         ///< of k-means
  std::int64_t relocated = 0;                 ///< of k-means
  bool kmeans_converged = true;               ///< of k-means
};

}  // namespace miq::grouping
