#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <tuple>

#include <miq/core/detail/matrix_product.hpp>
#include <miq/core/matrix.hpp>
#include <miq/grouping/representatives.hpp>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

template <class Space>
struct representatives_arguments {
  matrix_view<const float, Space> hessian;
  const partition& groups;
  vector_view<const double, Space> weights;
  const representatives_options& options;
};

/// Pivots that are chosen between two updates of what is left of the matrix.
inline constexpr std::int64_t pivot_panel = 64;
/// Rows and columns of a tile of such an update.
inline constexpr std::int64_t pivot_tile = 256;
/// A residual below this share is rounding error: the column is explained.
inline constexpr float smallest_residual = 0x1.0p-22F;

/// Pivoted Cholesky factorisation of one group's correlations. The matrix shrinks: after each panel the columns chosen
/// in it are left out, and the others lose what these explain.
template <on_host Exec>
class pivot_choice {
 public:
  /// @param correlations  scratch of members^2
  /// @param price         of each column of the layer, what its residual is multiplied with
  pivot_choice(const Exec& exec, matrix_view<const float> hessian, std::span<const std::int64_t> members,
               double damping, float* correlations, const std::vector<double>& price)
      : exec_(exec),
        n_(static_cast<std::int64_t>(members.size())),
        leading_(n_),
        a_(correlations),
        ids_(members.begin(), members.end()),
        residual_(members.size(), 1.0F),
        panel_(pivot_panel, n_),
        price_(price) {
    std::vector<double> scale(members.size());
    for (std::size_t i = 0; i < scale.size(); ++i) {
      const double own = hessian(ids_[i], ids_[i]);
      scale[i] = own > 0 ? 1 / std::sqrt(own) : 0;
      if (!(own > 0)) residual_[i] = 0;
    }
    for (std::int64_t i = 0; i < n_; ++i)
      for (std::int64_t j = 0; j <= i; ++j) {
        const auto k = static_cast<std::size_t>(i);
        const auto l = static_cast<std::size_t>(j);
        const double product = double{hessian(ids_[k], ids_[l])} * scale[k] * scale[l];
        a_[i * leading_ + j] = i == j ? 1.0F : static_cast<float>(product / (1 + damping));
      }
  }

  void run(representatives_result& result, std::vector<double>& value) {
    std::int64_t rank = 0;
    while (n_ > 0) {
      std::vector<bool> chosen(static_cast<std::size_t>(n_));
      const auto panel = std::min(pivot_panel, n_);
      std::int64_t factored = 0;
      for (std::int64_t step = 0; step < panel; ++step) {
        const auto p = next_pivot(chosen);
        const auto at = static_cast<std::size_t>(p);
        const auto id = static_cast<std::size_t>(ids_[at]);
        chosen[at] = true;
        result.rank[id] = rank++;
        result.residual[id] = residual_[at];
        value[id] = residual_[at] * price_[id];
        // A column that is explained explains nothing: so are all that follow, or they have no price.
        if (residual_[at] > 0) explain_with(p, factored++);
      }
      shrink(chosen, factored);
    }
  }

 private:
  std::int64_t next_pivot(const std::vector<bool>& chosen) const {
    std::int64_t best = -1;
    double largest = -1;
    for (std::int64_t i = 0; i < n_; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double value = residual_[at] * price_[static_cast<std::size_t>(ids_[at])];
      if (chosen[at] || value <= largest) continue;
      largest = value;
      best = i;
    }
    return best;
  }

  /// Row `step` of the panel: column p of the factor. Takes from all residuals what p explains.
  void explain_with(std::int64_t p, std::int64_t step) {
    float* row = &panel_(step, 0);
    std::copy_n(a_ + p * leading_, p, row);
    for (auto i = p; i < n_; ++i) row[i] = a_[i * leading_ + p];
    for (std::int64_t q = 0; q < step; ++q) {
      const float* before = &panel_(q, 0);
      const float share = before[p];
      for (std::int64_t i = 0; i < n_; ++i) row[i] -= share * before[i];
    }
    const float root = 1 / std::sqrt(residual_[static_cast<std::size_t>(p)]);
    for (std::int64_t i = 0; i < n_; ++i) {
      row[i] *= root;
      auto& left = residual_[static_cast<std::size_t>(i)];
      left -= row[i] * row[i];
      if (left < smallest_residual) left = 0;
    }
  }

