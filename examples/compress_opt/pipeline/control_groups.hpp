// pipeline/control_groups.hpp: groups to compare with: of the sizes of those by mutual information, but made without
// it.
#pragma once

#include <cstdint>

#include <miq/compress.hpp>

#include "compress_opt/options.hpp"

namespace compress_opt {

/// Groups of the sizes of `shared.groups`: drawn at random (with `seed`), of columns side by side, of columns with
/// similar second moments, or of columns with similar conditional variances given the later ones (1 / U_jj^2).
/// @param how  grouping::random, contiguous, hessian or cost
miq::grouping::partition control_groups(const miq::prepared_inputs& shared, grouping how,
                                        const miq::calibration::statistics_view<>& seen, std::uint64_t seed);

}  // namespace compress_opt
