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
/// This is the list of all estimators; what is known of each stands in its `estimator_traits`.
using estimator_options =
    std::variant<correlation_options, rank_correlation_options, histogram_options, knn_options, kde_options>;

namespace detail {

template <class Options>
struct results_of;
template <class... Options>
struct results_of<std::variant<Options...>> {
  using type = std::variant<typename estimator_traits<Options>::result...>;
};

}  // namespace detail

/// What happened on the way, in the estimator's own words.
using estimator_result = typename detail::results_of<estimator_options>::type;

/// The part that all estimators report.
inline const estimate_result& common_result(const estimator_result& result) {
  return std::visit([](const estimate_result& common) -> const estimate_result& { return common; }, result);
}

/// The name of its function, such as "knn".
constexpr const char* name_of(const estimator_options& estimator) {
  return std::visit([]<class Options>(const Options&) { return estimator_traits<Options>::name; }, estimator);
}

/// What its entropies are, if it has any.
constexpr entropy_kind entropies_of(const estimator_options& estimator) {
  return std::visit([]<class Options>(const Options&) { return estimator_traits<Options>::entropies; }, estimator);
}

}  // namespace miq::information
