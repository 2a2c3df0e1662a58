// The order by representatives against the definition, and against the solver's factor.
#include <miq/grouping/representatives.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/obs/factor.hpp>
#include "test_support/catch.hpp"

using miq::host_executor;
using miq::matrix;
using miq::grouping::order_by_representatives;
using miq::grouping::partition;

namespace {

/// A A^T of random A with columns in unequal units.
matrix<float> random_moments(std::int64_t c, std::int64_t rank, miq::random_stream& random) {
  std::vector<double> a(static_cast<std::size_t>(c * rank));
  for (std::int64_t j = 0; j < c; ++j) {
    const double unit = std::exp(random.normal());
    for (std::int64_t k = 0; k < rank; ++k) a[static_cast<std::size_t>(j * rank + k)] = unit * random.normal();
  }
  matrix<float> h(c, c);
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < rank; ++k)
        sum += a[static_cast<std::size_t>(i * rank + k)] * a[static_cast<std::size_t>(j * rank + k)];
      h(i, j) = h(j, i) = static_cast<float>(sum);
    }
  return h;
}

/// Variance of column j given others, in damped H: its pivot when it is eliminated after them, in double.
double unexplained(const matrix<float>& h, double damping, const std::vector<std::int64_t>& others, std::int64_t j) {
  auto all = others;
  all.push_back(j);
  const auto n = all.size();
  std::vector<std::vector<double>> a(n, std::vector<double>(n));
  for (std::size_t p = 0; p < n; ++p)
    for (std::size_t q = 0; q < n; ++q)
      a[p][q] = double{h(std::max(all[p], all[q]), std::min(all[p], all[q]))} * (p == q ? 1 + damping : 1);
  for (std::size_t k = 0; k + 1 < n; ++k)
    for (auto p = k + 1; p < n; ++p)
      for (auto q = k + 1; q < n; ++q) a[p][q] -= a[p][k] * a[k][q] / a[k][k];
  return a[n - 1][n - 1];
}

}  // namespace

TEST_CASE("representatives are those of which the chosen leave most unexplained", "[grouping]") {
  miq::random_stream random(miq_test::seed());
  const std::int64_t c = 40;
  const auto h = random_moments(c, 25, random);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(c));
  for (std::size_t j = 0; j < labels.size(); ++j)
    labels[j] = j < 4 ? static_cast<std::int32_t>(j) : static_cast<std::int32_t>(random.below(4));
  const partition groups(labels);
  std::vector<double> weights;
  if (GENERATE(false, true))
    for (std::int64_t j = 0; j < c; ++j) weights.push_back(std::exp(random.normal()));
  const double damping = 0.05;
  const auto found = order_by_representatives(host_executor({.threads = 2}), h, groups, weights, {.damping = damping});

  std::vector<double> price(static_cast<std::size_t>(c), 1);
  for (std::size_t j = 0; j < weights.size(); ++j)
    price[j] = weights[j] * double{h(static_cast<std::int64_t>(j), static_cast<std::int64_t>(j))};
  for (std::int64_t g = 0; g < groups.groups(); ++g) {
    std::vector<std::int64_t> chosen;
    std::vector<std::int64_t> left(groups.members(g).begin(), groups.members(g).end());
    while (!left.empty()) {
      std::vector<double> share;
      std::vector<double> value;
      for (const auto j : left) {
        share.push_back(unexplained(h, damping, chosen, j) / (double{h(j, j)} * (1 + damping)));
        value.push_back(share.back() * price[static_cast<std::size_t>(j)]);
      }
      const auto next = std::find_if(left.begin(), left.end(), [&](std::int64_t j) {
        return found.rank[static_cast<std::size_t>(j)] == static_cast<std::int64_t>(chosen.size());
      });
      REQUIRE(next != left.end());
      const auto at = static_cast<std::size_t>(next - left.begin());
      CHECK(double{found.residual[static_cast<std::size_t>(*next)]} == Approx(share[at]).epsilon(1e-3));
      CHECK(value[at] >= *std::max_element(value.begin(), value.end()) * (1 - 1e-3));
      chosen.push_back(*next);
      left.erase(next);
    }
  }

  auto sorted = found.order;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int64_t> natural(static_cast<std::size_t>(c));
  std::iota(natural.begin(), natural.end(), 0);
  REQUIRE(sorted == natural);
  double before = -1;
  for (const auto j : found.order) {
    const auto at = static_cast<std::size_t>(j);
    const double value = double{found.residual[at]} * price[at];
    CHECK(value >= before);
    before = value;
  }
  std::vector<std::int64_t> last_rank(4, std::numeric_limits<std::int64_t>::max());
  for (const auto j : found.order) {  // in each group the reverse of the choice
    auto& last = last_rank[static_cast<std::size_t>(labels[static_cast<std::size_t>(j)])];
    CHECK(found.rank[static_cast<std::size_t>(j)] < last);
    last = found.rank[static_cast<std::size_t>(j)];
  }
}

