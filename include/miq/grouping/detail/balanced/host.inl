#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <miq/core/detail/finite.hpp>
#include <miq/core/detail/matrix_product.hpp>
#include <miq/grouping/balanced.hpp>
#include <miq/grouping/detail/balanced/bounded_flow.hpp>
#include <miq/grouping/detail/spectral/embedding.hpp>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

template <on_host Exec>
assignment_result solve_assignment(const Exec& exec, matrix_view<const double> costs,
                                   std::span<const std::int64_t> minimum, std::span<const std::int64_t> maximum) {
  const std::int64_t n = costs.rows(), k = costs.columns();
  bounded_flow flow(exec, costs, minimum, maximum);
  flow.solve();
  assignment_result result;
  result.labels = flow.labels();
  for (std::int64_t g = 0; g < k; ++g) result.prices.push_back(flow.price(g));
  for (std::int64_t i = 0; i < n; ++i) {
    const double* row = costs.data() + i * costs.leading();
    const auto label = result.labels[static_cast<std::size_t>(i)];
    double least = std::numeric_limits<double>::infinity(), cheapest = least;
    for (std::int64_t g = 0; g < k; ++g) {
      least = std::min(least, row[g] + result.prices[static_cast<std::size_t>(g)]);
      cheapest = std::min(cheapest, row[g]);
    }
    result.cost += row[label];
    result.lower_bound += least;
    if (row[label] > cheapest) ++result.moved;
  }
  for (std::size_t g = 0; g < static_cast<std::size_t>(k); ++g) {
    const double price = result.prices[g];
    result.lower_bound -= price * static_cast<double>(price > 0 ? maximum[g] : minimum[g]);
  }
  return result;
}

template <on_host Exec>
assignment_result bounded_assignment_on(const Exec& exec, matrix_view<const double> costs,
                                        std::span<const std::int64_t> minimum, std::span<const std::int64_t> maximum) {
  using miq::detail::require;
  const std::int64_t n = costs.rows(), k = costs.columns();
  require(!costs.empty(), "bounded_assignment: costs must be [n, k] with n and k at least 1, got ",
          miq::detail::shape_text(n, k));
  require(n <= std::numeric_limits<std::int32_t>::max() && k <= 32768,
          "bounded_assignment: costs must be at most [2^31 - 1, 32768], got ", miq::detail::shape_text(n, k));
  require(static_cast<std::int64_t>(minimum.size()) == k && static_cast<std::int64_t>(maximum.size()) == k,
          "bounded_assignment: minimum and maximum must be [", k, "] to match costs, got [", minimum.size(), "] and [",
          maximum.size(), "]");
  std::int64_t least = 0, most = 0;
  for (std::size_t g = 0; g < minimum.size(); ++g) {
    require(minimum[g] >= 0 && minimum[g] <= maximum[g], "bounded_assignment: minimum must be 0 to the maximum, got ",
            minimum[g], " and ", maximum[g], " for group ", g);
    least += std::min(minimum[g], n + 1);  // sums that cannot overflow
    most += std::min(maximum[g], n);
  }
  require(least <= n && n <= most, "bounded_assignment: the ", n,
          " points must be between the sums of minimum and maximum, ", least, " and ", most);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t g = 0; g < k; ++g)
      require(std::isfinite(costs(i, g)), "bounded_assignment: costs must be finite, got ", costs(i, g), " at [", i,
              ", ", g, "]");
  return solve_assignment(exec, costs, minimum, maximum);
}

/// The sizes that the options allow.
struct size_bounds {
  std::vector<std::int64_t> minimum, maximum;  // of each group
  std::int64_t short_group = -1;               // the one that lacks columns, if one does
};

