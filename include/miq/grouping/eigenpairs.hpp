// grouping/eigenpairs.hpp: the largest eigenvalues of a symmetric matrix and their vectors, repeated ones included.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>

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

/// The `count` algebraically largest eigenvalues of a symmetric matrix A [n, n] and orthonormal eigenvectors.
///
/// Small matrices (n <= `dense_up_to`) and large counts (5 blocks beyond n / 2) go to Eigen's dense solver in double
/// precision. Otherwise a block Krylov iteration with full reorthogonalisation and thick restarts (Zhou & Saad 2008,
/// "Block Krylov-Schur method for large symmetric eigenvalue problems"; Wu & Simon 2000 for the restart) from
/// a random block wider than `count`, so that an eigenvalue may be repeated any number of times. The projected problem
/// is solved in double precision.
///
/// @param exec       where to run
/// @param symmetric  [n, n], n >= 1, finite, symmetric to the bit
/// @param count      1 to n
/// @throws invalid_argument  if `symmetric` is not square, finite and symmetric, or `count` or an option is out of
/// range
/// @throws numerical_error   if the iteration does not converge and `dense_fallback` is false
///
/// Allocates about 8 n (6 count + 100) bytes, with the dense solver 24 n^2. Synchronises. Cost: one block product reads
/// A once and makes 2 n^2 (count + 8) operations; separated spectra take about 5 products, the edge of a random
/// matrix's bulk about 30. Deterministic, the same to the bit for every number of threads.
template <executor Exec>
eigenpairs_result largest_eigenpairs(const Exec& exec, matrix_view<const float, memory_of<Exec>> symmetric, int count,
                                     const eigenpairs_options& options = {});

}  // namespace miq::grouping

#include <miq/grouping/detail/eigenpairs.inl>
