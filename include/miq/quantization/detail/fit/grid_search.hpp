// What the searches of grids share, on both machines.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/quantization/fit_options.hpp>

namespace miq::quantization::detail {

/// A grid, and what happened to it on the way.
struct fitted_grid {
  affine_grid grid;
  bool empty = false;
  bool clipped = false;
  bool rescaled = false;
};

/// Rounds a scale as its format stores it, and notes if the format could not hold it.
MIQ_HOST_DEVICE inline void store_scale(fitted_grid& fit, scale_format format) {
  const float exact = fit.grid.scale;
  fit.grid.scale = stored_scale(exact, format);
  const float tolerance = format == scale_format::logarithmic8 ? 0.03F : 0x1.0p-10F;
  fit.rescaled = !(std::fabs(fit.grid.scale - exact) <= tolerance * exact);
}

/// The gaps between the halves that a search tries, in steps of 1/2: at most 32 of 1 ... 2^bits.
MIQ_HOST_DEVICE constexpr int gaps_of(int bits) { return bits < 5 ? 1 << bits : 32; }
MIQ_HOST_DEVICE constexpr float gap_at(int bits, int i) {
  return 0.5F * static_cast<float>(1 + i * ((1 << bits) / gaps_of(bits)));
}

/// The share of the whole range that a step of the search keeps: from 1 down to `smallest_clip`.
MIQ_HOST_DEVICE inline double clip_share(const fit_options& options, int step) {
  return 1 - (1 - options.smallest_clip) * step / (options.clip_steps - 1);
}

/// The smallest and the largest of some values and 0.
struct value_range {
  float lowest = 0;
  float highest = 0;

