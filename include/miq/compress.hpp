// compress.hpp: a layer from its weights and calibration statistics to codes, in one call.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <miq/allocation/bit_budget.hpp>
#include <miq/allocation/importance.hpp>
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
#include <miq/obs/sweep.hpp>
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
  before_sweep   ///< by a sweep that only prunes; then the budget knows how many weights each column keeps
};

/// What makes a column worth bits.
enum class bit_importance {
  mixed,       ///< the five-part mix of `allocation::importance`
  conditional  ///< `mean_r W_rj^2 / U_jj^2`: what an error relative to the column's weights costs once the later
               ///< columns have made up for it, so that redundant columns count little
};

/// The whole way, from estimator to quantizer. The defaults are the method `mi`; `sparsegpt_options` and
/// `enhanced_options` give the other two.
struct compress_options {
  // Pruning
  double sparsity = 0.5;                               ///< share of masked weights, [0, 1)
  obs::mask_rule mask = obs::mask_rule::unstructured;  ///< anything but `given`
  mask_timing timing = mask_timing::before_sweep;      ///< without quantisation it makes no difference
  std::int64_t column_block = 128;                     ///< see `obs::sweep_options`
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
  /// What may be stored: as much as a uniform grid of this many bits with one 16-bit scale and one zero point a row
  /// would store at the same sparsity, metadata included. With `column_grouping::single` it is the width itself, and a
  /// whole number.
  double average_bits = 4;
  bit_importance importance = bit_importance::conditional;
  allocation::budget_options budget{};
  quantization::fit_options fit{.layout = quantization::grid_layout::per_column,
                                .range = quantization::range_rule::clip_search};
};

/// SparseGPT's joint variant as it is published (Frantar and Alistarh 2023): one width, min/max grids per output row
/// from the original weights, the mask chosen in the sweep, damping by the mean diagonal.
compress_options sparsegpt_options(double sparsity, int bits);

/// Per-channel importance (the five-part mix) and per-channel bits, scales and zero points; channels independent.
compress_options enhanced_options(double sparsity, double average_bits);

/// Groups of channels from mutual information, bits per group: the defaults of `compress_options`.
compress_options mi_options(double sparsity, double average_bits);

/// Seconds of wall time, phase by phase.
struct phase_seconds {
  double factor = 0;       ///< Hessian and its factor
  double information = 0;  ///< mutual information and affinities
  double grouping = 0;
  double mask = 0;        ///< the pruning sweep, where the mask is chosen beforehand
  double allocation = 0;  ///< importances and bits
  double fit = 0;         ///< scales and zero points
  double sweep = 0;

  double total() const { return factor + information + grouping + mask + allocation + fit + sweep; }
};

/// What all layers that read the same input share: made once by `prepare`, used by `compress` for each of them.
struct prepared_inputs {
  matrix<float> upper;                        ///< [c, c], the factor of the inverse Hessian
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
  std::int64_t columns = 0;
  int bits = 0;           ///< 16 where nothing was quantised
  double importance = 0;  ///< mean over its kept weights (the expected ones, where the mask comes later)
  std::int64_t kept = 0;  ///< weights kept
  double mi_within = 0;   ///< mean over pairs inside, nats; 0 for a single column or without estimates
  double mi_between = 0;  ///< mean over pairs with one column inside
};

/// What was done to a layer.
struct layer_report {
  quantization::storage_report storage;  ///< every bit that is stored; sparsity
  double budget_bits =
      0;               ///< what could have been stored, mask included; 0 for a single group and without quantisation
  double loss = 0;     ///< `obs::sweep_result::loss`
  double damping = 0;  ///< share of the diagonal that was used
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
  grouping::partition groups;    ///< of the columns
  std::vector<int> bits;         ///< of each group; 16 without quantisation
  std::vector<double> row_loss;  ///< [rows]
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
/// Cost: one sweep, two where the mask is chosen beforehand. Deterministic, whatever the number of threads.
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
