// Bit budgets against water-filling in closed form, exhaustive search and dynamic programming.
#include <miq/allocation/bit_budget.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <miq/core/random.hpp>
#include "test_support/catch.hpp"

using miq::allocation::allocate_bits;
using miq::allocation::bit_item;
using miq::allocation::budget_options;
using miq::allocation::budget_result;
using miq::allocation::strategy;

namespace {

using items_t = std::vector<bit_item>;

// The formulas again, sharing nothing with the library.
double cost_of(const bit_item& item, int bits) { return item.fixed_bits + bits * (item.weights + item.bits_per_bit); }
double error_of(const bit_item& item, int bits) { return item.importance * item.weights * std::pow(4.0, -bits); }

double total(const items_t& items, const std::vector<int>& bits, double (*of)(const bit_item&, int)) {
  double sum = 0;
  for (std::size_t i = 0; i < items.size(); ++i) sum += of(items[i], bits[i]);
  return sum;
}

double cost_at(const items_t& items, int bits) { return total(items, std::vector<int>(items.size(), bits), cost_of); }

/// Smallest expected error of all assignments within the budget, by trying each.
double exhaustive_optimum(const items_t& items, double budget, int minimum, int maximum) {
  std::vector<int> bits(items.size(), minimum);
  double best = std::numeric_limits<double>::infinity();
  for (;;) {
    if (total(items, bits, cost_of) <= budget) best = std::min(best, total(items, bits, error_of));
    std::size_t i = 0;
    while (i < bits.size() && bits[i] == maximum) bits[i++] = minimum;
    if (i == bits.size()) return best;
    ++bits[i];
  }
}

/// The same by dynamic programming over a budget of whole bits.
double programmed_optimum(const items_t& items, std::int64_t budget, int minimum, int maximum) {
  const auto unreachable = std::numeric_limits<double>::infinity();
  std::vector<double> best(static_cast<std::size_t>(budget) + 1, 0.0);
  for (const auto& item : items) {
    std::vector<double> next(best.size(), unreachable);
    for (int bits = minimum; bits <= maximum; ++bits) {
      const auto cost = static_cast<std::size_t>(cost_of(item, bits));
      for (std::size_t b = cost; b < best.size(); ++b)
        next[b] = std::min(next[b], best[b - cost] + error_of(item, bits));
    }
    best = next;
  }
  return best.back();
}

struct relaxed {
  double optimum;     ///< of the problem in which parts of a bit can be bought
  double split_gain;  ///< of the bit that is bought in part
};

relaxed relaxed_optimum(const items_t& items, double budget, int minimum, int maximum) {
  struct step {
    double gain, cost;
  };
  std::vector<step> steps;
  for (const auto& item : items)
    for (int bits = minimum; bits < maximum; ++bits)
      if (item.weights > 0)
        steps.push_back({error_of(item, bits) - error_of(item, bits + 1), item.weights + item.bits_per_bit});
  std::stable_sort(steps.begin(), steps.end(),
                   [](const step& a, const step& b) { return a.gain * b.cost > b.gain * a.cost; });
  double left = budget - cost_at(items, minimum);
  double error = total(items, std::vector<int>(items.size(), minimum), error_of);
  for (const auto& s : steps) {
    if (s.cost > left) return {error - s.gain * left / s.cost, s.gain};
    left -= s.cost;
    error -= s.gain;
  }
  return {error, 0};
}

bit_item random_item(miq::random_stream& random, bool equal_sizes) {
  bit_item item;
  item.importance = random.below(8) == 0 ? 0 : std::exp(3 * random.normal());
  item.weights = equal_sizes ? 12 : static_cast<double>(1 + random.below(40));
  item.fixed_bits = static_cast<double>(random.below(20));
  item.bits_per_bit = equal_sizes ? 3 : static_cast<double>(random.below(4));
  return item;
}

items_t random_items(miq::random_stream& random, std::size_t count, bool equal_sizes) {
  items_t items;
  while (items.size() < count) items.push_back(random_item(random, equal_sizes));
  return items;
}

double random_budget(miq::random_stream& random, const items_t& items, int minimum, int maximum) {
  const auto least = cost_at(items, minimum);
  const auto most = cost_at(items, maximum);
  return least + std::floor(random.uniform() * 1.1 * (most - least));
}

template <class Error>
std::string message_of(const items_t& items, double budget, const budget_options& options = {}) {
  try {
    allocate_bits(items, budget, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

std::string refusal(const items_t& items, double budget, const budget_options& options = {}) {
  return message_of<miq::invalid_argument>(items, budget, options);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("greedy bits follow reverse water-filling", "[allocation]") {
  // With importances 4^k and whole bits, every item ends with the same error: bits_i = k_i + constant.
  const std::vector<int> k{3, 0, 1, 5, 2, 2, 4};
  items_t items;
  for (const auto exponent : k) items.push_back({std::pow(4.0, exponent), 100, 0, 0});
  const auto level = GENERATE(1, 2, 3);
  double budget = 0;
  for (const auto exponent : k) budget += 100.0 * (exponent + level);
  const auto result = allocate_bits(items, budget, {.minimum_bits = 1, .maximum_bits = 8});
  for (std::size_t i = 0; i < k.size(); ++i) CHECK(result.bits[i] == k[i] + level);
  CHECK(result.unspent_bits == 0);
  CHECK(result.expected_error == 7 * 100 * std::pow(4.0, -level));
  CHECK(result.smallest_error == result.expected_error);
}

TEST_CASE("greedy is optimal for items of one size", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  for (int trial = 0; trial < 200; ++trial) {
    const auto items = random_items(random, 1 + random.below(5), true);
    const auto budget = random_budget(random, items, 1, 4);
    const auto result = allocate_bits(items, budget, {.minimum_bits = 1, .maximum_bits = 4});
    const auto optimum = exhaustive_optimum(items, budget, 1, 4);
    CHECK(result.expected_error == Approx(optimum).epsilon(1e-12));
    CHECK(result.expected_error == Approx(total(items, result.bits, error_of)).epsilon(1e-12));
  }
}

TEST_CASE("greedy is within its bound of the optimum for items of many sizes", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  for (int trial = 0; trial < 60; ++trial) {
    const bool small = trial % 2 == 0;
    const int maximum = small ? 4 : 8;
    const auto items = random_items(random, small ? 1 + random.below(5) : 23, false);
    const auto budget = random_budget(random, items, 1, maximum);
    const auto result = allocate_bits(items, budget, {.minimum_bits = 1, .maximum_bits = maximum});
    const auto optimum = small ? exhaustive_optimum(items, budget, 1, maximum)
                               : programmed_optimum(items, static_cast<std::int64_t>(budget), 1, maximum);
    const auto bound = relaxed_optimum(items, budget, 1, maximum);
    const double rounding = 1e-12 * total(items, std::vector<int>(items.size(), 1), error_of);
    CHECK(result.smallest_error == Approx(bound.optimum).epsilon(1e-9).margin(rounding));
    CHECK(result.smallest_error <= optimum + rounding);
    CHECK(result.expected_error >= optimum - rounding);
    CHECK(result.expected_error <= optimum + bound.split_gain + rounding);
  }
}

TEST_CASE("every strategy keeps the promises of all", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const auto how = GENERATE(strategy::threshold, strategy::quantile, strategy::greedy_budget);
  for (int trial = 0; trial < 200; ++trial) {
    const bool equal_sizes = trial % 2 == 0;
    auto items = random_items(random, 1 + random.below(97), equal_sizes);
    for (auto& item : items) {
      if (random.below(10) == 0) item.importance = 1;  // ties
      if (random.below(20) == 0) item.weights = 0;
    }
    const int minimum = static_cast<int>(1 + random.below(3));
    const int maximum = minimum + static_cast<int>(random.below(8));
    const auto budget = random_budget(random, items, minimum, maximum);
    const budget_options options{
        .rule = how, .minimum_bits = minimum, .maximum_bits = maximum, .threshold = random.uniform()};
    const auto result = allocate_bits(items, budget, options);

    REQUIRE(result.bits.size() == items.size());
    REQUIRE(total(items, result.bits, cost_of) == result.stored_bits);  // whole numbers: exact
    REQUIRE(result.stored_bits <= budget);
    REQUIRE(result.budget_bits == budget);
    REQUIRE(result.unspent_bits == budget - result.stored_bits);
    REQUIRE(result.smallest_error <= result.expected_error);
    for (std::size_t i = 0; i < items.size(); ++i) {
      REQUIRE(result.bits[i] >= minimum);
      REQUIRE(result.bits[i] <= maximum);
      if (items[i].weights == 0)
        REQUIRE(result.bits[i] == minimum);
      else if (result.bits[i] < maximum)
        REQUIRE(result.unspent_bits < items[i].weights + items[i].bits_per_bit);
      for (std::size_t j = 0; j < items.size(); ++j) {
        if (items[i].weights != items[j].weights || items[i].bits_per_bit != items[j].bits_per_bit) continue;
        if (items[i].importance > items[j].importance) REQUIRE(result.bits[i] >= result.bits[j]);
        if (items[i].importance == items[j].importance) {
          REQUIRE(std::abs(result.bits[i] - result.bits[j]) <= 1);
          if (i < j) REQUIRE(result.bits[i] >= result.bits[j]);
        }
      }
    }
  }
}

TEST_CASE("budgets of fractions are kept to the last bit", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const auto how = GENERATE(strategy::threshold, strategy::quantile, strategy::greedy_budget);
  for (int trial = 0; trial < 300; ++trial) {
    auto items = random_items(random, 1 + random.below(40), false);
    std::vector<int> some;
    for (auto& item : items) {
      item.weights *= 0.3;  // not a binary fraction: sums are rounded
      some.push_back(static_cast<int>(2 + random.below(7)));
    }
    // Half of the budgets are what an assignment stores.
    const auto budget = trial % 2 == 0 ? total(items, some, cost_of) : random_budget(random, items, 2, 8) + 0.7;
    // Rounding up the counts must not make a budget infeasible by more than itself.
    if (budget < cost_at(items, 2) * (1 + 1e-12)) continue;
    const auto result = allocate_bits(items, budget, {.rule = how});
    long double exact = 0;  // 64 bits of mantissa
    for (std::size_t i = 0; i < items.size(); ++i)
      exact +=
          items[i].fixed_bits + result.bits[i] * (static_cast<long double>(items[i].weights) + items[i].bits_per_bit);
    REQUIRE(exact <= static_cast<long double>(budget) * (1 + 1e-17L));
    REQUIRE(result.stored_bits <= budget);
    REQUIRE(result.stored_bits == Approx(static_cast<double>(exact)).epsilon(1e-13));
    for (std::size_t i = 0; i < items.size(); ++i)
      if (result.bits[i] < 8) REQUIRE(result.unspent_bits < (items[i].weights + items[i].bits_per_bit) * (1 + 1e-9));
  }
}

TEST_CASE("quantile starts from equal shares of the levels", "[allocation]") {
  items_t items;
  for (const double importance : {7., 1., 3., 9., 2., 8., 5., 4., 10., 6.}) items.push_back({importance, 64, 0, 0});
  const std::vector<int> expected{6, 2, 3, 8, 2, 6, 4, 3, 8, 4};
  const double budget = 64 * std::accumulate(expected.begin(), expected.end(), 0.0);
  CHECK(allocate_bits(items, budget, {.rule = strategy::quantile}).bits == expected);
  // One bit less for all but those at the minimum; the four that s = 0 would raise and the budget does not allow.
  const std::vector<int> lower{5, 2, 2, 7, 2, 5, 3, 2, 7, 3};
  CHECK(
      allocate_bits(items, 64 * std::accumulate(lower.begin(), lower.end(), 0.0), {.rule = strategy::quantile}).bits ==
      lower);
  // One bit more than that: to the most important.
  const std::vector<int> one_more{5, 2, 2, 7, 2, 5, 3, 2, 8, 3};
  CHECK(allocate_bits(items, 64 * std::accumulate(one_more.begin(), one_more.end(), 0.0), {.rule = strategy::quantile})
            .bits == one_more);
}

TEST_CASE("quantile and threshold give ties one start", "[allocation]") {
  const items_t items{{5, 10, 0, 0}, {1, 10, 0, 0}, {5, 10, 0, 0}, {5, 10, 0, 0}, {9, 10, 0, 0}};
  SECTION("quantile") {  // below: 1 of 5 for the three fives, 4 for the nine
    const std::vector<int> expected{3, 2, 3, 3, 8};
    CHECK(allocate_bits(items, 190, {.rule = strategy::quantile}).bits == expected);
  }
  SECTION("threshold") {  // the nine holds 9 of 25: less than 0.5, so the fives start high, all of them
    const std::vector<int> expected{8, 2, 8, 8, 8};
    CHECK(allocate_bits(items, 340, {.rule = strategy::threshold}).bits == expected);
    const std::vector<int> strict{2, 2, 2, 2, 8};
    CHECK(allocate_bits(items, 160, {.rule = strategy::threshold, .threshold = 0.36}).bits == strict);
  }
}

TEST_CASE("threshold counts importance over weights", "[allocation]") {
  // Importance per weight 2 and 1, held 2 and 6 of 8: the first is above alone, then the second starts with 2 < 0.5
  // * 8.
  const items_t items{{2, 1, 0, 0}, {1, 6, 0, 0}, {0.5, 4, 0, 0}};
  CHECK(allocate_bits(items, 8 + 48 + 8, {.rule = strategy::threshold}).bits == std::vector<int>{8, 8, 2});
}

TEST_CASE("equal importance gives equal bits where the budget allows it", "[allocation]") {
  const auto how = GENERATE(strategy::threshold, strategy::quantile, strategy::greedy_budget);
  const auto importance = GENERATE(0.0, 1e-300, 0.1, 1e300);
  for (int bits = 2; bits <= 8; ++bits) {
    // Greedily, even for items of different sizes, as long as metadata is in proportion.
    const items_t items{{importance, 48, 16, 3}, {importance, 16, 16, 1}, {importance, 80, 16, 5}};
    CHECK(allocate_bits(items, cost_at(items, bits), {.rule = how}).bits == std::vector<int>(3, bits));
  }
}

TEST_CASE("ties go to fewer bits, then to more importance, then to the lower index", "[allocation]") {
  SECTION("fewer bits") {  // 16 at 4 bits and 1 at 2 bits gain the same
    CHECK(allocate_bits(items_t{{16, 10, 0, 0}, {1, 10, 0, 0}}, 70).bits == std::vector<int>{4, 3});
  }
  SECTION("more importance, where the gains are equal by rounding") {
    double less = 1.5;
    while (less * 0.8 != std::nextafter(less, 2.0) * 0.8) less = std::nextafter(less, 2.0);
    const double more = std::nextafter(less, 2.0);
    CHECK(allocate_bits(items_t{{less, 8, 0, 2}, {more, 8, 0, 2}}, 50).bits == std::vector<int>{2, 3});
  }
  SECTION("the lower index") {
    const auto how = GENERATE(strategy::threshold, strategy::quantile, strategy::greedy_budget);
    CHECK(allocate_bits(items_t(3, {1, 10, 0, 0}), 80, {.rule = how}).bits == std::vector<int>{3, 3, 2});
  }
}

TEST_CASE("the example of docs/allocation.md", "[allocation]") {
  items_t groups;
  for (const double importance : {16.0, 4.0, 1.0, 0.25})
    groups.push_back({.importance = importance, .weights = 64 * 192, .fixed_bits = 64 * 16, .bits_per_bit = 64});
  const double budget = 64 * 768 * 4 + 64 * 4 * (16 + 4);
  const auto check = [&](strategy how, const std::vector<int>& bits, double error) {
    const auto result = allocate_bits(groups, budget, {.rule = how});
    CHECK(result.bits == bits);
    CHECK(result.expected_error == error);
    CHECK(result.smallest_error == 480);
    CHECK(result.unspent_bits == 0);
  };
  check(strategy::greedy_budget, {5, 4, 4, 3}, 480);
  check(strategy::quantile, {7, 4, 3, 2}, 588);
  check(strategy::threshold, {8, 3, 3, 2}, 1155);
}

TEST_CASE("more budget than can be spent", "[allocation]") {
  const auto how = GENERATE(strategy::threshold, strategy::quantile, strategy::greedy_budget);
  const items_t items{{1, 10, 32, 1}, {0, 10, 32, 1}, {5, 0, 32, 0}, {5, 0, 32, 2}};
  const auto result = allocate_bits(items, 1e6, {.rule = how, .maximum_bits = 6});
  CHECK(result.bits == std::vector<int>{6, 6, 2, 2});
  CHECK(result.stored_bits == 4 * 32 + 2 * 66 + 2 * 2);
  CHECK(result.smallest_error == result.expected_error);
}

TEST_CASE("nothing to allocate", "[allocation]") {
  const auto how = GENERATE(strategy::threshold, strategy::quantile, strategy::greedy_budget);
  const auto nothing = allocate_bits({}, 7, {.rule = how});
  CHECK(nothing.bits.empty());
  CHECK(nothing.unspent_bits == 7);
  const auto fixed = allocate_bits(items_t{{1, 5, 0, 0}}, 20, {.rule = how, .minimum_bits = 3, .maximum_bits = 3});
  CHECK(fixed.bits == std::vector<int>{3});
}

TEST_CASE("bad budgets and items are refused by name", "[allocation]") {
  const auto infinity = std::numeric_limits<double>::infinity();
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  const items_t good{{1, 100, 16, 1}, {2, 100, 16, 1}};

  CHECK_NOTHROW(allocate_bits(good, 436));  // 2 * (16 + 2 * 101)
  const auto infeasible = refusal(good, 435.5);
  CHECK(contains(infeasible, "at least 436,"));
  CHECK(contains(infeasible, "got 435.5"));
  CHECK(contains(refusal(good, nan), "budget_bits must be finite"));
  CHECK(contains(refusal(good, infinity), "budget_bits must be finite"));
  CHECK(contains(refusal({}, -1), "at least 0"));

  for (const double bad : {nan, infinity, -1.0}) {
    for (const auto field :
         {&bit_item::importance, &bit_item::weights, &bit_item::fixed_bits, &bit_item::bits_per_bit}) {
      auto items = good;
      items[1].*field = bad;
      CHECK(contains(refusal(items, 1000), "of item 1 must be finite and not negative"));
    }
  }
  CHECK(contains(refusal(good, 1000, {.minimum_bits = 0}), "got 0 and 8"));
  CHECK(contains(refusal(good, 1000, {.minimum_bits = 5, .maximum_bits = 4}), "got 5 and 4"));
  CHECK(contains(refusal(good, 1000, {.maximum_bits = 17}), "got 2 and 17"));
  CHECK(contains(refusal(good, 1000, {.rule = strategy::threshold, .threshold = 1.5}), "threshold must be 0 to 1"));
  CHECK(contains(refusal(good, 1000, {.rule = strategy::threshold, .threshold = nan}), "threshold must be 0 to 1"));
  CHECK(contains(refusal(good, 1000, {.rule = strategy::quantile, .levels = {}}), "levels must not be empty"));
  CHECK(contains(refusal(good, 1000, {.rule = strategy::quantile, .levels = {2, 4, 4}}), "levels must ascend"));
}
