// Weights of any element type as floats, for host functions that compute on those.
#pragma once

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/weights_view.hpp>

namespace miq::detail {

/// `weights` as floats in memory of the executor's resource.
template <on_host Exec>
matrix<float> float_copy(const Exec& exec, const weights_view<>& weights) {
  return weights.visit([&](const auto& typed) {
    matrix<float> to(typed.rows(), typed.columns(), exec.resource());
    exec.parallel_for(typed.rows(), [&](std::int64_t r) {
      for (std::int64_t c = 0; c < typed.columns(); ++c) to(r, c) = static_cast<float>(typed(r, c));
    });
    return to;
  });
}

/// Calls `f` with the weights as they are, or with a copy if they have 16 bits; returns what it returns.
template <on_host Exec, class Function>
decltype(auto) with_float(const Exec& exec, const weights_view<>& weights, const Function& f) {
  if (const auto* const typed = weights.template get_if<float>(); typed != nullptr) return f(*typed);
  const auto copy = float_copy(exec, weights);
  return f(matrix_view<const float>(copy.view()));
}

}  // namespace miq::detail
