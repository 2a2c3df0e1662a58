#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>

#include <miq/core/detail/finite.hpp>
#include <miq/obs/detail/mask_search/checks.hpp>
#include <miq/obs/detail/selection/keep_largest.hpp>
#include <miq/obs/detail/solver/checks.hpp>
#include <miq/obs/detail/solver/damping.hpp>
#include <miq/obs/detail/solver/inverse_product.hpp>
#include <miq/obs/mask_search.hpp>

namespace miq::obs {
namespace detail {

struct mask_search_scratch {
  mask_search_scratch(std::int64_t rows, std::int64_t columns) {
    both = layout.add<float>(rows * columns);
    moved = layout.add<float>(rows * columns);
    halfway = layout.add<float>(rows * columns);
    kept = layout.add<std::uint8_t>(rows * columns);
    damped = layout.add<float>(columns * columns);
    upper = layout.add<float>(columns * columns);
    units = layout.add<float>(columns);
    diagonal = layout.add<float>(columns);
    counts = layout.add<std::int64_t>(std::max(rows, columns));
    members = layout.add<std::int64_t>(columns);
    histograms = layout.add<std::int64_t>(keep_histograms);
    tasks = layout.add<std::int64_t>(product_tasks(rows));
    factor_bytes = factor_workspace_bytes(columns);
    factor = layout.add<std::byte>(factor_bytes);
  }

  miq::detail::workspace_layout layout;
  std::int64_t both = 0, moved = 0, halfway = 0;  // [rows, columns]: M + V; steps; scratch of their product
  std::int64_t kept = 0;                          // [rows, columns]: the mask before the present one
  std::int64_t damped = 0, upper = 0;             // [columns, columns]
  std::int64_t units = 0, diagonal = 0;           // [columns]: the diagonal of H + D and its roots
  std::int64_t counts = 0;                        // [rows or groups]: weights to keep
  std::int64_t members = 0;                       // [columns], group by group
  std::int64_t histograms = 0, tasks = 0;
  std::int64_t factor = 0, factor_bytes = 0;
};

template <on_host Exec>
void check_mask_search(const Exec& exec, const mask_search_inputs<>& in, const mask_search_outputs<>& out,
                       const mask_search_options& options) {
  constexpr const char* name = "mask_search";
  check_mask_search_shapes(in, out, options);
  check_hessian(name, in.hessian);
  if (options.scope == mask_scope::column_group)
    for (std::int64_t c = 0; c < in.labels.size(); ++c)
      miq::detail::require(in.labels[c] >= 0 && in.labels[c] < in.labels.size(), name, ": labels must be 0 to ",
                           in.labels.size() - 1, ", got ", in.labels[c], " for column ", c);
  miq::detail::require_finite(exec, in.target, name, "target");
  miq::detail::require_finite(exec, in.start, name, "start");
  require_finite_upper(exec, in.hessian, name, "hessian");
}

/// One row of penalty E (M - V - W0): M + V is M where a weight is kept, V where it is not.
inline void weigh(const float* both, const std::uint8_t* kept, const float* target, const float* diagonal,
                  float penalty, std::int64_t columns, float* out) {
  for (std::int64_t c = 0; c < columns; ++c) {
    const float z = kept[c] != 0 ? both[c] : -both[c];
    out[c] = penalty * diagonal[c] * (z - target[c]);
  }
}

/// One row of X + V, X being W0 and the steps. False if a value is not finite.
inline bool advance(const float* steps, const std::uint8_t* kept, const float* target, std::int64_t columns,
                    float* both) {
  std::int32_t largest = 0;  // of the bits without the sign, which order like the magnitudes
  for (std::int64_t c = 0; c < columns; ++c) {
    const float z = (kept[c] != 0 ? 0.0F : both[c]) + target[c] + steps[c];
    both[c] = z;
    largest = std::max(largest, std::bit_cast<std::int32_t>(z) & 0x7FFFFFFF);
  }
  return largest < 0x7F800000;
}

template <on_host Exec>
class mask_search_run {
 public:
  mask_search_run(const Exec& exec, const mask_search_inputs<>& in, const mask_search_outputs<>& out,
                  const mask_search_options& options, const mask_search_scratch& plan,
                  const miq::detail::scratch_block& memory)
      : exec_(exec),
        in_(in),
        out_(out),
        scope_(options.scope),
        rows_(in.target.rows()),
        columns_(in.target.columns()),
        both_(memory.at<float>(plan.both), rows_, columns_),
        moved_(memory.at<float>(plan.moved)),
        half_(memory.at<float>(plan.halfway)),
        kept_before_(memory.at<std::uint8_t>(plan.kept), rows_, columns_),
        damped_(memory.at<float>(plan.damped), columns_, columns_),
        upper_(memory.at<float>(plan.upper), columns_, columns_),
        units_(memory.at<float>(plan.units)),
        diagonal_(memory.at<float>(plan.diagonal)),
        counts_(memory.at<std::int64_t>(plan.counts)),
        members_(memory.at<std::int64_t>(plan.members)),
        histograms_(memory.at<std::int64_t>(plan.histograms)),
        tasks_(memory.at<std::int64_t>(plan.tasks)),
        factor_scratch_(memory.at<std::byte>(plan.factor), static_cast<std::size_t>(plan.factor_bytes)) {}

