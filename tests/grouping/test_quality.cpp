// Mutual information within and between groups, and the choice of a number of groups for any way of grouping.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <miq/grouping/group_count.hpp>
#include <miq/grouping/hierarchical.hpp>
#include <miq/grouping/kmeans.hpp>
#include <miq/grouping/quality.hpp>

#include "grouping/countries.hpp"
#include "grouping/grouping_inputs.hpp"
#include "reference/grouping.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;
using miq::grouping::choose_by_silhouette;
using miq::grouping::describe_groups;
using miq::grouping::partition;

TEST_CASE("information within and between groups of a small matrix", "[grouping]") {
  // Columns 0 and 2 share 1 nat, 1 and 3 share 2, all other pairs 0.25.
  miq::matrix<float> mi(4, 4, 0.25F);
  mi(0, 2) = mi(2, 0) = 1;
  mi(1, 3) = mi(3, 1) = 2;
  for (std::int64_t i = 0; i < 4; ++i) mi(i, i) = 50;  // entropies, which do not count
  const auto pairs = describe_groups(threads(2), mi, partition({0, 1, 0, 1}));
  CHECK(pairs.within == std::vector<double>{1, 2});
  CHECK(pairs.between == std::vector<double>{0.25, 0.25});
  CHECK(pairs.mean_within == 1.5);
  CHECK(pairs.mean_between == 0.25);
  CHECK(pairs.kept == 3);
  CHECK(pairs.total == 4);
  CHECK(pairs.kept_share == 0.75);
  const auto uneven = describe_groups(threads(2), mi, partition({0, 0, 0, 1}));
  CHECK(uneven.within == std::vector<double>{0.5, 0});
  CHECK(uneven.between[0] == Approx(2.5 / 3));
  CHECK(uneven.mean_within == 0.5);
  CHECK(uneven.kept == 1.5);
  const auto one = describe_groups(threads(1), mi, partition::single(4));
  CHECK(one.kept_share == 1);
  CHECK(one.mean_between == 0);
  CHECK(one.between == std::vector<double>{0});
  const auto alone = describe_groups(threads(1), mi, partition::each_alone(4));
  CHECK(alone.kept == 0);
  CHECK(alone.mean_within == 0);
  CHECK(alone.mean_between == Approx(4.0 / 6));
  CHECK(describe_groups(threads(1), miq::matrix<float>(3, 3), partition::single(3)).kept_share == 0);
}

TEST_CASE("information of groups equals the sums, for every number of threads", "[grouping]") {
  for (const int n : {1, 2, 7, 64, 131, 300}) {
    const auto mi = random_symmetric(seed(), n);  // negative estimates too
    const int k = std::max(1, n / 5);
    std::vector<std::int32_t> labels;
    for (int i = 0; i < n; ++i) labels.push_back(i * 7 % k);
    const partition groups(labels);
    const auto result = describe_groups(threads(1), mi, groups);
    double kept = 0, total = 0;
    for (std::int64_t g = 0; g < k; ++g) {
      double within = 0, between = 0, inside = 0, across = 0;
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) {
          if (i == j || labels[static_cast<std::size_t>(i)] != g) continue;
          const bool same = labels[static_cast<std::size_t>(j)] == g;
          (same ? within : between) += static_cast<double>(mi(i, j));
          ++(same ? inside : across);
        }
      CHECK(result.within[static_cast<std::size_t>(g)] == Approx(inside > 0 ? within / inside : 0).margin(1e-12));
      CHECK(result.between[static_cast<std::size_t>(g)] == Approx(across > 0 ? between / across : 0).margin(1e-12));
      kept += within / 2;
      total += (within + between) / 2;
    }
    CHECK(result.kept == Approx(kept).margin(1e-9));
    CHECK(result.total == Approx(total).margin(1e-9));
    for (const int count : {2, 5}) {
      const auto many = describe_groups(threads(count), mi, groups);
      CHECK(same_bits(many.within, result.within));
      CHECK(same_bits(many.between, result.between));
      CHECK(many.kept == result.kept);
      CHECK(many.total == result.total);
    }
  }
}

TEST_CASE("bad input of describe_groups is named", "[grouping]") {
  auto mi = random_symmetric(1, 5);
  CHECK_THROWS_WITH(describe_groups(threads(1), mi, partition::single(4)),
                    contains("[4, 4] to match groups, got [5, 5]"));
  CHECK_THROWS_WITH(describe_groups(threads(1), miq::matrix<float>(5, 4), partition::single(5)),
                    contains("got [5, 4]"));
  mi(2, 3) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(describe_groups(threads(1), mi, partition::single(5)),
                    contains("describe_groups: mi must be finite"));
}

