#include "compress_opt/checkpoint/save.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <miq/core/numeric_types.hpp>

#include "common/mapped_file.hpp"
#include "common/text.hpp"
#include "compress_opt/checkpoint/tensor_source.hpp"
#include "compress_opt/files/json.hpp"

namespace compress_opt {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view weights_file = "model.safetensors", config_file = "config.json",
                           gptq_file = "quantize_config.json";
constexpr std::array<std::string_view, 7> copied_files = {
    "vocab.json",     "merges.txt",        "tokenizer_config.json", "special_tokens_map.json",
    "tokenizer.json", "added_tokens.json", "generation_config.json"};

[[noreturn]] void cannot_save(const fs::path& file, const std::string& what) {
  throw checkpoint_error(file.string() + ": " + what);
}
[[noreturn]] void fail_with_system_reason(const fs::path& file, const std::string& what) {
  const int reason = errno;
  cannot_save(file, what + ": " + std::generic_category().message(reason));
}

void flush_to_disk(int descriptor, const fs::path& path) {
  if (::fsync(descriptor) != 0) fail_with_system_reason(path, "cannot be written to the disk");
}

/// A new file; written through a buffer, and on the disk after `close`.
class output_file {
 public:
  explicit output_file(fs::path path)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) fail_with_system_reason(path_, "cannot be created");
    buffer_.reserve(capacity);
  }
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  void write(std::span<const std::byte> bytes) {
    if (buffer_.size() + bytes.size() > capacity) write_buffer();
    if (bytes.size() >= capacity)
      write_through(bytes);
    else
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }

  void close() {
    write_buffer();
    flush_to_disk(descriptor_, path_);
    if (::close(std::exchange(descriptor_, -1)) != 0) fail_with_system_reason(path_, "cannot be written");
  }

 private:
  static constexpr std::size_t capacity = 1 << 20;

  void write_buffer() {
    write_through(buffer_);
    buffer_.clear();
  }

  void write_through(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_with_system_reason(path_, "cannot be written");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  fs::path path_;
  int descriptor_;
  std::vector<std::byte> buffer_;
};

/// A directory beside the target that is removed unless it was put in the target's place.
class partial_directory {
 public:
  explicit partial_directory(const fs::path& target) : target_(target) {
    // The process's number keeps two savers apart; a further one is tried where a killed process left its directory.
    for (int attempt = 0;; ++attempt) {
      const auto name = examples::join('.', target.filename().string(), ".partial-", ::getpid(), '-', attempt);
      const fs::path path = parent() / name;
      if (::mkdir(path.c_str(), 0777) == 0) {
        path_ = path;
        return;
      }
      if (errno != EEXIST || attempt == 100) fail_with_system_reason(path, "cannot be created");
    }
  }
  partial_directory(const partial_directory&) = delete;
  partial_directory& operator=(const partial_directory&) = delete;
  ~partial_directory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  const fs::path& path() const { return path_; }

  /// Puts the complete directory in the target's place. An existing target is exchanged for it and then removed with
  /// this object; where the file system cannot exchange, it is moved aside first, and back if that fails.
  void commit() {
    sync(path_);
    if (!fs::exists(target_)) {
      if (::rename(path_.c_str(), target_.c_str()) != 0) fail_with_system_reason(target_, "cannot be created");
      path_.clear();
    } else if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
      if (errno != EINVAL && errno != ENOSYS) fail_with_system_reason(target_, "cannot be replaced");
      const fs::path aside = path_.string() + "-replaced";
      if (::rename(target_.c_str(), aside.c_str()) != 0) fail_with_system_reason(target_, "cannot be replaced");
      if (::rename(path_.c_str(), target_.c_str()) != 0) {
        const int reason = errno;
        ::rename(aside.c_str(), target_.c_str());
        errno = reason;
        fail_with_system_reason(target_, "cannot be replaced");
      }
      path_ = aside;
    }
    sync(parent());
  }

 private:
  fs::path parent() const { return target_.has_parent_path() ? target_.parent_path() : fs::path("."); }

  static void sync(const fs::path& directory) {
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) fail_with_system_reason(directory, "cannot be opened");
    const int result = ::fsync(descriptor);
    const int reason = errno;
    ::close(descriptor);
    errno = reason;
    if (result != 0 && reason != EINVAL) fail_with_system_reason(directory, "cannot be written to the disk");
  }

  fs::path target_, path_;
};

/// The target without trailing slash or `.`, so that it has a name and a parent.
fs::path clean_target(const fs::path& target) {
  auto path = target.lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (path.empty() || path == "." || path == ".." || !path.has_filename())
    cannot_save(target.empty() ? "(empty path)" : target, "is not the name of a directory to write to");
  return path;
}

struct named_tensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;
  std::string type = {};              // as safetensors calls it; empty: `values` in the type of all weights
  std::vector<std::byte> bytes = {};  // where `type` is not empty
};

