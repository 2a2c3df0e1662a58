// Refit of kept weights by conjugate gradients: the kernel bodies. The order of launches is in schedule.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>
#include <miq/obs/detail/solver/lane_loops.hpp>
#include <miq/obs/refit_options.hpp>

// In front of loops over arrays that a device is to keep in registers.
#if defined(__CUDA_ARCH__)
#define MIQ_REFIT_UNROLL _Pragma("unroll")
#else
#define MIQ_REFIT_UNROLL
#endif

namespace miq::obs::detail {

/// Columns that are solved before a product carries them to all others.
inline constexpr std::int64_t refit_device_block = 256;
/// Columns of a block that one launch solves, before a product carries them to the rest of the block.
inline constexpr std::int64_t refit_device_leaf = 64;

/// The arrays of a refit; [rows, columns] without padding unless they are the caller's.
struct refit_arrays {
  std::int64_t rows = 0, columns = 0;
  const float* target = nullptr;
  std::int64_t target_leading = 0;
  const float* start = nullptr;  // null: the target
  std::int64_t start_leading = 0;
  const std::uint8_t* kept = nullptr;
  std::int64_t kept_leading = 0;
  float* weights = nullptr;
  std::int64_t weights_leading = 0;
  float* diagonal = nullptr;      // [columns], of H + D
  float* inverse = nullptr;       // [columns], 1 / diagonal; 0 where the column is dead
  float* away = nullptr;          // w - w0, later K^-T p
  float* residual = nullptr;      // K^-1 r
  float* direction = nullptr;     // p
  float* image = nullptr;         // K^-1 (p - D K^-T p)
  double* loss = nullptr;         // [rows]
  double* squares = nullptr;      // [rows]: r^T (K D^-1 K^T)^-1 r; without iterations: what the pass gained
  std::int32_t* ended = nullptr;  // [rows]: 0 while the row goes on; k + 1 if it was done after k iterations, -(k + 1)
                                  // if it was stopped
};

/// The blocks of H + D on its diagonal, both triangles, zeros where a block is not full. Some rows of one per block.
struct refit_corners_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tall = 16;

  const float* hessian = nullptr;  // only the upper triangle is read
  std::int64_t leading = 0;
  std::int64_t columns = 0;
  const float* diagonal = nullptr;
  float* corners = nullptr;  // [blocks of columns, block, block]

  std::int64_t blocks() const {
    return (columns + refit_device_block - 1) / refit_device_block * (refit_device_block / tall);
  }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    constexpr auto side = refit_device_block;
    const auto first = block / (side / tall) * side;
    const auto top = block % (side / tall) * tall;
    for (std::int64_t k = group.rank(); k < tall * side; k += group.size()) {
      const auto i = first + top + k / side;
      const auto j = first + k % side;
      float value = 0;
      if (i < columns && j < columns)
        value = i == j ? diagonal[i] : i < j ? hessian[i * leading + j] : hessian[j * leading + i];
      corners[(first + top) * side + k] = value;
    }
  }
};

/// Loads the start of a row: weights, their distance from the target, and the loss of dead columns, which touch no
/// other.
struct refit_load_body {
  static constexpr int lanes = sum_parts;
  refit_arrays a;

  std::int64_t blocks() const { return a.rows; }
  std::int64_t scratch_bytes() const { return sum_parts * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t r, std::byte* scratch) const {
    const double apart_from_others =
        sum_in_parts(group, a.columns, reinterpret_cast<double*>(scratch), [&](std::int64_t c) {
          const float wanted = a.target[r * a.target_leading + c];
          const bool dead = a.inverse[c] == 0;
          float w = 0;
          if (a.kept[r * a.kept_leading + c] != 0)
            w = dead || a.start == nullptr ? wanted : a.start[r * a.start_leading + c];
          a.weights[r * a.weights_leading + c] = w;
          const float apart = w - wanted;
          a.away[r * a.columns + c] = dead ? 0.0F : apart;
          const auto square = static_cast<double>(apart) * static_cast<double>(apart);
          return dead ? 0.5 * square * static_cast<double>(a.diagonal[c]) : 0.0;
        });
    if (group.rank() == 0) {
      a.loss[r] = apart_from_others;
      a.squares[r] = 0;
      a.ended[r] = 0;
    }
  }
};

/// Zeros in the sums of a block that no other columns add to.
struct refit_clear_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tall = 16;

  std::int64_t rows = 0;
  float* sums = nullptr;  // [rows, block]

  std::int64_t blocks() const { return (rows + tall - 1) / tall; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto end = (block + 1) * tall < rows ? (block + 1) * tall : rows;
    for (auto k = block * tall * refit_device_block + group.rank(); k < end * refit_device_block; k += group.size())
      sums[k] = 0;
  }
};

/// Takes from each row's loss the product of its distance and the sums of a block.
struct refit_loss_body {
  static constexpr int lanes = 128;
  refit_arrays a;
  std::int64_t first = 0, width = 0;  // of the block
  const float* sums = nullptr;        // [rows, block]

