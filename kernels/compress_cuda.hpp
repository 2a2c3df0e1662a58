// compress_cuda.hpp: `prepare` and `compress` (compress.hpp) on a device: a layer is compressed where it lies.
#pragma once

#include <miq/calibration/accumulator_cuda.hpp>
#include <miq/compress_options.hpp>
#include <miq/compressed_layer.hpp>
#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/progress.hpp>
#include <miq/core/weights_view.hpp>
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

/// The owning types of a layer's parts where they are in device memory.
struct device_layer_memory {
  using space = device_memory;
  template <class T>
  using matrix = device_matrix<T>;
  using drift = device_drift;
  using grids = quantization::device_grid_set;
};

using device_prepared_inputs = basic_prepared_inputs<device_layer_memory>;
using device_compressed_layer = basic_compressed_layer<device_layer_memory>;

namespace device {

template <class T>
void fetch_matrix(const cuda_executor& exec, const device_matrix<T>& from, matrix<T>& to) {
  to = matrix<T>(from.rows(), from.columns());
  copy(exec, matrix_view<const T, device_memory>(from), to.view());
}

}  // namespace device

/// Copies on the host. Synchronise.
/// `fetch` of prepared inputs leaves out `drift`, which is the caller's own.
inline prepared_inputs fetch(const cuda_executor& exec, const device_prepared_inputs& inputs) {
  prepared_inputs on_host;
  static_cast<prepared_summary&>(on_host) = inputs;
  device::fetch_matrix(exec, inputs.upper, on_host.upper);
  device::fetch_matrix(exec, inputs.hessian, on_host.hessian);
  device::fetch_matrix(exec, inputs.mi, on_host.mi);
  exec.synchronise();
  return on_host;
}

inline compressed_layer fetch(const cuda_executor& exec, const device_compressed_layer& layer) {
  compressed_layer on_host;
  static_cast<compressed_summary&>(on_host) = layer;
  device::fetch_matrix(exec, layer.weights, on_host.weights);
  device::fetch_matrix(exec, layer.codes, on_host.codes);
  device::fetch_matrix(exec, layer.kept, on_host.kept);
  if (!layer.codes.empty()) on_host.grids = layer.grids.fetch(exec);
  exec.synchronise();
  return on_host;
}

/// As `prepare` on the host, of statistics in device memory. Takes results and scratch from the executor's resource;
/// synchronises; may not be captured. `column_order::representatives` takes the Hessian to the host for the order.
///
/// @param samples  [T, c] or empty: tokens of the same input, for estimators other than `correlation`
/// @throws invalid_argument, numerical_error, cancelled, cuda_error  as the parts do
MIQ_CUDA_API device_prepared_inputs prepare(const cuda_executor& exec,
                                            const calibration::statistics_view<device_memory>& statistics,
                                            matrix_view<const float, device_memory> samples,
                                            const compress_options& options = {},
                                            const progress_callback& progress = {});

/// The same without samples: for `information::correlation_options`, and groups that need no information.
inline device_prepared_inputs prepare(const cuda_executor& exec,
                                      const calibration::statistics_view<device_memory>& statistics,
                                      const compress_options& options = {}, const progress_callback& progress = {}) {
  return prepare(exec, statistics, {}, options, progress);
}

/// As `compress` on the host, of weights in device memory: float, float16 or bfloat16. Matrices stay on the device;
/// what bits are chosen from (a few values per column, a few a group) comes to the host, so that it synchronises a
/// dozen times and may not be captured. Takes results and scratch from the executor's resource: about 20 bytes per
/// weight and 12 c^2 at the same time.
///
/// The same steps as on the host (they are one piece of code); decisions may differ where rounding does.
/// @throws invalid_argument, numerical_error, cancelled, cuda_error  as the parts do
MIQ_CUDA_API device_compressed_layer compress(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                              const calibration::statistics_view<device_memory>& statistics,
                                              const device_prepared_inputs& shared,
                                              const compress_options& options = {},
                                              const progress_callback& progress = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
