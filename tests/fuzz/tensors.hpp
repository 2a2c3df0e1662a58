// tests/fuzz/tensors.hpp: reads everything that a file of tensors offers.
#pragma once

#include "compress_opt/checkpoint/tensor_source.hpp"
#include "compress_opt/errors.hpp"
#include "fuzz/target.hpp"

namespace miq_fuzz {

inline int read_all_tensors(std::unique_ptr<compress_opt::tensor_source> (*open)(const std::filesystem::path&),
                            const std::uint8_t* data, std::size_t size) {
  static file_in_memory file;
  file.write(std::span(data, size));
  try {
    const auto source = open(file.path());
    for (const auto& name : source->names()) {
      const auto& described = source->describe(name);
      if (!described.type) continue;
      const auto elements = compress_opt::element_count(described.shape);
      if (!elements || *elements > 1 << 22) continue;
      try {
        const auto bytes = source->read(name);
        if (static_cast<std::int64_t>(bytes.size()) != *elements * compress_opt::bytes_of(*described.type))
          __builtin_trap();
        unsigned sum = 0;  // touches every byte
        for (const auto one : bytes) sum += std::to_integer<unsigned>(one);
        [[maybe_unused]] volatile unsigned seen = sum;
      } catch (const examples::input_error&) {
      }
    }
  } catch (const examples::input_error&) {
  }
  return 0;
}

}  // namespace miq_fuzz
