// tests/examples/support.hpp: files for the tests of compress_opt: where they are, and how they are spoilt.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "compress_opt/errors.hpp"

namespace miq_test {

namespace fs = std::filesystem;

inline fs::path test_data() { return fs::path(MIQ_SOURCE_DIR) / "tests/examples/data"; }
inline fs::path demo_data() { return fs::path(MIQ_SOURCE_DIR) / "examples/compress_opt/data"; }
inline fs::path demo_model() { return demo_data() / "opt-demo"; }

/// Larger models and texts that are not part of the repository: the folder named by MIQ_TEST_MODELS, or `shared` beside
/// the repository. Tests that need them are skipped where they are missing.
inline fs::path shared_data() {
  const char* named = std::getenv("MIQ_TEST_MODELS");
  return named != nullptr ? fs::path(named) : fs::path(MIQ_SOURCE_DIR).parent_path() / "shared";
}

inline const std::vector<std::string>& checkpoint_names() {
  static const std::vector<std::string> names = {"safetensors-bfloat16-plain", "safetensors-sharded-projected",
                                                 "torch-bfloat16-parameters",  "torch-float16-own-head",
                                                 "torch-post-norm-projected",  "torch-sharded-views"};
  return names;
}
inline fs::path checkpoint(const std::string& name) { return test_data() / "checkpoints" / name; }

/// A new directory that is removed at the end.
class temporary_directory {
 public:
  temporary_directory() {
    std::string name = (fs::temp_directory_path() / "miq-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

inline std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot open " + file.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void write_text(const fs::path& file, const std::string& text) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.flush()) throw std::runtime_error("cannot write " + file.string());
}

inline nlohmann::json read_json(const fs::path& file) { return nlohmann::json::parse(read_text(file)); }

inline void copy_files(const fs::path& from, const fs::path& to) {
  for (const auto& entry : fs::directory_iterator(from)) fs::copy_file(entry.path(), to / entry.path().filename());
}

/// A safetensors file taken apart: its JSON header (which `edit` may change as it likes) and its data.
struct safetensors_text {
  nlohmann::json header;
  std::string data;

  static safetensors_text read(const fs::path& file) {
    const auto text = read_text(file);
    std::uint64_t length = 0;
    std::memcpy(&length, text.data(), sizeof(length));
    return {nlohmann::json::parse(text.substr(8, length)), text.substr(8 + length)};
  }
  void write(const fs::path& file) const { write_raw(file, header.dump(), data); }
  static void write_raw(const fs::path& file, const std::string& header, const std::string& data) {
    std::string text(8, '\0');
    const std::uint64_t length = header.size();
    std::memcpy(text.data(), &length, sizeof(length));
    write_text(file, text + header + data);
  }
};

/// The message of the `Error` that `call` throws, or what happened instead.
template <class Error>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
    return "(nothing was thrown)";
  } catch (const Error& failure) {
    return failure.what();
  } catch (const std::exception& other) {
    return std::string("(another exception: ") + other.what() + ")";
  }
}

/// Whether `call` returns or throws an `Error`; anything else passes through and fails the test.
template <class Error>
bool returns_or_refuses(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error&) {
  }
  return true;
}

}  // namespace miq_test
