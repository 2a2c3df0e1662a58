// A machine for the steps of refit and mask search that needs no device: bodies on one lane or on threads, products by
// plain loops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <miq/core/group.hpp>
#include <miq/core/workspace.hpp>

#include "test_support/lanes.hpp"

namespace miq_test {

/// `lanes` 0: each body on the host's loop.
class product_machine {
 public:
  explicit product_machine(std::int32_t lanes) : exec_({.threads = 2}), lanes_(lanes) {}

  template <class Body>
  void launch(const char* /*name*/, const Body& body) const {
    if (lanes_ == 0)
      miq::run_body(exec_, body);
    else
      run_on_lanes(lanes_, body);
  }

  void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                std::int64_t a_leading, const float* b, std::int64_t b_leading, float beta, float* c,
                std::int64_t c_leading) const {
    product(rows, columns, depth, alpha, a, a_leading, b, b_leading, 1, beta, c, c_leading);
  }
  void multiply_transposed(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                           std::int64_t a_leading, const float* b, std::int64_t b_leading, float beta, float* c,
                           std::int64_t c_leading) const {
    product(rows, columns, depth, alpha, a, a_leading, b, 1, b_leading, beta, c, c_leading);
  }

  const miq::host_executor& host() const { return exec_; }

 private:
  static void product(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                      std::int64_t a_leading, const float* b, std::int64_t down, std::int64_t across, float beta,
                      float* c, std::int64_t c_leading) {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        float sum = 0;
        for (std::int64_t k = 0; k < depth; ++k) sum += a[i * a_leading + k] * b[k * down + j * across];
        float& to = c[i * c_leading + j];
        to = alpha * sum + (beta == 0 ? 0.0F : beta * to);
      }
  }

  miq::host_executor exec_;
  std::int32_t lanes_;
};

/// Memory for a layout, filled with NaN, so that what is read before it is written shows.
class filled_memory {
 public:
  explicit filled_memory(const miq::detail::workspace_layout& layout)
      : bytes_(static_cast<std::size_t>(layout.bytes()) + guard, std::byte{0xFF}),
        memory_("filled_memory", layout, {bytes_.data(), bytes_.size() - guard}, nullptr) {}

  template <class T>
  T* at(std::int64_t offset) const {
    return memory_.template at<T>(offset);
  }
  /// Whether nothing was written behind the end.
  bool intact() const {
    for (std::size_t k = bytes_.size() - guard; k < bytes_.size(); ++k)
      if (bytes_[k] != std::byte{0xFF}) return false;
    return true;
  }

 private:
  static constexpr std::size_t guard = 256;
  std::vector<std::byte> bytes_;
  miq::detail::scratch_block memory_;
};

}  // namespace miq_test
