// tests/examples/pipeline_support.hpp: a small OPT model with random weights, and options to run compress_opt on it.
#pragma once

#include <cmath>
#include <cstring>
#include <miq/core/random.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "compress_opt/options.hpp"
#include "compress_opt/pipeline/compression.hpp"
#include "support.hpp"

namespace miq_test {

inline constexpr std::int64_t tiny_layers = 2;
inline constexpr std::int64_t tiny_width = 32;
inline constexpr std::int64_t tiny_feed_forward = 80;
inline constexpr std::int64_t tiny_context = 16;

/// Writes a model of 2 layers, 32 wide, in float32, with the tokenizer of the embedded model. Channels come in four
/// blocks that share a signal through the layer norm's weights being equal and the embeddings being correlated.
inline void write_tiny_model(const fs::path& directory, std::uint64_t seed) {
  constexpr std::int64_t vocabulary = 2048;
  fs::create_directories(directory);
  for (const auto* name : {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"})
    fs::copy_file(demo_model() / name, directory / name, fs::copy_options::overwrite_existing);
  auto config = read_json(demo_model() / "config.json");
  config["hidden_size"] = tiny_width;
  config["word_embed_proj_dim"] = tiny_width;
  config["num_hidden_layers"] = tiny_layers;
  config["num_attention_heads"] = 4;
  config["ffn_dim"] = tiny_feed_forward;
  config["max_position_embeddings"] = tiny_context;
  config["vocab_size"] = vocabulary;
  write_text(directory / "config.json", config.dump());

  miq::random_stream random(seed);
  nlohmann::json header;
  std::string data;
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape, double mean, double deviation) {
    std::int64_t count = 1;
    for (const auto extent : shape) count *= extent;
    const auto begin = data.size();
    data.resize(begin + static_cast<std::size_t>(count) * sizeof(float));
    double shared = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      if (i % 8 == 0) shared = random.normal();  // eight neighbours share half of their variance
      const double draw = shape.size() == 2 ? std::sqrt(0.5) * (shared + random.normal()) : random.normal();
      const auto value = static_cast<float>(mean + deviation * draw);
      std::memcpy(&data[begin + static_cast<std::size_t>(i) * sizeof(float)], &value, sizeof(float));
    }
    header["model.decoder." + name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
  };
  add("embed_tokens.weight", {vocabulary, tiny_width}, 0, 0.5);
  add("embed_positions.weight", {tiny_context + 2, tiny_width}, 0, 0.2);
  const auto add_norm = [&](const std::string& name) {
    add(name + ".weight", {tiny_width}, 1, 0.2);
    add(name + ".bias", {tiny_width}, 0, 0.1);
  };
  const auto add_linear = [&](const std::string& name, std::int64_t outputs, std::int64_t inputs) {
    add(name + ".weight", {outputs, inputs}, 0, 1 / std::sqrt(static_cast<double>(inputs)));
    add(name + ".bias", {outputs}, 0, 0.1);
  };
  for (std::int64_t layer = 0; layer < tiny_layers; ++layer) {
    const auto prefix = "layers." + std::to_string(layer) + '.';
    add_norm(prefix + "self_attn_layer_norm");
    for (const auto* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
      add_linear(prefix + "self_attn." + name, tiny_width, tiny_width);
    add_norm(prefix + "final_layer_norm");
    add_linear(prefix + "fc1", tiny_feed_forward, tiny_width);
    add_linear(prefix + "fc2", tiny_width, tiny_feed_forward);
  }
  add_norm("final_layer_norm");
  safetensors_text::write_raw(directory / "model.safetensors", header.dump(), data);
}

/// The model in a directory of its own, and options for a run of a second or so.
struct tiny_run {
  temporary_directory directory;
  compress_opt::options chosen;

  explicit tiny_run(std::uint64_t seed) {
    write_tiny_model(directory / "model", seed);
    chosen.model = directory / "model";
    chosen.calibration = demo_data() / "demo-text/calibration.txt";
    chosen.eval = {{"demo", demo_data() / "demo-text/evaluation.txt"}};
    chosen.nsamples = 24;
    chosen.eval_windows = 6;
    chosen.n_groups = 4;
    chosen.threads = 1;
  }
};

}  // namespace miq_test
