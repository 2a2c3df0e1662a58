// information/histogram.cuh: the bodies of information/histogram_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_result.cuh>
#include <miq/information/detail/histogram/binning.hpp>
#include <miq/information/detail/samples/machine.cuh>
#include <miq/information/detail/samples/samples.hpp>
#include <miq/information/histogram_cuda.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {
namespace detail_cuda {

inline void require_histogram_shape(const char* function, std::int64_t tokens, std::int64_t channels,
                                    const histogram_options& options) {
  using miq::detail::require;
  detail::require_histogram_options(function, options);
  require(channels >= 1, function, ": samples must have at least one channel, got ", channels);
  require(tokens >= 2 && tokens <= 0x7FFFFFFF, function, ": samples must hold 2 to 2^31 - 1 tokens, got ", tokens);
}

}  // namespace detail_cuda

MIQ_CUDA_API std::int64_t histogram_workspace_bytes(std::int64_t tokens, std::int64_t channels,
                                                    const histogram_options& options) {
  detail_cuda::require_histogram_shape("histogram_workspace_bytes", tokens, channels, options);
  return detail::histogram_plan(tokens, channels, options, true).layout.bytes();
}

MIQ_CUDA_API std::int64_t histogram_list_workspace_bytes(std::int64_t tokens, std::int64_t channels,
                                                         const histogram_options& options) {
  detail_cuda::require_histogram_shape("histogram_list_workspace_bytes", tokens, channels, options);
  return detail::histogram_plan(tokens, channels, options, false).layout.bytes();
}

MIQ_CUDA_API void histogram(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            matrix_view<float, device_memory> mi, result_ref<histogram_result, device_memory> result,
                            const histogram_options& options, device_workspace scratch) {
  detail_cuda::require_histogram_shape("histogram", samples.rows(), samples.columns(), options);
  detail::require_mi("histogram", samples, mi);
  const detail::histogram_plan plan(samples.rows(), samples.columns(), options, true);
  const miq::detail::device_scratch block("histogram", plan.layout, scratch, exec.stream(), exec.resource());
  const device::sample_machine machine(exec);
  detail::histogram_of_all(machine, plan, block, samples, mi, options, result.get());
}

MIQ_CUDA_API void histogram(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            vector_view<const channel_pair, device_memory> pairs, vector_view<float, device_memory> mi,
                            result_ref<histogram_result, device_memory> result, const histogram_options& options,
                            device_workspace scratch) {
  detail_cuda::require_histogram_shape("histogram", samples.rows(), samples.columns(), options);
  miq::detail::require(mi.size() == pairs.size(), "histogram: mi must have ", pairs.size(),
                       " elements to match the pairs, got ", mi.size());
  const detail::histogram_plan plan(samples.rows(), samples.columns(), options, false);
  const miq::detail::device_scratch block("histogram", plan.layout, scratch, exec.stream(), exec.resource());
  const device::sample_machine machine(exec);
  detail::histogram_of_list(machine, plan, block, samples, pairs, mi, options, result.get());
}

MIQ_CUDA_API histogram_result histogram(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                        matrix_view<float, device_memory> mi, const histogram_options& options,
                                        device_workspace scratch) {
  device::result_on_device<histogram_result> result(exec);
  histogram(exec, samples, mi, result.ref(), options, scratch);
  return result.fetch();
}

MIQ_CUDA_API histogram_result histogram(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                        vector_view<const channel_pair, device_memory> pairs,
                                        vector_view<float, device_memory> mi, const histogram_options& options,
                                        device_workspace scratch) {
  device::result_on_device<histogram_result> result(exec);
  histogram(exec, samples, pairs, mi, result.ref(), options, scratch);
  return result.fetch();
}

MIQ_CUDA_API void histogram_entropy(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                    vector_view<float, device_memory> entropies,
                                    result_ref<histogram_result, device_memory> result,
                                    const histogram_options& options, histogram_entropy_kind kind,
                                    device_workspace scratch) {
  detail_cuda::require_histogram_shape("histogram_entropy", samples.rows(), samples.columns(), options);
  const bool differential = kind == histogram_entropy_kind::differential;
  detail::require_histogram_entropies(samples.columns(), entropies.size(), differential, options);
  const detail::histogram_plan plan(samples.rows(), samples.columns(), options, false);
  const miq::detail::device_scratch block("histogram_entropy", plan.layout, scratch, exec.stream(), exec.resource());
  const device::sample_machine machine(exec);
  const auto of =
      detail::bin_channels_by_bodies(machine, "histogram_entropy", plan, block, samples, options, result.get());
  machine.launch("histogram_entropy",
                 detail::histogram_entropy_body{of, options.estimator, differential, entropies.data()});
}

MIQ_CUDA_API histogram_result histogram_entropy(const cuda_executor& exec,
                                                matrix_view<const float, device_memory> samples,
                                                vector_view<float, device_memory> entropies,
                                                const histogram_options& options, histogram_entropy_kind kind,
                                                device_workspace scratch) {
  const device::result_on_device<histogram_result> result(exec);
  histogram_entropy(exec, samples, entropies, result.ref(), options, kind, scratch);
  return result.fetch();
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
