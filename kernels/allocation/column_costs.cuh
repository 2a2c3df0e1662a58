// allocation/column_costs.cuh: the bodies of allocation/column_costs_cuda.hpp; needs nvcc.
#pragma once

#include <vector>

#include <miq/allocation/column_costs_cuda.hpp>
#include <miq/allocation/detail/column_sums/body.hpp>
#include <miq/allocation/detail/column_sums/checks.hpp>
#include <miq/allocation/expected_error.hpp>
#include <miq/core/device_result.cuh>
#include <miq/core/machine.cuh>

namespace miq::allocation::detail {
inline namespace MIQ_CUDA_NAMESPACE {

inline void check_weights(const char* function, const weights_view<device_memory>& weights,
                          const matrix_view<const std::uint8_t, device_memory>& kept) {
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  require(rows > 0 && columns > 0, function, ": weights must not be empty, got ", shape_text(rows, columns));
  require(kept.empty() || (kept.rows() == rows && kept.columns() == columns), function, ": kept must be ",
          shape_text(rows, columns), " to match the weights, got ", shape_text(kept.rows(), kept.columns()));
}

template <class T>
quantization::detail::masked_weights<T> as_masked(const matrix_view<const T, device_memory>& weights,
                                                  const matrix_view<const std::uint8_t, device_memory>& kept) {
  return {weights.data(), weights.leading(), weights.rows(), weights.columns(), kept.data(), kept.leading()};
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::allocation::detail

namespace miq::allocation {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API std::int64_t column_sums_workspace_bytes(std::int64_t rows, std::int64_t columns) {
  return detail::column_sums_layout(rows, columns).all.bytes();
}

MIQ_CUDA_API void column_sums(const cuda_executor& exec, const weights_view<device_memory>& weights,
                              const column_sums_view& out, result_ref<column_sums_result, device_memory> result,
                              matrix_view<const std::uint8_t, device_memory> kept, device_workspace scratch) {
  using miq::detail::require;
  detail::check_weights("column_sums", weights, kept);
  const auto columns = weights.columns();
  require(out.kept.size() == columns && out.squares.size() == columns, "column_sums: out must hold ", columns,
          " columns to match the weights, got ", out.kept.size(), " and ", out.squares.size());
  require(out.magnitudes.empty() || out.magnitudes.size() == columns, "column_sums: magnitudes must hold ", columns,
          " columns or none, got ", out.magnitudes.size());
  const detail::column_sums_layout layout(weights.rows(), columns);
  const miq::detail::device_scratch memory("column_sums", layout.all, scratch, exec.stream(), exec.resource());
  device::write_result(exec, "column_sums", result, column_sums_result{});
  weights.visit([&](const auto& typed) {
    detail::column_sums_on(device::stream_machine(exec), detail::as_masked(typed, kept), layout,
                           memory.at<std::byte>(0),
                           {out.kept.data(), out.squares.data(), out.magnitudes.data(), &result.get()->not_finite});
  });
}

MIQ_CUDA_API column_costs measure_columns(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                          matrix_view<const float, device_memory> upper,
                                          matrix_view<const std::uint8_t, device_memory> kept,
                                          std::span<const std::int64_t> order) {
  using miq::detail::require;
  using miq::detail::shape_text;
  detail::check_weights("measure_columns", weights, kept);
  const auto columns = weights.columns();
  require(upper.rows() == columns && upper.columns() == columns, "measure_columns: upper must be ",
          shape_text(columns, columns), " to match the weights, got ", shape_text(upper.rows(), upper.columns()));
  detail::require_permutation("measure_columns", order, columns);
  // Kept weights, squares and the factor's diagonal, fetched at once.
  const device_array<double> memory(3 * columns, exec.stream(), exec.resource());
  const device::result_on_device<column_sums_result> counts(exec);
  auto* const on_device = memory.data();
  column_sums(exec, weights, {{on_device, columns}, {on_device + columns, columns}, {}}, counts.ref(), kept, {});
  device::launch(exec, "measure_columns",
                 detail::diagonal_body{upper.data(), upper.leading(), columns, on_device + 2 * columns});
  std::vector<double> fetched(static_cast<std::size_t>(3 * columns));
  copy(exec, vector_view<const double, device_memory>(memory.view()), vector_view<double>(fetched));
  const auto not_finite = counts.fetch().not_finite;
  require(not_finite == 0, "measure_columns: weights must be finite, ", not_finite, " are not");
  return detail::costs_of_sums("measure_columns", fetched.data(), fetched.data() + columns,
                               fetched.data() + 2 * columns, columns, order);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::allocation
