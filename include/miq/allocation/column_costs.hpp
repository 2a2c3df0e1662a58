// allocation/column_costs.hpp: what errors in a layer's columns cost.
#pragma once

#include <cstdint>
#include <vector>

namespace miq::allocation {

/// What decides the price of an error in each column of a layer, column by column in the layer's own order.
///
/// The sweep loses `1/2 sum over j of 1 / U_jj^2 * (sum over rows of squared grid error in column j)`, U the factor of
/// `obs::factor` for the order in which it takes the columns (Frantar & Alistarh 2023). `1 / U_jj^2` is the variance of
/// column j that the columns after it in that order cannot explain, times the factor 2 of the Hessian. So it belongs to
/// an order; only `sum of ln(1 / U_jj^2) = ln det (H + D)` does not.
///
/// For Gaussian columns of mean 0 it is mutual information: `1 / U_jj^2 = H_jj exp(-2 I(X_j; later columns))`, I in
/// nats (Cover & Thomas 2006, section 8.5, without damping). A uniform grid's error falls by 4 = exp(2 ln 2) with every
/// bit, so a column of which the later ones know I nats can be stored with `I / ln 2` bits per weight less for the same
/// loss: redundancy in nats, divided by ln 2, is what bits save.
struct column_costs {
  std::vector<double> conditional_variance;  ///< 1 / U_jj^2: what a squared error of 1 costs, twice
  std::vector<double> mean_square;           ///< mean of the squared kept weights; 0 where none is kept
  std::vector<double> kept;                  ///< number of kept weights

  std::int64_t columns() const { return static_cast<std::int64_t>(kept.size()); }
  /// `mean_square / U_jj^2` of each column: the d_j of `headroom` and `split_groups`. It does not change when a column
  /// and its weights are scaled inversely.
  std::vector<double> per_weight() const;
};

inline std::vector<double> column_costs::per_weight() const {
  std::vector<double> costs(kept.size());
  for (std::size_t j = 0; j < costs.size(); ++j) costs[j] = mean_square[j] * conditional_variance[j];
  return costs;
}

}  // namespace miq::allocation
