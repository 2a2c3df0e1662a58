// Machines of the host on which the device's schedules run in tests: bodies on one lane or on threads, and loops where
// a device calls a library.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/group.hpp>

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
};

}  // namespace miq_test
