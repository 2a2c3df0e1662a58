#include "common/whole_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>

namespace examples {

void write_whole_file(const std::filesystem::path& file, std::initializer_list<std::string_view> pieces) {
  const auto partial = std::filesystem::path(file.string() + ".partial");
  std::error_code ignored;
  errno = 0;
  std::ofstream stream(partial, std::ios::binary | std::ios::trunc);
  for (const auto bytes : pieces) stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  std::string reason;
  if (!stream) {
    reason = errno != 0 ? std::strerror(errno) : "unknown reason";
  } else {
    std::error_code failure;
    std::filesystem::rename(partial, file, failure);
    if (!failure) return;
    reason = failure.message();
  }
  std::filesystem::remove(partial, ignored);
  throw input_error(file.string() + ": cannot be written: " + reason);
}

void make_writable_folder(const std::filesystem::path& folder, std::string_view what) {
  const auto fail = [&](const std::string& reason) {
    throw input_error(folder.string() + ": " + std::string(what) + ' ' + reason);
  };
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) fail("cannot be made: " + failure.message());
  if (!std::filesystem::is_directory(folder, failure)) fail("is not a directory");
  const auto probe = folder / ".probe";
  write_whole_file(probe, "");
  std::filesystem::remove(probe, failure);
}

}  // namespace examples
