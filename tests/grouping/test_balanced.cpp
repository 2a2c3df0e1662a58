// Balanced groups: assignments against SciPy's and all that there are, sizes, and whole balanced clusterings.
#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <miq/grouping/balanced.hpp>
#include <miq/grouping/spectral.hpp>

#include "grouping/grouping_inputs.hpp"
#include "grouping/tree_values.hpp"
#include "reference/grouping.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;
using miq::grouping::assignment_result;
using miq::grouping::balanced_kmeans;
using miq::grouping::balanced_options;
using miq::grouping::balanced_spectral;
using miq::grouping::bounded_assignment;
using miq::grouping::partition;

namespace {

using sizes = std::vector<std::int64_t>;

/// Within the bounds, of the cost that it says, and proven by its prices: recomputed here from the definition.
void check_assignment(const miq::matrix<double>& costs, const sizes& minimum, const sizes& maximum,
                      const assignment_result& result) {
  const std::int64_t n = costs.rows(), k = costs.columns();
  REQUIRE(static_cast<std::int64_t>(result.labels.size()) == n);
  sizes count(static_cast<std::size_t>(k), 0);
  double cost = 0, bound = 0, magnitude = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto label = result.labels[static_cast<std::size_t>(i)];
    ++count[static_cast<std::size_t>(label)];
    cost += costs(i, label);
    double least = std::numeric_limits<double>::infinity();
    for (std::int64_t g = 0; g < k; ++g) {
      least = std::min(least, costs(i, g) + result.prices[static_cast<std::size_t>(g)]);
      magnitude += std::abs(costs(i, g)) + std::abs(result.prices[static_cast<std::size_t>(g)]);
    }
    bound += least;
  }
  for (std::size_t g = 0; g < count.size(); ++g) {
    CHECK(count[g] >= minimum[g]);
    CHECK(count[g] <= maximum[g]);
    // The dual of "at most maximum" for a positive price, of "at least minimum" for a negative one.
    bound -= result.prices[g] * static_cast<double>(result.prices[g] > 0 ? maximum[g] : minimum[g]);
  }
  CHECK(result.cost == Approx(cost).margin(1e-13 * magnitude));
  CHECK(result.lower_bound == Approx(bound).margin(1e-13 * magnitude));
  CHECK(cost - bound <= 1e-13 * magnitude);  // optimal: the two meet
  CHECK(cost - bound >= -1e-13 * magnitude);
}

sizes sizes_of(const partition& groups) {
  sizes result;
  for (std::int64_t g = 0; g < groups.groups(); ++g) result.push_back(groups.size(g));
  return result;
}

}  // namespace

TEST_CASE("assignments under bounds cost what SciPy's do", "[grouping]") {
  for (const auto& expected : tree_reference::assignments) {
    const auto k = static_cast<std::int64_t>(expected.minimum.size());
    INFO("seed " << expected.seed << ", " << expected.points << " points, " << k << " groups");
    miq::matrix<double> costs(expected.points, k);
    for (std::int64_t i = 0; i < costs.rows(); ++i)
      for (std::int64_t g = 0; g < k; ++g)
        costs(i, g) = static_cast<double>(unit(expected.seed, static_cast<std::uint64_t>(i * k + g))) *
                      (1 + static_cast<double>(g) / 4);
    const auto result = bounded_assignment(threads(2), costs, expected.minimum, expected.maximum);
    CHECK(result.cost == Approx(expected.cost).epsilon(1e-10));
    check_assignment(costs, expected.minimum, expected.maximum, result);
  }
}

TEST_CASE("small assignments equal the best of all", "[grouping]") {
  miq::random_stream random(seed());
  for (int trial = 0; trial < 300; ++trial) {
    const auto k = static_cast<std::int64_t>(1 + random.below(4)), n = static_cast<std::int64_t>(1 + random.below(7));
    const bool whole = random.below(2) == 0;  // whole numbers: many ties; negative ones too
    miq::matrix<double> costs(n, k);
    for (std::int64_t i = 0; i < costs.size(); ++i)
      costs.data()[i] = whole ? static_cast<double>(random.below(4)) - 1 : random.normal();
    sizes minimum, maximum;
    for (std::int64_t g = 0; g < k; ++g) {
      minimum.push_back(static_cast<std::int64_t>(random.below(3)));
      maximum.push_back(minimum.back() + static_cast<std::int64_t>(random.below(4)));
    }
    const auto least = std::accumulate(minimum.begin(), minimum.end(), std::int64_t{0});
    const auto most = std::accumulate(maximum.begin(), maximum.end(), std::int64_t{0});
    INFO("trial " << trial << ": " << n << " points, " << k << " groups");
    if (n < least || n > most) {
      CHECK_THROWS_WITH(bounded_assignment(threads(1), costs, minimum, maximum), contains("between the sums"));
      continue;
    }
    const auto result = bounded_assignment(threads(1), costs, minimum, maximum);
    check_assignment(costs, minimum, maximum, result);
    Eigen::MatrixXd exact(n, k);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t g = 0; g < k; ++g) exact(i, g) = costs(i, g);
    CHECK(result.cost == Approx(reference::cheapest_assignment(exact, minimum, maximum)).margin(1e-12));
  }
}

