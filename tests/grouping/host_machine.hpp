// host_machine.hpp: the machine of grouping's algorithms (grouping/detail/machine.hpp) on the host.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <string>
#include <type_traits>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/group.hpp>
#include <miq/core/workspace.hpp>
#include <miq/grouping/detail/machine.hpp>

#include "test_support/catch.hpp"
#include "test_support/lanes.hpp"

namespace miq_test {

/// Runs bodies on the host's loop (`lanes` 0) or on so many threads; multiplies in the order of the depth.
class host_machine {
 public:
  explicit host_machine(std::int32_t lanes = 0) : lanes_(lanes), exec_({.threads = 2}) {}

  template <class Body>
  void launch(const char* name, const Body& body) const {
    INFO(name);
    REQUIRE(body.scratch_bytes() <= 48 * 1024);
    if (lanes_ == 0)
      miq::run_body(exec_, body);
    else
      run_on_lanes(lanes_, body);
  }
  void multiply(miq::grouping::detail::product_operand op_a, miq::grouping::detail::product_operand op_b,
                std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                std::int64_t a_leading, const float* b, std::int64_t b_leading, float beta, float* c,
                std::int64_t c_leading) const {
    using miq::grouping::detail::product_operand;
    const bool a_turned = op_a == product_operand::transposed, b_turned = op_b == product_operand::transposed;
    exec_.parallel_for(rows, [&](std::int64_t i) {
      std::vector<float> sums(static_cast<std::size_t>(columns), 0.0F);
      for (std::int64_t k = 0; k < depth; ++k) {
        const float factor = a_turned ? a[k * a_leading + i] : a[i * a_leading + k];
        const float* from = b_turned ? b + k : b + k * b_leading;
        const std::int64_t step = b_turned ? b_leading : 1;
        for (std::int64_t j = 0; j < columns; ++j) sums[static_cast<std::size_t>(j)] += factor * from[j * step];
      }
      for (std::int64_t j = 0; j < columns; ++j) {
        float& to = c[i * c_leading + j];
        to = beta == 0.0F ? alpha * sums[static_cast<std::size_t>(j)]
                          : alpha * sums[static_cast<std::size_t>(j)] + beta * to;
      }
    });
  }
  void multiply_many(std::int64_t count, miq::grouping::detail::product_operand op_a,
                     miq::grouping::detail::product_operand op_b, std::int64_t rows, std::int64_t columns,
                     std::int64_t depth, float alpha, const float* a, std::int64_t a_leading, std::int64_t a_stride,
                     const float* b, std::int64_t b_leading, std::int64_t b_stride, float* c, std::int64_t c_leading,
                     std::int64_t c_stride) const {
    for (std::int64_t t = 0; t < count; ++t)
      multiply(op_a, op_b, rows, columns, depth, alpha, a + t * a_stride, a_leading, b + t * b_stride, b_leading, 0.0F,
               c + t * c_stride, c_leading);
  }
  void multiply_rows(std::int64_t count, std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a,
                     const float* b, float* c) const {
    using miq::grouping::detail::product_operand;
    multiply_many(count, product_operand::as_is, product_operand::transposed, rows, columns, depth, 1.0F, a, depth,
                  rows * depth, b, depth, columns * depth, c, columns, rows * columns);
  }
  template <class T>
  void clear(T* to, std::int64_t count) const {
    std::memset(static_cast<void*>(to), 0, static_cast<std::size_t>(count) * sizeof(T));
  }
  template <class T>
  void store(const T* from, std::int64_t count, T* to) const {
    std::copy_n(from, count, to);
  }
  template <class T>
  void fetch(const T* from, std::int64_t count, T* to) const {
    std::copy_n(from, count, to);
  }
  template <class T>
  void fetch_rows(const T* from, std::int64_t leading, std::int64_t rows, std::int64_t columns, T* to) const {
    for (std::int64_t r = 0; r < rows; ++r) std::copy_n(from + r * leading, columns, to + r * columns);
  }

 private:
  std::int32_t lanes_;
  miq::host_executor exec_;
};

/// Scratch for a layout, filled with nonsense; one byte beyond it is a fault that AddressSanitizer reports.
class machine_scratch {
 public:
  explicit machine_scratch(const miq::detail::workspace_layout& layout)
      : bytes_(static_cast<std::size_t>(layout.bytes()), std::byte{0xA5}),
        block_("test", layout, {bytes_.data(), bytes_.size()}, std::pmr::new_delete_resource()) {}
  std::byte* data() const { return block_.at<std::byte>(0); }

 private:
  std::vector<std::byte> bytes_;
  miq::detail::scratch_block block_;
};

}  // namespace miq_test
