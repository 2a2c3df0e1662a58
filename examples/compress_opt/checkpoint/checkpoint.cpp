#include "compress_opt/checkpoint/checkpoint.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <miq/core/numeric_types.hpp>
#include <miq/quantization/packed_layer.hpp>

#include "common/mapped_file.hpp"
#include "compress_opt/checkpoint/tensor_source.hpp"
#include "compress_opt/files/json.hpp"

namespace compress_opt {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

[[noreturn]] void fail(const fs::path& file, const std::string& what) {
  throw checkpoint_error(file.string() + ": " + what);
}

json read_json(const fs::path& path) {
  return errors_as<checkpoint_error>([&] { return parse_json_object(mapped_file(path).text(), path.string()); });
}

/// The values of `config.json`, each checked for its kind and range.
class config_reader {
 public:
  explicit config_reader(const fs::path& file) : file_(file), values_(read_json(file)) {}

  std::int64_t size(const char* key, std::int64_t least, std::int64_t most) const {
    const json* value = find(key);
    if (value == nullptr) fail(file_, std::string("'") + key + "' is missing");
    return checked_size(key, *value, least, most);
  }

  std::int64_t size_or(const char* key, std::int64_t least, std::int64_t most, std::int64_t fallback) const {
    const json* value = find(key);
    return value == nullptr ? fallback : checked_size(key, *value, least, most);
  }

  bool flag_or(const char* key, bool fallback) const {
    const json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) fail(file_, std::string("'") + key + "' must be true or false, got " + value->dump());
    return value->get<bool>();
  }

  std::string text_or(const char* key, const std::string& fallback) const {
    const json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_string()) fail(file_, std::string("'") + key + "' must be a string, got " + value->dump());
    return value->get<std::string>();
  }

 private:
  /// Null in the file is the same as no entry, as for transformers.
  const json* find(const char* key) const {
    const auto found = values_.find(key);
    return found == values_.end() || found->is_null() ? nullptr : &*found;
  }

  std::int64_t checked_size(const char* key, const json& value, std::int64_t least, std::int64_t most) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < static_cast<std::uint64_t>(least) ||
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(most))
      fail(file_, std::string("'") + key + "' must be an integer from " + std::to_string(least) + " to " +
                      std::to_string(most) + ", got " + value.dump());
    return value.get<std::int64_t>();
  }

  fs::path file_;
  json values_;
};

/// The files that a directory's tensors lie in, and which tensor is where.
class tensor_files {
 public:
  explicit tensor_files(const fs::path& directory) {
    struct format {
      const char* name;
      std::unique_ptr<tensor_source> (*open)(const fs::path&);
    };
    for (const auto& [name, open] :
         {format{"model.safetensors", open_safetensors}, format{"pytorch_model.bin", open_torch_archive}}) {
      main_ = directory / name;
      if (fs::exists(main_)) {
        add_whole(open(main_));
        return;
      }
      main_ += ".index.json";
      if (fs::exists(main_)) {
        add_shards(directory, open);
        return;
      }
    }
    fail(directory,
         "holds no weights: neither model.safetensors nor pytorch_model.bin, nor the index of one "
         "(model.safetensors.index.json, pytorch_model.bin.index.json)");
  }

  struct location {
    tensor_source* source;
    std::string name;  ///< in that file
    fs::path file() const { return source->file(); }
  };

  /// Where the tensor of this name without prefix is, or null.
  const location* find(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }

  const fs::path& main_file() const { return main_; }
  const std::map<std::string, location>& all() const { return tensors_; }

 private:
  static std::string without_prefix(std::string name) {
    for (const std::string prefix : {"model.", "decoder."})
      if (name.compare(0, prefix.size(), prefix) == 0) name.erase(0, prefix.size());
    return name;
  }

