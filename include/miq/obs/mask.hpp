// obs/mask.hpp: chooses a mask from the weights as they are, for a sweep or a refit that takes it as given.
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/weights_view.hpp>
#include <miq/obs/mask_options.hpp>

namespace miq::obs {

/// Chooses the mask by the saliencies `(|w| * column_saliency)^2`.
///
/// `column_saliency` makes the criterion: 1 / U_jj with U from `obs::factor` for the first step of OBS (LeCun, Denker
/// and Solla 1990; Hassibi and Stork 1993; in this form Frantar and Alistarh 2023), sqrt(H_jj) for Wanda (Sun et al.
/// 2024), ones for the magnitude. A sweep that chooses as it goes (`sweep_options::mask`) sees weights that already
/// make up for earlier errors, which this function does not; but it can weigh all columns against each other.
///
/// @param exec             where to run. Allocates counters, 2048 integers for each of 32 tasks, and one per column;
///                         for rows and patterns the keys of one row per task.
/// @param weights          [rows, columns], finite
/// @param column_saliency  [columns], finite, not negative
/// @param kept             [rows, columns], receives 0 where a weight is masked, 1 elsewhere; must not overlap
/// @return                 weights masked
/// @throws invalid_argument  for shapes that do not fit, options out of range, values that are not finite; nothing is
///                           written
/// Cost: four passes over the weights (layer, column_block), one (row, n_of_m). Deterministic, whatever the number of
/// threads.
template <executor Exec>
std::int64_t select_mask(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                         vector_view<const float, memory_of<Exec>> column_saliency,
                         matrix_view<std::uint8_t, memory_of<Exec>> kept, const mask_options& options = {});

}  // namespace miq::obs

#if !defined(MIQ_PRECOMPILED)
#include <miq/obs/detail/mask/host.inl>
#endif