  /// H + D, the start, and how many weights are to be kept where.
  void begin(const mask_search_options& options) {
    const damped_diagonal diagonal(in_.hessian, options.rule);
    exec_.parallel_for(columns_, [&](std::int64_t r) {
      for (auto c = r + 1; c < columns_; ++c)
        damped_(r, c) = diagonal.is_dead(r) || diagonal.is_dead(c) ? 0.0F : in_.hessian(r, c);
      damped_(r, r) = diagonal_[r] = static_cast<float>(diagonal(r, options.damping));
      units_[r] = std::sqrt(damped_(r, r));
    });
    exec_.parallel_for(rows_, [&](std::int64_t r) {
      for (std::int64_t c = 0; c < columns_; ++c) {
        out_.kept(r, c) = in_.kept(r, c) != 0 ? 1 : 0;
        both_(r, c) = out_.kept(r, c) == 0 ? 0.0F : in_.start.empty() ? in_.target(r, c) : in_.start(r, c);
      }
    });
    groups_ = scope_ == mask_scope::row ? rows_ : scope_ == mask_scope::layer ? 1 : columns_;
    std::fill_n(counts_, groups_, 0);
    for (std::int64_t r = 0; r < rows_; ++r)
      for (std::int64_t c = 0; c < columns_; ++c) counts_[group_of(r, c)] += out_.kept(r, c);
    std::int64_t next = 0;
    for (std::int64_t group = 0; group < (scope_ == mask_scope::column_group ? groups_ : 1); ++group)
      for (std::int64_t c = 0; c < columns_; ++c)
        if (group_of(0, c) == group || scope_ == mask_scope::row) members_[next++] = c;
  }

  /// A level's factor; returns its penalty. V is in terms of the penalty, so it changes with it.
  double prepare(double penalty, double before) {
    const auto result =
        factor(exec_, damped_, upper_, {.damping = penalty, .rule = damping_rule::own_diagonal}, factor_scratch_);
    penalty_ = static_cast<float>(result.damping);
    if (before > 0) {
      const auto share = static_cast<float>(before / result.damping);
      exec_.parallel_for(rows_, [&](std::int64_t r) {
        for (std::int64_t c = 0; c < columns_; ++c)
          if (out_.kept(r, c) == 0) both_(r, c) *= share;
      });
    }
    return result.damping;
  }

  /// One iteration; returns how many weights came into the mask.
  std::int64_t iterate() {
    const auto tall = product_rows(rows_);
    std::atomic<bool> finite = true;
    exec_.parallel_for(product_tasks(rows_), [&](std::int64_t task) {
      const auto first = task * tall, count = std::min(tall, rows_ - first);
      float* const steps = moved_ + first * columns_;
      for (auto r = first; r < first + count; ++r) {
        std::copy_n(&out_.kept(r, 0), columns_, &kept_before_(r, 0));
        weigh(&both_(r, 0), &out_.kept(r, 0), &in_.target(r, 0), diagonal_, penalty_, columns_, moved_ + r * columns_);
      }
      multiply_by_inverse(count, steps, columns_, upper_, half_ + first * columns_, columns_, steps, columns_);
      bool good = true;
      for (auto r = first; r < first + count; ++r)
        good &= advance(moved_ + r * columns_, &out_.kept(r, 0), &in_.target(r, 0), columns_, &both_(r, 0));
      if (!good) finite = false;
    });
    if (!finite) throw numerical_error("mask_search: the products overflowed");
    select();
    return exchanged(kept_before_);
  }

