#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>

#include <miq/core/detail/finite.hpp>
#include <miq/core/detail/matrix_product.hpp>
#include <miq/obs/detail/refit/checks.hpp>
#include <miq/obs/detail/solver/checks.hpp>
#include <miq/obs/detail/solver/damping.hpp>
#include <miq/obs/detail/solver/inverse_product.hpp>
#include <miq/obs/refit.hpp>

namespace miq::obs {
namespace detail {

/// Columns that are solved before a product carries them to all others: many, since each product packs its part of H.
inline constexpr std::int64_t refit_block = 256;
/// Columns of a block that are solved one after the other before a small product carries them to the rest of the block.
inline constexpr std::int64_t refit_leaf = 32;
/// Distance of two rows of a block's sums: not a power of two, so that rows do not compete for the same cache lines.
inline constexpr std::int64_t refit_stride = refit_block + 16;

/// Copies the blocks of H + D on the diagonal, both triangles, zeros where a block is not full.
template <on_host Exec>
void copy_corners(const Exec& exec, matrix_view<const float> hessian, const float* diagonal, float* corners) {
  const auto n = hessian.columns();
  exec.parallel_for((n + refit_block - 1) / refit_block, [&](std::int64_t block) {
    const auto first = block * refit_block, width = std::min(refit_block, n - first);
    float* const corner = corners + first * refit_block;
    std::fill_n(corner, refit_block * refit_block, 0.0F);
    for (std::int64_t i = 0; i < width; ++i) {
      corner[i * refit_block + i] = diagonal[first + i];
      for (auto j = i + 1; j < width; ++j)
        corner[i * refit_block + j] = corner[j * refit_block + i] = hessian(first + i, first + j);
    }
  });
}

/// Sum of term(0) ... term(count - 1), in 8 chains, so that vectors can carry them.
template <class Term>
double chained_sum(std::int64_t count, const Term& term) {
  double sums[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (std::int64_t k = 0; k < 8; ++k) sums[k] += term(i + k);
  for (; i < count; ++i) sums[0] += term(i);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

struct refit_scratch {
  refit_scratch(std::int64_t rows, std::int64_t columns, const refit_options& options) {
    const auto tasks = product_tasks(rows);
    away = layout.add<float>(rows * columns);
    if (options.iterations > 0) {
      residual = layout.add<float>(rows * columns);
      direction = layout.add<float>(rows * columns);
      image = layout.add<float>(rows * columns);
    }
    diagonal = layout.add<float>(columns);
    inverse = layout.add<float>(columns);
    sums = layout.add<float>(tasks * product_rows(rows) * refit_stride);
    steps = layout.add<float>(tasks * product_rows(rows) * refit_leaf);
    corners = layout.add<float>((columns + refit_block - 1) / refit_block * refit_block * refit_block);
    losses = layout.add<double>(tasks * refit_loss_count(options));
    rows_loss = layout.add<double>(rows);
    squares = layout.add<double>(rows);
    active = layout.add<std::uint8_t>(rows);
  }

  miq::detail::workspace_layout layout;
  std::int64_t away = 0, residual = 0, direction = 0, image = 0;  // [rows, columns]
  std::int64_t diagonal = 0, inverse = 0;                         // [columns]
  std::int64_t corners = 0;                                       // of each block: [block, block]
  std::int64_t sums = 0, steps = 0;                     // of each task: [rows of a task, block], [rows of a task, leaf]
  std::int64_t losses = 0;                              // [tasks, refit_loss_count]
  std::int64_t rows_loss = 0, squares = 0, active = 0;  // [rows]
};

/// The rows of one task. All arrays are [rows, columns] of these rows, but `sums` and `steps`.
struct refit_tile {
  std::int64_t rows = 0;
  matrix_view<const float> hessian;
  const float* diagonal = nullptr;  // of H + D
  const float* inverse = nullptr;   // 1 / diagonal; 0 where the column is dead
  matrix_view<const float> target, start;
  matrix_view<const std::uint8_t> kept;
  matrix_view<float> weights;
  float* away = nullptr;       // w - w0, later K^-T p
  float* residual = nullptr;   // K^-1 r
  float* direction = nullptr;  // p
  float* image = nullptr;      // K^-1 (p - D K^-T p)
  float* sums = nullptr;
  float* steps = nullptr;  // [rows, leaf]
  const float* corners = nullptr;
  double* loss = nullptr;     // [rows]
  double* squares = nullptr;  // [rows]: r^T (K D^-1 K^T)^-1 r
  std::uint8_t* active = nullptr;

  std::int64_t columns() const { return hessian.columns(); }
  float* row(float* m, std::int64_t r) const { return m + r * columns(); }

  /// The block of H + D on the diagonal.
  const float* corner_of(std::int64_t first) const { return corners + first * refit_block; }
  /// sums += alpha * of[:, later columns] * H[later columns, block]
  void add_later(float alpha, const float* of, std::int64_t first, std::int64_t width) const {
    using miq::detail::operand;
    const auto end = first + width;
    if (end == columns()) return;
    miq::detail::multiply_add<operand::as_is, operand::transposed>(rows, width, columns() - end, alpha, of + end,
                                                                   columns(), &hessian(first, end), hessian.leading(),
                                                                   sums, refit_stride);
  }
  /// sums += alpha * of[:, earlier columns] * H[earlier columns, block]
  void add_earlier(float alpha, const float* of, std::int64_t first, std::int64_t width) const {
    using miq::detail::operand;
    miq::detail::multiply_add<operand::as_is, operand::as_is>(
        rows, width, first, alpha, of, columns(), &hessian(0, first), hessian.leading(), sums, refit_stride);
  }

  /// Takes the weights of a leaf one after the other, `Forward` from its first column on, otherwise from its last: each
  /// x is its sum over its diagonal entry, or 0 if the weight is not free, and is subtracted times its row of the
  /// corner from the leaf's sums. `settle(r, first column, count, x)` gets them. Some rows at once, since a row waits
  /// for itself.
  template <int Rows, bool Forward, class Settle>
  void solve_rows(std::int64_t row_first, std::int64_t first, std::int64_t leaf, std::int64_t width,
                  const Settle& settle) const {
    const auto count = std::min(refit_leaf, width - leaf);
    const float* const h = corner_of(first) + leaf * refit_block + leaf;
    alignas(64) float sum[static_cast<std::size_t>(Rows)][refit_leaf];
    alignas(64) float scale[static_cast<std::size_t>(Rows)][refit_leaf] = {};
    alignas(64) float found[static_cast<std::size_t>(Rows)][refit_leaf] = {};
    for (int q = 0; q < Rows; ++q) {
      const std::uint8_t* const mask = &kept(row_first + q, first + leaf);
      const float* const inverses = inverse + first + leaf;
      std::copy_n(sums + (row_first + q) * refit_stride + leaf, refit_leaf, sum[q]);
      for (std::int64_t j = 0; j < count; ++j) scale[q][j] = mask[j] != 0 ? inverses[j] : 0.0F;
    }
    for (std::int64_t k = 0; k < count; ++k) {
      const auto j = Forward ? k : count - 1 - k;
      for (int q = 0; q < Rows; ++q) {
        const float x = sum[q][j] * scale[q][j];
        found[q][j] = x;
        // The sums of columns that are done change too, but nobody reads them: so the length is fixed.
        for (std::int64_t i = 0; i < refit_leaf; ++i) sum[q][i] -= x * h[j * refit_block + i];
      }
    }
    for (int q = 0; q < Rows; ++q) {
      std::copy_n(found[q], count, steps + (row_first + q) * refit_leaf);
      settle(row_first + q, first + leaf, count, found[q]);
    }
  }

  template <bool Forward, class Settle>
  void solve_leaf(std::int64_t first, std::int64_t leaf, std::int64_t width, const Settle& settle) const {
    std::int64_t r = 0;
    for (; r + 4 <= rows; r += 4) solve_rows<4, Forward>(r, first, leaf, width, settle);
    for (; r < rows; ++r) solve_rows<1, Forward>(r, first, leaf, width, settle);
  }

  /// Solves the block's part of K x = sums, `Forward`, or of K^T x = sums.
  template <bool Forward, class Settle>
  void solve(std::int64_t first, std::int64_t width, const Settle& settle) const {
    using miq::detail::multiply_add;
    using miq::detail::operand;
    const auto leaves = (width + refit_leaf - 1) / refit_leaf;
    for (std::int64_t k = 0; k < leaves; ++k) {
      const auto leaf = (Forward ? k : leaves - 1 - k) * refit_leaf;
      const auto count = std::min(refit_leaf, width - leaf);
      solve_leaf<Forward>(first, leaf, width, settle);
      const auto from = Forward ? leaf + count : 0, to = Forward ? width : leaf;
      multiply_add<operand::as_is, operand::as_is>(rows, to - from, count, -1.0F, steps, refit_leaf,
                                                   corner_of(first) + leaf * refit_block + from, refit_block,
                                                   sums + from, refit_stride);
    }
  }

  /// Loads the start, finds its loss, and makes one Gauss-Seidel pass, which is K^-1 r: into `residual`, or, if there
  /// is none, into the weights.
  void begin() const {
    for (std::int64_t r = 0; r < rows; ++r) {
      loss[r] = 0;
      for (std::int64_t c = 0; c < columns(); ++c) {
        const float wanted = target(r, c);
        const bool dead = inverse[c] == 0;
        const float w = kept(r, c) == 0 ? 0.0F : dead || start.empty() ? wanted : start(r, c);
        weights(r, c) = w;
        // A dead column touches no other: its own part of the loss is all there is.
        const float apart = w - wanted;
        row(away, r)[c] = dead ? 0.0F : apart;
        if (dead)
          loss[r] += 0.5 * static_cast<double>(apart) * static_cast<double>(apart) * static_cast<double>(diagonal[c]);
      }
    }
    for (std::int64_t first = 0; first < columns(); first += refit_block) {
      const auto width = std::min(refit_block, columns() - first);
      std::fill_n(sums, rows * refit_stride, 0.0F);
      // The loss of the start counts a pair of columns once, and a column with itself half.
      add_later(1.0F, away, first, width);
      add_half_products(first, width);
      using miq::detail::operand;
      miq::detail::multiply_add<operand::as_is, operand::as_is>(rows, width, width, 1.0F, away + first, columns(),
                                                                corner_of(first), refit_block, sums, refit_stride);
      add_half_products(first, width);
      add_earlier(1.0F, away, first, width);
      gauss_seidel(first, width);
    }
  }

  /// Prepares the first iteration. Rows whose gradient is 0 are done.
  void begin_iterations() const {
    for (std::int64_t r = 0; r < rows; ++r) {
      squares[r] = turn(r, 0);
      active[r] = squares[r] > 0 ? 1 : 0;
    }
  }

  /// One iteration; the rows that are done are counted. Returns whether any row goes on.
  bool iterate(double tolerance, std::int64_t& converged, std::int64_t& stopped) const {
    const auto n = columns();
    for (auto first = (n - 1) / refit_block * refit_block; first >= 0; first -= refit_block) {
      const auto width = std::min(refit_block, n - first);
      for (std::int64_t r = 0; r < rows; ++r) std::copy_n(row(direction, r) + first, width, sums + r * refit_stride);
      add_later(-1.0F, away, first, width);
      solve<false>(first, width, [&](std::int64_t r, std::int64_t c, std::int64_t count, const float* x) {
        std::copy_n(x, count, row(away, r) + c);
      });
    }
    for (std::int64_t first = 0; first < n; first += refit_block) {
      const auto width = std::min(refit_block, n - first);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t j = 0; j < width; ++j)
          sums[r * refit_stride + j] = row(direction, r)[first + j] - diagonal[first + j] * row(away, r)[first + j];
      add_earlier(-1.0F, image, first, width);
      solve<true>(first, width, [&](std::int64_t r, std::int64_t c, std::int64_t count, const float* x) {
        std::copy_n(x, count, row(image, r) + c);
      });
    }
    bool any = false;
    for (std::int64_t r = 0; r < rows; ++r) {
      if (active[r] == 0) continue;
      const float* const t = row(away, r);
      const float* const v = row(image, r);
      const float* const p = row(direction, r);
      const double curvature = chained_sum(n, [&](std::int64_t c) {
        return static_cast<double>(p[c]) * (static_cast<double>(t[c]) + static_cast<double>(v[c]));
      });
      const double length = squares[r] / curvature;
      if (!(curvature > 0) || !std::isfinite(length)) {
        ++stopped;
        finish(r);
        continue;
      }
      const auto along = static_cast<float>(length);
      float* const rest = row(residual, r);
      for (std::int64_t c = 0; c < n; ++c) {
        weights(r, c) += along * t[c];
        rest[c] -= along * (t[c] + v[c]);
      }
      const double gain = std::min(0.5 * length * squares[r], loss[r]);
      const bool done = gain <= tolerance * loss[r];
      loss[r] -= gain;
      const double before = squares[r];
      squares[r] = turn(r, before);
      if (done || !(squares[r] > 0)) {
        ++converged;
        finish(r);
      } else {
        any = true;
      }
    }
    return any;
  }

 private:
  /// Adds half of the products of `away` and `sums` to the losses.
  void add_half_products(std::int64_t first, std::int64_t width) const {
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* const apart = row(away, r) + first;
      const float* const sum = sums + r * refit_stride;
      loss[r] += 0.5 * chained_sum(width, [&](std::int64_t j) {
                   return static_cast<double>(apart[j]) * static_cast<double>(sum[j]);
                 });
    }
  }

  /// One weight after the other, given the gradient of the block in `sums`.
  void gauss_seidel(std::int64_t first, std::int64_t width) const {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < width; ++j) sums[r * refit_stride + j] *= -1;
      if (first == 0) squares[r] = 0;
    }
    solve<true>(first, width, [&](std::int64_t r, std::int64_t c, std::int64_t count, const float* x) {
      float* const apart = row(away, r) + c;
      for (std::int64_t j = 0; j < count; ++j) apart[j] += x[j];
      if (residual != nullptr) {
        std::copy_n(x, count, row(residual, r) + c);
        return;
      }
      for (std::int64_t j = 0; j < count; ++j) {
        weights(r, c + j) += x[j];
        squares[r] +=
            0.5 * static_cast<double>(x[j]) * static_cast<double>(x[j]) * static_cast<double>(diagonal[c + j]);
      }
    });
  }

