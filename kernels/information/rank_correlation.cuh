// information/rank_correlation.cuh: the bodies of information/rank_correlation_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_result.cuh>
#include <miq/information/detail/correlation/checks.hpp>
#include <miq/information/detail/rank_correlation/schedule.hpp>
#include <miq/information/detail/samples/machine.cuh>
#include <miq/information/detail/samples/samples.hpp>
#include <miq/information/rank_correlation_cuda.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {
namespace detail_cuda {

inline void require_rank_shape(const char* function, std::int64_t tokens, std::int64_t channels) {
  miq::detail::require(channels >= 1, function, ": samples must have at least one channel, got ", channels);
  miq::detail::require(tokens >= 2 && tokens < (std::int64_t{1} << 30), function,
                       ": samples must hold at least 2 and fewer than 2^30 tokens, got ", tokens);
}

inline void begin_rank_result(const cuda_executor& exec, std::int64_t tokens,
                              const result_ref<rank_correlation_result, device_memory>& result) {
  rank_correlation_result begun;
  begun.few_tokens = tokens < 100;
  device::write_result(exec, "rank_correlation", result, begun);
}

}  // namespace detail_cuda

MIQ_CUDA_API std::int64_t rank_correlation_workspace_bytes(std::int64_t tokens, std::int64_t channels) {
  detail_cuda::require_rank_shape("rank_correlation_workspace_bytes", tokens, channels);
  return detail::rank_plan(tokens, channels, true).layout.bytes();
}

MIQ_CUDA_API std::int64_t rank_correlation_list_workspace_bytes(std::int64_t tokens, std::int64_t channels) {
  detail_cuda::require_rank_shape("rank_correlation_list_workspace_bytes", tokens, channels);
  return detail::rank_plan(tokens, channels, false).layout.bytes();
}

MIQ_CUDA_API void rank_correlation(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                   matrix_view<float, device_memory> mi,
                                   result_ref<rank_correlation_result, device_memory> result,
                                   const rank_correlation_options& options, device_workspace scratch) {
  detail_cuda::require_rank_shape("rank_correlation", samples.rows(), samples.columns());
  detail::require_mi("rank_correlation", samples, mi);
  detail::require_max_correlation("rank_correlation", options.max_correlation);
  const detail::rank_plan plan(samples.rows(), samples.columns(), true);
  const miq::detail::device_scratch block("rank_correlation", plan.layout, scratch, exec.stream(), exec.resource());
  detail_cuda::begin_rank_result(exec, samples.rows(), result);
  const device::sample_machine machine(exec);
  detail::rank_correlation_of_all(machine, plan, block, samples, mi, options.max_correlation, result.get());
}

MIQ_CUDA_API void rank_correlation(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                                   vector_view<const channel_pair, device_memory> pairs,
                                   vector_view<float, device_memory> mi,
                                   result_ref<rank_correlation_result, device_memory> result,
                                   const rank_correlation_options& options, device_workspace scratch) {
  detail_cuda::require_rank_shape("rank_correlation", samples.rows(), samples.columns());
  miq::detail::require(mi.size() == pairs.size(), "rank_correlation: mi must have ", pairs.size(),
                       " elements to match the pairs, got ", mi.size());
  detail::require_max_correlation("rank_correlation", options.max_correlation);
  const detail::rank_plan plan(samples.rows(), samples.columns(), false);
  const miq::detail::device_scratch block("rank_correlation", plan.layout, scratch, exec.stream(), exec.resource());
  detail_cuda::begin_rank_result(exec, samples.rows(), result);
  const device::sample_machine machine(exec);
  detail::rank_correlation_of_list(machine, plan, block, samples, pairs, mi, options.max_correlation, result.get());
}

MIQ_CUDA_API rank_correlation_result rank_correlation(const cuda_executor& exec,
                                                      matrix_view<const float, device_memory> samples,
                                                      matrix_view<float, device_memory> mi,
                                                      const rank_correlation_options& options,
                                                      device_workspace scratch) {
  device::result_on_device<rank_correlation_result> result(exec);
  rank_correlation(exec, samples, mi, result.ref(), options, scratch);
  return result.fetch();
}

MIQ_CUDA_API rank_correlation_result rank_correlation(const cuda_executor& exec,
                                                      matrix_view<const float, device_memory> samples,
                                                      vector_view<const channel_pair, device_memory> pairs,
                                                      vector_view<float, device_memory> mi,
                                                      const rank_correlation_options& options,
                                                      device_workspace scratch) {
  device::result_on_device<rank_correlation_result> result(exec);
  rank_correlation(exec, samples, pairs, mi, result.ref(), options, scratch);
  return result.fetch();
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
