// Layers for the tests of the solver: weights and Hessians of correlated channels.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <Eigen/Dense>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>

namespace miq_test {

inline Eigen::MatrixXd to_double(miq::matrix_view<const float> m) {
  Eigen::MatrixXd result(m.rows(), m.columns());
  for (std::int64_t r = 0; r < m.rows(); ++r)
    for (std::int64_t c = 0; c < m.columns(); ++c) result(r, c) = static_cast<double>(m(r, c));
  return result;
}

inline miq::matrix<float> to_float(const Eigen::MatrixXd& m) {
  miq::matrix<float> result(m.rows(), m.cols());
  for (Eigen::Index r = 0; r < m.rows(); ++r)
    for (Eigen::Index c = 0; c < m.cols(); ++c) result(r, c) = static_cast<float>(m(r, c));
  return result;
}

inline Eigen::MatrixXd normal_matrix(miq::random_stream& random, std::int64_t rows, std::int64_t columns) {
  Eigen::MatrixXd m(rows, columns);
  for (Eigen::Index r = 0; r < rows; ++r)
    for (Eigen::Index c = 0; c < columns; ++c) m(r, c) = random.normal();
  return m;
}

/// H = 2/n X^T X of n = 4 c + 8 tokens whose channels share a common part with their neighbours.
inline miq::matrix<float> random_hessian(miq::random_stream& random, std::int64_t columns) {
  const auto tokens = 4 * columns + 8;
  Eigen::MatrixXd x = normal_matrix(random, tokens, columns);
  for (Eigen::Index c = 1; c < columns; ++c) x.col(c) += 0.7 * x.col(c - 1);
  const Eigen::MatrixXd h = 2.0 / static_cast<double>(tokens) * (x.transpose() * x);
  return to_float(h);
}

struct layer {
  miq::matrix<float> weights;
  miq::matrix<float> hessian;
};

inline layer random_layer(std::uint64_t seed, std::int64_t rows, std::int64_t columns) {
  miq::random_stream random(seed);
  layer made;
  made.weights = to_float(0.05 * normal_matrix(random, rows, columns));
  made.hessian = random_hessian(random, columns);
  return made;
}

/// A layer whose mask is drawn at random, about `share` of the weights kept, and the kept ones to begin with.
struct masked_layer {
  miq::matrix<float> target, hessian, start;
  miq::matrix<std::uint8_t> kept;

  masked_layer(std::uint64_t seed, std::int64_t rows, std::int64_t columns, double share)
      : start(rows, columns), kept(rows, columns) {
    miq::random_stream random(seed);
    auto made = random_layer(seed, rows, columns);
    target = std::move(made.weights);
    hessian = std::move(made.hessian);
    for (std::int64_t i = 0; i < kept.size(); ++i) {
      kept.data()[i] = random.uniform() < share ? 1 : 0;
      start.data()[i] = kept.data()[i] != 0 ? target.data()[i] : 0.0F;
    }
  }
};

}  // namespace miq_test
