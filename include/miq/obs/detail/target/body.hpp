// The functions of obs/target.hpp on a device: kernel bodies, and the order in which they and products run.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <miq/core/detail/machine.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/detail/solver/lane_loops.hpp>
#include <miq/obs/detail/target/checks.hpp>

namespace miq::obs::detail {

/// to = from^T, by tiles that pass through scratch, so that both are read and written row by row.
struct transpose_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 32;
  std::int64_t rows = 0;  // of `from`
  std::int64_t columns = 0;
  const float* from = nullptr;
  std::int64_t from_leading = 0;
  float* to = nullptr;
  std::int64_t to_leading = 0;

  MIQ_HOST_DEVICE std::int64_t tiles_across() const { return (columns + tile - 1) / tile; }
  std::int64_t blocks() const { return (rows + tile - 1) / tile * tiles_across(); }
  std::int64_t scratch_bytes() const { return tile * (tile + 1) * static_cast<std::int64_t>(sizeof(float)); }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const values = reinterpret_cast<float*>(scratch);
    const auto row = block / tiles_across() * tile;
    const auto column = block % tiles_across() * tile;
    const auto down = rows - row < tile ? rows - row : tile;
    const auto across = columns - column < tile ? columns - column : tile;
    for_elements(group, down, across, [&](std::int64_t r, std::int64_t c) {
      values[r * (tile + 1) + c] = from[(row + r) * from_leading + column + c];
    });
    group.sync();
    for_elements(group, across, down, [&](std::int64_t c, std::int64_t r) {
      to[(column + c) * to_leading + row + r] = values[r * (tile + 1) + c];
    });
  }
};

/// W* = W + strength * step of one row per block, and three sums of squares: of the change, of W, of the change as U
/// sees it.
template <class T>
struct move_target_body {
  static constexpr int lanes = 256;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const T* weights = nullptr;
  std::int64_t weights_leading = 0;
  const float* moved = nullptr;    // [rows, columns]
  const float* halfway = nullptr;  // [rows, columns]
  float strength = 1;
  float* shifted = nullptr;
  std::int64_t shifted_leading = 0;
  double* norms = nullptr;  // [rows, 3]

  std::int64_t blocks() const { return rows; }
  std::int64_t scratch_bytes() const { return 8 * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t row, std::byte* scratch) const {
    double change = 0;
    double before = 0;
    double seen = 0;
    for (std::int64_t c = group.rank(); c < columns; c += group.size()) {
      const float step = strength * moved[row * columns + c];
      const auto w = static_cast<float>(weights[row * weights_leading + c]);
      const auto other = static_cast<double>(halfway[row * columns + c]);
      shifted[row * shifted_leading + c] = w + step;
      change += static_cast<double>(step) * static_cast<double>(step);
      before += static_cast<double>(w) * static_cast<double>(w);
      seen += other * other;
    }
    auto* const slots = reinterpret_cast<double*>(scratch);
    change = sum_over_lanes(group, change, slots);
    before = sum_over_lanes(group, before, slots);
    seen = sum_over_lanes(group, seen, slots);
    if (group.rank() == 0) {
      norms[3 * row] = change;
      norms[3 * row + 1] = before;
      norms[3 * row + 2] = seen;
    }
  }
};

/// The result from the rows' sums. One block; the order of the additions depends on the number of lanes.
struct target_norms_body {
  static constexpr int lanes = 1024;
  std::int64_t rows = 0;
  const double* norms = nullptr;
  double strength = 1;
  device_target_result* result = nullptr;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return 8 * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    double change = 0;
    double before = 0;
    double seen = 0;
    std::int64_t lost = 0;
    for (std::int64_t r = group.rank(); r < rows; r += group.size()) {
      const double* const own = norms + 3 * r;
      change += own[0];
      before += own[1];
      seen += own[2];
      const double all = own[0] + own[1] + own[2];
      lost += all - all == 0 ? 0 : 1;
    }
    auto* const slots = reinterpret_cast<double*>(scratch);
    change = sum_over_lanes(group, change, slots);
    before = sum_over_lanes(group, before, slots);
    seen = sum_over_lanes(group, seen, slots);
    lost = sum_over_lanes(group, lost, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0) {
      result->change = before > 0 ? std::sqrt(change / before) : 0.0;
      result->gain = (strength - strength * strength / 2) * seen;
      result->not_finite = lost;
    }
  }
};

