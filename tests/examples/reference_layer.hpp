// tests/examples/reference_layer.hpp: a layer of OPT from its formulas, one window, in plain double precision.
#pragma once

#include <Eigen/Dense>
#include <cmath>
#include <cstdint>
#include <map>
#include <span>

#include "compress_opt/model/model.hpp"

namespace miq_test {

using reference_matrix = Eigen::MatrixXd;

inline reference_matrix to_double(const miq::matrix<float>& m) {
  reference_matrix result(m.rows(), m.columns());
  for (std::int64_t r = 0; r < m.rows(); ++r)
    for (std::int64_t c = 0; c < m.columns(); ++c) result(r, c) = static_cast<double>(m(r, c));
  return result;
}

inline Eigen::RowVectorXd to_double(const std::vector<float>& v) {
  Eigen::RowVectorXd result(static_cast<Eigen::Index>(v.size()));
  for (std::size_t i = 0; i < v.size(); ++i) result(static_cast<Eigen::Index>(i)) = static_cast<double>(v[i]);
  return result;
}

inline reference_matrix reference_embedding(const compress_opt::opt_model& model, std::span<const std::int32_t> ids) {
  reference_matrix hidden(static_cast<Eigen::Index>(ids.size()), model.config.hidden);
  for (Eigen::Index t = 0; t < hidden.rows(); ++t)
    for (Eigen::Index c = 0; c < hidden.cols(); ++c)
      hidden(t, c) = static_cast<double>(model.embed_tokens(ids[static_cast<std::size_t>(t)], c)) +
                     static_cast<double>(model.embed_positions(t + 2, c));
  return hidden;
}

inline reference_matrix apply(const compress_opt::linear& map, const reference_matrix& x) {
  return reference_matrix(x.lazyProduct(to_double(map.weight).transpose())).rowwise() + to_double(map.bias);
}

inline reference_matrix apply(const compress_opt::layer_norm& norm, reference_matrix x) {
  for (Eigen::Index t = 0; t < x.rows(); ++t) {
    const Eigen::RowVectorXd centred = x.row(t).array() - x.row(t).mean();
    const double deviation = std::sqrt(centred.squaredNorm() / static_cast<double>(x.cols()) + 1e-5);
    x.row(t) = (centred / deviation).cwiseProduct(to_double(norm.weight)) + to_double(norm.bias);
  }
  return x;
}

struct reference_result {
  std::map<compress_opt::layer_input, reference_matrix> inputs;
  reference_matrix output;
};

inline reference_result reference_layer(const compress_opt::opt_config& config,
                                        const compress_opt::decoder_layer& layer, const reference_matrix& hidden) {
  using compress_opt::layer_input;
  reference_result result;
  const auto before = [&](const compress_opt::layer_norm& norm, const reference_matrix& x) {
    return config.layer_norm_before ? apply(norm, x) : x;
  };
  const auto after = [&](const compress_opt::layer_norm& norm, const reference_matrix& x) {
    return config.layer_norm_before ? x : apply(norm, x);
  };

  const auto x = result.inputs[layer_input::attention] = before(layer.self_attn_layer_norm, hidden);
  const auto q = apply(layer.self_attn.q_proj, x), k = apply(layer.self_attn.k_proj, x),
             v = apply(layer.self_attn.v_proj, x);
  reference_matrix mixed = reference_matrix::Zero(x.rows(), x.cols());
  const Eigen::Index size = config.hidden / config.heads;
  for (Eigen::Index first = 0; first < x.cols(); first += size)
    for (Eigen::Index t = 0; t < x.rows(); ++t) {
      double total = 0;
      for (Eigen::Index s = 0; s <= t; ++s) {
        const double weight = std::exp(q.row(t).segment(first, size).dot(k.row(s).segment(first, size)) /
                                       std::sqrt(static_cast<double>(size)));
        total += weight;
        mixed.row(t).segment(first, size) += weight * v.row(s).segment(first, size);
      }
      mixed.row(t).segment(first, size) /= total;
    }
  result.inputs[layer_input::out_proj] = mixed;
  const auto middle = after(layer.self_attn_layer_norm, hidden + apply(layer.self_attn.out_proj, mixed));
  const auto y = result.inputs[layer_input::fc1] = before(layer.final_layer_norm, middle);
  reference_matrix inner = apply(layer.fc1, y);
  for (double& value : inner.reshaped())
    value = config.feed_forward_activation == compress_opt::activation::relu
                ? std::max(value, 0.0)
                : value * 0.5 * std::erfc(-value / std::sqrt(2.0));
  result.inputs[layer_input::fc2] = inner;
  result.output = after(layer.final_layer_norm, middle + apply(layer.fc2, inner));
  return result;
}

}  // namespace miq_test
