// reference/grouping.hpp: grouping's quantities in plain Eigen double precision, written from their formulas.
#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <miq/core/matrix_view.hpp>

namespace miq_test::reference {

inline Eigen::MatrixXd to_double(miq::matrix_view<const float> m) {
  Eigen::MatrixXd result(m.rows(), m.columns());
  for (std::int64_t r = 0; r < m.rows(); ++r)
    for (std::int64_t c = 0; c < m.columns(); ++c) result(r, c) = static_cast<double>(m(r, c));
  return result;
}

/// Eigenvalues of a symmetric matrix, descending.
inline Eigen::VectorXd eigenvalues(const Eigen::MatrixXd& m) {
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(m, Eigen::EigenvaluesOnly).eigenvalues().reverse();
}

/// D^-1/2 A D^-1/2 without the diagonal; every row must have a positive sum.
inline Eigen::MatrixXd normalised_affinity(Eigen::MatrixXd affinity) {
  affinity.diagonal().setZero();
  const Eigen::VectorXd root = affinity.rowwise().sum().cwiseSqrt().cwiseInverse();
  return root.asDiagonal() * affinity * root.asDiagonal();
}

/// Adjusted Rand index of two labellings (Hubert & Arabie 1985): 1 if they divide alike, about 0 by chance.
inline double adjusted_rand(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const auto pairs = [](double count) { return count * (count - 1) / 2; };
  std::map<std::pair<std::int32_t, std::int32_t>, double> both;
  std::map<std::int32_t, double> of_a, of_b;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ++both[{a[i], b[i]}];
    ++of_a[a[i]];
    ++of_b[b[i]];
  }
  double together = 0, in_a = 0, in_b = 0;
  for (const auto& [labels, count] : both) together += pairs(count);
  for (const auto& [label, count] : of_a) in_a += pairs(count);
  for (const auto& [label, count] : of_b) in_b += pairs(count);
  const double expected = in_a * in_b / pairs(static_cast<double>(a.size()));
  const double most = (in_a + in_b) / 2;
  return most == expected ? 1.0 : (together - expected) / (most - expected);
}

/// Silhouette widths (Rousseeuw 1987), group by group.
inline std::vector<double> silhouette_widths(const Eigen::MatrixXd& distance, std::span<const std::int32_t> labels) {
  const auto n = static_cast<std::size_t>(distance.rows());
  const std::int32_t groups = *std::max_element(labels.begin(), labels.end()) + 1;
  std::vector<double> widths(n);
  for (std::size_t i = 0; i < n; ++i) {
    double a = 0, b = std::numeric_limits<double>::infinity();
    bool alone = false;
    for (std::int32_t g = 0; g < groups; ++g) {
      double sum = 0, count = 0;
      for (std::size_t j = 0; j < n; ++j)
        if (labels[j] == g && j != i) {
          sum += distance(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
          ++count;
        }
      if (g == labels[i]) {
        alone = count == 0;
        a = alone ? 0 : sum / count;
      } else {
        b = std::min(b, sum / count);
      }
    }
    widths[i] = alone || std::max(a, b) == 0 ? 0 : (b - a) / std::max(a, b);
  }
  return widths;
}

/// Sum of squared distances of points to the mean of their group.
inline double within_groups(const Eigen::MatrixXd& points, std::span<const std::int32_t> labels) {
  const std::int32_t groups = *std::max_element(labels.begin(), labels.end()) + 1;
  double total = 0;
  for (std::int32_t g = 0; g < groups; ++g) {
    Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(points.cols());
    double count = 0;
    for (Eigen::Index i = 0; i < points.rows(); ++i)
      if (labels[static_cast<std::size_t>(i)] == g) {
        mean += points.row(i);
        ++count;
      }
    mean /= count;
    for (Eigen::Index i = 0; i < points.rows(); ++i)
      if (labels[static_cast<std::size_t>(i)] == g) total += (points.row(i) - mean).squaredNorm();
  }
  return total;
}

}  // namespace miq_test::reference
