// model/config.hpp: the shape of an OPT model.
#pragma once

#include <cstdint>

namespace compress_opt {

/// How a number is stored in a file.
enum class element_type { float32, float16, bfloat16 };

/// What stands between the two linear maps of the feed-forward block. `gelu` is the exact one, with the error function.
enum class activation { relu, gelu };

/// The architecture, as `config.json` states it (the comments give its keys); see `read_config`. OPT is described by
/// Zhang et al. 2022, "OPT: Open Pre-trained Transformer Language Models".
struct opt_config {
  std::int64_t vocabulary = 50272;   ///< vocab_size
  std::int64_t hidden = 768;         ///< hidden_size
  std::int64_t layers = 12;          ///< num_hidden_layers
  std::int64_t heads = 12;           ///< num_attention_heads; divides `hidden`
  std::int64_t feed_forward = 3072;  ///< ffn_dim
  std::int64_t context = 2048;       ///< max_position_embeddings: the longest window
  std::int64_t embedding = 768;      ///< word_embed_proj_dim; where it is not `hidden`, two projections join them
  activation feed_forward_activation = activation::relu;  ///< activation_function
  bool layer_norm_before = true;     ///< do_layer_norm_before: before each block, or after its residual sum
  bool has_final_layer_norm = true;  ///< do_layer_norm_before and not _remove_final_layer_norm
  bool has_bias = true;              ///< enable_bias
  bool layer_norm_affine = true;     ///< layer_norm_elementwise_affine
  bool tied_head = true;             ///< tie_word_embeddings
  std::int32_t bos_token = 2;        ///< bos_token_id: the first token of every text

  std::int64_t head_size() const { return hidden / heads; }
  bool has_projections() const { return embedding != hidden; }
};

}  // namespace compress_opt
