// test_support/shared_folder.hpp: the optional folder of models and texts that are too large for the repository.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace miq_test {

/// The folder named by the environment variable MIQ_SHARED_DIR, or `shared` beside the source directory, or nothing if
/// there is none. Tests that need it skip themselves with MIQ_SKIP when it is missing.
inline std::optional<std::filesystem::path> shared_folder() {
  const char* named = std::getenv("MIQ_SHARED_DIR");
  const auto folder = named != nullptr && *named != '\0'
                          ? std::filesystem::path(named)
                          : std::filesystem::path(MIQ_SOURCE_DIR).parent_path() / "shared";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return std::nullopt;
  return folder;
}

/// A file or folder inside it, or nothing if it is not there.
inline std::optional<std::filesystem::path> shared_path(const std::filesystem::path& relative) {
  const auto folder = shared_folder();
  std::error_code ignored;
  if (!folder || !std::filesystem::exists(*folder / relative, ignored)) return std::nullopt;
  return *folder / relative;
}

}  // namespace miq_test
