// NumPy's arrays.
#include <algorithm>

#include "common/errors.hpp"
#include "fuzz/target.hpp"
#include "mutual_information/files/npy.hpp"

std::vector<std::string> miq_fuzz::seeds() {
  std::vector<std::string> result;
  const std::filesystem::path data = "tests/examples/data/tables";
  for (const auto* name : {"b1-little-C", "f2-big-F", "f4-little-C", "f8-big-C", "i1-big-F", "i8-little-F", "u2-big-C",
                           "refused-structure", "refused-objects"})
    result.push_back(file_of(data / (std::string(name) + ".npy")));
  return result;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static miq_fuzz::file_in_memory file;
  file.write(std::span(data, size));
  try {
    const mutual_information::npy_array array{examples::mapped_file(file.path())};
    std::int64_t elements = 1;
    for (const auto extent : array.shape()) elements *= extent;
    double sum = 0;
    for (std::int64_t i = 0; i < std::min<std::int64_t>(elements, 4096); ++i) sum += array[i];
    [[maybe_unused]] volatile double seen = sum;
  } catch (const examples::input_error&) {
  }
  return 0;
}
