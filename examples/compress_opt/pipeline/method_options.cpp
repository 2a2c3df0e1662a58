// What the options of the program mean to the library.
#include "compress_opt/pipeline/compression.hpp"

namespace compress_opt {

namespace {

miq::information::estimator_options estimator_of(estimator which, std::uint64_t seed) {
  switch (which) {
    case estimator::rank:
      return miq::information::rank_correlation_options{};
    case estimator::histogram:
      return miq::information::histogram_options{};
    case estimator::knn:
      return miq::information::knn_options{.seed = seed};
    case estimator::kde:
      return miq::information::kde_options{};
    default:
      return miq::information::correlation_options{};
  }
}

miq::information::normalisation normalisation_of(normalisation which) {
  using to = miq::information::normalisation;
  switch (which) {
    case normalisation::none:
      return to::none;
    case normalisation::arithmetic:
      return to::arithmetic;
    case normalisation::geometric:
      return to::geometric;
    case normalisation::minimum:
      return to::minimum;
    case normalisation::maximum:
      return to::maximum;
    default:
      return to::information_coefficient;
  }
}

miq::mask_method mask_method_of(masks_by which) {
  switch (which) {
    case masks_by::sweep:
      return miq::mask_method::pruning_sweep;
    case masks_by::selection:
      return miq::mask_method::selection;
    default:
      return miq::mask_method::search;
  }
}

miq::mask_saliency saliency_of(saliency which) {
  switch (which) {
    case saliency::wanda:
      return miq::mask_saliency::wanda;
    case saliency::magnitude:
      return miq::mask_saliency::magnitude;
    default:
      return miq::mask_saliency::obs;
  }
}

miq::column_order order_of(order which) {
  switch (which) {
    case order::descending:
      return miq::column_order::descending_diagonal;
    case order::by_group:
      return miq::column_order::by_group;
    case order::representatives:
      return miq::column_order::representatives;
    default:
      return miq::column_order::natural;
  }
}

miq::column_grouping grouping_of(grouping which) {
  switch (which) {
    case grouping::hierarchical:
      return miq::column_grouping::hierarchical;
    case grouping::kmeans:
      return miq::column_grouping::kmeans;
    default:
      return miq::column_grouping::spectral;
  }
}

miq::grouping::linkage_method linkage_of(linkage which) {
  switch (which) {
    case linkage::complete:
      return miq::grouping::linkage_method::complete;
    case linkage::single:
      return miq::grouping::linkage_method::single;
    case linkage::ward:
      return miq::grouping::linkage_method::ward;
    default:
      return miq::grouping::linkage_method::average;
  }
}

}  // namespace

miq::compress_options options_of(method which, const options& chosen) {
  using miq::bit_allocation;
  using miq::allocation::strategy;
  miq::compress_options how;
  switch (which) {
    case method::sparsegpt:
      how = miq::sparsegpt_options(chosen.sparsity, chosen.wbits);
      break;
    case method::enhanced:
      how = miq::enhanced_options(chosen.sparsity, chosen.average_bits());
      break;
    default:
      how = miq::mi_options(chosen.sparsity, chosen.average_bits());
      how.estimator = estimator_of(chosen.estimator, chosen.seed);
      how.normalisation = normalisation_of(chosen.normalisation);
      how.grouping = grouping_of(chosen.grouping);
      how.linkage = linkage_of(chosen.linkage);
      how.balanced = chosen.balanced;
      how.split_groups = chosen.split && chosen.n_groups != 1;
      how.groups = chosen.n_groups;
      how.fit.layout = chosen.layout;
      how.fit.symmetry = chosen.grid;
      how.seed = chosen.seed;
      how.target_strength = chosen.target_strength;
      how.method = mask_method_of(chosen.mask_method);
      how.saliency = saliency_of(chosen.saliency);
      how.order = order_of(chosen.order);
      how.refit_iterations = chosen.refit;
      if (chosen.allocation != bits_by::rate_distortion) how.allocation = bit_allocation::by_importance;
      break;
  }
  if (chosen.pattern_width > 0) {
    how.mask = miq::obs::mask_scope::n_of_m;
    how.pattern_kept = chosen.pattern_kept;
    how.pattern_width = chosen.pattern_width;
  }
  how.quantise = chosen.quantises();
  how.factor.damping = chosen.percdamp;
  how.budget.rule = chosen.allocation == bits_by::threshold  ? strategy::threshold
                    : chosen.allocation == bits_by::quantile ? strategy::quantile
                                                             : strategy::greedy_budget;
  if (chosen.scales) how.fit.format = *chosen.scales;
  return how;
}

}  // namespace compress_opt
