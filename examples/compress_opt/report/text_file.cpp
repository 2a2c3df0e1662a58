#include "compress_opt/report/text_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>

namespace compress_opt {

void write_text_file(const std::filesystem::path& file, std::string_view bytes) {
  const auto partial = std::filesystem::path(file.string() + ".partial");
  std::error_code ignored;
  errno = 0;
  std::ofstream stream(partial, std::ios::binary | std::ios::trunc);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
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

}  // namespace compress_opt
