#include <miq/quantization/detail/fit_into.cuh>

namespace miq::quantization {
inline namespace MIQ_CUDA_NAMESPACE {

template void fit_grids_into(const cuda_executor&, matrix_view<const float16, device_memory>,
                             const device_column_groups&, const grid_outputs&, result_ref<fit_result, device_memory>,
                             const fit_options&, vector_view<const float, device_memory>,
                             matrix_view<const std::uint8_t, device_memory>, device_workspace);
template void grid_errors_into(const cuda_executor&, matrix_view<const float16, device_memory>,
                               const device_column_groups&, std::span<const std::uint8_t>,
                               matrix_view<double, device_memory>, result_ref<grid_errors_result, device_memory>,
                               const fit_options&, vector_view<const float, device_memory>,
                               matrix_view<const std::uint8_t, device_memory>, device_workspace);

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization
