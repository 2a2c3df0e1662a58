// obs/factor.hpp: the triangular factor of the inverse Hessian, from which every step of the solver reads its updates.
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/factor_options.hpp>

namespace miq::obs {

/// Scratch that `factor` needs for a Hessian of `columns` columns: about columns^2 floats.
std::int64_t factor_workspace_bytes(std::int64_t columns);

/// Factors the inverse of the damped Hessian: `U^T U = (H + D)^-1`, U upper triangular, in float.
///
/// Row j of U holds what the optimal-brain-surgeon step needs at column j when the columns before it are settled:
/// `1 / U_jj^2` is the conditional variance of column j given the later ones (up to H's factor 2), and an error e in
/// column j is best made up by `- e / U_jj * U_j,j+1:` in the later columns (Frantar and Alistarh 2023, "SparseGPT").
/// The factor is found without forming the inverse: `H + D = R R^T` with R upper triangular, then `U = R^-1`.
///
/// A column whose diagonal entry is 0 never carried a signal: it gets the mean of the other columns' diagonal entries
/// (1 if all are 0) and stays independent of all others, so its row of U is 0 right of the diagonal. Means of the
/// diagonal leave such columns out.
///
/// Where float does not find the matrix positive definite, the same is tried in double before the damping is raised
/// tenfold (from 0 to 10^-4): a pivot below 2^-22 of its diagonal entry counts as 0 in float, below 2^-44 in double.
///
/// @param exec     where to run. Scratch comes from `scratch`, or from the executor's resource where that is empty.
///                 Eigen's products take packing buffers from the heap where its stack limit is exceeded. Work in
///                 double takes another `16 c^2` bytes from the executor's resource.
/// @param hessian  [c, c], symmetric (only the upper triangle is read), finite, diagonal not negative; c at least 1
/// @param upper    [c, c], must not overlap `hessian`; written whole, zeros below the diagonal
/// @throws invalid_argument  for shapes that do not fit, a diagonal that is negative, entries that are not finite (with
///                           the row and column)
/// @throws numerical_error   if the matrix is not positive definite after all attempts
/// @throws out_of_memory     if `scratch` is too small
/// Whatever is thrown, `upper` is untouched: it is written when the factor is known to exist.
///
/// Cost: 1/3 c^3 multiply-adds, in blocks, on all threads; where that fails as many in double. Deterministic, whatever
/// the number of threads.
template <executor Exec>
factor_result factor(const Exec& exec, matrix_view<const float, memory_of<Exec>> hessian,
                     matrix_view<float, memory_of<Exec>> upper, const factor_options& options = {},
                     workspace scratch = {});

}  // namespace miq::obs

#if !defined(MIQ_PRECOMPILED)
#include <miq/obs/detail/factor/host.inl>
#endif
