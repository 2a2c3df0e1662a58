// allocation/bit_budget_options.hpp: how a budget of bits is spent.
#pragma once

#include <vector>

namespace miq::allocation {

/// How bits follow importance. All of them end within the budget; `greedy_budget` alone looks at the error.
enum class strategy {
  threshold,      ///< the items that hold the given share of importance high, the others low
  quantile,       ///< the items ranked by importance, in equal shares over a list of levels
  greedy_budget,  ///< bit by bit to where a stored bit lowers the expected error most
};

/// What `allocate_bits` may be asked for.
struct budget_options {
  strategy rule = strategy::greedy_budget;
  int minimum_bits = 2;                    ///< at least 1
  int maximum_bits = 8;                    ///< at most 16
  double threshold = 0.5;                  ///< `threshold` only: the share of importance that starts high, 0 to 1
  std::vector<int> levels{2, 3, 4, 6, 8};  ///< `quantile` only: ascending; those outside [minimum, maximum] are clamped
};

}  // namespace miq::allocation
