// test_support/host_machine.hpp: the host's twin of a device that runs kernel bodies and calls libraries: plain loops.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/group.hpp>
#include <miq/core/matrix_view.hpp>

#include "test_support/lanes.hpp"

namespace miq_test {

/// `lanes` 0: bodies run on the host's loop, otherwise on that many threads. Floats are summed in chains as long as the
/// library would make them at worst.
struct host_machine {
  using memory_space = miq::host_memory;

  std::int32_t lanes = 0;

  template <class Body>
  void launch(const char*, const Body& body) {
    if (lanes == 0)
      miq::run_body(miq::host_executor({.threads = 1}), body);
    else
      run_on_lanes(lanes, body);
  }

  /// out = left^T right.
  void multiply_columns(std::int64_t rows, std::int64_t columns, std::int64_t tokens, const float* left,
                        std::int64_t left_leading, const float* right, std::int64_t right_leading, float* out,
                        std::int64_t out_leading) {
    for (std::int64_t i = 0; i < rows; ++i) std::fill_n(out + i * out_leading, columns, 0.0F);
    for (std::int64_t t = 0; t < tokens; ++t)
      for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < columns; ++j)
          out[i * out_leading + j] += left[t * left_leading + i] * right[t * right_leading + j];
  }

  /// out = left right^T.
  void multiply_rows(std::int64_t rows, std::int64_t columns, std::int64_t tokens, const float* left,
                     std::int64_t left_leading, const float* right, std::int64_t right_leading, float* out,
                     std::int64_t out_leading) {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        float sum = 0;
        for (std::int64_t t = 0; t < tokens; ++t) sum += left[i * left_leading + t] * right[j * right_leading + t];
        out[i * out_leading + j] = sum;
      }
  }

  /// out = left right^T of bytes, in integers.
  void multiply_codes(std::int64_t rows, std::int64_t columns, std::int64_t tokens, const std::int8_t* left,
                      const std::int8_t* right, std::int64_t leading, std::int32_t* out, std::int64_t out_leading) {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        std::int32_t sum = 0;
        for (std::int64_t t = 0; t < tokens; ++t) sum += left[i * leading + t] * right[j * leading + t];
        out[i * out_leading + j] = sum;
      }
  }

  /// Sorts every row of `keys`; the result is in one of the two, as the library may choose.
  std::uint32_t* sort_rows(std::uint32_t* keys, std::uint32_t* other, std::int64_t rows, std::int64_t columns,
                           std::byte*) {
    for (std::int64_t r = 0; r < rows; ++r) {
      std::copy_n(keys + r * columns, columns, other + r * columns);
      std::sort(other + r * columns, other + (r + 1) * columns);
      std::fill_n(keys + r * columns, columns, 0xA5A5A5A5U);
    }
    return other;
  }

  void copy(void* to, const void* from, std::int64_t bytes) { std::memcpy(to, from, static_cast<std::size_t>(bytes)); }
  void clear(void* to, std::int64_t bytes) { std::memset(to, 0, static_cast<std::size_t>(bytes)); }
};

/// Memory as a device gives it: not initialised, but with nonsense in it.
class raw_memory {
 public:
  explicit raw_memory(std::int64_t bytes) : bytes_(static_cast<std::size_t>(bytes) + 64, std::byte{0xA5}) {
    const auto address = reinterpret_cast<std::uintptr_t>(bytes_.data());
    base_ = bytes_.data() + (64 - address % 64) % 64;
  }
  std::byte* data() const { return base_; }

 private:
  std::vector<std::byte> bytes_;
  std::byte* base_;
};

}  // namespace miq_test
