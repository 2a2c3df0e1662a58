#pragma once

#include <vector>

namespace miq::quantization {

namespace detail {

/// Kept weights of every column.
inline std::vector<std::int64_t> kept_by_column(matrix_view<const std::uint8_t> kept) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(kept.columns()));
  for (std::int64_t r = 0; r < kept.rows(); ++r)
    for (std::int64_t c = 0; c < kept.columns(); ++c) counts[static_cast<std::size_t>(c)] += kept(r, c) != 0 ? 1 : 0;
  return counts;
}

/// Weights, kept weights and mask of a report.
inline storage_report start_storage(matrix_view<const std::uint8_t> kept, const std::vector<std::int64_t>& by_column) {
  storage_report report;
  report.weights = kept.size();
  for (const auto count : by_column) report.kept += count;
  if (report.kept < report.weights) report.mask_bits = static_cast<double>(report.weights);
  return report;
}

}  // namespace detail

inline storage_report storage_of(matrix_view<const std::uint8_t> kept, const grid_set& grids,
                                 vector_view<const std::int32_t> labels, std::int64_t groups) {
  using miq::detail::require;
  require(static_cast<std::int64_t>(grids.column_grid.size()) == kept.columns() && labels.size() == kept.columns(),
          "storage_of: grids and labels must describe the mask's ", kept.columns(), " columns, got ",
          grids.column_grid.size(), " and ", labels.size());
  require(groups >= 1, "storage_of: groups must be at least 1, got ", groups);
  const auto by_column = detail::kept_by_column(kept);
  auto report = detail::start_storage(kept, by_column);
  std::vector<std::int64_t> size(static_cast<std::size_t>(groups));
  std::vector<int> width(static_cast<std::size_t>(groups));
  for (std::int64_t c = 0; c < kept.columns(); ++c) {
    require(labels[c] >= 0 && labels[c] < groups, "storage_of: label of column ", c, " must be 0 to ", groups - 1,
            ", got ", labels[c]);
    const int bits = grids.bits[static_cast<std::size_t>(grids.column_grid[static_cast<std::size_t>(c)])];
    report.code_bits += static_cast<double>(by_column[static_cast<std::size_t>(c)]) * bits;
    ++size[static_cast<std::size_t>(labels[c])];
    width[static_cast<std::size_t>(labels[c])] = bits;
  }
  report.scale_bits = static_cast<double>(grids.scale.size()) * bits_of(grids.format) +
                      metadata_of_layer(kept.rows(), grids.layout, grids.format);
  for (std::int64_t g = 0; g < groups; ++g) {
    const auto metadata = metadata_of_group(kept.rows(), kept.columns(), size[static_cast<std::size_t>(g)], groups,
                                            grids.layout, grids.symmetry, grids.format);
    report.zero_bits += metadata.bits_per_bit * width[static_cast<std::size_t>(g)];
  }
  if (groups > 1) {
    report.width_bits = 3.0 * static_cast<double>(groups);
    if (groups < kept.columns()) report.group_index_bits = static_cast<double>(kept.columns() * index_bits(groups));
  }
  return report;
}

inline storage_report storage_of_unquantised(matrix_view<const std::uint8_t> kept) {
  auto report = detail::start_storage(kept, detail::kept_by_column(kept));
  report.code_bits = 16.0 * static_cast<double>(report.kept);
  return report;
}

}  // namespace miq::quantization
