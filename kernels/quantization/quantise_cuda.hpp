// quantization/quantise_cuda.hpp: codes of whole matrices and back, on a device.
#pragma once

#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/weights_view.hpp>
#include <miq/quantization/grid_set.hpp>

namespace miq::quantization {
inline namespace MIQ_CUDA_NAMESPACE {

/// What `quantise` of a matrix reports.
struct quantise_result {
  std::int64_t not_finite = 0;  ///< kept weights that are NaN (their code is that of 0) or infinite (the outermost of
                                ///< their sign)
};

/// The code of every kept weight, `quantise(weight, grid)` of `quantization/affine_grid.hpp` to the bit; masked ones
/// get 0. Does not allocate, does not synchronise, may be captured.
///
/// @param weights  [rows, columns]
/// @param grids    of a layer of that size; contents are not checked: scales positive and finite, widths 1 to 8, grid
///                 columns within the grids
/// @param codes    [rows, columns], written whole; must not overlap the inputs
/// @param result   one object in device memory
/// @param kept     [rows, columns] or empty
/// @throws invalid_argument  for shapes that do not fit
/// Cost: reads weights and mask once, grids of rows once for each of their columns (from the cache).
MIQ_CUDA_API void quantise(const cuda_executor& exec, const weights_view<device_memory>& weights,
                           const grid_set_view<device_memory>& grids, matrix_view<std::uint8_t, device_memory> codes,
                           result_ref<quantise_result, device_memory> result,
                           matrix_view<const std::uint8_t, device_memory> kept = {});

/// The reverse: `dequantise(code, grid)` in float to the bit, then rounded to the element type; 0 where masked. Does
/// not allocate, does not synchronise, may be captured. Codes beyond their grid are not noticed.
/// @param codes    [rows, columns]
/// @param weights  [rows, columns], written whole; must not overlap the inputs
/// @throws invalid_argument  for shapes that do not fit
MIQ_CUDA_API void dequantise(const cuda_executor& exec, matrix_view<const std::uint8_t, device_memory> codes,
                             const grid_set_view<device_memory>& grids, matrix_view<float, device_memory> weights,
                             matrix_view<const std::uint8_t, device_memory> kept = {});
MIQ_CUDA_API void dequantise(const cuda_executor& exec, matrix_view<const std::uint8_t, device_memory> codes,
                             const grid_set_view<device_memory>& grids, matrix_view<float16, device_memory> weights,
                             matrix_view<const std::uint8_t, device_memory> kept = {});
MIQ_CUDA_API void dequantise(const cuda_executor& exec, matrix_view<const std::uint8_t, device_memory> codes,
                             const grid_set_view<device_memory>& grids, matrix_view<bfloat16, device_memory> weights,
                             matrix_view<const std::uint8_t, device_memory> kept = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization
