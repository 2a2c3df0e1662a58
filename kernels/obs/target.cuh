// obs/target.cuh: the bodies of obs/target_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_result.cuh>
#include <miq/core/machine.cuh>
#include <miq/obs/detail/target/body.hpp>
#include <miq/obs/target_cuda.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

template <class T>
void enqueue_shift_target(const cuda_executor& exec, const char* function, bool to_outputs,
                          const matrix_view<const T, device_memory>& weights,
                          const matrix_view<const float, device_memory>& moments,
                          const matrix_view<const float, device_memory>& upper,
                          const matrix_view<float, device_memory>& shifted, device_target_result* result,
                          const target_options& options, device_workspace scratch) {
  detail::check_target(function, to_outputs, weights, moments, upper, shifted, options);
  const detail::device_target_scratch plan(weights.rows(), weights.columns());
  const miq::detail::device_scratch memory(function, plan.layout, scratch, exec.stream(), exec.resource());
  detail::shift_target_on_machine(miq::device::stream_machine(exec), function, to_outputs, plan, memory, weights,
                                  moments, upper, shifted, options, result);
}

template <class T>
target_result shift_target_and_wait(const cuda_executor& exec, const char* function, bool to_outputs,
                                    const matrix_view<const T, device_memory>& weights,
                                    const matrix_view<const float, device_memory>& moments,
                                    const matrix_view<const float, device_memory>& upper,
                                    const matrix_view<float, device_memory>& shifted, const target_options& options,
                                    device_workspace scratch) {
  const miq::device::result_on_device<device_target_result> result(exec);
  enqueue_shift_target(exec, function, to_outputs, weights, moments, upper, shifted, result.ref().get(), options,
                       scratch);
  const auto seen = result.fetch();
  if (seen.not_finite > 0)
    throw numerical_error(miq::detail::join_message(function, ": ", seen.not_finite,
                                                    " rows are not finite; upper does not belong to these moments, or "
                                                    "weights or moments are not finite"));
  return seen;
}

template <class T>
void enqueue_target_ridge(const cuda_executor& exec, const matrix_view<const T, device_memory>& weights,
                          const matrix_view<float, device_memory>& hessian, double share, device_workspace scratch) {
  detail::check_target_ridge(weights, matrix_view<const float, device_memory>(hessian), share);
  const detail::device_ridge_scratch plan(weights.rows(), weights.columns());
  const miq::detail::device_scratch memory("add_target_ridge", plan.layout, scratch, exec.stream(), exec.resource());
  detail::add_target_ridge_on_machine(miq::device::stream_machine(exec), plan, memory, weights, hessian, share);
}

template <class T>
void enqueue_mean_output(const cuda_executor& exec, const matrix_view<const T, device_memory>& weights,
                         const vector_view<const float, device_memory>& mean,
                         const vector_view<float, device_memory>& output) {
  detail::check_output("mean_output", weights, mean, output.size(), "output");
  miq::device::launch(exec, "mean_output",
                      detail::row_output_body<T>{weights.rows(), weights.columns(), weights.data(), weights.leading(),
                                                 mean.data(), nullptr, nullptr, output.data()});
}

template <class T>
void enqueue_correct_bias(const cuda_executor& exec, const matrix_view<const T, device_memory>& weights,
                          const vector_view<const float, device_memory>& mean,
                          const vector_view<const float, device_memory>& target,
                          const vector_view<const float, device_memory>& bias,
                          const vector_view<float, device_memory>& corrected) {
  detail::check_output("correct_bias", weights, mean, target.size(), "target");
  detail::check_output("correct_bias", weights, mean, corrected.size(), "corrected");
  if (!bias.empty()) detail::check_output("correct_bias", weights, mean, bias.size(), "bias");
  miq::device::launch(exec, "correct_bias",
                      detail::row_output_body<T>{weights.rows(), weights.columns(), weights.data(), weights.leading(),
                                                 mean.data(), target.data(), bias.data(), corrected.data()});
}

}  // namespace device

MIQ_CUDA_API std::int64_t target_workspace_bytes(const cuda_executor& /*exec*/, std::int64_t rows,
                                                 std::int64_t columns) {
  return detail::device_target_scratch(rows, columns).layout.bytes();
}
MIQ_CUDA_API std::int64_t target_ridge_workspace_bytes(const cuda_executor& /*exec*/, std::int64_t rows,
                                                       std::int64_t columns) {
  return detail::device_ridge_scratch(rows, columns).layout.bytes();
}

MIQ_CUDA_API void shift_target(const cuda_executor& exec, const weights_view<device_memory>& weights,
                               matrix_view<const float, device_memory> difference,
                               matrix_view<const float, device_memory> upper, matrix_view<float, device_memory> shifted,
                               result_ref<device_target_result, device_memory> result, const target_options& options,
                               device_workspace scratch) {
  weights.visit([&](const auto& typed) {
    return device::enqueue_shift_target(exec, "shift_target", false, typed, difference, upper, shifted, result.get(),
                                        options, scratch);
  });
}

MIQ_CUDA_API target_result shift_target(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                        matrix_view<const float, device_memory> difference,
                                        matrix_view<const float, device_memory> upper,
                                        matrix_view<float, device_memory> shifted, const target_options& options,
                                        device_workspace scratch) {
  return weights.visit([&](const auto& typed) {
    return device::shift_target_and_wait(exec, "shift_target", false, typed, difference, upper, shifted, options,
                                         scratch);
  });
}

MIQ_CUDA_API void shift_target_to_outputs(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                          matrix_view<const float, device_memory> residual,
                                          matrix_view<const float, device_memory> upper,
                                          matrix_view<float, device_memory> shifted,
                                          result_ref<device_target_result, device_memory> result,
                                          const target_options& options, device_workspace scratch) {
  weights.visit([&](const auto& typed) {
    return device::enqueue_shift_target(exec, "shift_target_to_outputs", true, typed, residual, upper, shifted,
                                        result.get(), options, scratch);
  });
}

MIQ_CUDA_API target_result shift_target_to_outputs(const cuda_executor& exec,
                                                   const weights_view<device_memory>& weights,
                                                   matrix_view<const float, device_memory> residual,
                                                   matrix_view<const float, device_memory> upper,
                                                   matrix_view<float, device_memory> shifted,
                                                   const target_options& options, device_workspace scratch) {
  return weights.visit([&](const auto& typed) {
    return device::shift_target_and_wait(exec, "shift_target_to_outputs", true, typed, residual, upper, shifted,
                                         options, scratch);
  });
}

MIQ_CUDA_API void add_target_ridge(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                   matrix_view<float, device_memory> hessian, double share, device_workspace scratch) {
  weights.visit([&](const auto& typed) { return device::enqueue_target_ridge(exec, typed, hessian, share, scratch); });
}
MIQ_CUDA_API void mean_output(const cuda_executor& exec, const weights_view<device_memory>& weights,
                              vector_view<const float, device_memory> mean, vector_view<float, device_memory> output) {
  weights.visit([&](const auto& typed) { return device::enqueue_mean_output(exec, typed, mean, output); });
}
MIQ_CUDA_API void correct_bias(const cuda_executor& exec, const weights_view<device_memory>& weights,
                               vector_view<const float, device_memory> mean,
                               vector_view<const float, device_memory> target,
                               vector_view<const float, device_memory> bias,
                               vector_view<float, device_memory> corrected) {
  weights.visit(
      [&](const auto& typed) { return device::enqueue_correct_bias(exec, typed, mean, target, bias, corrected); });
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
