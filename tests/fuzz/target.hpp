// tests/fuzz/target.hpp: what a fuzz target is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Reads the bytes; throws nothing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace miq_fuzz {

/// Inputs to begin with: what the reader accepts. Each target has its own.
std::vector<std::string> seeds();

/// The bytes of a file of the repository. @throws std::runtime_error
std::string file_of(const std::filesystem::path& inside_repository);

/// Bytes as a file that has a path, for readers that map files.
class file_in_memory {
 public:
  file_in_memory();
  file_in_memory(const file_in_memory&) = delete;
  file_in_memory& operator=(const file_in_memory&) = delete;
  ~file_in_memory();

  /// Replaces the contents.
  void write(std::span<const std::uint8_t> bytes);
  void write(std::string_view text);
  std::filesystem::path path() const;

 private:
  int descriptor_;
};

}  // namespace miq_fuzz