TEST_CASE("silhouettes choose among the cuts of one tree", "[grouping]") {
  // Rousseeuw 1987: three groups of the twelve countries (0.33) are better than two (0.28).
  const auto distance = countries::dissimilarity();
  const auto exec = threads(2);
  const std::vector<int> both{2, 3};
  const auto published = choose_by_silhouette(
      exec, distance, both, [](int k) { return k == 2 ? countries::two_groups() : countries::three_groups(); });
  CHECK(published.groups == 3);
  CHECK(published.best == countries::three_groups());
  CHECK(published.candidates == both);
  CHECK(published.silhouettes[0] == Approx(0.279666).margin(5e-7));
  CHECK(published.silhouettes[1] == Approx(0.330102).margin(5e-7));

  miq::random_stream random(seed());
  miq::matrix<float> points(120, 2);
  std::vector<std::int32_t> truth;
  for (int i = 0; i < 120; ++i) {
    truth.push_back(i % 6);
    points(i, 0) = static_cast<float>(30 * (i % 3) + random.normal());
    points(i, 1) = static_cast<float>(30 * (i % 6 / 3) + random.normal());
  }
  const auto apart = euclidean(points);
  const std::vector<int> candidates{9, 8, 7, 6, 5, 4, 3, 2};
  const auto tree = miq::grouping::linkage(exec, apart, miq::grouping::linkage_method::average);
  const auto cut = choose_by_silhouette(exec, apart, candidates, [&](int k) { return tree.cut_by_count(k); });
  CHECK(cut.groups == 6);
  CHECK(cut.best == partition(truth).canonical());
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const auto widths =
        reference::silhouette_widths(reference::to_double(apart), tree.cut_by_count(candidates[c]).labels());
    double mean = 0;
    for (const auto width : widths) mean += width / 120;
    CHECK(cut.silhouettes[c] == Approx(mean).margin(1e-9));
  }
  const auto means = choose_by_silhouette(exec, apart, candidates, [&](int k) {
    return miq::grouping::kmeans(exec, points, {.groups = k, .seed = 5}).groups;
  });
  CHECK(means.groups == 6);
  CHECK(means.best == partition(truth).canonical());
}

TEST_CASE("of equal silhouettes the smallest candidate wins, in any order", "[grouping]") {
  miq::matrix<float> distance(9, 9, 1.0F);
  for (std::int64_t i = 0; i < 9; ++i) distance(i, i) = 0;
  const std::vector<int> candidates{5, 3, 4};
  const auto result =
      choose_by_silhouette(threads(1), distance, candidates, [](int k) { return partition::contiguous(9, k); });
  CHECK(result.groups == 3);
  CHECK(result.best == partition::contiguous(9, 3));
}

TEST_CASE("choose_by_silhouette: progress, and bad input named", "[grouping]") {
  const auto distance = hashed_distances(1, 9);
  const auto divide = [](int k) { return partition::contiguous(9, k); };
  const std::vector<int> candidates{2, 3, 4};
  std::vector<double> seen;
  choose_by_silhouette(threads(1), distance, candidates, divide, [&](std::string_view phase, double fraction) {
    CHECK(phase == "group counts");
    seen.push_back(fraction);
    return true;
  });
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() == 1);
  CHECK_THROWS_AS(choose_by_silhouette(threads(1), distance, candidates, divide,
                                       [](std::string_view, double fraction) { return fraction < 0.5; }),
                  miq::cancelled);
  const std::vector<int> none, one{1};
  CHECK_THROWS_WITH(choose_by_silhouette(threads(1), distance, none, divide), contains("candidates must not be empty"));
  CHECK_THROWS_WITH(choose_by_silhouette(threads(1), distance, one, divide), contains("at least 2 groups"));
  CHECK_THROWS_WITH(
      choose_by_silhouette(threads(1), distance, candidates, [](int) { return partition::contiguous(8, 2); }),
      contains("of 8"));
  auto bad = distance;
  bad(0, 1) = -1;
  CHECK_THROWS_WITH(choose_by_silhouette(threads(1), bad, candidates, divide),
                    contains("choose_by_silhouette: distance"));
}