  void add(tensor_source& source, const std::string& name) {
    const auto [place, is_new] = tensors_.emplace(without_prefix(name), location{&source, name});
    if (!is_new)
      fail(source.file(), "tensor '" + name + "' is ambiguous: '" + place->second.name + "' in " +
                              place->second.file().string() + " is the same part of the model");
  }

  void add_whole(std::unique_ptr<tensor_source> source) {
    for (const auto& name : source->names()) add(*source, name);
    sources_.push_back(std::move(source));
  }

  void add_shards(const fs::path& directory, std::unique_ptr<tensor_source> (*open)(const fs::path&)) {
    const json index = read_json(main_);
    const auto map = index.find("weight_map");
    if (map == index.end() || !map->is_object()) fail(main_, "has no object 'weight_map'");
    std::map<std::string, tensor_source*> opened;
    for (const auto& [tensor, value] : map->items()) {
      if (!value.is_string()) fail(main_, "tensor '" + tensor + "': its file must be a string, got " + value.dump());
      const auto file = value.get<std::string>();
      if (file.empty() || file == "." || file == ".." || file.find('/') != std::string::npos ||
          file.find('\0') != std::string::npos)
        fail(main_, "tensor '" + tensor + "': '" + file + "' is not the name of a file in the same directory");
      auto& source = opened[file];
      if (source == nullptr) {
        sources_.push_back(open(directory / file));
        source = sources_.back().get();
      }
      source->describe(tensor);  // throws if it is not there
      add(*source, tensor);
    }
  }

  fs::path main_;
  std::vector<std::unique_ptr<tensor_source>> sources_;
  std::map<std::string, location> tensors_;
};

/// Elements of a file as floats.
template <class Stored>
float load(const std::byte* bytes) {
  Stored value;
  std::memcpy(&value, bytes, sizeof(value));
  return static_cast<float>(value);
}

void convert(element_type type, const std::byte* bytes, std::int64_t count, float* out) {
  const auto all = [&]<class Stored>(Stored) {
    for (std::int64_t i = 0; i < count; ++i)
      out[i] = load<Stored>(bytes + i * static_cast<std::int64_t>(sizeof(Stored)));
  };
  switch (type) {
    case element_type::float32:
      return all(float{});
    case element_type::float16:
      return all(miq::float16{});
    case element_type::bfloat16:
      return all(miq::bfloat16{});
  }
}

class model_reader {
 public:
  model_reader(const miq::host_executor& exec, const fs::path& directory) : exec_(exec), files_(directory) {}

  opt_model read(const opt_config& config) {
    opt_model model;
    model.config = config;
    model.embed_positions = matrix("embed_positions.weight", config.context + 2, config.hidden);
    read_embeddings(model);
    if (config.has_projections()) {
      model.project_in = matrix("project_in.weight", config.hidden, config.embedding);
      model.project_out = matrix("project_out.weight", config.embedding, config.hidden);
    }
    if (config.has_final_layer_norm) model.final_layer_norm = norm("final_layer_norm", config);
    for (std::int64_t i = 0; i < config.layers; ++i) model.layers.push_back(layer(i, config));
    refuse_further_layers(config);
    model.stored_as = widest_;
    return model;
  }

 private:
  /// As transformers: tied weights of which only one is in the file are that one; if both are there and differ, they
  /// are not tied whatever the configuration says.
  void read_embeddings(opt_model& model) {
    auto& config = model.config;
    const bool only_head =
        config.tied_head && files_.find("embed_tokens.weight") == nullptr && files_.find("lm_head.weight") != nullptr;
    model.embed_tokens =
        matrix(only_head ? "lm_head.weight" : "embed_tokens.weight", config.vocabulary, config.embedding);
    if (only_head || (config.tied_head && files_.find("lm_head.weight") == nullptr)) return;
    auto head = matrix("lm_head.weight", config.vocabulary, config.embedding);
    const bool equal = std::equal(head.data(), head.data() + head.size(), model.embed_tokens.data());
    if (config.tied_head && equal) return;
    config.tied_head = false;
    model.lm_head = std::move(head);
  }

