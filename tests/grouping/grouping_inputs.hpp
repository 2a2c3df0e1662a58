// grouping_inputs.hpp: the matrices that the grouping tests share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>

namespace miq_test {

inline miq::host_executor threads(int count) { return miq::host_executor({.threads = count}); }

/// Uniform on [0, 1), 24 bits, as make_reference.py draws it.
inline float unit(std::uint64_t seed, std::uint64_t index) {
  return static_cast<float>(miq::random_hash(seed, index) >> 40) * 0x1.0p-24F;
}

inline miq::matrix<float> uniform_points(std::uint64_t seed, std::int64_t n, std::int64_t d) {
  miq::matrix<float> points(n, d);
  for (std::int64_t i = 0; i < n * d; ++i) points.data()[i] = unit(seed, static_cast<std::uint64_t>(i));
  return points;
}

/// Distances uniform on [0, 1), as make_reference.py draws them.
inline miq::matrix<float> hashed_distances(std::uint64_t seed, std::int64_t n) {
  miq::matrix<float> distance(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j)
      distance(i, j) = distance(j, i) = unit(seed, static_cast<std::uint64_t>(i * n + j));
  return distance;
}

/// Distances that are whole numbers 1 .. values, as make_reference.py draws them.
inline miq::matrix<float> tied_distances(std::uint64_t seed, std::int64_t n, std::uint64_t values) {
  miq::matrix<float> distance(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j)
      distance(i, j) = distance(j, i) =
          static_cast<float>(1 + miq::random_hash(seed, static_cast<std::uint64_t>(i * n + j)) % values);
  return distance;
}

inline miq::matrix<float> euclidean(const miq::matrix<float>& points) {
  miq::matrix<float> distance(points.rows(), points.rows());
  for (std::int64_t i = 0; i < points.rows(); ++i)
    for (std::int64_t j = 0; j < i; ++j) {
      double square = 0;
      for (std::int64_t c = 0; c < points.columns(); ++c)
        square += std::pow(static_cast<double>(points(i, c)) - static_cast<double>(points(j, c)), 2);
      distance(i, j) = distance(j, i) = static_cast<float>(std::sqrt(square));
    }
  return distance;
}

/// The affinities of make_reference.py's block models, and the block of each column.
struct block_affinity {
  miq::matrix<float> affinity;
  std::vector<std::int32_t> blocks;
};

inline block_affinity make_block_model(std::uint64_t seed, std::span<const int> sizes, float inside, float outside) {
  std::vector<std::int32_t> sorted;
  for (std::size_t b = 0; b < sizes.size(); ++b)
    sorted.insert(sorted.end(), static_cast<std::size_t>(sizes[b]), static_cast<std::int32_t>(b));
  const auto n = sorted.size();
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return miq::random_hash(seed + 1, a) < miq::random_hash(seed + 1, b);
  });
  block_affinity result{miq::matrix<float>(static_cast<std::int64_t>(n), static_cast<std::int64_t>(n)), {}};
  for (const auto i : order) result.blocks.push_back(sorted[i]);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const float value = unit(seed, i * n + j) * (result.blocks[i] == result.blocks[j] ? inside : outside);
      const auto r = static_cast<std::int64_t>(i), c = static_cast<std::int64_t>(j);
      result.affinity(r, c) = result.affinity(c, r) = value;
    }
  return result;
}

inline miq::matrix<float> random_symmetric(std::uint64_t seed, std::int64_t n) {
  miq::random_stream random(seed);
  miq::matrix<float> m(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j <= i; ++j) m(i, j) = m(j, i) = static_cast<float>(random.normal());
  return m;
}

/// Whether two floats, or arrays of floats, are equal bit by bit.
inline bool same_bits(const miq::matrix<float>& a, const miq::matrix<float>& b) {
  return a.rows() == b.rows() && a.columns() == b.columns() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

}  // namespace miq_test
