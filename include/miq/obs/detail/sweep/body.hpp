// The sweep on a device: the kernel bodies.
//
// A block of lanes takes 32 rows through a panel of up to 128 columns, whose weights lie in scratch. The panel is cut
// into steps of up to 16 columns: one lane per row settles a step's columns in registers, then all lanes make the
// errors up in the rest of the panel. What lies beyond the panel is left to a matrix product.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/core/detail/unroll.hpp>
#include <miq/obs/detail/selection/body.hpp>
#include <miq/obs/detail/solver/lane_loops.hpp>
#include <miq/obs/detail/sweep/checks.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/quantization/affine_grid.hpp>

namespace miq::obs::detail {

using quantization::detail::grid_kind;
using quantization::detail::nearest_level;
using quantization::detail::steps_of;

/// Four floats that are read at once from scratch.
struct alignas(16) four_floats {
  float v[4];
};
MIQ_HOST_DEVICE inline four_floats load_four(const float* from) { return *reinterpret_cast<const four_floats*>(from); }

/// `quantization::grid_set_view` as a kernel's argument.
struct sweep_grids {
  const float* scale = nullptr;    ///< [1 or rows, columns]
  std::int64_t scale_leading = 0;  ///< 0 where all rows share one
  const float* zero = nullptr;
  std::int64_t zero_leading = 0;
  const std::uint8_t* bits = nullptr;         ///< [columns]
  const std::int32_t* column_grid = nullptr;  ///< of the panel's columns
  const float* row_factor = nullptr;          ///< null: 1
  std::int64_t columns = 0;
  quantization::grid_symmetry symmetry = quantization::grid_symmetry::asymmetric;

  /// The grid column of a column of the panel, or -1 where there is none: contents of device memory were not checked.
  MIQ_HOST_DEVICE std::int64_t grid_of(std::int64_t c) const {
    const std::int64_t g = column_grid[c];
    if (g < 0 || g >= columns) return -1;
    return bits[g] >= quantization::minimum_bits && bits[g] <= quantization::maximum_bits ? g : -1;
  }
  MIQ_HOST_DEVICE float highest(std::int64_t g) const {
    return quantization::highest_step(quantization::maximum_code(bits[g], symmetry),
                                      symmetry == quantization::grid_symmetry::zero_free);
  }
};

/// One panel of all rows.
template <grid_kind Kind>
struct settle_panel_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 32;     // rows of a block
  static constexpr std::int64_t widest = 128;  // columns of a panel
  static constexpr int depth = 16;             // columns of a step
  static constexpr std::int64_t stride = tile + 1;
  static constexpr std::int64_t upper_stride = depth + 4;  // a multiple of 4 that spreads over the banks

  std::int64_t rows = 0;
  std::int64_t width = 0;  // columns of the panel
  float* work = nullptr;   // [rows, width]: weights, updated so far; become the settled ones
  std::int64_t work_leading = 0;
  const float* upper = nullptr;  // [width, width], the panel's corner of U
  std::int64_t upper_leading = 0;
  float* errors = nullptr;  // [rows, width], receives (w - q) / U_jj
  std::int64_t errors_leading = 0;
  const std::uint8_t* mask = nullptr;  // [rows, width], 0 masks a weight; null: none is masked beforehand
  std::int64_t mask_leading = 0;
  const float* units = nullptr;    // [width], column saliencies, for N:M
  std::int64_t pattern_kept = 0;   // N
  std::int64_t pattern_width = 0;  // M; 0: no N:M mask
  sweep_grids grids;
  std::uint8_t* codes = nullptr;  // [rows, width] or null
  std::int64_t codes_leading = 0;
  std::uint8_t* kept = nullptr;  // [rows, width] or null
  std::int64_t kept_leading = 0;
  double* loss = nullptr;  // [rows], added to
  device_sweep_result* counters = nullptr;

  std::int64_t blocks() const { return (rows + tile - 1) / tile; }

  /// Marks are two bytes per weight: the code, and `masked_mark`. An odd number of words per row keeps the lanes, one a
  /// row, on different banks.
  static constexpr std::uint16_t masked_mark = 256;
  MIQ_HOST_DEVICE std::int64_t marks_stride() const { return ((width + 1) / 2 | 1) * 2; }

