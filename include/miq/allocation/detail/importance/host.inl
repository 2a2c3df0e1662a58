#pragma once

#include <Eigen/Cholesky>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory_resource>
#include <optional>
#include <vector>

#include <miq/allocation/detail/importance/combine.hpp>
#include <miq/allocation/importance.hpp>
#include <miq/core/detail/as_float.hpp>
#include <miq/core/error.hpp>
#include <miq/core/matrix.hpp>

namespace miq::allocation {
namespace detail {

// The arguments of one call, in a type of this namespace: so that the unqualified call finds the overload for the
// executor (argument-dependent lookup), whichever header was included first.

template <class Space>
struct importance_arguments {
  matrix_view<const float, Space> weights;
  const calibration::statistics_view<Space>& statistics;
  importance_measure measure;
  vector_view<float, Space> out;
  const importance_mix& mix;
};

template <class Space>
struct redundancy_arguments {
  const calibration::statistics_view<Space>& statistics;
  vector_view<float, Space> nats;
  const redundancy_options& options;
};

template <class Space>
struct group_importance_arguments {
  vector_view<const float, Space> columns;
  vector_view<const std::int32_t, Space> labels;
  vector_view<float, Space> out;
  group_reduction reduction;
};

template <class A, class B>
bool overlap(const vector_view<A>& a, const vector_view<B>& b) {
  return miq::detail::ranges_overlap(a.data(), a.size() * static_cast<std::int64_t>(sizeof(A)), b.data(),
                                     b.size() * static_cast<std::int64_t>(sizeof(B)));
}

template <class A, class B>
bool overlap(const vector_view<A>& a, const matrix_view<B>& b) {
  return miq::detail::ranges_overlap(a.data(), a.size() * static_cast<std::int64_t>(sizeof(A)), b.data(),
                                     miq::detail::spanned_bytes(b));
}

/// Checks the statistics that this folder reads, before anything is written.
inline void require_statistics(const char* function, const calibration::statistics_view<>& statistics,
                               std::int64_t least_tokens) {
  using miq::detail::require;
  const auto c = statistics.covariance.columns();
  require(c > 0 && statistics.covariance.rows() == c, function,
          ": statistics.covariance must be square and not empty, got ",
          miq::detail::shape_text(statistics.covariance.rows(), c));
  require(statistics.tokens >= least_tokens, function, ": statistics must hold at least ", least_tokens,
          " tokens, got ", statistics.tokens);
  for (std::int64_t j = 0; j < c; ++j)
    require(std::isfinite(statistics.covariance(j, j)) && statistics.covariance(j, j) >= 0, function,
            ": variance of column ", j, " must be finite and not negative, got ", statistics.covariance(j, j));
}

inline void require_apart(const char* function, const char* output, const vector_view<float>& out,
                          const calibration::statistics_view<>& statistics) {
  miq::detail::require(!overlap(out, statistics.covariance) && !overlap(out, statistics.mean) &&
                           !overlap(out, statistics.mean_absolute) && !overlap(out, statistics.minimum) &&
                           !overlap(out, statistics.maximum),
                       function, ": ", output, " must not overlap statistics");
}

inline constexpr std::int64_t column_tile = 256;

/// Mean of |W| and root of the mean of W^2 down every column, in double, rows ascending.
template <on_host Exec>
void column_magnitudes(const Exec& exec, matrix_view<const float> weights, double* mean_absolute,
                       double* root_mean_square) {
  const auto c = weights.columns();
  exec.parallel_for((c + column_tile - 1) / column_tile, [&](std::int64_t tile) {
    const auto first = tile * column_tile;
    const auto count = std::min(column_tile, c - first);
    std::array<double, column_tile> sum{};
    std::array<double, column_tile> squares{};
    for (std::int64_t r = 0; r < weights.rows(); ++r) {
      const float* row = &weights(r, first);
      for (std::int64_t j = 0; j < count; ++j) {
        const auto at = static_cast<std::size_t>(j);
        const double w = row[j];
        sum[at] += std::abs(w);
        squares[at] += w * w;
      }
    }
    const auto rows = static_cast<double>(weights.rows());
    for (std::int64_t j = 0; j < count; ++j) {
      const auto at = static_cast<std::size_t>(j);
      mean_absolute[first + j] = sum[at] / rows;
      root_mean_square[first + j] = std::sqrt(squares[at] / rows);
    }
  });
  for (std::int64_t j = 0; j < c; ++j) {
    if (std::isfinite(mean_absolute[j])) continue;
    std::int64_t r = 0;
    while (std::isfinite(weights(r, j))) ++r;
    miq::detail::require(false, "importance: weights must be finite, got ", weights(r, j), " in row ", r, ", column ",
                         j);
  }
}

template <on_host Exec>
void importance_on(const Exec& exec, const importance_arguments<host_memory>& given) {
  using miq::detail::require;
  using enum importance_measure;
  const auto& weights = given.weights;
  const auto& statistics = given.statistics;
  const auto& out = given.out;
  const auto measure = given.measure;
  const auto& mix = given.mix;
  require_statistics("importance", statistics, 1);
  const auto c = statistics.covariance.columns();
  require(statistics.mean.size() == c && statistics.mean_absolute.size() == c, "importance: statistics must hold ", c,
          " means and mean amplitudes, got ", statistics.mean.size(), " and ", statistics.mean_absolute.size());
  const bool reads_weights = measure == weight || measure == sensitivity || measure == mixed;
  require(out.size() == c, "importance: out must hold ", c, " columns to match the statistics, got ", out.size());
  require(reads_weights || measure == amplitude || measure == hessian || measure == variance,
          "importance: measure is not one of importance_measure, got ", static_cast<int>(measure));
  require_apart("importance", "out", out, statistics);
  for (std::int64_t j = 0; j < c; ++j) {
    require(std::isfinite(statistics.mean[j]), "importance: mean of column ", j, " must be finite, got ",
            statistics.mean[j]);
    require(std::isfinite(statistics.mean_absolute[j]) && statistics.mean_absolute[j] >= 0,
            "importance: mean amplitude of column ", j, " must be finite and not negative, got ",
            statistics.mean_absolute[j]);
  }
  if (reads_weights) {
    require(weights.rows() > 0 && weights.columns() == c, "importance: weights must be [rows, ", c,
            "] to match the statistics, got ", miq::detail::shape_text(weights.rows(), weights.columns()));
    require(!overlap(out, weights), "importance: out must not overlap weights");
  }
  const std::array<double, 5> shares{mix.amplitude, mix.hessian, mix.weight, mix.sensitivity, mix.variance};
  if (measure == mixed) {
    double total = 0;
    for (const auto share : shares) {
      require(std::isfinite(share) && share >= 0, "importance: mix must be finite and not negative, got ", share);
      total += share;
    }
    require(total > 0, "importance: mix must not be all zero");
  }

  matrix<double> magnitudes(2, reads_weights ? c : 0, exec.resource());
  if (reads_weights) column_magnitudes(exec, weights, &magnitudes(0, 0), &magnitudes(1, 0));
  std::vector<float> variances(static_cast<std::size_t>(c));
  for (std::int64_t j = 0; j < c; ++j) variances[static_cast<std::size_t>(j)] = statistics.covariance(j, j);
  combine_importances({variances, statistics.mean.data(), statistics.mean_absolute.data(), magnitudes.data(),
                       magnitudes.data() + magnitudes.columns()},
                      measure, shares, out.data());
}

/// psi(x), x > 0: recurrence up to 10, then the asymptotic series (Abramowitz & Stegun 1964, 6.3.5 and 6.3.18).
inline double digamma(double x) {
  double shift = 0;
  for (; x < 10; ++x) shift -= 1 / x;
  const double y = 1 / (x * x);
  const double tail =
      y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132 - y * (691.0 / 32760))))));
  return shift + std::log(x) - 0.5 / x - tail;
}

