// split_groups against trying every cut and every pair of widths.
#include <miq/allocation/split_groups.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include "test_support/catch.hpp"

using miq::matrix;
using miq::allocation::bit_item;
using miq::allocation::split_groups;
using miq::allocation::split_inputs;
using miq::grouping::partition;

namespace {

struct problem {
  matrix<double> errors;
  std::vector<int> widths{2, 3, 5};
  std::vector<double> costs;
  std::vector<bit_item> columns;
  bit_item part{0, 0, 7, 2};
  std::vector<std::int32_t> labels;

  split_inputs inputs() const { return {errors, widths, costs, columns, part}; }
};

problem random_problem(std::size_t c, std::size_t groups, miq::random_stream& random) {
  problem p;
  p.errors = matrix<double>(static_cast<std::int64_t>(c), 3);
  for (std::size_t j = 0; j < c; ++j) {
    p.costs.push_back(std::exp(2 * random.normal()));
    p.columns.push_back({0, static_cast<double>(3 + random.below(5)), 16, 1});
    p.labels.push_back(static_cast<std::int32_t>(j < groups ? j : random.below(groups)));
    for (std::int64_t k = 0; k < 3; ++k)
      p.errors(static_cast<std::int64_t>(j), k) =
          p.costs[j] * p.columns[j].weights * std::pow(4.0, -p.widths[static_cast<std::size_t>(k)]);
  }
  return p;
}

/// Error of one group with its columns in rank order divided at each cut, and bits, for all choices.
struct way {
  double bits;
  double error;
};

std::vector<way> all_ways(const problem& p, std::int32_t group) {
  std::vector<std::size_t> members;
  for (std::size_t j = 0; j < p.labels.size(); ++j)
    if (p.labels[j] == group) members.push_back(j);
  std::sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) { return p.costs[a] < p.costs[b]; });
  const auto part = [&](std::size_t from, std::size_t to, std::size_t k) {
    way w{p.part.fixed_bits + p.widths[k] * p.part.bits_per_bit, 0};
    for (auto i = from; i < to; ++i) {
      const auto& column = p.columns[members[i]];
      w.bits += column.fixed_bits + p.widths[k] * (column.weights + column.bits_per_bit);
      w.error += p.errors(static_cast<std::int64_t>(members[i]), static_cast<std::int64_t>(k));
    }
    return w;
  };
  std::vector<way> ways;
  for (std::size_t a = 0; a < 3; ++a) {
    ways.push_back(part(0, members.size(), a));
    for (std::size_t cut = 1; cut < members.size(); ++cut)
      for (auto b = a + 1; b < 3; ++b) {  // dearer columns get more
        const auto x = part(0, cut, a);
        const auto y = part(cut, members.size(), b);
        ways.push_back({x.bits + y.bits, x.error + y.error});
      }
  }
  return ways;
}

}  // namespace

TEST_CASE("split_groups finds the best cuts and widths", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  for (int trial = 0; trial < 40; ++trial) {
    const auto p = random_problem(2 + random.below(9), 2, random);
    const auto first = all_ways(p, 0);
    const auto second = all_ways(p, 1);
    double least = 0;
    double most = 0;
    for (const auto& ways : {first, second}) {
      const auto [low, high] =
          std::minmax_element(ways.begin(), ways.end(), [](const way& a, const way& b) { return a.bits < b.bits; });
      least += low->bits;
      most += high->bits;
    }
    const double budget = std::floor(least + random.uniform() * (most - least));
    double best = std::numeric_limits<double>::infinity();
    for (const auto& x : first)
      for (const auto& y : second)
        if (x.bits + y.bits <= budget) best = std::min(best, x.error + y.error);
    const auto result = split_groups(p.inputs(), partition(p.labels), budget, {});
    CHECK(result.choice.gap() == 0);
    CHECK(result.choice.distortion == Approx(best).epsilon(1e-9));

    // The result again from its parts.
    double bits = 0;
    double error = 0;
    REQUIRE(static_cast<std::int64_t>(result.bits.size()) == result.groups.groups());
    REQUIRE(result.parents.size() == result.bits.size());
    for (std::size_t s = 0; s < result.bits.size(); ++s) {
      const auto k = std::find(p.widths.begin(), p.widths.end(), result.bits[s]) - p.widths.begin();
      bits += p.part.fixed_bits + result.bits[s] * p.part.bits_per_bit;
      for (const auto j : result.groups.members(static_cast<std::int64_t>(s))) {
        const auto& column = p.columns[static_cast<std::size_t>(j)];
        CHECK(p.labels[static_cast<std::size_t>(j)] == result.parents[s]);
        bits += column.fixed_bits + result.bits[s] * (column.weights + column.bits_per_bit);
        error += p.errors(j, k);
      }
      if (s > 0 && result.parents[s] == result.parents[s - 1]) {
        CHECK(result.bits[s] > result.bits[s - 1]);
        for (const auto cheap : result.groups.members(static_cast<std::int64_t>(s) - 1))
          for (const auto dear : result.groups.members(static_cast<std::int64_t>(s)))
            CHECK(p.costs[static_cast<std::size_t>(cheap)] <= p.costs[static_cast<std::size_t>(dear)]);
      }
    }
    CHECK(bits == result.choice.stored_bits);
    CHECK(bits <= budget);
    CHECK(error == Approx(result.choice.distortion));
  }
}