  struct parts {
    std::int64_t* slots;   // [lanes]
    double* loss;          // [tile]
    float* upper;          // [width][upper_stride]: rows of U of the step, column by column
    float* corner;         // [depth][depth]: U of the step itself, zeros beyond it
    float* step_errors;    // [depth][stride]
    float* scale;          // [depth][stride]
    float* zero;           // [depth][stride]
    float* highest;        // [depth]
    float* inverse;        // [depth]: 1 / U_jj
    float* units;          // [width]
    float* values;         // [width][stride]
    std::uint16_t* marks;  // [tile][marks_stride]
    std::int64_t bytes;
  };
  MIQ_HOST_DEVICE parts cut(std::byte* scratch) const {
    parts p{};
    std::int64_t end = 0;
    const auto take = [&](std::int64_t bytes) {
      const auto at = end;
      end += (bytes + 15) / 16 * 16;
      return scratch == nullptr ? nullptr : scratch + at;  // null: only the size is asked for
    };
    constexpr auto word = static_cast<std::int64_t>(sizeof(float));
    constexpr std::int64_t on_grid = Kind == grid_kind::none ? 0 : 1;
    p.slots = reinterpret_cast<std::int64_t*>(take(8 * lanes));
    p.loss = reinterpret_cast<double*>(take(8 * tile));
    p.upper = reinterpret_cast<float*>(take(word * width * upper_stride));
    p.corner = reinterpret_cast<float*>(take(word * depth * depth));
    p.step_errors = reinterpret_cast<float*>(take(word * depth * stride));
    p.scale = reinterpret_cast<float*>(take(word * depth * stride * on_grid));
    p.zero = reinterpret_cast<float*>(take(word * depth * stride * on_grid));
    p.highest = reinterpret_cast<float*>(take(word * depth * on_grid));
    p.inverse = reinterpret_cast<float*>(take(word * depth));
    p.units = reinterpret_cast<float*>(take(word * (pattern_width > 0 ? width : 0)));
    p.values = reinterpret_cast<float*>(take(word * width * stride));
    p.marks = reinterpret_cast<std::uint16_t*>(take(2 * tile * marks_stride()));
    p.bytes = end;
    return p;
  }
  std::int64_t scratch_bytes() const { return cut(nullptr).bytes; }

  /// Chooses the mask of the group of an N:M pattern that begins at `column`, by the weights as they are now.
  template <class Group>
  MIQ_HOST_DEVICE void choose_pattern(const Group& group, const parts& p, std::int64_t there,
                                      std::int64_t column) const {
    const auto last = width - column < pattern_width ? width : column + pattern_width;
    const auto masked = last - column - pattern_kept;
    for_elements(group, last - column, there, [&](std::int64_t c, std::int64_t r) {
      const auto mine = column + c;
      const auto key = saliency_key(p.values[mine * stride + r], p.units[mine]);
      std::int64_t before = 0;
      for (auto other = column; other < last; ++other) {
        const auto theirs = saliency_key(p.values[other * stride + r], p.units[other]);
        before += theirs < key || (theirs == key && other < mine) ? 1 : 0;
      }
      p.marks[r * marks_stride() + mine] = before < masked ? masked_mark : 0;
    });
  }

  /// Brings what the columns `begin` to `begin + count` need into scratch.
  template <class Group>
  MIQ_HOST_DEVICE void load_step(const Group& group, const parts& p, std::int64_t row, std::int64_t there,
                                 std::int64_t begin, std::int64_t count) const {
    for_elements(group, depth, width - begin, [&](std::int64_t k, std::int64_t c) {
      const bool inside = k < count && c >= k;
      const float u = inside ? upper[(begin + k) * upper_leading + begin + c] : 0.0F;
      p.upper[(begin + c) * upper_stride + k] = u;
      if (c < depth) p.corner[k * depth + c] = c < count ? u : 0.0F;
    });
    // A panel's last columns may be fewer than a corner has.
    if (width - begin < depth)
      for_elements(group, depth, depth - (width - begin),
                   [&](std::int64_t k, std::int64_t c) { p.corner[k * depth + width - begin + c] = 0.0F; });
    for_elements(group, depth - count, tile,
                 [&](std::int64_t k, std::int64_t r) { p.step_errors[(count + k) * stride + r] = 0.0F; });
    for (std::int64_t k = group.rank(); k < count; k += group.size()) {
      const float diagonal = upper[(begin + k) * upper_leading + begin + k];
      // Contents were not checked: what is no factor gives NaN, which the losses show.
      p.inverse[k] = diagonal > 0.0F ? 1.0F / diagonal : miq::detail::bits_as<float>(0x7FC00000U);
      if constexpr (Kind != grid_kind::none) {
        const auto g = grids.grid_of(begin + k);
        p.highest[k] = g < 0 ? 0.0F : grids.highest(g);
      }
    }
    if constexpr (Kind != grid_kind::none) {
      for_elements(group, there, count, [&](std::int64_t r, std::int64_t k) {
        const auto g = grids.grid_of(begin + k);
        float scale = miq::detail::bits_as<float>(0x7FC00000U);
        float zero = 0;
        if (g >= 0) {
          const float own = grids.scale[(row + r) * grids.scale_leading + g];
          if (own > 0.0F) scale = own;
          zero = grids.zero[(row + r) * grids.zero_leading + g];
          if (grids.row_factor != nullptr) scale *= grids.row_factor[row + r];
        }
        p.scale[k * stride + r] = scale;
        p.zero[k * stride + r] = zero;
      });
    }
  }

