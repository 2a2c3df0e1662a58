// One tile of tokens: its column sums, its values around their mean, their products, and how tiles are joined.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>

#include <miq/calibration/detail/accumulator/state.hpp>
#include <miq/core/detail/upper_blocks.hpp>
#include <miq/core/detail/vector_lanes.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>

namespace miq::calibration::detail {
inline namespace MIQ_INSTRUCTION_SET {

using miq::detail::double_lanes;
using miq::detail::float_lanes;
using miq::detail::half_float_lanes;
using miq::detail::lanes;
using miq::detail::wide_lanes;

/// Scratch floats that nobody fills before they are written.
class raw_floats {
 public:
  raw_floats(std::int64_t size, std::pmr::memory_resource* resource)
      : bytes_(static_cast<std::size_t>(size) * sizeof(float)),
        resource_(resource),
        data_(static_cast<float*>(resource->allocate(bytes_, 64))) {}
  raw_floats(const raw_floats&) = delete;
  raw_floats& operator=(const raw_floats&) = delete;
  ~raw_floats() { resource_->deallocate(data_, bytes_, 64); }

  float* data() const { return data_; }

 private:
  std::size_t bytes_;
  std::pmr::memory_resource* resource_;
  float* data_;
};

/// What is known of a tile, in scratch memory. Columns are padded with zeros to whole blocks. `panels` holds the values
/// minus `shift`, `lanes` columns at a time: element (token, column) at [column / lanes][token][column % lanes].
class tile {
 public:
  tile(std::int64_t columns, std::int64_t capacity, std::pmr::memory_resource* resource)
      : columns_(columns),
        padded_(blocks_of(columns) * block_columns),
        panels_(padded_ * capacity, resource),
        doubles_(3, padded_, resource),
        floats_(2, padded_, resource) {}

  std::int64_t tokens() const { return tokens_; }
  double sum(std::int64_t c) const { return doubles_(0, c); }
  double absolute(std::int64_t c) const { return doubles_(1, c); }
  float minimum(std::int64_t c) const { return floats_(0, c); }
  float maximum(std::int64_t c) const { return floats_(1, c); }

  /// Takes in tokens, at least 1, at most the capacity.
  void prepare(const host_executor& exec, matrix_view<const float> rows) {
    tokens_ = rows.rows();
    exec.parallel_for(padded_ / block_columns, [&](std::int64_t block) {
      const auto begin = block * block_columns, end = std::min(begin + block_columns, columns_);
      auto c = begin;
      for (; c + 4 * double_lanes <= end; c += 4 * double_lanes) measure<4>(rows, c, double_lanes);
      for (; c < end; c += double_lanes) measure<1>(rows, c, std::min<std::int64_t>(double_lanes, end - c));
      pack(rows, begin);
    });
  }

  /// The tile's sum (x - mean)(x - mean)^T for one block: element (i, j) at out[i * block_columns + j].
  void products(std::int64_t block_row, std::int64_t block_column, double* out) const {
    products_with(*this, block_row, block_column, block_row == block_column, out);
  }

  /// The same of these columns (rows of the result) with those of a tile of the same tokens: sum (x - mean)(y -
  /// mean)^T.
  void cross_products(const tile& other, std::int64_t block_row, std::int64_t block_column, double* out) const {
    products_with(other, block_row, block_column, false, out);
  }

 private:
  // The register tile: narrow_width x wide_width sums. With 32 registers of 16 floats, one vector of columns against 16
  // broadcast values reads two cache lines per token for 256 multiply-adds; with 16 registers, two against 4 are
  // fastest.
  static constexpr int wide_vectors = lanes == 16 ? 1 : 2;
  static constexpr int wide_width = wide_vectors * lanes;
  static constexpr int narrow_width = lanes == 16 ? 16 : 4;
  static_assert(narrow_width <= lanes && block_columns % wide_width == 0);

  const float* panel(std::int64_t column) const {
    return panels_.data() + column / lanes * (tokens_ * lanes) + column % lanes;
  }

  void products_with(const tile& other, std::int64_t block_row, std::int64_t block_column, bool upper_only,
                     double* out) const {
    const auto row = block_row * block_columns, column = block_column * block_columns;
    // Around the shift, which is the mean rounded to float, instead of the mean: take off what that made.
    const auto inverse = 1.0 / static_cast<double>(tokens_);
    const double* const left = &doubles_(2, row);
    const double* const right = &other.doubles_(2, column);
    for (std::int64_t i = 0; i < block_columns; ++i)
      for (std::int64_t j = 0; j < block_columns; j += double_lanes) {
        const auto rest = miq::detail::load<wide_lanes>(right + j);
        miq::detail::store(out + i * block_columns + j, -((rest * left[i]) * inverse));
      }
    for (std::int64_t first = 0; first < tokens_; first += chain_tokens) {
      const auto count = std::min(chain_tokens, tokens_ - first);
      for (std::int64_t i = 0; i < block_columns; i += narrow_width)
        for (std::int64_t j = 0; j < block_columns; j += wide_width) {
          if (upper_only && j + wide_width <= i) continue;  // below the diagonal
          chain(other, row + i, column + j, first, count, out + i * block_columns + j);
        }
    }
  }

  void chain(const tile& other, std::int64_t row, std::int64_t column, std::int64_t first, std::int64_t count,
             double* out) const {
    const float* left = panel(row) + first * lanes;
    const float* right = other.panel(column) + first * lanes;
    const auto stride = tokens_ * lanes;
    float_lanes sums[narrow_width][wide_vectors] = {};
    using miq::detail::unrolled;
    for (std::int64_t k = 0; k < count; ++k, left += lanes, right += lanes) {
      float_lanes wide[wide_vectors];
      unrolled<wide_vectors>([&](int v) { wide[v] = miq::detail::load<float_lanes>(right + v * stride); });
      unrolled<narrow_width>([&](int i) { unrolled<wide_vectors>([&](int v) { sums[i][v] += wide[v] * left[i]; }); });
    }
    alignas(64) float parts[narrow_width * wide_width];
    unrolled<narrow_width>([&](int i) {
      unrolled<wide_vectors>([&](int v) { miq::detail::store(parts + i * wide_width + v * lanes, sums[i][v]); });
    });
    add_parts(parts, out);
  }

  /// Not inlined, so that the compiler does not keep the sums in memory for what it does here.
  [[gnu::noinline]] static void add_parts(const float* parts, double* out) {
    for (int i = 0; i < narrow_width; ++i)
      for (int j = 0; j < wide_width; j += double_lanes) {
        double* const to = out + i * block_columns + j;
        const auto part = miq::detail::widen(miq::detail::load<half_float_lanes>(parts + i * wide_width + j));
        miq::detail::store(to, miq::detail::load<wide_lanes>(to) + part);
      }
  }

  /// Sums and range of `groups` vectors of columns; `count` columns in each.
  template <std::size_t groups>
  void measure(matrix_view<const float> rows, std::int64_t first, std::int64_t count) {
    wide_lanes sum[groups] = {}, absolute[groups] = {};
    half_float_lanes minimum[groups] = {}, maximum[groups] = {};
    const auto part = [&](std::int64_t t, std::size_t g) {
      const float* const from = &rows(t, first) + g * double_lanes;
      return groups > 1 ? miq::detail::load<half_float_lanes>(from)
                        : miq::detail::load_first<half_float_lanes>(from, count);
    };
    for (std::size_t g = 0; g < groups; ++g) minimum[g] = maximum[g] = part(0, g);
    for (std::int64_t t = 0; t < rows.rows(); ++t) {
      for (std::size_t g = 0; g < groups; ++g) {
        const auto x = part(t, g);
        minimum[g] = miq::detail::select(x < minimum[g], x, minimum[g]);
        maximum[g] = miq::detail::select(x > maximum[g], x, maximum[g]);
        sum[g] += miq::detail::widen(x);
        absolute[g] += miq::detail::widen(miq::detail::absolute(x));
      }
    }
    for (std::size_t g = 0; g < groups; ++g) {  // beyond the last column the padding takes it
      const auto column = first + static_cast<std::int64_t>(g) * double_lanes;
      miq::detail::store(&doubles_(0, column), sum[g]);
      miq::detail::store(&doubles_(1, column), absolute[g]);
      miq::detail::store(&floats_(0, column), minimum[g]);
      miq::detail::store(&floats_(1, column), maximum[g]);
    }
  }

  /// Writes one block of columns into its panels, less the shift, and notes what the rounding of the shift left over.
  void pack(matrix_view<const float> rows, std::int64_t begin) {
    alignas(64) float shift[block_columns] = {};
    for (std::int64_t k = 0; k < block_columns && begin + k < columns_; ++k) {
      shift[k] = static_cast<float>(sum(begin + k) / static_cast<double>(tokens_));
      doubles_(2, begin + k) = sum(begin + k) - static_cast<double>(tokens_) * static_cast<double>(shift[k]);
    }
    for (std::int64_t k = 0; k < block_columns; k += lanes) {
      float* to = panels_.data() + (begin + k) * tokens_;
      const auto count = std::clamp<std::int64_t>(columns_ - begin - k, 0, lanes);
      const auto away = miq::detail::load<float_lanes>(shift + k);
      for (std::int64_t t = 0; t < tokens_; ++t, to += lanes) {
        if (count == lanes)
          miq::detail::store(to, miq::detail::load<float_lanes>(&rows(t, begin + k)) - away);
        else if (count > 0)
          miq::detail::store(to, miq::detail::load_first<float_lanes>(&rows(t, begin + k), count) - away);
        else
          miq::detail::store(to, float_lanes{});
      }
    }
  }

  std::int64_t columns_, padded_, tokens_ = 0;
  raw_floats panels_;
  matrix<double> doubles_;  // sums, sums of magnitudes, sums of what the shift left over
  matrix<float> floats_;    // minima, maxima
};

/// Joins the centred products of two sets of tokens (Chan, Golub and LeVeque 1979): into += part + weight d d^T, where
/// d is the difference of their means and weight = n m / (n + m). Changing the two sides changes no bit.
inline void join_products(double* into, const double* part, const double* row_difference,
                          const double* column_difference, double weight) {
  for (std::int64_t i = 0; i < block_columns; ++i)
    for (std::int64_t j = 0; j < block_columns; j += double_lanes) {
      const auto place = i * block_columns + j;
      const auto both = miq::detail::load<wide_lanes>(into + place) + miq::detail::load<wide_lanes>(part + place);
      const auto square = miq::detail::load<wide_lanes>(column_difference + j) * row_difference[i];
      miq::detail::store(into + place, both + square * weight);
    }
}

}  // namespace MIQ_INSTRUCTION_SET

}  // namespace miq::calibration::detail
