// What algorithms that are written once, for devices and for tests on the host, ask of the machine that they run on.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/detail/operand.hpp>
#include <miq/core/workspace.hpp>

namespace miq::detail {

struct any_body {};
struct any_work {
  template <class Block>
  void operator()(const Block&) const {}
};

/// A machine has memory of its own (`memory_space`) and, in one order of work,
///
///     launch(name, body)                         runs a kernel body (core/group.hpp); names are for errors
///     multiply(name, op_a, op_b, rows, columns, depth, alpha, a, a_leading, b, b_leading, beta, c, c_leading)
///                                                c = alpha op(a) op(b) + beta c in single precision, row by row: c is
///                                                [rows, columns], op(a) [rows, depth], op(b) [depth, columns]; c is
///                                                not read where beta is 0
///     multiply_many(name, count, ..., a_leading, a_stride, ..., b_stride, c, c_leading, c_stride)
///                                                `count` such products at distances of so many elements, beta = 0
///     clear(to, count)                           zero bytes in `count` objects
///     copy(from, count, to)                      from there to there
///     store(from, count, to)                     from the host, whose array may go afterwards
///     fetch(from, count, to)                     to the host, and waits
///     fetch_rows(from, leading, rows, columns, to)    the same of a matrix, to one without padding
///     with_scratch(name, layout, f)              calls f with memory of that layout, which may go afterwards
///
/// On a device that is `device::stream_machine` (kernels/core/machine.cuh): kernels and cuBLAS on an executor's stream.
/// Tests have one that runs bodies on the host and multiplies by loops (tests/test_support/host_machine.hpp). What
/// single folders need besides, sorts or factorisations, is said where they ask for it.
template <class M>
concept execution_machine = requires(const M& m, const char* name, operand op, std::int64_t n, float factor,
                                     const float* in, float* out, const workspace_layout& layout) {
  typename M::memory_space;
  m.launch(name, any_body{});
  m.multiply(name, op, op, n, n, n, factor, in, n, in, n, factor, out, n);
  m.multiply_many(name, n, op, op, n, n, n, factor, in, n, n, in, n, n, out, n, n);
  m.clear(out, n);
  m.copy(in, n, out);
  m.store(in, n, out);
  m.fetch(in, n, out);
  m.fetch_rows(in, n, n, n, out);
  m.with_scratch(name, layout, any_work{});
};

/// The array that lies `offset` bytes into a machine's scratch.
template <class T>
T* place(std::byte* scratch, std::int64_t offset) {
  return reinterpret_cast<T*>(scratch + offset);
}

}  // namespace miq::detail
