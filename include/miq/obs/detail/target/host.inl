#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <miq/core/detail/as_float.hpp>
#include <miq/core/detail/finite.hpp>
#include <miq/obs/detail/solver/damping.hpp>
#include <miq/obs/detail/solver/inverse_product.hpp>
#include <miq/obs/detail/target/checks.hpp>
#include <miq/obs/target.hpp>

namespace miq::obs {
namespace detail {

struct target_scratch {
  target_scratch(std::int64_t rows, std::int64_t columns)
      : moved(layout.add<float>(rows * columns)),
        halfway(layout.add<float>(rows * columns)),
        norms(layout.add<double>(3 * rows)) {}

  miq::detail::workspace_layout layout;
  std::int64_t moved, halfway;  // [rows, columns]
  std::int64_t norms;           // [rows, 3]: squares of the change, of W, of the change as U sees it
};

inline void require_finite_vector(const char* function, const char* argument, vector_view<const float> v) {
  for (std::int64_t i = 0; i < v.size(); ++i)
    miq::detail::require(std::isfinite(v[i]), function, ": ", argument, " must be finite, got ", v[i], " at ", i);
}

template <on_host Exec>
void add_target_ridge_on(const Exec& exec, matrix_view<const float> weights, matrix_view<float> hessian, double share) {
  const auto columns = weights.columns();
  check_target_ridge<host_memory>(weights, hessian, share);
  check_hessian("add_target_ridge", hessian);
  miq::detail::require_finite(exec, weights, "add_target_ridge", "weights");
  std::vector<double> energy(static_cast<std::size_t>(columns));
  for (std::int64_t r = 0; r < weights.rows(); ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      energy[static_cast<std::size_t>(c)] += static_cast<double>(weights(r, c)) * static_cast<double>(weights(r, c));
  double mean = 0;
  for (std::int64_t c = 0; c < columns; ++c) {
    energy[static_cast<std::size_t>(c)] *= static_cast<double>(hessian(c, c));
    mean += energy[static_cast<std::size_t>(c)] / static_cast<double>(columns);
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    const double times = ridge_share(energy[static_cast<std::size_t>(c)], mean, share);
    hessian(c, c) = static_cast<float>(static_cast<double>(hessian(c, c)) * (1 + times));
  }
}

/// `moments` is [c, c] or, `to_outputs`, [c, rows].
template <on_host Exec>
target_result shift_target_on(const Exec& exec, const char* function, bool to_outputs, matrix_view<const float> weights,
                              matrix_view<const float> moments, matrix_view<const float> upper,
                              matrix_view<float> shifted, const target_options& options, workspace given) {
  check_target<host_memory>(function, to_outputs, weights, moments, upper, shifted, options);
  const auto rows = weights.rows(), columns = weights.columns();
  const char* const name = to_outputs ? "residual" : "difference";
  const target_scratch plan(rows, columns);
  const miq::detail::scratch_block memory(function, plan.layout, given, exec.resource());
  miq::detail::require_finite(exec, weights, function, "weights");
  miq::detail::require_finite(exec, moments, function, name);
  miq::detail::require_finite(exec, upper, function, "upper");

  if (options.strength == 0) {
    for (std::int64_t r = 0; r < rows; ++r) std::copy_n(&weights(r, 0), columns, &shifted(r, 0));
    return {};
  }
  auto* const moved = memory.at<float>(plan.moved);
  auto* const halfway = memory.at<float>(plan.halfway);
  auto* const norms = memory.at<double>(plan.norms);
  const auto strength = static_cast<float>(options.strength);
  const auto tile = product_rows(rows);
  exec.parallel_for(product_tasks(rows), [&](std::int64_t task) {
    using miq::detail::operand;
    const auto first = task * tile, count = std::min(tile, rows - first);
    float* const mine = moved + first * columns;
    float* const other = halfway + first * columns;
    if (to_outputs) {
      for (std::int64_t c = 0; c < columns; ++c)
        for (std::int64_t r = 0; r < count; ++r) mine[r * columns + c] = moments(c, first + r);
    } else {
      std::fill_n(mine, count * columns, 0.0F);
      miq::detail::multiply_add<operand::as_is, operand::transposed>(count, columns, columns, 1.0F, &weights(first, 0),
                                                                     weights.leading(), moments.data(),
                                                                     moments.leading(), mine, columns);
    }
    multiply_by_inverse(count, mine, columns, upper, other, columns, mine, columns);
    for (std::int64_t r = 0; r < count; ++r) {
      double change = 0, before = 0, seen = 0;
      for (std::int64_t c = 0; c < columns; ++c) {
        const float step = strength * mine[r * columns + c];
        const float w = weights(first + r, c);
        shifted(first + r, c) = w + step;
        change += static_cast<double>(step) * static_cast<double>(step);
        before += static_cast<double>(w) * static_cast<double>(w);
        seen += static_cast<double>(other[r * columns + c]) * static_cast<double>(other[r * columns + c]);
      }
      double* const out = norms + 3 * (first + r);
      out[0] = change, out[1] = before, out[2] = seen;
    }
  });
  double change = 0, before = 0, seen = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    change += norms[3 * r];
    before += norms[3 * r + 1];
    seen += norms[3 * r + 2];
  }
  if (!std::isfinite(change) || !std::isfinite(seen))
    throw numerical_error(
        miq::detail::join_message(function, ": the products overflowed; upper does not belong to ", "these moments"));
  const double s = options.strength;
  return {before > 0 ? std::sqrt(change / before) : 0.0, (s - s * s / 2) * seen};
}

inline double row_output(matrix_view<const float> weights, vector_view<const float> mean, std::int64_t r) {
  double sum = 0;
  for (std::int64_t c = 0; c < weights.columns(); ++c)
    sum += static_cast<double>(weights(r, c)) * static_cast<double>(mean[c]);
  return sum;
}

template <on_host Exec>
void mean_output_on(const Exec& exec, matrix_view<const float> weights, vector_view<const float> mean,
                    vector_view<float> output) {
  check_output("mean_output", weights, mean, output.size(), "output");
  miq::detail::require_finite(exec, weights, "mean_output", "weights");
  require_finite_vector("mean_output", "mean", mean);
  exec.parallel_for(weights.rows(),
                    [&](std::int64_t r) { output[r] = static_cast<float>(row_output(weights, mean, r)); });
}

template <on_host Exec>
void correct_bias_on(const Exec& exec, matrix_view<const float> weights, vector_view<const float> mean,
                     vector_view<const float> target, vector_view<const float> bias, vector_view<float> corrected) {
  check_output("correct_bias", weights, mean, target.size(), "target");
  check_output("correct_bias", weights, mean, corrected.size(), "corrected");
  if (!bias.empty()) check_output("correct_bias", weights, mean, bias.size(), "bias");
  miq::detail::require_finite(exec, weights, "correct_bias", "weights");
  require_finite_vector("correct_bias", "mean", mean);
  require_finite_vector("correct_bias", "target", target);
  require_finite_vector("correct_bias", "bias", bias);
  exec.parallel_for(weights.rows(), [&](std::int64_t r) {
    const double before = bias.empty() ? 0.0 : static_cast<double>(bias[r]);
    corrected[r] = static_cast<float>(before + (static_cast<double>(target[r]) - row_output(weights, mean, r)));
  });
}

}  // namespace detail

MIQ_API std::int64_t target_workspace_bytes(std::int64_t rows, std::int64_t columns) {
  return detail::target_scratch(rows, columns).layout.bytes();
}

template <executor Exec>
target_result shift_target(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                           matrix_view<const float, memory_of<Exec>> difference,
                           matrix_view<const float, memory_of<Exec>> upper, matrix_view<float, memory_of<Exec>> shifted,
                           const target_options& options, workspace scratch) {
  return miq::detail::with_float(exec, weights, [&](const auto& typed) {
    return detail::shift_target_on(exec, "shift_target", false, typed, difference, upper, shifted, options, scratch);
  });
}

template <executor Exec>
void add_target_ridge(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                      matrix_view<float, memory_of<Exec>> hessian, double share) {
  return miq::detail::with_float(
      exec, weights, [&](const auto& typed) { return detail::add_target_ridge_on(exec, typed, hessian, share); });
}

template <executor Exec>
target_result shift_target_to_outputs(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                                      matrix_view<const float, memory_of<Exec>> residual,
                                      matrix_view<const float, memory_of<Exec>> upper,
                                      matrix_view<float, memory_of<Exec>> shifted, const target_options& options,
                                      workspace scratch) {
  return miq::detail::with_float(exec, weights, [&](const auto& typed) {
    return detail::shift_target_on(exec, "shift_target_to_outputs", true, typed, residual, upper, shifted, options,
                                   scratch);
  });
}

template <executor Exec>
void mean_output(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                 vector_view<const float, memory_of<Exec>> mean, vector_view<float, memory_of<Exec>> output) {
  return miq::detail::with_float(exec, weights,
                                 [&](const auto& typed) { return detail::mean_output_on(exec, typed, mean, output); });
}

template <executor Exec>
void correct_bias(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                  vector_view<const float, memory_of<Exec>> mean, vector_view<const float, memory_of<Exec>> target,
                  vector_view<const float, memory_of<Exec>> bias, vector_view<float, memory_of<Exec>> corrected) {
  return miq::detail::with_float(exec, weights, [&](const auto& typed) {
    return detail::correct_bias_on(exec, typed, mean, target, bias, corrected);
  });
}

}  // namespace miq::obs
