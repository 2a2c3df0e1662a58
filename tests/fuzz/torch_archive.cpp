// Checkpoints of torch.save: a zip archive with a pickle.
#include "fuzz/tensors.hpp"

std::vector<std::string> miq_fuzz::seeds() {
  const std::filesystem::path data = "tests/examples/data/checkpoints";
  return {file_of(data / "torch-bfloat16-parameters/pytorch_model.bin"),
          file_of(data / "torch-sharded-views/pytorch_model-00001-of-00002.bin")};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return miq_fuzz::read_all_tensors(compress_opt::open_torch_archive, data, size);
}
