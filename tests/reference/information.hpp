// reference/information.hpp: estimators of mutual information in plain double precision, written from their formulas.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace miq_test::reference {

/// psi(n) by its asymptotic series after a shift beyond 40.
inline double digamma(double n) {
  double shifted = 0;
  for (; n < 40; n += 1) shifted -= 1 / n;
  const double z = 1 / (n * n);
  return shifted + std::log(n) - 1 / (2 * n) - z / 12 + z * z / 120 - z * z * z / 252;
}

/// What the KSG estimators count around each token.
struct ksg_counts {
  std::vector<double> distance;        // to the k-th nearest neighbour
  std::vector<std::int64_t> x, y;      // first: nearer than that; second: up to the sides of the rectangle
  std::vector<std::int64_t> together;  // tokens equal in both, itself included
};

inline ksg_counts count_neighbours(const std::vector<double>& x, const std::vector<double>& y, int k, bool second) {
  const auto n = x.size();
  ksg_counts counts;
  for (std::size_t t = 0; t < n; ++t) {
    std::vector<double> distances;
    std::int64_t together = 0;
    for (std::size_t s = 0; s < n; ++s) {
      if (s != t) distances.push_back(std::max(std::abs(x[s] - x[t]), std::abs(y[s] - y[t])));
      together += x[s] == x[t] && y[s] == y[t];
    }
    std::sort(distances.begin(), distances.end());
    const double e = distances[static_cast<std::size_t>(k) - 1];
    double side_x = 0, side_y = 0;
    for (std::size_t s = 0; s < n; ++s)
      if (std::max(std::abs(x[s] - x[t]), std::abs(y[s] - y[t])) <= e) {
        side_x = std::max(side_x, std::abs(x[s] - x[t]));
        side_y = std::max(side_y, std::abs(y[s] - y[t]));
      }
    std::int64_t in_x = 0, in_y = 0;
    for (std::size_t s = 0; s < n; ++s) {
      if (s == t) continue;
      in_x += second ? std::abs(x[s] - x[t]) <= side_x : std::abs(x[s] - x[t]) < e;
      in_y += second ? std::abs(y[s] - y[t]) <= side_y : std::abs(y[s] - y[t]) < e;
    }
    counts.distance.push_back(e);
    counts.x.push_back(in_x);
    counts.y.push_back(in_y);
    counts.together.push_back(together);
  }
  return counts;
}

/// Kraskov, Stoegbauer and Grassberger (2004), eqs. 8 and 9; where k neighbours are at distance 0, the term of Gao et
/// al. (2017), algorithm 1.
inline double ksg(const std::vector<double>& x, const std::vector<double>& y, int k, bool second) {
  const auto counts = count_neighbours(x, y, k, second);
  const auto n = x.size();
  double sum = 0;
  for (std::size_t t = 0; t < n; ++t) {
    const auto in_x = static_cast<double>(counts.x[t]), in_y = static_cast<double>(counts.y[t]);
    if (counts.distance[t] == 0) {
      double equal_x = 0, equal_y = 0;
      for (std::size_t s = 0; s < n; ++s) {
        equal_x += x[s] == x[t];
        equal_y += y[s] == y[t];
      }
      sum += digamma(static_cast<double>(counts.together[t])) - digamma(equal_x) - digamma(equal_y);
    } else if (second) {
      sum += digamma(k) - 1.0 / k - digamma(in_x) - digamma(in_y);
    } else {
      sum += digamma(k) - digamma(in_x + 1) - digamma(in_y + 1);
    }
  }
  return digamma(static_cast<double>(n)) + sum / static_cast<double>(n);
}

/// Kozachenko and Leonenko (1987) in one dimension.
inline double nearest_neighbour_entropy(const std::vector<double>& x, int k) {
  const auto n = x.size();
  double sum = 0;
  for (std::size_t t = 0; t < n; ++t) {
    std::vector<double> distances;
    for (std::size_t s = 0; s < n; ++s)
      if (s != t) distances.push_back(std::abs(x[s] - x[t]));
    std::sort(distances.begin(), distances.end());
    sum += std::log(2 * distances[static_cast<std::size_t>(k) - 1]);
  }
  return digamma(static_cast<double>(n)) - digamma(k) + sum / static_cast<double>(n);
}

/// Ross (2014), eq. 2 as scikit-learn reads it: labels of one token left out, fewer neighbours in small classes. Where
/// k tokens of the class are at distance 0, all of them count, the token itself included.
inline double ross(const std::vector<std::int32_t>& labels, const std::vector<double>& x, int k) {
  std::vector<std::size_t> used;
  const auto members = [&](std::size_t t) { return std::count(labels.begin(), labels.end(), labels[t]); };
  for (std::size_t t = 0; t < x.size(); ++t)
    if (members(t) > 1) used.push_back(t);
  double sum = 0;
  for (const auto t : used) {
    const auto of_class = members(t);
    const auto own_k = std::min<std::int64_t>(k, of_class - 1);
    std::vector<double> distances;
    double equal = 0;
    for (const auto s : used)
      if (labels[s] == labels[t]) {
        if (s != t) distances.push_back(std::abs(x[s] - x[t]));
        equal += x[s] == x[t];
      }
    std::sort(distances.begin(), distances.end());
    const auto e = distances[static_cast<std::size_t>(own_k) - 1];
    double near = 0;
    for (const auto s : used) near += e == 0 ? x[s] == x[t] : std::abs(x[s] - x[t]) < e;
    sum +=
        digamma(e == 0 ? equal : static_cast<double>(own_k)) - digamma(static_cast<double>(of_class)) - digamma(near);
  }
  return used.empty() ? 0 : digamma(static_cast<double>(used.size())) + sum / static_cast<double>(used.size());
}

/// mean_t ln(p(x, y) / (p(x) p(y))) with Gaussian kernels of widths `h_x` and `h_y`.
inline double kernel_information(const std::vector<double>& x, const std::vector<double>& y, double h_x, double h_y,
                                 bool leave_one_out) {
  const auto n = x.size();
  const double others = static_cast<double>(n) - (leave_one_out ? 1 : 0);
  double sum = 0;
  for (std::size_t t = 0; t < n; ++t) {
    double p_x = 0, p_y = 0, p_xy = 0;
    for (std::size_t s = 0; s < n; ++s) {
      if (leave_one_out && s == t) continue;
      const double k_x = std::exp(-0.5 * std::pow((x[s] - x[t]) / h_x, 2)) / (h_x * std::sqrt(2 * std::numbers::pi));
      const double k_y = std::exp(-0.5 * std::pow((y[s] - y[t]) / h_y, 2)) / (h_y * std::sqrt(2 * std::numbers::pi));
      p_x += k_x / others;
      p_y += k_y / others;
      p_xy += k_x * k_y / others;
    }
    sum += std::log(p_xy / (p_x * p_y));
  }
  return sum / static_cast<double>(n);
}

/// -mean_t ln p(x) with Gaussian kernels of width h.
inline double kernel_entropy(const std::vector<double>& x, double h, bool leave_one_out) {
  const auto n = x.size();
  const double others = static_cast<double>(n) - (leave_one_out ? 1 : 0);
  double sum = 0;
  for (std::size_t t = 0; t < n; ++t) {
    double p = 0;
    for (std::size_t s = 0; s < n; ++s)
      if (!leave_one_out || s != t)
        p += std::exp(-0.5 * std::pow((x[s] - x[t]) / h, 2)) / (others * h * std::sqrt(2 * std::numbers::pi));
    sum -= std::log(p);
  }
  return sum / static_cast<double>(n);
}

}  // namespace miq_test::reference
