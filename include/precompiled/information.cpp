#include <miq/information/detail/affinity/host.inl>
#include <miq/information/detail/class_information/host.inl>
#include <miq/information/detail/correlation/host.inl>
#include <miq/information/detail/estimator/host.inl>
#include <miq/information/detail/histogram/host.inl>
#include <miq/information/detail/kde/host.inl>
#include <miq/information/detail/knn/host.inl>
#include <miq/information/detail/label_information/host.inl>
#include <miq/information/detail/normalisation/host.inl>
#include <miq/information/detail/rank_correlation/host.inl>
#include <miq/information/detail/significance/host.inl>

namespace miq::information {

template affinity_result affinity(const host_executor&, matrix_view<const float>, matrix_view<float>);
template affinity_result distance(const host_executor&, matrix_view<const float>, matrix_view<float>);

template class_information_result class_information(const host_executor&, vector_view<const std::int32_t>,
                                                    matrix_view<const float>, vector_view<float>,
                                                    const class_information_options&, const progress_callback&);

template void correlation(const host_executor&, const calibration::statistics_view<>&, matrix_view<float>,
                          result_ref<correlation_result>, const correlation_options&);
template correlation_result correlation(const host_executor&, const calibration::statistics_view<>&, matrix_view<float>,
                                        const correlation_options&);
template correlation_result correlation(const host_executor&, const calibration::statistics_view<>&,
                                        std::span<const channel_pair>, vector_view<float>, const correlation_options&);
template correlation_result correlation(const host_executor&, matrix_view<const float>, matrix_view<float>,
                                        const correlation_options&, const progress_callback&);
template correlation_result correlation(const host_executor&, matrix_view<const float>, std::span<const channel_pair>,
                                        vector_view<float>, const correlation_options&, const progress_callback&);
template double correlation(const host_executor&, vector_view<const float>, vector_view<const float>,
                            const correlation_options&);
template void gaussian_entropy(const host_executor&, const calibration::statistics_view<>&, vector_view<float>);

template void gaussian_entropy(const host_executor&, matrix_view<const float>, vector_view<float>,
                               const correlation_options&);
template estimator_result mutual_information(const host_executor&, matrix_view<const float>, matrix_view<float>,
                                             const estimator_options&, const progress_callback&);
template estimator_result mutual_information(const host_executor&, matrix_view<const float>,
                                             std::span<const channel_pair>, vector_view<float>,
                                             const estimator_options&, const progress_callback&);
template double mutual_information(const host_executor&, vector_view<const float>, vector_view<const float>,
                                   const estimator_options&);
template void entropies(const host_executor&, matrix_view<const float>, vector_view<float>, const estimator_options&);

template double histogram(const host_executor&, vector_view<const float>, vector_view<const float>,
                          const histogram_options&);
template histogram_result histogram(const host_executor&, matrix_view<const float>, std::span<const channel_pair>,
                                    vector_view<float>, const histogram_options&, const progress_callback&);
template histogram_result histogram(const host_executor&, matrix_view<const float>, matrix_view<float>,
                                    const histogram_options&, const progress_callback&);
template histogram_result histogram_entropy(const host_executor&, matrix_view<const float>, vector_view<float>,
                                            const histogram_options&, histogram_entropy_kind);

template double kde(const host_executor&, vector_view<const float>, vector_view<const float>, const kde_options&);
template kde_result kde(const host_executor&, matrix_view<const float>, std::span<const channel_pair>,
                        vector_view<float>, const kde_options&, const progress_callback&);
template kde_result kde(const host_executor&, matrix_view<const float>, matrix_view<float>, const kde_options&,
                        const progress_callback&);
template kde_result kde_entropy(const host_executor&, matrix_view<const float>, vector_view<float>, const kde_options&);

template double knn(const host_executor&, vector_view<const float>, vector_view<const float>, const knn_options&);
template knn_result knn(const host_executor&, matrix_view<const float>, std::span<const channel_pair>,
                        vector_view<float>, const knn_options&, const progress_callback&);
template knn_result knn(const host_executor&, matrix_view<const float>, matrix_view<float>, const knn_options&,
                        const progress_callback&);
template knn_result knn_entropy(const host_executor&, matrix_view<const float>, vector_view<float>, const knn_options&);

template double label_entropy(const host_executor&, vector_view<const std::int32_t>);
template double label_information(const host_executor&, vector_view<const std::int32_t>,
                                  vector_view<const std::int32_t>);

template normalisation_result normalise(const host_executor&, matrix_view<const float>, vector_view<const float>,
                                        normalisation, matrix_view<float>);

template rank_correlation_result rank_correlation(const host_executor&, matrix_view<const float>, matrix_view<float>,
                                                  const rank_correlation_options&, const progress_callback&);
template rank_correlation_result rank_correlation(const host_executor&, matrix_view<const float>,
                                                  std::span<const channel_pair>, vector_view<float>,
                                                  const rank_correlation_options&, const progress_callback&);
template double rank_correlation(const host_executor&, vector_view<const float>, vector_view<const float>,
                                 const rank_correlation_options&);

template estimator_result permutation_test(const host_executor&, matrix_view<const float>, matrix_view<float>,
                                           matrix_view<float>, matrix_view<float>, const estimator_options&,
                                           const permutation_test_options&, const progress_callback&);
template estimator_result permutation_test(const host_executor&, matrix_view<const float>,
                                           std::span<const channel_pair>, vector_view<float>, vector_view<float>,
                                           vector_view<float>, const estimator_options&,
                                           const permutation_test_options&, const progress_callback&);
template pair_significance permutation_test(const host_executor&, vector_view<const float>, vector_view<const float>,
                                            const estimator_options&, const permutation_test_options&);

}  // namespace miq::information
