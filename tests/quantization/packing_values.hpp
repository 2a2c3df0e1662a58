// tests/quantization/packing_values.hpp: codes 5 i mod 2^b, i < 33, as compressed-tensors 0.20.0 packs them.
// Made by make_packing_reference.py.
#pragma once

#include <cstdint>
#include <vector>

// One line for each width, 1 to 8.
inline const std::vector<std::vector<std::uint32_t>> packed_by_compressed_tensors{
    {0xAAAAAAAA, 0x00000000},
    {0xE4E4E4E4, 0xE4E4E4E4, 0x00000000},
    {0xA878CEA8, 0xCEA878CE, 0x78CEA878, 0x00000000},
    {0x3E94FA50, 0xB61C72D8, 0x3E94FA50, 0xB61C72D8, 0x00000000},
    {0xB347A8A0, 0xCBC9A81F, 0xEAB05983, 0xB89B924F, 0xDDA2C38B, 0x00000000},
    {0x543CA140, 0x2B688DE6, 0x2C607CDF, 0x647DA550, 0x2F78CEEA, 0x6D644C1C, 0x00000020},
    {0x41E28280, 0xA84678C9, 0x0BC6EC96, 0xAAD0971A, 0xBB4E4BF6, 0xE0BEF8E7, 0x365888C0, 0x00000020},
    {0x0F0A0500, 0x231E1914, 0x37322D28, 0x4B46413C, 0x5F5A5550, 0x736E6964, 0x87827D78, 0x9B96918C, 0x000000A0},
};
