// `select_mask` on a device: what is launched in which order, and where it finds its scratch.
#pragma once

#include <algorithm>
#include <cstdint>

#include <miq/core/workspace.hpp>
#include <miq/obs/detail/selection/body.hpp>
#include <miq/obs/mask.hpp>

namespace miq::obs::detail {

/// Whether weights of different rows compete, and in how many columns side by side.
struct mask_cut {
  bool across_rows;
  std::int64_t width;

  mask_cut(std::int64_t columns, const mask_options& options)
      : across_rows(options.scope == mask_scope::layer || options.scope == mask_scope::column_block),
        width(options.scope == mask_scope::column_block ? std::min(columns, options.column_block)
              : options.scope == mask_scope::n_of_m     ? options.pattern_width
                                                        : columns) {}
};

/// How many of `size` weights that compete are masked.
inline std::int64_t masked_of(std::int64_t size, const mask_options& options) {
  return options.scope == mask_scope::n_of_m ? std::max<std::int64_t>(size - options.pattern_kept, 0)
                                             : static_cast<std::int64_t>(options.sparsity * static_cast<double>(size));
}

/// The scratch of `select_mask` on a device.
struct device_mask_scratch {
  device_mask_scratch(std::int64_t rows, std::int64_t columns, const mask_options& options) : cut(columns, options) {
    if (!cut.across_rows) return;
    selection = layout.add<std::int64_t>(selection_words);
    const auto rest = columns % cut.width;
    ties =
        layout.add<std::int64_t>(std::max(blocks_of_rows(rows, cut.width), rest == 0 ? 0 : blocks_of_rows(rows, rest)));
  }

  miq::detail::workspace_layout layout;
  mask_cut cut;
  std::int64_t selection = 0;  // histograms and states
  std::int64_t ties = 0;
};

/// Enqueues a selection whose arguments have been checked; returns how many weights it masks.
template <class Machine, class Memory, class Space, class T>
std::int64_t select_mask_on_machine(const Machine& machine, const device_mask_scratch& plan, const Memory& memory,
                                    const matrix_view<const T, Space>& weights,
                                    const vector_view<const float, Space>& column_saliency,
                                    const matrix_view<std::uint8_t, Space>& kept, const mask_options& options) {
  const char* const name = "select_mask";
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  const auto width = plan.cut.width;
  std::int64_t masked = 0;
  if (plan.cut.across_rows) {
    auto* const words = memory.template at<std::int64_t>(plan.selection);
    machine.launch(name, clear_body{selection_words, words});
    for (std::int64_t first = 0; first < columns; first += width) {
      const auto here = std::min(width, columns - first);
      const auto count = masked_of(rows * here, options);
      masked += count;
      mask_least_salient(
          machine, name,
          selection<T>{rows, here, weights.data() + first, weights.leading(), column_saliency.data() + first, count,
                       words, reinterpret_cast<selection_state*>(words + digits * digit_bins),
                       memory.template at<std::int64_t>(plan.ties)},
          kept.data() + first, kept.leading());
    }
    return masked;
  }
  const auto rest = columns % width;
  mask_segments(machine, name, rows, columns, width, masked_of(width, options), masked_of(rest, options),
                weights.data(), weights.leading(), column_saliency.data(), kept.data(), kept.leading());
  return rows * (columns / width * masked_of(width, options) + (rest == 0 ? 0 : masked_of(rest, options)));
}

}  // namespace miq::obs::detail
