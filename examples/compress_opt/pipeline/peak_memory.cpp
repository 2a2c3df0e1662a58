#include "compress_opt/pipeline/peak_memory.hpp"

#include <sys/resource.h>

#include <fstream>
#include <string>

namespace compress_opt {

bool reset_peak_memory() {
  std::ofstream file("/proc/self/clear_refs");
  file << '5' << std::flush;  // proc(5): resets the peak resident set size to the current one
  return file.good();
}

std::int64_t peak_memory() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) * 1024;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#if defined(__APPLE__)
  return usage.ru_maxrss;  // in bytes there
#else
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
#endif
}

}  // namespace compress_opt