  /// Kept weights that `before` masks.
  std::int64_t exchanged(matrix_view<const std::uint8_t> before) const {
    const auto tall = product_rows(rows_);
    exec_.parallel_for(product_tasks(rows_), [&](std::int64_t task) {
      std::int64_t sum = 0;
      for (auto r = task * tall; r < std::min(rows_, (task + 1) * tall); ++r) {
        const std::uint8_t* const now = &out_.kept(r, 0);
        const std::uint8_t* const then = &before(r, 0);
        std::int32_t here = 0;
        for (std::int64_t c = 0; c < columns_; ++c) here += static_cast<std::int32_t>((now[c] != 0) & (then[c] == 0));
        sum += here;
      }
      tasks_[task] = sum;
    });
    std::int64_t sum = 0;
    for (std::int64_t task = 0; task < product_tasks(rows_); ++task) sum += tasks_[task];
    return sum;
  }

  void finish() {
    exec_.parallel_for(rows_, [&](std::int64_t r) {
      for (std::int64_t c = 0; c < columns_; ++c) out_.weights(r, c) = out_.kept(r, c) != 0 ? both_(r, c) : 0.0F;
    });
  }

 private:
  std::int64_t group_of(std::int64_t r, std::int64_t c) const {
    return scope_ == mask_scope::row ? r : scope_ == mask_scope::layer ? 0 : in_.labels[c];
  }

  void select() {
    const matrix_view<const float> values = both_;
    if (scope_ == mask_scope::row) {
      exec_.parallel_for((rows_ + 15) / 16, [&](std::int64_t task) {
        std::vector<std::uint32_t> keys;
        for (auto r = task * 16; r < std::min(rows_, (task + 1) * 16); ++r)
          keep_largest_of_row(values.row(r), units_, counts_[r], keys, out_.kept.row(r));
      });
      return;
    }
    const std::int64_t* next = members_;
    for (std::int64_t group = 0; group < groups_; ++group) {
      std::int64_t size = 0;
      while (next + size < members_ + columns_ && group_of(0, next[size]) == group) ++size;
      if (size == 0) continue;
      keep_largest(exec_, values, units_, {next, static_cast<std::size_t>(size)}, counts_[group], histograms_,
                   out_.kept);
      next += size;
    }
  }

  const Exec& exec_;
  const mask_search_inputs<>& in_;
  const mask_search_outputs<>& out_;
  mask_scope scope_;
  std::int64_t rows_, columns_, groups_ = 0;
  matrix_view<float> both_;
  float* moved_;
  float* half_;
  matrix_view<std::uint8_t> kept_before_;
  matrix_view<float> damped_, upper_;
  float* units_;
  float* diagonal_;
  std::int64_t* counts_;
  std::int64_t* members_;
  std::int64_t* histograms_;
  std::int64_t* tasks_;
  workspace factor_scratch_;
  float penalty_ = 0;
};

template <on_host Exec>
mask_search_result mask_search_on(const Exec& exec, const mask_search_inputs<>& in, const mask_search_outputs<>& out,
                                  const mask_search_options& options, workspace given,
                                  const progress_callback& progress) {
  check_mask_search(exec, in, out, options);
  const mask_search_scratch plan(in.target.rows(), in.target.columns());
  const miq::detail::scratch_block memory("mask_search", plan.layout, given, exec.resource());
  mask_search_run run(exec, in, out, options, plan, memory);
  run.begin(options);
  mask_search_result result;
  double penalty = options.penalty, before = 0;
  const auto all = static_cast<double>(options.levels) * static_cast<double>(options.iterations);
  for (int level = 0; level < options.levels; ++level) {
    before = run.prepare(penalty, before);
    result.penalties.push_back(before);
    for (int k = 0; k < options.iterations; ++k) {
      result.exchanged.push_back(run.iterate());
      miq::report_progress(progress, "mask_search", (level * options.iterations + k + 1) / all);
    }
    penalty = std::max(penalty, before) * options.penalty_factor;
  }
  result.changed = run.exchanged(in.kept);
  run.finish();
  return result;
}

}  // namespace detail

MIQ_API std::int64_t mask_search_workspace_bytes(std::int64_t rows, std::int64_t columns) {
  return detail::mask_search_scratch(rows, columns).layout.bytes();
}

template <executor Exec>
mask_search_result mask_search(const Exec& exec, const mask_search_inputs<memory_of<Exec>>& in,
                               const mask_search_outputs<memory_of<Exec>>& out, const mask_search_options& options,
                               workspace scratch, const progress_callback& progress) {
  return detail::mask_search_on(exec, in, out, options, scratch, progress);
}

}  // namespace miq::obs