  std::int64_t blocks() const { return a.rows; }
  std::int64_t scratch_bytes() const { return sum_parts * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t r, std::byte* scratch) const {
    const double product = sum_in_parts(group, width, reinterpret_cast<double*>(scratch), [&](std::int64_t j) {
      return static_cast<double>(a.away[r * a.columns + first + j]) *
             static_cast<double>(sums[r * refit_device_block + j]);
    });
    if (group.rank() == 0) a.loss[r] -= product;
  }
};

/// What a leaf solves.
enum class refit_solve {
  pass,    ///< K x = sums: the change of a Gauss-Seidel pass, which is K^-1 r, is added to the distance
  back,    ///< K^T x = sums + p, into `away`
  forward  ///< K x = sums + p - D away, into `image`
};

/// Solves a leaf's columns one after the other, from the first on, or for `back` from the last: each x is its sum over
/// its diagonal entry, or 0 if the weight is not free, and is subtracted times its row of H from the leaf's sums.
///
/// A lane has a row's sums in registers, some rows a block; the other lanes help to load and store. Columns beyond
/// the last are not free, so that all loops have a fixed length.
template <refit_solve Solve>
struct refit_leaf_body {
  static constexpr int lanes = 128;
  static constexpr int leaf = static_cast<int>(refit_device_leaf);
  static constexpr std::int64_t tall = 32;
  static constexpr std::int64_t stride = leaf + 1;  // so that lanes meet different banks of shared memory

  refit_arrays a;
  std::int64_t first = 0, count = 0;  // columns of the leaf
  const float* corner = nullptr;      // the leaf's own part of its block of H + D, leading dimension `block`
  float* sums = nullptr;              // [rows, block], from the leaf's first column on; x takes their place

  struct alignas(16) quad {
    float value[4];
  };

  std::int64_t blocks() const { return (a.rows + tall - 1) / tall; }
  std::int64_t scratch_bytes() const {
    return static_cast<std::int64_t>((leaf * leaf + 2 * tall * stride) * static_cast<std::int64_t>(sizeof(float)));
  }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const h = reinterpret_cast<quad*>(scratch);  // [leaf, leaf / 4]
    auto* const tile = reinterpret_cast<float*>(scratch + leaf * leaf * static_cast<std::int64_t>(sizeof(float)));
    float* const scale = tile + tall * stride;
    const auto top = block * tall;
    const auto here = a.rows - top < tall ? a.rows - top : tall;
    for (std::int32_t k = group.rank(); k < leaf * leaf; k += group.size()) {
      const auto i = k / leaf, j = k % leaf;
      h[k / 4].value[k % 4] = i < count && j < count ? corner[i * refit_device_block + j] : 0.0F;
    }
    for (std::int64_t k = group.rank(); k < here * leaf; k += group.size()) {
      const auto r = top + k / leaf, j = k % leaf, c = first + j;
      float sum = 0, free = 0;
      if (j < count) {
        sum = sums[r * refit_device_block + j];
        if constexpr (Solve == refit_solve::back) sum += a.direction[r * a.columns + c];
        if constexpr (Solve == refit_solve::forward)
          sum += a.direction[r * a.columns + c] - a.diagonal[c] * a.away[r * a.columns + c];
        if (a.kept[r * a.kept_leading + c] != 0) free = a.inverse[c];
      }
      tile[k / leaf * stride + j] = sum;
      scale[k / leaf * stride + j] = free;
    }
    group.sync();
    for (std::int64_t r = group.rank(); r < here; r += group.size()) solve(h, scale + r * stride, tile + r * stride);
    group.sync();
    for (std::int64_t k = group.rank(); k < here * leaf; k += group.size()) {
      const auto r = top + k / leaf, j = k % leaf, c = first + j;
      if (j < count) store(r, c, tile[k / leaf * stride + j]);
    }
    if constexpr (Solve == refit_solve::pass) {
      if (a.residual != nullptr) return;
      for (std::int64_t r = group.rank(); r < here; r += group.size()) {
        double gain = 0;
        for (std::int64_t j = 0; j < count; ++j) {
          const auto x = static_cast<double>(tile[r * stride + j]);
          gain += 0.5 * x * x * static_cast<double>(a.diagonal[first + j]);
        }
        a.squares[top + r] += gain;
      }
    }
  }

 private:
  /// One row, in place.
  MIQ_HOST_DEVICE static void solve(const quad* h, const float* scale, float* row) {
    constexpr bool backwards = Solve == refit_solve::back;
    float sum[leaf];
    MIQ_REFIT_UNROLL
    for (int j = 0; j < leaf; ++j) sum[j] = row[j];
    MIQ_REFIT_UNROLL
    for (int k = 0; k < leaf; ++k) {
      const int j = backwards ? leaf - 1 - k : k;
      const float x = sum[j] * scale[j];
      row[j] = x;
      MIQ_REFIT_UNROLL
      for (int q = 0; q < leaf / 4; ++q) {
        if (backwards ? q * 4 > j : q * 4 + 3 < j) continue;  // columns that are done
        const quad entries = h[j * (leaf / 4) + q];
        MIQ_REFIT_UNROLL
        for (int i = 0; i < 4; ++i) sum[q * 4 + i] -= x * entries.value[i];
      }
    }
  }

  MIQ_HOST_DEVICE void store(std::int64_t r, std::int64_t c, float x) const {
    sums[r * refit_device_block + (c - first)] = x;
    if constexpr (Solve == refit_solve::back) {
      a.away[r * a.columns + c] = x;
    } else if constexpr (Solve == refit_solve::forward) {
      a.image[r * a.columns + c] = x;
    } else {
      a.away[r * a.columns + c] += x;
      if (a.residual != nullptr)
        a.residual[r * a.columns + c] = x;
      else
        a.weights[r * a.weights_leading + c] += x;
    }
  }
};

