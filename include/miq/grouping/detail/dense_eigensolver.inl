#pragma once

#include <Eigen/Eigenvalues>

#include <miq/grouping/detail/dense_eigensolver.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_EIGENSOLVER_NAMESPACE {

MIQ_EIGENSOLVER_API bool solve_symmetric(std::int64_t n, double* matrix, double* values) {
  Eigen::Map<Eigen::MatrixXd> in_place(matrix, n, n);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(in_place);
  if (solver.info() != Eigen::Success) return false;
  Eigen::Map<Eigen::VectorXd>(values, n) = solver.eigenvalues();
  in_place = solver.eigenvectors();
  return true;
}

}  // namespace MIQ_EIGENSOLVER_NAMESPACE
}  // namespace miq::grouping::detail
