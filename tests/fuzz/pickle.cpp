// The pickle inside a checkpoint, without the archive around it, whose checksum would stop most changes.
#include <cstring>

#include "compress_opt/checkpoint/pickle.hpp"
#include "compress_opt/errors.hpp"
#include "fuzz/target.hpp"

std::vector<std::string> miq_fuzz::seeds() {
  // torch.save stores the pickle as it is: from its first opcode behind the name `data.pkl` to its last before the next
  // entry of the archive.
  std::vector<std::string> result;
  const std::filesystem::path data = "tests/examples/data/checkpoints";
  for (const auto* file : {"torch-bfloat16-parameters/pytorch_model.bin", "torch-float16-own-head/pytorch_model.bin"}) {
    const auto archive = file_of(data / file);
    const auto name = archive.find("data.pkl");
    const auto begin = archive.find('\x80', name);
    const auto end = archive.find("PK\x07\x08", begin);
    if (name == archive.npos || begin == archive.npos || end == archive.npos) std::abort();
    result.push_back(archive.substr(begin, end - begin));
  }
  return result;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    compress_opt::read_state_dictionary({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
  } catch (const examples::input_error&) {
  }
  return 0;
}
