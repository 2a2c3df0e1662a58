// Sweeps and what they promise, judged by the oracle: shared by the tests of the host and of the device's bodies.
//
// Float and double may decide differently where a weight lies within rounding of a boundary, and every later weight of
// the row then differs. So the oracle replays the library's decisions, and each decision is judged by the weight that
// the oracle saw: it must be right up to the rounding that has gathered by then.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <miq/obs/factor.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/quantization/fit.hpp>

#include "layer_data.hpp"
#include "reference/obs_oracle.hpp"
#include "test_support/catch.hpp"

namespace miq_test {

using Eigen::MatrixXd;
using miq::matrix;
using miq::obs::mask_scope;
using miq::obs::sweep_options;
using miq::quantization::grid_layout;
using miq::quantization::grid_set;
using miq::quantization::grid_symmetry;

inline constexpr double unit = 0x1.0p-24;  // half an ulp of 1 in float

struct solved {
  matrix<float> weights;
  matrix<std::uint8_t> codes;
  matrix<std::uint8_t> kept;
  std::vector<double> row_loss;
  miq::obs::sweep_result result;
};

inline matrix<float> upper_of(const layer& of) {
  const miq::host_executor exec({.threads = 2});
  matrix<float> upper(of.hessian.rows(), of.hessian.columns());
  miq::obs::factor(exec, of.hessian.view(), upper.view());
  return upper;
}

inline solved solve(const matrix<float>& weights, const matrix<float>& upper, const sweep_options& options,
                    const grid_set* grids = nullptr, const matrix<std::uint8_t>* kept = nullptr, int threads = 2,
                    const std::vector<float>& saliency = {}) {
  const miq::host_executor exec({.threads = threads});
  solved s;
  s.weights = matrix<float>(weights.rows(), weights.columns(), -7.0F);
  s.kept = matrix<std::uint8_t>(weights.rows(), weights.columns(), 77);
  s.row_loss.assign(static_cast<std::size_t>(weights.rows()), -1);
  miq::quantization::grid_set_view<> view;
  miq::obs::sweep_inputs<> in{.weights = weights.view(), .upper = upper.view(), .column_saliency = saliency};
  miq::obs::sweep_outputs<> out{s.weights.view(), {}, s.kept.view(), s.row_loss};
  if (grids != nullptr) {
    view = grids->view();
    in.grids = view;
    s.codes = matrix<std::uint8_t>(weights.rows(), weights.columns(), 77);
    out.codes = s.codes.view();
  }
  if (kept != nullptr) in.kept = kept->view();
  s.result = miq::obs::sweep(exec, in, out, options);
  return s;
}

inline grid_set fit(const matrix<float>& weights, const std::vector<std::int32_t>& labels,
                    const std::vector<std::uint8_t>& bits, grid_layout layout, grid_symmetry symmetry) {
  const miq::host_executor exec({.threads = 1});
  return miq::quantization::fit_grids(exec, weights.view(), labels, bits, {.layout = layout, .symmetry = symmetry});
}

inline grid_set fit(const matrix<float>& weights, int bits, grid_symmetry symmetry = grid_symmetry::asymmetric) {
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(weights.columns()), 0);
  return fit(weights, labels, {static_cast<std::uint8_t>(bits)}, grid_layout::per_row_and_group, symmetry);
}

inline bool same(const solved& a, const solved& b) {
  const auto equal = [](const auto& x, const auto& y) {
    return x.size() == y.size() &&
           (x.size() == 0 ||
            std::memcmp(x.data(), y.data(), sizeof(*x.data()) * static_cast<std::size_t>(x.size())) == 0);
  };
  return equal(a.weights, b.weights) && equal(a.codes, b.codes) && equal(a.kept, b.kept) && a.row_loss == b.row_loss &&
         a.result.loss == b.result.loss && a.result.masked == b.result.masked && a.result.clamped == b.result.clamped;
}

