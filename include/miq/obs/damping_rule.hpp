// obs/damping_rule.hpp: what is added to the Hessian's diagonal before it is factored.
#pragma once

namespace miq::obs {

/// What is added to the Hessian's diagonal before it is factored.
enum class damping_rule {
  mean_diagonal,  ///< `damping` times the mean of the diagonal, for every column: as SparseGPT publishes it
  own_diagonal    ///< `damping` times the column's own entry: unchanged when a column's unit changes
};

}  // namespace miq::obs