TEST_CASE("without bounds that matter every point goes where it is cheapest", "[grouping]") {
  miq::matrix<double> costs(57, 5);
  const auto from = seed();
  for (std::int64_t i = 0; i < costs.size(); ++i)
    costs.data()[i] = static_cast<double>(unit(from, static_cast<std::uint64_t>(i)));
  const auto result = bounded_assignment(threads(1), costs, sizes(5, 0), sizes(5, 57));
  CHECK(result.moved == 0);
  for (std::int64_t i = 0; i < 57; ++i)
    CHECK(costs(i, result.labels[static_cast<std::size_t>(i)]) == *std::min_element(&costs(i, 0), &costs(i, 0) + 5));
  for (const auto price : result.prices) CHECK(price == 0);
}

TEST_CASE("a larger assignment is proven by its prices", "[grouping]") {
  const std::int64_t n = 2048, k = 64;
  miq::matrix<double> costs(n, k);
  const auto from = seed();
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t g = 0; g < k; ++g)  // the first groups are dear, so that most points have to move
      costs(i, g) =
          static_cast<double>(unit(from, static_cast<std::uint64_t>(i * k + g))) + 10.0 / static_cast<double>(g + 1);
  const auto result = bounded_assignment(threads(2), costs, sizes(k, n / k), sizes(k, n / k));
  check_assignment(costs, sizes(k, n / k), sizes(k, n / k), result);
  CHECK(result.moved > n / 2);
}

TEST_CASE("balanced k-means: sizes as asked for", "[grouping]") {
  struct sized {
    std::int64_t n;
    balanced_options options;
    sizes sorted;  // the sizes that there must be; empty: within the bounds
  };
  const auto equal = [](int groups, std::int64_t multiple = 1) {
    balanced_options options;
    options.groups = groups;
    options.multiple = multiple;
    options.seed = seed();
    return options;
  };
  auto bounded = equal(7);
  bounded.minimum = 20;
  bounded.maximum = 60;
  auto at_least = equal(4);
  at_least.minimum = 50;
  auto units = equal(5, 16);
  units.minimum = 16;
  units.maximum = 80;
  const sized cases[] = {
      {1, equal(1), {1}},
      {2, equal(1), {2}},
      {13, equal(13), sizes(13, 1)},
      {240, equal(8), sizes(8, 30)},
      {241, equal(8), {30, 30, 30, 30, 30, 30, 30, 31}},
      {251, equal(4), {62, 63, 63, 63}},
      {256, equal(2, 128), {128, 128}},
      {300, equal(3, 128), {44, 128, 128}},
      {257, equal(3, 128), {1, 128, 128}},
      {320, equal(4, 16), {80, 80, 80, 80}},
      {336, equal(4, 16), {80, 80, 80, 96}},
      {331, equal(4, 16), {}},
      {211, bounded, {}},
      {211, at_least, {}},
      {199, units, {}},
  };
  for (const auto& [n, options, expected] : cases) {
    INFO(n << " points, " << options.groups << " groups, multiples of " << options.multiple);
    const auto points = uniform_points(seed(), n, 3);
    const auto result = balanced_kmeans(threads(2), points, options);
    REQUIRE(result.groups.columns() == n);
    REQUIRE(result.groups.groups() == options.groups);
    auto found = sizes_of(result.groups);
    if (options.multiple > 1 && n % options.multiple > 0) {  // the short one is the last
      CHECK(found.back() % options.multiple == n % options.multiple);
      for (std::size_t g = 0; g + 1 < found.size(); ++g) CHECK(found[g] % options.multiple == 0);
    } else {
      for (const auto size : found) CHECK(size % options.multiple == 0);
      CHECK(result.groups == result.groups.canonical());
    }
    for (const auto size : found) {
      CHECK(size + options.multiple > options.minimum);
      if (options.maximum > 0) CHECK(size <= options.maximum);
    }
    std::sort(found.begin(), found.end());
    if (!expected.empty()) CHECK(found == expected);
    CHECK(result.converged);
    CHECK(std::abs(result.gap) < 1e-12);
    const auto exact = reference::to_double(points);
    CHECK(result.inertia ==
          Approx(reference::within_groups(exact, result.groups.labels())).epsilon(1e-6).margin(1e-12));
    for (std::int64_t g = 0; g < options.groups; ++g) {
      Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(3);
      for (const auto i : result.groups.members(g)) mean += exact.row(i) / static_cast<double>(result.groups.size(g));
      for (std::int64_t c = 0; c < 3; ++c)
        CHECK(static_cast<double>(result.centres(g, c)) == Approx(mean(c)).margin(1e-6));
    }
  }
}

