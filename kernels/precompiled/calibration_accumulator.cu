#include <miq/calibration/accumulator.cuh>

namespace miq::calibration {
inline namespace MIQ_CUDA_NAMESPACE {

template void device_accumulator::add<float>(const cuda_executor&, matrix_view<const float, device_memory>,
                                             device_workspace);
template void device_accumulator::add<float16>(const cuda_executor&, matrix_view<const float16, device_memory>,
                                               device_workspace);
template void device_accumulator::add<bfloat16>(const cuda_executor&, matrix_view<const bfloat16, device_memory>,
                                                device_workspace);

#define MIQ_CROSS_ADD(First, Second)                                                              \
  template void device_cross_moments::add<First, Second>(const cuda_executor&,                    \
                                                         matrix_view<const First, device_memory>, \
                                                         matrix_view<const Second, device_memory>, device_workspace)
MIQ_CROSS_ADD(float, float);
MIQ_CROSS_ADD(float, float16);
MIQ_CROSS_ADD(float, bfloat16);
MIQ_CROSS_ADD(float16, float);
MIQ_CROSS_ADD(float16, float16);
MIQ_CROSS_ADD(float16, bfloat16);
MIQ_CROSS_ADD(bfloat16, float);
MIQ_CROSS_ADD(bfloat16, float16);
MIQ_CROSS_ADD(bfloat16, bfloat16);
#undef MIQ_CROSS_ADD

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::calibration
