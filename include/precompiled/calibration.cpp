#include <miq/calibration/detail/accumulator/host.inl>
#include <miq/calibration/detail/cross_moments/host.inl>
#include <miq/calibration/detail/statistics/host.inl>

namespace miq::calibration {

template void accumulator::add(const host_executor&, matrix_view<const float>);
template void accumulator::merge(const host_executor&, const accumulator&);
template statistics accumulator::finish(const host_executor&) const;

template void cross_moments::add(const host_executor&, matrix_view<const float>, matrix_view<const float>);
template void cross_moments::add(const host_executor&, matrix_view<const float>, matrix_view<const float16>);
template void cross_moments::add(const host_executor&, matrix_view<const float>, matrix_view<const bfloat16>);
template void cross_moments::add(const host_executor&, matrix_view<const float16>, matrix_view<const float>);
template void cross_moments::add(const host_executor&, matrix_view<const float16>, matrix_view<const float16>);
template void cross_moments::add(const host_executor&, matrix_view<const float16>, matrix_view<const bfloat16>);
template void cross_moments::add(const host_executor&, matrix_view<const bfloat16>, matrix_view<const float>);
template void cross_moments::add(const host_executor&, matrix_view<const bfloat16>, matrix_view<const float16>);
template void cross_moments::add(const host_executor&, matrix_view<const bfloat16>, matrix_view<const bfloat16>);
template void cross_moments::merge(const host_executor&, const cross_moments&);
template cross_statistics cross_moments::finish(const host_executor&) const;

template void hessian(const host_executor&, const statistics_view<>&, matrix_view<float>);

}  // namespace miq::calibration
