// Kernel bodies of the accumulators on a device: tokens into a tile, a tile into totals, totals into statistics.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/calibration/detail/accumulator/state.hpp>
#include <miq/core/group.hpp>
#include <miq/core/numeric_types.hpp>

namespace miq::calibration::detail {

/// Tokens whose sums are made one after the other; the strips of a tile are added up in their order.
inline constexpr std::int64_t strip_tokens = 32;
inline constexpr std::int64_t tile_strips = tile_tokens / strip_tokens;

/// Sums and ranges by column, or by strip and column. Without `absolute`, `minimum` and `maximum` only sums are kept.
struct column_sums {
  double* sum = nullptr;
  double* absolute = nullptr;
  float* minimum = nullptr;
  float* maximum = nullptr;

  MIQ_HOST_DEVICE bool ranges() const { return absolute != nullptr; }
};

/// What stands for a value that is not finite or beyond `max_magnitude`: it spoils its column, and is seen there.
MIQ_HOST_DEVICE inline float usable_value(float x) {
  return std::fabs(x) <= max_magnitude ? x : miq::detail::bits_as<float>(0x7FC00000U);
}

/// The smaller one; NaN if one of them is.
MIQ_HOST_DEVICE inline float smaller_value(float a, float b) { return b < a || b != b ? b : a; }
MIQ_HOST_DEVICE inline float larger_value(float a, float b) { return b > a || b != b ? b : a; }

/// Appends tokens of a batch to a tile, as floats, and their sums to those of the strips they fall into. The order of
/// all sums is that of the tokens in the stream, whatever batches they come in.
///
/// With `less`, a batch of the same shape, the difference to it is appended, rounded to float once.
template <class T, class Less = T>
struct append_body {
  static constexpr int lanes = 128;

  const T* batch = nullptr;  // [tokens, columns]
  std::int64_t batch_leading = 0;
  const Less* less = nullptr;
  std::int64_t less_leading = 0;
  std::int64_t tokens = 0;
  std::int64_t columns = 0;
  std::int64_t begin = 0;  // place of the first token in the tile; begin + tokens <= tile_tokens
  float* tile = nullptr;   // [tile_tokens, columns]
  column_sums strips;      // [tile_strips, columns]
  std::int64_t* unusable = nullptr;

  MIQ_HOST_DEVICE std::int64_t column_blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t blocks() const {
    return tokens == 0 ? 0 : ((begin + tokens - 1) / strip_tokens - begin / strip_tokens + 1) * column_blocks();
  }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto strip = begin / strip_tokens + block / column_blocks();
    const auto first_column = block % column_blocks() * lanes;
    const auto from = strip * strip_tokens < begin ? begin : strip * strip_tokens;
    const auto end = (strip + 1) * strip_tokens < begin + tokens ? (strip + 1) * strip_tokens : begin + tokens;
    const bool fresh = from == strip * strip_tokens;
    for (std::int64_t c = first_column + group.rank(); c < columns && c < first_column + lanes; c += group.size()) {
      const auto place = strip * columns + c;
      const bool ranges = strips.ranges();
      double sum = fresh ? 0.0 : strips.sum[place];
      double absolute = fresh || !ranges ? 0.0 : strips.absolute[place];
      float minimum = fresh || !ranges ? 0.0F : strips.minimum[place];
      float maximum = fresh || !ranges ? 0.0F : strips.maximum[place];
      std::int64_t bad = 0;
      constexpr int step = 8;  // values that are under way at once
      for (auto t = from; t < end; t += step) {
        float values[step];
        for (int k = 0; k < step; ++k) values[k] = t + k < end ? value(t + k - begin, c, bad) : 0.0F;
        for (int k = 0; k < step; ++k) {
          if (t + k >= end) break;
          const float x = values[k];
          tile[(t + k) * columns + c] = x;
          sum += static_cast<double>(x);
          absolute += static_cast<double>(std::fabs(x));
          const bool alone = fresh && t + k == from;
          minimum = alone ? x : smaller_value(minimum, x);
          maximum = alone ? x : larger_value(maximum, x);
        }
      }
      strips.sum[place] = sum;
      if (ranges) {
        strips.absolute[place] = absolute;
        strips.minimum[place] = minimum;
        strips.maximum[place] = maximum;
      }
      if (bad != 0) add_atomically(unusable, bad);
    }
  }

