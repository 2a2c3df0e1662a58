// Validates options and inputs of `compress` before any work is done.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <variant>

#include <miq/compress_options.hpp>
#include <miq/core/error.hpp>
#include <miq/grouping/detail/group_by_information/checks.hpp>
#include <miq/information/detail/normalisation/names.hpp>

namespace miq::detail {

/// Whether the mask is known before the sweep that settles the layer.
inline bool chooses_mask_first(const compress_options& options) {
  const bool masks =
      options.mask == obs::mask_scope::n_of_m || (options.mask != obs::mask_scope::none && options.sparsity > 0);
  return options.timing == mask_timing::before_sweep && masks;
}

/// Whether the Hessian is needed beside its factor.
inline bool needs_hessian(const compress_options& options) {
  return options.target_strength > 0 ||
         (chooses_mask_first(options) && (options.method == mask_method::search || options.refit_iterations >= 0));
}

inline void check_compress_options(const compress_options& options) {
  require(
      options.mask == obs::mask_scope::none || options.mask == obs::mask_scope::layer ||
          options.mask == obs::mask_scope::row || options.mask == obs::mask_scope::n_of_m,
      "compress: mask must be mask_scope::none, layer, row or n_of_m; for others use obs::select_mask or obs::sweep");
  require(options.sparsity >= 0 && options.sparsity < 1, "compress: sparsity must be in [0, 1), got ",
          options.sparsity);
  require(options.target_strength >= 0 && options.target_strength <= 1,
          "compress: target_strength must be in [0, 1], got ", options.target_strength);
  require(options.target_ridge >= 0 && std::isfinite(options.target_ridge),
          "compress: target_ridge must be finite and not negative, got ", options.target_ridge);
  const bool pattern = options.mask == obs::mask_scope::n_of_m;
  if (chooses_mask_first(options)) {
    require(!pattern || options.method != mask_method::search,
            "compress: method must not be mask_method::search for N:M masks, whose groups it does not keep");
    require(!pattern || options.order == column_order::natural || options.method == mask_method::selection,
            "compress: N:M masks belong to the natural order of the columns; with another order of the sweep choose "
            "them by mask_method::selection");
  } else {
    require(!pattern || options.order == column_order::natural,
            "compress: N:M masks belong to the natural order of the columns; with another order of the sweep choose "
            "them before it, by mask_method::selection");
  }
  require(options.refit_iterations <= 1000, "compress: refit_iterations must be at most 1000, got ",
          options.refit_iterations);
  require(options.order == column_order::natural || options.order == column_order::descending_diagonal ||
              options.grouping != column_grouping::single,
          "compress: column_order::by_group and ::representatives need groups, but all columns are one");
  require(options.groups >= 0, "compress: groups must be at least 0 (0: chosen), got ", options.groups);
  require(options.groups > 0 || options.max_groups >= 2, "compress: max_groups must be at least 2, got ",
          options.max_groups);
  if (!options.quantise) return;
  require(options.average_bits >= quantization::minimum_bits && options.average_bits <= quantization::maximum_bits,
          "compress: average_bits must be 1 to 8, got ", options.average_bits);
  require(options.grouping != column_grouping::single || options.average_bits == std::floor(options.average_bits),
          "compress: average_bits must be a whole number where all columns share one width, got ",
          options.average_bits);
  require(
      options.allocation != bit_allocation::rate_distortion || options.grouping == column_grouping::single ||
          options.fit.range == quantization::range_rule::clip_search,
      "compress: bit_allocation::rate_distortion measures grids by range_rule::clip_search; ask for that in fit, or "
      "for bit_allocation::by_importance");
}

inline grouping::information_grouping_options grouping_options_of(std::int64_t columns,
                                                                  const compress_options& options) {
  grouping::information_grouping_options how;
  how.method = options.grouping == column_grouping::hierarchical ? grouping::grouping_method::hierarchical
               : options.grouping == column_grouping::kmeans     ? grouping::grouping_method::kmeans
                                                                 : grouping::grouping_method::spectral;
  how.groups = static_cast<int>(std::min<std::int64_t>(options.groups, columns));
  how.max_groups = options.max_groups;
  how.criterion = options.criterion;
  how.linkage = options.linkage;
  how.balanced = options.balanced;
  how.multiple = options.group_multiple;
  how.normalisation = options.normalisation;
  how.seed = options.seed;
  return how;
}

/// Validates a grouping by information before any work is done.
inline void check_information_options(std::int64_t columns, std::int64_t sample_tokens, std::int64_t sample_columns,
                                      const compress_options& options) {
  if (!std::holds_alternative<information::correlation_options>(options.estimator)) {
    require(sample_tokens > 0 && sample_columns > 0, "prepare: the estimator ", information::name_of(options.estimator),
            " needs samples; give the overload some, such as calibration::accumulator keeps with sample_tokens");
    require(sample_columns == columns, "prepare: samples must have the statistics' ", columns, " columns, got ",
            sample_columns);
  }
  require(!information::detail::needs_entropies(options.normalisation) ||
              information::entropies_of(options.estimator) == information::entropy_kind::discrete,
          "prepare: normalisation::", information::detail::name_of(options.normalisation),
          " needs discrete entropies, which the estimator histogram has and ", information::name_of(options.estimator),
          " has not; use normalisation::information_coefficient");
  grouping::detail::require_grouping_options(grouping_options_of(columns, options), columns);
}

}  // namespace miq::detail
