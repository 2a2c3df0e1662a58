#include <miq/quantization/fit.cuh>

namespace miq::quantization {
inline namespace MIQ_CUDA_NAMESPACE {

#define MIQ_INSTANTIATE(T)                                                                                             \
  template void fit_grids_into<T>(                                                                                     \
      const cuda_executor&, matrix_view<const T, device_memory>, const device_column_groups&, const grid_outputs&,     \
      result_ref<fit_result, device_memory>, const fit_options&, vector_view<const float, device_memory>,              \
      matrix_view<const std::uint8_t, device_memory>, device_workspace);                                               \
  template void grid_errors_into<T>(const cuda_executor&, matrix_view<const T, device_memory>,                         \
                                    const device_column_groups&, std::span<const std::uint8_t>,                        \
                                    matrix_view<double, device_memory>, result_ref<grid_errors_result, device_memory>, \
                                    const fit_options&, vector_view<const float, device_memory>,                       \
                                    matrix_view<const std::uint8_t, device_memory>, device_workspace)
MIQ_INSTANTIATE(float);
MIQ_INSTANTIATE(float16);
MIQ_INSTANTIATE(bfloat16);
#undef MIQ_INSTANTIATE

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization
