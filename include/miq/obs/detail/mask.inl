#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include <miq/core/detail/finite.hpp>

namespace miq::obs {

namespace detail {

using miq::detail::require;
using miq::detail::shape_text;

/// The bits of a saliency, which order like the saliency itself. One that overflows counts as infinite.
inline std::int32_t mask_key(float weight, float column_saliency) {
  const float root = weight * column_saliency;
  return std::bit_cast<std::int32_t>(root * root) & 0x7FFFFFFF;
}

/// A choice among all weights of some columns: a search for the key of the last weight that goes, digit by digit.
struct mask_search {
  const host_executor& exec;
  matrix_view<const float> weights;
  vector_view<const float> column_saliency;
  matrix_view<std::uint8_t> kept;
  std::int64_t first = 0;  // columns
  std::int64_t last = 0;

  static constexpr int digits[3] = {20, 9, 0};  // shifts; 11, 11 and 9 bits
  static constexpr std::int64_t digit_values = 2048;

  std::int64_t rows_of_task() const { return std::max<std::int64_t>(16, (weights.rows() + 63) / 64); }
  std::int64_t tasks() const { return (weights.rows() + rows_of_task() - 1) / rows_of_task(); }

  template <class Use>
  void for_each_key(std::int64_t task, const Use& use) const {
    for (auto r = task * rows_of_task(); r < std::min(weights.rows(), (task + 1) * rows_of_task()); ++r)
      for (auto c = first; c < last; ++c) use(r, c, mask_key(weights(r, c), column_saliency[c]));
  }

