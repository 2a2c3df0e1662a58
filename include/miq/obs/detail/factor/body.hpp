// The factor of the inverse Hessian on a device: kernel bodies, and the order in which they and a library run.
//
// Wanted is U with U^T U = (H + D)^-1 =: A^-1, U upper triangular. With A = R R^T and R upper triangular, U = R^-1. A
// library factors A = L L^T with L lower triangular; with P, which reverses the order of rows, that gives R:
// P A P = L L^T, so that A = (P L P)(P L P)^T and R = P L P, which is upper triangular. Reversing rows and columns of a
// matrix without padding reverses the order of its elements in memory, and H has to be copied anyway: it is written in
// reverse, and L is read in reverse. What a library that stores columns sees of a row-major matrix is its transpose:
// its upper triangle where ours is the lower one.
//
//   1. the upper triangle of A, written in reverse: the lower triangle of P A P
//   2. P A P = L L^T in place                                           (library, 1/6 n^3 multiply-adds)
//   3. L in reverse: R in the upper triangle of the same memory. Strictly lower elements go to strictly upper places,
//      so nothing is overwritten that is still needed, and the diagonal is reversed by exchanging pairs.
//   4. U = R^-1 by blocks (triangle_inverse_body.hpp)                   (kernel and library, about 1/4 n^3)
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/core/workspace.hpp>
#include <miq/obs/detail/factor/checks.hpp>
#include <miq/obs/detail/factor/triangle_inverse_body.hpp>
#include <miq/obs/detail/solver/lane_loops.hpp>

namespace miq::obs::detail {

/// What the bodies find out about a Hessian, in the device's memory.
struct factor_state {
  double mean = 1;                ///< of the diagonal entries that are not 0
  std::int64_t dead = 0;          ///< diagonal entries that are 0
  std::int64_t bad_diagonal = 0;  ///< diagonal entries that are negative or not finite
  std::int64_t not_finite = 0;    ///< entries of the upper triangle that are not finite
  std::int64_t small_pivots = 0;  ///< pivots that are rounding error
  std::int64_t too_large = 0;     ///< elements of U that float cannot hold
  std::int32_t library = 0;       ///< what the library's factorisation says: not 0 if it failed
  std::int32_t unused = 0;
};

/// Copies the diagonal, takes its mean, and begins a state. One block; the order of the additions depends on the number
/// of lanes.
struct read_diagonal_body {
  static constexpr int lanes = 1024;
  std::int64_t columns = 0;
  const float* hessian = nullptr;
  std::int64_t leading = 0;
  float* diagonal = nullptr;  // [columns]
  factor_state* state = nullptr;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return 8 * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    double total = 0;
    std::int64_t dead = 0;
    std::int64_t bad = 0;
    for (std::int64_t j = group.rank(); j < columns; j += group.size()) {
      const float entry = hessian[j * leading + j];
      diagonal[j] = entry;
      total += static_cast<double>(entry);
      dead += entry == 0.0F ? 1 : 0;
      bad += entry >= 0.0F && entry - entry == 0.0F ? 0 : 1;
    }
    total = sum_over_lanes(group, total, reinterpret_cast<double*>(scratch));
    dead = sum_over_lanes(group, dead, reinterpret_cast<std::int64_t*>(scratch));
    bad = sum_over_lanes(group, bad, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0) {
      factor_state begun;
      begun.mean = dead < columns ? total / static_cast<double>(columns - dead) : 1.0;
      begun.dead = dead;
      begun.bad_diagonal = bad;
      *state = begun;
    }
  }
};

/// Step 1: the damped matrix in reverse. Dead columns become independent of the others.
template <class T>
struct reverse_damped_body {
  static constexpr int lanes = 256;
  std::int64_t columns = 0;
  const float* hessian = nullptr;
  std::int64_t leading = 0;
  const float* diagonal = nullptr;
  double damping = 0;
  damping_rule rule = damping_rule::mean_diagonal;
  T* reversed = nullptr;  // [columns, columns], receives its lower triangle
  factor_state* state = nullptr;

