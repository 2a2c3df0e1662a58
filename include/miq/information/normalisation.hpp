// information/normalisation.hpp: mutual information brought to the scale 0 to 1.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/information/normalisation_options.hpp>

namespace miq::information {

/// Normalises a matrix of mutual information.
///
/// The four normalisations by entropies (Strehl and Ghosh 2002; Kvalseth 1987) belong to discrete entropies, which are
/// never negative. Differential entropies (such as `gaussian_entropy` gives) depend on the unit and may be negative,
/// and then these ratios mean nothing: that is an error here. `information_coefficient` is defined for all of them.
///
/// @param exec       where to run. Does not allocate. Synchronises, since it decides about errors.
/// @param mi         [c, c], finite, in nats; only the upper triangle without the diagonal is read
/// @param entropies  [c], in nats; may be empty for `none`, `correlation` and `information_coefficient`. Of a constant
///                   channel it may be 0 or minus infinity, provided that all of its information is 0.
/// @param rule       which normalisation
/// @param out        [c, c], written whole, symmetric to the bit; the diagonal is 0
/// @throws invalid_argument  if shapes differ, `out` overlaps `mi`, a value of `mi` is not finite, or an entropy is
///                           needed and missing, NaN, +infinity, negative, or not positive while the channel has
///                           information (the message names the channel); `out` is untouched
///
/// Cost: two passes over half of `mi`. Deterministic. `correlation` and `information_coefficient` are accurate to 1
/// unit in the last place of float.
template <executor Exec>
normalisation_result normalise(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                               vector_view<const float, memory_of<Exec>> entropies, normalisation rule,
                               matrix_view<float, memory_of<Exec>> out);

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/normalisation/host.inl>
#endif
