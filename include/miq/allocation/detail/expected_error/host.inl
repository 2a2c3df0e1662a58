#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include <miq/allocation/detail/column_sums/checks.hpp>
#include <miq/allocation/detail/expected_error/checks.hpp>
#include <miq/allocation/expected_error.hpp>
#include <miq/core/detail/as_float.hpp>

namespace miq::allocation {
namespace detail {

template <class Space>
struct column_arguments {
  matrix_view<const float, Space> weights;
  matrix_view<const float, Space> upper;
  matrix_view<const std::uint8_t, Space> kept;
  vector_view<const std::int64_t, Space> order;
};

template <on_host Exec>
column_costs measure_columns_on(const Exec& exec, const column_arguments<host_memory>& given) {
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto& weights = given.weights;
  const auto& upper = given.upper;
  const auto& kept = given.kept;
  const auto& order = given.order;
  const auto rows = weights.rows();
  const auto c = weights.columns();
  require(rows > 0 && c > 0, "measure_columns: weights must not be empty, got ", shape_text(rows, c));
  require(upper.rows() == c && upper.columns() == c, "measure_columns: upper must be ", shape_text(c, c),
          " to match the weights, got ", shape_text(upper.rows(), upper.columns()));
  require(kept.empty() || (kept.rows() == rows && kept.columns() == c), "measure_columns: kept must be ",
          shape_text(rows, c), " to match the weights, got ", shape_text(kept.rows(), kept.columns()));
  require_permutation("measure_columns", order, c);
  const auto n = static_cast<std::size_t>(c);
  column_costs costs{std::vector<double>(n), std::vector<double>(n), std::vector<double>(n)};
  for (std::int64_t k = 0; k < c; ++k)
    costs.conditional_variance[static_cast<std::size_t>(order.empty() ? k : order[k])] =
        conditional_variance_of("measure_columns", static_cast<double>(upper(k, k)), k);
  constexpr std::int64_t tile = 64;  // columns
  exec.parallel_for((c + tile - 1) / tile, [&](std::int64_t t) {
    const auto last = std::min(c, (t + 1) * tile);
    for (std::int64_t r = 0; r < rows; ++r)
      for (auto j = t * tile; j < last; ++j) {
        const double w = weights(r, j);
        require(std::isfinite(w), "measure_columns: weights must be finite, got ", w, " in row ", r, ", column ", j);
        if (!kept.empty() && kept(r, j) == 0) continue;
        costs.mean_square[static_cast<std::size_t>(j)] += w * w;
        costs.kept[static_cast<std::size_t>(j)] += 1;
      }
    for (auto j = static_cast<std::size_t>(t * tile); j < static_cast<std::size_t>(last); ++j)
      if (costs.kept[j] > 0) costs.mean_square[j] /= costs.kept[j];
  });
  return costs;
}

template <class Space>
struct arriving_arguments {
  matrix_view<const float, Space> upper;
  std::span<const double> mean_square;
  std::span<const double> relative_error;
  vector_view<const std::int64_t, Space> order;
};

inline std::vector<double> arriving_mean_squares_on(const host_executor&,
                                                    const arriving_arguments<host_memory>& given) {
  using miq::detail::require;
  const auto& upper = given.upper;
  const auto& mean_square = given.mean_square;
  const auto& relative_error = given.relative_error;
  const auto& order = given.order;
  const auto c = upper.columns();
  require(upper.rows() == c, "arriving_mean_squares: upper must be square, got ",
          miq::detail::shape_text(upper.rows(), c));
  require(static_cast<std::int64_t>(mean_square.size()) == c && static_cast<std::int64_t>(relative_error.size()) == c,
          "arriving_mean_squares: mean_square and relative_error must hold ", c, " columns to match upper, got ",
          mean_square.size(), " and ", relative_error.size());
  require_permutation("arriving_mean_squares", order, c);
  const auto column_at = [&](std::int64_t k) { return static_cast<std::size_t>(order.empty() ? k : order[k]); };
  std::vector<double> arriving(mean_square.size());  // by place in the order
  for (std::int64_t k = 0; k < c; ++k) {
    const auto j = column_at(k);
    const auto valid = [](double x) { return std::isfinite(x) && x >= 0; };
    require(valid(mean_square[j]) && valid(relative_error[j]),
            "arriving_mean_squares: mean square and relative error "
            "of column ",
            j, " must be finite and not negative, got ", mean_square[j], " and ", relative_error[j]);
    require(upper(k, k) > 0 && std::isfinite(upper(k, k)),
            "arriving_mean_squares: the diagonal of upper must be positive and finite, got ", upper(k, k), " in row ",
            k);
    arriving[static_cast<std::size_t>(k)] = mean_square[j];
  }
  for (std::int64_t k = 0; k < c; ++k) {
    const double own = upper(k, k);
    const double error = relative_error[column_at(k)] * arriving[static_cast<std::size_t>(k)] / (own * own);
    for (auto l = k + 1; l < c; ++l) {
      const double u = upper(k, l);
      arriving[static_cast<std::size_t>(l)] += error * (u * u);
    }
  }
  if (order.empty()) return arriving;
  std::vector<double> result(arriving.size());
  for (std::int64_t k = 0; k < c; ++k) result[column_at(k)] = arriving[static_cast<std::size_t>(k)];
  return result;
}

/// Of 1 to 8 bits: made by tests/allocation/reference.py.
inline constexpr std::array<double, 8> gaussian_grid_errors{
    0.36338022763241846,  0.11884605038407703,   0.0374396593915234,    0.011542884431350566,
    0.003495211361505273, 0.0010400454087915399, 0.0003043327708236473, 8.768618578378782e-05};

}  // namespace detail

template <executor Exec>
column_costs measure_columns(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                             matrix_view<const float, memory_of<Exec>> upper,
                             matrix_view<const std::uint8_t, memory_of<Exec>> kept,
                             vector_view<const std::int64_t, memory_of<Exec>> order) {
  return miq::detail::with_float(exec, weights, [&](const auto& typed) {
    return detail::measure_columns_on(exec, detail::column_arguments<memory_of<Exec>>{typed, upper, kept, order});
  });
}

MIQ_API double relative_grid_error(int bits, grid_model model) {
  using miq::detail::require;
  require(bits >= 1 && bits <= 8, "relative_grid_error: bits must be 1 to 8, got ", bits);
  require(model == grid_model::gaussian || model == grid_model::high_resolution,
          "relative_grid_error: model is not one of grid_model, got ", static_cast<int>(model));
  return model == grid_model::gaussian ? detail::gaussian_grid_errors[static_cast<std::size_t>(bits - 1)]
                                       : std::scalbn(1.0, -2 * bits);
}

MIQ_API matrix<double> modelled_grid_errors(const column_costs& columns, std::span<const int> widths,
                                            grid_model model) {
  detail::require_widths("modelled_grid_errors", widths, 8);
  matrix<double> errors(columns.columns(), static_cast<std::int64_t>(widths.size()));
  for (std::int64_t j = 0; j < errors.rows(); ++j) {
    const auto at = static_cast<std::size_t>(j);
    for (std::int64_t k = 0; k < errors.columns(); ++k)
      errors(j, k) =
          columns.kept[at] * columns.mean_square[at] * relative_grid_error(widths[static_cast<std::size_t>(k)], model);
  }
  return errors;
}

template <executor Exec>
std::vector<double> arriving_mean_squares(const Exec& exec, matrix_view<const float, memory_of<Exec>> upper,
                                          std::span<const double> mean_square, std::span<const double> relative_error,
                                          vector_view<const std::int64_t, memory_of<Exec>> order) {
  return arriving_mean_squares_on(
      exec, detail::arriving_arguments<memory_of<Exec>>{upper, mean_square, relative_error, order});
}

MIQ_API matrix<double> expected_errors(std::span<const double> conditional_variance,
                                       matrix_view<const double> squared_errors, std::span<const std::int32_t> labels,
                                       std::int64_t groups) {
  using miq::detail::require;
  const auto c = squared_errors.rows();
  require(groups >= 0, "expected_errors: groups must not be negative, got ", groups);
  require(static_cast<std::int64_t>(conditional_variance.size()) == c,
          "expected_errors: conditional_variance must hold ", c, " columns to match squared_errors, got ",
          conditional_variance.size());
  require(static_cast<std::int64_t>(labels.size()) == c, "expected_errors: labels must hold ", c,
          " columns to match squared_errors, got ", labels.size());
  detail::require_errors("expected_errors", "squared_errors", squared_errors);
  for (std::int64_t j = 0; j < c; ++j) {
    const auto at = static_cast<std::size_t>(j);
    require(std::isfinite(conditional_variance[at]) && conditional_variance[at] >= 0,
            "expected_errors: conditional_variance of column ", j, " must be finite and not negative, got ",
            conditional_variance[at]);
    require(labels[at] >= 0 && labels[at] < groups, "expected_errors: label of column ", j, " must be 0 to ",
            groups - 1, ", got ", labels[at]);
  }
  matrix<double> errors(groups, squared_errors.columns());
  for (std::int64_t j = 0; j < c; ++j) {
    const auto at = static_cast<std::size_t>(j);
    for (std::int64_t k = 0; k < errors.columns(); ++k)
      errors(labels[at], k) += 0.5 * conditional_variance[at] * squared_errors(j, k);
  }
  return errors;
}

MIQ_API rate_curves bit_curves(matrix_view<const double> errors, std::span<const int> widths,
                               std::span<const bit_item> storage) {
  using miq::detail::require;
  require(static_cast<std::int64_t>(widths.size()) == errors.columns(), "bit_curves: widths must hold ",
          errors.columns(), " numbers to match errors, got ", widths.size());
  require(static_cast<std::int64_t>(storage.size()) == errors.rows(), "bit_curves: storage must hold ", errors.rows(),
          " groups to match errors, got ", storage.size());
  detail::require_widths("bit_curves", widths, 16);
  detail::require_errors("bit_curves", "errors", errors);
  rate_curves curves;
  std::vector<rate_option> options(widths.size());
  for (std::int64_t g = 0; g < errors.rows(); ++g) {
    const auto& item = storage[static_cast<std::size_t>(g)];
    require(item.weights >= 0 && item.fixed_bits >= 0 && item.bits_per_bit >= 0, "bit_curves: counts of group ", g,
            " must not be negative");
    for (std::size_t k = 0; k < widths.size(); ++k)
      options[k] = {std::ceil(stored_bits(item, widths[k])), errors(g, static_cast<std::int64_t>(k))};
    curves.add(options);
  }
  return curves;
}

}  // namespace miq::allocation
