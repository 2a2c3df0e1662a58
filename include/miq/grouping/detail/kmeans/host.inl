#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

#include <miq/core/detail/matrix_product.hpp>
#include <miq/core/random.hpp>
#include <miq/grouping/detail/kmeans/checks.hpp>
#include <miq/grouping/kmeans.hpp>

namespace miq::grouping {
namespace detail {

using miq::detail::multiply_add;
using miq::detail::operand;
inline namespace MIQ_INSTRUCTION_SET {

constexpr std::int64_t point_tile = 64;       // points whose nearest centres are found together
constexpr std::int64_t centre_tile = 64;      // centres they are compared with at once
constexpr std::int64_t distance_tile = 1024;  // points whose distances to one point are summed together

/// One start of k-means and its Lloyd iteration. Memory is taken when it is made, on the thread that makes it.
class kmeans_start {
 public:
  kmeans_start(const host_executor& exec, std::int64_t n, std::int64_t d, const kmeans_options& options)
      : exec_(&exec),
        options_(&options),
        n_(n),
        d_(d),
        groups_(options.groups),
        candidates_(kmeans_candidates(options.groups)),
        centres_(groups_, d, exec.resource()),
        sums_(groups_, d, exec.resource()),
        to_candidates_(candidates_, n, exec.resource()),
        potentials_((n + distance_tile - 1) / distance_tile, candidates_, exec.resource()),
        closest_(static_cast<std::size_t>(n), exec.resource()),
        running_(static_cast<std::size_t>(n), exec.resource()),
        labels_(static_cast<std::size_t>(n), exec.resource()),
        previous_(static_cast<std::size_t>(n), exec.resource()),
        order_(static_cast<std::size_t>(n), exec.resource()),
        offsets_(static_cast<std::size_t>(groups_) + 1, exec.resource()),
        half_norms_(static_cast<std::size_t>(groups_), exec.resource()),
        moves_(static_cast<std::size_t>(groups_), exec.resource()) {}

  /// @param points     [n, d], moved to their mean
  /// @param threshold  sum of squared moves at which to stop
  void run(matrix_view<const float> points, double threshold, std::uint64_t seed) {
    points_ = points;
    draw_centres(random_stream(seed));
    iterations = 0;
    relocated = 0;
    converged = false;
    bool assigned = false;  // whether the labels belong to the centres as they are
    std::fill(previous_.begin(), previous_.end(), -1);
    while (iterations < options_->max_iterations && !converged) {
      assign();
      ++iterations;
      if (labels_ == previous_) {
        converged = assigned = true;
      } else {
        previous_ = labels_;
        converged = update() <= threshold;
        assigned = false;
      }
    }
    if (!assigned) assign();
    measure();
    inertia = 0;
    for (const auto square : running_) inertia += square;
  }

  double inertia = 0;
  int iterations = 0;
  std::int64_t relocated = 0;
  bool converged = false;
  const std::pmr::vector<std::int32_t>& labels() const { return labels_; }
  const matrix<float>& centres() const { return centres_; }

 private:
  using row_map = Eigen::Map<const Eigen::VectorXf>;
  row_map point(std::int64_t i) const { return {points_.data() + i * points_.leading(), d_}; }
  row_map centre(std::int64_t g) const { return {centres_.data() + g * d_, d_}; }
  void move_centre(std::int64_t g, std::int64_t to) { std::copy_n(&points_(to, 0), d_, &centres_(g, 0)); }

  /// Greedy k-means++. Squared distances are of differences, so that a point at a centre has exactly 0 and is not
  /// drawn.
  void draw_centres(random_stream random) {
    const auto n = static_cast<std::uint64_t>(n_);
    auto first = static_cast<std::int64_t>(random.below(n));
    move_centre(0, first);
    std::fill(closest_.begin(), closest_.end(), std::numeric_limits<float>::infinity());
    lower_distances(&first, 1);
    std::copy_n(to_candidates_.data(), n_, closest_.begin());
    std::vector<std::int64_t> drawn(static_cast<std::size_t>(candidates_));
    for (std::int64_t g = 1; g < groups_; ++g) {
      double total = 0;
      for (std::int64_t i = 0; i < n_; ++i) {
        total += static_cast<double>(closest_[static_cast<std::size_t>(i)]);
        running_[static_cast<std::size_t>(i)] = total;
      }
      for (auto& candidate : drawn) {
        if (total > 0) {
          const auto place = std::upper_bound(running_.begin(), running_.end(), random.uniform() * total);
          candidate = std::min<std::int64_t>(n_ - 1, place - running_.begin());
        } else {
          candidate = static_cast<std::int64_t>(random.below(n));  // every point coincides with a centre
        }
      }
      const auto best = lower_distances(drawn.data(), candidates_);
      move_centre(g, drawn[static_cast<std::size_t>(best)]);
      std::copy_n(&to_candidates_(best, 0), n_, closest_.begin());
    }
  }

  /// For each candidate, the squared distances of all points to the nearest of it and the centres so far; returns the
  /// candidate with the smallest sum, the first of equal ones.
  std::int64_t lower_distances(const std::int64_t* candidates, std::int64_t count) {
    exec_->parallel_for(potentials_.rows(), [&](std::int64_t t) {
      const std::int64_t first = t * distance_tile, last = std::min(n_, first + distance_tile);
      for (std::int64_t l = 0; l < count; ++l) {
        const auto candidate = point(candidates[l]);
        double sum = 0;
        for (std::int64_t i = first; i < last; ++i) {
          const float square = std::min(closest_[static_cast<std::size_t>(i)], (point(i) - candidate).squaredNorm());
          to_candidates_(l, i) = square;
          sum += static_cast<double>(square);
        }
        potentials_(t, l) = sum;
      }
    });
    std::int64_t best = 0;
    double smallest = std::numeric_limits<double>::infinity();
    for (std::int64_t l = 0; l < count; ++l) {
      double sum = 0;
      for (std::int64_t t = 0; t < potentials_.rows(); ++t) sum += potentials_(t, l);
      if (sum < smallest) {
        smallest = sum;
        best = l;
      }
    }
    return best;
  }

  /// Labels of the nearest centres: the smallest |c|^2 / 2 - x.c, the products by tiles. Then no group is empty.
  void assign() {
    for (std::int64_t g = 0; g < groups_; ++g)
      half_norms_[static_cast<std::size_t>(g)] = 0.5F * centre(g).squaredNorm();
    exec_->parallel_for((n_ + point_tile - 1) / point_tile, [&](std::int64_t t) {
      const std::int64_t first = t * point_tile, count = std::min(point_tile, n_ - first);
      float smallest[point_tile];
      std::int32_t nearest[point_tile];
      alignas(64) float scores[point_tile * centre_tile];
      std::fill_n(smallest, count, std::numeric_limits<float>::infinity());
      std::fill_n(nearest, count, 0);
      for (std::int64_t g0 = 0; g0 < groups_; g0 += centre_tile) {
        const std::int64_t width = std::min(centre_tile, groups_ - g0);
        for (std::int64_t i = 0; i < count; ++i) std::copy_n(half_norms_.data() + g0, width, scores + i * centre_tile);
        multiply_add<operand::as_is, operand::transposed>(count, width, d_, -1.0F, &points_(first, 0),
                                                          points_.leading(), &centres_(g0, 0), d_, scores, centre_tile);
        for (std::int64_t i = 0; i < count; ++i)
          for (std::int64_t g = 0; g < width; ++g)
            if (scores[i * centre_tile + g] < smallest[i]) {
              smallest[i] = scores[i * centre_tile + g];
              nearest[i] = static_cast<std::int32_t>(g0 + g);
            }
      }
      std::copy_n(nearest, count, labels_.data() + first);
    });
    count_members();
    for (std::int64_t g = 0; g < groups_; ++g)
      if (offsets_[static_cast<std::size_t>(g) + 1] == 0) {
        fill_empty_groups();
        break;
      }
  }

  /// offsets_[g + 1] = number of points of group g.
  void count_members() {
    std::fill(offsets_.begin(), offsets_.end(), 0);
    for (const auto label : labels_) ++offsets_[static_cast<std::size_t>(label) + 1];
  }

  void fill_empty_groups() {
    measure();
    for (std::int64_t g = 0; g < groups_; ++g) {
      if (offsets_[static_cast<std::size_t>(g) + 1] > 0) continue;
      std::int64_t farthest = -1;  // exists, since there are no more groups than points
      for (std::int64_t i = 0; i < n_; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (offsets_[static_cast<std::size_t>(labels_[at]) + 1] < 2) continue;
        if (farthest < 0 || running_[at] > running_[static_cast<std::size_t>(farthest)]) farthest = i;
      }
      const auto at = static_cast<std::size_t>(farthest);
      --offsets_[static_cast<std::size_t>(labels_[at]) + 1];
      offsets_[static_cast<std::size_t>(g) + 1] = 1;
      labels_[at] = static_cast<std::int32_t>(g);
      running_[at] = 0;
      move_centre(g, farthest);
      ++relocated;
    }
  }

  /// running_[i] = squared distance of point i to its centre, in double precision.
  void measure() {
    exec_->parallel_for((n_ + distance_tile - 1) / distance_tile, [&](std::int64_t t) {
      for (std::int64_t i = t * distance_tile; i < std::min(n_, (t + 1) * distance_tile); ++i) {
        const auto at = static_cast<std::size_t>(i);
        running_[at] = (point(i).cast<double>() - centre(labels_[at]).cast<double>()).squaredNorm();
      }
    });
  }

  /// Centres become the means of their groups, summed in double precision in the order of the points; returns the sum
  /// of the squared moves.
  double update() {
    for (std::size_t g = 0; g < static_cast<std::size_t>(groups_); ++g) offsets_[g + 1] += offsets_[g];
    for (std::int64_t i = 0; i < n_; ++i) {
      auto& place = offsets_[static_cast<std::size_t>(labels_[static_cast<std::size_t>(i)])];
      order_[static_cast<std::size_t>(place++)] = i;
    }
    // Now offsets_[g] is where group g ends.
    exec_->parallel_for(groups_, [&](std::int64_t g) {
      const auto at = static_cast<std::size_t>(g);
      const std::int64_t begin = g == 0 ? 0 : offsets_[at - 1], end = offsets_[at];
      double* sum = &sums_(g, 0);
      std::fill_n(sum, d_, 0.0);
      for (std::int64_t p = begin; p < end; ++p) {
        const float* x = points_.data() + order_[static_cast<std::size_t>(p)] * points_.leading();
        for (std::int64_t j = 0; j < d_; ++j) sum[j] += static_cast<double>(x[j]);
      }
      double move = 0;
      for (std::int64_t j = 0; j < d_; ++j) {
        const auto mean = static_cast<float>(sum[j] / static_cast<double>(end - begin));
        const double step = static_cast<double>(mean) - static_cast<double>(centres_(g, j));
        move += step * step;
        centres_(g, j) = mean;
      }
      moves_[at] = move;
    });
    double total = 0;
    for (const auto move : moves_) total += move;
    return total;
  }

  const host_executor* exec_;
  const kmeans_options* options_;
  std::int64_t n_, d_, groups_, candidates_;
  matrix_view<const float> points_;
  matrix<float> centres_;        // [groups, d]
  matrix<double> sums_;          // [groups, d]
  matrix<float> to_candidates_;  // [candidates, n]
  matrix<double> potentials_;    // [tiles, candidates]
  std::pmr::vector<float> closest_;
  std::pmr::vector<double> running_;
  std::pmr::vector<std::int32_t> labels_, previous_;
  std::pmr::vector<std::int64_t> order_, offsets_;
  std::pmr::vector<float> half_norms_;
  std::pmr::vector<double> moves_;
};

/// The points moved to their mean and scaled by a power of two, so that squares neither overflow nor vanish.
struct centred_points {
  matrix<float> points;
  std::vector<double> mean;
  double scale = 1;
  double variance = 0;  // mean over the coordinates, of the scaled points
};

template <on_host Exec>
centred_points centre_points(const Exec& exec, matrix_view<const float> points) {
  const std::int64_t n = points.rows(), d = points.columns();
  centred_points result{matrix<float>(n, d, exec.resource()), std::vector<double>(static_cast<std::size_t>(d), 0.0)};
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < d; ++j) {
      const float value = points(i, j);
      miq::detail::require(std::isfinite(value), "kmeans: points must be finite, got ", value, " at [", i, ", ", j,
                           "]");
      result.mean[static_cast<std::size_t>(j)] += static_cast<double>(value);
    }
  for (auto& mean : result.mean) mean /= static_cast<double>(n);
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < d; ++j)
      largest =
          std::max(largest, std::abs(static_cast<double>(points(i, j)) - result.mean[static_cast<std::size_t>(j)]));
  int exponent = 0;
  std::frexp(largest, &exponent);
  result.scale = std::ldexp(1.0, -exponent);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < d; ++j) {
      const double moved =
          (static_cast<double>(points(i, j)) - result.mean[static_cast<std::size_t>(j)]) * result.scale;
      result.points(i, j) = static_cast<float>(moved);
      result.variance += moved * moved;
    }
  result.variance /= static_cast<double>(n) * static_cast<double>(d);
  return result;
}

