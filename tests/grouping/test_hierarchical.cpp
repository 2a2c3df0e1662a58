// Agglomerative clustering against SciPy, scikit-learn, the naive algorithm, and what must hold for every tree.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <miq/grouping/agreement.hpp>
#include <miq/grouping/hierarchical.hpp>

#include "grouping/grouping_inputs.hpp"
#include "grouping/reference_values.hpp"
#include "grouping/tree_values.hpp"
#include "reference/grouping.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;
using miq::grouping::cluster_merge;
using miq::grouping::dendrogram;
using miq::grouping::linkage;
using miq::grouping::linkage_method;
using miq::grouping::partition;
using miq::grouping::ward_linkage;

namespace {

constexpr linkage_method by_distance[] = {linkage_method::single, linkage_method::complete, linkage_method::average};

linkage_method method_of(const std::string& name) {
  return name == "single"     ? linkage_method::single
         : name == "complete" ? linkage_method::complete
                              : linkage_method::average;
}

reference::between between_of(linkage_method method) {
  return method == linkage_method::single     ? reference::between::single
         : method == linkage_method::complete ? reference::between::complete
                                              : reference::between::average;
}

/// The same clusters in the same order; heights to a relative 1e-13 (sums in another order), single and complete exact.
template <class Expected>
void check_same(const dendrogram& tree, const Expected& expected, double relative) {
  REQUIRE(tree.merges().size() == expected.size());
  for (std::size_t m = 0; m < expected.size(); ++m) {
    INFO("merge " << m);
    REQUIRE(tree.merges()[m].first == expected[m].first);
    REQUIRE(tree.merges()[m].second == expected[m].second);
    REQUIRE(tree.merges()[m].size == expected[m].size);
    REQUIRE(std::abs(tree.merges()[m].height - expected[m].height) <= relative * expected[m].height);
  }
}

template <std::size_t N>
std::vector<std::int32_t> every(std::span<const std::int32_t> labels, const int (&)[N], std::size_t step) {
  std::vector<std::int32_t> result;
  for (std::size_t i = 0; i < labels.size(); i += step) result.push_back(labels[i]);
  CHECK(result.size() == N);
  return result;
}

template <std::size_t N>
std::vector<std::int32_t> labels_of(const int (&labels)[N]) {
  return {std::begin(labels), std::end(labels)};
}

miq::matrix<float> towns() {
  miq::matrix<float> distance(6, 6);
  const float* next = tree_reference::ytdist;
  for (std::int64_t i = 0; i < 6; ++i)
    for (std::int64_t j = i + 1; j < 6; ++j) distance(i, j) = distance(j, i) = *next++;
  return distance;
}

}  // namespace

TEST_CASE("linkage gives SciPy's matrix", "[grouping]") {
  for (const auto& expected : tree_reference::linkages) {
    INFO(expected.method << ", " << expected.columns << " columns");
    const std::string name = expected.method;
    const auto tree = name == "ward"
                          ? ward_linkage(threads(2), uniform_points(expected.seed, expected.columns, 3))
                          : linkage(threads(2), hashed_distances(expected.seed, expected.columns), method_of(name));
    check_same(tree, *expected.tree, name == "single" || name == "complete" ? 0 : 1e-13);
  }
}

TEST_CASE("linkage of SciPy's six towns", "[grouping]") {
  const auto distance = towns();
  check_same(linkage(threads(1), distance, linkage_method::single), tree_reference::ytdist_single, 0);
  check_same(linkage(threads(1), distance, linkage_method::complete), tree_reference::ytdist_complete, 0);
  const auto average = linkage(threads(1), distance, linkage_method::average);
  check_same(average, tree_reference::ytdist_average, 1e-15);
  const double published[] = {138, 219, 333.5, 347.5, 680.7778};
  for (std::size_t m = 0; m < 5; ++m) CHECK(average.merges()[m].height == Approx(published[m]).margin(5e-5));
}

TEST_CASE("with tied distances single and complete linkage still give SciPy's matrix", "[grouping]") {
  const auto distance = tied_distances(45, 60, 3);
  const auto single = linkage(threads(2), distance, linkage_method::single);
  check_same(single, tree_reference::tied_single, 0);
  CHECK(single.cut_by_height(2) == partition(labels_of(tree_reference::tied_single_below_two)));
  const auto complete = linkage(threads(2), distance, linkage_method::complete);
  check_same(complete, tree_reference::tied_complete, 0);
  CHECK(complete.cut_by_height(2) == partition(labels_of(tree_reference::tied_complete_below_two)));
}