TEST_CASE("balanced k-means finds clouds of equal size, and evens out others", "[grouping]") {
  miq::random_stream random(seed());
  miq::matrix<float> points(150, 2);
  std::vector<std::int32_t> truth;
  for (int i = 0; i < 150; ++i) {
    truth.push_back(i % 5);
    points(i, 0) = static_cast<float>(20 * (i % 5) + random.normal());
    points(i, 1) = static_cast<float>(random.normal());
  }
  auto result = balanced_kmeans(threads(2), points, {.groups = 5, .seed = seed()});
  CHECK(result.groups == partition(truth).canonical());
  CHECK(result.moved == 0);
  CHECK(result.inertia == Approx(result.unbalanced).epsilon(1e-6));
  // Clouds of 90 and 10 in two groups of 50: the 40 that leave are those nearest to the small cloud.
  miq::matrix<float> line(100, 1);
  for (int i = 0; i < 100; ++i) line(i, 0) = static_cast<float>(i < 90 ? i : 1000 + i);
  result = balanced_kmeans(threads(2), line, {.groups = 2, .seed = seed()});
  for (int i = 0; i < 100; ++i) CHECK(result.groups.labels()[static_cast<std::size_t>(i)] == (i < 50 ? 0 : 1));
  CHECK(result.inertia > result.unbalanced);
  CHECK(result.moved > 0);
}

TEST_CASE("coinciding points are balanced too", "[grouping]") {
  const auto result = balanced_kmeans(threads(2), miq::matrix<float>(50, 2, 0.7F), {.groups = 7, .seed = seed()});
  CHECK(result.inertia == 0);
  for (const auto size : sizes_of(result.groups)) CHECK((size == 7 || size == 8));
}

TEST_CASE("balanced spectral groups are the blocks where blocks are balanced", "[grouping]") {
  const auto model = make_block_model(seed(), std::vector{32, 32, 32, 32}, 1.0F, 0.2F);
  const auto result = balanced_spectral(threads(2), model.affinity, {.groups = 4, .seed = seed()});
  CHECK(result.groups == partition(model.blocks).canonical());
  CHECK(result.isolated == 0);
  // Blocks of other sizes: whole blocks stay together as far as sizes allow. 48 + 16 in one group, 32 + 32 in the
  // other.
  const auto uneven = make_block_model(seed(), std::vector{48, 48, 16, 16}, 1.0F, 0.0F);
  const auto halves = balanced_spectral(threads(2), uneven.affinity, {.groups = 4, .multiple = 16, .seed = seed()});
  for (const auto size : sizes_of(halves.groups)) CHECK(size == 32);
  const auto bounded = balanced_spectral(threads(2), uneven.affinity,
                                         {.groups = 4, .multiple = 16, .minimum = 16, .maximum = 48, .seed = seed()});
  CHECK(bounded.groups == partition(uneven.blocks).canonical());
}

TEST_CASE("isolated columns fill the groups that have room", "[grouping]") {
  // Two cliques of 10 and 12 isolated columns, two groups of 16.
  miq::matrix<float> affinity(32, 32);
  for (std::int64_t i = 0; i < 20; ++i)
    for (std::int64_t j = 0; j < 20; ++j)
      if (i != j && i % 2 == j % 2) affinity(i, j) = 0.8F;
  const auto result = balanced_spectral(threads(2), affinity, {.groups = 2});
  CHECK(result.isolated == 12);
  for (std::int64_t i = 0; i < 20; ++i) CHECK(result.groups.labels()[static_cast<std::size_t>(i)] == i % 2);
  CHECK(result.groups.size(0) == 16);
  const auto nothing = balanced_spectral(threads(2), miq::matrix<float>(10, 10), {.groups = 3});
  CHECK(nothing.isolated == 10);
  CHECK(nothing.groups.groups() == 3);
  CHECK(balanced_spectral(threads(1), miq::matrix<float>(1, 1), {.groups = 1}).groups == partition::single(1));
}

