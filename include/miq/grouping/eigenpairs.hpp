// grouping/eigenpairs.hpp: the largest eigenvalues of a symmetric matrix and their vectors, repeated ones included.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/grouping/eigenpairs_options.hpp>

namespace miq::grouping {

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

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/eigenpairs/host.inl>
#endif