  /// Settles the columns `begin` to `begin + count` of one row; all that it reads lies in scratch.
  MIQ_HOST_DEVICE void settle_row(const parts& p, std::int64_t r, std::int64_t begin, int count, std::int64_t& masked,
                                  std::int64_t& clamped) const {
    float w[depth];
    MIQ_UNROLL_REGISTERS
    for (int k = 0; k < depth; ++k) w[k] = k < count ? p.values[(begin + k) * stride + r] : 0.0F;
    float squares = 0;
    MIQ_UNROLL_REGISTERS
    for (int j = 0; j < depth; ++j) {
      if (j < count) {
        std::uint16_t& mark = p.marks[r * marks_stride() + begin + j];
        const bool out = mark != 0;
        float settled = w[j];
        float code = 0;
        if constexpr (Kind != grid_kind::none) {
          const auto level =
              nearest_level<Kind>(w[j], steps_of<Kind>(p.scale[j * stride + r], p.zero[j * stride + r], p.highest[j]));
          settled = level.value;
          code = level.code;
          clamped += level.clamped && !out ? 1 : 0;
        }
        settled = out ? 0.0F : settled;
        masked += out ? 1 : 0;
        const float error = (w[j] - settled) * p.inverse[j];
        p.values[(begin + j) * stride + r] = settled;
        p.step_errors[j * stride + r] = error;
        mark = out ? masked_mark : static_cast<std::uint16_t>(static_cast<std::int32_t>(code));
        squares += error * error;
        MIQ_UNROLL_REGISTERS
        for (int q = 0; q < depth / 4; ++q) {
          if (4 * q + 3 <= j) continue;
          const auto u = load_four(p.corner + j * depth + 4 * q);
          MIQ_UNROLL_REGISTERS
          for (int k = 0; k < 4; ++k)
            if (4 * q + k > j) w[4 * q + k] -= error * u.v[k];
        }
      }
    }
    p.loss[r] += 0.5 * static_cast<double>(squares);
  }

