#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "fuzz/target.hpp"

namespace miq_fuzz {

std::string file_of(const std::filesystem::path& inside_repository) {
  const auto file = std::filesystem::path(MIQ_SOURCE_DIR) / inside_repository;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot open " + file.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

file_in_memory::file_in_memory() : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
  if (descriptor_ < 0) throw std::runtime_error("memfd_create failed");
}
file_in_memory::~file_in_memory() { ::close(descriptor_); }

void file_in_memory::write(std::span<const std::uint8_t> bytes) {
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("cannot write to memory");
}
void file_in_memory::write(std::string_view text) {
  write(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}
std::filesystem::path file_in_memory::path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

}  // namespace miq_fuzz
