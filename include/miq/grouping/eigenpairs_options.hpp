// grouping/eigenpairs_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/matrix.hpp>

namespace miq::grouping {

/// What `largest_eigenpairs` may be asked for.
struct eigenpairs_options {
  double tolerance = 1e-5;  ///< largest residual accepted, as a share of the spectral norm; single precision reaches
                            ///< about 1e-6
  int max_products = 500;   ///< products of the matrix with a block of vectors, at least 1
  std::int64_t dense_up_to = 256;  ///< matrices of at most this size go to the dense solver at once
  bool dense_fallback = true;  ///< no convergence within `max_products`: true: the dense solver finishes (slow: minutes
                               ///< for n = 4096); false: numerical_error
  std::uint64_t seed = 0;      ///< of the random start block
};

/// Which method gave the result.
enum class eigen_solver {
  dense,         ///< the dense solver, chosen for the size
  block_krylov,  ///< the block iteration
  fallback,      ///< the dense solver, because the block iteration did not converge
};

/// Eigenpairs in descending order of the values.
struct eigenpairs_result {
  std::vector<float> values;  ///< [count], descending
  matrix<float> vectors;      ///< [n, count], column j belongs to values[j]; orthonormal; the component of
                              ///< largest magnitude (the first, if several are equal) is positive
  int products = 0;           ///< block products made, 0 if none
  float residual = 0;         ///< largest |A v - lambda v| / |A|, measured on what is returned
  bool converged = false;     ///< whether `residual` is at most `tolerance`; can be false only after a
                              ///< fallback, or a dense solution, with a tolerance below single precision
  eigen_solver solver = eigen_solver::dense;  ///< who found them
};

}  // namespace miq::grouping
