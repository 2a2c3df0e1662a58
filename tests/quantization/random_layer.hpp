// tests/quantization/random_layer.hpp: layers of every layout, symmetry and scale format, made at random.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/quantization/packed_layer.hpp>

namespace miq_test {

namespace q = miq::quantization;

struct random_layer {
  miq::matrix<std::uint8_t> codes;
  miq::matrix<std::uint8_t> kept;
  q::grid_set grids;
  std::vector<std::int32_t> labels;
  std::int64_t groups = 1;

  q::packed_layer_source source() const { return {codes.view(), kept.view(), grids, labels, groups}; }
};

struct layer_kind {
  q::grid_layout layout = q::grid_layout::per_row_and_group;
  q::grid_symmetry symmetry = q::grid_symmetry::asymmetric;
  q::scale_format format = q::scale_format::float16;
};

inline float random_scale(miq::random_stream& random, q::scale_format format) {
  return q::stored_scale(static_cast<float>(0.01 * std::exp2(4 * random.uniform())), format);
}

/// @param groups   the last one stays without columns if `empty_group` says so and there are several
/// @param density  share of kept weights; 1: no mask
inline random_layer make_random_layer(miq::random_stream& random, std::int64_t rows, std::int64_t columns,
                                      std::int64_t groups, double density, const layer_kind& kind,
                                      bool empty_group = false) {
  random_layer layer;
  layer.groups = groups;
  layer.codes = miq::matrix<std::uint8_t>(rows, columns);
  layer.kept = miq::matrix<std::uint8_t>(rows, columns, 1);
  layer.labels.resize(static_cast<std::size_t>(columns));
  const auto used = empty_group && groups > 1 ? groups - 1 : groups;
  for (std::size_t c = 0; c < layer.labels.size(); ++c)
    layer.labels[c] = groups == columns && !empty_group
                          ? static_cast<std::int32_t>(c)
                          : static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(used)));
  std::vector<std::uint8_t> widths;
  for (std::int64_t g = 0; g < groups; ++g) widths.push_back(static_cast<std::uint8_t>(1 + random.below(8)));

  auto& grids = layer.grids;
  grids.layout = kind.layout;
  grids.symmetry = kind.symmetry;
  grids.format = kind.format;
  const bool own_columns = q::has_column_scales(kind.layout);
  const auto grid_columns = own_columns ? columns : groups;
  const auto grid_rows = kind.layout == q::grid_layout::per_row_and_group ? rows : 1;
  grids.scale = miq::matrix<float>(grid_rows, grid_columns);
  grids.zero = miq::matrix<float>(grid_rows, grid_columns);
  for (std::int64_t g = 0; g < grid_columns; ++g) {
    const auto group = own_columns ? layer.labels[static_cast<std::size_t>(g)] : static_cast<std::int32_t>(g);
    grids.bits.push_back(widths[static_cast<std::size_t>(group)]);
  }
  for (std::int64_t c = 0; c < columns; ++c)
    grids.column_grid.push_back(own_columns ? static_cast<std::int32_t>(c) : layer.labels[static_cast<std::size_t>(c)]);
  // One zero point for each group where the layout shares it.
  const auto zero_of = [&](int bits) {
    const auto field = static_cast<float>(random.below(std::uint64_t{1} << bits));
    if (kind.symmetry == q::grid_symmetry::symmetric)
      return static_cast<float>(q::maximum_code(bits, q::grid_symmetry::symmetric)) / 2;
    return kind.symmetry == q::grid_symmetry::zero_free ? (field + 1) / 2 : field;
  };
  std::vector<float> group_zero;
  for (const auto width : widths) group_zero.push_back(zero_of(width));
  for (std::int64_t r = 0; r < grid_rows; ++r)
    for (std::int64_t g = 0; g < grid_columns; ++g) {
      grids.scale(r, g) = random_scale(random, kind.format);
      const auto group = static_cast<std::size_t>(own_columns ? layer.labels[static_cast<std::size_t>(g)] : g);
      grids.zero(r, g) = q::is_rank_one(kind.layout) ? group_zero[group] : zero_of(widths[group]);
      // Nothing is stored for a group without columns, and it decodes to 0.
      const bool missing =
          std::find(layer.labels.begin(), layer.labels.end(), static_cast<std::int32_t>(group)) == layer.labels.end();
      if (missing && kind.symmetry != q::grid_symmetry::symmetric) grids.zero(r, g) = 0;
    }
  if (q::is_rank_one(kind.layout))
    for (std::int64_t r = 0; r < rows; ++r) grids.row_factor.push_back(random_scale(random, kind.format));

  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      const bool keep = density >= 1 || random.uniform() < density;
      const auto largest = grids.at(r, c).maximum_code;
      layer.kept(r, c) = keep ? 1 : 0;
      layer.codes(r, c) =
          static_cast<std::uint8_t>(keep ? random.below(static_cast<std::uint64_t>(largest) + 1) : random.below(256));
    }
  return layer;
}

}  // namespace miq_test
