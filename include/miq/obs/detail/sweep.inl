#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <miq/core/detail/eigen.hpp>
#include <miq/obs/detail/select.hpp>
#include <miq/obs/detail/sweep_tile.hpp>

namespace miq::obs {

namespace detail {

using miq::detail::as_eigen;
using miq::detail::require;
using miq::detail::shape_text;

/// Columns that share one update of the rest: a few blocks, so that the product is deep enough to be fast.
constexpr std::int64_t update_columns(std::int64_t column_block) {
  return std::max<std::int64_t>(1, 512 / column_block) * column_block;
}

constexpr std::int64_t padded_rows(std::int64_t rows) { return (rows + tile_rows - 1) / tile_rows * tile_rows; }

/// The scratch of a sweep; arrays of rows are column by column, rows padded to whole tiles.
struct sweep_scratch {
  sweep_scratch(std::int64_t rows, std::int64_t columns, std::int64_t grid_columns, std::int64_t row_grids,
                const sweep_options& options)
      : stride(padded_rows(rows)),
        work(layout.add<float>(columns * stride)),
        errors(layout.add<float>(std::min(columns, update_columns(options.column_block)) * stride)),
        keys(layout.add<std::int32_t>(std::min(columns, options.column_block) * stride)),
        select(layout.add<std::int32_t>(select_scratch(rows, std::min(columns, options.column_block)))),
        loss(layout.add<double>(stride)),
        scale(layout.add<float>(row_grids > 1 ? grid_columns * stride : 0)),
        zero(layout.add<float>(row_grids > 1 ? grid_columns * stride : 0)),
        highest_code(layout.add<float>(grid_columns)) {}

  miq::detail::workspace_layout layout;
  std::int64_t stride;
  std::int64_t work;
  std::int64_t errors;
  std::int64_t keys;
  std::int64_t select;
  std::int64_t loss;
  std::int64_t scale;
  std::int64_t zero;
  std::int64_t highest_code;
};

/// Throws if an output shares memory with an input or another output.
inline void check_overlaps(const sweep_inputs<>& in, const sweep_outputs<>& out) {
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
  const quantization::grid_set_view<> grids = in.grids != nullptr ? *in.grids : quantization::grid_set_view<>{};
  const std::array<range, 11> all{of("weights", in.weights, false),
                                  of("upper", in.upper, false),
                                  of("kept", in.kept, false),
                                  of("the grids' scale", grids.scale, false),
                                  of("the grids' zero", grids.zero, false),
                                  of_vector("the grids' bits", grids.bits, false),
                                  of_vector("the grids' column_grid", grids.column_grid, false),
                                  of("outputs.weights", out.weights, true),
                                  of("outputs.codes", out.codes, true),
                                  of("outputs.kept", out.kept, true),
                                  of_vector("outputs.row_loss", out.row_loss, true)};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = i + 1; j < all.size(); ++j)
      require(!(all[j].output && miq::detail::ranges_overlap(all[i].data, all[i].bytes, all[j].data, all[j].bytes)),
              "sweep: ", all[j].name, " must not overlap ", all[i].name);
}

inline void check_grids(const quantization::grid_set_view<>& grids, std::int64_t rows, std::int64_t columns) {
  const auto grid_columns = grids.bits.size();
  require(grid_columns >= 1 && grids.scale.columns() == grid_columns && grids.zero.columns() == grid_columns,
          "sweep: grids must have one scale and zero point column for each of their ", grid_columns, " widths, got ",
          grids.scale.columns(), " and ", grids.zero.columns());
  require((grids.scale.rows() == 1 || grids.scale.rows() == rows) && grids.zero.rows() == grids.scale.rows(),
          "sweep: grids must have 1 or ", rows, " rows, got ", grids.scale.rows(), " of scales and ", grids.zero.rows(),
          " of zero points");
  require(grids.column_grid.size() == columns, "sweep: grids must name a grid for each of the ", columns,
          " columns, got ", grids.column_grid.size());
  for (std::int64_t c = 0; c < columns; ++c)
    require(grids.column_grid[c] >= 0 && grids.column_grid[c] < grid_columns, "sweep: grid of column ", c,
            " must be 0 to ", grid_columns - 1, ", got ", grids.column_grid[c]);
  for (std::int64_t g = 0; g < grid_columns; ++g) {
    require(grids.bits[g] >= quantization::minimum_bits && grids.bits[g] <= quantization::maximum_bits,
            "sweep: bits of grid ", g, " must be 1 to 8, got ", static_cast<int>(grids.bits[g]));
    for (std::int64_t r = 0; r < grids.scale.rows(); ++r) {
      require(grids.scale(r, g) > 0 && std::isfinite(grids.scale(r, g)), "sweep: scale of row ", r, ", grid ", g,
              " must be positive and finite, got ", grids.scale(r, g));
      const float twice = 2 * grids.zero(r, g);
      require(twice >= 0 && twice <= 510 && twice == std::floor(twice), "sweep: zero point of row ", r, ", grid ", g,
              " must be an integer or half of one, 0 to 255, got ", grids.zero(r, g));
    }
  }
}

/// Throws if a value is not finite; names the first by row, then column.
inline void check_finite(const host_executor& exec, matrix_view<const float> m, const char* name) {
  exec.parallel_for(m.rows(), [&](std::int64_t r) {
    const float* row = m.data() + r * m.leading();
    std::uint32_t largest = 0;
    for (std::int64_t c = 0; c < m.columns(); ++c)
      largest = std::max(largest, std::bit_cast<std::uint32_t>(row[c]) & 0x7FFFFFFFU);
    if (largest < 0x7F800000U) return;
    for (std::int64_t c = 0; c < m.columns(); ++c)
      require(std::isfinite(row[c]), "sweep: ", name, " must be finite, got ", row[c], " in row ", r, ", column ", c);
  });
}

inline void check_sweep(const host_executor& exec, const sweep_inputs<>& in, const sweep_outputs<>& out,
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
  require(options.mask != mask_rule::given || !in.kept.empty(), "sweep: kept must be given for mask_rule::given");
  same_shape(in.kept, "kept");
  require(out.codes.empty() || in.grids != nullptr, "sweep: outputs.codes needs grids");
  if (in.grids != nullptr) check_grids(*in.grids, rows, columns);
  for (std::int64_t j = 0; j < columns; ++j)
    require(in.upper(j, j) > 0 && std::isfinite(in.upper(j, j)), "sweep: diagonal entry ", j,
            " of upper must be positive and finite, got ", in.upper(j, j));
  check_overlaps(in, out);
  check_finite(exec, in.weights, "weights");
}

/// Column by column copies of the weights, padding rows 0.
inline void load_columns(const host_executor& exec, matrix_view<const float> weights, float* work,
                         std::int64_t stride) {
  constexpr std::int64_t tile = 64;
  exec.parallel_for((weights.columns() + tile - 1) / tile, [&](std::int64_t task) {
    const auto last = std::min(weights.columns(), (task + 1) * tile);
    for (std::int64_t row = 0; row < stride; row += tile)
      for (auto c = task * tile; c < last; ++c)
        for (auto r = row; r < std::min(stride, row + tile); ++r)
          work[c * stride + r] = r < weights.rows() ? weights(r, c) : 0.0F;
  });
}

/// The saliencies of one column as keys: w^2 / U_jj^2, whose bits order like integers.
inline void saliency_column(const float* work, float diagonal, std::int64_t rows, std::int32_t* keys) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float ratio = work[r] / diagonal;
    // Overflowed updates give NaN, whose sign and payload must not leave the range of keys.
    keys[r] = std::min(std::bit_cast<std::int32_t>(ratio * ratio) & 0x7FFFFFFF, 0x7F800000);
  }
}

/// Fills the block's keys by the mask's rule and returns the limit at and below which a weight is masked.
inline std::int32_t choose_mask(const host_executor& exec, const sweep_inputs<>& in, const sweep_options& options,
                                std::int64_t first, std::int64_t width, const float* work, std::int64_t stride,
                                std::int32_t* keys, std::int32_t* select) {
  const auto rows = in.weights.rows();
  constexpr auto kept_key = std::numeric_limits<std::int32_t>::max();
  const auto pad = [&](std::int64_t c) { std::fill_n(keys + c * stride + rows, stride - rows, kept_key); };
  const auto for_columns = [&](auto&& body) {
    exec.parallel_for(width, [&](std::int64_t c) {
      body(c);
      pad(c);
    });
  };
  const auto saliencies = [&](std::int64_t c) {
    saliency_column(work + c * stride, in.upper(first + c, first + c), rows, keys + c * stride);
  };
  switch (options.mask) {
    case mask_rule::none:
      for_columns([&](std::int64_t c) { std::fill_n(keys + c * stride, rows, kept_key); });
      return -1;
    case mask_rule::given:
      for_columns([&](std::int64_t c) {
        for (std::int64_t r = 0; r < rows; ++r) keys[c * stride + r] = in.kept(r, first + c) != 0 ? kept_key : 0;
      });
      return 0;
    case mask_rule::unstructured: {
      const auto count = static_cast<std::int64_t>(options.sparsity * static_cast<double>(rows * width));
      return smallest_keys(exec, {keys, stride, rows, width}, count, select, [&](std::int64_t task) {
        const auto last = std::min(width, (task + 1) * columns_per_select_task);
        for (auto c = task * columns_per_select_task; c < last; ++c) {
          saliencies(c);
          pad(c);
        }
      });
    }
    case mask_rule::per_row: {
      for_columns(saliencies);
      const auto count = static_cast<std::int64_t>(options.sparsity * static_cast<double>(width));
      exec.parallel_for((rows + tile_rows - 1) / tile_rows, [&](std::int64_t task) {
        std::array<std::pair<std::int32_t, std::int32_t>, 1024> order;
        for (auto r = task * tile_rows; r < std::min(rows, (task + 1) * tile_rows); ++r) {
          for (std::int64_t c = 0; c < width; ++c)
            order[static_cast<std::size_t>(c)] = {keys[c * stride + r], static_cast<std::int32_t>(c)};
          std::nth_element(order.begin(), order.begin() + count, order.begin() + width);
          for (std::int64_t c = 0; c < width; ++c)
            keys[order[static_cast<std::size_t>(c)].second * stride + r] = c < count ? 0 : kept_key;
        }
      });
      return 0;
    }
  }
  return -1;
}

/// work[:, columns] -= errors * upper[errors' columns, columns], tile by tile.
inline void update_columns_behind(const host_executor& exec, matrix_view<const float> upper, std::int64_t error_first,
                                  std::int64_t error_count, const float* errors, std::int64_t first, std::int64_t last,
                                  float* work, std::int64_t stride) {
  using column_map = Eigen::Map<Eigen::MatrixXf, Eigen::Unaligned, Eigen::OuterStride<>>;
  using const_column_map = Eigen::Map<const Eigen::MatrixXf, Eigen::Unaligned, Eigen::OuterStride<>>;
  if (first >= last) return;
  const auto row_tile = std::clamp<std::int64_t>((stride / 8 + tile_rows - 1) / tile_rows * tile_rows, 128, 512);
  constexpr std::int64_t column_tile = 512;
  const auto row_tiles = (stride + row_tile - 1) / row_tile;
  const auto column_tiles = (last - first + column_tile - 1) / column_tile;
  exec.parallel_for(row_tiles * column_tiles, [&](std::int64_t task) {
    const auto r = task % row_tiles * row_tile;
    const auto c = first + task / row_tiles * column_tile;
    const auto height = std::min(row_tile, stride - r);
    const auto breadth = std::min(column_tile, last - c);
    const const_column_map left(errors + r, height, error_count, Eigen::OuterStride<>(stride));
    column_map target(work + c * stride + r, height, breadth, Eigen::OuterStride<>(stride));
    target.noalias() -=
        left * as_eigen(matrix_view<const float>(&upper(error_first, c), error_count, breadth, upper.leading()));
  });
}

/// Writes a settled tile to the row-major outputs.
inline void store_tile(const sweep_outputs<>& out, const sweep_block& block, const tile_output& tile,
                       std::int64_t first_row, std::int64_t rows, std::int64_t first_column) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto row = first_row + r;
    if (!out.weights.empty()) {
      float* target = &out.weights(row, first_column);
      for (std::int64_t c = 0; c < block.width; ++c) target[c] = block.work[c * block.stride + row];
    }
    if (!out.codes.empty()) {
      std::uint8_t* target = &out.codes(row, first_column);
      for (std::int64_t c = 0; c < block.width; ++c) target[c] = tile.codes[c * tile_rows + r];
    }
    if (!out.kept.empty()) {
      std::uint8_t* target = &out.kept(row, first_column);
      for (std::int64_t c = 0; c < block.width; ++c)
        target[c] = block.keys[c * block.stride + row] > block.limit ? 1 : 0;
    }
  }
}

