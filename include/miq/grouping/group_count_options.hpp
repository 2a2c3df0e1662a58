// grouping/group_count_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/progress.hpp>
#include <miq/grouping/eigenpairs_options.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::grouping {

/// What makes one number of groups better than another.
enum class group_count_criterion {
  silhouette,  ///< the largest mean silhouette width (Rousseeuw 1987)
  eigengap,    ///< the largest step between consecutive eigenvalues (von Luxburg 2007, section 8.3)
};

/// What `choose_group_count` may be asked for.
struct group_count_options {
  int minimum = 2;   ///< fewest groups tried, at least 2
  int maximum = 32;  ///< most groups tried; lowered to the number of columns where that is smaller
  group_count_criterion criterion = group_count_criterion::silhouette;
  int restarts = 10;              ///< see `spectral_options`, as what follows
  int max_iterations = 300;       ///< of one k-means start
  float tolerance = 1e-4F;        ///< of k-means
  double eigen_tolerance = 1e-5;  ///< of the eigenvectors
  bool dense_fallback = true;     ///< of the eigensolver
  std::uint64_t seed = 0;         ///< of everything drawn
  progress_callback progress{};   ///< phases "eigenvectors" and "group counts"; may cancel
};

/// The choice, and the scores of all that were tried.
struct group_count_result {
  int groups = 0;                   ///< the number chosen
  std::vector<int> candidates;      ///< the numbers tried, ascending
  std::vector<double> silhouettes;  ///< of each candidate, its mean silhouette width
  std::vector<double> eigengaps;    ///< of each candidate, the step after its last eigenvalue
  partition best;                   ///< the groups chosen, as `spectral` makes them

  std::int64_t isolated = 0;                  ///< see `spectral_result`
  std::int64_t components = 0;                ///< see `spectral_result`
  std::vector<float> eigenvalues;             ///< all that were computed, descending
  int eigen_products = 0;                     ///< see `eigenpairs_result::products`
  float eigen_residual = 0;                   ///< see `eigenpairs_result::residual`
  bool eigen_converged = true;                ///< see `eigenpairs_result::converged`
  eigen_solver solver = eigen_solver::dense;  ///< see `eigenpairs_result::solver`
};

/// One choice among divisions made in any way, and the scores of all.
struct silhouette_choice {
  int groups = 0;                   ///< the candidate chosen
  std::vector<int> candidates;      ///< as given
  std::vector<double> silhouettes;  ///< of each candidate, its mean silhouette width
  partition best;                   ///< the division of the candidate chosen
};

}  // namespace miq::grouping
