// compress_cuda.hpp: `prepare` and `compress` (compress.hpp) on a device: a layer is compressed where it lies.
#pragma once

#include <miq/calibration/accumulator_cuda.hpp>
#include <miq/compress_options.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/progress.hpp>
#include <miq/quantization/column_groups_cuda.hpp>

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {

/// How a layer's inputs differ from the dense model's, in device memory.
struct device_drift {
  device_matrix<float> moment;     ///< [c, c], as `calibration::cross_statistics::moment`
  std::vector<float> second_mean;  ///< [c], on the host

  device_drift() = default;
  /// Takes over the moments; fetches the means, which synchronises.
  device_drift(const cuda_executor& exec, calibration::device_cross_statistics&& from)
      : moment(std::move(from.moment), from.first_mean.size(), from.second_mean.size()),
        second_mean(static_cast<std::size_t>(from.second_mean.size())) {
    copy(exec, vector_view<const float, device_memory>(from.second_mean.view()), vector_view<float>(second_mean));
    exec.synchronise();
  }
};

/// `prepared_inputs` with its matrices in device memory.
struct device_prepared_inputs {
  device_matrix<float> upper;         ///< [c, c], see `prepared_inputs`
  device_matrix<float> hessian;       ///< the same
  std::vector<std::int64_t> order;    ///< [c]; empty: natural
  std::optional<device_drift> drift;  ///< set before `compress` to make up for what earlier layers have lost
  obs::factor_result factor;
  device_matrix<float> mi;                    ///< [c, c] in nats; empty unless groups are made from it
  information::estimator_result information;  ///< what the estimator reports
  std::int64_t sample_tokens = 0;
  std::int64_t clipped_information = 0;
  grouping::partition groups;
  std::vector<int> candidate_groups;
  std::vector<double> silhouettes;
  std::int64_t isolated = 0;
  phase_seconds seconds;
};

/// `compressed_layer` with its matrices in device memory.
struct device_compressed_layer {
  device_matrix<float> weights;         ///< [rows, columns] dequantised, 0 where masked
  device_matrix<std::uint8_t> codes;    ///< [rows, columns]; 0 where masked; empty without quantisation
  device_matrix<std::uint8_t> kept;     ///< [rows, columns], the mask: 1 where a weight is kept
  quantization::device_grid_set grids;  ///< scales and zero points; empty without quantisation
  grouping::partition groups;
  std::vector<int> bits;           ///< of each group; 16 without quantisation
  std::vector<double> row_loss;    ///< [rows], on the host
  std::vector<float> bias_change;  ///< [rows], on the host
  layer_report report;

  /// A copy on the host. Synchronises.
  compressed_layer fetch(const cuda_executor& exec) const {
    compressed_layer on_host;
    const auto take = [&](const auto& from, auto& to) {
      if (from.empty()) return;
      to = std::remove_reference_t<decltype(to)>(from.rows(), from.columns());
      using element = std::remove_pointer_t<decltype(from.data())>;
      copy(exec, matrix_view<const element, device_memory>(from.view()), to.view());
    };
    take(weights, on_host.weights);
    take(codes, on_host.codes);
    take(kept, on_host.kept);
    if (!codes.empty()) on_host.grids = grids.fetch(exec);
    exec.synchronise();
    on_host.groups = groups;
    on_host.bits = bits;
    on_host.row_loss = row_loss;
    on_host.bias_change = bias_change;
    on_host.report = report;
    return on_host;
  }
};

/// As `prepare` on the host, of statistics in device memory. Takes results and scratch from the executor's resource;
/// synchronises; may not be captured. `column_order::representatives` takes the Hessian to the host for the order.
///
/// @param samples  [T, c] or empty: tokens of the same input, for estimators other than `correlation`
/// @throws invalid_argument, numerical_error, cancelled, cuda_error  as the parts do
MIQ_CUDA_API device_prepared_inputs prepare(const cuda_executor& exec,
                                            const calibration::statistics_view<device_memory>& seen,
                                            const compress_options& options = {},
                                            matrix_view<const float, device_memory> samples = {},
                                            const progress_callback& progress = {});

/// As `compress` on the host, of weights in device memory. Matrices stay on the device; what bits are chosen from (a
/// few values a column, a few a group) comes to the host, so that it synchronises a dozen times and may not be
/// captured. Takes results and scratch from the executor's resource: about 20 bytes a weight and 12 c^2 at the same
/// time.
///
/// The same steps as on the host (they are one piece of code); decisions may differ where rounding does.
/// @throws invalid_argument, numerical_error, cancelled, cuda_error  as the parts do
MIQ_CUDA_API device_compressed_layer compress(const cuda_executor& exec,
                                              matrix_view<const float, device_memory> weights,
                                              const calibration::statistics_view<device_memory>& seen,
                                              const device_prepared_inputs& shared,
                                              const compress_options& options = {},
                                              const progress_callback& progress = {});
/// The same for weights in 16 bits.
MIQ_CUDA_API device_compressed_layer compress(const cuda_executor& exec,
                                              matrix_view<const float16, device_memory> weights,
                                              const calibration::statistics_view<device_memory>& seen,
                                              const device_prepared_inputs& shared,
                                              const compress_options& options = {},
                                              const progress_callback& progress = {});
MIQ_CUDA_API device_compressed_layer compress(const cuda_executor& exec,
                                              matrix_view<const bfloat16, device_memory> weights,
                                              const calibration::statistics_view<device_memory>& seen,
                                              const device_prepared_inputs& shared,
                                              const compress_options& options = {},
                                              const progress_callback& progress = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