TEST_CASE("split_groups leaves equal columns together, and a second call divides in four", "[allocation]") {
  problem p;
  const std::size_t c = 32;
  p.widths = {2, 3, 4, 5, 6, 7, 8};
  p.errors = matrix<double>(static_cast<std::int64_t>(c), 7);
  const auto fill = [&](auto&& cost) {
    p.costs.clear();
    for (std::size_t j = 0; j < c; ++j) {
      p.costs.push_back(cost(j));
      for (std::int64_t k = 0; k < 7; ++k)
        p.errors(static_cast<std::int64_t>(j), k) = 10 * p.costs[j] * std::pow(4.0, -(k + 2));
    }
  };
  p.columns.assign(c, {0, 10, 0, 0});
  p.labels.assign(c, 0);
  p.part = {0, 0, 3, 0};
  fill([](std::size_t) { return 1.0; });
  const auto whole = split_groups(p.inputs(), partition(p.labels), 4.0 * 320 + 6);
  CHECK(whole.groups.groups() == 1);
  CHECK(whole.bits == std::vector<int>{4});
  // Costs 1, 16, 256, 4096: four levels that are two bits apart.
  fill([](std::size_t j) { return std::pow(16.0, static_cast<double>(j % 4)); });
  const auto halves = split_groups(p.inputs(), partition(p.labels), 5.0 * 320 + 12);
  REQUIRE(halves.groups.groups() == 2);
  const auto quarters = split_groups(p.inputs(), halves.groups, 5.0 * 320 + 12);
  CHECK(quarters.bits == std::vector<int>{2, 4, 6, 8});
  CHECK(quarters.choice.distortion < halves.choice.distortion);
  for (std::int64_t g = 0; g < 4; ++g)
    for (const auto j : quarters.groups.members(g)) CHECK(j % 4 == g);
}

TEST_CASE("split_groups names what it cannot accept", "[allocation]") {
  miq::random_stream random(1);
  const auto p = random_problem(6, 2, random);
  const partition groups(p.labels);
  const auto with = [&](auto&& change) {
    auto other = p;
    change(other);
    return other;
  };
  CHECK_NOTHROW(split_groups(p.inputs(), groups, 1e9));
  CHECK_THROWS_AS(split_groups(p.inputs(), groups, 10), miq::invalid_argument);
  CHECK_THROWS_AS(split_groups(p.inputs(), partition::single(5), 1e9), miq::invalid_argument);
  const auto fails = [&](auto&& change) {
    const auto other = with(change);
    CHECK_THROWS_AS(split_groups(other.inputs(), groups, 1e9), miq::invalid_argument);
  };
  fails([](problem& o) { o.widths = {2, 5, 3}; });
  fails([](problem& o) { o.widths = {2, 3}; });
  fails([](problem& o) { o.widths = {2, 3, 17}; });
  fails([](problem& o) { o.costs.pop_back(); });
  fails([](problem& o) { o.costs[1] = std::nan(""); });
  fails([](problem& o) { o.columns.pop_back(); });
  fails([](problem& o) { o.columns[2].weights = -1; });
  fails([](problem& o) { o.part.fixed_bits = -1; });
  fails([](problem& o) { o.errors(3, 1) = std::nan(""); });
}
