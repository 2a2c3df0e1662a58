// tests/examples/png_size.hpp: what a PNG's header says.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "test_support/catch.hpp"

namespace miq_test {

/// Width and height in a PNG's header (RFC 2083, section 11.2.1), after its signature.
inline std::pair<std::uint32_t, std::uint32_t> png_size(const std::string& bytes) {
  REQUIRE(bytes.size() > 24);
  REQUIRE(bytes.substr(0, 8) == "\x89PNG\r\n\x1a\n");
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  return {number(16), number(20)};
}

}  // namespace miq_test
