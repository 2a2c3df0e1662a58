// What the sweep asks of shapes, in any memory.
#pragma once

#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/obs/sweep_options.hpp>
#include <miq/quantization/affine_grid.hpp>

namespace miq::obs::detail {

/// The most columns of a group of an N:M mask.
inline constexpr std::int64_t largest_pattern = 64;

using miq::detail::require;
using miq::detail::shape_text;

/// Throws if an output shares memory with an input or another output.
template <class Space, class T>
void check_overlaps(const sweep_inputs<Space, T>& in, const sweep_outputs<Space, T>& out) {
  struct range {
    const char* name;
    const void* data;
    std::int64_t bytes;
    bool output;
  };
  const auto of = [](const char* name, const auto& m, bool output) {
    return range{name, m.data(), miq::detail::spanned_bytes(m), output};
  };
  const auto of_vector = [](const char* name, const auto& v, bool output) {
    return range{name, v.data(), v.size() * static_cast<std::int64_t>(sizeof(*v.data())), output};
  };
  const quantization::grid_set_view<Space> grids = in.grids.value_or(quantization::grid_set_view<Space>{});
  const std::array<range, 13> all{of("weights", in.weights, false),
                                  of("upper", in.upper, false),
                                  of("kept", in.kept, false),
                                  of("the grids' scale", grids.scale, false),
                                  of("the grids' zero", grids.zero, false),
                                  of_vector("the grids' bits", grids.bits, false),
                                  of_vector("the grids' column_grid", grids.column_grid, false),
                                  of_vector("the grids' row_factor", grids.row_factor, false),
                                  of_vector("column_saliency", in.column_saliency, false),
                                  of("outputs.weights", out.weights, true),
                                  of("outputs.codes", out.codes, true),
                                  of("outputs.kept", out.kept, true),
                                  of_vector("outputs.row_loss", out.row_loss, true)};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = i + 1; j < all.size(); ++j)
      require(!(all[j].output && miq::detail::ranges_overlap(all[i].data, all[i].bytes, all[j].data, all[j].bytes)),
              "sweep: ", all[j].name, " must not overlap ", all[i].name);
}

template <class Space>
void check_grid_shapes(const quantization::grid_set_view<Space>& grids, std::int64_t rows, std::int64_t columns) {
  const auto grid_columns = grids.bits.size();
  require(grid_columns >= 1 && grids.scale.columns() == grid_columns && grids.zero.columns() == grid_columns,
          "sweep: grids must have one scale and zero point column for each of their ", grid_columns, " widths, got ",
          grids.scale.columns(), " and ", grids.zero.columns());
  require((grids.scale.rows() == 1 || grids.scale.rows() == rows) && grids.zero.rows() == grids.scale.rows(),
          "sweep: grids must have 1 or ", rows, " rows, got ", grids.scale.rows(), " of scales and ", grids.zero.rows(),
          " of zero points");
  require(grids.column_grid.size() == columns, "sweep: grids must name a grid for each of the ", columns,
          " columns, got ", grids.column_grid.size());
  require(grids.row_factor.empty() || grids.row_factor.size() == rows, "sweep: row_factor of the grids must hold ",
          rows, " values, got ", grids.row_factor.size());
}

/// What can be said without reading an element: shapes, options, overlaps. For any memory.
template <class Space, class T>
void check_sweep_shapes(const sweep_inputs<Space, T>& in, const sweep_outputs<Space, T>& out,
                        const sweep_options& options) {
  const auto rows = in.weights.rows();
  const auto columns = in.weights.columns();
  const auto same_shape = [&](const auto& m, const char* name) {
    require(m.empty() || (m.rows() == rows && m.columns() == columns), "sweep: ", name, " must be ",
            shape_text(rows, columns), " like the weights, got ", shape_text(m.rows(), m.columns()));
  };
  require(!in.weights.empty(), "sweep: weights must not be empty, got ", shape_text(rows, columns));
  require(in.upper.rows() == columns && in.upper.columns() == columns, "sweep: upper must be ",
          shape_text(columns, columns), " to match the weights' columns, got ",
          shape_text(in.upper.rows(), in.upper.columns()));
  same_shape(out.weights, "outputs.weights");
  same_shape(out.codes, "outputs.codes");
  same_shape(out.kept, "outputs.kept");
  require(out.row_loss.empty() || out.row_loss.size() == rows, "sweep: outputs.row_loss must hold ", rows,
          " values, got ", out.row_loss.size());
  require(options.sparsity >= 0 && options.sparsity < 1, "sweep: sparsity must be in [0, 1), got ", options.sparsity);
  require(options.column_block >= 1 && options.column_block <= 1024, "sweep: column_block must be 1 to 1024, got ",
          options.column_block);
  require(options.mask != mask_scope::layer && options.mask != mask_scope::column_group,
          "sweep: mask must be mask_scope::none, column_block, row, n_of_m or given, not layer or column_group; choose "
          "such masks by select_mask or mask_search and give them");
  require(options.mask != mask_scope::given || !in.kept.empty(), "sweep: kept must be given for mask_scope::given");
  if (options.mask == mask_scope::n_of_m) {
    require(options.pattern_width >= 1 && options.pattern_width <= largest_pattern,
            "sweep: pattern_width must be 1 to ", largest_pattern, ", got ", options.pattern_width);
    require(options.pattern_kept >= 1 && options.pattern_kept <= options.pattern_width,
            "sweep: pattern_kept must be 1 to pattern_width, which is ", options.pattern_width, ", got ",
            options.pattern_kept);
    require(options.column_block % options.pattern_width == 0,
            "sweep: column_block must be a multiple of pattern_width, which is ", options.pattern_width, ", got ",
            options.column_block);
  }
  require(in.column_saliency.empty() || in.column_saliency.size() == columns,
          "sweep: column_saliency must hold a value for each of the ", columns, " columns, got ",
          in.column_saliency.size());
  same_shape(in.kept, "kept");
  require(out.codes.empty() || in.grids, "sweep: outputs.codes needs grids");
  if (in.grids) check_grid_shapes(*in.grids, rows, columns);
  check_overlaps(in, out);
}

}  // namespace miq::obs::detail
