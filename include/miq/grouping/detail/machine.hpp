// What the algorithms of grouping ask of the machine that they run on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace miq::grouping::detail {

/// A factor of a matrix product, stored row by row.
enum class product_operand { as_is, transposed };

// A *machine* has memory of its own and, in one order of work,
//
//   launch(name, body)                         runs a kernel body (core/group.hpp)
//   multiply(op_a, op_b, rows, columns, depth, alpha, a, a_leading, b, b_leading, beta, c, c_leading)
//                                              c = alpha op(a) op(b) + beta c, in single precision, row by row; c is
//                                              not read where beta is 0
//   multiply_many(count, ..., a_stride, ..., b_stride, ..., c_stride)
//                                              `count` such products at distances of so many elements, beta = 0
//   clear(to, count)                           zero bytes in `count` objects
//   store(from, count, to)                     copies from the host, whose array may go afterwards
//   fetch(from, count, to)                     copies to the host, and waits
//   fetch_rows(from, leading, rows, columns, to)    the same of a matrix, to one without padding
//
// On a device that is `device::grouping_machine`: kernels and cuBLAS on the executor's stream. Tests have one that runs
// bodies on the host and multiplies by loops.

/// The array that lies `offset` bytes into a machine's scratch.
template <class T>
T* place(std::byte* scratch, std::int64_t offset) {
  return reinterpret_cast<T*>(scratch + offset);
}

}  // namespace miq::grouping::detail