template <on_host Exec>
kmeans_result kmeans_on(const Exec& exec, matrix_view<const float> points, const kmeans_options& options) {
  const std::int64_t n = points.rows(), d = points.columns();
  require_kmeans_options(n, d, options);
  const auto centred = centre_points(exec, points);
  const double threshold = static_cast<double>(options.tolerance) * centred.variance;

  // Starts run beside each other (a start alone uses the threads itself), a few at a time to bound the memory.
  constexpr int together = 16;
  std::vector<kmeans_start> starts;
  kmeans_start* best = nullptr;
  for (int first = 0; first < options.restarts; first += together) {
    const int count = std::min(together, options.restarts - first);
    if (first > 0) {  // keep the best so far in the place before the others
      if (best != starts.data()) std::swap(starts.front(), *best);
      best = starts.data();
    }
    const int kept = first > 0 ? 1 : 0;
    while (static_cast<int>(starts.size()) < count + kept) {
      starts.reserve(static_cast<std::size_t>(std::min(together, options.restarts) + 1));
      starts.emplace_back(exec, n, d, options);
    }
    exec.parallel_for(count, [&](std::int64_t r) {
      starts[static_cast<std::size_t>(kept + r)].run(centred.points, threshold,
                                                     random_hash(options.seed, static_cast<std::uint64_t>(first + r)));
    });
    best = starts.data();
    for (int r = 1; r < count + kept; ++r)
      if (starts[static_cast<std::size_t>(r)].inertia < best->inertia) best = &starts[static_cast<std::size_t>(r)];
  }

  kmeans_result result;
  result.inertia = best->inertia / (centred.scale * centred.scale);
  result.iterations = best->iterations;
  result.relocated = best->relocated;
  result.converged = best->converged;
  number_groups(best->labels(), best->centres(), centred.scale, centred.mean, result);
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
kmeans_result kmeans(const Exec& exec, matrix_view<const float, memory_of<Exec>> points,
                     const kmeans_options& options) {
  return detail::kmeans_on(exec, points, options);
}

}  // namespace miq::grouping