 private:
  MIQ_HOST_DEVICE float value(std::int64_t t, std::int64_t c, std::int64_t& bad) const {
    const float x = usable_value(static_cast<float>(batch[t * batch_leading + c]));
    if (x != x) ++bad;
    return less == nullptr ? x : x - usable_value(static_cast<float>(less[t * less_leading + c]));
  }
};

/// Rows of a batch that go to rows of a sample. The list is part of the kernel's arguments, so that nothing is copied
/// from the host.
template <class T>
struct copy_rows_body {
  static constexpr int lanes = 128;
  static constexpr std::int64_t most_rows = 128;

  const T* from = nullptr;
  std::int64_t from_leading = 0;
  float* to = nullptr;
  std::int64_t to_leading = 0;
  std::int64_t columns = 0;
  std::int64_t rows = 0;  // at most most_rows
  std::int64_t from_row[most_rows] = {};
  std::int64_t to_row[most_rows] = {};

  std::int64_t blocks() const { return rows; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const T* const source = from + from_row[block] * from_leading;
    float* const target = to + to_row[block] * to_leading;
    for (std::int64_t c = group.rank(); c < columns; c += group.size())
      target[c] = usable_value(static_cast<float>(source[c]));
  }
};

/// Column sums of a tile from its strips; its shift, the mean rounded to float; what that rounding leaves over; the
/// difference of its mean to the mean of the tokens before it; and the sums of both together.
struct close_columns_body {
  static constexpr int lanes = 128;

  std::int64_t columns = 0;
  std::int64_t tokens = 0;  // of the tile, at least 1
  column_sums strips;
  std::int64_t tokens_before = 0;
  column_sums before;  // read if tokens_before > 0
  column_sums joined;  // may be `before`
  float* shift = nullptr;
  double* rest = nullptr;
  double* difference = nullptr;  // 0 if there is nothing before

  std::int64_t blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (std::int64_t c = block * lanes + group.rank(); c < columns && c < (block + 1) * lanes; c += group.size()) {
      const bool ranges = strips.ranges();
      double sum = strips.sum[c];
      double absolute = ranges ? strips.absolute[c] : 0.0;
      float minimum = ranges ? strips.minimum[c] : 0.0F;
      float maximum = ranges ? strips.maximum[c] : 0.0F;
      for (std::int64_t s = 1; s * strip_tokens < tokens; ++s) {
        sum += strips.sum[s * columns + c];
        if (!ranges) continue;
        absolute += strips.absolute[s * columns + c];
        minimum = smaller_value(minimum, strips.minimum[s * columns + c]);
        maximum = larger_value(maximum, strips.maximum[s * columns + c]);
      }
      shift[c] = static_cast<float>(sum / static_cast<double>(tokens));
      rest[c] = sum - static_cast<double>(tokens) * static_cast<double>(shift[c]);
      const bool first = tokens_before == 0;
      difference[c] = first ? 0.0 : mean_difference(sum, tokens, before.sum[c], tokens_before);
      joined.sum[c] = first ? sum : before.sum[c] + sum;
      if (!ranges) continue;
      joined.absolute[c] = first ? absolute : before.absolute[c] + absolute;
      joined.minimum[c] = first ? minimum : smaller_value(before.minimum[c], minimum);
      joined.maximum[c] = first ? maximum : larger_value(before.maximum[c], maximum);
    }
  }
};

/// Adds the column sums of other tokens to those of `into`, and notes the difference of the means.
struct merge_columns_body {
  static constexpr int lanes = 128;

  std::int64_t columns = 0;
  std::int64_t tokens = 0;
  column_sums into;
  std::int64_t other_tokens = 0;
  column_sums other;
  double* difference = nullptr;

  std::int64_t blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    for (std::int64_t c = block * lanes + group.rank(); c < columns && c < (block + 1) * lanes; c += group.size()) {
      difference[c] = mean_difference(other.sum[c], other_tokens, into.sum[c], tokens);
      into.sum[c] += other.sum[c];
      if (!into.ranges()) continue;
      into.absolute[c] += other.absolute[c];
      into.minimum[c] = smaller_value(into.minimum[c], other.minimum[c]);
      into.maximum[c] = larger_value(into.maximum[c], other.maximum[c]);
    }
  }
};