TEST_CASE("balanced groups are the same to the bit for every number of threads", "[grouping]") {
  const auto points = uniform_points(seed(), 1500, 6);
  const auto model = make_block_model(seed(), std::vector{150, 120, 90}, 1.0F, 0.8F);
  const balanced_options options{.groups = 12, .seed = seed()};
  const auto one = balanced_kmeans(threads(1), points, options);
  const auto columns = balanced_spectral(threads(1), model.affinity, options);
  for (const int count : {2, 5}) {
    const auto many = balanced_kmeans(threads(count), points, options);
    CHECK(many.groups == one.groups);
    CHECK(same_bits(many.centres, one.centres));
    CHECK(many.inertia == one.inertia);
    CHECK(balanced_spectral(threads(count), model.affinity, options).groups == columns.groups);
  }
}

TEST_CASE("progress of balanced groups rises to 1 and may cancel", "[grouping]") {
  const auto model = make_block_model(1, std::vector{20, 20}, 1.0F, 0.1F);
  std::vector<double> seen;
  balanced_options options{.groups = 4};
  options.progress = [&](std::string_view, double fraction) {
    seen.push_back(fraction);
    return true;
  };
  balanced_spectral(threads(1), model.affinity, options);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.front() == 0);
  CHECK(seen.back() == 1);
  for (const std::string stop : {"eigenvectors", "k-means", "balancing"}) {
    options.progress = [&](std::string_view phase, double) { return phase != stop; };
    CHECK_THROWS_AS(balanced_spectral(threads(1), model.affinity, options), miq::cancelled);
  }
}

TEST_CASE("bad input of balanced groups is named", "[grouping]") {
  const auto exec = threads(1);
  miq::matrix<double> costs(4, 2, 1.0);
  CHECK_THROWS_WITH(bounded_assignment(exec, miq::matrix<double>(0, 2), sizes(2, 0), sizes(2, 4)),
                    contains("got [0, 2]"));
  CHECK_THROWS_WITH(bounded_assignment(exec, costs, sizes(3, 0), sizes(2, 4)), contains("must be [2]"));
  CHECK_THROWS_WITH(bounded_assignment(exec, costs, sizes(2, 3), sizes(2, 2)), contains("got 3 and 2 for group 0"));
  CHECK_THROWS_WITH(bounded_assignment(exec, costs, sizes(2, -1), sizes(2, 2)), contains("got -1"));
  CHECK_THROWS_WITH(bounded_assignment(exec, costs, sizes(2, 0), sizes(2, 1)), contains("0 and 2"));
  CHECK_THROWS_WITH(bounded_assignment(exec, costs, sizes(2, 3), sizes(2, 4)), contains("6 and 8"));
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    costs(2, 1) = value;
    CHECK_THROWS_WITH(bounded_assignment(exec, costs, sizes(2, 0), sizes(2, 4)),
                      contains("finite") && contains("[2, 1]"));
  }

  auto points = uniform_points(1, 10, 2);
  CHECK_THROWS_WITH(balanced_kmeans(exec, miq::matrix<float>(0, 3)),
                    contains("balanced_kmeans: points must be [n, d]"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 11}), contains("1 to the 10 columns"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 0}), contains("got 0"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .multiple = 0}), contains("multiple"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 4, .multiple = 4}), contains("no 4 groups"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .minimum = 6}), contains("within [6, 0]"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .maximum = 4}), contains("within [0, 4]"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .minimum = 6, .maximum = 5}), contains("maximum"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .minimum = -1}), contains("negative"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .max_iterations = 0}), contains("max_iterations"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .tolerance = -1}), contains("tolerance"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .restarts = 0}), contains("restarts"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .kmeans_iterations = 0}),
                    contains("kmeans_iterations"));
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2, .eigen_tolerance = -1}), contains("eigen_tolerance"));
  points(7, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(balanced_kmeans(exec, points, {.groups = 2}), contains("balanced_kmeans: points must be finite"));
  CHECK_THROWS_WITH(balanced_spectral(exec, miq::matrix<float>(0, 0)), contains("balanced_spectral: affinity"));
  CHECK_THROWS_WITH(balanced_spectral(exec, miq::matrix<float>(9, 8)), contains("balanced_spectral: affinity must be"));
  auto affinity = make_block_model(1, std::vector{5, 5}, 1.0F, 0.5F).affinity;
  affinity(0, 1) = -1;
  CHECK_THROWS_WITH(balanced_spectral(exec, affinity, {.groups = 2}),
                    contains("balanced_spectral: affinity must not be"));
}
