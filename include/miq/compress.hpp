// compress.hpp: a layer from its weights and calibration statistics to codes, in one call.
#pragma once

#include <miq/allocation/bit_budget.hpp>
#include <miq/allocation/expected_error.hpp>
#include <miq/allocation/headroom.hpp>
#include <miq/allocation/importance.hpp>
#include <miq/allocation/rate_distortion.hpp>
#include <miq/calibration/cross_moments.hpp>
#include <miq/calibration/statistics.hpp>
#include <miq/compress_options.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/progress.hpp>
#include <miq/core/weights_view.hpp>
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

/// Does what depends on a layer's input alone: factors the Hessian, estimates the mutual information, groups the
/// columns.
///
/// @param exec     where to run. Allocates the result, 4 c^2 floats of scratch at most, and what the parts allocate.
/// @param statistics  of the layer's input, at least 2 tokens for groups by information, else 1
/// @param samples  [T, c], tokens of the same input for the estimators that need them, such as the sample that
///                 `calibration::accumulator` keeps; may be empty for `information::correlation_options`, which uses
///                 the covariance of `statistics`
/// @throws invalid_argument, numerical_error, cancelled  as `obs::factor`, the estimator and
///         `grouping::group_by_information` do; if samples are needed and missing, or of another number of columns
/// Deterministic, whatever the number of threads.
template <executor Exec>
prepared_inputs prepare(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                        matrix_view<const float, memory_of<Exec>> samples, const compress_options& options = {},
                        const progress_callback& progress = {});

/// The same without samples: for `information::correlation_options`, and groups that need no information.
template <executor Exec>
prepared_inputs prepare(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                        const compress_options& options = {}, const progress_callback& progress = {});

/// Compresses one layer whose input was prepared with the same options.
///
/// @param exec      where to run. Allocates the result and the parts' scratch.
/// @param weights   [rows, columns], finite: float, float16 or bfloat16
/// @param statistics  what `shared` was prepared from
/// @throws invalid_argument  for shapes that do not fit, options out of range, weights that are not finite, a budget
///                           that the smallest widths exceed
/// @throws numerical_error, cancelled  as `obs::sweep` does
/// Cost: one sweep, two where the mask is chosen beforehand, and as many more as target, search and refit take (see
/// there; each of their iterations costs as much as two sweeps). Deterministic, whatever the number of threads.
template <executor Exec>
compressed_layer compress(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                          const calibration::statistics_view<memory_of<Exec>>& statistics,
                          const prepared_inputs& shared, const compress_options& options = {},
                          const progress_callback& progress = {});

/// Both in one call.
template <executor Exec>
compressed_layer compress(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                          const calibration::statistics_view<memory_of<Exec>>& statistics,
                          matrix_view<const float, memory_of<Exec>> samples, const compress_options& options = {},
                          const progress_callback& progress = {});

/// The same without samples, as for `prepare`.
template <executor Exec>
compressed_layer compress(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                          const calibration::statistics_view<memory_of<Exec>>& statistics,
                          const compress_options& options = {}, const progress_callback& progress = {});

}  // namespace miq

#if !defined(MIQ_PRECOMPILED)
#include <miq/detail/compress/host.inl>
#endif
