#pragma once

#include <miq/compress.hpp>
#include <miq/detail/compress/host_backend.hpp>
#include <miq/detail/compress/layer.hpp>
#include <miq/detail/compress/prepare.hpp>

namespace miq {

namespace detail {

template <on_host Exec>
compressed_layer compress_on(const Exec& exec, const weights_view<>& weights,
                             const calibration::statistics_view<>& statistics, const prepared_inputs& shared,
                             const compress_options& options, const progress_callback& progress) {
  const host_backend<Exec> backend{exec};
  return layer_compression(backend, weights, statistics, shared, options, progress).run();
}

}  // namespace detail

template <executor Exec>
prepared_inputs prepare(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                        matrix_view<const float, memory_of<Exec>> samples, const compress_options& options,
                        const progress_callback& progress) {
  return detail::prepare_on(detail::host_backend<Exec>{exec}, statistics, samples, options, progress);
}

template <executor Exec>
prepared_inputs prepare(const Exec& exec, const calibration::statistics_view<memory_of<Exec>>& statistics,
                        const compress_options& options, const progress_callback& progress) {
  return detail::prepare_on(detail::host_backend<Exec>{exec}, statistics, {}, options, progress);
}

template <executor Exec>
compressed_layer compress(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                          const calibration::statistics_view<memory_of<Exec>>& statistics,
                          const prepared_inputs& shared, const compress_options& options,
                          const progress_callback& progress) {
  return detail::compress_on(exec, weights, statistics, shared, options, progress);
}

template <executor Exec>
compressed_layer compress(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                          const calibration::statistics_view<memory_of<Exec>>& statistics,
                          matrix_view<const float, memory_of<Exec>> samples, const compress_options& options,
                          const progress_callback& progress) {
  const auto shared =
      detail::prepare_on(detail::host_backend<Exec>{exec}, statistics, samples, options, part_of(progress, 0, 0.4));
  const auto rest = part_of(progress, 0.4, 1);
  auto layer = detail::compress_on(exec, weights, statistics, shared, options, rest);
  layer.report.seconds.factor = shared.seconds.factor;
  layer.report.seconds.information = shared.seconds.information;
  layer.report.seconds.grouping = shared.seconds.grouping;
  return layer;
}

template <executor Exec>
compressed_layer compress(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                          const calibration::statistics_view<memory_of<Exec>>& statistics,
                          const compress_options& options, const progress_callback& progress) {
  return compress(exec, weights, statistics, matrix_view<const float, memory_of<Exec>>{}, options, progress);
}

}  // namespace miq