TEST_CASE("a larger tree: heights, leaves, cuts and the cophenetic correlation are SciPy's", "[grouping]") {
  using namespace tree_reference;
  const auto check = [](const dendrogram& tree, const auto& heights, const auto& leaves, const auto& cut, double height,
                        const auto& below) {
    for (std::size_t m = 0; m < std::size(heights); ++m)
      REQUIRE(tree.merges()[50 * m].height == Approx(heights[m]).epsilon(1e-13));
    const auto order = tree.leaf_order();
    REQUIRE(order.size() == 1100);
    for (std::size_t i = 0; i < std::size(leaves); ++i) REQUIRE(order[50 * i] == leaves[i]);
    CHECK(every(tree.cut_by_count(25).labels(), cut, 9) == labels_of(cut));
    CHECK(every(tree.cut_by_height(height).labels(), below, 9) == labels_of(below));
  };
  const auto distance = hashed_distances(46, 1100);
  const auto exec = threads(2);
  const auto single = linkage(exec, distance, linkage_method::single);
  check(single, large_single_heights, large_single_leaves, large_single_cut, large_single_height, large_single_below);
  CHECK(cophenetic_correlation(exec, single, distance) == Approx(large_single_cophenetic).epsilon(1e-10));
  const auto complete = linkage(exec, distance, linkage_method::complete);
  check(complete, large_complete_heights, large_complete_leaves, large_complete_cut, large_complete_height,
        large_complete_below);
  CHECK(cophenetic_correlation(exec, complete, distance) == Approx(large_complete_cophenetic).epsilon(1e-10));
  const auto average = linkage(exec, distance, linkage_method::average);
  check(average, large_average_heights, large_average_leaves, large_average_cut, large_average_height,
        large_average_below);
  CHECK(cophenetic_correlation(exec, average, distance) == Approx(large_average_cophenetic).epsilon(1e-10));
  check(ward_linkage(exec, uniform_points(46, 1100, 3)), large_ward_heights, large_ward_leaves, large_ward_cut,
        large_ward_height, large_ward_below);
}

TEST_CASE("cuts are scikit-learn's agglomerative clusterings", "[grouping]") {
  miq::matrix<float> points(150, 2);
  std::copy(std::begin(grouping_reference::blobs_points), std::end(grouping_reference::blobs_points), points.data());
  const auto distance = euclidean(points);
  const auto exec = threads(2);
  using namespace tree_reference;
  CHECK(linkage(exec, distance, linkage_method::single).cut_by_count(7) == partition(labels_of(blobs_single)));
  CHECK(linkage(exec, distance, linkage_method::complete).cut_by_count(7) == partition(labels_of(blobs_complete)));
  CHECK(linkage(exec, distance, linkage_method::average).cut_by_count(7) == partition(labels_of(blobs_average)));
  CHECK(ward_linkage(exec, points).cut_by_count(7) == partition(labels_of(blobs_ward)));
}

TEST_CASE("linkage equals the naive algorithm", "[grouping]") {
  for (const int n : {2, 3, 4, 5, 7, 13, 31, 47, 64, 65}) {
    INFO("n = " << n);
    const auto distance = hashed_distances(seed(), n);
    const auto exact = reference::to_double(distance);
    for (const auto method : by_distance)
      check_same(linkage(threads(2), distance, method),
                 reference::agglomerate(n,
                                        [&](const auto& a, const auto& b) {
                                          return reference::cluster_distance(exact, a, b, between_of(method));
                                        }),
                 1e-13);
    const auto points = uniform_points(seed(), n, 1 + n % 11);
    const auto coordinates = reference::to_double(points);
    // The oracle takes differences of sums of squares: an absolute error of some 1e-16 n, a relative one of twice that
    // of a height's square.
    const auto tree = ward_linkage(threads(2), points);
    const auto naive = reference::agglomerate(
        n, [&](const auto& a, const auto& b) { return reference::ward_distance(coordinates, a, b); });
    REQUIRE(tree.merges().size() == naive.size());
    for (std::size_t m = 0; m < naive.size(); ++m) {
      CHECK(tree.merges()[m].first == naive[m].first);
      CHECK(tree.merges()[m].second == naive[m].second);
      CHECK(tree.merges()[m].height == Approx(naive[m].height).epsilon(1e-7));
    }
  }
}

