// reference/obs_oracle.hpp: exact optimal-brain-surgeon steps in double precision, with explicit inverses. Shares
// nothing with the library.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include <Eigen/Dense>

namespace miq_oracle {

using Eigen::MatrixXd;
using Eigen::RowVectorXd;
using Eigen::VectorXd;

/// H with damping. Columns whose diagonal entry is 0 get the mean of the other diagonal entries and no cross entries.
inline MatrixXd damped(const MatrixXd& hessian, double damping, bool by_own_diagonal) {
  MatrixXd h = hessian;
  const auto n = h.rows();
  double total = 0;
  Eigen::Index alive = 0;
  for (Eigen::Index j = 0; j < n; ++j) {
    total += hessian(j, j);
    alive += hessian(j, j) != 0 ? 1 : 0;
  }
  const double mean = alive > 0 ? total / static_cast<double>(alive) : 1;
  for (Eigen::Index j = 0; j < n; ++j) {
    if (hessian(j, j) == 0) {
      h.row(j).setZero();
      h.col(j).setZero();
      h(j, j) = mean;
    }
    h(j, j) += damping * (by_own_diagonal ? h(j, j) : mean);
  }
  return h;
}

/// For every column j the first row of the inverse of H restricted to the columns j, j + 1, ...: found by taking one
/// column after the other out of the explicit inverse (Gaussian elimination; Frantar, Singh and Alistarh 2022,
/// "Optimal Brain Compression", lemma 1).
inline std::vector<RowVectorXd> inverse_rows(const MatrixXd& h) {
  MatrixXd inverse = h.fullPivLu().inverse();
  std::vector<RowVectorXd> rows;
  for (Eigen::Index left = h.rows(); left > 0; --left) {
    rows.emplace_back(inverse.row(0));
    const MatrixXd rest = inverse.bottomRightCorner(left - 1, left - 1) -
                          inverse.bottomLeftCorner(left - 1, 1) * inverse.topRightCorner(1, left - 1) / inverse(0, 0);
    inverse = rest;
  }
  return rows;
}

/// The same, each restricted matrix inverted anew.
inline std::vector<RowVectorXd> inverse_rows_recomputed(const MatrixXd& h) {
  std::vector<RowVectorXd> rows;
  for (Eigen::Index j = 0; j < h.rows(); ++j)
    rows.emplace_back(h.bottomRightCorner(h.rows() - j, h.rows() - j).fullPivLu().inverse().row(0));
  return rows;
}

/// The upper factor that the inverse rows define: U_j,j+k = G_k / sqrt(G_0).
inline MatrixXd upper_of(const std::vector<RowVectorXd>& rows) {
  const auto n = static_cast<Eigen::Index>(rows.size());
  MatrixXd upper = MatrixXd::Zero(n, n);
  for (Eigen::Index j = 0; j < n; ++j) {
    const auto& row = rows[static_cast<std::size_t>(j)];
    upper.row(j).tail(n - j) = row / std::sqrt(row(0));
  }
  return upper;
}

/// What a sweep met and left.
struct replay_result {
  MatrixXd before;    ///< every weight as it was just before its column was settled
  MatrixXd settled;   ///< what it became
  MatrixXd saliency;  ///< w^2 / G_0 with the weight as it was when its block of columns was reached
  VectorXd row_loss;  ///< sum of (w - q)^2 / (2 G_0)
};

/// Exact steps on all rows: column j becomes `settle(row, column, weight)`, and each error is made up in the later
/// columns by the inverse of what remains of H.
inline replay_result replay(const MatrixXd& weights, const std::vector<RowVectorXd>& inverses, std::int64_t block,
                            const std::function<double(Eigen::Index, Eigen::Index, double)>& settle) {
  const auto rows = weights.rows();
  const auto columns = weights.cols();
  replay_result result{weights, weights, MatrixXd::Zero(rows, columns), VectorXd::Zero(rows)};
  MatrixXd w = weights;
  for (Eigen::Index j = 0; j < columns; ++j) {
    if (j % block == 0)
      for (Eigen::Index c = j; c < std::min<Eigen::Index>(columns, j + block); ++c)
        result.saliency.col(c) = w.col(c).array().square() / inverses[static_cast<std::size_t>(c)](0);
    const auto& g = inverses[static_cast<std::size_t>(j)];
    for (Eigen::Index r = 0; r < rows; ++r) {
      const double now = w(r, j);
      const double target = settle(r, j, now);
      const double error = now - target;
      result.before(r, j) = now;
      result.settled(r, j) = target;
      result.row_loss(r) += 0.5 * error * error / g(0);
      w.row(r).tail(columns - j) -= error / g(0) * g;
    }
  }
  return result;
}

/// 1/2 d H d^T of every row d of `change`.
inline VectorXd quadratic_loss(const MatrixXd& change, const MatrixXd& h) {
  return 0.5 * (change * h).cwiseProduct(change).rowwise().sum();
}

/// Ratio of the largest to the smallest eigenvalue.
inline double condition(const MatrixXd& h) {
  const VectorXd values = Eigen::SelfAdjointEigenSolver<MatrixXd>(h, Eigen::EigenvaluesOnly).eigenvalues();
  return values(values.size() - 1) / values(0);
}

}  // namespace miq_oracle