  /// Leaves out what was chosen, and takes from the rest what the panel's `factored` rows explain.
  void shrink(const std::vector<bool>& chosen, std::int64_t factored) {
    std::vector<std::int64_t> rest;
    for (std::int64_t i = 0; i < n_; ++i)
      if (!chosen[static_cast<std::size_t>(i)]) rest.push_back(i);
    const auto m = static_cast<std::int64_t>(rest.size());
    for (std::int64_t i = 0; i < m; ++i) {  // sources lie behind their destinations
      const auto from = rest[static_cast<std::size_t>(i)];
      for (std::int64_t j = 0; j <= i; ++j)
        a_[i * leading_ + j] = a_[from * leading_ + rest[static_cast<std::size_t>(j)]];
      for (std::int64_t q = 0; q < factored; ++q) panel_(q, i) = panel_(q, from);
      residual_[static_cast<std::size_t>(i)] = residual_[static_cast<std::size_t>(from)];
      ids_[static_cast<std::size_t>(i)] = ids_[static_cast<std::size_t>(from)];
    }
    n_ = m;
    const auto tiles = (m + pivot_tile - 1) / pivot_tile;
    exec_.parallel_for(tiles * (tiles + 1) / 2, [&](std::int64_t task) {
      std::int64_t i = 0;
      while (task > i) task -= ++i;
      const auto row = i * pivot_tile;
      const auto column = task * pivot_tile;
      miq::detail::multiply_add<miq::detail::operand::transposed, miq::detail::operand::as_is>(
          std::min(pivot_tile, m - row), std::min(pivot_tile, m - column), factored, -1.0F, &panel_(0, row),
          panel_.columns(), &panel_(0, column), panel_.columns(), a_ + row * leading_ + column, leading_);
    });
  }

  const Exec& exec_;
  std::int64_t n_;        // columns that are left
  std::int64_t leading_;  // of the matrix
  float* a_;              // its lower triangle, less what panels before explain
  std::vector<std::int64_t> ids_;
  std::vector<float> residual_;
  matrix<float> panel_;
  const std::vector<double>& price_;
};

template <on_host Exec>
representatives_result order_by_representatives_on(const Exec& exec,
                                                   const representatives_arguments<host_memory>& given) {
  using miq::detail::require;
  const auto& hessian = given.hessian;
  const auto& groups = given.groups;
  const auto& weights = given.weights;
  const auto& options = given.options;
  const auto c = hessian.columns();
  require(hessian.rows() == c, "order_by_representatives: hessian must be square, got ",
          miq::detail::shape_text(hessian.rows(), c));
  require(groups.columns() == c, "order_by_representatives: groups must be of the ", c, " columns of hessian, got ",
          groups.columns());
  require(weights.empty() || weights.size() == c, "order_by_representatives: weights must hold ", c,
          " columns to match hessian, got ", weights.size());
  require(options.damping >= 0 && std::isfinite(options.damping),
          "order_by_representatives: damping must be finite and not negative, got ", options.damping);
  for (std::int64_t j = 0; j < weights.size(); ++j)
    require(std::isfinite(weights[j]) && weights[j] >= 0, "order_by_representatives: weight of column ", j,
            " must be finite and not negative, got ", weights[j]);
  exec.parallel_for(c, [&](std::int64_t i) {
    require(hessian(i, i) >= 0, "order_by_representatives: the diagonal of hessian must not be negative, got ",
            hessian(i, i), " in row ", i);
    for (std::int64_t j = 0; j <= i; ++j)
      require(std::isfinite(hessian(i, j)), "order_by_representatives: hessian must be finite, got ", hessian(i, j),
              " in row ", i, ", column ", j);
  });

  const auto n = static_cast<std::size_t>(c);
  std::vector<double> price(n);
  for (std::int64_t j = 0; j < c; ++j)
    price[static_cast<std::size_t>(j)] =
        weights.empty() ? (hessian(j, j) > 0 ? 1.0 : 0.0) : weights[j] * double{hessian(j, j)};
  std::vector<std::int64_t> first;  // of each group's scratch
  std::int64_t scratch = 0;
  for (std::int64_t g = 0; g < groups.groups(); ++g) {
    first.push_back(scratch);
    scratch += groups.size(g) * groups.size(g);
  }
  matrix<float> correlations(1, scratch, exec.resource());
  representatives_result result{std::vector<std::int64_t>(n), std::vector<std::int64_t>(n), std::vector<float>(n)};
  std::vector<double> value(n);
  const auto choose = [&](std::int64_t g) {
    pivot_choice(exec, hessian, groups.members(g), options.damping,
                 correlations.data() + first[static_cast<std::size_t>(g)], price)
        .run(result, value);
  };
  if (groups.groups() == 1) {
    choose(0);  // its tiles in parallel
  } else {
    exec.parallel_for(groups.groups(), choose);
  }
  std::iota(result.order.begin(), result.order.end(), 0);
  std::sort(result.order.begin(), result.order.end(), [&](std::int64_t x, std::int64_t y) {
    const auto a = static_cast<std::size_t>(x);
    const auto b = static_cast<std::size_t>(y);
    return std::tuple(value[a], -result.rank[a], a) < std::tuple(value[b], -result.rank[b], b);
  });
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
representatives_result order_by_representatives(const Exec& exec, matrix_view<const float, memory_of<Exec>> hessian,
                                                const partition& groups,
                                                vector_view<const double, memory_of<Exec>> weights,
                                                const representatives_options& options) {
  return order_by_representatives_on(
      exec, detail::representatives_arguments<memory_of<Exec>>{hessian, groups, weights, options});
}

}  // namespace miq::grouping