TEST_CASE("with ties every merge still joins two nearest clusters", "[grouping]") {
  for (const int n : {2, 5, 17, 40}) {
    for (const std::uint64_t values : {1U, 2U, 3U, 20U}) {
      INFO("n = " << n << ", " << values << " different distances");
      const auto distance = tied_distances(seed(), n, values);
      const auto exact = reference::to_double(distance);
      for (const auto method : by_distance) {
        const auto tree = linkage(threads(2), distance, method);
        CHECK(reference::always_merges_the_nearest(
            n, tree.merges(),
            [&](const auto& a, const auto& b) { return reference::cluster_distance(exact, a, b, between_of(method)); },
            method == linkage_method::average ? 2e-6 * static_cast<double>(values) : 0));
        for (std::int64_t k = 1; k <= n; ++k) REQUIRE(tree.cut_by_count(k).groups() == k);
      }
      const auto grid = seed();
      miq::matrix<float> points(n, 2);  // on a grid
      for (std::int64_t i = 0; i < points.size(); ++i)
        points.data()[i] = static_cast<float>(miq::random_hash(grid, static_cast<std::uint64_t>(i)) % (values + 1));
      const auto coordinates = reference::to_double(points);
      CHECK(reference::always_merges_the_nearest(
          n, ward_linkage(threads(1), points).merges(),
          [&](const auto& a, const auto& b) { return reference::ward_distance(coordinates, a, b); }, 1e-5));
    }
  }
}

TEST_CASE("equal distances: ties go by index", "[grouping]") {
  // All at distance 1: column 0 and the next lowest are nearest, then the chain starts again.
  miq::matrix<float> distance(6, 6, 1.0F);
  for (std::int64_t i = 0; i < 6; ++i) distance(i, i) = 0;
  for (const auto method : {linkage_method::complete, linkage_method::average}) {
    const auto tree = linkage(threads(1), distance, method);
    CHECK(tree.merges()[0] == cluster_merge{0, 1, 1, 2});
    for (const auto& merge : tree.merges()) CHECK(merge.height == 1);
    CHECK(tree.cut_by_height(1).groups() == 1);
    CHECK(tree.cut_by_height(std::nextafter(1.0, 0.0)).groups() == 6);
  }
}

TEST_CASE("permuting the columns permutes the tree", "[grouping]") {
  const int n = 211;
  const auto plain = hashed_distances(seed(), n);
  const auto from = uniform_points(seed(), n, 4);
  std::vector<std::int64_t> to(n);
  std::iota(to.begin(), to.end(), 0);
  const auto shuffle = seed();
  std::sort(to.begin(), to.end(), [&](std::int64_t a, std::int64_t b) {
    return miq::random_hash(shuffle, static_cast<std::uint64_t>(a)) <
           miq::random_hash(shuffle, static_cast<std::uint64_t>(b));
  });
  miq::matrix<float> permuted(n, n), points(n, 4);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j)
      permuted(i, j) = plain(to[static_cast<std::size_t>(i)], to[static_cast<std::size_t>(j)]);
    for (std::int64_t c = 0; c < 4; ++c) points(i, c) = from(to[static_cast<std::size_t>(i)], c);
  }
  const auto check = [&](const dendrogram& one, const dendrogram& other) {
    for (std::size_t m = 0; m < one.merges().size(); ++m) {
      CHECK(one.merges()[m].height == Approx(other.merges()[m].height).epsilon(1e-13));
      CHECK(one.merges()[m].size == other.merges()[m].size);
    }
    for (const std::int64_t k : {2, 3, 10, 100, 210}) {
      const auto a = one.cut_by_count(k), b = other.cut_by_count(k);
      std::vector<std::int32_t> moved;
      for (const auto i : to) moved.push_back(a.labels()[static_cast<std::size_t>(i)]);
      CHECK(partition(moved).canonical() == b);
    }
  };
  for (const auto method : by_distance)
    check(linkage(threads(2), plain, method), linkage(threads(2), permuted, method));
  check(ward_linkage(threads(2), from), ward_linkage(threads(2), points));
}

