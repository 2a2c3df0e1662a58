// compress.hpp: a layer from its weights and calibration statistics to codes, in one call.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <miq/allocation/bit_budget.hpp>
#include <miq/allocation/expected_error.hpp>
#include <miq/allocation/headroom.hpp>
#include <miq/allocation/importance.hpp>
#include <miq/allocation/rate_distortion.hpp>
#include <miq/calibration/cross_moments.hpp>
#include <miq/calibration/statistics.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/progress.hpp>
#include <miq/grouping/group_by_information.hpp>
#include <miq/grouping/partition.hpp>
#include <miq/grouping/quality.hpp>
#include <miq/information/estimator.hpp>
#include <miq/information/normalisation.hpp>
#include <miq/obs/factor.hpp>
#include <miq/obs/mask.hpp>
#include <miq/obs/mask_search.hpp>
#include <miq/obs/refit.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/obs/target.hpp>
#include <miq/quantization/fit.hpp>
#include <miq/quantization/storage.hpp>

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
  double sparsity = 0.5;                               ///< share of masked weights, [0, 1); N:M masks have their own
  obs::mask_rule mask = obs::mask_rule::unstructured;  ///< anything but `given`
  std::int64_t pattern_kept = 2;                       ///< N of N:M masks
  std::int64_t pattern_width = 4;                      ///< M of N:M masks
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
  /// What may be stored: as much as a uniform grid of this many bits with one 16-bit scale and one zero point a row
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

/// Seconds of wall time, phase by phase.
struct phase_seconds {
  double factor = 0;       ///< Hessian and its factor
  double information = 0;  ///< mutual information and affinities
  double grouping = 0;
  double target = 0;      ///< the shift that makes up for earlier layers
  double mask = 0;        ///< where the mask is chosen beforehand
  double refit = 0;       ///< of the weights that the mask keeps
  double allocation = 0;  ///< what widths would lose, and bits
  double fit = 0;         ///< scales and zero points
  double sweep = 0;

  double total() const { return factor + information + grouping + target + mask + refit + allocation + fit + sweep; }
};

/// What all layers that read the same input share: made once by `prepare`, used by `compress` for each of them.
struct prepared_inputs {
  matrix<float> upper;              ///< [c, c], the factor of the inverse Hessian, in the order of the sweep
  matrix<float> hessian;            ///< [c, c], in the same order; empty unless masks are searched or weights are moved
                                    ///< or refitted
  std::vector<std::int64_t> order;  ///< [c], the column at each place of the sweep; empty: natural
  /// Set this before `compress` to make up for what earlier layers have lost: `calibration::cross_moments` with
  /// `difference`, the first stream what the layer receives now (the tokens of `seen`), the second what it received in
  /// the dense model. In the layer's own order of columns.
  std::optional<calibration::cross_statistics> drift;
  obs::factor_result factor;                  ///< damping used, dead columns
  matrix<float> mi;                           ///< [c, c] in nats; empty unless groups are made from it
  information::estimator_result information;  ///< what the estimator reports
  std::int64_t sample_tokens = 0;             ///< tokens that it saw; all of them with `correlation`
  std::int64_t clipped_information = 0;       ///< pairs whose affinity or distance had to be clipped
  grouping::partition groups;                 ///< of the columns
  std::vector<int> candidate_groups;          ///< numbers of groups that were tried, where it was chosen
  std::vector<double> silhouettes;            ///< the score of each
  std::int64_t isolated = 0;                  ///< columns without affinity to any other
  phase_seconds seconds;                      ///< factor, information, grouping
};

/// One group of columns in the report.
struct group_report {
  std::int64_t parent = 0;  ///< the group of `prepared_inputs::groups` that it is, or is a part of
  std::int64_t columns = 0;
  int bits = 0;           ///< 16 where nothing was quantised
  double importance = 0;  ///< mean over its kept weights (the expected ones, where the mask comes later); 0 with
                          ///< `bit_allocation::rate_distortion`
  std::int64_t kept = 0;  ///< weights kept
  double mi_within = 0;   ///< mean over pairs inside, nats; 0 for a single column or without estimates
  double mi_between = 0;  ///< mean over pairs with one column inside
};

