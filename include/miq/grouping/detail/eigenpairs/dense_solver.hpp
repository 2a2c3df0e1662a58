// Eigen's solver for dense symmetric matrices, behind plain memory: it takes seconds to compile in every translation
// unit that uses it (in those that only read this header it is not compiled). The precompiled library compiles it once.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <utility>

#include <miq/core/version.hpp>

#if defined(MIQ_PRECOMPILED)
#define MIQ_EIGENSOLVER_NAMESPACE compiled_once
#else
#define MIQ_EIGENSOLVER_NAMESPACE MIQ_INSTRUCTION_SET
#endif

namespace miq::grouping::detail {
inline namespace MIQ_EIGENSOLVER_NAMESPACE {

/// Eigenvalues of a symmetric matrix, ascending, and its orthonormal eigenvectors, which take the matrix's place.
/// @param matrix  [n, n], column after column; the lower triangle is read
/// @return        false if the solver did not converge; then the contents are unspecified
template <class T>
bool solve_symmetric(std::int64_t n, T* matrix, T* values);

}  // namespace MIQ_EIGENSOLVER_NAMESPACE
inline namespace MIQ_INSTRUCTION_SET {

/// The same with Eigen's types.
template <class T>
struct symmetric_eigenpairs {
  Eigen::VectorX<T> values;
  Eigen::MatrixX<T> vectors;

  bool solve(Eigen::MatrixX<T> matrix) {
    vectors = std::move(matrix);
    values.resize(vectors.rows());
    return solve_symmetric(vectors.rows(), vectors.data(), values.data());
  }
};

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::grouping::detail

#if !defined(MIQ_PRECOMPILED)
#include <miq/grouping/detail/eigenpairs/dense_solver.inl>
#endif