/// @param natural  sizes that the groups would have without bounds
inline size_bounds bounds_of(const balanced_options& options, std::int64_t n, const std::vector<std::int64_t>& natural,
                             const char* function) {
  using miq::detail::require;
  const std::int64_t k = options.groups, multiple = options.multiple;
  const auto groups = static_cast<std::size_t>(k);
  const std::int64_t units = n / multiple + (n % multiple > 0 ? 1 : 0), missing = units * multiple - n;
  std::int64_t low = units / k, high = low + (units % k > 0 ? 1 : 0);
  if (options.minimum > 0 || options.maximum > 0) {
    low = std::max<std::int64_t>(1, options.minimum / multiple + (options.minimum % multiple > 0 ? 1 : 0));
    high = options.maximum == 0 ? units : std::min(units, options.maximum / multiple);
  }
  require(low >= 1 && low <= high && low <= units / k && high * k >= units, function, ": no ", k,
          " groups of sizes that are multiples of ", multiple, " within [", options.minimum, ", ", options.maximum,
          "] make up ", n, " columns");
  size_bounds bounds;
  if (multiple == 1) {
    bounds.minimum.assign(groups, low);
    bounds.maximum.assign(groups, high);
    return bounds;
  }
  // Units to where they are wanted most, one at a time.
  std::vector<std::int64_t> sizes(groups, low * multiple);
  const auto most_wanted = [&](bool taking) {
    std::size_t best = groups;
    for (std::size_t g = 0; g < groups; ++g) {
      if (taking && sizes[g] >= high * multiple) continue;
      if (best == groups || (taking ? natural[g] - sizes[g] > natural[best] - sizes[best]
                                    : natural[g] - sizes[g] < natural[best] - sizes[best]))
        best = g;
    }
    return best;
  };
  for (std::int64_t left = units - low * k; left > 0; --left) sizes[most_wanted(true)] += multiple;
  if (missing > 0) {
    const auto group = most_wanted(false);
    sizes[group] -= missing;
    bounds.short_group = static_cast<std::int64_t>(group);
  }
  bounds.minimum = bounds.maximum = sizes;
  return bounds;
}

inline void require_balanced_options(const balanced_options& options, std::int64_t n, const char* function) {
  using miq::detail::require;
  require(options.groups >= 1 && options.groups <= n && options.groups <= 32768, function, ": groups must be 1 to the ",
          n, " columns, at most 32768, got ", options.groups);
  require(options.multiple >= 1, function, ": multiple must be at least 1, got ", options.multiple);
  require(options.minimum >= 0, function, ": minimum must not be negative, got ", options.minimum);
  require(options.maximum == 0 || options.maximum >= std::max<std::int64_t>(1, options.minimum), function,
          ": maximum must be 0 or at least 1 and the minimum ", options.minimum, ", got ", options.maximum);
  require(options.restarts >= 1, function, ": restarts must be at least 1, got ", options.restarts);
  require(options.max_iterations >= 1, function, ": max_iterations must be at least 1, got ", options.max_iterations);
  require(options.kmeans_iterations >= 1, function, ": kmeans_iterations must be at least 1, got ",
          options.kmeans_iterations);
  require(options.tolerance >= 0 && std::isfinite(options.tolerance), function,
          ": tolerance must be finite and not negative, got ", options.tolerance);
  require(options.eigen_tolerance >= 0 && std::isfinite(options.eigen_tolerance), function,
          ": eigen_tolerance must be finite and not negative, got ", options.eigen_tolerance);
}

/// Squared distances of all points to all centres, by matrix products in double precision.
class centre_costs {
 public:
  centre_costs(const host_executor& exec, const matrix<float>& points, std::int64_t groups)
      : exec_(&exec), points_(&points), costs_(points.rows(), groups, exec.resource()) {}

  matrix_view<const double> operator()(const matrix<double>& centres) {
    using rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const std::int64_t n = points_->rows(), d = points_->columns(), k = centres.rows();
    std::vector<double> norms(static_cast<std::size_t>(k), 0.0);
    for (std::int64_t g = 0; g < k; ++g)
      for (std::int64_t c = 0; c < d; ++c) norms[static_cast<std::size_t>(g)] += centres(g, c) * centres(g, c);
    constexpr std::int64_t tile = 128;
    exec_->parallel_for((n + tile - 1) / tile, [&](std::int64_t t) {
      const eigen_on_one_thread guard;
      const std::int64_t first = t * tile, count = std::min(tile, n - first);
      rows x(count, d);
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t c = 0; c < d; ++c) x(i, c) = static_cast<double>((*points_)(first + i, c));
      Eigen::Map<rows> out(costs_.data() + first * k, count, k);
      out.noalias() = x * Eigen::Map<const rows>(centres.data(), k, d).transpose();
      for (std::int64_t i = 0; i < count; ++i) {
        double square = 0;
        for (std::int64_t c = 0; c < d; ++c) square += x(i, c) * x(i, c);
        for (std::int64_t g = 0; g < k; ++g)
          out(i, g) = std::max(0.0, (square - 2 * out(i, g)) + norms[static_cast<std::size_t>(g)]);
      }
    });
    return costs_.view();
  }

 private:
  const host_executor* exec_;
  const matrix<float>* points_;
  matrix<double> costs_;
};

