// compressed_layer.hpp: a compressed layer, what its inputs were prepared to, and the report.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <miq/calibration/cross_statistics.hpp>
#include <miq/core/matrix.hpp>
#include <miq/grouping/partition.hpp>
#include <miq/information/estimator_options.hpp>
#include <miq/obs/factor_options.hpp>
#include <miq/quantization/fit_options.hpp>
#include <miq/quantization/grid_set.hpp>
#include <miq/quantization/storage.hpp>

namespace miq {

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

/// The owning types of a layer's parts where they are in host memory.
struct host_layer_memory {
  using space = host_memory;
  template <class T>
  using matrix = miq::matrix<T>;
  using drift = calibration::cross_statistics;
  using grids = quantization::grid_set;
};

/// What `prepare` found out about the input of a layer and keeps on the host, wherever its matrices are.
struct prepared_summary {
  std::vector<std::int64_t> order;            ///< [c], the column at each place of the sweep; empty: natural
  obs::factor_result factor;                  ///< damping used, dead columns
  information::estimator_result information;  ///< what the estimator reports
  std::int64_t sample_tokens = 0;             ///< tokens that it saw; all of them with `correlation`
  std::int64_t clipped_information = 0;       ///< pairs whose affinity or distance had to be clipped
  grouping::partition groups;                 ///< of the columns
  std::vector<int> candidate_groups;          ///< numbers of groups that were tried, where it was chosen
  std::vector<double> silhouettes;            ///< the score of each
  std::int64_t isolated = 0;                  ///< columns without affinity to any other
  phase_seconds seconds;                      ///< factor, information, grouping
};

/// What all layers that read the same input share: made once by `prepare`, used by `compress` for each of them.
/// `Memory`: the owning types, `host_layer_memory` or `device_layer_memory` (compress_cuda.hpp).
template <class Memory>
struct basic_prepared_inputs : prepared_summary {
  typename Memory::template matrix<float> upper;    ///< [c, c], the factor of the inverse Hessian, in the order of the
                                                    ///< sweep
  typename Memory::template matrix<float> hessian;  ///< [c, c], in the same order; empty unless masks are searched or
                                                    ///< weights are moved or refitted
  typename Memory::template matrix<float> mi;       ///< [c, c] in nats; empty unless groups are made from it
  /// Set this before `compress` to make up for what earlier layers have lost: `calibration::cross_moments` with
  /// `difference`, the first stream what the layer receives now (the tokens of `statistics`), the second what it
  /// received in the dense model. In the layer's own order of columns.
  std::optional<typename Memory::drift> drift;
};
using prepared_inputs = basic_prepared_inputs<host_layer_memory>;

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
                              ///< the sweep, in bits per weight, see `allocation::headroom`
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

/// What is known of a compressed layer and kept on the host, wherever its matrices are.
struct compressed_summary {
  grouping::partition groups;    ///< of the columns: those that were prepared, or parts of them
  std::vector<int> bits;         ///< of each group; 16 without quantisation
  std::vector<double> row_loss;  ///< [rows], see `layer_report::loss`
  /// [rows]: added to the layer's bias, makes its mean output what it was: of the dense weights on the dense inputs
  /// where the drift is known, else on the inputs as they are.
  std::vector<float> bias_change;
  layer_report report;
};

/// A compressed layer: everything that is stored, and the dense weights that it stands for.
template <class Memory>
struct basic_compressed_layer : compressed_summary {
  typename Memory::template matrix<float> weights;  ///< [rows, columns] dequantised, 0 where masked
  typename Memory::template matrix<std::uint8_t>
      codes;                                            ///< [rows, columns]; 0 where masked; empty without quantisation
  typename Memory::template matrix<std::uint8_t> kept;  ///< [rows, columns], the mask: 1 where a weight is kept
  typename Memory::grids grids;                         ///< scales and zero points; empty without quantisation
};
using compressed_layer = basic_compressed_layer<host_layer_memory>;

}  // namespace miq
