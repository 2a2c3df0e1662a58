// obs/sweep_options.hpp: options, inputs, outputs and results of the sweep, for the host and for devices.
#pragma once

#include <cstdint>
#include <optional>

#include <miq/core/matrix_view.hpp>
#include <miq/obs/mask_scope.hpp>
#include <miq/quantization/grid_set.hpp>

namespace miq::obs {

/// What `sweep` may be asked for. The saliency of a weight is `w^2 / U_jj^2` (or what `sweep_inputs::column_saliency`
/// says), taken when its block of columns is reached, for N:M when its group of columns is. Masked are the
/// floor(sparsity * weights) least salient of each block of columns (ties by row, then column), in each of its rows
/// floor(sparsity * width) (ties by column), all but the `pattern_kept` most salient of every `pattern_width` columns
/// of a row (ties by column; a last group with fewer columns keeps as many), or what `sweep_inputs::kept` says.
struct sweep_options {
  mask_scope mask = mask_scope::column_block;  ///< `none`, `column_block`, `row`, `n_of_m` or `given`
  double sparsity = 0.5;                       ///< share of masked weights in [0, 1); of `column_block` and `row`
  std::int64_t column_block =
      128;  ///< columns whose mask is chosen together, 1 to 1024; also the block of the lazy update
  std::int64_t pattern_kept = 2;   ///< N of N:M masks
  std::int64_t pattern_width = 4;  ///< M of N:M masks, 1 to 64, a divisor of `column_block`
};

/// What goes in. Weights are float, float16 or bfloat16.
template <class Space = host_memory, class T = float>
struct sweep_inputs {
  matrix_view<const T, Space> weights{};                      ///< [rows, columns], finite
  matrix_view<const float, Space> upper{};                    ///< [columns, columns], from `factor`
  std::optional<quantization::grid_set_view<Space>> grids{};  ///< none: prune only
  matrix_view<const std::uint8_t, Space> kept{};  ///< [rows, columns], for `mask_scope::given`: 0 masks a weight
  /// [columns] or empty, not negative: the saliency of a weight is `(|w| * column_saliency)^2`. Empty: 1 / U_jj (OBS).
  /// sqrt(H_jj) gives Wanda's `|w| * ||x||` (Sun et al. 2024, "A simple and effective pruning approach for large
  /// language models"), ones give the magnitude.
  vector_view<const float, Space> column_saliency{};
};

/// What comes out. Empty views are not written; none may overlap an input or another output.
template <class Space = host_memory, class T = float>
struct sweep_outputs {
  matrix_view<T, Space> weights{};           ///< [rows, columns]: what the layer computes with, 0 where masked
  matrix_view<std::uint8_t, Space> codes{};  ///< [rows, columns]: codes of kept weights, 0 where masked; needs grids
  matrix_view<std::uint8_t, Space> kept{};   ///< [rows, columns]: 1 where a weight is kept
  vector_view<double, Space> row_loss{};     ///< [rows]: 1/2 sum of (w - q)^2 / U_jj^2 over the columns
};

/// What happened on the way.
struct sweep_result {
  double loss = 0;           ///< sum of the row losses: 1/2 tr (W - Q)(H + D)(W - Q)^T; with H = 2/n X^T X that is
                             ///< the squared output error |X W^T - X Q^T|^2 / n, and what the damping D adds
  std::int64_t masked = 0;   ///< weights that the mask took out
  std::int64_t clamped = 0;  ///< kept weights whose code fell outside its grid and became the outermost one
};

/// What happened in a sweep on a device, which does not look at contents beforehand and does not wait; in its memory.
struct device_sweep_result : sweep_result {
  std::int64_t not_finite = 0;  ///< rows whose loss is not finite: weights, factor or grids are not what they should be
};

}  // namespace miq::obs