/// The end of an iteration for one row, or, as iteration 0, its beginning: the step along the direction, the loss, and
/// the next direction, D r + (|r|^2 / |r|^2 before) p in terms of `residual`, the norms by the diagonal. A row that is
/// done or has no curvature gets a direction of zeros, which nothing moves.
struct refit_step_body {
  static constexpr int lanes = sum_parts;
  refit_arrays a;
  std::int32_t iteration = 0;
  double tolerance = 0;

  std::int64_t blocks() const { return a.rows; }
  std::int64_t scratch_bytes() const { return sum_parts * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t r, std::byte* scratch) const {
    if (a.ended[r] != 0) return;
    auto* const slots = reinterpret_cast<double*>(scratch);
    const float* const t = a.away + r * a.columns;
    const float* const v = a.image + r * a.columns;
    float* const p = a.direction + r * a.columns;
    float* const rest = a.residual + r * a.columns;
    const double before = iteration > 0 ? a.squares[r] : 0.0;
    const double loss = a.loss[r];
    double gain = 0;
    bool stopped = false;
    float along = 0;
    if (iteration > 0) {
      const double curvature = sum_in_parts(group, a.columns, slots, [&](std::int64_t c) {
        return static_cast<double>(p[c]) * (static_cast<double>(t[c]) + static_cast<double>(v[c]));
      });
      const double length = before / curvature;
      stopped = !(curvature > 0) || !std::isfinite(length);
      along = static_cast<float>(length);
      gain = 0.5 * length * before;
      if (gain > loss) gain = loss;
    }
    const double square = stopped ? 0.0 : sum_in_parts(group, a.columns, slots, [&](std::int64_t c) {
      if (iteration > 0) {
        a.weights[r * a.weights_leading + c] += along * t[c];
        rest[c] -= along * (t[c] + v[c]);
      }
      return static_cast<double>(rest[c]) * static_cast<double>(rest[c]) * static_cast<double>(a.diagonal[c]);
    });
    const bool done = !(square > 0) || (iteration > 0 && gain <= tolerance * loss);
    const auto keep = before > 0 ? static_cast<float>(square / before) : 0.0F;
    for (std::int64_t c = group.rank(); c < a.columns; c += group.size()) {
      const float turned = a.diagonal[c] * rest[c] + (keep > 0 ? keep * p[c] : 0.0F);
      p[c] = stopped || done ? 0.0F : turned;
    }
    group.sync();  // all have read what lane 0 writes
    if (group.rank() == 0) {
      if (!stopped) {
        a.loss[r] = loss - gain;
        a.squares[r] = square;
      }
      if (stopped || done) a.ended[r] = stopped ? -(iteration + 1) : iteration + 1;
    }
  }
};

/// The sum of all rows' losses after an iteration, and how far the rows have come. One block.
struct refit_total_body {
  static constexpr int lanes = sum_parts;
  refit_arrays a;
  std::int32_t iteration = 0;
  bool pass = false;         // after the only pass: what it gained is taken from the losses
  double* losses = nullptr;  // [entries]
  std::int32_t entries = 0;
  device_refit_result* result = nullptr;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return sum_parts * static_cast<std::int64_t>(sizeof(double)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    const double total = sum_in_parts(group, a.rows, reinterpret_cast<double*>(scratch), [&](std::int64_t r) {
      if (pass) {
        const double left = a.loss[r] - a.squares[r];
        a.loss[r] = left > 0 || !(left == left) ? left : 0.0;
      }
      return a.loss[r];
    });
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    const auto count = [&](const auto& is) {
      return sum_in_parts(group, a.rows, slots, [&](std::int64_t r) { return std::int64_t{is(a.ended[r])}; });
    };
    const auto converged = count([](std::int32_t ended) { return ended > 0; });
    const auto stopped = count([](std::int32_t ended) { return ended < 0; });
    // Rows that took part in this iteration: one that ended before has a smaller number.
    const auto took_part =
        count([&](std::int32_t ended) { return pass || ended == 0 || (ended < 0 ? -ended : ended) == iteration + 1; });
    // Losses that no iteration comes to repeat the last.
    for (auto k = iteration + group.rank(); k < entries; k += group.size()) losses[k] = total;
    if (group.rank() != 0) return;
    result->converged = converged;
    result->stopped = stopped;
    if (iteration == 0 || took_part > 0) result->losses = iteration + 1;
  }
};

}  // namespace miq::obs::detail

#undef MIQ_REFIT_UNROLL
