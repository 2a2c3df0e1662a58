// Machines of the host on which the device's schedules run in tests: bodies on one lane or on threads, and loops where
// a device calls a library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include <miq/core/group.hpp>
#include <miq/core/workspace.hpp>

#include "test_support/lanes.hpp"

namespace miq_test {

/// `lanes` 0: bodies on the host's loop, one lane each.
struct portable_machine {
  std::int32_t lanes = 0;

  template <class Body>
  void launch(const char*, const Body& body) const {
    if (lanes == 0)
      miq::run_body(miq::host_executor({.threads = 1}), body);
    else
      run_on_lanes(lanes, body);
  }

  /// C -= A B, all row-major.
  void subtract_product(const char*, std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a,
                        std::int64_t a_leading, const float* b, std::int64_t b_leading, float* c,
                        std::int64_t c_leading) const {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t k = 0; k < depth; ++k)
        for (std::int64_t j = 0; j < columns; ++j) c[i * c_leading + j] -= a[i * a_leading + k] * b[k * b_leading + j];
  }

  /// C = A B, and C = A B^T.
  void product(const char*, std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a,
               std::int64_t a_leading, const float* b, std::int64_t b_leading, float* c, std::int64_t c_leading) const {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        float sum = 0;
        for (std::int64_t k = 0; k < depth; ++k) sum += a[i * a_leading + k] * b[k * b_leading + j];
        c[i * c_leading + j] = sum;
      }
  }
  void product_of_transposed(const char*, std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a,
                             std::int64_t a_leading, const float* b, std::int64_t b_leading, float* c,
                             std::int64_t c_leading) const {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) {
        float sum = 0;
        for (std::int64_t k = 0; k < depth; ++k) sum += a[i * a_leading + k] * b[j * b_leading + k];
        c[i * c_leading + j] = sum;
      }
  }

  /// A = L L^T, from and into the lower triangle of a row-major matrix without padding; what lies above is left alone.
  /// `status` receives the number of the first pivot that is not positive, as LAPACK counts, or 0.
  template <class T>
  std::int64_t cholesky_bytes(std::int64_t columns) const {
    return columns * static_cast<std::int64_t>(sizeof(T));
  }
  template <class T>
  void cholesky(const char*, std::int64_t n, T* a, std::byte* scratch, std::int64_t bytes, std::int32_t* status) const {
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
  /// R X = B, X in B's place; R [size, size] upper triangular, B [size, columns], row-major.
  template <class T>
  void solve_upper(const char*, std::int64_t size, std::int64_t columns, const T* r, std::int64_t r_leading, T* b,
                   std::int64_t b_leading) const {
    for (auto i = size - 1; i >= 0; --i)
      for (std::int64_t c = 0; c < columns; ++c) {
        T sum = b[i * b_leading + c];
        for (auto k = i + 1; k < size; ++k) sum -= r[i * r_leading + k] * b[k * b_leading + c];
        b[i * b_leading + c] = sum / r[i * r_leading + i];
      }
  }

  template <class Object>
  Object fetch(const Object* object) const {
    return *object;
  }
  template <class Function>
  void with_scratch(const char* name, const miq::detail::workspace_layout& layout, const Function& f) const {
    std::vector<std::byte> block(static_cast<std::size_t>(layout.bytes()), std::byte{0xA5});
    f(miq::detail::scratch_block(name, layout, block, std::pmr::null_memory_resource()));
  }
};

}  // namespace miq_test
