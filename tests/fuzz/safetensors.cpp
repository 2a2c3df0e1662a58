// Checkpoints of safetensors.
#include "fuzz/tensors.hpp"

std::vector<std::string> miq_fuzz::seeds() {
  const std::filesystem::path data = "tests/examples/data/checkpoints";
  auto plain = file_of(data / "safetensors-bfloat16-plain/model.safetensors");
  const std::string header =
      R"({"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},)"
      R"("b":{"dtype":"I64","shape":[1],"data_offsets":[12,20]},"__metadata__":{"format":"pt"}})";
  std::string small(8, '\0');
  small[0] = static_cast<char>(header.size());
  return {plain, small + header + std::string(20, 'x')};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return miq_fuzz::read_all_tensors(compress_opt::open_safetensors, data, size);
}
