// calibration/accumulator.cuh: the bodies of calibration/accumulator_cuda.hpp; needs nvcc.
#pragma once

#include <miq/calibration/accumulator.hpp>
#include <miq/calibration/accumulator_cuda.hpp>
#include <miq/calibration/cross_moments.hpp>
#include <miq/calibration/detail/accumulator/checks.hpp>
#include <miq/core/machine.cuh>

namespace miq::calibration {
inline namespace MIQ_CUDA_NAMESPACE {
namespace detail_cuda {

/// Scratch of one call, taken from the workspace or the executor.
class moment_call {
 public:
  moment_call(const char* function, const cuda_executor& exec, std::int64_t first, std::int64_t second,
              device_workspace given)
      : memory_(function, layout(first, second), given, exec.stream(), exec.resource()) {
    detail::carver from(memory_.at<std::byte>(0));
    scratch = detail::lay_out_scratch(from, first, second);
  }
  static miq::detail::workspace_layout layout(std::int64_t first, std::int64_t second) {
    detail::carver from(nullptr);
    detail::lay_out_scratch(from, first, second);
    return from.layout();
  }

 private:
  miq::detail::device_scratch memory_;

 public:
  detail::moment_scratch scratch;
};

/// Allocates what an accumulator keeps.
inline detail::moment_memory make_memory(const cuda_executor& exec, std::int64_t first, std::int64_t second,
                                         std::int64_t sample_tokens, device_array<std::byte>& memory) {
  detail::carver size(nullptr);
  detail::lay_out_memory(size, first, second, sample_tokens);
  memory = device_array<std::byte>(size.layout().bytes(), exec.stream(), exec.resource());
  // Resources align to 256 bytes, so that accumulators of one shape lie alike in their blocks.
  detail::carver from(memory.data());
  const auto out = detail::lay_out_memory(from, first, second, sample_tokens);
  device::stream_machine(exec).clear(out.unusable, 1);
  return out;
}

inline std::int64_t fetch_count(const cuda_executor& exec, const std::int64_t* count) {
  std::int64_t value = 0;
  copy(exec, vector_view<const std::int64_t, device_memory>(count, 1), vector_view<std::int64_t>(&value, 1));
  exec.synchronise();
  return value;
}

inline void fetch_floats(const cuda_executor& exec, const device_array<float>& from, std::vector<float>& to) {
  to.resize(static_cast<std::size_t>(from.size()));
  copy(exec, vector_view<const float, device_memory>(from.view()), vector_view<float>(to));
}

}  // namespace detail_cuda

MIQ_CUDA_API statistics device_statistics::fetch(const cuda_executor& exec) const {
  statistics out;
  out.tokens = tokens;
  out.covariance = matrix<float>(columns(), columns());
  copy(exec, view().covariance, out.covariance.view());
  detail_cuda::fetch_floats(exec, mean, out.mean);
  detail_cuda::fetch_floats(exec, mean_absolute, out.mean_absolute);
  detail_cuda::fetch_floats(exec, minimum, out.minimum);
  detail_cuda::fetch_floats(exec, maximum, out.maximum);
  exec.synchronise();
  return out;
}

MIQ_CUDA_API token_sample device_token_sample::fetch(const cuda_executor& exec) const {
  token_sample out;
  out.indices = indices;
  out.tokens = matrix<float>(view().rows(), view().columns());
  copy(exec, view(), out.tokens.view());
  exec.synchronise();
  return out;
}

MIQ_CUDA_API std::int64_t accumulator_workspace_bytes(std::int64_t columns) {
  miq::detail::require(columns >= 1 && columns <= detail::max_columns,
                       "accumulator_workspace_bytes: columns must be 1 to 2^24, got ", columns);
  return detail_cuda::moment_call::layout(columns, 0).bytes();
}

MIQ_CUDA_API device_accumulator::device_accumulator(const cuda_executor& exec, std::int64_t columns,
                                                    const accumulator_options& options) {
  detail::require_accumulator("device_accumulator", columns, options);
  core_.columns = columns;
  core_.next_token = options.first_token;
  core_.sample.limit = options.sample_tokens;
  core_.sample.seed = options.seed;
  core_.memory = detail_cuda::make_memory(exec, columns, 0, options.sample_tokens, memory_);
}

template <activation T>
void device_accumulator::add(const cuda_executor& exec, matrix_view<const T, device_memory> batch,
                             device_workspace scratch) {
  using miq::detail::require;
  using miq::detail::shape_text;
  require(batch.columns() == columns(), "device_accumulator::add: batch must be ", shape_text("tokens", columns()),
          ", got ", shape_text(batch.rows(), batch.columns()));
  if (batch.rows() == 0) return;
  require(batch.rows() <= detail::max_token - next_token(),
          "device_accumulator::add: the stream must not be longer than 2^62 tokens");
  const detail_cuda::moment_call call("device_accumulator::add", exec, columns(), 0, scratch);
  const device::stream_machine machine(exec);
  core_.add<T>(machine, call.scratch, batch);
}

MIQ_CUDA_API void device_accumulator::merge(const cuda_executor& exec, const device_accumulator& other,
                                            device_workspace scratch) {
  const detail_cuda::moment_call call("device_accumulator::merge", exec, columns(), 0, scratch);
  const device::stream_machine machine(exec);
  core_.merge(machine, call.scratch, other.core_, memory_.data(), other.memory_.data(), memory_.bytes());
}

MIQ_CUDA_API device_statistics device_accumulator::finish(const cuda_executor& exec, device_workspace scratch) const {
  miq::detail::require(tokens() > 0, "device_accumulator::finish: at least 1 token must have been added, got 0");
  const detail_cuda::moment_call call("device_accumulator::finish", exec, columns(), 0, scratch);
  const auto make = [&](std::int64_t size) { return device_array<float>(size, exec.stream(), exec.resource()); };
  device_statistics out;
  out.tokens = tokens();
  out.covariance = make(columns() * columns());
  for (auto* part : {&out.mean, &out.mean_absolute, &out.minimum, &out.maximum}) *part = make(columns());
  const device::stream_machine machine(exec);
  detail::finish_statistics(machine, core_.counts, core_.memory, call.scratch,
                            out.covariance.as_matrix(columns(), columns()), out.mean.data(), out.mean_absolute.data(),
                            out.minimum.data(), out.maximum.data());
  return out;
}

MIQ_CUDA_API device_token_sample device_accumulator::sample(const cuda_executor& exec) const {
  device_token_sample out;
  const auto rows = core_.sample.in_order(out.indices);
  out.tokens = device_array<float>(static_cast<std::int64_t>(rows.size()) * columns(), exec.stream(), exec.resource());
  const device::stream_machine machine(exec);
  detail::copy_rows(machine, static_cast<const float*>(core_.memory.sample), columns(), out.tokens.data(), columns(),
                    rows);
  return out;
}

MIQ_CUDA_API std::int64_t device_accumulator::unusable(const cuda_executor& exec) const {
  return detail_cuda::fetch_count(exec, core_.memory.unusable);
}

MIQ_CUDA_API void hessian(const cuda_executor& exec, const statistics_view<device_memory>& statistics,
                          matrix_view<float, device_memory> hessian) {
  detail::require_hessian(statistics, hessian);
  device::launch(
      exec, "hessian",
      detail::hessian_body{statistics.columns(), statistics.covariance.data(), statistics.covariance.leading(),
                           statistics.mean.data(), hessian.data(), hessian.leading()});
}

MIQ_CUDA_API cross_statistics device_cross_statistics::fetch(const cuda_executor& exec) const {
  cross_statistics out;
  out.tokens = tokens;
  out.moment = matrix<float>(first_mean.size(), second_mean.size());
  copy(exec, moment_view(), out.moment.view());
  detail_cuda::fetch_floats(exec, first_mean, out.first_mean);
  detail_cuda::fetch_floats(exec, second_mean, out.second_mean);
  exec.synchronise();
  return out;
}

MIQ_CUDA_API std::int64_t cross_moments_workspace_bytes(std::int64_t first_columns, std::int64_t second_columns) {
  detail::require_cross_moments("cross_moments_workspace_bytes", first_columns, second_columns, {});
  return detail_cuda::moment_call::layout(first_columns, second_columns).bytes();
}

MIQ_CUDA_API device_cross_moments::device_cross_moments(const cuda_executor& exec, std::int64_t first_columns,
                                                        std::int64_t second_columns,
                                                        const cross_moments_options& options) {
  detail::require_cross_moments("device_cross_moments", first_columns, second_columns, options);
  core_.difference = options.difference;
  core_.memory = detail_cuda::make_memory(exec, first_columns, second_columns, 0, memory_);
}

template <activation First, activation Second>
void device_cross_moments::add(const cuda_executor& exec, matrix_view<const First, device_memory> first,
                               matrix_view<const Second, device_memory> second, device_workspace scratch) {
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto a = first_columns(), b = second_columns();
  require(first.columns() == a, "device_cross_moments::add: first must be ", shape_text("tokens", a), ", got ",
          shape_text(first.rows(), first.columns()));
  require(second.columns() == b && second.rows() == first.rows(), "device_cross_moments::add: second must be ",
          shape_text(first.rows(), b), ", got ", shape_text(second.rows(), second.columns()));
  if (first.rows() == 0) return;
  require(first.rows() <= detail::max_token - tokens(),
          "device_cross_moments::add: the stream must not be longer than 2^62 tokens");
  const detail_cuda::moment_call call("device_cross_moments::add", exec, a, b, scratch);
  const device::stream_machine machine(exec);
  detail::append_tokens<First, Second>(machine, core_.counts, core_.memory, call.scratch, first, second,
                                       core_.difference);
}

MIQ_CUDA_API void device_cross_moments::merge(const cuda_executor& exec, const device_cross_moments& other,
                                              device_workspace scratch) {
  const detail_cuda::moment_call call("device_cross_moments::merge", exec, first_columns(), second_columns(), scratch);
  const device::stream_machine machine(exec);
  core_.merge(machine, call.scratch, other.core_, memory_.data(), other.memory_.data(), memory_.bytes());
}

MIQ_CUDA_API device_cross_statistics device_cross_moments::finish(const cuda_executor& exec,
                                                                  device_workspace scratch) const {
  miq::detail::require(tokens() > 0, "device_cross_moments::finish: at least 1 token must have been added, got 0");
  const auto a = first_columns(), b = second_columns();
  const detail_cuda::moment_call call("device_cross_moments::finish", exec, a, b, scratch);
  device_cross_statistics out;
  out.tokens = tokens();
  out.moment = device_array<float>(a * b, exec.stream(), exec.resource());
  out.first_mean = device_array<float>(a, exec.stream(), exec.resource());
  out.second_mean = device_array<float>(b, exec.stream(), exec.resource());
  const device::stream_machine machine(exec);
  detail::finish_moments(machine, core_.counts, core_.memory, call.scratch, out.moment.as_matrix(a, b),
                         out.first_mean.data(), out.second_mean.data());
  return out;
}

MIQ_CUDA_API std::int64_t device_cross_moments::unusable(const cuda_executor& exec) const {
  return detail_cuda::fetch_count(exec, core_.memory.unusable);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::calibration
