// The choice of the number of groups.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <miq/grouping/group_count.hpp>
#include <miq/grouping/silhouette.hpp>
#include <miq/grouping/spectral.hpp>

#include "grouping/grouping_inputs.hpp"
#include "reference/grouping.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;
using miq::grouping::choose_group_count;
using miq::grouping::group_count_criterion;
using miq::grouping::group_count_options;
using miq::grouping::partition;
using miq::grouping::spectral;

namespace {

/// sqrt(1 - a^2), zero on the diagonal: the distance that goes with an affinity in [0, 1].
miq::matrix<float> distance_of(const miq::matrix<float>& affinity) {
  miq::matrix<float> distance(affinity.rows(), affinity.rows());
  for (std::int64_t i = 0; i < affinity.rows(); ++i)
    for (std::int64_t j = 0; j < affinity.rows(); ++j)
      if (i != j) distance(i, j) = std::sqrt(1 - affinity(i, j) * affinity(i, j));
  return distance;
}

}  // namespace

TEST_CASE("the number of blocks is found by both criteria, and all scores are returned", "[grouping]") {
  const auto criterion = GENERATE(group_count_criterion::silhouette, group_count_criterion::eigengap);
  for (const auto& sizes : {std::vector{60, 50, 40}, std::vector{90, 80, 70, 60, 50}}) {
    const auto model = make_block_model(miq_test::seed(), sizes, 1.0F, 0.1F);
    const auto distance = distance_of(model.affinity);
    const auto result = choose_group_count(threads(2), model.affinity, distance,
                                           {.maximum = 12, .criterion = criterion, .seed = miq_test::seed()});
    CHECK(result.groups == static_cast<int>(sizes.size()));
    CHECK(result.best == partition(model.blocks).canonical());
    REQUIRE(result.candidates.size() == 11);
    REQUIRE(result.silhouettes.size() == 11);
    REQUIRE(result.eigengaps.size() == 11);
    const auto exact = reference::eigenvalues(reference::normalised_affinity(reference::to_double(model.affinity)));
    for (std::size_t c = 0; c < 11; ++c) {
      const int k = static_cast<int>(c) + 2;
      CHECK(result.candidates[c] == k);
      CHECK(result.eigengaps[c] == Approx(exact(k - 1) - exact(k)).margin(4e-6));
    }
    // The score of the choice is that of its partition, computed apart.
    const auto widths = reference::silhouette_widths(reference::to_double(distance), result.best.labels());
    double mean = 0;
    for (const auto width : widths) mean += width / static_cast<double>(widths.size());
    CHECK(result.silhouettes[sizes.size() - 2] == Approx(mean).margin(1e-9));
    CHECK(*std::max_element(result.silhouettes.begin(), result.silhouettes.end()) ==
          result.silhouettes[sizes.size() - 2]);
  }
}

TEST_CASE("one decomposition gives what separate calls give", "[grouping]") {
  const auto model = make_block_model(3, std::vector{60, 50, 40, 30}, 1.0F, 0.2F);
  const auto result = choose_group_count(threads(2), model.affinity, distance_of(model.affinity), {.maximum = 6});
  const auto alone = spectral(threads(2), model.affinity, {.groups = 4});
  CHECK(result.best == alone.groups);
}

TEST_CASE("of equal scores the smallest number of groups wins", "[grouping]") {
  // All distances equal: every silhouette width is 0 or (for groups of one) 0.
  miq::matrix<float> affinity(9, 9, 0.5F), distance(9, 9, 1.0F);
  for (std::int64_t i = 0; i < 9; ++i) distance(i, i) = 0;
  const auto result = choose_group_count(threads(1), affinity, distance, {.minimum = 3});
  CHECK(result.groups == 3);
  CHECK(result.candidates.back() == 9);
  for (const auto score : result.silhouettes) CHECK(score == 0);
  CHECK(result.eigengaps.back() == 0);
}

