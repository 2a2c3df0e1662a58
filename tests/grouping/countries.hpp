// countries.hpp: average dissimilarities of twelve countries, as judged by students of political science, and what was
// published about them: P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster
// analysis", J. Comput. Appl. Math. 20 (1987) 53-65, table 1 and figures 2 and 3. Order: Belgium, Brazil, China, Cuba,
// Egypt, France, India, Israel, USA, USSR, Yugoslavia, Zaire.
#pragma once

#include <miq/core/matrix.hpp>
#include <miq/grouping/partition.hpp>

namespace miq_test::countries {

// clang-format off
inline constexpr float lower[] = {
    5.58F,
    7.00F, 6.50F,
    7.08F, 7.00F, 3.83F,
    4.83F, 5.08F, 8.17F, 5.83F,
    2.17F, 5.75F, 6.67F, 6.92F, 4.92F,
    6.42F, 5.00F, 5.58F, 6.00F, 4.67F, 6.42F,
    3.42F, 5.50F, 6.42F, 6.42F, 5.00F, 3.92F, 6.17F,
    2.50F, 4.92F, 6.25F, 7.33F, 4.50F, 2.25F, 6.33F, 2.75F,
    6.08F, 6.67F, 4.25F, 2.67F, 6.00F, 6.17F, 6.17F, 6.92F, 6.17F,
    5.25F, 6.83F, 4.50F, 3.75F, 5.75F, 5.42F, 6.08F, 5.83F, 6.67F, 3.67F,
    4.75F, 3.00F, 6.08F, 6.67F, 5.00F, 5.58F, 4.83F, 6.17F, 5.67F, 6.50F, 6.92F};
inline constexpr double two_widths[] = {0.39, 0.22, 0.33, 0.40, 0.20, 0.35, -0.04, 0.30, 0.43, 0.34, 0.26, 0.19};
inline constexpr double three_widths[] = {0.42, 0.25, 0.31, 0.48, 0.02, 0.44, 0.17, 0.37, 0.47, 0.44, 0.31, 0.28};
// clang-format on

/// The published divisions.
inline miq::grouping::partition two_groups() { return miq::grouping::partition({0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0}); }
inline miq::grouping::partition three_groups() {
  return miq::grouping::partition({0, 1, 2, 2, 0, 0, 1, 0, 0, 2, 2, 1});
}

inline miq::matrix<float> dissimilarity() {
  miq::matrix<float> m(12, 12);
  const float* next = lower;
  for (std::int64_t i = 1; i < 12; ++i)
    for (std::int64_t j = 0; j < i; ++j) m(i, j) = m(j, i) = *next++;
  return m;
}

}  // namespace miq_test::countries
