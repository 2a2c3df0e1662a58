// allocation/importance_measure.hpp: what may make a column important.
#pragma once

namespace miq::allocation {

/// What is measured of column j of a layer with weights W and activations x.
enum class importance_measure {
  amplitude,    ///< `E |x_j|`
  hessian,      ///< `H_jj = 2 E x_j^2`
  weight,       ///< `mean over rows of |W_rj|`
  sensitivity,  ///< `sqrt(mean over rows of W_rj^2) * E |x_j|`: what the column adds to an output, typically
  variance,     ///< `E (x_j - E x_j)^2`
  mixed,        ///< the five above, each divided by its largest value over the columns, added with `importance_mix`
};

/// Shares of the five measures in `importance_measure::mixed`. Not negative, not all zero; they need not add up to 1.
/// A measure that is 0 in every column adds nothing.
struct importance_mix {
  double amplitude = 0.25;
  double hessian = 0.25;
  double weight = 0.15;
  double sensitivity = 0.25;
  double variance = 0.10;
};

}  // namespace miq::allocation
