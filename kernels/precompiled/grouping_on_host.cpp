#include <miq/grouping/detail/group_on_host.inl>
#include <miq/grouping/hierarchical.cuh>

// These have a translation unit of their own, grouping_on_host_parts.cpp, so that neither takes long to compile.
namespace miq::grouping {

extern template balanced_result balanced_kmeans(const host_executor&, matrix_view<const float>,
                                                const balanced_options&);
extern template balanced_result balanced_spectral(const host_executor&, matrix_view<const float>,
                                                  const balanced_options&);
extern template dendrogram linkage(const host_executor&, matrix_view<const float>, linkage_method);

}  // namespace miq::grouping