/// Sums of squares of the columns' weights, of `chunk` rows a block.
template <class T>
struct column_energy_body {
  static constexpr int lanes = 256;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const T* weights = nullptr;
  std::int64_t leading = 0;
  double* partial = nullptr;  // [chunks, columns]
  std::int64_t chunk = 1;     // rows of a chunk

  static constexpr std::int64_t chunk_of(std::int64_t rows) { return std::max<std::int64_t>(64, (rows + 63) / 64); }
  static constexpr std::int64_t chunks_of(std::int64_t rows) { return (rows + chunk_of(rows) - 1) / chunk_of(rows); }

  MIQ_HOST_DEVICE std::int64_t tiles() const { return (columns + lanes - 1) / lanes; }
  std::int64_t blocks() const { return (rows + chunk - 1) / chunk * tiles(); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto part = block / tiles();
    const auto first = block % tiles() * lanes;
    const auto last = columns < first + lanes ? columns : first + lanes;
    const auto bottom = rows < (part + 1) * chunk ? rows : (part + 1) * chunk;
    for (auto c = first + group.rank(); c < last; c += group.size()) {
      double sum = 0;
      for (auto r = part * chunk; r < bottom; ++r) {
        const auto w = static_cast<double>(static_cast<float>(weights[r * leading + c]));
        sum += w * w;
      }
      partial[part * columns + c] = sum;
    }
  }
};

/// Raises the diagonal. One block; the mean depends on the number of lanes by the order of its additions.
struct raise_diagonal_body {
  static constexpr int lanes = 1024;
  std::int64_t columns = 0;
  std::int64_t chunks = 0;
  double* partial = nullptr;  // [chunks, columns]; its first row is overwritten
  double share = 0;
  float* hessian = nullptr;
  std::int64_t leading = 0;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return 8 * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    double mean = 0;
    for (std::int64_t c = group.rank(); c < columns; c += group.size()) {
      double energy = 0;
      for (std::int64_t part = 0; part < chunks; ++part) energy += partial[part * columns + c];
      energy *= static_cast<double>(hessian[c * leading + c]);
      partial[c] = energy;
      mean += energy / static_cast<double>(columns);
    }
    mean = sum_over_lanes(group, mean, reinterpret_cast<double*>(scratch));
    for (std::int64_t c = group.rank(); c < columns; c += group.size()) {
      // Contents were not checked: what is not finite leaves a diagonal that `factor` rejects.
      const double times = mean - mean == 0 ? ridge_share(partial[c], mean, share) : mean - mean;
      float& entry = hessian[c * leading + c];
      entry = static_cast<float>(static_cast<double>(entry) * (1 + times));
    }
  }
};

/// Mean outputs of rows, one per block: `sum`, or `bias + (target - sum)` where there is a target.
template <class T>
struct row_output_body {
  static constexpr int lanes = 128;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const T* weights = nullptr;
  std::int64_t leading = 0;
  const float* mean = nullptr;    // [columns]
  const float* target = nullptr;  // [rows] or null
  const float* bias = nullptr;    // [rows] or null
  float* output = nullptr;        // [rows]; may be `bias`

  std::int64_t blocks() const { return rows; }
  std::int64_t scratch_bytes() const { return 8 * lanes; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t row, std::byte* scratch) const {
    double sum = 0;
    for (std::int64_t c = group.rank(); c < columns; c += group.size())
      sum += static_cast<double>(static_cast<float>(weights[row * leading + c])) * static_cast<double>(mean[c]);
    sum = sum_over_lanes(group, sum, reinterpret_cast<double*>(scratch));
    if (group.rank() != 0) return;
    if (target == nullptr) {
      output[row] = static_cast<float>(sum);
    } else {
      const double before = bias != nullptr ? static_cast<double>(bias[row]) : 0.0;
      output[row] = static_cast<float>(before + (static_cast<double>(target[row]) - sum));
    }
  }
};

/// The scratch of `shift_target` on a device.
struct device_target_scratch {
  device_target_scratch(std::int64_t rows, std::int64_t columns)
      : moved(layout.add<float>(rows * columns)),
        halfway(layout.add<float>(rows * columns)),
        norms(layout.add<double>(3 * rows)) {}

  miq::detail::workspace_layout layout;
  std::int64_t moved, halfway;  // [rows, columns]
  std::int64_t norms;           // [rows, 3]
};

