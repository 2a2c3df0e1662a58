#pragma once

#include <utility>

#include <miq/quantization/detail/storage/counts.hpp>
#include <miq/quantization/storage.hpp>

namespace miq::quantization {

MIQ_API storage_report storage_of(matrix_view<const std::uint8_t> kept, const grid_set& grids,
                                  vector_view<const std::int32_t> labels, std::int64_t groups) {
  using miq::detail::require;
  require(static_cast<std::int64_t>(grids.column_grid.size()) == kept.columns() && labels.size() == kept.columns(),
          "storage_of: grids and labels must describe the mask's ", kept.columns(), " columns, got ",
          grids.column_grid.size(), " and ", labels.size());
  require(groups >= 1, "storage_of: groups must be at least 1, got ", groups);
  std::vector<int> column_bits;
  for (const auto g : grids.column_grid) column_bits.push_back(grids.bits[static_cast<std::size_t>(g)]);
  return detail::storage_of_counts(
      kept.rows(), detail::kept_by_column(kept),
      {grids.layout, grids.symmetry, grids.format, grids.scale.size(), std::move(column_bits)},
      {labels.data(), static_cast<std::size_t>(labels.size())}, groups);
}

MIQ_API storage_report storage_of_unquantised(matrix_view<const std::uint8_t> kept) {
  return detail::storage_of_unquantised_counts(kept.rows(), detail::kept_by_column(kept));
}

}  // namespace miq::quantization
