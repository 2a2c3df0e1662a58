// What refit must come to, in double precision: the exact minimum, and textbook conjugate gradients.
#pragma once

#include <cstdint>
#include <vector>

#include <Eigen/Dense>

#include "layer_data.hpp"

namespace miq_test {

/// The minimum on the support of each row, by the normal equations. `h` is the damped Hessian.
inline Eigen::MatrixXd best_refit(const masked_layer& p, const Eigen::MatrixXd& h) {
  using Eigen::VectorXd;
  const Eigen::MatrixXd w0 = to_double(p.target);
  Eigen::MatrixXd out = Eigen::MatrixXd::Zero(w0.rows(), w0.cols());
  for (Eigen::Index r = 0; r < w0.rows(); ++r) {
    std::vector<Eigen::Index> support;
    for (Eigen::Index c = 0; c < w0.cols(); ++c)
      if (p.kept(r, c) != 0) support.push_back(c);
    if (support.empty()) continue;
    const VectorXd wanted = h * w0.row(r).transpose();
    const VectorXd x = h(support, support).ldlt().solve(wanted(support));
    for (std::size_t k = 0; k < support.size(); ++k) out(r, support[k]) = x(static_cast<Eigen::Index>(k));
  }
  return out;
}

/// Textbook preconditioned conjugate gradients (Saad 2003, algorithm 9.1) with the symmetric Gauss-Seidel matrix formed
/// and solved explicitly, row by row.
inline Eigen::MatrixXd textbook_refit(const masked_layer& p, const Eigen::MatrixXd& h, int iterations) {
  using Eigen::MatrixXd;
  using Eigen::VectorXd;
  const MatrixXd w0 = to_double(p.target);
  MatrixXd out = to_double(p.start);
  for (Eigen::Index row = 0; row < w0.rows(); ++row) {
    std::vector<Eigen::Index> support;
    for (Eigen::Index c = 0; c < w0.cols(); ++c)
      if (p.kept(row, c) != 0) support.push_back(c);
    if (support.empty()) continue;
    const MatrixXd a = h(support, support);
    const MatrixXd lower = a.triangularView<Eigen::Lower>();
    const MatrixXd m = lower * a.diagonal().cwiseInverse().asDiagonal() * lower.transpose();
    const auto solver = m.fullPivLu();
    const VectorXd gradient = h * (w0.row(row) - out.row(row)).transpose();
    VectorXd r = gradient(support), z = solver.solve(r), d = z;
    VectorXd x = VectorXd::Zero(r.size());
    const double least = 1e-24 * r.dot(z);
    for (int k = 0; k < iterations && r.dot(z) > least; ++k) {  // few weights are done exactly before
      const VectorXd q = a * d;
      const double alpha = r.dot(z) / d.dot(q);
      const double before = r.dot(z);
      x += alpha * d;
      r -= alpha * q;
      z = solver.solve(r);
      d = z + r.dot(z) / before * d;
    }
    for (std::size_t k = 0; k < support.size(); ++k) out(row, support[k]) += x(static_cast<Eigen::Index>(k));
  }
  return out;
}

/// One Gauss-Seidel pass: column after column, each kept weight takes its best value given the others.
inline Eigen::MatrixXd gauss_seidel_refit(const masked_layer& p, const Eigen::MatrixXd& h) {
  const Eigen::MatrixXd w0 = to_double(p.target);
  Eigen::MatrixXd w = to_double(p.start);
  for (Eigen::Index r = 0; r < w.rows(); ++r)
    for (Eigen::Index c = 0; c < w.cols(); ++c)
      if (p.kept(r, c) != 0) w(r, c) -= (w.row(r) - w0.row(r)).dot(h.col(c)) / h(c, c);
  return w;
}

}  // namespace miq_test
