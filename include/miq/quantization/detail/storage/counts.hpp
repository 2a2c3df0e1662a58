// Stored bits from counts of kept weights, wherever the mask and the grids are.
#pragma once

#include <span>
#include <vector>

#include <miq/core/error.hpp>
#include <miq/quantization/storage_report.hpp>

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
inline storage_report start_storage(std::int64_t rows, std::span<const std::int64_t> kept_by_column) {
  storage_report report;
  report.weights = rows * static_cast<std::int64_t>(kept_by_column.size());
  for (const auto count : kept_by_column) report.kept += count;
  if (report.kept < report.weights) report.mask_bits = static_cast<double>(report.weights);
  return report;
}

/// What grids store, whatever memory they are in.
struct stored_grids {
  grid_layout layout;
  grid_symmetry symmetry;
  scale_format format;
  std::int64_t scales;           // and as many zero points, where they are stored
  std::vector<int> column_bits;  // the width of every column
};

inline storage_report storage_of_counts(std::int64_t rows, std::span<const std::int64_t> kept_by_column,
                                        const stored_grids& grids, std::span<const std::int32_t> labels,
                                        std::int64_t groups) {
  using miq::detail::require;
  const auto columns = static_cast<std::int64_t>(kept_by_column.size());
  auto report = start_storage(rows, kept_by_column);
  std::vector<std::int64_t> size(static_cast<std::size_t>(groups));
  std::vector<int> width(static_cast<std::size_t>(groups));
  for (std::size_t c = 0; c < kept_by_column.size(); ++c) {
    require(labels[c] >= 0 && labels[c] < groups, "storage_of: label of column ", c, " must be 0 to ", groups - 1,
            ", got ", labels[c]);
    report.code_bits += static_cast<double>(kept_by_column[c]) * grids.column_bits[c];
    ++size[static_cast<std::size_t>(labels[c])];
    width[static_cast<std::size_t>(labels[c])] = grids.column_bits[c];
  }
  report.scale_bits =
      static_cast<double>(grids.scales) * bits_of(grids.format) + metadata_of_layer(rows, grids.layout, grids.format);
  for (std::size_t g = 0; g < size.size(); ++g) {
    const auto metadata = metadata_of_group(rows, columns, size[g], groups, grids.layout, grids.symmetry, grids.format);
    report.zero_bits += metadata.bits_per_bit * width[g];
  }
  if (groups > 1) {
    report.width_bits = 3.0 * static_cast<double>(groups);
    if (groups < columns) report.group_index_bits = static_cast<double>(columns * index_bits(groups));
  }
  return report;
}

inline storage_report storage_of_unquantised_counts(std::int64_t rows, std::span<const std::int64_t> kept_by_column) {
  auto report = start_storage(rows, kept_by_column);
  report.code_bits = 16.0 * static_cast<double>(report.kept);
  return report;
}

}  // namespace detail
}  // namespace miq::quantization
