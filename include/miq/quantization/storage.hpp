// quantization/storage.hpp: counts every bit that a compressed layer stores.
#pragma once

#include <cstdint>

#include <miq/core/matrix_view.hpp>
#include <miq/quantization/grid_set.hpp>
#include <miq/quantization/storage_report.hpp>

namespace miq::quantization {

/// Counts a quantised layer.
/// @param kept    [rows, columns], 0 where a weight is masked
/// @param labels  [columns], the group of each column
/// @param groups  number of groups; a group has one width
/// Cost: reads the mask once.
storage_report storage_of(matrix_view<const std::uint8_t> kept, const grid_set& grids,
                          vector_view<const std::int32_t> labels, std::int64_t groups);

/// Counts a layer that is pruned but not quantised: 16 bits a kept weight.
storage_report storage_of_unquantised(matrix_view<const std::uint8_t> kept);

}  // namespace miq::quantization

#if !defined(MIQ_PRECOMPILED)
#include <miq/quantization/detail/storage/host.inl>
#endif
