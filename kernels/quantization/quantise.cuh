// quantization/quantise.cuh: the bodies of quantization/quantise_cuda.hpp; needs nvcc.
#pragma once

#include <miq/core/device_result.cuh>
#include <miq/quantization/detail/quantise/body.hpp>
#include <miq/quantization/quantise_cuda.hpp>

namespace miq::quantization::detail {
inline namespace MIQ_CUDA_NAMESPACE {

template <class A, class B>
void check_matrices(const char* function, const matrix_view<const A, device_memory>& in, const char* in_name,
                    const grid_set_view<device_memory>& grids, const matrix_view<B, device_memory>& out,
                    const char* out_name, const matrix_view<const std::uint8_t, device_memory>& kept) {
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto rows = in.rows();
  const auto columns = in.columns();
  const auto like = [&](const char* name, std::int64_t r, std::int64_t c) {
    require(r == rows && c == columns, function, ": ", name, " must be ", shape_text(rows, columns), " like ", in_name,
            ", got ", shape_text(r, c));
  };
  like(out_name, out.rows(), out.columns());
  if (!kept.empty()) like("kept", kept.rows(), kept.columns());
  require(grids.scale.rows() == 1 || grids.scale.rows() == rows, function, ": scale of grids must have 1 or ", rows,
          " rows, got ", grids.scale.rows());
  require(grids.zero.rows() == grids.scale.rows() && grids.zero.columns() == grids.scale.columns(), function,
          ": zero of grids must be ", shape_text(grids.scale.rows(), grids.scale.columns()), " like scale, got ",
          shape_text(grids.zero.rows(), grids.zero.columns()));
  require(grids.bits.size() == grids.scale.columns(), function, ": bits of grids must hold ", grids.scale.columns(),
          " widths, got ", grids.bits.size());
  require(grids.column_grid.size() == columns, function, ": column_grid of grids must hold ", columns, " columns, got ",
          grids.column_grid.size());
  require(grids.row_factor.empty() || grids.row_factor.size() == rows, function, ": row_factor of grids must hold ",
          rows, " factors or none, got ", grids.row_factor.size());
  require(!miq::detail::overlap(in, out) && !miq::detail::overlap(kept, out), function, ": ", out_name,
          " must not overlap the inputs");
}

template <class T>
void quantise_matrix(const cuda_executor& exec, const matrix_view<const T, device_memory>& weights,
                     const grid_set_view<device_memory>& grids, const matrix_view<std::uint8_t, device_memory>& codes,
                     const result_ref<quantise_result, device_memory>& result,
                     const matrix_view<const std::uint8_t, device_memory>& kept) {
  check_matrices("quantise", weights, "weights", grids, codes, "codes", kept);
  device::write_result(exec, "quantise", result, quantise_result{});
  if (weights.empty()) return;
  const masked_weights<T> from{weights.data(),    weights.leading(), weights.rows(),
                               weights.columns(), kept.data(),       kept.leading()};
  device::launch(
      exec, "quantise",
      quantise_body<T>{from, grid_pointers(grids), codes.data(), codes.leading(), &result.get()->not_finite});
}

template <class T>
void dequantise_matrix(const cuda_executor& exec, const matrix_view<const std::uint8_t, device_memory>& codes,
                       const grid_set_view<device_memory>& grids, const matrix_view<T, device_memory>& weights,
                       const matrix_view<const std::uint8_t, device_memory>& kept) {
  check_matrices("dequantise", codes, "codes", grids, weights, "weights", kept);
  if (codes.empty()) return;
  device::launch(exec, "dequantise",
                 dequantise_body<T>{codes.data(), codes.leading(), kept.data(), kept.leading(), grid_pointers(grids),
                                    weights.data(), weights.leading(), codes.rows(), codes.columns()});
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization::detail

namespace miq::quantization {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API void quantise(const cuda_executor& exec, const weights_view<device_memory>& weights,
                           const grid_set_view<device_memory>& grids, matrix_view<std::uint8_t, device_memory> codes,
                           result_ref<quantise_result, device_memory> result,
                           matrix_view<const std::uint8_t, device_memory> kept) {
  weights.visit([&](const auto& typed) { return detail::quantise_matrix(exec, typed, grids, codes, result, kept); });
}
MIQ_CUDA_API void dequantise(const cuda_executor& exec, matrix_view<const std::uint8_t, device_memory> codes,
                             const grid_set_view<device_memory>& grids, matrix_view<float, device_memory> weights,
                             matrix_view<const std::uint8_t, device_memory> kept) {
  detail::dequantise_matrix(exec, codes, grids, weights, kept);
}
MIQ_CUDA_API void dequantise(const cuda_executor& exec, matrix_view<const std::uint8_t, device_memory> codes,
                             const grid_set_view<device_memory>& grids, matrix_view<float16, device_memory> weights,
                             matrix_view<const std::uint8_t, device_memory> kept) {
  detail::dequantise_matrix(exec, codes, grids, weights, kept);
}
MIQ_CUDA_API void dequantise(const cuda_executor& exec, matrix_view<const std::uint8_t, device_memory> codes,
                             const grid_set_view<device_memory>& grids, matrix_view<bfloat16, device_memory> weights,
                             matrix_view<const std::uint8_t, device_memory> kept) {
  detail::dequantise_matrix(exec, codes, grids, weights, kept);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization
