#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <miq/core/detail/as_float.hpp>
#include <miq/core/detail/finite.hpp>
#include <miq/obs/detail/selection/host.hpp>
#include <miq/obs/detail/sweep/checks.hpp>
#include <miq/obs/detail/sweep/tile.hpp>
#include <miq/obs/sweep.hpp>

namespace miq::obs {

namespace detail {

/// Rows of U that one pass of the update takes: their errors of a tile fill most of the first cache.
inline constexpr std::int64_t update_depth = 128;

constexpr std::int64_t tiles_of(std::int64_t rows) { return (rows + tile_rows - 1) / tile_rows; }

/// Tiles that one task updates and counts: few histograms, and yet tasks for many threads.
constexpr std::int64_t tiles_per_task(std::int64_t tiles) { return std::max<std::int64_t>(1, tiles / 32); }

/// The scratch of a sweep. What belongs to rows lies tile by tile, see tile.hpp.
struct sweep_scratch {
  sweep_scratch(std::int64_t rows, std::int64_t columns, std::int64_t grid_columns, std::int64_t row_grids,
                const sweep_options& options)
      : tiles(tiles_of(rows)),
        width(std::min(columns, options.column_block)),
        padded_width(panel_cut(width).padded()),
        errors(layout.add<float>(tiles * tile_rows * columns)),
        work(layout.add<float>(tiles * tile_rows * padded_width)),
        keys(layout.add<std::int32_t>(tiles * tile_rows * width)),
        codes(layout.add<std::uint8_t>(tiles * tile_rows * width)),
        kept(layout.add<std::uint8_t>(tiles * tile_rows * width)),
        panels{layout.add<float>(columns * padded_width), layout.add<float>(columns * padded_width)},
        corner{layout.add<float>(width * width), layout.add<float>(width * width)},
        histograms(
            layout.add<std::int32_t>(options.mask == mask_scope::column_block
                                         ? (tiles + tiles_per_task(tiles) - 1) / tiles_per_task(tiles) * select_bins
                                         : 0)),
        select(layout.add<std::int32_t>(
            options.mask == mask_scope::column_block ? select_scratch(tiles, width, tile_rows) : 0)),
        loss(layout.add<double>(tiles * tile_rows)),
        scale(layout.add<float>(row_grids > 1 ? grid_columns * tiles * tile_rows : 0)),
        zero(layout.add<float>(row_grids > 1 ? grid_columns * tiles * tile_rows : 0)),
        row_factor(layout.add<float>(tiles * tile_rows)),
        column_saliency(layout.add<float>(columns)),
        highest_code(layout.add<float>(grid_columns)) {}

