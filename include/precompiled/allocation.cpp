#include <miq/allocation/detail/bit_budget/host.inl>
#include <miq/allocation/detail/expected_error/host.inl>
#include <miq/allocation/detail/headroom/host.inl>
#include <miq/allocation/detail/importance/host.inl>
#include <miq/allocation/detail/layers/host.inl>
#include <miq/allocation/detail/rate_distortion/host.inl>
#include <miq/allocation/detail/split_groups/host.inl>

namespace miq::allocation {

template column_costs measure_columns(const host_executor&, const weights_view<>&, matrix_view<const float>,
                                      matrix_view<const std::uint8_t>, vector_view<const std::int64_t>);
template std::vector<double> arriving_mean_squares(const host_executor&, matrix_view<const float>,
                                                   std::span<const double>, std::span<const double>,
                                                   vector_view<const std::int64_t>);

template void importance(const host_executor&, const weights_view<>&, const calibration::statistics_view<>&,
                         importance_measure, vector_view<float>, const importance_mix&);
template redundancy_result redundancy_given_others(const host_executor&, const calibration::statistics_view<>&,
                                                   vector_view<float>, const redundancy_options&);
template void group_importance(const host_executor&, vector_view<const float>, vector_view<const std::int32_t>,
                               vector_view<float>, group_reduction);

}  // namespace miq::allocation