using column_major = Eigen::Map<Eigen::MatrixXd, Eigen::Aligned64>;
inline constexpr Eigen::Index cholesky_tile = 128;

/// Lower Cholesky factor in place, by tiles of fixed size: diagonal tile, the tiles under it, then the rest less their
/// products. Reads and writes the lower triangle. False if a pivot is not positive.
template <on_host Exec>
bool factor_in_place(const Exec& exec, column_major& a) {
  const auto n = a.rows();
  const auto tiles = (n + cholesky_tile - 1) / cholesky_tile;
  const auto width = [&](Eigen::Index t) { return std::min(cholesky_tile, n - t * cholesky_tile); };
  const auto tile = [&](Eigen::Index r, Eigen::Index t) {
    return a.block(r * cholesky_tile, t * cholesky_tile, width(r), width(t));
  };
  for (Eigen::Index k = 0; k < tiles; ++k) {
    Eigen::Block<column_major> diagonal = tile(k, k);
    const Eigen::LLT<Eigen::MatrixXd> factored(diagonal);
    if (factored.info() != Eigen::Success) return false;
    diagonal.triangularView<Eigen::Lower>() = factored.matrixL();
    const auto below = tiles - k - 1;
    exec.parallel_for(below, [&](std::int64_t i) {
      auto panel = tile(k + 1 + i, k);
      diagonal.triangularView<Eigen::Lower>().transpose().solveInPlace<Eigen::OnTheRight>(panel);
    });
    exec.parallel_for(below * below, [&](std::int64_t p) {
      const auto r = k + 1 + p / below;
      const auto t = k + 1 + p % below;
      if (r >= t) tile(r, t).noalias() -= tile(r, k) * tile(t, k).transpose();
    });
  }
  return true;
}