  /// The next direction, D r + (|r|^2 / before) p in terms of `residual`; returns |r|^2 by the diagonal.
  double turn(std::int64_t r, double before) const {
    const float* const rest = row(residual, r);
    float* const p = row(direction, r);
    const double square = chained_sum(columns(), [&](std::int64_t c) {
      return static_cast<double>(rest[c]) * static_cast<double>(rest[c]) * static_cast<double>(diagonal[c]);
    });
    const auto keep = before > 0 ? static_cast<float>(square / before) : 0.0F;
    for (std::int64_t c = 0; c < columns(); ++c) p[c] = diagonal[c] * rest[c] + (keep > 0 ? keep * p[c] : 0.0F);
    return square;
  }

  void finish(std::int64_t r) const {
    active[r] = 0;
    std::fill_n(row(direction, r), columns(), 0.0F);
  }
};

template <on_host Exec>
void check_refit(const Exec& exec, const refit_inputs<>& in, const refit_outputs<>& out, const refit_options& options) {
  check_refit_shapes(in, out, options);
  check_hessian("refit", in.hessian);
  miq::detail::require_finite(exec, in.target, "refit", "target");
  miq::detail::require_finite(exec, in.start, "refit", "start");
  require_finite_upper(exec, in.hessian, "refit", "hessian");
}

