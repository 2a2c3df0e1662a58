// test_support/host_machine.hpp: the machine (core/detail/machine.hpp) that is the host: plain loops.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include <miq/core/detail/machine.hpp>
#include <miq/core/matrix_view.hpp>

#include "test_support/catch.hpp"
#include "test_support/lanes.hpp"
#include "test_support/nonsense_memory.hpp"

namespace miq_test {

/// The twin of `device::stream_machine` and of what information and obs add to it. `lanes` 0: bodies run on the host's
/// loop, otherwise on that many threads. Products are summed one after the other along the depth, which is as
/// bad as a library's sums can be.
class host_machine {
 public:
  using memory_space = miq::host_memory;

  explicit host_machine(std::int32_t lanes = 0) : lanes_(lanes) {}

  template <class Body>
  void launch(const char* name, const Body& body) const {
    INFO(name);
    REQUIRE(body.scratch_bytes() <= 64 * 1024);  // what a block of a device of compute capability 7.5 can have
    run_on_host(lanes_, body);
  }

  template <class T>
  void multiply(const char* /*name*/, miq::detail::operand op_a, miq::detail::operand op_b, std::int64_t rows,
                std::int64_t columns, std::int64_t depth, T alpha, const T* a, std::int64_t a_leading, const T* b,
                std::int64_t b_leading, T beta, T* c, std::int64_t c_leading) const {
    using miq::detail::operand;
    const auto a_down = op_a == operand::as_is ? a_leading : 1, a_across = op_a == operand::as_is ? 1 : a_leading;
    const auto b_down = op_b == operand::as_is ? b_leading : 1, b_across = op_b == operand::as_is ? 1 : b_leading;
    std::vector<T> sums(static_cast<std::size_t>(columns));
    for (std::int64_t i = 0; i < rows; ++i) {
      std::fill(sums.begin(), sums.end(), T(0));
      for (std::int64_t k = 0; k < depth; ++k) {
        const T factor = a[i * a_down + k * a_across];
        for (std::int64_t j = 0; j < columns; ++j)
          sums[static_cast<std::size_t>(j)] += factor * b[k * b_down + j * b_across];
      }
      for (std::int64_t j = 0; j < columns; ++j) {
        T& to = c[i * c_leading + j];
        const T product = alpha * sums[static_cast<std::size_t>(j)];
        to = beta == 0 ? product : product + beta * to;
      }
    }
  }
  template <class T>
  void multiply_many(const char* name, std::int64_t count, miq::detail::operand op_a, miq::detail::operand op_b,
                     std::int64_t rows, std::int64_t columns, std::int64_t depth, T alpha, const T* a,
                     std::int64_t a_leading, std::int64_t a_stride, const T* b, std::int64_t b_leading,
                     std::int64_t b_stride, T* c, std::int64_t c_leading, std::int64_t c_stride) const {
    for (std::int64_t t = 0; t < count; ++t)
      multiply(name, op_a, op_b, rows, columns, depth, alpha, a + t * a_stride, a_leading, b + t * b_stride, b_leading,
               T(0), c + t * c_stride, c_leading);
  }

  template <class T>
  void clear(T* to, std::int64_t count) const {
    std::memset(static_cast<void*>(to), 0, static_cast<std::size_t>(count) * sizeof(T));
  }
  template <class T>
  void copy(const T* from, std::int64_t count, T* to) const {
    std::copy_n(from, count, to);
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

  template <class Function>
  void with_scratch(const char* /*name*/, const miq::detail::workspace_layout& layout, const Function& f) const {
    f(nonsense_memory(layout));
  }

  /// out = left right^T of bytes, in integers.
  void multiply_codes(std::int64_t rows, std::int64_t columns, std::int64_t tokens, const std::int8_t* left,
                      const std::int8_t* right, std::int64_t leading, std::int32_t* out,
                      std::int64_t out_leading) const {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        std::int32_t sum = 0;
        for (std::int64_t t = 0; t < tokens; ++t) sum += left[i * leading + t] * right[j * leading + t];
        out[i * out_leading + j] = sum;
      }
  }

  /// Sorts every row of `keys`; the result is in one of the two, as the library may choose.
  std::uint32_t* sort_rows(std::uint32_t* keys, std::uint32_t* other, std::int64_t rows, std::int64_t columns,
                           const std::int32_t* offsets, std::byte* /*scratch*/) const {
    for (std::int64_t r = 0; r <= rows; ++r)
      if (offsets[r] != r * columns) throw std::logic_error("host_machine: an offset is wrong");
    for (std::int64_t r = 0; r < rows; ++r) {
      std::copy_n(keys + r * columns, columns, other + r * columns);
      std::sort(other + r * columns, other + (r + 1) * columns);
      std::fill_n(keys + r * columns, columns, 0xA5A5A5A5U);
    }
    return other;
  }

  /// A = L L^T, from and into the lower triangle of a row-major matrix without padding; what lies above is left alone.
  /// `status` receives the number of the first pivot that is not positive, as LAPACK counts, or 0.
  template <class T>
  std::int64_t cholesky_bytes(std::int64_t columns) const {
    return columns * static_cast<std::int64_t>(sizeof(T));
  }
  template <class T>
  void cholesky(const char* /*name*/, std::int64_t n, T* a, std::byte* scratch, std::int64_t bytes,
                std::int32_t* status) const {
    std::fill_n(scratch, bytes, std::byte{0x5A});
    *status = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      T pivot = a[j * n + j];
      for (std::int64_t k = 0; k < j; ++k) pivot -= a[j * n + k] * a[j * n + k];
      if (!(pivot > 0)) {
        *status = static_cast<std::int32_t>(j + 1);
        return;
      }
      const T root = a[j * n + j] = std::sqrt(pivot);
      for (auto i = j + 1; i < n; ++i) {
        T sum = a[i * n + j];
        for (std::int64_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
        a[i * n + j] = sum / root;
      }
    }
  }

 private:
  std::int32_t lanes_;
};
static_assert(miq::detail::execution_machine<host_machine>);

}  // namespace miq_test