/// What was done to a layer.
struct layer_report {
  quantization::storage_report storage;  ///< every bit that is stored; sparsity
  double budget_bits =
      0;            ///< what could have been stored, mask included; 0 for a single group and without quantisation
  double loss = 0;  ///< 1/2 tr (W - Q)(H + D)(W - Q)^T against the target weights, as `obs::sweep_result::loss`;
                    ///< where weights were refitted the sum of what the mask and what rounding cost, which is exact
                    ///< as far as the refit has converged
  double pruning_loss = 0;         ///< the part of the mask, where weights were refitted
  double target_change = 0;        ///< `obs::target_result::change`
  std::int64_t exchanged = 0;      ///< weights that the mask search brought back
  std::vector<double> refit_loss;  ///< before and after each iteration, see `obs::refit_result`
  double headroom_bits = 0;   ///< what ideal unequal bits could gain for this layer, its kept weights and the order of
                              ///< the sweep, in bits a weight, see `allocation::headroom`
  double realised_bits = 0;   ///< what the chosen widths gain of it
  double allocation_gap = 0;  ///< `allocation::rate_distortion_result::gap`
  double damping = 0;         ///< share of the diagonal that was used
  std::int32_t damping_raised = 0;  ///< how often it had to be raised
  std::int64_t dead = 0;            ///< columns that never carried a signal; their weights are set to 0
  std::int64_t clamped = 0;         ///< kept weights beyond the ends of their grid
  quantization::fit_result fit;
  std::vector<group_report> groups;
  phase_seconds seconds;  ///< of `compress`; with the overload that prepares, of both
};

/// A compressed layer: everything that is stored, and the dense weights that it stands for.
struct compressed_layer {
  matrix<float> weights;         ///< [rows, columns] dequantised, 0 where masked
  matrix<std::uint8_t> codes;    ///< [rows, columns]; 0 where masked; empty without quantisation
  matrix<std::uint8_t> kept;     ///< [rows, columns], the mask: 1 where a weight is kept
  quantization::grid_set grids;  ///< scales and zero points; empty without quantisation
  grouping::partition groups;    ///< of the columns: those that were prepared, or parts of them
  std::vector<int> bits;         ///< of each group; 16 without quantisation
  std::vector<double> row_loss;  ///< [rows], see `layer_report::loss`
  /// [rows]: added to the layer's bias, makes its mean output what it was: of the dense weights on the dense inputs
  /// where the drift is known, else on the inputs as they are.
  std::vector<float> bias_change;
  layer_report report;
};

/// Does what depends on a layer's input alone: factors the Hessian, estimates the mutual information, groups the
/// columns.
///
/// @param exec     where to run. Allocates the result, 4 c^2 floats of scratch at most, and what the parts allocate.
/// @param seen     of the layer's input, at least 2 tokens for groups by information, else 1
/// @param samples  [T, c], tokens of the same input for the estimators that need them, such as the sample that
///                 `calibration::accumulator` keeps; may be empty for `information::correlation_options`, which uses
///                 the covariance of `seen`
/// @throws invalid_argument, numerical_error, cancelled  as `obs::factor`, the estimator and
///         `grouping::group_by_information` do; if samples are needed and missing, or of another number of columns
/// Deterministic, whatever the number of threads.
template <executor Exec>
prepared_inputs prepare(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& seen,
                        matrix_view<const float, memory_of<Exec>> samples, const compress_options& options = {},
                        const progress_callback& progress = {});

/// The same without samples: for `information::correlation_options`, and groups that need no information.
template <executor Exec>
prepared_inputs prepare(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& seen,
                        const compress_options& options = {}, const progress_callback& progress = {});

/// Compresses one layer whose input was prepared with the same options.
///
/// @param exec      where to run. Allocates the result and the parts' scratch.
/// @param weights   [rows, columns], finite
/// @param seen      what `shared` was prepared from
/// @throws invalid_argument  for shapes that do not fit, options out of range, weights that are not finite, a budget
///                           that the smallest widths exceed
/// @throws numerical_error, cancelled  as `obs::sweep` does
/// Cost: one sweep, two where the mask is chosen beforehand, and as many more as target, search and refit take (see
/// there; each of their iterations costs as much as two sweeps). Deterministic, whatever the number of threads.
template <executor Exec>
compressed_layer compress(const Exec& exec, matrix_view<const float, memory_of<Exec>> weights,
                          const calibration::statistics_view<memory_of<Exec>>& seen, const prepared_inputs& shared,
                          const compress_options& options = {}, const progress_callback& progress = {});

/// Both in one call.
template <executor Exec>
compressed_layer compress(const Exec& exec, matrix_view<const float, memory_of<Exec>> weights,
                          const calibration::statistics_view<memory_of<Exec>>& seen,
                          matrix_view<const float, memory_of<Exec>> samples, const compress_options& options = {},
                          const progress_callback& progress = {});

/// The same without samples, as for `prepare`.
template <executor Exec>
compressed_layer compress(const Exec& exec, matrix_view<const float, memory_of<Exec>> weights,
                          const calibration::statistics_view<memory_of<Exec>>& seen,
                          const compress_options& options = {}, const progress_callback& progress = {});

}  // namespace miq

#include <miq/detail/compress.inl>
