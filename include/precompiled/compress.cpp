#include <miq/detail/compress/host.inl>
#include <miq/detail/compress/options.inl>

namespace miq {

template prepared_inputs prepare(const host_executor&, const calibration::statistics_view<>&, matrix_view<const float>,
                                 const compress_options&, const progress_callback&);
template prepared_inputs prepare(const host_executor&, const calibration::statistics_view<>&, const compress_options&,
                                 const progress_callback&);
template compressed_layer compress(const host_executor&, const weights_view<>&, const calibration::statistics_view<>&,
                                   const prepared_inputs&, const compress_options&, const progress_callback&);
template compressed_layer compress(const host_executor&, const weights_view<>&, const calibration::statistics_view<>&,
                                   matrix_view<const float>, const compress_options&, const progress_callback&);
template compressed_layer compress(const host_executor&, const weights_view<>&, const calibration::statistics_view<>&,
                                   const compress_options&, const progress_callback&);

}  // namespace miq