/// The tensors that a compressed matrix becomes.
std::vector<encoded_tensor> encoded(const miq::host_executor& exec, const stored_matrix& matrix,
                                    const miq::matrix<float>& weights, save_format format, std::int64_t group_size) {
  if (format == save_format::gptq) return gptq_tensors(exec, matrix, group_size);
  if (format == save_format::compressed_tensors) return compressed_tensors_tensors(exec, matrix);
  return miq_tensors(exec, matrix, weights);
}

const stored_matrix* find_stored(const save_options& options, const std::string& name) {
  if (options.format == save_format::huggingface || options.matrices == nullptr) return nullptr;
  const auto found = options.matrices->find(name);
  return found == options.matrices->end() ? nullptr : &found->second;
}

std::vector<named_tensor> tensors_of(const opt_model& model, const save_options& options) {
  const miq::host_executor exec({.threads = 1});  // packing takes nanoseconds a weight
  const auto group_size = options.format == save_format::gptq ? gptq_group_size(*options.matrices) : 0;
  std::vector<named_tensor> list;
  const std::string prefix = "model.decoder.";
  const auto add_matrix = [&](const std::string& name, const miq::matrix<float>& m) {
    if (!m.empty()) list.push_back({name, {m.rows(), m.columns()}, {m.data(), static_cast<std::size_t>(m.size())}});
  };
  const auto add_vector = [&](const std::string& name, const std::vector<float>& v) {
    if (!v.empty()) list.push_back({name, {static_cast<std::int64_t>(v.size())}, v});
  };
  const auto add_norm = [&](const std::string& name, const layer_norm& norm) {
    add_vector(name + ".weight", norm.weight);
    add_vector(name + ".bias", norm.bias);
  };
  add_matrix(prefix + "embed_tokens.weight", model.embed_tokens);
  add_matrix(prefix + "embed_positions.weight", model.embed_positions);
  add_matrix(prefix + "project_in.weight", model.project_in);
  add_matrix(prefix + "project_out.weight", model.project_out);
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".";
    for (const auto id : all_linears) {
      const auto name = layer + std::string(name_of(id));
      const auto stored_name = std::to_string(i) + '.' + std::string(name_of(id));
      const auto& weight = model.layers[i][id].weight;
      if (const auto* stored = find_stored(options, stored_name))
        for (auto& tensor : encoded(exec, *stored, weight, options.format, group_size))
          list.push_back({name + tensor.name, tensor.shape, {}, tensor.type, std::move(tensor.bytes)});
      else
        add_matrix(name + ".weight", weight);
      add_vector(name + ".bias", model.layers[i][id].bias);
    }
    add_norm(layer + "self_attn_layer_norm", model.layers[i].self_attn_layer_norm);
    add_norm(layer + "final_layer_norm", model.layers[i].final_layer_norm);
  }
  if (model.config.has_final_layer_norm) add_norm(prefix + "final_layer_norm", model.final_layer_norm);
  add_matrix("lm_head.weight", model.lm_head);
  return list;
}

const char* safetensors_name(element_type type) {
  switch (type) {
    case element_type::float32:
      return "F32";
    case element_type::float16:
      return "F16";
    case element_type::bfloat16:
      return "BF16";
  }
  return "F32";
}

const char* torch_name(element_type type) {
  switch (type) {
    case element_type::float32:
      return "float32";
    case element_type::float16:
      return "float16";
    case element_type::bfloat16:
      return "bfloat16";
  }
  return "float32";
}

template <class Stored>
void write_as(output_file& file, const named_tensor& tensor) {
  constexpr std::size_t block = 4096;
  std::array<Stored, block> stored;
  for (std::size_t first = 0; first < tensor.values.size(); first += block) {
    const std::size_t count = std::min(block, tensor.values.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      stored[i] = Stored(tensor.values[first + i]);
      if (!std::isfinite(static_cast<float>(stored[i])))
        throw checkpoint_error("tensor '" + tensor.name + "': element " + std::to_string(first + i) + " is " +
                               std::to_string(tensor.values[first + i]) + ", which the stored type cannot hold");
    }
    file.write(std::as_bytes(std::span(stored.data(), count)));
  }
}

void write_weights(const opt_model& model, const fs::path& path, element_type type, const save_options& options) {
  const auto& progress = options.progress;
  const auto tensors = tensors_of(model, options);
  nlohmann::json header = {{"__metadata__", {{"format", options.format == save_format::miq ? "miq" : "pt"}}}};
  std::int64_t end = 0;
  for (const auto& tensor : tensors) {
    const auto size = tensor.type.empty() ? *element_count(tensor.shape) * bytes_of(type)
                                          : static_cast<std::int64_t>(tensor.bytes.size());
    const std::int64_t begin = std::exchange(end, end + size);
    header[tensor.name] = {{"dtype", tensor.type.empty() ? safetensors_name(type) : tensor.type},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data are aligned
  std::array<std::byte, 8> length{};
  for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<std::byte>(text.size() >> 8 * i & 0xFF);

  output_file file(path);
  file.write(length);
  file.write(std::as_bytes(std::span(text)));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].type.empty())
      file.write(tensors[i].bytes);
    else if (type == element_type::float32)
      write_as<float>(file, tensors[i]);
    else if (type == element_type::float16)
      write_as<miq::float16>(file, tensors[i]);
    else
      write_as<miq::bfloat16>(file, tensors[i]);
    miq::report_progress(progress, "save", static_cast<double>(i + 1) / static_cast<double>(tensors.size()));
  }
  file.close();
}