/// A tile less its shift; `out` may be the tile.
struct subtract_body {
  static constexpr int lanes = 128;
  static constexpr std::int64_t tokens_of_block = 16;

  const float* tile = nullptr;  // [tokens, columns]
  const float* shift = nullptr;
  std::int64_t tokens = 0;
  std::int64_t columns = 0;
  float* out = nullptr;

  MIQ_HOST_DEVICE std::int64_t column_blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t blocks() const { return (tokens + tokens_of_block - 1) / tokens_of_block * column_blocks(); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto first = block / column_blocks() * tokens_of_block;
    const auto first_column = block % column_blocks() * lanes;
    const auto end = first + tokens_of_block < tokens ? first + tokens_of_block : tokens;
    for (std::int64_t c = first_column + group.rank(); c < columns && c < first_column + lanes; c += group.size()) {
      const float away = shift[c];
      for (auto t = first; t < end; ++t) out[t * columns + c] = tile[t * columns + c] - away;
    }
  }
};

/// Joins products of some tokens to those of others, both around their own means: out = base + part + weight d d^T.
/// Products of a tile are around its shift, and what that leaves over is taken off: rest rest^T / tokens.
template <class Part>
struct join_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t rows_of_block = 4;

  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const double* base = nullptr;      // [rows, columns], or null for none
  const Part* part = nullptr;        // [rows, columns]
  const double* row_rest = nullptr;  // [rows]; null: none
  const double* column_rest = nullptr;
  double inverse_tokens = 0;
  const double* row_difference = nullptr;  // [rows]; read if there is a base
  const double* column_difference = nullptr;
  double weight = 0;
  double* out = nullptr;  // [rows, columns], may be `base`

  MIQ_HOST_DEVICE std::int64_t column_blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t blocks() const { return (rows + rows_of_block - 1) / rows_of_block * column_blocks(); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto first = block / column_blocks() * rows_of_block;
    const auto first_column = block % column_blocks() * lanes;
    const auto end = first + rows_of_block < rows ? first + rows_of_block : rows;
    for (std::int64_t j = first_column + group.rank(); j < columns && j < first_column + lanes; j += group.size())
      for (auto i = first; i < end; ++i) {
        auto value = static_cast<double>(part[i * columns + j]);
        if (row_rest != nullptr) value -= (row_rest[i] * column_rest[j]) * inverse_tokens;
        if (base != nullptr)
          value = (base[i * columns + j] + value) + (row_difference[i] * column_difference[j]) * weight;
        out[i * columns + j] = value;
      }
  }
};

/// `*to += *from`.
struct add_count_body {
  static constexpr int lanes = 32;
  const std::int64_t* from = nullptr;
  std::int64_t* to = nullptr;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte*) const {
    if (group.rank() == 0) *to += *from;
  }
};

/// Means and ranges in float. A column with one value has that value as its mean.
struct finish_columns_body {
  static constexpr int lanes = 128;

  std::int64_t columns = 0;
  std::int64_t tokens = 0;
  column_sums sums;
  float* mean = nullptr;
  float* mean_absolute = nullptr;  // these three are written if the sums have ranges
  float* minimum = nullptr;
  float* maximum = nullptr;

  std::int64_t blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto n = static_cast<double>(tokens);
    for (std::int64_t c = block * lanes + group.rank(); c < columns && c < (block + 1) * lanes; c += group.size()) {
      const bool ranges = sums.ranges();
      const bool constant = ranges && sums.minimum[c] == sums.maximum[c];
      mean[c] = constant ? sums.minimum[c] : static_cast<float>(sums.sum[c] / n);
      if (!ranges) continue;
      mean_absolute[c] = constant ? std::fabs(sums.minimum[c]) : static_cast<float>(sums.absolute[c] / n);
      minimum[c] = sums.minimum[c];
      maximum[c] = sums.maximum[c];
    }
  }
};