/// Diagonal of (L L^T)^-1: squared norms of the columns of L^-1, which are solved in panels of fixed width.
template <on_host Exec>
void inverse_diagonal(const Exec& exec, const column_major& factor, column_major& scratch, double* diagonal) {
  const auto n = factor.rows();
  exec.parallel_for((n + cholesky_tile - 1) / cholesky_tile, [&](std::int64_t panel) {
    const auto first = panel * cholesky_tile;
    const auto width = std::min(cholesky_tile, n - first);
    auto columns = scratch.block(first, first, n - first, width);
    columns.setIdentity();
    factor.bottomRightCorner(n - first, n - first).triangularView<Eigen::Lower>().solveInPlace(columns);
    for (Eigen::Index j = 0; j < width; ++j) diagonal[first + j] = columns.col(j).squaredNorm();
  });
}

template <on_host Exec>
redundancy_result redundancy_on(const Exec& exec, const redundancy_arguments<host_memory>& given) {
  using miq::detail::require;
  const auto& statistics = given.statistics;
  const auto& nats = given.nats;
  const auto& options = given.options;
  require_statistics("redundancy_given_others", statistics, 2);
  const auto c = statistics.covariance.columns();
  require(nats.size() == c, "redundancy_given_others: nats must hold ", c, " columns to match the statistics, got ",
          nats.size());
  require_apart("redundancy_given_others", "nats", nats, statistics);
  require(options.rule == shrinkage::none || options.rule == shrinkage::given || options.rule == shrinkage::estimated,
          "redundancy_given_others: rule must be none, given or estimated, got ", static_cast<int>(options.rule));
  if (options.rule == shrinkage::given)
    require(options.share >= 0 && options.share <= 1, "redundancy_given_others: share must be 0 to 1, got ",
            options.share);
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = i + 1; j < c; ++j)
      require(std::isfinite(statistics.covariance(i, j)), "redundancy_given_others: covariance of columns ", i, " and ",
              j, " must be finite, got ", statistics.covariance(i, j));

  const bool has_range = !statistics.minimum.empty() || !statistics.maximum.empty();
  require(!has_range || (statistics.minimum.size() == c && statistics.maximum.size() == c),
          "redundancy_given_others: statistics must hold ", c, " minima and maxima, or none, got ",
          statistics.minimum.size(), " and ", statistics.maximum.size());
  std::pmr::vector<std::int64_t> live(exec.resource());
  for (std::int64_t j = 0; j < c; ++j)
    if (statistics.covariance(j, j) > 0 && !(has_range && statistics.minimum[j] == statistics.maximum[j]))
      live.push_back(j);
  const auto p = static_cast<std::int64_t>(live.size());
  redundancy_result result;
  result.constant = c - p;
  result.few_tokens = statistics.tokens < 2 * p;

  std::pmr::vector<double> deviation(exec.resource());
  for (const auto j : live) deviation.push_back(std::sqrt(double{statistics.covariance(j, j)}));
  const auto correlation = [&](std::int64_t i, std::int64_t j) {  // contiguous in i
    const auto a = static_cast<std::size_t>(i);
    const auto b = static_cast<std::size_t>(j);
    return std::clamp(double{statistics.covariance(live[b], live[a])} / (deviation[a] * deviation[b]), -1.0, 1.0);
  };
  // Correlations are written anew for every step of the ladder: the factor overwrites them.
  matrix<double> correlations(p, p, exec.resource());
  matrix<double> scratch(p, p, exec.resource());
  std::pmr::vector<double> precision(static_cast<std::size_t>(p), exec.resource());
  column_major factor(correlations.data(), p, p);
  column_major inverse(scratch.data(), p, p);
  const double rounding = std::sqrt(static_cast<double>(p)) * 0x1.0p-23;
  const auto invert = [&](double share) {
    exec.parallel_for(p, [&](std::int64_t j) {
      factor(j, j) = 1;
      for (std::int64_t i = j + 1; i < p; ++i) factor(i, j) = (1 - share) * correlation(i, j);
    });
    if (!factor_in_place(exec, factor)) return false;
    inverse_diagonal(exec, factor, inverse, precision.data());
    return std::all_of(precision.begin(), precision.end(), [&](double x) { return x * rounding <= 1; });
  };

  const bool as_they_are =
      options.rule == shrinkage::none || (options.rule == shrinkage::estimated && statistics.tokens > p);
  bool done = false;
  if (options.rule == shrinkage::given) {
    result.used = shrinkage::given;
    result.share = options.share;
    done = invert(options.share);
  } else if (as_they_are) {
    done = (options.rule == shrinkage::estimated || statistics.tokens > p) && invert(0);
    if (done && p > 0)
      result.bias = 0.5 * (digamma(0.5 * static_cast<double>(statistics.tokens - 1)) -
                           digamma(0.5 * static_cast<double>(statistics.tokens - p)));
  }
  if (!done && options.rule != shrinkage::estimated)
    throw numerical_error(miq::detail::join_message(
        "redundancy_given_others: the covariance of ", p, " live columns, from ", statistics.tokens,
        " tokens, has no inverse with a shrinkage of ", result.share, "; choose shrinkage::estimated"));
  if (!done) {
    std::pmr::vector<double> variances(static_cast<std::size_t>(p), exec.resource());
    std::pmr::vector<double> squares(static_cast<std::size_t>(p), exec.resource());
    exec.parallel_for(p, [&](std::int64_t j) {
      for (std::int64_t i = j + 1; i < p; ++i) {
        const double square = correlation(i, j) * correlation(i, j);
        squares[static_cast<std::size_t>(j)] += square;
        variances[static_cast<std::size_t>(j)] += (1 - square) * (1 - square);
      }
    });
    double numerator = 0;
    double denominator = 0;
    for (std::size_t j = 0; j < squares.size(); ++j) {
      numerator += variances[j] / static_cast<double>(statistics.tokens - 1);
      denominator += squares[j];
    }
    result.used = shrinkage::estimated;
    result.share = denominator > numerator ? numerator / denominator : 1;
    while (!(done = invert(result.share)) && result.share < 1) {
      result.used = shrinkage::raised;
      result.share = std::min(1.0, 10 * std::max(result.share, rounding));
    }
  }

  std::fill(nats.begin(), nats.end(), 0.0F);
  for (std::int64_t j = 0; j < p; ++j)
    nats[live[static_cast<std::size_t>(j)]] =
        static_cast<float>(std::max(0.0, 0.5 * std::log(precision[static_cast<std::size_t>(j)])));
  return result;
}

