// Refit on a machine that runs kernel bodies and multiplies matrices: the order of launches and products.
#pragma once

#include <algorithm>
#include <cstdint>

#include <miq/core/detail/machine.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/detail/refit/body.hpp>
#include <miq/obs/detail/solver/damped_diagonal_body.hpp>
#include <miq/obs/detail/solver/invalid_values_body.hpp>
#include <miq/obs/refit_options.hpp>

namespace miq::obs::detail {

/// Scratch of a refit on a device.
struct refit_device_scratch {
  refit_device_scratch(std::int64_t rows, std::int64_t columns, const refit_options& options) {
    const auto side = refit_device_block;
    away = layout.add<float>(rows * columns);
    if (options.iterations > 0) {
      residual = layout.add<float>(rows * columns);
      direction = layout.add<float>(rows * columns);
      image = layout.add<float>(rows * columns);
    }
    diagonal = layout.add<float>(columns);
    inverse = layout.add<float>(columns);
    sums = layout.add<float>(rows * side);
    corners = layout.add<float>((columns + side - 1) / side * side * side);
    loss = layout.add<double>(rows);
    squares = layout.add<double>(rows);
    ended = layout.add<std::int32_t>(rows);
  }

  miq::detail::workspace_layout layout;
  std::int64_t away = 0, residual = 0, direction = 0, image = 0;  // [rows, columns]
  std::int64_t diagonal = 0, inverse = 0;                         // [columns]
  std::int64_t sums = 0, corners = 0;                             // [rows, block]; of each block: [block, block]
  std::int64_t loss = 0, squares = 0, ended = 0;                  // [rows]
};

/// Enqueues a refit on a machine (core/detail/machine.hpp). `losses` has `refit_loss_count` elements, `result` is as
/// made by default.
template <class Machine>
class refit_steps {
 public:
  template <class Space, class Memory>
  refit_steps(const Machine& machine, const refit_inputs<Space>& in, const refit_outputs<Space>& out,
              const refit_options& options, const refit_device_scratch& plan, const Memory& memory, double* losses,
              device_refit_result* result)
      : machine_(machine),
        options_(options),
        hessian_(in.hessian.data()),
        leading_(in.hessian.leading()),
        sums_(memory.template at<float>(plan.sums)),
        corners_(memory.template at<float>(plan.corners)),
        losses_(losses),
        result_(result) {
    a_.rows = in.target.rows();
    a_.columns = in.target.columns();
    a_.target = in.target.data();
    a_.target_leading = in.target.leading();
    if (!in.start.empty()) {
      a_.start = in.start.data();
      a_.start_leading = in.start.leading();
    }
    a_.kept = in.kept.data();
    a_.kept_leading = in.kept.leading();
    a_.weights = out.weights.data();
    a_.weights_leading = out.weights.leading();
    a_.diagonal = memory.template at<float>(plan.diagonal);
    a_.inverse = memory.template at<float>(plan.inverse);
    a_.away = memory.template at<float>(plan.away);
    if (options.iterations > 0) {
      a_.residual = memory.template at<float>(plan.residual);
      a_.direction = memory.template at<float>(plan.direction);
      a_.image = memory.template at<float>(plan.image);
    }
    a_.loss = out.row_loss.empty() ? memory.template at<double>(plan.loss) : out.row_loss.data();
    a_.squares = memory.template at<double>(plan.squares);
    a_.ended = memory.template at<std::int32_t>(plan.ended);
  }

  void run() const {
    begin();
    if (options_.iterations == 0) {
      total(0, false);
      if (a_.rows > 0) total(1, true);
      return;
    }
    step(0);
    total(0, false);
    for (int k = 1; k <= options_.iterations; ++k) {
      for (auto first = (a_.columns - 1) / side * side; first >= 0; first -= side) {
        add_later(-1.0F, 0.0F, a_.away, first);
        solve<refit_solve::back>(first);
      }
      for (std::int64_t first = 0; first < a_.columns; first += side) {
        add_earlier(-1.0F, 0.0F, a_.image, first);
        solve<refit_solve::forward>(first);
      }
      step(k);
      total(k, false);
    }
  }

 private:
  using operand = miq::detail::operand;
  static constexpr auto side = refit_device_block;

  std::int64_t width(std::int64_t first) const { return std::min(side, a_.columns - first); }

