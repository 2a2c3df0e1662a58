#pragma once

#include <cmath>
#include <cstddef>

#include <miq/allocation/layers.hpp>

namespace miq::allocation {

MIQ_API layers_result allocate_over_layers(std::span<const layer_curves> layers, double budget_bits,
                                           const rate_distortion_options& options) {
  rate_curves all;
  std::vector<rate_option> weighted;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto& layer = layers[l];
    miq::detail::require(std::isfinite(layer.weight) && layer.weight >= 0, "allocate_over_layers: weight of layer ", l,
                         " must be finite and not negative, got ", layer.weight);
    for (std::int64_t i = 0; i < layer.curves.items(); ++i) {
      const auto given = layer.curves[i];
      weighted.assign(given.begin(), given.end());
      for (auto& option : weighted) option.distortion *= layer.weight;
      all.add(weighted);
    }
  }
  layers_result result;
  result.total = rate_distortion(all, budget_bits, options);
  std::size_t next = 0;
  for (const auto& layer : layers) {
    auto& chosen = result.chosen.emplace_back();
    auto& bits = result.stored_bits.emplace_back(0);
    auto& error = result.output_error.emplace_back(0);
    for (std::int64_t i = 0; i < layer.curves.items(); ++i) {
      chosen.push_back(result.total.chosen[next++]);
      const auto& option = layer.curves[i][static_cast<std::size_t>(chosen.back())];
      bits += option.stored_bits;
      error += option.distortion;
    }
  }
  return result;
}

MIQ_API std::vector<rate_option> sparsity_options(std::int64_t weights, std::span<const double> sparsities,
                                                  std::span<const double> distortions) {
  using miq::detail::require;
  require(weights >= 0, "sparsity_options: weights must not be negative, got ", weights);
  require(sparsities.size() == distortions.size(), "sparsity_options: sparsities and distortions must be as many, got ",
          sparsities.size(), " and ", distortions.size());
  std::vector<rate_option> options;
  for (std::size_t k = 0; k < sparsities.size(); ++k) {
    require(sparsities[k] >= 0 && sparsities[k] <= 1, "sparsity_options: sparsity ", k, " must be 0 to 1, got ",
            sparsities[k]);
    require(std::isfinite(distortions[k]) && distortions[k] >= 0, "sparsity_options: distortion ", k,
            " must be finite and not negative, got ", distortions[k]);
    const auto all = static_cast<double>(weights);
    options.push_back({all - std::floor(sparsities[k] * all), distortions[k]});
  }
  return options;
}

}  // namespace miq::allocation
