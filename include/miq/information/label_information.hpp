// information/label_information.hpp: entropy of labels, and what two labellings tell about each other.
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::information {

/// Entropy of labels in nats: `-sum p ln p` over the labels that occur, p the share of each. Exactly 0 for one label.
///
/// @param exec    where to run (on one thread)
/// @param labels  [n], n >= 1, any numbers; only which are equal matters
/// @throws invalid_argument  if there are no labels
///
/// Allocates about 16 n bytes. Synchronises. Cost: n log n. The same to the bit however labels are named.
template <executor Exec>
double label_entropy(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> labels);

/// Mutual information of two labellings of the same n things, in nats: `sum p(a, b) ln (p(a, b) / (p(a) p(b)))` over
/// the pairs of labels that occur together (the plug-in estimate; scikit-learn's `mutual_info_score`). Never negative;
/// exactly 0 if one of them has a single label or if all counts are those of independence. Of labels with themselves it
/// is their entropy, up to rounding.
///
/// @param exec  where to run (on one thread)
/// @param a     [n], n >= 1, any numbers
/// @param b     [n]
/// @throws invalid_argument  if there are no labels or the lengths differ
///
/// Allocates about 40 n bytes. Synchronises. Cost: n log n. Symmetric to the bit, and the same to the bit however
/// labels are named: equal terms are added up in the order of their size.
template <executor Exec>
double label_information(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> a,
                         vector_view<const std::int32_t, memory_of<Exec>> b);

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/label_information/host.inl>
#endif
