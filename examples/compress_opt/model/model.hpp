// model/model.hpp: the weights of an OPT model in memory, in float, each reachable by name.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <miq/core/matrix.hpp>

#include "compress_opt/model/config.hpp"

namespace compress_opt {

/// `y = x Wᵀ + b`.
struct linear {
  miq::matrix<float> weight;  ///< [outputs, inputs]
  std::vector<float> bias;    ///< [outputs], or empty
};

/// `y = (x - mean) / sqrt(variance + 1e-5) * weight + bias`, over the channels of one token.
struct layer_norm {
  std::vector<float> weight;  ///< [channels], or empty: all 1
  std::vector<float> bias;    ///< [channels], or empty: all 0
};

struct attention {
  linear q_proj;
  linear k_proj;
  linear v_proj;
  linear out_proj;
};

/// The linear maps of a layer, which are what is compressed. In this order they are listed, reported and drawn.
enum class linear_id { q_proj, k_proj, v_proj, out_proj, fc1, fc2 };

inline constexpr std::array<linear_id, 6> all_linears = {linear_id::q_proj,   linear_id::k_proj, linear_id::v_proj,
                                                         linear_id::out_proj, linear_id::fc1,    linear_id::fc2};

/// The distinct activations that feed the linear maps of a layer: query, key and value share one.
enum class layer_input { attention, out_proj, fc1, fc2 };

inline constexpr std::array<layer_input, 4> all_layer_inputs = {layer_input::attention, layer_input::out_proj,
                                                                layer_input::fc1, layer_input::fc2};

/// The name in a checkpoint, under `layers.N.`: `self_attn.q_proj`, ..., `fc2`.
std::string_view name_of(linear_id id);
std::string_view name_of(layer_input input);

/// What a linear map is fed with.
layer_input input_of(linear_id id);

struct decoder_layer {
  attention self_attn;
  layer_norm self_attn_layer_norm;
  linear fc1;
  linear fc2;
  layer_norm final_layer_norm;

  /// One of the six linear maps, e.g. `layers[3][linear_id::fc1].weight`.
  linear& operator[](linear_id id);
  const linear& operator[](linear_id id) const;
};

/// The names are those of the Hugging Face checkpoints. Copies are deep.
struct opt_model {
  opt_config config;
  miq::matrix<float> embed_tokens;     ///< [vocabulary, embedding]
  miq::matrix<float> embed_positions;  ///< [context + 2, hidden]: position p has row p + 2
  miq::matrix<float> project_in;       ///< [hidden, embedding], or empty
  miq::matrix<float> project_out;      ///< [embedding, hidden], or empty
  std::vector<decoder_layer> layers;
  layer_norm final_layer_norm;                     ///< used if `config.has_final_layer_norm`
  miq::matrix<float> lm_head;                      ///< [vocabulary, embedding], or empty: `embed_tokens` is used
  element_type stored_as = element_type::float32;  ///< the widest type among the tensors of the file it came from

  /// What turns the last hidden state into logits: the own head or the token embeddings.
  const miq::matrix<float>& head() const { return lm_head.empty() ? embed_tokens : lm_head; }
};

}  // namespace compress_opt
