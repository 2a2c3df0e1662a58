// rate_distortion against exhaustive search, dynamic programming, the relaxation's dual and water-filling.
#include <miq/allocation/rate_distortion.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <miq/allocation/bit_budget.hpp>
#include <miq/core/random.hpp>
#include "test_support/catch.hpp"

using miq::allocation::rate_curves;
using miq::allocation::rate_distortion;
using miq::allocation::rate_distortion_result;
using miq::allocation::rate_option;

namespace {

using curves_t = std::vector<std::vector<rate_option>>;

constexpr auto infinite = std::numeric_limits<double>::infinity();

rate_curves curves_of(const curves_t& given) {
  rate_curves curves;
  for (const auto& item : given) curves.add(item);
  return curves;
}

double least_bits(const curves_t& items) {
  double sum = 0;
  for (const auto& item : items) {
    double least = infinite;
    for (const auto& option : item) least = std::min(least, option.stored_bits);
    sum += least;
  }
  return sum;
}

double most_bits(const curves_t& items) {
  double sum = 0;
  for (const auto& item : items) {
    double most = 0;
    for (const auto& option : item) most = std::max(most, option.stored_bits);
    sum += most;
  }
  return sum;
}

/// The best of all choices, by trying each.
double exhaustive_optimum(const curves_t& items, double budget) {
  std::vector<std::size_t> choice(items.size(), 0);
  double best = infinite;
  for (;;) {
    double bits = 0;
    double distortion = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      bits += items[i][choice[i]].stored_bits;
      distortion += items[i][choice[i]].distortion;
    }
    if (bits <= budget) best = std::min(best, distortion);
    std::size_t i = 0;
    while (i < items.size() && choice[i] + 1 == items[i].size()) choice[i++] = 0;
    if (i == items.size()) return best;
    ++choice[i];
  }
}

/// The same by dynamic programming over whole bits.
double programmed_optimum(const curves_t& items, double budget) {
  std::vector<double> best(static_cast<std::size_t>(budget) + 1, 0.0);
  for (const auto& item : items) {
    std::vector<double> next(best.size(), infinite);
    for (const auto& option : item)
      for (auto b = static_cast<std::size_t>(option.stored_bits); b < best.size(); ++b)
        next[b] = std::min(next[b], best[b - static_cast<std::size_t>(option.stored_bits)] + option.distortion);
    best = next;
  }
  return best.back();
}

/// The relaxation's optimum through its dual: the largest value over slopes L of
/// `sum of min (distortion + L bits) - L budget`, which is concave and has its corners at slopes between two options.
double dual_bound(const curves_t& items, double budget) {
  std::vector<double> slopes{0};
  for (const auto& item : items)
    for (const auto& a : item)
      for (const auto& b : item)
        if (a.stored_bits < b.stored_bits && a.distortion > b.distortion)
          slopes.push_back((a.distortion - b.distortion) / (b.stored_bits - a.stored_bits));
  double best = -infinite;
  for (const auto slope : slopes) {
    double sum = -slope * budget;
    for (const auto& item : items) {
      double least = infinite;
      for (const auto& option : item) least = std::min(least, option.distortion + slope * option.stored_bits);
      sum += least;
    }
    best = std::max(best, sum);
  }
  return best;
}

/// What every result promises, whatever the items.
void check_promises(const curves_t& items, double budget, const rate_distortion_result& result) {
  REQUIRE(result.chosen.size() == items.size());
  double bits = 0;
  double distortion = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    REQUIRE(result.chosen[i] >= 0);
    REQUIRE(static_cast<std::size_t>(result.chosen[i]) < items[i].size());
    const auto& option = items[i][static_cast<std::size_t>(result.chosen[i])];
    bits += option.stored_bits;
    distortion += option.distortion;
  }
  CHECK(bits <= budget);
  CHECK(result.stored_bits == bits);
  CHECK(result.unspent_bits == budget - bits);
  CHECK(result.budget_bits == budget);
  CHECK(result.distortion == Approx(distortion).epsilon(1e-13));
  CHECK(result.relaxed_distortion <= result.smallest_distortion * (1 + 1e-14));
  CHECK(result.smallest_distortion <= result.distortion);
  for (std::size_t i = 0; i < items.size(); ++i)  // no item can be improved alone
    for (const auto& option : items[i]) {
      const auto& mine = items[i][static_cast<std::size_t>(result.chosen[i])];
      if (option.distortion < mine.distortion * (1 - 1e-12))
        CHECK(option.stored_bits > mine.stored_bits + result.unspent_bits);
    }
}

