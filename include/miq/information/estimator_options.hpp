// information/estimator_options.hpp: any estimator's options and results, and what is known of each.
#pragma once

#include <variant>

#include <miq/information/correlation_options.hpp>
#include <miq/information/histogram_options.hpp>
#include <miq/information/kde_options.hpp>
#include <miq/information/knn_options.hpp>
#include <miq/information/rank_correlation_options.hpp>

namespace miq::information {

/// An estimator is chosen by the type of its options: `estimator_options estimator = knn_options{.neighbours = 5}`.
using estimator_options =
    std::variant<correlation_options, rank_correlation_options, histogram_options, knn_options, kde_options>;

/// What happened on the way, in the estimator's own words.
using estimator_result =
    std::variant<correlation_result, rank_correlation_result, histogram_result, knn_result, kde_result>;

/// The part that all estimators report.
inline const estimate_result& common_result(const estimator_result& result) {
  return std::visit([](const estimate_result& common) -> const estimate_result& { return common; }, result);
}

/// "correlation", "rank_correlation", "histogram", "knn" or "kde".
constexpr const char* name_of(const estimator_options& estimator) {
  constexpr const char* names[] = {"correlation", "rank_correlation", "histogram", "knn", "kde"};
  return names[estimator.index()];
}

/// What the entropies of an estimator are, if it has any.
enum class entropy_kind {
  none,         ///< the copula of `rank_correlation` has no margins
  discrete,     ///< never negative, of any use for `normalise`: `histogram`
  differential  ///< depend on the channel's unit and may be negative: the others
};

constexpr entropy_kind entropies_of(const estimator_options& estimator) {
  if (std::holds_alternative<rank_correlation_options>(estimator)) return entropy_kind::none;
  return std::holds_alternative<histogram_options>(estimator) ? entropy_kind::discrete : entropy_kind::differential;
}

}  // namespace miq::information
