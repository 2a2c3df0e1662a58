// Eigen's solver for dense symmetric matrices in double precision. It takes long to compile: seconds in every
// translation unit that uses it. So the precompiled library compiles it once, in
// kernels/precompiled/grouping_host_eigenpairs.cpp; what it has to solve must be a `MatrixXd`, not an expression.
#pragma once

#include <Eigen/Eigenvalues>

#if defined(MIQ_CUDA_PRECOMPILED)
extern template class Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>;
extern template Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>& Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>::compute(
    const Eigen::EigenBase<Eigen::MatrixXd>&, int);
#endif

namespace miq::grouping::detail {

using dense_eigensolver = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>;

}  // namespace miq::grouping::detail
