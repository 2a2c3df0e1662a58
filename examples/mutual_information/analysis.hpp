// analysis.hpp: everything that is found out about the channels, from their samples alone.
#pragma once

#include <cstdint>
#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/progress.hpp>
#include <miq/grouping/dendrogram.hpp>
#include <miq/grouping/partition.hpp>
#include <miq/grouping/quality.hpp>
#include <miq/information/estimator.hpp>
#include <optional>
#include <vector>

#include "mutual_information/options.hpp"
#include "mutual_information/samples.hpp"

namespace mutual_information {

struct findings {
  // Information, [channels, channels] each
  miq::matrix<float> mi;          ///< in nats; the diagonal is 0
  miq::matrix<float> normalised;  ///< empty unless asked for
  miq::matrix<float> p_values;    ///< empty unless asked for
  miq::matrix<float> bias;        ///< empty unless asked for
  std::vector<float> entropies;   ///< empty where the estimator has none
  miq::information::estimator_result estimate;
  std::vector<std::int64_t> constant;    ///< channels with one value only
  std::optional<class_labels> labels;    ///< if asked for
  std::vector<float> label_information;  ///< of each channel, in nats

  // Groups
  miq::grouping::partition groups;
  std::vector<int> candidates;      ///< numbers of groups that were tried; empty if the number was given
  std::vector<double> silhouettes;  ///< of the candidates
  miq::grouping::group_information quality;
  std::optional<double> silhouette;  ///< none for a single group
  miq::grouping::dendrogram tree;    ///< of the distances exp(-I)
  /// The order in which pictures show channels: groups by the mean place of their channels in the dendrogram, and in
  /// each its channels as the dendrogram has them. Cuts of the dendrogram keep its order.
  std::vector<std::int64_t> order;
};

/// Groups are those of `miq::grouping::group_by_information`, from information coefficients and the distances
/// `exp(-I)`; "auto" tries 2 to 32 groups, but fewer than channels; one or two channels are one group.
/// With class labels, their information with each channel is that of Ross (2014), whatever the estimator of the pairs.
///
/// @param progress  fractions of the whole; may cancel
/// @throws examples::option_error if more groups are asked for than there are channels; what the library throws
findings analyse(const miq::host_executor& exec, const samples& input, std::optional<class_labels> labels,
                 const options& chosen, const miq::progress_callback& progress = {});

}  // namespace mutual_information