  MIQ_HOST_DEVICE void add(float value) {
    lowest = value < lowest ? value : lowest;
    highest = value > highest ? value : highest;
  }
  MIQ_HOST_DEVICE void add(const value_range& other) {
    add(other.lowest);
    add(other.highest);
  }
};

/// The min/max grid of a range.
MIQ_HOST_DEVICE inline fitted_grid fit_range(const value_range& range, int bits, const fit_options& options) {
  fitted_grid fitted;
  fitted.empty = range.lowest == 0 && range.highest == 0;
  fitted.grid = grid_of_range(range.lowest, range.highest, bits, options.symmetry, scale_format::float32);
  if (options.format == scale_format::float32) return fitted;
  store_scale(fitted, options.format);
  // The zero point goes with the scale as it is stored.
  fitted.grid = grid_of_range(range.lowest, range.highest, bits, options.symmetry, options.format);
  return fitted;
}

/// How many grids a clip search tries after that of the whole range.
MIQ_HOST_DEVICE inline int clip_candidates(int bits, const fit_options& options) {
  return options.symmetry == grid_symmetry::zero_free ? options.clip_steps * gaps_of(bits) : options.clip_steps - 1;
}

/// The step of candidate `i`, and the grid, in the order in which they are tried: of equally good ones the first wins.
MIQ_HOST_DEVICE inline int clip_step(int bits, const fit_options& options, int i) {
  return options.symmetry == grid_symmetry::zero_free ? i / gaps_of(bits) : i + 1;
}
MIQ_HOST_DEVICE inline affine_grid clip_candidate(const value_range& range, int bits, const fit_options& options,
                                                  int i) {
  const double share = clip_share(options, clip_step(bits, options, i));
  if (options.symmetry != grid_symmetry::zero_free)
    return grid_of_range(static_cast<float>(share * static_cast<double>(range.lowest)),
                         static_cast<float>(share * static_cast<double>(range.highest)), bits, options.symmetry,
                         options.format);
  const auto below = -static_cast<double>(range.lowest);
  const auto above = static_cast<double>(range.highest);
  const double reach = below < above ? above : below;
  affine_grid grid;
  grid.zero_free = true;
  grid.maximum_code = maximum_code(bits, grid_symmetry::zero_free);
  grid.zero = gap_at(bits, i % gaps_of(bits));
  grid.scale = stored_scale(static_cast<float>(share * reach) / (grid.zero + static_cast<float>(grid.maximum_code / 2)),
                            options.format);
  return grid;
}

/// Rank-one scales: the grid of a whole group in units of the factors, of which `reach` is the largest magnitude.
/// Logarithms add up: what is stored is the sum of two whole numbers. Other formats round the product later, which
/// changes it by less than matters here.
MIQ_HOST_DEVICE inline void store_unit_scale(fitted_grid& fit, const fit_options& options) {
  if (options.format == scale_format::logarithmic8) store_scale(fit, options.format);
}

MIQ_HOST_DEVICE inline fitted_grid fit_unit_range(double reach, int bits, const fit_options& options) {
  fitted_grid fit;
  fit.empty = reach == 0;
  fit.grid = grid_of_range(static_cast<float>(-reach), static_cast<float>(reach), bits, options.symmetry,
                           scale_format::float32);
  store_unit_scale(fit, options);
  return fit;
}

/// The grids that its search tries after that one, and candidate `i` of them.
MIQ_HOST_DEVICE inline int unit_candidates(int bits, const fit_options& options) {
  return options.clip_steps * (options.symmetry == grid_symmetry::zero_free ? gaps_of(bits) : 1);
}
MIQ_HOST_DEVICE inline fitted_grid unit_candidate(double reach, int bits, const fit_options& options, int i) {
  const bool zero_free = options.symmetry == grid_symmetry::zero_free;
  const int gaps = zero_free ? gaps_of(bits) : 1;
  const auto kept = static_cast<float>(clip_share(options, i / gaps) * reach);
  fitted_grid tried;
  if (zero_free) {
    tried.grid = grid_of_halves(0, kept, bits, scale_format::float32);
    tried.grid.zero = gap_at(bits, i % gaps);
    tried.grid.scale = kept / (tried.grid.zero + static_cast<float>(tried.grid.maximum_code / 2));
  } else {
    tried.grid = grid_of_range(-kept, kept, bits, options.symmetry, scale_format::float32);
  }
  store_unit_scale(tried, options);
  tried.clipped = i >= gaps;
  return tried;
}

/// The bin of a value in a histogram of equal bins, `per_unit` bins a unit, that begins at -reach.
MIQ_HOST_DEVICE inline std::int64_t bin_of_value(double value, double reach, double per_unit) {
  return static_cast<std::int64_t>(std::floor((value + reach) * per_unit));
}

MIQ_HOST_DEVICE inline std::int64_t clamped(std::int64_t value, std::int64_t least, std::int64_t most) {
  return value < least ? least : (value > most ? most : value);
}

/// Sum of cost * (value - its level)^2 from the moments of a histogram, up to the width of a bin at the borders between
/// levels. `Moments` has `bins`, `reach` and `per_unit` (bins a unit; 0 if all values are 0), `squares()` (of cost *
/// value^2, all), and `costs(first, last)` and `firsts(first, last)`: of cost and cost * value over some bins.
template <class Moments>
MIQ_HOST_DEVICE double histogram_error(const Moments& moments, const affine_grid& grid) {
  double total = moments.squares();
  std::int64_t first = 0;
  for (std::int32_t code = 0; code <= grid.maximum_code; ++code) {
    const auto level = static_cast<double>(dequantise(code, grid));
    auto last = moments.bins();
    if (code < grid.maximum_code) {
      const auto next = static_cast<double>(dequantise(code + 1, grid));
      // Without a range there is no border: the last level gets all.
      last = moments.per_unit() > 0 ? clamped(bin_of_value((level + next) / 2 + 0.5 / moments.per_unit(),
                                                           moments.reach(), moments.per_unit()),
                                              first, moments.bins())
                                    : first;
    }
    total += level * (level * moments.costs(first, last) - 2 * moments.firsts(first, last));
    first = last;
  }
  return total > 0 ? total : 0;
}

}  // namespace miq::quantization::detail