/// out = in U^T U, an eighth of the columns at a time, so that most of U's zeros are left out; `half` receives in U^T.
/// All [rows, columns] without padding; `out` may be `in`.
template <class Machine>
void multiply_by_inverse_on_machine(const Machine& machine, const char* name, std::int64_t rows, std::int64_t n,
                                    const float* in, const float* upper, std::int64_t upper_leading, float* halfway,
                                    float* out) {
  using miq::detail::operand;
  const auto width = std::max<std::int64_t>(256, (n / 8 + 63) / 64 * 64);
  for (std::int64_t first = 0; first < n; first += width)
    machine.multiply(name, operand::as_is, operand::transposed, rows, std::min(width, n - first), n - first, 1.0F,
                     in + first, n, upper + first * upper_leading + first, upper_leading, 0.0F, halfway + first, n);
  for (std::int64_t first = 0; first < n; first += width) {
    const auto last = std::min(n, first + width);
    machine.multiply(name, operand::as_is, operand::as_is, rows, last - first, last, 1.0F, halfway, n, upper + first,
                     upper_leading, 0.0F, out + first, n);
  }
}

/// Enqueues a `shift_target` whose shapes have been checked.
template <class Machine, class Memory, class Space, class T>
void shift_target_on_machine(const Machine& machine, const char* name, bool to_outputs,
                             const device_target_scratch& plan, const Memory& memory,
                             const matrix_view<const T, Space>& weights, const matrix_view<const float, Space>& moments,
                             const matrix_view<const float, Space>& upper, const matrix_view<float, Space>& shifted,
                             const target_options& options, device_target_result* result) {
  const auto rows = weights.rows();
  const auto n = weights.columns();
  auto* const moved = memory.template at<float>(plan.moved);
  auto* const halfway = memory.template at<float>(plan.halfway);
  auto* const norms = memory.template at<double>(plan.norms);
  if (options.strength == 0) {
    machine.launch(
        name, convert_body<T, float>{rows, n, weights.data(), weights.leading(), shifted.data(), shifted.leading()});
    machine.launch(name, target_norms_body{0, norms, 0, result});
    return;
  }
  if (to_outputs) {
    machine.launch(name, transpose_body{n, rows, moments.data(), moments.leading(), moved, n});
  } else {
    const float* from = nullptr;
    std::int64_t from_leading = n;
    if constexpr (std::is_same_v<T, float>) {
      from = weights.data();
      from_leading = weights.leading();
    } else {
      machine.launch(name, convert_body<T, float>{rows, n, weights.data(), weights.leading(), halfway, n});
      from = halfway;
    }
    using miq::detail::operand;
    machine.multiply(name, operand::as_is, operand::transposed, rows, n, n, 1.0F, from, from_leading, moments.data(),
                     moments.leading(), 0.0F, moved, n);
  }
  multiply_by_inverse_on_machine(machine, name, rows, n, moved, upper.data(), upper.leading(), halfway, moved);
  machine.launch(name,
                 move_target_body<T>{rows, n, weights.data(), weights.leading(), moved, halfway,
                                     static_cast<float>(options.strength), shifted.data(), shifted.leading(), norms});
  machine.launch(name, target_norms_body{rows, norms, options.strength, result});
}

/// The scratch of `add_target_ridge` on a device.
struct device_ridge_scratch {
  device_ridge_scratch(std::int64_t rows, std::int64_t columns)
      : chunks(column_energy_body<float>::chunks_of(rows)), partial(layout.add<double>(chunks * columns)) {}

  miq::detail::workspace_layout layout;
  std::int64_t chunks;
  std::int64_t partial;  // [chunks, columns]
};

template <class Machine, class Memory, class Space, class T>
void add_target_ridge_on_machine(const Machine& machine, const device_ridge_scratch& plan, const Memory& memory,
                                 const matrix_view<const T, Space>& weights, const matrix_view<float, Space>& hessian,
                                 double share) {
  auto* const partial = memory.template at<double>(plan.partial);
  machine.launch("add_target_ridge",
                 column_energy_body<T>{weights.rows(), weights.columns(), weights.data(), weights.leading(), partial,
                                       column_energy_body<T>::chunk_of(weights.rows())});
  machine.launch("add_target_ridge", raise_diagonal_body{weights.columns(), plan.chunks, partial, share, hessian.data(),
                                                         hessian.leading()});
}

}  // namespace miq::obs::detail
