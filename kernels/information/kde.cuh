// information/kde.cuh: the bodies of information/kde_cuda.hpp; needs nvcc.
#pragma once

#include <memory_resource>

#include <miq/core/device_result.cuh>
#include <miq/core/machine.cuh>
#include <miq/information/detail/kde/checks.hpp>
#include <miq/information/detail/kde/schedule.hpp>
#include <miq/information/detail/samples/samples.hpp>
#include <miq/information/kde_cuda.hpp>

namespace miq::information {
inline namespace MIQ_CUDA_NAMESPACE {
namespace detail_cuda {

inline kde_result begun_kde(std::int64_t tokens) {
  kde_result begun;
  begun.few_tokens = tokens < detail::enough_kde_tokens;
  return begun;
}

}  // namespace detail_cuda

MIQ_CUDA_API std::int64_t kde_workspace_bytes(std::int64_t tokens, std::int64_t channels) {
  miq::detail::require(tokens >= 2 && channels >= 1, "kde: samples must be at least ", miq::detail::shape_text(2, 1),
                       ", got ", miq::detail::shape_text(tokens, channels));
  return detail::kde_layout(tokens, channels, -1).layout.bytes();
}

MIQ_CUDA_API std::int64_t kde_workspace_bytes(std::int64_t tokens, std::int64_t channels,
                                              std::span<const channel_pair> pairs) {
  miq::detail::require(tokens >= 2 && channels >= 1, "kde: samples must be at least ", miq::detail::shape_text(2, 1),
                       ", got ", miq::detail::shape_text(tokens, channels));
  detail::require_pairs_in_range("kde", pairs, channels);
  const detail::listed_channels listed(pairs, channels, std::pmr::get_default_resource());
  return detail::kde_layout(tokens, listed.count(), static_cast<std::int64_t>(pairs.size())).layout.bytes();
}

MIQ_CUDA_API void kde(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                      matrix_view<float, device_memory> mi, result_ref<kde_result, device_memory> result,
                      const kde_options& options, device_workspace workspace) {
  detail::require_kde("kde", options, samples.rows());
  detail::require_samples_shape("kde", samples, detail::least_kde_tokens);
  detail::require_mi("kde", samples, mi);
  const detail::kde_layout at(samples.rows(), samples.columns(), -1);
  const miq::detail::device_scratch scratch("kde", at.layout, workspace, exec.stream(), exec.resource());
  device::write_result(exec, "kde", result, detail_cuda::begun_kde(samples.rows()));
  detail::kde_on_machine(device::stream_machine(exec), samples.data(), samples.leading(), samples.rows(),
                         samples.columns(), {}, nullptr, mi.data(), mi.leading(), options, result.get(),
                         scratch.at<std::byte>(0));
}

MIQ_CUDA_API kde_result kde(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            matrix_view<float, device_memory> mi, const kde_options& options,
                            device_workspace workspace) {
  device::result_on_device<kde_result> result(exec);
  kde(exec, samples, mi, result.ref(), options, workspace);
  return result.fetch();
}

MIQ_CUDA_API void kde(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                      std::span<const channel_pair> pairs, vector_view<float, device_memory> mi,
                      result_ref<kde_result, device_memory> result, const kde_options& options,
                      device_workspace workspace) {
  detail::require_kde("kde", options, samples.rows());
  detail::require_samples_shape("kde", samples, detail::least_kde_tokens);
  detail::require_pairs("kde", pairs, samples.columns(), mi);
  const detail::listed_channels listed(pairs, samples.columns(), std::pmr::get_default_resource());
  const auto places = detail::pairs_of_places(pairs, listed);
  const detail::kde_layout at(samples.rows(), listed.count(), static_cast<std::int64_t>(pairs.size()));
  const miq::detail::device_scratch scratch("kde", at.layout, workspace, exec.stream(), exec.resource());
  device::write_result(exec, "kde", result, detail_cuda::begun_kde(samples.rows()));
  detail::kde_on_machine(device::stream_machine(exec), samples.data(), samples.leading(), samples.rows(),
                         listed.count(), listed.columns(), &places, mi.data(), 0, options, result.get(),
                         scratch.at<std::byte>(0));
}

MIQ_CUDA_API kde_result kde(const cuda_executor& exec, matrix_view<const float, device_memory> samples,
                            std::span<const channel_pair> pairs, vector_view<float, device_memory> mi,
                            const kde_options& options, device_workspace workspace) {
  device::result_on_device<kde_result> result(exec);
  kde(exec, samples, pairs, mi, result.ref(), options, workspace);
  return result.fetch();
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::information