/// Two sweeps of one layer that add in different orders, each judged by `check_sweep`. Rows in which they decide alike
/// lose the same. Where rounding decides otherwise, all that follows in the row is another draw of the same dice, and
/// where rows compete for a mask, so is a little of the others: such rows must be few.
inline void check_alike(const solved& a, const solved& b) {
  CHECK(a.result.masked == b.result.masked);
  const auto rows = a.kept.rows();
  const auto columns = static_cast<std::size_t>(a.kept.columns());
  const auto same_row = [&](const matrix<std::uint8_t>& x, const matrix<std::uint8_t>& y, std::int64_t r) {
    return x.empty() || std::memcmp(&x(r, 0), &y(r, 0), columns) == 0;
  };
  std::int64_t apart = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    if (same_row(a.kept, b.kept, r) && same_row(a.codes, b.codes, r))
      REQUIRE(a.row_loss[static_cast<std::size_t>(r)] ==
              Approx(b.row_loss[static_cast<std::size_t>(r)]).epsilon(1e-3).margin(1e-12));
    else
      ++apart;
  }
  CHECK(apart <= 4 + rows / 8);
}

/// What a code stands for, in double, from the definition of the grids.
inline double level_of(const miq::quantization::affine_grid& grid, int code) {
  const double scale = grid.scale;
  const double zero = grid.zero;
  if (!grid.zero_free) return scale * (code - zero);
  const int half = (grid.maximum_code + 1) / 2;
  return code >= half ? scale * (zero + code - half) : -scale * (zero + half - 1 - code);
}