TEST_CASE("with one group the residuals are the conditional variances of the sweep in that order", "[grouping]") {
  miq::random_stream random(miq_test::seed());
  const auto c = GENERATE(std::int64_t{1}, std::int64_t{63}, std::int64_t{64}, std::int64_t{65}, std::int64_t{300},
                          std::int64_t{601});
  const auto h = random_moments(c, c / 2 + 1, random);
  const host_executor exec({.threads = 2});
  const double damping = 0.03;
  const auto found = order_by_representatives(exec, h, partition::single(c), {}, {.damping = damping});
  matrix<float> ordered(c, c);
  matrix<float> upper(c, c);
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = 0; j < c; ++j)
      ordered(i, j) = h(found.order[static_cast<std::size_t>(i)], found.order[static_cast<std::size_t>(j)]);
  miq::obs::factor(exec, ordered, upper, {.damping = damping, .rule = miq::obs::damping_rule::own_diagonal});
  for (std::int64_t k = 0; k < c; ++k) {
    const auto j = found.order[static_cast<std::size_t>(k)];
    const double variance = 1 / (double{upper(k, k)} * double{upper(k, k)});
    CHECK(variance ==
          Approx(double{found.residual[static_cast<std::size_t>(j)]} * double{h(j, j)} * (1 + damping)).epsilon(5e-3));
  }
  const auto again =
      order_by_representatives(host_executor({.threads = 1}), h, partition::single(c), {}, {.damping = damping});
  CHECK(again.order == found.order);
  CHECK(again.residual == found.residual);
}

TEST_CASE("representatives do not depend on units; copies and dead columns come first", "[grouping]") {
  miq::random_stream random(miq_test::seed());
  const std::int64_t c = 30;
  auto h = random_moments(c, 60, random);
  for (std::int64_t j = 0; j < c; ++j) h(7, j) = h(j, 7) = 0;          // dead
  for (std::int64_t j = 0; j < c; ++j) h(20, j) = h(j, 20) = h(4, j);  // a copy of column 4
  h(20, 20) = h(4, 20) = h(20, 4) = h(4, 4);
  const host_executor exec;
  const auto found = order_by_representatives(exec, h, partition::single(c), {}, {.damping = 0});
  CHECK(std::min(found.residual[4], found.residual[20]) < 1e-5F);
  CHECK(std::max(found.residual[4], found.residual[20]) > 0.1F);
  CHECK(found.residual[7] == 0);
  const auto place = [&](std::int64_t j) {
    return std::find(found.order.begin(), found.order.end(), j) - found.order.begin();
  };
  CHECK(place(7) < 2);
  CHECK(std::min(place(4), place(20)) < 2);

  auto scaled = h;
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = 0; j < c; ++j) scaled(i, j) = std::ldexp(h(i, j), static_cast<int>(i % 3 + j % 3));
  CHECK(order_by_representatives(exec, scaled, partition::single(c), {}, {.damping = 0}).order == found.order);
}

TEST_CASE("order_by_representatives names what it cannot accept", "[grouping]") {
  const host_executor exec;
  matrix<float> h(3, 3);
  for (std::int64_t j = 0; j < 3; ++j) h(j, j) = 1;
  const auto groups = partition::single(3);
  CHECK(order_by_representatives(exec, h, groups).order == std::vector<std::int64_t>{2, 1, 0});  // all alike
  CHECK(order_by_representatives(exec, matrix<float>(0, 0), partition()).order.empty());
  CHECK_THROWS_AS(order_by_representatives(exec, matrix<float>(3, 2), groups), miq::invalid_argument);
  CHECK_THROWS_AS(order_by_representatives(exec, h, partition::single(4)), miq::invalid_argument);
  CHECK_THROWS_AS(order_by_representatives(exec, h, groups, std::vector<double>{1, 2}), miq::invalid_argument);
  CHECK_THROWS_AS(order_by_representatives(exec, h, groups, std::vector<double>{1, 2, -1}), miq::invalid_argument);
  CHECK_THROWS_AS(order_by_representatives(exec, h, groups, {}, {.damping = -0.1}), miq::invalid_argument);
  h(2, 1) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(order_by_representatives(exec, h, groups), miq_test::contains("row 2, column 1"));
  h(2, 1) = 0;
  h(1, 1) = -1;
  CHECK_THROWS_AS(order_by_representatives(exec, h, groups), miq::invalid_argument);
}
