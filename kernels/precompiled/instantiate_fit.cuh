// One element type of quantization/fit_cuda.hpp: each has a translation unit of its own, which takes long enough.
#pragma once

#include <miq/quantization/detail/fit/into.cuh>

#define MIQ_INSTANTIATE_FIT(T)                                                                                     \
  template void miq::quantization::fit_grids_into(                                                                 \
      const miq::cuda_executor&, miq::matrix_view<const T, miq::device_memory>,                                    \
      const miq::quantization::device_column_groups&, const miq::quantization::grid_outputs&,                      \
      miq::result_ref<miq::quantization::fit_result, miq::device_memory>, const miq::quantization::fit_options&,   \
      miq::vector_view<const float, miq::device_memory>, miq::matrix_view<const std::uint8_t, miq::device_memory>, \
      miq::device_workspace);                                                                                      \
  template void miq::quantization::grid_errors_into(                                                               \
      const miq::cuda_executor&, miq::matrix_view<const T, miq::device_memory>,                                    \
      const miq::quantization::device_column_groups&, std::span<const std::uint8_t>,                               \
      miq::matrix_view<double, miq::device_memory>,                                                                \
      miq::result_ref<miq::quantization::grid_errors_result, miq::device_memory>,                                  \
      const miq::quantization::fit_options&, miq::vector_view<const float, miq::device_memory>,                    \
      miq::matrix_view<const std::uint8_t, miq::device_memory>, miq::device_workspace)