TEST_CASE("isolated columns: their group is counted among the candidates", "[grouping]") {
  // Three cliques of 10, and 5 isolated columns: four groups.
  miq::matrix<float> affinity(35, 35), distance(35, 35, 1.0F);
  for (std::int64_t i = 0; i < 35; ++i)
    for (std::int64_t j = 0; j < 35; ++j)
      if (i == j)
        distance(i, j) = 0;
      else if (i < 30 && j < 30 && i / 10 == j / 10) {
        affinity(i, j) = 0.9F;
        distance(i, j) = 0.4F;
      }
  for (const auto criterion : {group_count_criterion::silhouette, group_count_criterion::eigengap}) {
    const auto result = choose_group_count(threads(2), affinity, distance, {.maximum = 9, .criterion = criterion});
    CHECK(result.groups == 4);
    CHECK(result.isolated == 5);
    CHECK(result.components == 8);
    CHECK(result.best.size(3) == 5);
  }
  const auto nothing = choose_group_count(threads(1), miq::matrix<float>(5, 5), miq::matrix<float>(5, 5), {});
  CHECK(nothing.groups == 2);
  CHECK(nothing.eigenvalues.empty());
}

TEST_CASE("the choice is the same to the bit for every number of threads", "[grouping]") {
  const auto model = make_block_model(miq_test::seed(), std::vector{150, 120, 90}, 1.0F, 0.8F);
  const auto distance = distance_of(model.affinity);
  const group_count_options options{.maximum = 7, .seed = miq_test::seed()};
  const auto one = choose_group_count(threads(1), model.affinity, distance, options);
  for (const int count : {1, 2, 5}) {
    const auto many = choose_group_count(threads(count), model.affinity, distance, options);
    CHECK(many.best == one.best);
    CHECK(same_bits(many.silhouettes, one.silhouettes));
    CHECK(same_bits(many.eigengaps, one.eigengaps));
    CHECK(same_bits(many.eigenvalues, one.eigenvalues));
  }
}

TEST_CASE("progress rises from 0 to 1 and may cancel", "[grouping]") {
  const auto model = make_block_model(1, std::vector{20, 20}, 1.0F, 0.1F);
  const auto distance = distance_of(model.affinity);
  std::vector<double> fractions;
  group_count_options options{.maximum = 5};
  options.progress = [&](std::string_view, double fraction) {
    fractions.push_back(fraction);
    return true;
  };
  choose_group_count(threads(1), model.affinity, distance, options);
  CHECK(fractions.front() == 0);
  CHECK(fractions.back() == 1);
  CHECK(std::is_sorted(fractions.begin(), fractions.end()));
  options.progress = [](std::string_view phase, double) { return phase != "group counts"; };
  CHECK_THROWS_AS(choose_group_count(threads(1), model.affinity, distance, options), miq::cancelled);
}

TEST_CASE("bad input of choose_group_count is named", "[grouping]") {
  using miq_test::contains;
  const auto exec = threads(1);
  miq::matrix<float> affinity(6, 6, 0.5F), distance(6, 6, 0.5F);
  for (std::int64_t i = 0; i < 6; ++i) distance(i, i) = 0;
  CHECK_THROWS_WITH(choose_group_count(exec, affinity, distance, {.minimum = 1}),
                    contains("minimum must be at least 2"));
  CHECK_THROWS_WITH(choose_group_count(exec, affinity, distance, {.minimum = 5, .maximum = 4}), contains("got 4"));
  CHECK_THROWS_WITH(choose_group_count(exec, affinity, distance, {.minimum = 7}), contains("at most the 6 columns"));
  CHECK_THROWS_WITH(choose_group_count(exec, affinity, distance, {.restarts = 0}), contains("restarts"));
  CHECK_THROWS_WITH(choose_group_count(exec, affinity, miq::matrix<float>(5, 5)), contains("[6, 6] to match affinity"));
  CHECK_THROWS_WITH(choose_group_count(exec, affinity, affinity), contains("zero diagonal"));
  affinity(0, 1) = -1;
  CHECK_THROWS_WITH(choose_group_count(exec, affinity, distance), contains("choose_group_count: affinity must not be"));
}
