#pragma once

#include <miq/information/estimator.hpp>

namespace miq::information {

template <executor Exec>
estimator_result mutual_information(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                    matrix_view<float, memory_of<Exec>> mi, const estimator_options& estimator,
                                    const progress_callback& progress) {
  return std::visit(
      [&]<class Options>(const Options& options) -> estimator_result {
        return estimator_traits<Options>::estimate(exec, samples, mi, options, progress);
      },
      estimator);
}

template <executor Exec>
estimator_result mutual_information(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                    std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                                    const estimator_options& estimator, const progress_callback& progress) {
  return std::visit(
      [&]<class Options>(const Options& options) -> estimator_result {
        return estimator_traits<Options>::estimate(exec, samples, pairs, mi, options, progress);
      },
      estimator);
}

template <executor Exec>
double mutual_information(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                          vector_view<const float, memory_of<Exec>> y, const estimator_options& estimator) {
  return std::visit(
      [&]<class Options>(const Options& options) -> double {
        return estimator_traits<Options>::estimate(exec, x, y, options);
      },
      estimator);
}

template <executor Exec>
void entropies(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
               vector_view<float, memory_of<Exec>> entropies, const estimator_options& estimator) {
  std::visit(
      [&]<class Options>(const Options& options) {
        using traits = estimator_traits<Options>;
        if constexpr (traits::entropies == entropy_kind::none)
          miq::detail::require(false, "entropies: ", traits::name, " has none, since a copula has no margins");
        else
          static_cast<void>(traits::entropy(exec, samples, entropies, options));
      },
      estimator);
}

}  // namespace miq::information