  decoder_layer layer(std::int64_t index, const opt_config& config) {
    const std::string prefix = "layers." + std::to_string(index) + ".";
    decoder_layer layer;
    for (const auto id : all_linears) {
      const std::int64_t rows = id == linear_id::fc1 ? config.feed_forward : config.hidden;
      const std::int64_t columns = id == linear_id::fc2 ? config.feed_forward : config.hidden;
      const std::string name = prefix + std::string(name_of(id));
      layer[id].weight = compressed_or_dense(name + ".weight", rows, columns);
      if (config.has_bias) layer[id].bias = vector(name + ".bias", rows);
    }
    layer.self_attn_layer_norm = norm(prefix + "self_attn_layer_norm", config);
    layer.final_layer_norm = norm(prefix + "final_layer_norm", config);
    return layer;
  }

  layer_norm norm(const std::string& name, const opt_config& config) {
    if (!config.layer_norm_affine) return {};
    return {vector(name + ".weight", config.hidden), vector(name + ".bias", config.hidden)};
  }

  miq::matrix<float> matrix(const std::string& name, std::int64_t rows, std::int64_t columns) {
    const auto& place = locate(name, {rows, columns});
    miq::matrix<float> result(rows, columns);
    fill(place, {result.data(), static_cast<std::size_t>(result.size())});
    return result;
  }

  /// A matrix, or what a packed layer of miq stands for.
  miq::matrix<float> compressed_or_dense(const std::string& name, std::int64_t rows, std::int64_t columns) {
    const auto* packed = files_.find(name + ".miq");
    if (packed == nullptr) return matrix(name, rows, columns);
    if (const auto* dense = files_.find(name))
      fail(packed->file(),
           "tensor '" + packed->name + "' is ambiguous: '" + dense->name + "' is the same part of the model");
    if (packed->source->describe(packed->name).type_name != "U8")
      fail(packed->file(), "tensor '" + packed->name + "' must have the type U8");
    try {
      const miq::quantization::packed_layer_view layer(packed->source->read(packed->name));
      if (layer.rows() != rows || layer.columns() != columns)
        fail(packed->file(), "tensor '" + packed->name + "' has the shape " +
                                 shape_text(std::vector<std::int64_t>{layer.rows(), layer.columns()}) +
                                 ", but config.json asks for " + shape_text(std::vector<std::int64_t>{rows, columns}));
      return miq::quantization::unpack_layer(exec_, layer);
    } catch (const miq::invalid_argument& failure) {
      fail(packed->file(), "tensor '" + packed->name + "': " + failure.what());
    }
  }

  std::vector<float> vector(const std::string& name, std::int64_t size) {
    const auto& place = locate(name, {size});
    std::vector<float> result(static_cast<std::size_t>(size));
    fill(place, result);
    return result;
  }

  /// Finds a tensor and checks its shape and type, before memory is allocated for it.
  const tensor_files::location& locate(const std::string& name, std::vector<std::int64_t> shape) {
    const auto* place = files_.find(name);
    if (place == nullptr)
      fail(files_.main_file(), "tensor '" + name + "' is missing (with or without the prefixes model. and decoder.)");
    const auto& found = place->source->describe(place->name);
    if (found.shape != shape)
      fail(place->file(), "tensor '" + place->name + "' has the shape " + shape_text(found.shape) +
                              ", but config.json asks for " + shape_text(shape));
    if (!found.type)
      fail(place->file(), "tensor '" + place->name + "' has the type " + found.type_name +
                              ", but weights must be float32, float16 or bfloat16");
    return *place;
  }