void write_bytes(const fs::path& path, std::span<const std::byte> bytes) {
  output_file file(path);
  file.write(bytes);
  file.close();
}

/// Modules of type Linear that are not compressed.
std::vector<std::string> dense_modules(const opt_model& model, const stored_matrices& matrices) {
  std::vector<std::string> names = {"lm_head"};
  if (model.config.has_projections())
    names.insert(names.end(), {"model.decoder.project_in", "model.decoder.project_out"});
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    for (const auto id : all_linears) {
      const auto name = std::to_string(i) + '.' + std::string(name_of(id));
      if (!matrices.contains(name)) names.push_back("model.decoder.layers." + name);
    }
  return names;
}

void write_config(const opt_model& model, const fs::path& source, const fs::path& directory, element_type type,
                  const save_options& options) {
  const fs::path original = source / config_file;
  auto config = parse_json_object(mapped_file(original).text(), original.string());
  config["architectures"] = {"OPTForCausalLM"};
  config["dtype"] = torch_name(type);
  config["torch_dtype"] = torch_name(type);  // its name before transformers 4.56
  config["tie_word_embeddings"] = model.config.tied_head;
  config.erase("quantization_config");
  if (options.format == save_format::gptq) {
    config["quantization_config"] = gptq_config(*options.matrices);
    const std::string text = config["quantization_config"].dump(2) + "\n";
    write_bytes(directory / gptq_file, std::as_bytes(std::span(text)));
  } else if (options.format == save_format::compressed_tensors) {
    config["quantization_config"] =
        compressed_tensors_config(*options.matrices, dense_modules(model, *options.matrices));
  } else if (options.format == save_format::miq) {
    config["quantization_config"] = {{"quant_method", "miq"}, {"version", 1}};
  }
  const std::string text = config.dump(2) + "\n";
  write_bytes(directory / config_file, std::as_bytes(std::span(text)));
}

/// The formats that other programs read need all of it to be right.
void check_matrices(const opt_model& model, const save_options& options) {
  if (options.format == save_format::huggingface || options.format == save_format::miq) return;
  if (options.matrices == nullptr || options.matrices->empty())
    throw option_error(examples::join("--save_format ", name_of(options.format), ": the model has no codes to save"));
  for (const auto& [name, matrix] : *options.matrices) require_holds(options.format, traits_of(matrix), name);
  if (options.format == save_format::gptq && options.matrices->size() != model.layers.size() * all_linears.size())
    throw option_error("--save_format gptq: all matrices of all layers must be compressed");
}

}  // namespace

void check_save_target(const fs::path& source, const fs::path& given) {
  std::error_code error;
  const auto target = clean_target(given);
  const auto parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  if (!fs::is_directory(parent, error)) cannot_save(target, "the directory " + parent.string() + " does not exist");
  if (::access(parent.c_str(), W_OK | X_OK) != 0) fail_with_system_reason(parent, "cannot be written to");
  if (!fs::exists(fs::symlink_status(target, error))) return;
  if (fs::is_symlink(fs::symlink_status(target, error)))
    cannot_save(target, "is a symbolic link; name the directory itself");
  if (!fs::is_directory(target, error)) cannot_save(target, "exists and is not a directory");
  if (fs::equivalent(source, target, error))
    cannot_save(target, "is the model that was read; choose another directory");
  fs::directory_iterator entries(target, error);
  if (error) cannot_save(target, "cannot be read: " + error.message());
  for (const auto& entry : entries) {
    const auto name = entry.path().filename().string();
    const bool written_by_us = name == weights_file || name == config_file || name == gptq_file ||
                               std::find(copied_files.begin(), copied_files.end(), name) != copied_files.end();
    if (!written_by_us || !entry.is_regular_file())
      cannot_save(target, "exists and holds '" + name + "', which no saved model has; it is left as it is");
  }
}

void save_model(const opt_model& model, const fs::path& source, const fs::path& target, const save_options& options) {
  check_save_target(source, target);
  check_matrices(model, options);
  const bool half = options.format == save_format::gptq || options.format == save_format::compressed_tensors;
  const auto type = half ? element_type::float16 : options.type.value_or(model.stored_as);
  errors_as<checkpoint_error>([&] {
    partial_directory directory(clean_target(target));
    write_config(model, source, directory.path(), type, options);
    for (const auto name : copied_files)
      if (fs::exists(source / name)) write_bytes(directory.path() / name, mapped_file(source / name).bytes());
    write_weights(model, directory.path() / weights_file, type, options);
    directory.commit();
  });
}

}  // namespace compress_opt