/// Means of the groups, and the sum of squared distances to them.
inline double move_to_means(const matrix<float>& points, const std::vector<std::int32_t>& labels,
                            matrix<double>& centres) {
  const std::int64_t n = points.rows(), d = points.columns(), k = centres.rows();
  std::vector<double> sizes(static_cast<std::size_t>(k), 0.0);
  std::fill_n(centres.data(), centres.size(), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto g = labels[static_cast<std::size_t>(i)];
    ++sizes[static_cast<std::size_t>(g)];
    for (std::int64_t c = 0; c < d; ++c) centres(g, c) += static_cast<double>(points(i, c));
  }
  for (std::int64_t g = 0; g < k; ++g)
    for (std::int64_t c = 0; c < d; ++c) centres(g, c) /= sizes[static_cast<std::size_t>(g)];
  double inertia = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto g = labels[static_cast<std::size_t>(i)];
    double square = 0;
    for (std::int64_t c = 0; c < d; ++c) {
      const double step = static_cast<double>(points(i, c)) - centres(g, c);
      square += step * step;
    }
    inertia += square;
  }
  return inertia;
}

/// @param begun  share of the whole that was done before
template <on_host Exec>
balanced_result balance(const Exec& exec, matrix_view<const float> points, const balanced_options& options,
                        const char* function, double begun) {
  using miq::report_progress;
  const std::int64_t n = points.rows(), d = points.columns(), k = options.groups;
  report_progress(options.progress, "k-means", begun);
  const auto start = kmeans_on(exec, points,
                               {.groups = options.groups,
                                .restarts = options.restarts,
                                .max_iterations = options.kmeans_iterations,
                                .seed = options.seed});
  std::vector<std::int64_t> natural;
  for (std::int64_t g = 0; g < k; ++g) natural.push_back(start.groups.size(g));
  const auto bounds = bounds_of(options, n, natural, function);

  // Moved to their mean and scaled, as in k-means.
  const auto centred = centre_points(exec, points);
  matrix<double> centres(k, d, exec.resource());
  std::vector<std::int32_t> labels(start.groups.labels().begin(), start.groups.labels().end());
  move_to_means(centred.points, labels, centres);
  centre_costs costs(exec, centred.points, k);
  balanced_result result;
  result.unbalanced = start.inertia;
  double inertia = std::numeric_limits<double>::infinity();
  while (result.iterations < options.max_iterations && !result.converged) {
    report_progress(options.progress, "balancing",
                    begun + (1 - begun) * (1 + result.iterations / static_cast<double>(options.max_iterations)) / 2);
    auto assigned = solve_assignment(exec, costs(centres), bounds.minimum, bounds.maximum);
    ++result.iterations;
    result.gap = assigned.cost > 0 ? (assigned.cost - assigned.lower_bound) / assigned.cost : 0;
    result.moved = assigned.moved;
    const bool same = result.iterations > 1 && assigned.labels == labels;
    labels = std::move(assigned.labels);
    const double now = move_to_means(centred.points, labels, centres);
    result.converged =
        same || (options.tolerance > 0 && inertia - now < static_cast<double>(options.tolerance) * inertia);
    inertia = now;
  }
  result.inertia = inertia / (centred.scale * centred.scale);

  // Numbers by first appearance, a short group last.
  partition found = partition(std::move(labels));
  std::vector<std::int32_t> name(static_cast<std::size_t>(k), -1);
  std::int32_t next = 0;
  if (bounds.short_group >= 0) name[static_cast<std::size_t>(bounds.short_group)] = static_cast<std::int32_t>(k) - 1;
  std::vector<std::int32_t> renamed;
  for (const auto label : found.labels()) {
    auto& to = name[static_cast<std::size_t>(label)];
    if (to < 0) to = next++;
    renamed.push_back(to);
  }
  result.groups = partition(std::move(renamed));
  result.centres = matrix<float>(k, d);
  for (std::int64_t g = 0; g < k; ++g)
    for (std::int64_t c = 0; c < d; ++c)
      result.centres(name[static_cast<std::size_t>(g)], c) =
          static_cast<float>(centres(g, c) / centred.scale + centred.mean[static_cast<std::size_t>(c)]);
  report_progress(options.progress, "balancing", 1);
  return result;
}