  miq::detail::workspace_layout layout;
  std::int64_t tiles;
  std::int64_t width;
  std::int64_t padded_width;
  std::int64_t errors;      // [tile][column][row of tile], (w - q) / U_jj of all columns
  std::int64_t work;        // [tile][column of block][row of tile]
  std::int64_t keys;        // the same
  std::int64_t codes;       // the same
  std::int64_t kept;        // the same
  std::int64_t panels[2];   // U above a block, packed; one is read while the next block's is packed
  std::int64_t corner[2];   // U of the block itself
  std::int64_t histograms;  // [tasks][select_bins]
  std::int64_t select;
  std::int64_t loss;             // [row]
  std::int64_t scale;            // [grid column][row]
  std::int64_t zero;             // the same
  std::int64_t row_factor;       // [row]
  std::int64_t column_saliency;  // [column], what a weight is multiplied by before it is squared
  std::int64_t highest_code;     // [grid column]
};

inline void check_grids(const quantization::grid_set_view<>& grids, std::int64_t columns) {
  const auto grid_columns = grids.bits.size();
  for (std::int64_t c = 0; c < columns; ++c)
    require(grids.column_grid[c] >= 0 && grids.column_grid[c] < grid_columns, "sweep: grid of column ", c,
            " must be 0 to ", grid_columns - 1, ", got ", grids.column_grid[c]);
  for (std::int64_t r = 0; r < grids.row_factor.size(); ++r)
    require(grids.row_factor[r] > 0 && std::isfinite(grids.row_factor[r]), "sweep: row_factor of row ", r,
            " must be positive and finite, got ", grids.row_factor[r]);
  for (std::int64_t g = 0; g < grid_columns; ++g) {
    require(grids.bits[g] >= quantization::minimum_bits && grids.bits[g] <= quantization::maximum_bits,
            "sweep: bits of grid ", g, " must be 1 to 8, got ", static_cast<int>(grids.bits[g]));
    for (std::int64_t r = 0; r < grids.scale.rows(); ++r) {
      require(grids.scale(r, g) > 0 && std::isfinite(grids.scale(r, g)), "sweep: scale of row ", r, ", grid ", g,
              " must be positive and finite, got ", grids.scale(r, g));
      const bool zero_free = grids.symmetry == quantization::grid_symmetry::zero_free;
      const float largest = static_cast<float>(1 << (grids.bits[g] - 1));
      require(!zero_free || (grids.zero(r, g) >= 0.5F && grids.zero(r, g) <= largest), "sweep: gap of row ", r,
              ", grid ", g, ", must be 1/2 to ", largest, " steps, got ", grids.zero(r, g));
      const float twice = 2 * grids.zero(r, g);
      require(twice >= 0 && twice <= 510 && twice == std::floor(twice), "sweep: zero point of row ", r, ", grid ", g,
              " must be an integer or half of one, 0 to 255, got ", grids.zero(r, g));
    }
  }
}

template <on_host Exec>
void check_sweep(const Exec& exec, const sweep_inputs<>& in, const sweep_outputs<>& out, const sweep_options& options) {
  check_sweep_shapes(in, out, options);
  for (std::int64_t j = 0; j < in.column_saliency.size(); ++j)
    require(in.column_saliency[j] >= 0 && std::isfinite(in.column_saliency[j]), "sweep: column_saliency of column ", j,
            " must be finite and not negative, got ", in.column_saliency[j]);
  const auto columns = in.weights.columns();
  if (in.grids) check_grids(*in.grids, columns);
  for (std::int64_t j = 0; j < columns; ++j)
    require(in.upper(j, j) > 0 && std::isfinite(in.upper(j, j)), "sweep: diagonal entry ", j,
            " of upper must be positive and finite, got ", in.upper(j, j));
  miq::detail::require_finite(exec, in.weights, "sweep", "weights");
}

/// Column by column copies of a matrix of one value per row and grid column; rows beyond the matrix get `padding`.
inline void load_grid_columns(matrix_view<const float> from, float padding, std::int64_t stride, float* to) {
  transpose_copy<float_lanes>(from.data(), from.leading(), from.rows(), from.columns(), to, stride);
  for (std::int64_t g = 0; g < from.columns(); ++g)
    std::fill_n(to + g * stride + from.rows(), stride - from.rows(), padding);
}

/// One sweep under way.
struct sweep_run {
  const sweep_inputs<>& in;
  const sweep_outputs<>& out;
  const sweep_options& options;
  const sweep_scratch& plan;
  const miq::detail::scratch_block& memory;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t first = 0;  // of the block
  std::int64_t width = 0;
  std::int64_t parity = 0;  // of the block's number: which of the two packed copies is its own
  std::int32_t limit = -1;
  sweep_tile grids{};  // the fields that all tiles share
  std::atomic<std::int64_t> masked{0};
  std::atomic<std::int64_t> clamped{0};