  /// Makes the errors of a step up in the columns of the panel from `from` on: each lane keeps a row's errors in
  /// registers and takes some of the columns.
  template <class Group>
  MIQ_HOST_DEVICE void update_rest(const Group& group, const parts& p, std::int64_t there, std::int64_t from) const {
    const std::int32_t rows_at_once = group.size() < tile ? group.size() : static_cast<std::int32_t>(tile);
    const std::int32_t columns_at_once = group.size() / rows_at_once;
    const std::int32_t column = group.rank() / rows_at_once;
    if (column >= columns_at_once) return;
    for (std::int64_t r = group.rank() % rows_at_once; r < there; r += rows_at_once) {
      float error[depth];
      MIQ_UNROLL_REGISTERS
      for (int k = 0; k < depth; ++k) error[k] = p.step_errors[k * stride + r];
      for (std::int64_t c = from + column; c < width; c += columns_at_once) {
        float sum = p.values[c * stride + r];
        const float* const u = p.upper + c * upper_stride;
        MIQ_UNROLL_REGISTERS
        for (int q = 0; q < depth / 4; ++q) {
          const auto four = load_four(u + 4 * q);
          MIQ_UNROLL_REGISTERS
          for (int k = 0; k < 4; ++k) sum -= error[4 * q + k] * four.v[k];
        }
        p.values[c * stride + r] = sum;
      }
    }
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const parts p = cut(scratch);
    const auto row = block * tile;
    const auto there = rows - row < tile ? rows - row : tile;
    for_elements(group, there, width, [&](std::int64_t r, std::int64_t c) {
      p.values[c * stride + r] = work[(row + r) * work_leading + c];
      p.marks[r * marks_stride() + c] =
          mask != nullptr && mask[(row + r) * mask_leading + c] == 0 ? masked_mark : std::uint16_t{0};
    });
    for (std::int64_t r = group.rank(); r < there; r += group.size()) p.loss[r] = loss[row + r];
    if (pattern_width > 0)
      for (std::int64_t c = group.rank(); c < width; c += group.size()) p.units[c] = units[c];

    std::int64_t masked = 0;
    std::int64_t clamped = 0;
    for (std::int64_t begin = 0; begin < width;) {
      std::int64_t count = width - begin < depth ? width - begin : depth;
      group.sync();
      if (pattern_width > 0) {
        // A step ends where a group does, so that the next group is chosen by weights that are up to date.
        const auto left = pattern_width - begin % pattern_width;
        if (left < count) count = left;
        if (begin % pattern_width == 0) choose_pattern(group, p, there, begin);
      }
      load_step(group, p, row, there, begin, count);
      group.sync();
      for (std::int64_t r = group.rank(); r < there; r += group.size())
        settle_row(p, r, begin, static_cast<int>(count), masked, clamped);
      group.sync();
      for_elements(group, there, count, [&](std::int64_t r, std::int64_t k) {
        errors[(row + r) * errors_leading + begin + k] = p.step_errors[k * stride + r];
      });
      update_rest(group, p, there, begin + count);
      begin += count;
    }

    group.sync();
    for_elements(group, there, width, [&](std::int64_t r, std::int64_t c) {
      work[(row + r) * work_leading + c] = p.values[c * stride + r];
      const auto mark = p.marks[r * marks_stride() + c];
      if (codes != nullptr)
        codes[(row + r) * codes_leading + c] = static_cast<std::uint8_t>(mark == masked_mark ? 0 : mark);
      if (kept != nullptr) kept[(row + r) * kept_leading + c] = mark == masked_mark ? 0 : 1;
    });
    for (std::int64_t r = group.rank(); r < there; r += group.size()) loss[row + r] = p.loss[r];
    masked = sum_over_lanes(group, masked, p.slots);
    clamped = sum_over_lanes(group, clamped, p.slots);
    if (group.rank() == 0) {
      if (masked != 0) add_atomically(&counters->masked, masked);
      if (clamped != 0) add_atomically(&counters->clamped, clamped);
    }
  }
};

/// What a weight is multiplied by before it is squared: 1 / U_jj.
struct obs_saliency_body {
  static constexpr int lanes = 256;
  std::int64_t columns = 0;
  const float* upper = nullptr;
  std::int64_t upper_leading = 0;
  float* units = nullptr;

  std::int64_t blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto last = columns < (block + 1) * lanes ? columns : (block + 1) * lanes;
    for (auto j = block * lanes + group.rank(); j < last; j += group.size())
      units[j] = 1.0F / upper[j * upper_leading + j];
  }
};

/// Adds the losses of the rows up, counts those that are not finite, and writes them out. One block; the order of the
/// additions depends on the number of lanes.
struct sum_losses_body {
  static constexpr int lanes = 1024;
  std::int64_t rows = 0;
  const double* loss = nullptr;
  double* row_loss = nullptr;  // [rows] or null
  device_sweep_result* counters = nullptr;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return 8 * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    double sum = 0;
    std::int64_t lost = 0;
    for (std::int64_t r = group.rank(); r < rows; r += group.size()) {
      const double own = loss[r];
      sum += own;
      lost += own - own == 0 ? 0 : 1;
      if (row_loss != nullptr) row_loss[r] = own;
    }
    sum = sum_over_lanes(group, sum, reinterpret_cast<double*>(scratch));
    lost = sum_over_lanes(group, lost, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0) {
      counters->loss = sum;
      counters->not_finite = lost;
    }
  }
};

}  // namespace miq::obs::detail