enum class shape { convex, any, equal_sizes };

/// Random items: convex ones (4^-b with noise in size), any points at all, or all of one size.
curves_t random_items(miq::random_stream& random, std::size_t items, std::size_t options, shape what, double size) {
  curves_t curves(items);
  for (auto& item : curves) {
    const double weights = what == shape::equal_sizes ? size : 1 + std::floor(size * random.uniform());
    const double importance = std::exp(3 * random.normal());
    for (std::size_t k = 0; k < options; ++k)
      item.push_back(what == shape::any
                         ? rate_option{std::floor(5 * size * random.uniform()), random.uniform()}
                         : rate_option{weights * static_cast<double>(k + 1) + 3,
                                       importance * weights * std::pow(4.0, -static_cast<double>(k + 1))});
  }
  return curves;
}

double random_budget(miq::random_stream& random, const curves_t& items) {
  const double least = least_bits(items);
  return least + std::floor(random.uniform() * (most_bits(items) - least + 1));
}

}  // namespace

TEST_CASE("rate_distortion finds what trying all choices finds", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const auto what = GENERATE(shape::convex, shape::any, shape::equal_sizes);
  for (int trial = 0; trial < 100; ++trial) {
    const auto items =
        random_items(random, 1 + random.below(6), 1 + random.below(5), what, 1 + std::floor(40 * random.uniform()));
    const double budget = random_budget(random, items);
    const auto result = rate_distortion(curves_of(items), budget);
    check_promises(items, budget, result);
    CHECK(result.optimal);
    CHECK(result.distortion == Approx(exhaustive_optimum(items, budget)).epsilon(1e-12).margin(1e-300));
    CHECK(result.gap() == 0);
  }
}

TEST_CASE("rate_distortion finds what dynamic programming over bits finds", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const auto what = GENERATE(shape::convex, shape::any, shape::equal_sizes);
  for (int trial = 0; trial < 8; ++trial) {
    const auto items = random_items(random, 30 + random.below(100), 7, what, 1 + std::floor(30 * random.uniform()));
    const double budget = random_budget(random, items);
    const auto result = rate_distortion(curves_of(items), budget);
    check_promises(items, budget, result);
    const double optimum = programmed_optimum(items, budget);
    CHECK(result.smallest_distortion <= optimum * (1 + 1e-12));
    CHECK(result.optimal);
    CHECK(result.distortion == Approx(optimum).epsilon(1e-12));
  }
}

TEST_CASE("rate_distortion's relaxation is the dual's optimum", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  for (int trial = 0; trial < 60; ++trial) {
    auto items = random_items(random, 1 + random.below(30), 1 + random.below(6),
                              trial % 2 == 0 ? shape::any : shape::convex, 100);
    // With an item of one bit no budget is out of reach for want of a common divisor, which would tighten the bound.
    items.push_back({{0, 1e-3}, {1, 0}});
    const double budget = random_budget(random, items);
    const auto result = rate_distortion(curves_of(items), budget);
    const double bound = dual_bound(items, budget);
    CHECK(result.relaxed_distortion == Approx(bound).epsilon(1e-9).margin(1e-12));
    CHECK(result.smallest_distortion >= bound * (1 - 1e-9) - 1e-12);
  }
}

TEST_CASE("rate_distortion without a search keeps its promises and its bound", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  for (int trial = 0; trial < 60; ++trial) {
    const auto items = random_items(random, 20, 5, trial % 2 == 0 ? shape::any : shape::convex, 30);
    const double budget = random_budget(random, items);
    const double optimum = programmed_optimum(items, budget);
    for (const std::int64_t states : {0, 1, 30, 300}) {
      const auto result = rate_distortion(curves_of(items), budget, {.most_states = states});
      check_promises(items, budget, result);
      CHECK(result.smallest_distortion <= optimum * (1 + 1e-12));
      CHECK(result.distortion >= optimum * (1 - 1e-12));
    }
    const auto near = rate_distortion(curves_of(items), budget, {.enough_gap = 0.05});
    check_promises(items, budget, near);
    CHECK(near.smallest_distortion <= optimum * (1 + 1e-12));
    CHECK(near.gap() <= 0.05);
  }
}