  std::int64_t height(std::int64_t t) const { return std::min(tile_rows, rows - t * tile_rows); }
  float* work(std::int64_t t) const { return memory.at<float>(plan.work) + t * tile_rows * plan.padded_width; }
  std::int32_t* keys(std::int64_t t) const { return memory.at<std::int32_t>(plan.keys) + t * tile_rows * width; }
  float* errors(std::int64_t t) const { return memory.at<float>(plan.errors) + t * tile_rows * columns; }
  const float* corner() const { return memory.at<float>(plan.corner[parity]); }
  const float* column_saliency() const { return memory.at<float>(plan.column_saliency) + first; }

  /// How many tasks it takes to pack the part of U that the block from `start` on needs.
  std::int64_t pack_tasks(std::int64_t start) const {
    return start < columns ? (start + update_depth - 1) / update_depth + 1 : 0;
  }

  void pack(std::int64_t start, std::int64_t side, std::int64_t task) const {
    const auto breadth = std::min(options.column_block, columns - start);
    if (task == 0) {
      float* to = memory.at<float>(plan.corner[side]);
      for (std::int64_t j = 0; j < breadth; ++j) std::copy_n(&in.upper(start + j, start), breadth, to + j * breadth);
      return;
    }
    const auto from = (task - 1) * update_depth;
    pack_panels(&in.upper(0, start), in.upper.leading(), breadth, from, std::min(start, from + update_depth),
                memory.at<float>(plan.panels[side]) + from * panel_cut(breadth).padded());
  }

  /// Brings the block's weights of a tile up to date: what they were, less what the settled columns have left to them.
  void update(std::int64_t t) const {
    float* target = work(t);
    const auto there = height(t);
    if (there < tile_rows || panel_cut(width).padded() > width)
      std::fill_n(target, panel_cut(width).padded() * tile_rows, 0.0F);
    transpose_copy<float_lanes>(&in.weights(t * tile_rows, first), in.weights.leading(), there, width, target,
                                tile_rows);
    const float* panels = memory.at<float>(plan.panels[parity]);
    for (std::int64_t k = 0; k < first; k += update_depth)
      update_tile(errors(t) + k * tile_rows, panels + k * panel_cut(width).padded(), std::min(update_depth, first - k),
                  width, target);
  }

  /// Keys of a tile by the mask's rule. Rows of padding are always masked, so that they stay 0.
  void fill_keys(std::int64_t t) const {
    std::int32_t* const to = keys(t);
    const auto there = height(t);
    switch (options.mask) {
      case mask_scope::given:
        for (std::int64_t r = 0; r < there; ++r)
          for (std::int64_t c = 0; c < width; ++c)
            to[c * tile_rows + r] = in.kept(t * tile_rows + r, first + c) != 0 ? kept_key : 0;
        break;
      case mask_scope::column_block:
        saliency_keys(work(t), column_saliency(), width, to);
        break;
      case mask_scope::row:
        saliency_keys(work(t), column_saliency(), width, to);
        keep_largest_of_rows(to, width, static_cast<std::int64_t>(options.sparsity * static_cast<double>(width)));
        break;
      default:  // none; N:M: chosen group by group while the block is settled
        std::fill_n(to, width * tile_rows, kept_key);
    }
    if (there < tile_rows)
      for (std::int64_t c = 0; c < width; ++c) std::fill_n(to + c * tile_rows + there, tile_rows - there, padding_key);
  }