template <on_host Exec>
balanced_result balanced_kmeans_on(const Exec& exec, matrix_view<const float> points, const balanced_options& options) {
  miq::detail::require(!points.empty(), "balanced_kmeans: points must be [n, d] with n and d at least 1, got ",
                       miq::detail::shape_text(points.rows(), points.columns()));
  require_balanced_options(options, points.rows(), "balanced_kmeans");
  miq::detail::require_finite(exec, points, "balanced_kmeans", "points");
  const std::vector<std::int64_t> equal(static_cast<std::size_t>(options.groups), 0);
  bounds_of(options, points.rows(), equal, "balanced_kmeans");  // before any work
  return balance(exec, points, options, "balanced_kmeans", 0);
}

template <on_host Exec>
balanced_result balanced_spectral_on(const Exec& exec, matrix_view<const float> affinity,
                                     const balanced_options& options) {
  using miq::detail::require;
  const std::int64_t n = affinity.rows();
  require(n > 0, "balanced_spectral: affinity must be [n, n] with n at least 1, got ",
          miq::detail::shape_text(n, affinity.columns()));
  require_balanced_options(options, n, "balanced_spectral");
  const std::vector<std::int64_t> equal(static_cast<std::size_t>(options.groups), 0);
  bounds_of(options, n, equal, "balanced_spectral");
  const auto graph = graph_of(exec, affinity, "balanced_spectral");
  miq::report_progress(options.progress, "eigenvectors", 0);
  const auto connected = static_cast<std::int64_t>(graph.connected.size());
  const auto count = std::max<std::int64_t>(1, std::min<std::int64_t>(options.groups, connected));
  matrix<float> points(n, count, exec.resource());
  if (connected > 0) {
    eigenpairs_options eigen;
    eigen.tolerance = options.eigen_tolerance;
    eigen.dense_fallback = options.dense_fallback;
    eigen.seed = options.seed;
    const auto pairs = normalised_eigenpairs(exec, affinity, graph, static_cast<int>(count), eigen);
    const auto rows = unit_rows(graph, pairs.vectors, count, exec.resource());
    for (std::int64_t r = 0; r < connected; ++r)
      std::copy_n(&rows(r, 0), count, &points(graph.connected[static_cast<std::size_t>(r)], 0));
  }
  auto result = balance(exec, points, options, "balanced_spectral", 0.3);
  result.isolated = static_cast<std::int64_t>(graph.isolated.size());
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
assignment_result bounded_assignment(const Exec& exec, matrix_view<const double, memory_of<Exec>> costs,
                                     std::span<const std::int64_t> minimum, std::span<const std::int64_t> maximum) {
  return detail::bounded_assignment_on(exec, costs, minimum, maximum);
}

template <executor Exec>
balanced_result balanced_kmeans(const Exec& exec, matrix_view<const float, memory_of<Exec>> points,
                                const balanced_options& options) {
  return detail::balanced_kmeans_on(exec, points, options);
}

template <executor Exec>
balanced_result balanced_spectral(const Exec& exec, matrix_view<const float, memory_of<Exec>> affinity,
                                  const balanced_options& options) {
  return detail::balanced_spectral_on(exec, affinity, options);
}

}  // namespace miq::grouping
