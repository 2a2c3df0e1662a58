// reference/grouping.hpp: grouping's quantities in plain Eigen double precision, written from their formulas.
#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
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

/// The distance of two clusters by definition.
enum class between { single, complete, average };

inline double cluster_distance(const Eigen::MatrixXd& distance, const std::vector<Eigen::Index>& a,
                               const std::vector<Eigen::Index>& b, between how) {
  double smallest = std::numeric_limits<double>::infinity(), largest = 0, sum = 0;
  for (const auto i : a)
    for (const auto j : b) {
      smallest = std::min(smallest, distance(i, j));
      largest = std::max(largest, distance(i, j));
      sum += distance(i, j);
    }
  return how == between::single     ? smallest
         : how == between::complete ? largest
                                    : sum / static_cast<double>(a.size() * b.size());
}

/// What the sum of squares within clusters grows by, as a distance: two points are at their own.
inline double ward_distance(const Eigen::MatrixXd& points, const std::vector<Eigen::Index>& a,
                            const std::vector<Eigen::Index>& b) {
  const auto squares = [&](const std::vector<Eigen::Index>& members) {
    Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(points.cols());
    for (const auto i : members) mean += points.row(i) / static_cast<double>(members.size());
    double sum = 0;
    for (const auto i : members) sum += (points.row(i) - mean).squaredNorm();
    return sum;
  };
  auto both = a;
  both.insert(both.end(), b.begin(), b.end());
  return std::sqrt(2 * std::max(0.0, squares(both) - squares(a) - squares(b)));
}

/// A merge of the naive algorithm: clusters by number, as in SciPy's linkage matrix.
struct naive_merge {
  std::int64_t first, second;
  double height;
  std::int64_t size;
};

/// Merges the two nearest clusters until one is left, trying all pairs every time; `apart(a, b)` is the distance of two
/// lists of columns. Of equal pairs the first.
template <class Apart>
std::vector<naive_merge> agglomerate(Eigen::Index n, const Apart& apart) {
  std::map<std::int64_t, std::vector<Eigen::Index>> clusters;
  std::map<std::pair<std::int64_t, std::int64_t>, double> known;
  for (Eigen::Index i = 0; i < n; ++i) clusters[i] = {i};
  for (Eigen::Index i = 0; i < n; ++i)
    for (Eigen::Index j = i + 1; j < n; ++j) known[{i, j}] = apart(clusters[i], clusters[j]);
  std::vector<naive_merge> merges;
  while (clusters.size() > 1) {
    auto best = known.begin();
    for (auto pair = known.begin(); pair != known.end(); ++pair)
      if (pair->second < best->second) best = pair;
    const auto [a, b] = best->first;
    auto both = clusters[a];
    both.insert(both.end(), clusters[b].begin(), clusters[b].end());
    merges.push_back({a, b, best->second, static_cast<std::int64_t>(both.size())});
    clusters.erase(a);
    clusters.erase(b);
    for (auto pair = known.begin(); pair != known.end();) {
      const auto [c, d] = pair->first;
      pair = c == a || c == b || d == a || d == b ? known.erase(pair) : std::next(pair);
    }
    const auto name = static_cast<std::int64_t>(n) + static_cast<std::int64_t>(merges.size()) - 1;
    for (const auto& [other, members] : clusters) known[{other, name}] = apart(members, both);
    clusters[name] = std::move(both);
  }
  return merges;
}

/// Whether every merge of a tree joins two clusters at the smallest distance there is at that time, which is its
/// height, all to within `tolerance`: what is left to ask where distances are tied.
template <class Merges, class Apart>
bool always_merges_the_nearest(Eigen::Index n, const Merges& merges, const Apart& apart, double tolerance) {
  std::map<std::int64_t, std::vector<Eigen::Index>> clusters;
  for (Eigen::Index i = 0; i < n; ++i) clusters[i] = {i};
  for (const auto& merge : merges) {
    if (std::abs(apart(clusters.at(merge.first), clusters.at(merge.second)) - merge.height) > tolerance) return false;
    for (const auto& [a, members] : clusters)
      for (const auto& [b, others] : clusters)
        if (a < b && apart(members, others) < merge.height - tolerance) return false;
    auto both = clusters.at(merge.first);
    const auto& rest = clusters.at(merge.second);
    both.insert(both.end(), rest.begin(), rest.end());
    clusters.erase(merge.first);
    clusters.erase(merge.second);
    clusters[static_cast<std::int64_t>(n) + (&merge - merges.data())] = std::move(both);
  }
  return clusters.size() == 1;
}

/// The smallest cost of an assignment of points to groups within bounds, by trying all.
inline double cheapest_assignment(const Eigen::MatrixXd& costs, const std::vector<std::int64_t>& minimum,
                                  const std::vector<std::int64_t>& maximum) {
  const auto groups = static_cast<std::size_t>(costs.cols());
  std::vector<std::size_t> label(static_cast<std::size_t>(costs.rows()), 0);
  double best = std::numeric_limits<double>::infinity();
  for (;;) {
    std::vector<std::int64_t> sizes(groups, 0);
    double cost = 0;
    for (std::size_t i = 0; i < label.size(); ++i) {
      ++sizes[label[i]];
      cost += costs(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(label[i]));
    }
    bool allowed = true;
    for (std::size_t g = 0; g < groups; ++g) allowed = allowed && sizes[g] >= minimum[g] && sizes[g] <= maximum[g];
    if (allowed) best = std::min(best, cost);
    std::size_t digit = 0;
    while (digit < label.size() && ++label[digit] == groups) label[digit++] = 0;
    if (digit == label.size()) return best;
  }
}

}  // namespace miq_test::reference
