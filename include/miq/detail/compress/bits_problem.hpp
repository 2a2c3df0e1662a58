// What bits of a layer's groups are chosen from.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <miq/allocation/column_costs.hpp>
#include <miq/compress_options.hpp>
#include <miq/core/matrix.hpp>
#include <miq/grouping/partition.hpp>

namespace miq::detail {

/// Kept weights of a column where the sweep will choose the mask.
inline double expected_kept(std::int64_t rows, const compress_options& options) {
  if (options.mask == obs::mask_scope::none) return static_cast<double>(rows);
  if (options.mask == obs::mask_scope::n_of_m)
    return static_cast<double>(rows) *
           (static_cast<double>(options.pattern_kept) / static_cast<double>(options.pattern_width));
  return static_cast<double>(rows) * (1 - options.sparsity);
}

/// The groups that share a width, and the widths.
struct bits_choice {
  std::vector<std::int32_t> labels;  ///< of the columns, in the order of the sweep
  std::vector<int> bits;             ///< of each group
  std::vector<double> importances;   ///< of each group
};

/// A layer whose groups get their bits: what is known of it once its weights have been measured, on whatever machine
/// they are. Everything is in the order of the sweep.
struct bits_problem {
  std::int64_t row_count;
  std::span<const std::int32_t> labels;       // of the columns
  const std::vector<double>& kept_by_column;  // counted where the mask is known, else expected
  const allocation::column_costs& measured;
  const grouping::partition& groups;
  const compress_options& options;
  std::function<matrix<double>(std::span<const std::uint8_t>)> grid_errors;  // of all groups at these widths
  std::function<std::vector<float>()> importances;                           // of the columns, by `options.importance`

  std::int64_t rows() const { return row_count; }
  std::int64_t columns() const { return static_cast<std::int64_t>(labels.size()); }
  std::int64_t group_count() const { return groups.groups(); }
};

}  // namespace miq::detail
