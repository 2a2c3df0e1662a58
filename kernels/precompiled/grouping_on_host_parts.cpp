#include <miq/grouping/balanced.hpp>
#include <miq/grouping/hierarchical.hpp>

namespace miq::grouping {

template balanced_result balanced_kmeans(const host_executor&, matrix_view<const float>, const balanced_options&);
template balanced_result balanced_spectral(const host_executor&, matrix_view<const float>, const balanced_options&);
template dendrogram linkage(const host_executor&, matrix_view<const float>, linkage_method);

}  // namespace miq::grouping