  std::int64_t blocks() const { return blocks_of_rows(columns, columns); }
  std::int64_t scratch_bytes() const { return 8 * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto each = rows_of_block(columns, columns);
    const auto last = columns < (block + 1) * each ? columns : (block + 1) * each;
    std::int64_t bad = 0;
    for (auto r = block * each; r < last; ++r) {
      T* const to = reversed + (columns - 1 - r) * columns + (columns - 1);
      const bool dead = diagonal[r] == 0.0F;
      for (auto c = r + group.rank(); c < columns; c += group.size()) {
        const float entry = hessian[r * leading + c];
        bad += entry - entry == 0.0F ? 0 : 1;
        T value = dead || diagonal[c] == 0.0F ? T(0) : static_cast<T>(entry);
        if (c == r) value = static_cast<T>(damped_entry(static_cast<double>(diagonal[r]), state->mean, damping, rule));
        *(to - c) = value;
      }
    }
    bad = sum_over_lanes(group, bad, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && bad != 0) add_atomically(&state->not_finite, bad);
  }
};

/// After step 2: counts pivots, the squares of L's diagonal, that are rounding error.
template <class T>
struct check_pivots_body {
  static constexpr int lanes = 256;
  std::int64_t columns = 0;
  const T* reversed = nullptr;  // L in its lower triangle
  const float* diagonal = nullptr;
  double damping = 0;
  damping_rule rule = damping_rule::mean_diagonal;
  double smallest = 0;  // share of the diagonal entry
  factor_state* state = nullptr;

  std::int64_t blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 8 * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    std::int64_t small = 0;
    const auto last = columns < (block + 1) * lanes ? columns : (block + 1) * lanes;
    for (auto k = block * lanes + group.rank(); k < last; k += group.size()) {
      const auto entry = damped_entry(static_cast<double>(diagonal[columns - 1 - k]), state->mean, damping, rule);
      const T root = reversed[k * columns + k];
      const T pivot = root * root;
      small += pivot > static_cast<T>(smallest * entry) && pivot - pivot == T(0) ? 0 : 1;
    }
    small = sum_over_lanes(group, small, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && small != 0) add_atomically(&state->small_pivots, small);
  }
};

/// Step 3: R = P L P in the upper triangle of L's memory.
template <class T>
struct turn_triangle_body {
  static constexpr int lanes = 256;
  std::int64_t columns = 0;
  T* triangle = nullptr;

  std::int64_t blocks() const { return blocks_of_rows(columns, columns); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto each = rows_of_block(columns, columns);
    const auto last = columns < (block + 1) * each ? columns : (block + 1) * each;
    for (auto r = block * each; r < last; ++r) {
      const auto other = columns - 1 - r;
      for (std::int64_t c = group.rank(); c <= r; c += group.size()) {
        T& from = triangle[r * columns + c];
        T& to = triangle[other * columns + (columns - 1 - c)];
        if (c < r) {
          to = from;
        } else if (r < other) {
          const T kept = to;
          to = from;
          from = kept;
        }
      }
    }
  }
};

/// Counts elements that float cannot hold.
struct count_too_large_body {
  static constexpr int lanes = 256;
  std::int64_t columns = 0;
  const double* inverse = nullptr;  // [columns, columns]
  factor_state* state = nullptr;

  std::int64_t blocks() const { return blocks_of_rows(columns, columns); }
  std::int64_t scratch_bytes() const { return 8 * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto each = rows_of_block(columns, columns);
    const auto first = block * each;
    const auto there = columns - first < each ? columns - first : each;
    std::int64_t beyond = 0;
    for_elements(group, there, columns, [&](std::int64_t r, std::int64_t c) {
      constexpr double largest = 0x1.fffffep127;
      beyond += std::fabs(inverse[(first + r) * columns + c]) <= largest ? 0 : 1;
    });
    beyond = sum_over_lanes(group, beyond, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && beyond != 0) add_atomically(&state->too_large, beyond);
  }
};

/// The scratch of `factor` on a device; `library` are the bytes that the library's factorisation asks for.
struct device_factor_scratch {
  device_factor_scratch(std::int64_t columns, std::int64_t library_bytes)
      : triangle(layout.add<float>(columns * columns)),
        diagonal(layout.add<float>(columns)),
        state(layout.add<factor_state>(1)),
        library(layout.add<std::byte>(library_bytes)) {}

  miq::detail::workspace_layout layout;
  std::int64_t triangle;  // A in reverse, then L, then R
  std::int64_t diagonal;
  std::int64_t state;
  std::int64_t library;
};

/// What work in double takes besides.
struct device_factor_double_scratch {
  device_factor_double_scratch(std::int64_t columns, std::int64_t library_bytes)
      : triangle(layout.add<double>(columns * columns)),
        inverse(layout.add<double>(columns * columns)),
        library(layout.add<std::byte>(library_bytes)) {}