TEST_CASE("heights never fall, and cuts are nested", "[grouping]") {
  const int n = 97;
  const auto points = uniform_points(seed(), n, 2);
  const auto distance = euclidean(points);
  std::vector<dendrogram> trees{ward_linkage(threads(2), points)};
  for (const auto method : by_distance) trees.push_back(linkage(threads(2), distance, method));
  for (const auto& tree : trees) {
    CHECK(tree.columns() == n);
    for (std::size_t m = 1; m < tree.merges().size(); ++m)
      CHECK(tree.merges()[m].height >= tree.merges()[m - 1].height);
    CHECK(tree.cut_by_count(1) == partition::single(n));
    CHECK(tree.cut_by_count(n) == partition::each_alone(n));
    CHECK(tree.cut_by_height(-1) == partition::each_alone(n));
    CHECK(tree.cut_by_height(std::numeric_limits<double>::infinity()) == partition::single(n));
    for (std::int64_t k = 1; k < n; ++k) {
      const auto coarse = tree.cut_by_count(k), fine = tree.cut_by_count(k + 1);
      REQUIRE(coarse.groups() == k);
      for (std::int64_t g = 0; g <= k; ++g)
        for (const auto member : fine.members(g))
          REQUIRE(coarse.labels()[static_cast<std::size_t>(member)] ==
                  coarse.labels()[static_cast<std::size_t>(fine.members(g)[0])]);
      // The cut at a merge's own height holds that merge.
      const double height = tree.merges()[static_cast<std::size_t>(n - 1 - k)].height;
      REQUIRE(tree.cut_by_height(height).groups() <= k);
      REQUIRE(tree.cut_by_height(std::nextafter(height, -1.0)).groups() > k);
    }
    auto order = tree.leaf_order();
    // Members of every group lie side by side in the order of the leaves.
    const auto ten = tree.cut_by_count(10);
    int changes = 0;
    for (std::size_t i = 1; i < order.size(); ++i)
      changes +=
          ten.labels()[static_cast<std::size_t>(order[i])] != ten.labels()[static_cast<std::size_t>(order[i - 1])];
    CHECK(changes == 9);
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < n; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
  }
}

TEST_CASE("one column, coinciding columns, far scales", "[grouping]") {
  CHECK(linkage(threads(1), miq::matrix<float>(1, 1), linkage_method::average).merges().empty());
  CHECK(linkage(threads(1), miq::matrix<float>(1, 1), linkage_method::single).cut_by_count(1) == partition::single(1));
  CHECK(ward_linkage(threads(1), miq::matrix<float>(1, 3, 2.0F)).columns() == 1);
  CHECK(ward_linkage(threads(1), miq::matrix<float>(1, 3, 2.0F)).leaf_order() == std::vector<std::int64_t>{0});
  for (const auto method : by_distance) {
    const auto tree = linkage(threads(2), miq::matrix<float>(37, 37), method);
    for (const auto& merge : tree.merges()) CHECK(merge.height == 0);
    CHECK(tree.cut_by_height(0).groups() == 1);
  }
  for (const auto& merge : ward_linkage(threads(2), miq::matrix<float>(37, 2, -0.7F)).merges())
    CHECK(merge.height == 0);
  const auto plain = hashed_distances(seed(), 50);
  const auto points = uniform_points(seed(), 50, 3);
  for (const int exponent : {-110, 110}) {
    auto scaled = plain;
    auto far = points;
    for (std::int64_t i = 0; i < scaled.size(); ++i) scaled.data()[i] = std::ldexp(scaled.data()[i], exponent);
    for (std::int64_t i = 0; i < far.size(); ++i) far.data()[i] = std::ldexp(far.data()[i], exponent);
    const auto check = [&](const dendrogram& one, const dendrogram& other) {
      for (std::size_t m = 0; m < 49; ++m) {
        CHECK(one.merges()[m].first == other.merges()[m].first);
        CHECK(other.merges()[m].height == Approx(std::ldexp(one.merges()[m].height, exponent)).epsilon(1e-12));
      }
    };
    for (const auto method : by_distance)
      check(linkage(threads(1), plain, method), linkage(threads(1), scaled, method));
    check(ward_linkage(threads(1), points), ward_linkage(threads(1), far));
  }
}

TEST_CASE("trees are the same to the bit for every number of threads, and through padded rows", "[grouping]") {
  const std::int64_t n = 1301;  // rows are closed up several times, by several threads
  const auto distance = hashed_distances(seed(), n);
  const auto points = uniform_points(seed(), n, 9);
  miq::matrix<float> wide(n, n + 3, -1.0F);
  for (std::int64_t i = 0; i < n; ++i) std::copy_n(&distance(i, 0), n, &wide(i, 0));
  for (const auto method : by_distance) {
    const auto one = linkage(threads(1), distance, method);
    for (const int count : {2, 5}) CHECK(linkage(threads(count), distance, method) == one);
    CHECK(linkage(threads(2), miq::matrix_view<const float>(wide.data(), n, n, n + 3), method) == one);
    const double correlation = cophenetic_correlation(threads(1), one, distance);
    CHECK(cophenetic_correlation(threads(5), one, distance) == correlation);
  }
  const auto one = ward_linkage(threads(1), points);
  for (const int count : {2, 5}) CHECK(ward_linkage(threads(count), points) == one);
}

