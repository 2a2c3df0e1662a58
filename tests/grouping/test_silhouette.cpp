// Silhouettes: Rousseeuw's countries, scikit-learn's values, the formula.
#include <array>
#include <limits>
#include <vector>

#include <miq/grouping/silhouette.hpp>

#include "grouping/countries.hpp"
#include "grouping/grouping_inputs.hpp"
#include "grouping/reference_values.hpp"
#include "reference/grouping.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;
using miq::grouping::partition;
using miq::grouping::silhouette;

TEST_CASE("the silhouettes of Rousseeuw's twelve countries", "[grouping]") {
  const auto distance = countries::dissimilarity();
  const auto exec = threads(2);
  std::vector<float> widths(12);
  // The means, to six digits; the paper prints 0.28 and 0.33, and the widths of the countries to two digits.
  CHECK(silhouette(exec, distance, countries::two_groups(), miq::vector_view<float>(widths)) ==
        Approx(0.279666).margin(5e-7));
  for (std::size_t i = 0; i < 12; ++i) CHECK(widths[i] == Approx(countries::two_widths[i]).margin(0.00501));
  CHECK(silhouette(exec, distance, countries::three_groups(), miq::vector_view<float>(widths)) ==
        Approx(0.330102).margin(5e-7));
  for (std::size_t i = 0; i < 12; ++i) CHECK(widths[i] == Approx(countries::three_widths[i]).margin(0.00501));
}

TEST_CASE("silhouettes equal scikit-learn's", "[grouping]") {
  for (const auto& expected : grouping_reference::silhouettes) {
    const auto distance = euclidean(uniform_points(expected.seed, expected.points, expected.columns));
    std::vector<std::int32_t> labels;
    for (int i = 0; i < expected.points; ++i)
      labels.push_back(i < expected.groups ? i
                                           : static_cast<std::int32_t>(
                                                 miq::random_hash(expected.seed + 100, static_cast<std::uint64_t>(i)) %
                                                 static_cast<std::uint64_t>(expected.groups)));
    std::vector<float> widths(labels.size());
    // Distances may differ by an ulp of single precision between the two programs; widths then by a few.
    CHECK(silhouette(threads(2), distance, partition(labels), miq::vector_view<float>(widths)) ==
          Approx(expected.mean).margin(1e-6));
    CHECK(widths.front() == Approx(expected.first).margin(1e-6));
    CHECK(widths.back() == Approx(expected.last).margin(1e-6));
  }
}

TEST_CASE("silhouettes equal the formula, groups of one included", "[grouping]") {
  miq::random_stream random(miq_test::seed());
  for (const int n : {2, 3, 5, 64, 67, 131}) {
    const auto distance = euclidean(uniform_points(miq_test::seed(), n, 3));
    for (const int groups : {2, 3, n / 2, n}) {
      if (groups < 2 || groups > n) continue;
      std::vector<std::int32_t> labels;
      for (int i = 0; i < n; ++i)
        labels.push_back(static_cast<std::int32_t>(
            i < groups ? i : static_cast<int>(random.below(static_cast<std::uint64_t>(groups)))));
      const auto expected = reference::silhouette_widths(reference::to_double(distance), labels);
      std::vector<float> widths(labels.size());
      const double mean = silhouette(threads(2), distance, partition(labels), miq::vector_view<float>(widths));
      double sum = 0;
      for (std::size_t i = 0; i < labels.size(); ++i) {
        CHECK(widths[i] == Approx(expected[i]).margin(1e-6));
        sum += expected[i];
      }
      CHECK(mean == Approx(sum / n).margin(1e-12));
      CHECK(silhouette(threads(1), distance, partition(labels)) == mean);
      CHECK(silhouette(threads(5), distance, partition(labels)) == mean);
      if (groups == n) CHECK(mean == 0);
    }
  }
}

TEST_CASE("coinciding columns have width 0", "[grouping]") {
  CHECK(silhouette(threads(1), miq::matrix<float>(6, 6), partition::contiguous(6, 2)) == 0);
}

TEST_CASE("bad input of silhouette is named, widths untouched", "[grouping]") {
  using miq_test::contains;
  const auto exec = threads(1);
  auto distance = euclidean(uniform_points(1, 5, 2));
  const auto halves = partition::contiguous(5, 2);
  std::vector<float> widths(5, 7.0F), few(4, 7.0F);
  const auto call = [&] { return silhouette(exec, distance, halves, miq::vector_view<float>(widths)); };
  CHECK_THROWS_WITH(silhouette(exec, distance, partition::single(5)), contains("at least 2, got 1"));
  CHECK_THROWS_WITH(silhouette(exec, distance, partition::contiguous(4, 2)), contains("5 columns of distance, got 4"));
  CHECK_THROWS_WITH(silhouette(exec, distance, halves, miq::vector_view<float>(few)), contains("must be [5]"));
  CHECK_THROWS_WITH(silhouette(exec, distance, halves, miq::vector_view<float>(&distance(1, 0), 5)),
                    contains("overlap"));
  CHECK_THROWS_WITH(silhouette(exec, miq::matrix<float>(5, 4), halves), contains("[5, 4]"));
  distance(2, 2) = 0.5F;
  CHECK_THROWS_WITH(call(), contains("zero diagonal, got 0.5 at [2, 2]"));
  distance(2, 2) = 0;
  distance(1, 3) = distance(3, 1) = -1;
  CHECK_THROWS_WITH(call(), contains("must not be negative, got -1 at [1, 3]"));
  distance(1, 3) = 1;
  CHECK_THROWS_WITH(call(), contains("negative, got -1 at [3, 1]"));
  distance(3, 1) = 2;
  CHECK_THROWS_WITH(call(), contains("symmetric to the bit"));
  distance(3, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(call(), contains("finite"));
  for (const auto width : widths) CHECK(width == 7.0F);
}
