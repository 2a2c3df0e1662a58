#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include <miq/core/detail/as_float.hpp>
#include <miq/core/detail/finite.hpp>
#include <miq/obs/detail/mask/checks.hpp>
#include <miq/obs/detail/selection/keep_largest.hpp>
#include <miq/obs/mask.hpp>

namespace miq::obs {

namespace detail {

template <on_host Exec>
std::int64_t select_mask_on(const Exec& exec, matrix_view<const float> weights,
                            vector_view<const float> column_saliency, matrix_view<std::uint8_t> kept,
                            const mask_options& options) {
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  check_select_mask(weights, column_saliency, kept, options);
  for (std::int64_t c = 0; c < columns; ++c)
    require(column_saliency[c] >= 0 && std::isfinite(column_saliency[c]), "select_mask: column_saliency of column ", c,
            " must be finite and not negative, got ", column_saliency[c]);
  miq::detail::require_finite(exec, weights, "select_mask", "weights");

  // Among equals those that come first are masked.
  std::int64_t masked = 0;
  if (options.scope == mask_scope::layer || options.scope == mask_scope::column_block) {
    const auto block = options.scope == mask_scope::layer ? columns : options.column_block;
    std::vector<std::int64_t> all(static_cast<std::size_t>(columns));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    std::vector<std::int64_t> histograms(static_cast<std::size_t>(keep_histograms));
    for (std::int64_t first = 0; first < columns; first += block) {
      const auto width = std::min(block, columns - first);
      const auto count = static_cast<std::int64_t>(options.sparsity * static_cast<double>(rows * width));
      keep_largest(exec, weights, column_saliency.data(),
                   std::span(all).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(width)),
                   rows * width - count, histograms.data(), kept, tie_rule::first_go);
      masked += count;
    }
    return masked;
  }

  const bool by_row = options.scope == mask_scope::row;
  const auto width = by_row ? columns : options.pattern_width;
  const auto masked_of = [&](std::int64_t of) {
    return by_row ? static_cast<std::int64_t>(options.sparsity * static_cast<double>(of))
                  : std::max<std::int64_t>(of - options.pattern_kept, 0);
  };
  constexpr std::int64_t rows_of_task = 16;
  exec.parallel_for((rows + rows_of_task - 1) / rows_of_task, [&](std::int64_t task) {
    std::vector<std::uint32_t> keys;
    for (auto r = task * rows_of_task; r < std::min(rows, (task + 1) * rows_of_task); ++r)
      for (std::int64_t first = 0; first < columns; first += width) {
        const auto here = std::min(width, columns - first);
        keep_largest_of_row(vector_view<const float>(&weights(r, first), here), column_saliency.data() + first,
                            here - masked_of(here), keys, vector_view<std::uint8_t>(&kept(r, first), here),
                            tie_rule::first_go);
      }
  });
  for (std::int64_t first = 0; first < columns; first += width)
    masked += rows * masked_of(std::min(columns, first + width) - first);
  return masked;
}

}  // namespace detail

template <executor Exec>
std::int64_t select_mask(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                         vector_view<const float, memory_of<Exec>> column_saliency,
                         matrix_view<std::uint8_t, memory_of<Exec>> kept, const mask_options& options) {
  return miq::detail::with_float(exec, weights, [&](const auto& typed) {
    return detail::select_mask_on(exec, typed, column_saliency, kept, options);
  });
}

}  // namespace miq::obs
