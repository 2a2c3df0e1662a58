// The partition type: members, permutation, canonical form, bad labels.
#include <algorithm>
#include <cstdint>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/grouping/partition.hpp>

#include "test_support/catch.hpp"

using miq::grouping::partition;
using labels = std::vector<std::int32_t>;

namespace {

template <class T, class U>
bool equal(std::span<const T> a, const std::vector<U>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

TEST_CASE("a partition lists its members, sizes and permutation", "[grouping]") {
  const partition p(labels{2, 0, 2, 1, 0, 2});
  CHECK(p.columns() == 6);
  CHECK(p.groups() == 3);
  CHECK(equal(p.members(0), std::vector{1, 4}));
  CHECK(equal(p.members(1), std::vector{3}));
  CHECK(equal(p.members(2), std::vector{0, 2, 5}));
  CHECK(equal(p.permutation(), std::vector{1, 4, 3, 0, 2, 5}));
  CHECK(p.size(2) == 3);
  CHECK(equal(p.canonical().labels(), labels{0, 1, 0, 2, 1, 0}));
  CHECK(p.canonical() == p.canonical().canonical());
  CHECK_FALSE(p == p.canonical());
}

TEST_CASE("ready-made partitions", "[grouping]") {
  CHECK(equal(partition::single(3).labels(), labels{0, 0, 0}));
  CHECK(equal(partition::each_alone(3).labels(), labels{0, 1, 2}));
  CHECK(equal(partition::contiguous(7, 3).labels(), labels{0, 0, 1, 1, 2, 2, 2}));
  CHECK(equal(partition::contiguous(4, 4).labels(), labels{0, 1, 2, 3}));
  CHECK(partition::single(0).groups() == 0);
  CHECK(partition::each_alone(0).columns() == 0);
  CHECK(partition().groups() == 0);
  CHECK(partition().permutation().empty());
  for (const std::int64_t columns : {1, 2, 13, 64, 101})
    for (std::int64_t groups = 1; groups <= columns; ++groups) {
      const auto p = partition::contiguous(columns, groups);
      REQUIRE(p.groups() == groups);
      for (std::int64_t g = 0; g < groups; ++g) {
        REQUIRE(p.members(g).front() == g * columns / groups);
        REQUIRE(p.members(g).back() + 1 == (g + 1) * columns / groups);
      }
    }
}

TEST_CASE("random partitions: every column is in its group, once", "[grouping]") {
  miq::random_stream random(miq_test::seed());
  for (int trial = 0; trial < 50; ++trial) {
    const auto columns = 1 + random.below(200);
    const auto groups = 1 + random.below(columns);
    labels drawn;
    for (std::uint64_t c = 0; c < columns; ++c)
      drawn.push_back(static_cast<std::int32_t>(c < groups ? c : random.below(groups)));
    const partition p(drawn);
    std::vector<int> seen(columns, 0);
    std::int64_t place = 0;
    for (std::int64_t g = 0; g < p.groups(); ++g) {
      REQUIRE(std::is_sorted(p.members(g).begin(), p.members(g).end()));
      for (const auto c : p.members(g)) {
        REQUIRE(drawn[static_cast<std::size_t>(c)] == g);
        REQUIRE(p.permutation()[static_cast<std::size_t>(place++)] == c);
        ++seen[static_cast<std::size_t>(c)];
      }
    }
    REQUIRE(std::all_of(seen.begin(), seen.end(), [](int count) { return count == 1; }));
  }
}

TEST_CASE("bad labels are named", "[grouping]") {
  using miq_test::contains;
  CHECK_THROWS_WITH(partition(labels{0, -3}), contains("must not be negative, got -3 for column 1"));
  CHECK_THROWS_WITH(partition(labels{0, 2, 2}), contains("1 is not, of 3"));
  CHECK_THROWS_WITH(partition(labels{0, 2147483647}), contains("cannot use all below the label 2147483647"));
  CHECK_THROWS_AS(partition(labels{1}), miq::invalid_argument);
  CHECK_THROWS_AS(partition::single(-1), miq::invalid_argument);
  CHECK_THROWS_WITH(partition::contiguous(4, 5), contains("1 to the 4 columns, got 5"));
  CHECK_THROWS_AS(partition::contiguous(4, 0), miq::invalid_argument);
  CHECK_THROWS_AS(partition::contiguous(0, 1), miq::invalid_argument);
  CHECK_THROWS_WITH(partition::single(4).members(1), contains("group must be 0 to 0, got 1"));
  CHECK_THROWS_AS(partition::single(4).size(-1), miq::invalid_argument);
}
