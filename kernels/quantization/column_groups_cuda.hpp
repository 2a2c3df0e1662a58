// quantization/column_groups_cuda.hpp: groups of columns and the grids of a layer in device memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/quantization/detail/fit/checks.hpp>
#include <miq/quantization/detail/fit/group_table.hpp>
#include <miq/quantization/fit_options.hpp>
#include <miq/quantization/grid_set.hpp>

namespace miq::quantization {

/// The groups of a layer's columns and their widths, in device memory in the form that kernels read, and on the host.
/// Made once; fits of any number of layers with these groups may use it.
class device_column_groups {
 public:
  device_column_groups() = default;

  /// Takes about 16 bytes per column and 16 per group from the executor's resource, and copies them from pageable host
  /// memory, so that the runtime may wait for the stream. Not inside a capture.
  /// @param labels  [columns], on the host: the group of each column, 0 ... groups - 1
  /// @param bits    [groups], on the host, 1 to 8
  /// @throws invalid_argument  for a label or a width out of range, or none of them
  device_column_groups(const cuda_executor& exec, std::span<const std::int32_t> labels,
                       std::span<const std::uint8_t> bits) {
    detail::check_groups("device_column_groups", labels, bits);
    labels_.assign(labels.begin(), labels.end());
    bits_.assign(bits.begin(), bits.end());
    const auto groups = detail::columns_by_group(labels_, this->groups());
    const detail::group_table_layout layout(columns(), this->groups(), detail::count_chunks(groups));
    std::vector<std::byte> bytes(static_cast<std::size_t>(layout.all.bytes()));
    detail::write_group_table(layout, groups, labels_, bits_, bytes.data());
    memory_ = device_array<std::byte>(layout.all.bytes(), exec.stream(), exec.resource());
    copy(exec, vector_view<const std::byte>(bytes), memory_.view());
    table_ = layout.at(memory_.data());
  }

  std::int64_t columns() const { return static_cast<std::int64_t>(labels_.size()); }
  std::int64_t groups() const { return static_cast<std::int64_t>(bits_.size()); }
  std::span<const std::int32_t> labels() const { return labels_; }  ///< on the host
  std::span<const std::uint8_t> bits() const { return bits_; }      ///< on the host

  /// Columns of scales and zero points that a layout has with these groups.
  std::int64_t grid_columns(grid_layout layout) const { return has_column_scales(layout) ? columns() : groups(); }
  /// `grid_set_view::column_grid` of a layout, on the device: [columns].
  vector_view<const std::int32_t, device_memory> column_grid(grid_layout layout) const {
    return {has_column_scales(layout) ? table_.places : table_.labels, columns()};
  }
  /// `grid_set_view::bits` of a layout, on the device: [grid columns].
  vector_view<const std::uint8_t, device_memory> grid_bits(grid_layout layout) const {
    return {has_column_scales(layout) ? table_.column_bits : table_.bits, grid_columns(layout)};
  }

  const detail::group_table& table() const { return table_; }  ///< what kernels read

 private:
  std::vector<std::int32_t> labels_;
  std::vector<std::uint8_t> bits_;
  device_array<std::byte> memory_;
  detail::group_table table_;
};

/// Where a fit writes its grids: the caller's device memory.
struct grid_outputs {
  matrix_view<float, device_memory> scale;         ///< [rows or 1, grid columns]
  matrix_view<float, device_memory> zero;          ///< the same shape
  vector_view<float, device_memory> row_factor{};  ///< [rows] for rank-one layouts, else empty
};

/// The grids of a layer, owned, in device memory: `grid_set` with its arrays on the device.
class device_grid_set {
 public:
  device_grid_set() = default;

  /// Room for the grids of a layer, not initialised; `fit_grids` fills it. Allocates from the executor's resource.
  /// @throws invalid_argument  if `rows` is not positive or `groups` is empty
  device_grid_set(const cuda_executor& exec, std::int64_t rows, device_column_groups groups, const fit_options& options)
      : groups_(std::move(groups)),
        options_(options),
        scale_rows_(options.layout == grid_layout::per_row_and_group ? rows : 1) {
    miq::detail::require(rows > 0 && groups_.columns() > 0, "device_grid_set: rows and groups must not be empty, got ",
                         rows, " rows and ", groups_.columns(), " columns");
    const auto count = scale_rows_ * groups_.grid_columns(options.layout);
    scale_ = device_array<float>(count, exec.stream(), exec.resource());
    zero_ = device_array<float>(count, exec.stream(), exec.resource());
    row_factor_ = device_array<float>(is_rank_one(options.layout) ? rows : 0, exec.stream(), exec.resource());
  }

  /// Room for grids of the same layer and kind whose columns are grouped in another way.
  device_grid_set with_groups(const cuda_executor& exec, device_column_groups groups) const {
    return device_grid_set(exec, std::max(scale_rows_, row_factor_.size()), std::move(groups), options_);
  }

  const device_column_groups& groups() const { return groups_; }
  grid_layout layout() const { return options_.layout; }
  grid_symmetry symmetry() const { return options_.symmetry; }
  scale_format format() const { return options_.format; }

  grid_outputs outputs() {
    const auto across = groups_.grid_columns(options_.layout);
    return {scale_.as_matrix(scale_rows_, across), zero_.as_matrix(scale_rows_, across), row_factor_.view()};
  }
  /// What `quantise`, `dequantise` and the sweep take.
  grid_set_view<device_memory> view() const {
    const auto across = groups_.grid_columns(options_.layout);
    return {scale_.as_matrix(scale_rows_, across),
            zero_.as_matrix(scale_rows_, across),
            groups_.grid_bits(options_.layout),
            groups_.column_grid(options_.layout),
            row_factor_.view(),
            options_.symmetry};
  }

  /// The grids on the host. Synchronises.
  grid_set fetch(const cuda_executor& exec) const {
    const bool own = has_column_scales(options_.layout);
    const auto across = groups_.grid_columns(options_.layout);
    grid_set on_host;
    on_host.symmetry = options_.symmetry;
    on_host.format = options_.format;
    on_host.layout = options_.layout;
    on_host.scale = matrix<float>(scale_rows_, across);
    on_host.zero = matrix<float>(scale_rows_, across);
    on_host.row_factor.resize(static_cast<std::size_t>(row_factor_.size()));
    for (std::int64_t c = 0; c < groups_.columns(); ++c) {
      const auto label = groups_.labels()[static_cast<std::size_t>(c)];
      on_host.column_grid.push_back(own ? static_cast<std::int32_t>(c) : label);
      if (own) on_host.bits.push_back(groups_.bits()[static_cast<std::size_t>(label)]);
    }
    if (!own) on_host.bits.assign(groups_.bits().begin(), groups_.bits().end());
    const auto grids = view();
    copy(exec, grids.scale, on_host.scale.view());
    copy(exec, grids.zero, on_host.zero.view());
    copy(exec, grids.row_factor, vector_view<float>(on_host.row_factor));
    exec.synchronise();
    return on_host;
  }

 private:
  device_column_groups groups_;
  fit_options options_;
  std::int64_t scale_rows_ = 0;
  device_array<float> scale_;
  device_array<float> zero_;
  device_array<float> row_factor_;
};

}  // namespace miq::quantization
