#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <utility>

#include <miq/core/matrix.hpp>
#include <miq/grouping/detail/group_by_information/checks.hpp>
#include <miq/grouping/group_by_information.hpp>
#include <miq/information/affinity.hpp>

namespace miq::grouping {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Normalised information, negative values as 0; returns how many pairs had them.
template <on_host Exec>
std::int64_t write_affinity(const Exec& exec, matrix_view<const float> mi, vector_view<const float> entropies,
                            information::normalisation how, matrix_view<float> out) {
  using information::normalisation;
  if (how == normalisation::information_coefficient || how == normalisation::correlation)
    return information::affinity(exec, mi, out).clipped;
  information::normalise(exec, mi, entropies, how, out);
  std::atomic<std::int64_t> negative{0};
  exec.parallel_for(out.rows(), [&](std::int64_t i) {
    std::int64_t found = 0;
    for (std::int64_t j = 0; j < out.columns(); ++j)
      if (out(i, j) < 0.0F) {
        out(i, j) = 0.0F;
        found += j > i;
      }
    negative.fetch_add(found, std::memory_order_relaxed);
  });
  return negative.load();
}

/// sqrt(1 - a^2), or from the information where the affinity is not bounded or the exponential is more accurate.
template <on_host Exec>
void write_distance(const Exec& exec, matrix_view<const float> mi, matrix_view<const float> affinity,
                    information::normalisation how, matrix_view<float> out) {
  using information::normalisation;
  if (how == normalisation::information_coefficient || how == normalisation::correlation ||
      how == normalisation::none) {
    information::distance(exec, mi, out);
    return;
  }
  exec.parallel_for(out.rows(), [&](std::int64_t i) {
    for (std::int64_t j = 0; j < out.columns(); ++j)
      out(i, j) = i == j ? 0.0F : std::sqrt(std::max(0.0F, 1.0F - affinity(i, j) * affinity(i, j)));
  });
}

template <on_host Exec>
information_grouping_result group_by_information_on(const Exec& exec, matrix_view<const float> mi,
                                                    vector_view<const float> entropies,
                                                    const information_grouping_options& options,
                                                    const progress_callback& progress) {
  using miq::detail::require;
  const auto columns = mi.columns();
  require_grouping_options(options, columns);
  const bool hierarchical = options.method == grouping_method::hierarchical;

  information_grouping_result result;
  matrix<float> affinity(columns, columns, exec.resource());
  miq::report_progress(progress, "affinities", 0);
  result.clipped = write_affinity(exec, mi, entropies, options.normalisation, affinity);
  for (std::int64_t c = 0; c < columns; ++c) {
    bool connected = false;
    for (std::int64_t k = 0; k < columns && !connected; ++k) connected = affinity(c, k) > 0.0F;
    if (!connected && !hierarchical) ++result.isolated;
  }
  if (options.groups == 0 && columns < 3) {
    result.groups = partition::single(columns);
    return result;
  }

  const bool chosen = options.groups == 0;
  matrix<float> distance;
  if (chosen || (hierarchical && options.linkage != linkage_method::ward)) {
    distance = matrix<float>(columns, columns, exec.resource());
    write_distance(exec, mi, affinity, options.normalisation, distance);
  }
  const int most = static_cast<int>(std::min<std::int64_t>(options.max_groups, columns - 1));
  if (chosen && options.method == grouping_method::spectral && !options.balanced) {
    auto found = choose_group_count(
        exec, affinity, distance,
        {.minimum = 2, .maximum = most, .criterion = options.criterion, .seed = options.seed, .progress = progress});
    result.groups = std::move(found.best);
    result.candidates = std::move(found.candidates);
    result.silhouettes = std::move(found.silhouettes);
    return result;
  }

  // From here on the affinities are profiles, unless they go to the eigensolver, which ignores the diagonal.
  for (std::int64_t c = 0; c < columns; ++c) affinity(c, c) = options.method == grouping_method::spectral ? 0.0F : 1.0F;
  if (hierarchical) {
    miq::report_progress(progress, "linkage", 0);
    result.tree = options.linkage == linkage_method::ward ? ward_linkage(exec, affinity)
                                                          : linkage(exec, distance, options.linkage);
  }
  const auto divide = [&](int groups) -> partition {
    if (hierarchical) return result.tree.cut_by_count(groups);
    if (options.balanced) {
      balanced_options how{.groups = groups, .multiple = options.multiple, .seed = options.seed};
      if (!chosen) how.progress = progress;
      return options.method == grouping_method::spectral ? balanced_spectral(exec, affinity, how).groups
                                                         : balanced_kmeans(exec, affinity, how).groups;
    }
    return options.method == grouping_method::spectral
               ? spectral(exec, affinity, {.groups = groups, .seed = options.seed}).groups
               : kmeans(exec, affinity, {.groups = groups, .seed = options.seed}).groups;
  };
  if (!chosen) {
    miq::report_progress(progress, "groups", 0);
    result.groups = divide(options.groups);
    return result;
  }
  std::vector<int> candidates(static_cast<std::size_t>(most - 1));
  std::iota(candidates.begin(), candidates.end(), 2);
  if (options.balanced)  // sizes that are multiples leave no room for more groups than multiples
    std::erase_if(candidates, [&](int k) { return k > (columns + options.multiple - 1) / options.multiple; });
  require(!candidates.empty(), "group_by_information: no number of groups from 2 to ", most,
          " has sizes that are multiples of ", options.multiple);
  auto found = choose_by_silhouette(exec, distance, candidates, divide, progress);
  result.groups = std::move(found.best);
  result.candidates = std::move(found.candidates);
  result.silhouettes = std::move(found.silhouettes);
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
information_grouping_result group_by_information(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                                                 vector_view<const float, memory_of<Exec>> entropies,
                                                 const information_grouping_options& options,
                                                 const progress_callback& progress) {
  return detail::group_by_information_on(exec, mi, entropies, options, progress);
}

}  // namespace miq::grouping