  /// The start, its loss, and a Gauss-Seidel pass, which is K^-1 r.
  void begin() const {
    count_invalid(a_.target, a_.target_leading, a_.rows, false);
    if (a_.start != nullptr) count_invalid(a_.start, a_.start_leading, a_.rows, false);
    count_invalid(hessian_, leading_, a_.columns, true);
    machine_.launch("refit: diagonal", damped_diagonal_body{hessian_, leading_, a_.columns, options_.damping,
                                                            options_.rule, a_.diagonal, a_.inverse, nullptr});
    machine_.launch("refit: corners", refit_corners_body{hessian_, leading_, a_.columns, a_.diagonal, corners_});
    machine_.launch("refit: load", refit_load_body{a_});
    for (std::int64_t first = 0; first < a_.columns; first += side) {
      // The loss counts a pair of columns once, and a column with itself half: that is what the sums hold in between.
      add_later(-1.0F, 0.0F, a_.away, first);
      add_half_corner(first);
      machine_.launch("refit: loss", refit_loss_body{a_, first, width(first), sums_});
      add_half_corner(first);
      add_earlier(-1.0F, 1.0F, a_.away, first);
      solve<refit_solve::pass>(first);
    }
  }

  void count_invalid(const float* values, std::int64_t leading, std::int64_t rows, bool hessian) const {
    machine_.launch("refit: invalid values",
                    invalid_values_body{values, leading, rows, a_.columns, hessian, &result_->invalid});
  }
  void step(int iteration) const { machine_.launch("refit: step", refit_step_body{a_, iteration, options_.tolerance}); }
  void total(int iteration, bool pass) const {
    machine_.launch("refit: total", refit_total_body{a_, iteration, pass, losses_,
                                                     static_cast<std::int32_t>(refit_loss_count(options_)), result_});
  }

  /// to = alpha a op(b) + beta to, where `to` lies among the sums.
  void multiply(operand op_b, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                std::int64_t a_leading, const float* b, std::int64_t b_leading, float beta, float* to) const {
    machine_.multiply("refit: product", operand::as_is, op_b, a_.rows, columns, depth, alpha, a, a_leading, b,
                      b_leading, beta, to, side);
  }
  void clear() const { machine_.launch("refit: clear", refit_clear_body{a_.rows, sums_}); }

  /// sums = alpha * of[:, later columns] * H[later columns, block] + beta * sums
  void add_later(float alpha, float beta, const float* of, std::int64_t first) const {
    const auto end = first + width(first);
    if (end < a_.columns)
      multiply(operand::transposed, end - first, a_.columns - end, alpha, of + end, a_.columns,
               hessian_ + first * leading_ + end, leading_, beta, sums_);
    else if (beta == 0)
      clear();
  }
  /// sums = alpha * of[:, earlier columns] * H[earlier columns, block] + beta * sums
  void add_earlier(float alpha, float beta, const float* of, std::int64_t first) const {
    if (first > 0)
      multiply(operand::as_is, width(first), first, alpha, of, a_.columns, hessian_ + first, leading_, beta, sums_);
    else if (beta == 0)
      clear();
  }
  /// sums -= 1/2 away[:, block] * (H + D)[block, block]
  void add_half_corner(std::int64_t first) const {
    multiply(operand::as_is, width(first), width(first), -0.5F, a_.away + first, a_.columns, corners_ + first * side,
             side, 1.0F, sums_);
  }

  template <refit_solve Solve>
  void solve(std::int64_t first) const {
    constexpr auto leaf = refit_device_leaf;
    constexpr bool forward = Solve != refit_solve::back;
    const auto all = width(first);
    const auto leaves = (all + leaf - 1) / leaf;
    for (std::int64_t k = 0; k < leaves; ++k) {
      const auto at = (forward ? k : leaves - 1 - k) * leaf;
      const auto count = std::min(leaf, all - at);
      const float* const rows = corners_ + (first + at) * side;  // of the corner
      refit_leaf_body<Solve> body;
      body.a = a_;
      body.first = first + at;
      body.count = count;
      body.corner = rows + at;
      body.sums = sums_ + at;
      machine_.launch("refit: leaf", body);
      const auto from = forward ? at + count : 0, to = forward ? all : at;
      if (from < to)
        multiply(operand::as_is, to - from, count, -1.0F, body.sums, side, rows + from, side, 1.0F, sums_ + from);
    }
  }

  const Machine& machine_;
  refit_options options_;
  const float* hessian_;
  std::int64_t leading_;
  refit_arrays a_;
  float* sums_;
  float* corners_;
  double* losses_;
  device_refit_result* result_;
};

}  // namespace miq::obs::detail
