// Checks of the square matrices that grouping takes, on a machine.
#pragma once

#include <cstdint>

#include <miq/grouping/detail/graph/body.hpp>
#include <miq/grouping/detail/graph/checks.hpp>

namespace miq::grouping::detail {

/// Throws unless a matrix in a machine's memory is finite, symmetric to the bit, and keeps to the rules.
/// @param faults  room for one object there
template <class Machine>
void require_symmetric_on_machine(const Machine& machine, const float* m, std::int64_t leading, std::int64_t n,
                                  const char* function, const char* argument, sign_rule sign, diagonal_rule diagonal,
                                  matrix_faults* faults) {
  using miq::detail::require;
  machine.clear(faults, 1);
  machine.launch(function,
                 symmetric_check_body{m, leading, n, sign == sign_rule::any, diagonal == diagonal_rule::zero, faults});
  matrix_faults found;
  machine.fetch(faults, 1, &found);
  require(found.not_finite == 0, function, ": ", argument, " must be finite, got ", found.not_finite,
          " elements that are not");
  require(found.negative == 0, function, ": ", argument, " must not be negative, got ", found.negative,
          " elements that are");
  require(found.diagonal == 0, function, ": ", argument, " must have a zero diagonal, got ", found.diagonal,
          " elements that are not 0");
  require(found.asymmetric == 0, function, ": ", argument, " must be symmetric to the bit, got ", found.asymmetric,
          " pairs of elements that differ");
}

}  // namespace miq::grouping::detail