template <on_host Exec>
refit_result refit_on(const Exec& exec, const refit_inputs<>& in, const refit_outputs<>& out,
                      const refit_options& options, workspace given, const progress_callback& progress) {
  check_refit(exec, in, out, options);
  const auto rows = in.target.rows(), columns = in.target.columns();
  const refit_scratch plan(rows, columns, options);
  const miq::detail::scratch_block memory("refit", plan.layout, given, exec.resource());
  auto* const diagonal = memory.at<float>(plan.diagonal);
  auto* const inverse = memory.at<float>(plan.inverse);
  const damped_diagonal damped(in.hessian, options.rule);
  for (std::int64_t c = 0; c < columns; ++c) {
    diagonal[c] = static_cast<float>(damped(c, options.damping));
    inverse[c] = damped.is_dead(c) ? 0.0F : 1 / diagonal[c];
  }

  auto* const corners = memory.at<float>(plan.corners);
  copy_corners(exec, in.hessian, diagonal, corners);

  const auto tasks = product_tasks(rows), tall = product_rows(rows);
  const auto entries = refit_loss_count(options);
  auto* const losses = memory.at<double>(plan.losses);
  auto* const rows_loss = memory.at<double>(plan.rows_loss);
  std::atomic<std::int64_t> converged = 0, stopped = 0;
  std::atomic<int> longest = 1;
  const auto work = [&](std::int64_t task) {
    const auto first = task * tall, count = std::min(tall, rows - first);
    refit_tile tile;
    tile.rows = count;
    tile.hessian = in.hessian;
    tile.diagonal = diagonal;
    tile.inverse = inverse;
    tile.target = in.target.rows_from(first, count);
    if (!in.start.empty()) tile.start = in.start.rows_from(first, count);
    tile.kept = in.kept.rows_from(first, count);
    tile.weights = out.weights.rows_from(first, count);
    tile.away = memory.at<float>(plan.away) + first * columns;
    if (options.iterations > 0) {
      tile.residual = memory.at<float>(plan.residual) + first * columns;
      tile.direction = memory.at<float>(plan.direction) + first * columns;
      tile.image = memory.at<float>(plan.image) + first * columns;
    }
    tile.sums = memory.at<float>(plan.sums) + task * tall * refit_stride;
    tile.steps = memory.at<float>(plan.steps) + task * tall * refit_leaf;
    tile.corners = corners;
    tile.loss = rows_loss + first;
    tile.squares = memory.at<double>(plan.squares) + first;
    tile.active = memory.at<std::uint8_t>(plan.active) + first;
    double* const mine = losses + task * entries;
    const auto total = [&] {
      double sum = 0;
      for (std::int64_t r = 0; r < count; ++r) sum += tile.loss[r];
      return sum;
    };
    tile.begin();
    mine[0] = total();
    int done = 1;
    if (options.iterations == 0) {
      for (std::int64_t r = 0; r < count; ++r) tile.loss[r] = std::max(tile.loss[r] - tile.squares[r], 0.0);
      mine[done++] = total();
    } else {
      tile.begin_iterations();
      std::int64_t finished = 0, without = 0;
      for (std::int64_t r = 0; r < count; ++r) finished += tile.active[r] == 0 ? 1 : 0;
      for (bool on = finished < count; on && done < entries;) {
        on = tile.iterate(options.tolerance, finished, without);
        mine[done++] = total();
      }
      converged += finished;
      stopped += without;
    }
    for (auto k = done; k < entries; ++k) mine[k] = mine[done - 1];
    for (int seen = longest.load(); seen < done && !longest.compare_exchange_weak(seen, done);) {
    }
  };
  // Only a caller who wants to be told of progress pays for waiting at the end of each part.
  const auto part = progress ? std::max<std::int64_t>(8, (tasks + 31) / 32) : tasks;
  for (std::int64_t begin = 0; begin < tasks; begin += part) {
    const auto end = std::min(tasks, begin + part);
    exec.parallel_for(end - begin, [&](std::int64_t task) { work(begin + task); });
    miq::report_progress(progress, "refit", static_cast<double>(end) / static_cast<double>(tasks));
  }

  refit_result result;
  result.converged = converged.load();
  result.stopped = stopped.load();
  for (int k = 0; k < longest.load(); ++k) {
    double sum = 0;
    for (std::int64_t task = 0; task < tasks; ++task) sum += losses[task * entries + k];
    result.loss.push_back(sum);
    if (!std::isfinite(sum)) throw numerical_error("refit: the products overflowed");
  }
  if (rows == 0) result.loss.assign(1, 0.0);
  for (std::int64_t r = 0; r < out.row_loss.size(); ++r) out.row_loss[r] = rows_loss[r];
  return result;
}

}  // namespace detail

MIQ_API std::int64_t refit_workspace_bytes(std::int64_t rows, std::int64_t columns, const refit_options& options) {
  return detail::refit_scratch(rows, columns, options).layout.bytes();
}

template <executor Exec>
refit_result refit(const Exec& exec, const refit_inputs<memory_of<Exec>>& in, const refit_outputs<memory_of<Exec>>& out,
                   const refit_options& options, workspace scratch, const progress_callback& progress) {
  return detail::refit_on(exec, in, out, options, scratch, progress);
}

}  // namespace miq::obs
