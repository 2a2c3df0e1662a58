// information/affinity.hpp: how near two channels are, and how far: what clustering takes in.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/information/affinity_result.hpp>

namespace miq::information {

/// Affinity of all pairs for spectral clustering: the information coefficient
/// `IC(i, j) = sqrt(1 - exp(-2 max(I(i, j), 0)))` (Linfoot 1957), between 0 and 1; |rho| for Gaussian channels.
///
/// @param exec  where to run. Does not allocate. Synchronises, since it decides about errors.
/// @param mi    mutual information [c, c] in nats, finite; only the upper triangle without the diagonal is read
/// @param out   [c, c], written whole, symmetric to the bit; the diagonal is 0
/// @throws invalid_argument  if shapes differ, `out` overlaps `mi`, or a value is not finite; `out` is untouched
///
/// Cost: two passes over half of `mi`, c^2/2 exponentials and square roots. Accurate to 1 unit in the last place of
/// float. Deterministic.
template <executor Exec>
affinity_result affinity(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                         matrix_view<float, memory_of<Exec>> out);

/// Distance of all pairs for silhouettes and linkages: `sqrt(1 - IC^2) = exp(-max(I, 0))`, between 0 and 1;
/// sqrt(1 - rho^2) for Gaussian channels. Everything else as `affinity`.
template <executor Exec>
affinity_result distance(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                         matrix_view<float, memory_of<Exec>> out);

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/affinity/host.inl>
#endif