/// Covariances from the products of `rows` columns, `row` and on, with all columns from `row` on; written to both
/// places, the mirrored ones from scratch, so that both are written row by row.
struct covariance_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 32;

  std::int64_t row = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;          // of the whole matrix
  const double* products = nullptr;  // [rows, columns - row]
  double tokens = 0;
  const float* minimum = nullptr;  // [columns]
  const float* maximum = nullptr;
  float* covariance = nullptr;  // [columns, columns]
  std::int64_t leading = 0;

  MIQ_HOST_DEVICE std::int64_t column_tiles() const { return (columns - row + tile - 1) / tile; }
  std::int64_t blocks() const { return (rows + tile - 1) / tile * column_tiles(); }
  std::int64_t scratch_bytes() const { return tile * (tile + 1) * static_cast<std::int64_t>(sizeof(float)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    const auto first = block / column_tiles() * tile;  // both within the panel
    const auto first_column = block % column_tiles() * tile;
    if (first_column < first) return;  // all lanes: the tile lies below the diagonal
    auto* const values = reinterpret_cast<float*>(scratch);
    const auto count = rows - first < tile ? rows - first : tile;
    const auto width = columns - row - first_column < tile ? columns - row - first_column : tile;
    for (std::int64_t k = group.rank(); k < count * width; k += group.size()) {
      const auto i = first + k / width;
      const auto j = first_column + k % width;
      if (j < i) continue;
      float value = 0;
      if (minimum[row + i] != maximum[row + i] && minimum[row + j] != maximum[row + j])
        value = static_cast<float>(products[i * (columns - row) + j] / tokens);
      if (i == j && value < 0.0F) value = 0;  // by rounding only
      covariance[(row + i) * leading + row + j] = value;
      values[(i - first) * (tile + 1) + (j - first_column)] = value;
    }
    group.sync();
    for (std::int64_t k = group.rank(); k < count * width; k += group.size()) {
      const auto i = first + k % count;
      const auto j = first_column + k / count;
      if (i < j) covariance[(row + j) * leading + row + i] = values[(i - first) * (tile + 1) + (j - first_column)];
    }
  }
};

/// 2/n sum x y^T of some columns x with all columns y, from products around the means.
struct moment_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t rows_of_block = 4;

  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const double* products = nullptr;  // [rows, columns]
  double tokens = 0;
  const double* row_sum = nullptr;     // [rows]
  const double* column_sum = nullptr;  // [columns]
  float* moment = nullptr;             // [rows, columns]
  std::int64_t leading = 0;

  MIQ_HOST_DEVICE std::int64_t column_blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t blocks() const { return (rows + rows_of_block - 1) / rows_of_block * column_blocks(); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto first = block / column_blocks() * rows_of_block;
    const auto first_column = block % column_blocks() * lanes;
    const auto end = first + rows_of_block < rows ? first + rows_of_block : rows;
    for (std::int64_t j = first_column + group.rank(); j < columns && j < first_column + lanes; j += group.size())
      for (auto i = first; i < end; ++i)
        moment[i * leading + j] = static_cast<float>(
            2.0 * (products[i * columns + j] / tokens + (row_sum[i] / tokens) * (column_sum[j] / tokens)));
  }
};

/// `2 (C + m m^T)`, element by element.
struct hessian_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t rows_of_block = 4;

  std::int64_t columns = 0;
  const float* covariance = nullptr;
  std::int64_t covariance_leading = 0;
  const float* mean = nullptr;
  float* hessian = nullptr;
  std::int64_t hessian_leading = 0;

  MIQ_HOST_DEVICE std::int64_t column_blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t blocks() const { return (columns + rows_of_block - 1) / rows_of_block * column_blocks(); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto first = block / column_blocks() * rows_of_block;
    const auto first_column = block % column_blocks() * lanes;
    const auto end = first + rows_of_block < columns ? first + rows_of_block : columns;
    for (std::int64_t j = first_column + group.rank(); j < columns && j < first_column + lanes; j += group.size())
      for (auto i = first; i < end; ++i)  // the product of two floats is exact in double, fused or not
        hessian[i * hessian_leading + j] =
            static_cast<float>(2.0 * (static_cast<double>(covariance[i * covariance_leading + j]) +
                                      static_cast<double>(mean[i]) * static_cast<double>(mean[j])));
  }
};

}  // namespace miq::calibration::detail