/// Everything that a sweep promises, judged by the oracle.
inline void check_sweep(const layer& of, const sweep_options& options, const solved& s, const grid_set* grids,
                        const matrix<std::uint8_t>* given = nullptr, const std::vector<float>& saliency = {}) {
  const auto rows = of.weights.rows();
  const auto columns = of.weights.columns();
  INFO("layer " << rows << " x " << columns << ", rule " << static_cast<int>(options.mask) << ", sparsity "
                << options.sparsity << ", block " << options.column_block);
  const MatrixXd h = miq_oracle::damped(to_double(of.hessian), 0.01, false);
  const auto inverses = miq_oracle::inverse_rows(h);
  const auto chosen_together = options.mask == mask_scope::n_of_m ? options.pattern_width : options.column_block;
  const auto replay = miq_oracle::replay(to_double(of.weights), inverses, chosen_together,
                                         [&](Eigen::Index r, Eigen::Index c, double w) {
                                           if (s.kept(r, c) == 0) return 0.0;
                                           if (grids == nullptr) return w;
                                           return level_of(grids->at(r, c), static_cast<int>(s.codes(r, c)));
                                         });
  // A weight has seen up to `columns` updates, each off by a unit of the largest weight, by rows of U that are off by
  // `columns` units times the condition number: as a random walk, sqrt(columns) of them.
  const double largest = replay.before.cwiseAbs().maxCoeff();
  const double slack = 4 * std::sqrt(static_cast<double>(columns)) * unit * miq_oracle::condition(h) * largest;

  std::int64_t masked = 0;
  std::int64_t surely_clamped = 0;
  std::int64_t perhaps_clamped = 0;
  double worst_weight = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      REQUIRE(s.kept(r, c) <= 1);
      if (s.kept(r, c) == 0) {
        ++masked;
        REQUIRE(s.weights(r, c) == 0.0F);
        if (grids != nullptr) REQUIRE(s.codes(r, c) == 0);
        continue;
      }
      if (grids == nullptr) {
        worst_weight = std::max(worst_weight, std::abs(static_cast<double>(s.weights(r, c)) - replay.settled(r, c)));
        continue;
      }
      const auto grid = grids->at(r, c);
      const auto code = static_cast<int>(s.codes(r, c));
      REQUIRE(code <= grid.maximum_code);
      REQUIRE(static_cast<double>(s.weights(r, c)) == Approx(level_of(grid, code)).epsilon(1e-6).margin(0));
      if (grid.zero_free) {
        // No level of the weight's own sign is nearer, up to rounding.
        const double before = replay.before(r, c);
        const double off = std::abs(before - level_of(grid, code));
        if (std::abs(before) > slack) REQUIRE((before < 0) == (code < (grid.maximum_code + 1) / 2));
        for (int other = 0; other <= grid.maximum_code; ++other)
          if ((level_of(grid, other) < 0) == (level_of(grid, code) < 0))
            REQUIRE(off <= std::abs(before - level_of(grid, other)) + 2 * slack + 1e-6 * std::abs(before));
        const double outermost = level_of(grid, grid.maximum_code) + static_cast<double>(grid.scale) / 2;
        const double near = slack + 256 * unit * outermost;
        surely_clamped += std::abs(before) > outermost + near ? 1 : 0;
        perhaps_clamped += std::abs(before) > outermost - near ? 1 : 0;
        continue;
      }
      REQUIRE(s.weights(r, c) == grid.scale * (static_cast<float>(code) - grid.zero));
      const double position = replay.before(r, c) / static_cast<double>(grid.scale) + static_cast<double>(grid.zero);
      const double near = slack / static_cast<double>(grid.scale) + 256 * unit;
      if (code > 0) REQUIRE(position >= code - 0.5 - near);
      if (code < grid.maximum_code) REQUIRE(position <= code + 0.5 + near);
      surely_clamped += position < -0.5 - near || position > grid.maximum_code + 0.5 + near ? 1 : 0;
      perhaps_clamped += position < -0.5 + near || position > grid.maximum_code + 0.5 - near ? 1 : 0;
    }
  }
  CHECK(worst_weight <= slack);
  CHECK(s.result.masked == masked);
  CHECK(s.result.clamped >= surely_clamped);
  CHECK(s.result.clamped <= perhaps_clamped);

  // The mask: exact counts, and no masked weight more salient than a kept one of the same choice, up to rounding: a
  // weight that is off by `slack` moves its saliency's root by slack / sqrt(G_0).
  const auto judge = [&](std::int64_t first_row, std::int64_t last_row, std::int64_t first, std::int64_t last) {
    const auto size = static_cast<double>((last_row - first_row) * (last - first));
    const auto wanted = options.mask == mask_scope::n_of_m
                            ? std::max<std::int64_t>(last - first - options.pattern_kept, 0)
                            : static_cast<std::int64_t>(std::floor(options.sparsity * size));
    std::int64_t count = 0;
    double largest_masked = 0;
    double smallest_kept = std::numeric_limits<double>::infinity();
    double near = 0;
    for (auto r = first_row; r < last_row; ++r)
      for (auto c = first; c < last; ++c) {
        const double own = 1 / std::sqrt(inverses[static_cast<std::size_t>(c)](0));
        const double weight = std::sqrt(replay.saliency(r, c)) / own;
        const double importance = saliency.empty() ? own : static_cast<double>(saliency[static_cast<std::size_t>(c)]);
        const double root = weight * importance;
        near = std::max(near, slack * importance);
        if (s.kept(r, c) == 0) {
          ++count;
          largest_masked = std::max(largest_masked, root);
        } else {
          smallest_kept = std::min(smallest_kept, root);
        }
      }
    REQUIRE(count == wanted);
    REQUIRE(largest_masked <= smallest_kept + 2 * near);
  };
  for (std::int64_t first = 0; first < columns; first += options.column_block) {
    const auto last = std::min(columns, first + options.column_block);
    if (options.mask == mask_scope::column_block) judge(0, rows, first, last);
    if (options.mask == mask_scope::row)
      for (std::int64_t r = 0; r < rows; ++r) judge(r, r + 1, first, last);
  }
  if (options.mask == mask_scope::n_of_m)
    for (std::int64_t first = 0; first < columns; first += options.pattern_width)
      for (std::int64_t r = 0; r < rows; ++r) judge(r, r + 1, first, std::min(columns, first + options.pattern_width));
  if (options.mask == mask_scope::none) CHECK(masked == 0);
  if (options.mask == mask_scope::given)
    for (std::int64_t i = 0; i < given->size(); ++i) REQUIRE((given->data()[i] != 0) == (s.kept.data()[i] == 1));

  // Losses: row by row, by exact steps and as the quadratic form of the whole change.
  const MatrixXd change = to_double(of.weights) - to_double(s.weights);
  const Eigen::VectorXd quadratic = miq_oracle::quadratic_loss(change, h);
  double total = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const double loss = s.row_loss[static_cast<std::size_t>(r)];
    total += loss;
    // Each error is off by up to `slack`; the sum of squares by its root times that of the number of columns.
    const double error_slack = slack / std::sqrt(inverses.back()(0));
    double smallest = inverses[0](0);
    for (const auto& row : inverses) smallest = std::min(smallest, row(0));
    const double near = slack / std::sqrt(smallest);
    const double c = static_cast<double>(columns);
    const double tolerance = std::sqrt(2 * c * replay.row_loss(r)) * near + c * near * near +
                             c * unit * replay.row_loss(r) + error_slack * near;
    REQUIRE(std::abs(loss - replay.row_loss(r)) <= tolerance);
    REQUIRE(std::abs(loss - quadratic(r)) <= tolerance);
  }
  CHECK(s.result.loss == Approx(total).epsilon(1e-12));
}

}  // namespace miq_test