TEST_CASE("bad input of linkage is named", "[grouping]") {
  const auto exec = threads(1);
  auto distance = hashed_distances(1, 5);
  CHECK_THROWS_WITH(linkage(exec, distance, linkage_method::ward), contains("ward_linkage the coordinates"));
  CHECK_THROWS_WITH(linkage(exec, distance, static_cast<linkage_method>(9)), contains("got 9"));
  for (const auto method : by_distance) {
    CHECK_THROWS_WITH(linkage(exec, miq::matrix<float>(0, 0), method), contains("linkage: distance must be [n, n]"));
    CHECK_THROWS_WITH(linkage(exec, miq::matrix<float>(5, 4), method), contains("got [5, 4]"));
    auto bad = distance;
    bad(2, 2) = 0.5F;
    CHECK_THROWS_WITH(linkage(exec, bad, method), contains("zero diagonal, got 0.5 at [2, 2]"));
    bad = distance;
    bad(1, 3) = bad(3, 1) = -1;
    CHECK_THROWS_WITH(linkage(exec, bad, method), contains("must not be negative, got -1 at [1, 3]"));
    bad(1, 3) = 0.5F;
    bad(3, 1) = 0.25F;
    CHECK_THROWS_WITH(linkage(exec, bad, method), contains("symmetric to the bit"));
    for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      bad(1, 3) = bad(3, 1) = value;
      CHECK_THROWS_WITH(linkage(exec, bad, method), contains("linkage: distance must be finite"));
    }
  }
  CHECK_THROWS_WITH(ward_linkage(exec, miq::matrix<float>(0, 3)), contains("n and d at least 1, got [0, 3]"));
  CHECK_THROWS_WITH(ward_linkage(exec, miq::matrix<float>(3, 0)), contains("got [3, 0]"));
  auto points = uniform_points(1, 5, 2);
  points(3, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(ward_linkage(exec, points), contains("points must be finite, got nan in row 3"));
  points(3, 1) = -std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(ward_linkage(exec, points), miq::invalid_argument);
}

TEST_CASE("bad merges, cuts and cophenetic input are named", "[grouping]") {
  using merges = std::vector<cluster_merge>;
  const dendrogram tree(merges{{0, 1, 1, 2}, {2, 3, 2, 3}});
  CHECK(tree.columns() == 3);
  CHECK(tree.leaf_order() == std::vector<std::int64_t>{2, 0, 1});
  CHECK_THROWS_WITH(dendrogram(merges{{1, 0, 1, 2}}), contains("lower number first"));
  CHECK_THROWS_WITH(dendrogram(merges{{0, 2, 1, 2}}), contains("below 2"));
  CHECK_THROWS_WITH(dendrogram(merges{{-1, 1, 1, 2}}), contains("got -1"));
  CHECK_THROWS_WITH(dendrogram(merges{{0, 1, 1, 2}, {0, 2, 2, 3}}), contains("merged before"));
  CHECK_THROWS_WITH(dendrogram(merges{{0, 1, 1, 3}}), contains("size 2, got 3"));
  CHECK_THROWS_WITH(dendrogram(merges{{0, 1, 2, 2}, {2, 3, 1, 3}}), contains("must not descend"));
  CHECK_THROWS_WITH(dendrogram(merges{{0, 1, std::nan(""), 2}}), contains("finite"));
  CHECK_THROWS_WITH(tree.cut_by_count(0), contains("1 to the 3 columns, got 0"));
  CHECK_THROWS_WITH(tree.cut_by_count(4), contains("got 4"));
  CHECK_THROWS_WITH(tree.cut_by_height(std::nan("")), contains("NaN"));
  CHECK_THROWS_AS(dendrogram().cut_by_height(1), miq::invalid_argument);
  CHECK_THROWS_AS(dendrogram().cut_by_count(1), miq::invalid_argument);
  CHECK(dendrogram().leaf_order().empty());
  const auto exec = threads(1);
  CHECK_THROWS_WITH(cophenetic_correlation(exec, tree, hashed_distances(1, 4)),
                    contains("4 columns of distance, got 3"));
  CHECK_THROWS_WITH(cophenetic_correlation(exec, dendrogram(merges{}), miq::matrix<float>(1, 1)),
                    contains("at least 2"));
  auto bad = hashed_distances(1, 3);
  bad(0, 0) = 1;
  CHECK_THROWS_WITH(cophenetic_correlation(exec, tree, bad), contains("cophenetic_correlation: distance"));
  CHECK(std::isnan(cophenetic_correlation(exec, tree, miq::matrix<float>(3, 3))));
}
