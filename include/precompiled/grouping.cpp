#include <miq/grouping/detail/agreement/host.inl>
#include <miq/grouping/detail/balanced/host.inl>
#include <miq/grouping/detail/dendrogram/host.inl>
#include <miq/grouping/detail/eigenpairs/dense_solver.inl>
#include <miq/grouping/detail/eigenpairs/host.inl>
#include <miq/grouping/detail/group_by_information/host.inl>
#include <miq/grouping/detail/group_count/host.inl>
#include <miq/grouping/detail/hierarchical/host.inl>
#include <miq/grouping/detail/kmeans/host.inl>
#include <miq/grouping/detail/partition/host.inl>
#include <miq/grouping/detail/quality/host.inl>
#include <miq/grouping/detail/representatives/host.inl>
#include <miq/grouping/detail/silhouette/host.inl>
#include <miq/grouping/detail/spectral/host.inl>

template bool miq::grouping::detail::solve_symmetric(std::int64_t, double*, double*);

namespace miq::grouping {

template double adjusted_rand_index(const host_executor&, vector_view<const std::int32_t>,
                                    vector_view<const std::int32_t>);
template double adjusted_rand_index(const host_executor&, const partition&, const partition&);
template double normalised_information(const host_executor&, vector_view<const std::int32_t>,
                                       vector_view<const std::int32_t>, information::normalisation);
template double normalised_information(const host_executor&, const partition&, const partition&,
                                       information::normalisation);

template assignment_result bounded_assignment(const host_executor&, matrix_view<const double>,
                                              std::span<const std::int64_t>, std::span<const std::int64_t>);
template balanced_result balanced_kmeans(const host_executor&, matrix_view<const float>, const balanced_options&);
template balanced_result balanced_spectral(const host_executor&, matrix_view<const float>, const balanced_options&);

template double cophenetic_correlation(const host_executor&, const dendrogram&, matrix_view<const float>);

template eigenpairs_result largest_eigenpairs(const host_executor&, matrix_view<const float>, int,
                                              const eigenpairs_options&);

template information_grouping_result group_by_information(const host_executor&, matrix_view<const float>,
                                                          vector_view<const float>, const information_grouping_options&,
                                                          const progress_callback&);

template group_count_result choose_group_count(const host_executor&, matrix_view<const float>, matrix_view<const float>,
                                               const group_count_options&);
template silhouette_choice choose_by_silhouette(const host_executor&, matrix_view<const float>, std::span<const int>,
                                                const std::function<partition(int)>&, const progress_callback&);

template dendrogram linkage(const host_executor&, matrix_view<const float>, linkage_method);
template dendrogram ward_linkage(const host_executor&, matrix_view<const float>);

template kmeans_result kmeans(const host_executor&, matrix_view<const float>, const kmeans_options&);

template group_information describe_groups(const host_executor&, matrix_view<const float>, const partition&);

template representatives_result order_by_representatives(const host_executor&, matrix_view<const float>,
                                                         const partition&, vector_view<const double>,
                                                         const representatives_options&);

template double silhouette(const host_executor&, matrix_view<const float>, const partition&);
template double silhouette(const host_executor&, matrix_view<const float>, const partition&, vector_view<float>);

template spectral_result spectral(const host_executor&, matrix_view<const float>, const spectral_options&);

}  // namespace miq::grouping
