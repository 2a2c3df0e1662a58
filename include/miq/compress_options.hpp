// compress_options.hpp: what `prepare` and `compress` are told, on the host and on devices.
#pragma once

#include <cstdint>

#include <miq/allocation/bit_budget_options.hpp>
#include <miq/grouping/group_count_options.hpp>
#include <miq/grouping/linkage_method.hpp>
#include <miq/information/estimator_options.hpp>
#include <miq/information/normalisation_options.hpp>
#include <miq/obs/factor_options.hpp>
#include <miq/obs/mask_search_options.hpp>
#include <miq/obs/sweep_options.hpp>
#include <miq/quantization/fit_options.hpp>

namespace miq {

/// Which columns share a bit width.
enum class column_grouping {
  single,        ///< all of them
  each_column,   ///< none: every column has its own
  spectral,      ///< those that `grouping::group_by_information` puts together by that method
  hierarchical,  ///< the same, by that method
  kmeans         ///< the same, by that method
};

/// Whether groups are made from mutual information.
constexpr bool groups_by_information(column_grouping grouping) {
  return grouping != column_grouping::single && grouping != column_grouping::each_column;
}

/// When the mask is chosen.
enum class mask_timing {
  inside_sweep,  ///< block by block, in the sweep that quantises
  before_sweep   ///< beforehand; then grids and budget know which weights are kept
};

/// How a mask that is chosen before the sweep is found.
enum class mask_method {
  pruning_sweep,  ///< by a sweep that only prunes
  search,         ///< the same, then `obs::mask_search` from there; not for N:M masks
  selection       ///< all at once from the weights as they are, over the whole layer, each row, or N:M
};

/// What makes a weight worth keeping; each times `|w|`.
enum class mask_saliency {
  obs,       ///< 1 / U_jj
  wanda,     ///< the root mean square of the column's activations
  magnitude  ///< 1
};

/// The order in which the sweep takes the columns. Scales are known before the sweep, so that no order shows in what is
/// stored: results are in the layer's own order.
enum class column_order {
  natural,              ///< as they come
  descending_diagonal,  ///< by their second moment, largest first (GPTQ's "act order"); ties by column
  by_group,             ///< group after group
  representatives       ///< redundant columns of each group first, see `grouping::order_by_representatives`
};

/// What makes a column worth bits.
enum class bit_importance {
  mixed,       ///< the five-part mix of `allocation::importance`
  conditional  ///< `mean_r W_rj^2 / U_jj^2`: what an error relative to the column's weights costs once the later
               ///< columns have made up for it, so that redundant columns count little
};

/// How groups get their bits.
enum class bit_allocation {
  rate_distortion,  ///< from what fitted grids of every width would lose, exactly: `allocation::rate_distortion`
  by_importance     ///< `allocation::allocate_bits` with `bit_importance`
};

/// The whole way, from estimator to quantizer. The defaults are the method `mi`; `sparsegpt_options` and
/// `enhanced_options` give the other two.
struct compress_options {
  // Target
  /// How far the weights move to make up for what earlier layers have lost, 0 to 1, see `obs::shift_target`. Needs
  /// `prepared_inputs::drift`; without it weights stay what they are.
  double target_strength = 1;
  double target_ridge = 0.01;  ///< what keeps weights that hardly matter in proportion, see `obs::add_target_ridge`

  // Pruning
  double sparsity = 0.5;  ///< share of masked weights, [0, 1); N:M masks have their own
  /// `none`, `layer` (inside the sweep: each block of columns), `row` or `n_of_m`.
  obs::mask_scope mask = obs::mask_scope::layer;
  std::int64_t pattern_kept = 2;   ///< N of N:M masks
  std::int64_t pattern_width = 4;  ///< M of N:M masks
  mask_saliency saliency = mask_saliency::obs;
  mask_timing timing = mask_timing::before_sweep;  ///< without quantisation, refit and search it makes no difference
  mask_method method = mask_method::search;        ///< of a mask that is chosen before the sweep
  obs::mask_search_options search{};               ///< scope and damping are those of the mask and of `factor`
  /// Iterations of `obs::refit` on a mask that was chosen before the sweep; 0: one Gauss-Seidel pass; negative: none,
  /// the sweep alone makes up for what is masked.
  int refit_iterations = 3;
  std::int64_t column_block = 128;  ///< see `obs::sweep_options`
  column_order order = column_order::natural;
  obs::factor_options factor{0.01, obs::damping_rule::own_diagonal};

  // Grouping
  column_grouping grouping = column_grouping::spectral;
  information::estimator_options estimator{};  ///< of the mutual information; all but `correlation` need samples
  information::normalisation normalisation = information::normalisation::information_coefficient;  ///< of the affinity
  int groups = 8;       ///< number of groups, lowered to the number of columns; 0: chosen
  int max_groups = 16;  ///< the most that are tried where `groups` is 0
  grouping::group_count_criterion criterion = grouping::group_count_criterion::silhouette;
  grouping::linkage_method linkage = grouping::linkage_method::average;  ///< of `column_grouping::hierarchical`
  bool balanced = false;            ///< groups of equal size; not with `hierarchical`
  std::int64_t group_multiple = 1;  ///< sizes of balanced groups are multiples of it, see `grouping::balanced_options`
  std::uint64_t seed = 0;           ///< of what grouping draws; estimators have seeds of their own

  // Bits
  bool quantise = true;  ///< false: prune only
  bit_allocation allocation = bit_allocation::rate_distortion;
  /// Whether groups may be divided in cheap and dear columns with widths of their own, see `allocation::split_groups`;
  /// with `bit_allocation::rate_distortion`, where there is room for the indices and something to be gained.
  bool split_groups = true;
  /// What may be stored: as much as a uniform grid of this many bits with one 16-bit scale and one zero point per row
  /// would store at the same sparsity, metadata included. With `column_grouping::single` it is the width itself, and a
  /// whole number.
  double average_bits = 4;
  bit_importance importance = bit_importance::conditional;  ///< of `bit_allocation::by_importance`
  /// Smallest and largest width; the strategy is that of `bit_allocation::by_importance`.
  allocation::budget_options budget{.minimum_bits = 2};
  quantization::fit_options fit{.layout = quantization::grid_layout::row_by_column,
                                .symmetry = quantization::grid_symmetry::zero_free,
                                .format = quantization::scale_format::logarithmic8,
                                .range = quantization::range_rule::clip_search};
};

/// SparseGPT's joint variant as it is published (Frantar and Alistarh 2023): one width, min/max grids per output row
/// from the original weights, the mask chosen in the sweep, damping by the mean diagonal.
compress_options sparsegpt_options(double sparsity, int bits);

/// Per-channel importance (the five-part mix) and per-channel bits, scales and zero points; channels independent.
compress_options enhanced_options(double sparsity, double average_bits);

/// Groups of channels from mutual information, bits per group by rate and distortion, rank-one scales, a searched mask
/// and refitted weights: the defaults of `compress_options`.
compress_options mi_options(double sparsity, double average_bits);

}  // namespace miq

#if !defined(MIQ_PRECOMPILED)
#include <miq/detail/compress/options.inl>
#endif