  miq::detail::workspace_layout layout;
  std::int64_t triangle;
  std::int64_t inverse;
  std::int64_t library;
};

/// Steps 1 and 2 and the check of the pivots are enqueued; whether they succeeded stands in the state.
template <class T, class Machine, class View>
void enqueue_triangle(const Machine& machine, const View& hessian, const float* diagonal, double damping,
                      const factor_options& options, T* triangle, std::byte* library, std::int64_t library_bytes,
                      factor_state* state) {
  const auto n = hessian.columns();
  machine.launch("factor", reverse_damped_body<T>{n, hessian.data(), hessian.leading(), diagonal, damping, options.rule,
                                                  triangle, state});
  machine.cholesky("factor", n, triangle, library, library_bytes, &state->library);
  machine.launch("factor",
                 check_pivots_body<T>{n, triangle, diagonal, damping, options.rule, smallest_pivot<T>, state});
}

/// Steps 3 and 4.
template <class T, class Machine>
void enqueue_inverse(const Machine& machine, std::int64_t n, T* triangle, T* inverse, std::int64_t leading) {
  machine.launch("factor", turn_triangle_body<T>{n, triangle});
  enqueue_triangle_inverse(machine, "factor", n, triangle, inverse, leading);
}

/// `factor` of arguments whose shapes have been checked. Besides what core/detail/machine.hpp says a machine has
///
///     cholesky_bytes<T>(n)                                 // scratch that `cholesky` needs
///     cholesky(name, n, a, scratch, bytes, status)         // A = L L^T in the lower triangle; *status != 0 if not
///
/// and `multiply_many` in double precision, too.
template <class Machine, class Memory, class View, class Upper>
factor_result factor_on_machine(const Machine& machine, const device_factor_scratch& plan, const Memory& memory,
                                const View& hessian, const Upper& upper, const factor_options& options) {
  const auto n = hessian.columns();
  auto* const triangle = memory.template at<float>(plan.triangle);
  auto* const diagonal = memory.template at<float>(plan.diagonal);
  auto* const state = memory.template at<factor_state>(plan.state);
  auto* const library = memory.template at<std::byte>(plan.library);
  const auto begin = [&] {
    machine.launch("factor", read_diagonal_body{n, hessian.data(), hessian.leading(), diagonal, state});
  };
  const auto fetch_state = [&] {
    factor_state seen;
    machine.fetch(state, 1, &seen);
    return seen;
  };
  const auto succeeded = [](const factor_state& seen) { return seen.library == 0 && seen.small_pivots == 0; };

  factor_result result;
  result.damping = options.damping;
  for (int attempt = 0;; ++attempt) {
    begin();
    enqueue_triangle(machine, hessian, diagonal, result.damping, options, triangle, library,
                     machine.template cholesky_bytes<float>(n), state);
    const auto seen = fetch_state();
    miq::detail::require(seen.bad_diagonal == 0, "factor: the diagonal of hessian must be finite and not negative, ",
                         seen.bad_diagonal, " of its ", n, " entries are not");
    miq::detail::require(seen.not_finite == 0, "factor: hessian must be finite, ", seen.not_finite,
                         " entries of its upper triangle are not");
    result.dead = seen.dead;
    if (succeeded(seen)) break;
    const device_factor_double_scratch more(n, machine.template cholesky_bytes<double>(n));
    machine.with_scratch("factor", more.layout, [&](const auto& block) {
      auto* const whole = block.template at<double>(more.triangle);
      auto* const inverse = block.template at<double>(more.inverse);
      begin();
      enqueue_triangle(machine, hessian, diagonal, result.damping, options, whole,
                       block.template at<std::byte>(more.library), machine.template cholesky_bytes<double>(n), state);
      if (!succeeded(fetch_state())) return;
      enqueue_inverse(machine, n, whole, inverse, n);
      machine.launch("factor", count_too_large_body{n, inverse, state});
      if (fetch_state().too_large != 0) return;
      machine.launch("factor", convert_body<double, float>{n, n, inverse, n, upper.data(), upper.leading()});
      result.in_double = true;
    });
    if (result.in_double) return result;
    if (attempt + 1 >= options.attempts) throw_not_positive(n, result.damping);
    result.damping = raised_damping(result.damping);
    ++result.raised;
  }
  enqueue_inverse(machine, n, triangle, upper.data(), upper.leading());
  return result;
}

}  // namespace miq::obs::detail
