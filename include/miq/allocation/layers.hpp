// allocation/layers.hpp: one budget for all layers of a model: bits, or kept weights, go where the model's output
// misses them most.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <miq/allocation/rate_distortion.hpp>

namespace miq::allocation {

/// What one layer can be stored as.
struct layer_curves {
  rate_curves curves;  ///< one item for each group of the layer, or one for the whole layer; distortions in one unit,
                       ///< the error of the layer's output
  double weight = 1;   ///< what a unit of that error costs the model; finite, not negative
};

/// A choice for every layer.
struct layers_result {
  std::vector<std::vector<std::int32_t>> chosen;  ///< of each layer, the option of each of its items
  std::vector<double> stored_bits;                ///< of each layer
  std::vector<double> output_error;               ///< of each layer, in its own unit, not weighted
  rate_distortion_result total;                   ///< of all items, layer by layer; distortions are weighted
};

/// Chooses for all items of all layers at once: the smallest `sum of weight * distortion` within the budget
/// (`rate_distortion` over all of them).
///
/// The weight of a layer is to be measured on the model: how far its output distribution moves (say, the mean
/// Kullback-Leibler divergence over calibration tokens) when this layer alone is compressed, divided by the output
/// error of that. For small errors divergence is quadratic in the change of the output, and so proportional to the
/// squared output error; that divergences of layers add up is an assumption. Relative output errors are no such
/// measure.
///
/// @throws invalid_argument  if a weight is negative or not finite, and as `rate_distortion` does
/// Cost, memory, ties: as `rate_distortion`. Deterministic.
MIQ_API layers_result allocate_over_layers(std::span<const layer_curves> layers, double budget_bits,
                                           const rate_distortion_options& options = {});

/// One item's options from sparsities: keeping `weights - floor(sparsity * weights)` weights, which is what is counted
/// as `stored_bits`, loses `distortions[k]` at `sparsities[k]`. The budget is then the number of weights that may be
/// kept.
///
/// @param weights      at least 0
/// @param sparsities   within [0, 1], in any order
/// @param distortions  as many; measured by a sweep that only prunes, for instance
/// @throws invalid_argument  if that does not hold
MIQ_API std::vector<rate_option> sparsity_options(std::int64_t weights, std::span<const double> sparsities,
                                                  std::span<const double> distortions);

}  // namespace miq::allocation

#if !defined(MIQ_PRECOMPILED)
#include <miq/allocation/detail/layers/host.inl>
#endif