  /// Settles a tile and writes it out.
  void settle(std::int64_t t) {
    sweep_tile tile = grids;
    tile.width = width;
    tile.work = work(t);
    tile.errors = errors(t) + first * tile_rows;
    tile.keys = keys(t);
    tile.limit = limit;
    tile.corner = corner();
    tile.loss = memory.at<double>(plan.loss) + t * tile_rows;
    tile.codes = memory.at<std::uint8_t>(plan.codes) + t * tile_rows * width;
    tile.kept = memory.at<std::uint8_t>(plan.kept) + t * tile_rows * width;
    if (options.mask == mask_scope::n_of_m) {
      tile.pattern_keys = keys(t);
      tile.pattern_kept = options.pattern_kept;
      tile.pattern_width = options.pattern_width;
      tile.column_saliency = column_saliency();
    }
    sweep_counts counts;
    if (in.grids) {
      tile.column_grid += first;
      if (tile.grid_stride != 0) {
        tile.scale += t * tile_rows;
        tile.zero += t * tile_rows;
      }
      if (tile.row_factor != nullptr) tile.row_factor += t * tile_rows;
      counts = in.grids->symmetry == quantization::grid_symmetry::zero_free ? settle_tile<grid_kind::zero_free>(tile)
                                                                            : settle_tile<grid_kind::affine>(tile);
    } else {
      counts = settle_tile<grid_kind::none>(tile);
    }
    const auto there = height(t);
    masked.fetch_add(counts.masked - width * (tile_rows - there), std::memory_order_relaxed);
    clamped.fetch_add(counts.clamped, std::memory_order_relaxed);
    const auto row = t * tile_rows;
    if (!out.weights.empty())
      transpose_copy<float_lanes>(tile.work, tile_rows, width, there, &out.weights(row, first), out.weights.leading());
    if (!out.codes.empty())
      transpose_copy<sixteen_bytes>(tile.codes, tile_rows, width, there, &out.codes(row, first), out.codes.leading());
    if (!out.kept.empty())
      transpose_copy<sixteen_bytes>(tile.kept, tile_rows, width, there, &out.kept(row, first), out.kept.leading());
  }
};

template <on_host Exec>
sweep_result sweep_on(const Exec& exec, const sweep_inputs<>& in, const sweep_outputs<>& out,
                      const sweep_options& options, workspace given, const progress_callback& progress) {
  check_sweep(exec, in, out, options);
  const auto rows = in.weights.rows();
  const auto columns = in.weights.columns();
  const auto* grids = in.grids ? &*in.grids : nullptr;
  const auto row_grids = grids != nullptr ? grids->scale.rows() : 1;
  const auto grid_columns = grids != nullptr ? grids->scale.columns() : 0;
  const sweep_scratch plan(rows, columns, grid_columns, row_grids, options);
  const miq::detail::scratch_block memory("sweep", plan.layout, given, exec.resource());
  const auto tiles = plan.tiles;
  auto* loss = memory.at<double>(plan.loss);
  std::fill_n(loss, tiles * tile_rows, 0.0);

  auto* saliency = memory.at<float>(plan.column_saliency);
  for (std::int64_t j = 0; j < columns; ++j)
    saliency[j] = in.column_saliency.empty() ? 1.0F / in.upper(j, j) : in.column_saliency[j];

  sweep_run run{in, out, options, plan, memory, rows, columns};
  if (grids != nullptr) {
    auto* highest = memory.at<float>(plan.highest_code);
    for (std::int64_t g = 0; g < grid_columns; ++g)
      highest[g] = quantization::highest_step(quantization::maximum_code(grids->bits[g], grids->symmetry),
                                              grids->symmetry == quantization::grid_symmetry::zero_free);
    if (!grids->row_factor.empty()) {
      auto* factor = memory.at<float>(plan.row_factor);
      std::fill(std::copy(grids->row_factor.begin(), grids->row_factor.end(), factor), factor + tiles * tile_rows,
                1.0F);
      run.grids.row_factor = factor;
    }
    run.grids.highest_code = highest;
    run.grids.column_grid = grids->column_grid.data();
    run.grids.scale = grids->scale.data();
    run.grids.zero = grids->zero.data();
    if (row_grids > 1) {
      const auto stride = tiles * tile_rows;
      load_grid_columns(grids->scale, 1, stride, memory.at<float>(plan.scale));
      load_grid_columns(grids->zero, 0, stride, memory.at<float>(plan.zero));
      run.grids.scale = memory.at<float>(plan.scale);
      run.grids.zero = memory.at<float>(plan.zero);
      run.grids.grid_stride = stride;
    }
  }

  run.pack(0, 0, 0);
  for (; run.first < columns; run.first += options.column_block, run.parity = 1 - run.parity) {
    run.width = std::min(options.column_block, columns - run.first);
    // Packing for the next block goes along with what is done on this one.
    const auto next = run.first + options.column_block;
    const auto packs = run.pack_tasks(next);
    if (options.mask == mask_scope::column_block) {
      const auto per_task = tiles_per_task(tiles);
      auto* histograms = memory.at<std::int32_t>(plan.histograms);
      const key_tiles all{run.keys(0), tile_rows, rows, run.width};
      exec.parallel_for((tiles + per_task - 1) / per_task, [&](std::int64_t task) {
        auto* histogram = histograms + task * select_bins;
        std::fill_n(histogram, select_bins, 0);
        for (auto t = task * per_task; t < std::min(tiles, (task + 1) * per_task); ++t) {
          run.update(t);
          run.fill_keys(t);
          count_first_digits(all, t, histogram);
        }
      });
      const auto count = static_cast<std::int64_t>(options.sparsity * static_cast<double>(rows * run.width));
      run.limit = smallest_keys(exec, all, count, histograms, per_task, memory.at<std::int32_t>(plan.select));
      exec.parallel_for(tiles + packs, [&](std::int64_t task) {
        if (task < tiles) {
          run.settle(task);
        } else {
          run.pack(next, 1 - run.parity, task - tiles);
        }
      });
    } else {
      run.limit = 0;
      exec.parallel_for(tiles + packs, [&](std::int64_t task) {
        if (task < tiles) {
          run.update(task);
          run.fill_keys(task);
          run.settle(task);
        } else {
          run.pack(next, 1 - run.parity, task - tiles);
        }
      });
    }
    miq::report_progress(progress, "sweep", static_cast<double>(run.first + run.width) / static_cast<double>(columns));
  }

  sweep_result result;
  for (std::int64_t r = 0; r < rows; ++r) result.loss += loss[r];
  if (!std::isfinite(result.loss))
    throw numerical_error("sweep: the updates overflowed; upper does not belong to these weights");
  for (std::int64_t r = 0; r < out.row_loss.size(); ++r) out.row_loss[r] = loss[r];
  result.masked = run.masked.load();
  result.clamped = run.clamped.load();
  return result;
}

}  // namespace detail

MIQ_API std::int64_t sweep_workspace_bytes(std::int64_t rows, std::int64_t columns, std::int64_t grid_columns,
                                           std::int64_t row_grids, const sweep_options& options) {
  return detail::sweep_scratch(rows, columns, grid_columns, row_grids, options).layout.bytes();
}

template <executor Exec>
sweep_result sweep(const Exec& exec, const sweep_inputs<memory_of<Exec>>& in, const sweep_outputs<memory_of<Exec>>& out,
                   const sweep_options& options, workspace scratch, const progress_callback& progress) {
  return detail::sweep_on(exec, in, out, options, scratch, progress);
}

template <on_host Exec, sixteen_bits T>
sweep_result sweep(const Exec& exec, const sweep_inputs<host_memory, T>& in, const sweep_outputs<host_memory, T>& out,
                   const sweep_options& options, workspace scratch, const progress_callback& progress) {
  detail::check_sweep_shapes(in, out, options);
  const auto weights = miq::detail::float_copy(exec, in.weights);
  const bool wanted = !out.weights.empty();
  matrix<float> settled(wanted ? weights.rows() : 0, wanted ? weights.columns() : 0, exec.resource());
  const auto result = detail::sweep_on(exec, {weights.view(), in.upper, in.grids, in.kept, in.column_saliency},
                                       {settled.view(), out.codes, out.kept, out.row_loss}, options, scratch, progress);
  exec.parallel_for(settled.rows(), [&](std::int64_t r) {
    for (std::int64_t c = 0; c < settled.columns(); ++c) out.weights(r, c) = T(settled(r, c));
  });
  return result;
}

}  // namespace miq::obs