TEST_CASE("rate_distortion of items of one size is Fox's marginal analysis", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<miq::allocation::bit_item> groups(50);
    rate_curves curves;
    for (auto& group : groups) {
      group = {.importance = std::exp(2 * random.normal()), .weights = 64, .fixed_bits = 16, .bits_per_bit = 1};
      std::vector<rate_option> options;
      for (int bits = 2; bits <= 8; ++bits)
        options.push_back({miq::allocation::stored_bits(group, bits), group.importance * 64 * std::pow(4.0, -bits)});
      curves.add(options);
    }
    const double budget = 50 * (64 * 4 + 20) + std::floor(65 * random.uniform());
    const auto greedy = miq::allocation::allocate_bits(groups, budget);
    const auto result = rate_distortion(curves, budget);
    CHECK(result.optimal);
    CHECK(result.distortion == Approx(greedy.expected_error).epsilon(1e-12));
  }
}

TEST_CASE("rate_distortion fills water where the optimum is whole", "[allocation]") {
  // Variances 4^k at equal sizes: at the reverse water-filling solution b_k = B + k - mean k every item loses the same
  // (Cover & Thomas 2006, theorem 10.3.3; Gersho & Gray 1992, section 8.3), and whole bits reach it.
  rate_curves curves;
  for (int k = 0; k < 5; ++k) {
    std::vector<rate_option> options;
    for (int bits = 0; bits <= 8; ++bits) options.push_back({10.0 * bits, std::pow(4.0, k - bits)});
    curves.add(options);
  }
  const auto result = rate_distortion(curves, 5 * 10 * 4);
  CHECK(result.chosen == std::vector<std::int32_t>{2, 3, 4, 5, 6});
  CHECK(result.distortion == 5 * std::pow(4.0, -2.0));
  CHECK(result.unspent_bits == 0);
  CHECK(result.relaxed_distortion == Approx(result.distortion));
  CHECK(result.slope == Approx(3 * std::pow(4.0, -3.0) / 10));  // the edge after it: 4^-2 - 4^-3 for 10 bits
}

TEST_CASE("rate_distortion uses options above the hull where they fit better", "[allocation]") {
  // The hull of the first item is its ends; only its middle option leaves room for nothing better.
  const curves_t items{{{0, 10}, {5, 6}, {10, 0}}, {{0, 1}, {7, 0.5}}};
  const auto result = rate_distortion(curves_of(items), 9);
  CHECK(result.chosen == std::vector<std::int32_t>{1, 0});
  CHECK(result.relaxed_distortion == Approx(2));  // nine tenths of the first item's edge, 1 for the second
}

TEST_CASE("rate_distortion settles ties as documented", "[allocation]") {
  SECTION("of equal options the first; of equal distortions fewer bits") {
    const auto result = rate_distortion(curves_of({{{3, 1}, {2, 1}, {2, 1}, {4, 1}}}), 100);
    CHECK(result.chosen == std::vector<std::int32_t>{1});
  }
  SECTION("of equal slopes the lower item") {
    const std::vector<rate_option> options{{0, 4}, {2, 1}};
    rate_curves curves;
    for (int i = 0; i < 5; ++i) curves.add(options);
    CHECK(rate_distortion(curves, 5).chosen == std::vector<std::int32_t>{1, 1, 0, 0, 0});
  }
  SECTION("an item that can only get worse with more bits keeps its best") {
    CHECK(rate_distortion(curves_of({{{1, 2}, {2, 3}, {3, 2}}}), 3).chosen == std::vector<std::int32_t>{0});
  }
}

