// model/kernels.hpp: the arithmetic of a layer: threaded products with what follows them, layer norm, attention.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

#include "compress_opt/model/model.hpp"

namespace compress_opt {

/// What is done to a product while its tile is in the cache: `f(scale * (x Wᵀ + bias)) + residual`.
struct product_options {
  std::span<const float> bias = {};             ///< [outputs], or empty
  float scale = 1;                              ///< of the sum of product and bias
  bool apply_activation = false;                ///< whether f is `function` or the identity
  activation function = activation::relu;       ///< used if `apply_activation`
  miq::matrix_view<const float> residual = {};  ///< [tokens, outputs], or empty; may be `y`
};

/// `y = x wᵀ`, and what `options` add. x: [tokens, inputs], w: [outputs, inputs], y: [tokens, outputs], which may
/// overlap neither x nor w. Work is cut into tiles of y of a fixed size; each is one product of Eigen.
void multiply(const miq::host_executor& exec, miq::matrix_view<const float> x, miq::matrix_view<const float> w,
              miq::matrix_view<float> y, const product_options& options = {});

/// Layer norm of each row. `y` may be `x`.
void normalise(const miq::host_executor& exec, const layer_norm& norm, miq::matrix_view<const float> x,
               miq::matrix_view<float> y);

/// Causal attention, each head of each window apart: `softmax(q kᵀ) v`, where `query` was scaled beforehand. All are
/// [tokens, heads * head size]; tokens are a multiple of `context`. Scratch: 64 rows of scores a thread.
void attend(const miq::host_executor& exec, miq::matrix_view<const float> query, miq::matrix_view<const float> key,
            miq::matrix_view<const float> value, std::int64_t heads, std::int64_t context,
            miq::matrix_view<float> mixed);

/// For each row r of `states` [tokens, embedding] the negative log likelihood, in nats, of `targets[r]` under the
/// logits `states headᵀ`; 0 where the target is negative. Logits exist only in tiles.
void negative_log_likelihoods(const miq::host_executor& exec, miq::matrix_view<const float> states,
                              miq::matrix_view<const float> head, std::span<const std::int32_t> targets,
                              std::span<double> result);

}  // namespace compress_opt