inline sweep_result sweep_on(const host_executor& exec, const sweep_inputs<>& in, const sweep_outputs<>& out,
                             const sweep_options& options, workspace given, const progress_callback& progress) {
  check_sweep(exec, in, out, options);
  const auto rows = in.weights.rows();
  const auto columns = in.weights.columns();
  const auto* grids = in.grids;
  const auto row_grids = grids != nullptr ? grids->scale.rows() : 1;
  const auto grid_columns = grids != nullptr ? grids->scale.columns() : 0;
  const sweep_scratch plan(rows, columns, grid_columns, row_grids, options);
  const miq::detail::scratch_block memory("sweep", plan.layout, given, exec.resource());
  const auto stride = plan.stride;
  auto* work = memory.at<float>(plan.work);
  auto* errors = memory.at<float>(plan.errors);
  auto* keys = memory.at<std::int32_t>(plan.keys);
  auto* loss = memory.at<double>(plan.loss);

  load_columns(exec, in.weights, work, stride);
  std::fill_n(loss, stride, 0.0);
  sweep_block block;
  block.stride = stride;
  block.keys = keys;
  block.loss = loss;
  block.upper_stride = in.upper.leading();
  if (grids != nullptr) {
    auto* highest = memory.at<float>(plan.highest_code);
    for (std::int64_t g = 0; g < grid_columns; ++g)
      highest[g] = static_cast<float>(quantization::maximum_code(grids->bits[g], grids->symmetry));
    block.highest_code = highest;
    if (row_grids > 1) {
      auto* scale = memory.at<float>(plan.scale);
      auto* zero = memory.at<float>(plan.zero);
      load_columns(exec, grids->scale, scale, stride);
      load_columns(exec, grids->zero, zero, stride);
      for (std::int64_t g = 0; g < grid_columns; ++g) std::fill_n(scale + g * stride + rows, stride - rows, 1.0F);
      block.scale = scale;
      block.zero = zero;
      block.grid_stride = stride;
    } else {
      block.scale = grids->scale.data();
      block.zero = grids->zero.data();
    }
  }

  sweep_result result;
  const auto tiles = stride / tile_rows;
  std::atomic<std::int64_t> clamped{0};
  std::atomic<std::int64_t> masked{0};
  const auto group = update_columns(options.column_block);
  for (std::int64_t group_first = 0; group_first < columns; group_first += group) {
    const auto group_last = std::min(columns, group_first + group);
    for (auto first = group_first; first < group_last; first += options.column_block) {
      const auto width = std::min(options.column_block, group_last - first);
      block.width = width;
      block.work = work + first * stride;
      block.errors = errors + (first - group_first) * stride;
      block.upper = &in.upper(first, first);
      block.column_grid = grids != nullptr ? grids->column_grid.data() + first : nullptr;
      block.limit =
          choose_mask(exec, in, options, first, width, block.work, stride, keys, memory.at<std::int32_t>(plan.select));
      exec.parallel_for(tiles, [&](std::int64_t task) {
        tile_output tile;
        const auto row = task * tile_rows;
        if (grids != nullptr) {
          sweep_tile<true>(block, row, tile);
        } else {
          sweep_tile<false>(block, row, tile);
        }
        const auto height = std::min(tile_rows, rows - row);
        store_tile(out, block, tile, row, height, first);
        std::int64_t count = 0;
        for (std::int64_t c = 0; c < width; ++c)
          for (std::int64_t r = 0; r < height; ++r) count += keys[c * stride + row + r] <= block.limit ? 1 : 0;
        masked.fetch_add(count, std::memory_order_relaxed);
        clamped.fetch_add(tile.clamped, std::memory_order_relaxed);
      });
      update_columns_behind(exec, in.upper, first, width, block.errors, first + width, group_last, work, stride);
      miq::detail::report_progress(progress, "sweep",
                                   static_cast<double>(first + width) / static_cast<double>(columns));
    }
    update_columns_behind(exec, in.upper, group_first, group_last - group_first, errors, group_last, columns, work,
                          stride);
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    result.loss += loss[r];
    if (!out.row_loss.empty()) out.row_loss[r] = loss[r];
  }
  result.masked = masked.load();
  result.clamped = clamped.load();
  if (!std::isfinite(result.loss))
    throw numerical_error("sweep: the updates overflowed; upper does not belong to these weights");
  return result;
}

}  // namespace detail

inline std::int64_t sweep_workspace_bytes(std::int64_t rows, std::int64_t columns, std::int64_t grid_columns,
                                          std::int64_t row_grids, const sweep_options& options) {
  return detail::sweep_scratch(rows, columns, grid_columns, row_grids, options).layout.bytes();
}

template <executor Exec>
sweep_result sweep(const Exec& exec, const sweep_inputs<memory_of<Exec>>& in, const sweep_outputs<memory_of<Exec>>& out,
                   const sweep_options& options, workspace scratch, const progress_callback& progress) {
  return detail::sweep_on(exec, in, out, options, scratch, progress);
}

}  // namespace miq::obs
