// common/matrix_panel.hpp: a matrix of mutual information as coloured squares, and what its colours mean.
#pragma once

#include <algorithm>
#include <cstdint>
#include <miq/core/matrix_view.hpp>
#include <span>
#include <string_view>

#include "common/canvas.hpp"

namespace examples {

/// Calls `visit(i, j)` for pairs i < j, at most about two million of them, evenly taken.
template <class Visit>
void for_pairs(std::int64_t columns, Visit&& visit) {
  const std::int64_t stride = std::max<std::int64_t>(1, columns * (columns - 1) / 2 / 2'000'000);
  std::int64_t place = 0;
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = i + 1; j < columns; ++j)
      if (place++ % stride == 0) visit(i, j);
}

/// What the colours of a matrix stand for: 0 to `top`, even in the square root of the information, which for weak
/// dependence is the correlation.
struct colour_range {
  double top = 1;      ///< what has the last colour: the 99.5th percentile of the pairs, of few pairs the largest
  double largest = 0;  ///< the largest value, which may lie above `top`
};

/// The range for the pairs of a matrix [c, c], of a sample of them where they are many.
colour_range range_of_pairs(miq::matrix_view<const float> mi);

/// A square matrix as coloured squares, averaged over square blocks where there are more than 900 columns.
class matrix_panel {
 public:
  /// @param wide  about how many pixels a matrix of few columns gets: squares are as large as fit
  explicit matrix_panel(std::int64_t columns, std::int64_t wide = 600)
      : columns_(columns),
        block_((columns + 899) / 900),
        cells_((columns + block_ - 1) / block_),
        zoom_(std::max<std::int64_t>(wide / cells_, 1)) {}

  std::int64_t size() const { return cells_ * zoom_; }
  /// Columns that are averaged in each square, both ways.
  std::int64_t block() const { return block_; }
  /// Where the column at `place` begins, from the panel's edge.
  std::int64_t offset(std::int64_t place) const { return place * zoom_ / block_; }

  /// Draws `mi` with its columns in the given order; the diagonal is left white.
  void draw(canvas& picture, std::int64_t x, std::int64_t y, miq::matrix_view<const float> mi,
            std::span<const std::int64_t> order, double top) const;

 private:
  std::int64_t columns_;
  std::int64_t block_;
  std::int64_t cells_;
  std::int64_t zoom_;  // pixels of a cell
};

/// The bar of colours beside a matrix, `height` tall, with numbers on its right: 150 pixels wide in all.
void draw_colour_bar(canvas& picture, std::int64_t x, std::int64_t y, std::int64_t height, std::string_view title,
                     const colour_range& range);

}  // namespace examples