  void fill(const tensor_files::location& place, std::span<float> out) {
    const auto type = *place.source->describe(place.name).type;
    widest_ = any_read_ ? wider(widest_, type) : type;
    any_read_ = true;
    const auto bytes = place.source->read(place.name);
    const auto size = static_cast<std::int64_t>(out.size());
    constexpr std::int64_t block = 1 << 16;
    std::atomic<std::int64_t> bad = size;
    exec_.parallel_for((size + block - 1) / block, [&](std::int64_t index) {
      const std::int64_t first = index * block, count = std::min(block, size - first);
      float* values = out.data() + first;
      convert(type, bytes.data() + first * bytes_of(type), count, values);
      const auto* found = std::find_if(values, values + count, [](float value) { return !std::isfinite(value); });
      std::int64_t place_of_first = bad.load();
      const std::int64_t here = first + (found - values);
      while (found != values + count && here < place_of_first && !bad.compare_exchange_weak(place_of_first, here)) {
      }
    });
    if (bad < size)
      fail(place.file(), "tensor '" + place.name + "' has a weight that is not finite: element " +
                             std::to_string(bad.load()) + " is " +
                             std::to_string(out[static_cast<std::size_t>(bad.load())]));
  }

  static element_type wider(element_type a, element_type b) { return a == b ? a : element_type::float32; }

  /// A file with more layers than the configuration says belongs to another model.
  void refuse_further_layers(const opt_config& config) const {
    for (const auto& [name, place] : files_.all()) {
      if (name.compare(0, 7, "layers.") != 0) continue;
      const auto number = name.substr(7, name.find('.', 7) - 7);
      if (number.empty() || number.size() > 9 || number.find_first_not_of("0123456789") != std::string::npos ||
          std::stoll(number) >= config.layers)
        fail(place.file(), "tensor '" + place.name + "' belongs to none of the " + std::to_string(config.layers) +
                               " layers that config.json announces");
    }
  }

  const miq::host_executor& exec_;
  tensor_files files_;
  element_type widest_ = element_type::float32;
  bool any_read_ = false;
};

}  // namespace

opt_config read_config(const fs::path& directory) {
  constexpr std::int64_t widest = std::int64_t{1} << 24, most_layers = 10'000;
  const fs::path file = directory / "config.json";
  const config_reader read(file);
  const auto kind = read.text_or("model_type", "");
  if (kind != "opt") fail(file, "'model_type' must be \"opt\", got \"" + kind + "\"");

  opt_config config;
  config.vocabulary = read.size("vocab_size", 1, widest);
  config.hidden = read.size("hidden_size", 1, widest);
  config.layers = read.size("num_hidden_layers", 1, most_layers);
  config.heads = read.size("num_attention_heads", 1, widest);
  config.feed_forward = read.size("ffn_dim", 1, widest);
  config.context = read.size("max_position_embeddings", 1, widest);
  config.embedding = read.size_or("word_embed_proj_dim", 1, widest, config.hidden);
  if (config.hidden % config.heads != 0)
    fail(file, "'hidden_size' " + std::to_string(config.hidden) + " is not a multiple of 'num_attention_heads' " +
                   std::to_string(config.heads));
  const auto function = read.text_or("activation_function", "relu");
  if (function != "relu" && function != "gelu")
    fail(file, "'activation_function' must be \"relu\" or \"gelu\", got \"" + function + "\"");
  config.feed_forward_activation = function == "relu" ? activation::relu : activation::gelu;
  config.layer_norm_before = read.flag_or("do_layer_norm_before", true);
  config.has_final_layer_norm = config.layer_norm_before && !read.flag_or("_remove_final_layer_norm", false);
  config.has_bias = read.flag_or("enable_bias", true);
  config.layer_norm_affine = read.flag_or("layer_norm_elementwise_affine", true);
  config.tied_head = read.flag_or("tie_word_embeddings", true);
  config.bos_token = static_cast<std::int32_t>(read.size_or("bos_token_id", 0, config.vocabulary - 1, 2));
  return config;
}

opt_model load_model(const miq::host_executor& exec, const fs::path& directory) {
  const auto config = read_config(directory);
  return errors_as<checkpoint_error>([&] { return model_reader(exec, directory).read(config); });
}

}  // namespace compress_opt
