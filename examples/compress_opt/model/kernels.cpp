#include "compress_opt/model/kernels.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <miq/core/matrix.hpp>

#include "common/text.hpp"

namespace compress_opt {

namespace {

using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using strided = Eigen::OuterStride<>;
using const_tile = Eigen::Map<const row_major, 0, strided>;
using tile = Eigen::Map<row_major, 0, strided>;

constexpr std::int64_t lanes = 16;  // floats of the widest vector; partial sums are kept in this many places

const_tile as_eigen(miq::matrix_view<const float> m, std::int64_t row, std::int64_t rows, std::int64_t column,
                    std::int64_t columns) {
  return {m.data() + row * m.leading() + column, rows, columns, strided(m.leading())};
}

tile as_eigen(miq::matrix_view<float> m, std::int64_t row, std::int64_t rows, std::int64_t column,
              std::int64_t columns) {
  return {m.data() + row * m.leading() + column, rows, columns, strided(m.leading())};
}

std::int64_t tiles_of(std::int64_t size, std::int64_t tile_size) { return (size + tile_size - 1) / tile_size; }

std::int64_t padded(std::int64_t size) { return tiles_of(size, lanes) * lanes; }

/// Sum of `term(i)` over [0, count) in a fixed order that vector instructions can follow.
template <class Term>
float sum_in_lanes(std::int64_t count, Term term) {
  alignas(64) float partial[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (std::int64_t lane = 0; lane < lanes; ++lane) partial[lane] += term(i + lane);
  for (std::int64_t lane = 0; i + lane < count; ++lane) partial[lane] += term(i + lane);
  for (std::int64_t half = lanes / 2; half > 0; half /= 2)
    for (std::int64_t lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
  return partial[0];
}

void activate(activation function, float* row, std::int64_t count) {
  if (function == activation::relu) {
    for (std::int64_t i = 0; i < count; ++i) row[i] = std::max(row[i], 0.0F);
  } else {
    constexpr float root_half = std::numbers::sqrt2_v<float> / 2;
    for (std::int64_t i = 0; i < count; ++i) row[i] = 0.5F * row[i] * (1 + std::erf(row[i] * root_half));
  }
}

/// Replaces `row` by `exp(row - max)` and returns max and sum. The row is 64-byte aligned and has room for
/// `padded(count)` floats; those behind `count` become 0. All elements go through the same vector code, so that the
/// result depends neither on the row's place in memory nor on its length.
struct exponentials {
  float maximum;
  float sum;
};
exponentials exponentiate(float* row, std::int64_t count) {
  const std::int64_t whole = padded(count);
  std::fill(row + count, row + whole, -std::numeric_limits<float>::infinity());
  Eigen::Map<Eigen::ArrayXf, Eigen::Aligned64> values(row, whole);
  const float maximum = values.maxCoeff();
  values = (values - maximum).exp();
  std::fill(row + count, row + whole, 0.0F);
  return {maximum, sum_in_lanes(whole, [row](std::int64_t i) { return row[i]; })};
}

/// Scratch of the calling thread, at least [rows, columns]; its content is undefined.
miq::matrix_view<float> thread_scratch(std::int64_t rows, std::int64_t columns) {
  static thread_local miq::matrix<float> memory;
  if (memory.size() < rows * columns) {
    memory = {};
    memory = miq::matrix<float>(1, rows * columns);
  }
  return {memory.data(), rows, columns};
}

}  // namespace

void multiply(const miq::host_executor& exec, miq::matrix_view<const float> x, miq::matrix_view<const float> w,
              miq::matrix_view<float> y, const product_options& options) {
  examples::require(x.columns() == w.columns() && y.rows() == x.rows() && y.columns() == w.rows(), "multiply: y ",
                    examples::shape_text(y.rows(), y.columns()), " = x ", examples::shape_text(x.rows(), x.columns()),
                    " times the transpose of w ", examples::shape_text(w.rows(), w.columns()), " does not fit");
  examples::require(options.bias.empty() || static_cast<std::int64_t>(options.bias.size()) == w.rows(),
                    "multiply: bias must have ", w.rows(), " elements, got ", options.bias.size());
  constexpr std::int64_t tile_size = 256;
  const std::int64_t across = tiles_of(y.columns(), tile_size);
  exec.parallel_for(tiles_of(y.rows(), tile_size) * across, [&](std::int64_t index) {
    const std::int64_t row = index / across * tile_size, rows = std::min(tile_size, y.rows() - row);
    const std::int64_t column = index % across * tile_size, columns = std::min(tile_size, y.columns() - column);
    const auto a = as_eigen(x, row, rows, 0, x.columns());
    const auto b = as_eigen(w, column, columns, 0, w.columns());
    auto c = as_eigen(y, row, rows, column, columns);
    const bool has_residual = !options.residual.empty();
    if (has_residual) {
      if (options.residual.data() != y.data()) c = as_eigen(options.residual, row, rows, column, columns);
      c.noalias() += a * b.transpose();
    } else {
      c.noalias() = a * b.transpose();
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      float* out = &y(row + r, column);
      if (!options.bias.empty()) {
        const float* bias = options.bias.data() + column;
        for (std::int64_t i = 0; i < columns; ++i) out[i] += bias[i];
      }
      if (options.scale != 1)
        for (std::int64_t i = 0; i < columns; ++i) out[i] *= options.scale;
      if (options.apply_activation) activate(options.function, out, columns);
    }
  });
}

void normalise(const miq::host_executor& exec, const layer_norm& norm, miq::matrix_view<const float> x,
               miq::matrix_view<float> y) {
  constexpr std::int64_t block = 64;
  constexpr float epsilon = 1e-5F;
  const std::int64_t columns = x.columns();
  exec.parallel_for(tiles_of(x.rows(), block), [&](std::int64_t index) {
    for (std::int64_t r = index * block; r < std::min(x.rows(), (index + 1) * block); ++r) {
      const float* in = &x(r, 0);
      float* out = &y(r, 0);
      const float mean = sum_in_lanes(columns, [in](std::int64_t i) { return in[i]; }) / static_cast<float>(columns);
      const float variance =
          sum_in_lanes(columns, [in, mean](std::int64_t i) { return (in[i] - mean) * (in[i] - mean); }) /
          static_cast<float>(columns);
      const float scale = 1 / std::sqrt(variance + epsilon);
      for (std::int64_t i = 0; i < columns; ++i) out[i] = (in[i] - mean) * scale;
      if (!norm.weight.empty())
        for (std::int64_t i = 0; i < columns; ++i) out[i] *= norm.weight[static_cast<std::size_t>(i)];
      if (!norm.bias.empty())
        for (std::int64_t i = 0; i < columns; ++i) out[i] += norm.bias[static_cast<std::size_t>(i)];
    }
  });
}

void attend(const miq::host_executor& exec, miq::matrix_view<const float> query, miq::matrix_view<const float> key,
            miq::matrix_view<const float> value, std::int64_t heads, std::int64_t context,
            miq::matrix_view<float> mixed) {
  constexpr std::int64_t block = 64;
  const std::int64_t size = query.columns() / heads;
  const std::int64_t blocks = tiles_of(context, block);
  exec.parallel_for(query.rows() / context * heads * blocks, [&](std::int64_t index) {
    const std::int64_t first = index % blocks * block, rows = std::min(block, context - first);
    const std::int64_t column = index / blocks % heads * size;
    const std::int64_t start = index / blocks / heads * context;  // of the window
    const std::int64_t seen = first + rows;
    const auto scores = thread_scratch(block, padded(context));
    auto weights = as_eigen(scores, 0, rows, 0, seen);
    weights.noalias() =
        as_eigen(query, start + first, rows, column, size) * as_eigen(key, start, seen, column, size).transpose();
    float sums[block];
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t visible = first + r + 1;
      sums[r] = exponentiate(&scores(r, 0), visible).sum;
      std::fill(&scores(r, 0) + visible, &scores(r, 0) + seen, 0.0F);
    }
    auto out = as_eigen(mixed, start + first, rows, column, size);
    out.noalias() = weights * as_eigen(value, start, seen, column, size);
    for (std::int64_t r = 0; r < rows; ++r) out.row(r) *= 1 / sums[r];
  });
}

void negative_log_likelihoods(const miq::host_executor& exec, miq::matrix_view<const float> states,
                              miq::matrix_view<const float> head, std::span<const std::int32_t> targets,
                              std::span<double> result) {
  constexpr std::int64_t row_tile = 256, column_tile = 512;
  exec.parallel_for(tiles_of(states.rows(), row_tile), [&](std::int64_t index) {
    const std::int64_t first = index * row_tile, rows = std::min(row_tile, states.rows() - first);
    const auto logits = thread_scratch(row_tile, column_tile);
    double maximum[row_tile], sum[row_tile], chosen[row_tile];
    std::fill_n(maximum, row_tile, -std::numeric_limits<double>::infinity());
    std::fill_n(sum, row_tile, 0.0);
    std::fill_n(chosen, row_tile, 0.0);
    for (std::int64_t column = 0; column < head.rows(); column += column_tile) {
      const std::int64_t columns = std::min(column_tile, head.rows() - column);
      as_eigen(logits, 0, rows, 0, columns).noalias() = as_eigen(states, first, rows, 0, states.columns()) *
                                                        as_eigen(head, column, columns, 0, head.columns()).transpose();
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t target = targets[static_cast<std::size_t>(first + r)] - column;
        if (target >= 0 && target < columns) chosen[r] = static_cast<double>(logits(r, target));
        const auto part = exponentiate(&logits(r, 0), columns);
        const double higher = std::max(maximum[r], static_cast<double>(part.maximum));
        sum[r] = sum[r] * std::exp(maximum[r] - higher) +
                 static_cast<double>(part.sum) * std::exp(static_cast<double>(part.maximum) - higher);
        maximum[r] = higher;
      }
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto place = static_cast<std::size_t>(first + r);
      result[place] = targets[place] < 0 ? 0.0 : maximum[r] + std::log(sum[r]) - chosen[r];
    }
  });
}

}  // namespace compress_opt
