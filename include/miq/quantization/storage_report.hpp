// quantization/storage_report.hpp: the bits that a compressed layer stores, by what they are for.
#pragma once

#include <bit>
#include <cstdint>

#include <miq/core/matrix_view.hpp>
#include <miq/quantization/grid_set.hpp>

namespace miq::quantization {

/// The bits of a stored layer, by what they are spent on. `total()` is what a file would hold, without headers.
struct storage_report {
  std::int64_t weights = 0;     ///< rows * columns
  std::int64_t kept = 0;        ///< weights that the mask keeps
  double code_bits = 0;         ///< of kept weights: the width of their column, or 16 where nothing was quantised
  double mask_bits = 0;         ///< a bitmap of 1 bit per weight where anything is masked
  double scale_bits = 0;        ///< 8, 16 or 32 a scale or factor of a scale
  double zero_bits = 0;         ///< the group's width a zero point (or gap); none for symmetric grids
  double group_index_bits = 0;  ///< ceil(log2 groups) a column, where several columns share a group out of several
  double width_bits = 0;        ///< 3 per group (widths 1 to 8), where there is more than one group

  double total() const { return code_bits + mask_bits + metadata_bits(); }
  /// Everything but codes and mask.
  double metadata_bits() const { return scale_bits + zero_bits + group_index_bits + width_bits; }
  double sparsity() const { return weights == 0 ? 0 : 1 - static_cast<double>(kept) / static_cast<double>(weights); }
  /// All stored bits over all weights, masked ones included.
  double bits_per_weight_stored() const { return per_weight(total()); }
  /// Code bits alone over all weights, masked ones included.
  double bits_per_weight_without_metadata() const { return per_weight(code_bits); }
  /// Code bits over kept weights: the average width.
  double code_bits_per_kept_weight() const { return kept == 0 ? 0 : code_bits / static_cast<double>(kept); }

  storage_report& operator+=(const storage_report& other) {
    weights += other.weights;
    kept += other.kept;
    code_bits += other.code_bits;
    mask_bits += other.mask_bits;
    scale_bits += other.scale_bits;
    zero_bits += other.zero_bits;
    group_index_bits += other.group_index_bits;
    width_bits += other.width_bits;
    return *this;
  }

 private:
  double per_weight(double bits) const { return weights == 0 ? 0 : bits / static_cast<double>(weights); }
};

/// ceil(log2 groups): what a column's group index takes.
constexpr int index_bits(std::int64_t groups) {
  return groups <= 1 ? 0 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(groups - 1)));
}

/// What the grids of one group of columns cost beside the codes.
struct grid_metadata {
  double fixed_bits = 0;    ///< scales, group indices and the width itself
  double bits_per_bit = 0;  ///< zero points: this many bits for every bit of the group's width
};

/// The metadata of a group of `group_columns` of the `columns` columns of a layer that has `groups` groups.
constexpr grid_metadata metadata_of_group(std::int64_t rows, std::int64_t columns, std::int64_t group_columns,
                                          std::int64_t groups, grid_layout layout, grid_symmetry symmetry,
                                          scale_format format) {
  const auto scales = static_cast<double>(layout == grid_layout::per_row_and_group ? rows
                                          : has_column_scales(layout)              ? group_columns
                                                                                   : 1);
  const double zeros = symmetry == grid_symmetry::symmetric ? 0 : (is_rank_one(layout) ? 1 : scales);
  const double index = groups > 1 && groups < columns ? static_cast<double>(group_columns * index_bits(groups)) : 0;
  return {scales * bits_of(format) + index + (groups > 1 ? 3 : 0), zeros};
}

/// The metadata that no group owns: the rows' factors, and where scales are logarithms the smallest of them (one of the
/// scales, one of the rows' factors).
constexpr double metadata_of_layer(std::int64_t rows, grid_layout layout, scale_format format) {
  const double smallest = format == scale_format::logarithmic8 ? 16 : 0;
  return smallest + (is_rank_one(layout) ? static_cast<double>(rows) * bits_of(format) + smallest : 0);
}

}  // namespace miq::quantization
