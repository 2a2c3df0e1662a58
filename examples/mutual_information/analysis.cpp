#include "mutual_information/analysis.hpp"

#include <algorithm>
#include <miq/grouping/group_by_information.hpp>
#include <miq/grouping/hierarchical.hpp>
#include <miq/grouping/silhouette.hpp>
#include <miq/information/affinity.hpp>
#include <miq/information/class_information.hpp>
#include <miq/information/normalisation.hpp>
#include <miq/information/significance.hpp>
#include <string>

#include "common/errors.hpp"

namespace mutual_information {

namespace {

using miq::part_of;
using miq::grouping::partition;
namespace grouping = miq::grouping;
namespace information = miq::information;

constexpr int most_candidates = 32;

void find_information(const miq::host_executor& exec, const samples& input, const options& chosen, findings& found,
                      const miq::progress_callback& progress) {
  const auto x = input.values.view();
  const auto channels = x.columns();
  found.mi = miq::matrix<float>(channels, channels);
  if (chosen.permutations > 0) {
    found.p_values = miq::matrix<float>(channels, channels);
    found.bias = miq::matrix<float>(channels, channels);
    found.estimate = information::permutation_test(
        exec, x, found.mi.view(), found.p_values.view(), found.bias.view(), chosen.estimator,
        {.permutations = static_cast<int>(chosen.permutations), .seed = chosen.seed}, progress);
  } else {
    found.estimate = information::mutual_information(exec, x, found.mi.view(), chosen.estimator, progress);
  }
  if (information::entropies_of(chosen.estimator) != information::entropy_kind::none) {
    found.entropies.resize(static_cast<std::size_t>(channels));
    information::entropies(exec, x, found.entropies, chosen.estimator);
  }
  if (chosen.normalisation != information::normalisation::none) {
    found.normalised = miq::matrix<float>(channels, channels);
    information::normalise(exec, found.mi.view(), found.entropies, chosen.normalisation, found.normalised.view());
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    std::int64_t t = 1;
    while (t < x.rows() && x(t, c) == x(0, c)) ++t;
    if (t == x.rows()) found.constant.push_back(c);
  }
}

/// Neighbours of the estimate with labels: those of knn, if that is the estimator.
int label_neighbours(const options& chosen) {
  const auto* knn = std::get_if<information::knn_options>(&chosen.estimator);
  return knn != nullptr ? knn->neighbours : information::class_information_options().neighbours;
}

/// The channels in the order of the pictures.
std::vector<std::int64_t> picture_order(const partition& groups, const grouping::dendrogram& tree) {
  auto order = tree.leaf_order();
  std::vector<double> place(static_cast<std::size_t>(groups.groups()));
  const auto label = [&](std::int64_t channel) {
    return static_cast<std::size_t>(groups.labels()[static_cast<std::size_t>(channel)]);
  };
  for (std::size_t i = 0; i < order.size(); ++i)
    place[label(order[i])] +=
        static_cast<double>(i) / static_cast<double>(groups.size(static_cast<std::int64_t>(label(order[i]))));
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return std::pair(place[label(a)], label(a)) < std::pair(place[label(b)], label(b));
  });
  return order;
}

void find_groups(const miq::host_executor& exec, const options& chosen, findings& found,
                 const miq::progress_callback& progress) {
  const auto channels = found.mi.rows();
  grouping::information_grouping_options how;
  how.method = chosen.grouping;
  how.groups = chosen.n_groups;
  how.max_groups = most_candidates;
  how.linkage = chosen.linkage;
  how.balanced = chosen.balanced;
  how.seed = chosen.seed;
  auto result = grouping::group_by_information(exec, found.mi.view(), {}, how, part_of(progress, 0, 0.7));
  found.groups = std::move(result.groups);
  found.candidates = std::move(result.candidates);
  found.silhouettes = std::move(result.silhouettes);

  miq::report_progress(progress, "dendrogram", 0.7);
  miq::matrix<float> distance(channels, channels);
  information::distance(exec, found.mi.view(), distance.view());
  found.tree =
      result.tree.columns() > 0 ? std::move(result.tree) : grouping::linkage(exec, distance.view(), chosen.linkage);
  miq::report_progress(progress, "quality", 0.9);
  found.quality = grouping::describe_groups(exec, found.mi.view(), found.groups);
  if (found.groups.groups() > 1) found.silhouette = grouping::silhouette(exec, distance.view(), found.groups);
  found.order = picture_order(found.groups, found.tree);
}

}  // namespace

findings analyse(const miq::host_executor& exec, const samples& input, std::optional<class_labels> labels,
                 const options& chosen, const miq::progress_callback& progress) {
  const auto channels = input.values.columns();
  if (chosen.n_groups > channels)
    throw examples::option_error("--n_groups: must be at most the number of channels, " + std::to_string(channels) +
                                 "; got " + std::to_string(chosen.n_groups));
  findings found;
  find_information(exec, input, chosen, found, part_of(progress, 0, 0.8));
  if (labels) {
    found.label_information.resize(static_cast<std::size_t>(channels));
    information::class_information(
        exec, miq::vector_view<const std::int32_t>(labels->labels), input.values.view(), found.label_information,
        {.neighbours = label_neighbours(chosen), .seed = chosen.seed}, part_of(progress, 0.8, 0.85));
    found.labels = std::move(labels);
  }
  const auto last = part_of(progress, 0.85, 1);
  find_groups(exec, chosen, found, last);
  return found;
}

}  // namespace mutual_information
