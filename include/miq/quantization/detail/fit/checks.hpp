// Checks of the arguments of fits, from shapes and options alone.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/quantization/fit_options.hpp>

namespace miq::quantization::detail {

/// Labels and widths that lie on the host.
inline void check_groups(const char* function, std::span<const std::int32_t> labels,
                         std::span<const std::uint8_t> bits) {
  using miq::detail::require;
  require(!labels.empty(), function, ": labels must name a group for every column, got none");
  require(labels.size() <= 0x7FFFFFFF, function, ": labels must be at most 2^31 - 1, got ", labels.size());
  require(!bits.empty(), function, ": bits must hold a width for every group, got none");
  require(bits.size() <= 0x7FFFFFFF, function, ": bits must be at most 2^31 - 1, got ", bits.size());
  for (std::size_t g = 0; g < bits.size(); ++g)
    require(bits[g] >= minimum_bits && bits[g] <= maximum_bits, function, ": bits of group ", g,
            " must be 1 to 8, got ", static_cast<int>(bits[g]));
  for (std::size_t c = 0; c < labels.size(); ++c)
    require(labels[c] >= 0 && labels[c] < static_cast<std::int64_t>(bits.size()), function, ": label of column ", c,
            " must be 0 to ", bits.size() - 1, ", got ", labels[c]);
}

/// Options, and the shapes of what goes with weights of [rows, columns].
template <class Space>
void check_fit_shapes(const char* function, std::int64_t rows, std::int64_t columns, const fit_options& options,
                      const vector_view<const float, Space>& column_weights,
                      const matrix_view<const std::uint8_t, Space>& kept) {
  using miq::detail::require;
  using miq::detail::shape_text;
  require(options.clip_steps >= 2, function, ": clip_steps must be at least 2, got ", options.clip_steps);
  require(options.smallest_clip > 0 && options.smallest_clip <= 1, function, ": smallest_clip must be in (0, 1], got ",
          options.smallest_clip);
  require(column_weights.empty() || column_weights.size() == columns, function,
          ": column_weights must hold one value for each of the ", columns, " columns, got ", column_weights.size());
  require(kept.empty() || (kept.rows() == rows && kept.columns() == columns), function, ": kept must be ",
          shape_text(rows, columns), " like the weights, got ", shape_text(kept.rows(), kept.columns()));
}

}  // namespace miq::quantization::detail
