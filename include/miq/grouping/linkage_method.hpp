// grouping/linkage_method.hpp: how far apart two clusters are.
#pragma once

namespace miq::grouping {

/// The distance of two clusters.
enum class linkage_method {
  single,    ///< the smallest distance of a member of one to a member of the other
  complete,  ///< the largest
  average,   ///< the mean (UPGMA)
  ward       ///< what the sum of squares within clusters grows by (Ward 1963); only from coordinates: `ward_linkage`
};

}  // namespace miq::grouping
