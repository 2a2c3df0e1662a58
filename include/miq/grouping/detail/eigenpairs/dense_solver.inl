#pragma once

#include <Eigen/Eigenvalues>

#include <miq/grouping/detail/eigenpairs/dense_solver.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_EIGENSOLVER_NAMESPACE {

template <class T>
bool solve_symmetric(std::int64_t n, T* matrix, T* values) {
  Eigen::Map<Eigen::MatrixX<T>> in_place(matrix, n, n);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixX<T>> solver(in_place);
  if (solver.info() != Eigen::Success) return false;
  Eigen::Map<Eigen::VectorX<T>>(values, n) = solver.eigenvalues();
  in_place = solver.eigenvectors();
  return true;
}

}  // namespace MIQ_EIGENSOLVER_NAMESPACE
}  // namespace miq::grouping::detail