  void run(std::int64_t count) const {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(tasks() * digit_values));
    std::int32_t prefix = 0;    // the digits found so far
    std::int32_t settled = 0;   // their bits
    std::int64_t left = count;  // to be masked among the keys that share them
    for (const int shift : digits) {
      exec.parallel_for(tasks(), [&](std::int64_t task) {
        auto* const mine = counts.data() + task * digit_values;
        std::fill_n(mine, digit_values, 0);
        for_each_key(task, [&](std::int64_t, std::int64_t, std::int32_t key) {
          if ((key & settled) == prefix) ++mine[((key & ~settled) >> shift) & (digit_values - 1)];
        });
      });
      std::int64_t digit = 0;
      for (; digit + 1 < digit_values; ++digit) {
        std::int64_t here = 0;
        for (std::int64_t task = 0; task < tasks(); ++task)
          here += counts[static_cast<std::size_t>(task * digit_values + digit)];
        if (here >= left) break;
        left -= here;
      }
      prefix |= static_cast<std::int32_t>(digit) << shift;
      settled = static_cast<std::int32_t>(0x7FFFFFFFU & ~((std::uint32_t{1} << shift) - 1));
    }
    // `left` of the weights with exactly that key go, the first ones: count them task by task.
    std::vector<std::int64_t> ties(static_cast<std::size_t>(tasks()));
    exec.parallel_for(tasks(), [&](std::int64_t task) {
      for_each_key(task, [&](std::int64_t, std::int64_t, std::int32_t key) {
        ties[static_cast<std::size_t>(task)] += key == prefix ? 1 : 0;
      });
    });
    for (auto& here : ties) {
      const auto take = std::min(here, left);
      left -= take;
      here = take;
    }
    exec.parallel_for(tasks(), [&](std::int64_t task) {
      auto allowed = ties[static_cast<std::size_t>(task)];
      for_each_key(task, [&](std::int64_t r, std::int64_t c, std::int32_t key) {
        const bool masked = key < prefix || (key == prefix && allowed-- > 0);
        kept(r, c) = masked ? 0 : 1;
      });
    });
  }
};

/// Masks the `count` least salient of the columns [first, last) of a row; ties by column.
inline void mask_in_row(const float* weights, vector_view<const float> column_saliency, std::int64_t first,
                        std::int64_t last, std::int64_t count, std::vector<std::int32_t>& keys, std::uint8_t* kept) {
  std::fill(kept + first, kept + last, std::uint8_t{1});
  if (count <= 0) return;
  keys.clear();
  for (auto c = first; c < last; ++c) keys.push_back(mask_key(weights[c], column_saliency[c]));
  std::nth_element(keys.begin(), keys.begin() + (count - 1), keys.end());
  const auto limit = keys[static_cast<std::size_t>(count - 1)];
  auto ties = count - std::count_if(keys.begin(), keys.end(), [&](std::int32_t key) { return key < limit; });
  for (auto c = first; c < last; ++c) {
    const auto key = mask_key(weights[c], column_saliency[c]);
    if (key < limit || (key == limit && ties-- > 0)) kept[c] = 0;
  }
}

inline std::int64_t select_mask_on(const host_executor& exec, matrix_view<const float> weights,
                                   vector_view<const float> column_saliency, matrix_view<std::uint8_t> kept,
                                   const mask_options& options) {
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  require(!weights.empty(), "select_mask: weights must not be empty, got ", shape_text(rows, columns));
  require(column_saliency.size() == columns, "select_mask: column_saliency must hold a value for each of the ", columns,
          " columns, got ", column_saliency.size());
  for (std::int64_t c = 0; c < columns; ++c)
    require(column_saliency[c] >= 0 && std::isfinite(column_saliency[c]), "select_mask: column_saliency of column ", c,
            " must be finite and not negative, got ", column_saliency[c]);
  require(kept.rows() == rows && kept.columns() == columns, "select_mask: kept must be ", shape_text(rows, columns),
          " like the weights, got ", shape_text(kept.rows(), kept.columns()));
  require(!miq::detail::ranges_overlap(weights.data(), miq::detail::spanned_bytes(weights), kept.data(),
                                       miq::detail::spanned_bytes(kept)),
          "select_mask: kept must not overlap weights");
  require(options.sparsity >= 0 && options.sparsity < 1, "select_mask: sparsity must be in [0, 1), got ",
          options.sparsity);
  require(options.column_block >= 1, "select_mask: column_block must be at least 1, got ", options.column_block);
  require(options.pattern_width >= 1, "select_mask: pattern_width must be at least 1, got ", options.pattern_width);
  require(options.pattern_kept >= 1 && options.pattern_kept <= options.pattern_width,
          "select_mask: pattern_kept must be 1 to pattern_width, which is ", options.pattern_width, ", got ",
          options.pattern_kept);
  miq::detail::require_finite(exec, weights, "select_mask", "weights");

  std::int64_t masked = 0;
  if (options.scope == selection_scope::layer || options.scope == selection_scope::column_block) {
    const auto block = options.scope == selection_scope::layer ? columns : options.column_block;
    for (std::int64_t first = 0; first < columns; first += block) {
      const auto last = std::min(columns, first + block);
      const auto count = static_cast<std::int64_t>(options.sparsity * static_cast<double>(rows * (last - first)));
      if (count > 0) {
        mask_search{exec, weights, column_saliency, kept, first, last}.run(count);
      } else {
        for (std::int64_t r = 0; r < rows; ++r) std::fill_n(&kept(r, first), last - first, std::uint8_t{1});
      }
      masked += count;
    }
    return masked;
  }

  const bool by_row = options.scope == selection_scope::row;
  const auto width = by_row ? columns : options.pattern_width;
  const auto masked_of = [&](std::int64_t of) {
    return by_row ? static_cast<std::int64_t>(options.sparsity * static_cast<double>(of))
                  : std::max<std::int64_t>(of - options.pattern_kept, 0);
  };
  constexpr std::int64_t rows_of_task = 16;
  exec.parallel_for((rows + rows_of_task - 1) / rows_of_task, [&](std::int64_t task) {
    std::vector<std::int32_t> keys;
    keys.reserve(static_cast<std::size_t>(std::min(width, columns)));
    for (auto r = task * rows_of_task; r < std::min(rows, (task + 1) * rows_of_task); ++r)
      for (std::int64_t first = 0; first < columns; first += width) {
        const auto last = std::min(columns, first + width);
        mask_in_row(&weights(r, 0), column_saliency, first, last, masked_of(last - first), keys, &kept(r, 0));
      }
  });
  for (std::int64_t first = 0; first < columns; first += width)
    masked += rows * masked_of(std::min(columns, first + width) - first);
  return masked;
}

}  // namespace detail

template <executor Exec>
std::int64_t select_mask(const Exec& exec, matrix_view<const float, memory_of<Exec>> weights,
                         vector_view<const float, memory_of<Exec>> column_saliency,
                         matrix_view<std::uint8_t, memory_of<Exec>> kept, const mask_options& options) {
  return detail::select_mask_on(exec, weights, column_saliency, kept, options);
}

}  // namespace miq::obs
