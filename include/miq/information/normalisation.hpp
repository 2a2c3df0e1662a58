// information/normalisation.hpp: mutual information brought to the scale 0 to 1.
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::information {

/// How mutual information I(i, j) is related to what the two channels hold at all, their entropies H(i) and H(j).
enum class normalisation {
  none,                    ///< I, in nats
  arithmetic,              ///< 2 I / (H(i) + H(j))
  geometric,               ///< I / sqrt(H(i) H(j))
  minimum,                 ///< I / min(H(i), H(j))
  maximum,                 ///< I / max(H(i), H(j))
  correlation,             ///< |rho| of the Gaussian pair that has information I; of `information::correlation`: |rho|
  information_coefficient  ///< sqrt(1 - exp(-2 max(I, 0))) (Linfoot 1957), for every estimator; the same formula
};

/// What happened on the way.
struct normalisation_result {
  std::int64_t clipped = 0;  ///< pairs i < j with I < 0 that `correlation` or `information_coefficient` took as 0
  std::int64_t not_finite =
      0;                      ///< on a device: pairs i < j whose information is NaN or infinite, and whose value is NaN
  std::int64_t unusable = 0;  ///< on a device: pairs i < j, others than these, whose entropies do not allow the ratio
                              ///< (see `throws` below), and whose value is NaN; on the host both are errors
};

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
/// @param how        which normalisation
/// @param out        [c, c], written whole, symmetric to the bit; the diagonal is 0
/// @throws invalid_argument  if shapes differ, `out` overlaps `mi`, a value of `mi` is not finite, or an entropy is
///                           needed and missing, NaN, +infinity, negative, or not positive while the channel has
///                           information (the message names the channel); `out` is untouched
///
/// Cost: two passes over half of `mi`. Deterministic. `correlation` and `information_coefficient` are accurate to 1
/// unit in the last place of float.
template <executor Exec>
normalisation_result normalise(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                               vector_view<const float, memory_of<Exec>> entropies, normalisation how,
                               matrix_view<float, memory_of<Exec>> out);

}  // namespace miq::information

#include <miq/information/detail/normalisation.inl>
