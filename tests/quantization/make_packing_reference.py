"""Prints packing_values.hpp: words that compressed-tensors (0.20.0) packs. Needs torch and compressed-tensors."""
import torch
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32

print("// tests/quantization/packing_values.hpp: codes 5 i mod 2^b, i < 33, as compressed-tensors 0.20.0 packs them.")
print("// Made by make_packing_reference.py.")
print("#pragma once\n\n#include <cstdint>\n#include <vector>\n")
print("// One line for each width, 1 to 8.")
print("inline const std::vector<std::vector<std::uint32_t>> packed_by_compressed_tensors{")
for bits in range(1, 9):
    codes = torch.arange(33) * 5 % (1 << bits)
    packed = pack_to_int32((codes - (1 << (bits - 1))).to(torch.int8)[None], bits)[0]
    print("    {" + ", ".join(f"0x{word & 0xFFFFFFFF:08X}" for word in packed.tolist()) + "},")
print("};")
