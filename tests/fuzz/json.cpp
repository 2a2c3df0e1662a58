// JSON of configurations and headers.
#include "compress_opt/files/json.hpp"
#include "compress_opt/errors.hpp"
#include "fuzz/target.hpp"

std::vector<std::string> miq_fuzz::seeds() {
  return {file_of("examples/compress_opt/data/opt-demo/config.json"),
          file_of("tests/examples/data/checkpoints/torch-sharded-views/pytorch_model.bin.index.json"),
          R"({"a": [1, -2.5e3, true, null, "\u00e9\ud83d\ude00"], "b": {"c": {}}})"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto value = compress_opt::parse_json_object({reinterpret_cast<const char*>(data), size}, "fuzz");
    if (!value.is_object()) __builtin_trap();
  } catch (const examples::input_error&) {
  }
  return 0;
}
