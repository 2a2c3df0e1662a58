// One function in two translation units that are compiled for different instruction sets.
#pragma once

#include <miq/information/estimator.hpp>

namespace miq_test {

/// Information of all pairs by every estimator, one matrix below the other.
miq::matrix<float> information_native(const miq::matrix<float>& samples);
miq::matrix<float> information_baseline(const miq::matrix<float>& samples);

inline namespace MIQ_INSTRUCTION_SET {

inline miq::matrix<float> information_here(const miq::matrix<float>& samples) {
  using namespace miq::information;
  const miq::host_executor exec({.threads = 2});
  const auto c = samples.columns();
  miq::matrix<float> all(5 * c, c);
  std::int64_t row = 0;
  for (const auto& estimator :
       {estimator_options(correlation_options{}), estimator_options(rank_correlation_options{}),
        estimator_options(histogram_options{}), estimator_options(knn_options{}), estimator_options(kde_options{})}) {
    mutual_information(exec, samples.view(), all.view().rows_from(row, c), estimator);
    row += c;
  }
  return all;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq_test
