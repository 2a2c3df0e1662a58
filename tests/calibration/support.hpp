// Data for the tests of calibration, comparisons, and an oracle: the definitions in long double, in two passes.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <miq/calibration/accumulator.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>

namespace miq_test {

/// Correlated normal columns: each is a share of the one before it and something of its own, times `deviation`, plus
/// `mean`.
inline miq::matrix<float> normal_tokens(std::int64_t tokens, std::int64_t columns, std::uint64_t seed, double mean = 0,
                                        double deviation = 1) {
  miq::random_stream random(seed);
  miq::matrix<float> x(tokens, columns);
  for (std::int64_t t = 0; t < tokens; ++t) {
    double before = random.normal();
    for (std::int64_t c = 0; c < columns; ++c) {
      before = 0.7 * before + 0.714 * random.normal();
      x(t, c) = static_cast<float>(mean + deviation * before);
    }
  }
  return x;
}

struct exact_statistics {
  std::int64_t columns = 0;
  std::vector<long double> mean, mean_absolute, covariance;
  long double at(std::int64_t i, std::int64_t j) const { return covariance[static_cast<std::size_t>(i * columns + j)]; }
};

inline exact_statistics exact(miq::matrix_view<const float> x) {
  const auto n = static_cast<long double>(x.rows());
  const auto c = static_cast<std::size_t>(x.columns());
  exact_statistics out{x.columns(), std::vector<long double>(c), std::vector<long double>(c),
                       std::vector<long double>(c * c)};
  for (std::int64_t t = 0; t < x.rows(); ++t)
    for (std::size_t i = 0; i < c; ++i) {
      const auto value = static_cast<long double>(x(t, static_cast<std::int64_t>(i)));
      out.mean[i] += value;
      out.mean_absolute[i] += std::abs(value);
    }
  // Divided at the end: the mean of a constant is exact.
  for (auto* sums : {&out.mean, &out.mean_absolute})
    for (auto& sum : *sums) sum /= n;
  std::vector<long double> centred(c);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    for (std::size_t i = 0; i < c; ++i)
      centred[i] = static_cast<long double>(x(t, static_cast<std::int64_t>(i))) - out.mean[i];
    for (std::size_t i = 0; i < c; ++i)
      for (std::size_t j = 0; j < c; ++j) out.covariance[i * c + j] += centred[i] * centred[j] / n;
  }
  return out;
}

/// The largest difference between covariances, each as a share of sqrt(C_ii C_jj).
inline double worst_covariance_error(const miq::calibration::statistics& got, const exact_statistics& expected) {
  long double worst = 0;
  for (std::int64_t i = 0; i < expected.columns; ++i)
    for (std::int64_t j = 0; j < expected.columns; ++j) {
      const auto difference = std::abs(static_cast<long double>(got.covariance(i, j)) - expected.at(i, j));
      const auto scale = std::sqrt(expected.at(i, i) * expected.at(j, j));
      if (difference > 0) worst = std::max(worst, difference / scale);  // infinite where the scale is 0, as it should
    }
  return static_cast<double>(worst);
}

inline bool same_bits(miq::matrix_view<const float> a, miq::matrix_view<const float> b) {
  if (a.rows() != b.rows() || a.columns() != b.columns()) return false;
  for (std::int64_t r = 0; r < a.rows(); ++r)
    if (std::memcmp(&a(r, 0), &b(r, 0), static_cast<std::size_t>(a.columns()) * sizeof(float)) != 0) return false;
  return true;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

inline bool same_bits(const miq::calibration::statistics& a, const miq::calibration::statistics& b) {
  return a.tokens == b.tokens && same_bits(a.covariance.view(), b.covariance.view()) && same_bits(a.mean, b.mean) &&
         same_bits(a.mean_absolute, b.mean_absolute) && same_bits(a.minimum, b.minimum) &&
         same_bits(a.maximum, b.maximum);
}

inline bool symmetric_to_the_bit(miq::matrix_view<const float> m) {
  for (std::int64_t i = 0; i < m.rows(); ++i)
    for (std::int64_t j = 0; j < i; ++j)
      if (std::memcmp(&m(i, j), &m(j, i), sizeof(float)) != 0) return false;
  return true;
}

inline miq::calibration::statistics statistics_of(miq::matrix_view<const float> x, int threads = 2) {
  const miq::host_executor exec({.threads = threads});
  miq::calibration::accumulator seen(x.columns());
  seen.add(exec, x);
  return seen.finish(exec);
}

}  // namespace miq_test