template <on_host Exec>
void group_importance_on(const Exec& exec, const group_importance_arguments<host_memory>& given) {
  using miq::detail::require;
  const auto& [columns, labels, out, reduction] = given;
  const auto c = columns.size();
  const auto groups = out.size();
  require(labels.size() == c, "group_importance: labels must hold ", c, " columns to match the importances, got ",
          labels.size());
  require(reduction == group_reduction::mean || reduction == group_reduction::sum,
          "group_importance: reduction must be mean or sum, got ", static_cast<int>(reduction));
  require(!overlap(out, columns) && !overlap(out, labels), "group_importance: out must not overlap columns or labels");
  matrix<double> sums(2, groups, exec.resource());  // importance, number of columns
  for (std::int64_t j = 0; j < c; ++j) {
    require(labels[j] >= 0 && labels[j] < groups, "group_importance: label of column ", j, " must be 0 to ", groups - 1,
            ", got ", labels[j]);
    require(std::isfinite(columns[j]), "group_importance: importance of column ", j, " must be finite, got ",
            columns[j]);
    sums(0, labels[j]) += double{columns[j]};
    sums(1, labels[j]) += 1;
  }
  for (std::int64_t g = 0; g < groups; ++g) {
    require(sums(1, g) > 0, "group_importance: group ", g, " of ", groups, " has no columns");
    if (reduction == group_reduction::mean) sums(0, g) /= sums(1, g);
    require(std::abs(sums(0, g)) <= double{std::numeric_limits<float>::max()}, "group_importance: group ", g,
            " has importance ", sums(0, g), ", beyond the range of float");
  }
  for (std::int64_t g = 0; g < groups; ++g) out[g] = static_cast<float>(sums(0, g));
}

}  // namespace detail

template <executor Exec>
void importance(const Exec& exec, const weights_view<memory_of<Exec>>& weights,
                const calibration::statistics_view<memory_of<Exec>>& statistics, importance_measure measure,
                vector_view<float, memory_of<Exec>> out, const importance_mix& mix) {
  miq::detail::with_float(exec, weights, [&](const auto& typed) {
    detail::importance_on(exec, detail::importance_arguments<memory_of<Exec>>{typed, statistics, measure, out, mix});
  });
}

template <executor Exec>
redundancy_result redundancy_given_others(const Exec& exec,
                                          const calibration::statistics_view<memory_of<Exec>>& statistics,
                                          vector_view<float, memory_of<Exec>> nats, const redundancy_options& options) {
  return redundancy_on(exec, detail::redundancy_arguments<memory_of<Exec>>{statistics, nats, options});
}

template <executor Exec>
void group_importance(const Exec& exec, vector_view<const float, memory_of<Exec>> columns,
                      vector_view<const std::int32_t, memory_of<Exec>> labels, vector_view<float, memory_of<Exec>> out,
                      group_reduction reduction) {
  group_importance_on(exec, detail::group_importance_arguments<memory_of<Exec>>{columns, labels, out, reduction});
}

}  // namespace miq::allocation