TEST_CASE("rate_distortion takes budgets of any size", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const auto items = random_items(random, 9, 4, shape::any, 10);
  SECTION("all that can be used") {
    const auto result = rate_distortion(curves_of(items), 1e300);
    double least = 0;
    for (const auto& item : items)
      least += std::min_element(item.begin(), item.end(), [](const rate_option& a, const rate_option& b) {
                 return a.distortion < b.distortion;
               })->distortion;
    CHECK(result.distortion == Approx(least));
    CHECK(result.optimal);
    CHECK(result.slope == 0);
  }
  SECTION("exactly the least, and what is not whole") {
    const auto result = rate_distortion(curves_of(items), least_bits(items));
    CHECK(result.unspent_bits == 0);
    const auto little_more = rate_distortion(curves_of(items), least_bits(items) + 0.75);
    CHECK(little_more.chosen == result.chosen);
    CHECK(little_more.unspent_bits == 0.75);
  }
  SECTION("no items") {
    const auto result = rate_distortion({}, 5);
    CHECK(result.chosen.empty());
    CHECK(result.distortion == 0);
    CHECK(result.optimal);
    CHECK_THROWS_AS(rate_distortion({}, -1), miq::invalid_argument);
  }
  SECTION("bits near what a double can count") {
    const curves_t large{{{0, 8}, {0x1.0p51 + 1, 2}, {0x1.0p52, 1}}, {{1, 5}, {0x1.0p51, 1}}};
    const double budget = 0x1.0p52 + 1;
    const auto result = rate_distortion(curves_of(large), budget);
    check_promises(large, budget, result);
    CHECK(result.distortion == exhaustive_optimum(large, budget));
  }
}

TEST_CASE("rate_distortion solves a model's worth of items", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const auto items = random_items(random, 3000, 7, shape::convex, 1e6);
  const double budget = std::floor(0.5 * (least_bits(items) + most_bits(items)));
  const auto result = rate_distortion(curves_of(items), budget);
  check_promises(items, budget, result);
  CHECK(result.gap() < 1e-6);
  const auto again = rate_distortion(curves_of(items), budget);
  CHECK(again.chosen == result.chosen);
}

TEST_CASE("rate_distortion names what it cannot accept", "[allocation]") {
  rate_curves curves;
  const auto message = [](auto&& call) {
    try {
      call();
    } catch (const miq::invalid_argument& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK_THROWS_AS(curves.add(std::vector<rate_option>{}), miq::invalid_argument);
  for (const double wrong : {-1.0, 0.5, infinite, std::nan(""), 0x1.0p53})
    CHECK_THROWS_AS(curves.add({{1, 1}, {wrong, 1}}), miq::invalid_argument);
  for (const double wrong : {-1.0, infinite, std::nan("")})
    CHECK_THROWS_AS(curves.add({{1, 1}, {2, wrong}}), miq::invalid_argument);
  CHECK(curves.items() == 0);
  curves.add({{7, 1}, {9, 0}});
  CHECK_THAT(message([&] {
               curves.add({{1, 1}, {-3, 1}});
             }),
             miq_test::contains("option 1 of item 1") && miq_test::contains("got -3"));
  CHECK_THAT(message([&] { rate_distortion(curves, 6.5); }),
             miq_test::contains("at least 7") && miq_test::contains("got 6.5"));
  CHECK_THROWS_AS(rate_distortion(curves, std::nan("")), miq::invalid_argument);
  CHECK_THROWS_AS(rate_distortion(curves, 10, {.enough_gap = -1}), miq::invalid_argument);
  CHECK_THROWS_AS(rate_distortion(curves, 10, {.enough_gap = std::nan("")}), miq::invalid_argument);
  CHECK_THROWS_AS(rate_distortion(curves, 10, {.most_states = -1}), miq::invalid_argument);
  rate_curves heavy;
  for (int i = 0; i < 3; ++i) heavy.add({{0, 1}, {0x1.0p52, 0}});
  CHECK_THROWS_AS(rate_distortion(heavy, 1e20), miq::invalid_argument);
  rate_curves bad;
  for (int i = 0; i < 3; ++i) bad.add({{0, 1e308}, {1, 0}});
  CHECK_THROWS_AS(rate_distortion(bad, 1), miq::invalid_argument);
}
