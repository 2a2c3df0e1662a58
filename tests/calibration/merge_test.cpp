#include <cmath>
#include <sstream>

#include "calibration/support.hpp"
#include "test_support/catch.hpp"

using miq::calibration::accumulator;
using namespace miq_test;

namespace {

constexpr auto tile = accumulator::tile_tokens;

accumulator of(const miq::host_executor& exec, miq::matrix_view<const float> x, std::int64_t first = 0) {
  accumulator seen(x.columns(), {.first_token = first});
  seen.add(exec, x);
  return seen;
}

std::string bytes_of(const accumulator& a) {
  std::ostringstream out;
  a.save(out);
  return out.str();
}

double worst_difference(const miq::calibration::statistics& a, const miq::calibration::statistics& b) {
  double worst = 0;
  for (std::int64_t i = 0; i < a.columns(); ++i)
    for (std::int64_t j = 0; j < a.columns(); ++j)
      worst = std::max(
          worst, std::abs(static_cast<double>(a.covariance(i, j)) - static_cast<double>(b.covariance(i, j))) /
                     std::sqrt(static_cast<double>(a.covariance(i, i)) * static_cast<double>(a.covariance(j, j))));
  return worst;
}

}  // namespace

TEST_CASE("one tile after the other merged in order is one pass, to the bit", "[calibration]") {
  const auto tokens = GENERATE(2 * tile, 4 * tile, 3 * tile + 100);
  const auto x = normal_tokens(tokens, 75, seed(), 50);
  const miq::host_executor exec({.threads = GENERATE(1, 2, 5)});
  accumulator merged(75);
  for (std::int64_t t = 0; t < tokens; t += tile)
    merged.merge(exec, of(exec, x.view().rows_from(t, std::min(tile, tokens - t)), t));
  CHECK(merged.tokens() == tokens);
  CHECK(same_bits(merged.finish(exec), statistics_of(x)));
}

TEST_CASE("the same tiles in another order differ by double rounding alone", "[calibration]") {
  auto x = normal_tokens(6 * tile, 75, seed(), 5);
  for (std::int64_t t = 0; t < x.rows(); ++t)  // means of the parts far from each other
    for (std::int64_t c = 0; c < 75; ++c) x(t, c) += static_cast<float>(t / (2 * tile) * (c % 3));
  const miq::host_executor exec({.threads = 2});
  const auto whole = statistics_of(x);
  const auto part = [&](std::int64_t k) { return of(exec, x.view().rows_from(2 * k * tile, 2 * tile), 2 * k * tile); };
  auto a = part(0), b = part(1), c = part(2);
  auto left = a, right = c, tail = b;
  left.merge(exec, b);
  left.merge(exec, c);
  right.merge(exec, b);
  right.merge(exec, a);
  tail.merge(exec, c);
  a.merge(exec, tail);
  for (const auto* merged : {&left, &right, &a}) {
    const auto s = merged->finish(exec);
    CHECK(worst_difference(whole, s) < 0x1p-23);  // neighbours in float at most: 2^-24 plus the doubles' 10^-14
    for (std::int64_t i = 0; i < 75; ++i) {
      const auto k = static_cast<std::size_t>(i);
      CHECK(std::abs(whole.mean[k] - s.mean[k]) <= 0x1p-23F * std::abs(whole.mean[k]));
      CHECK(s.minimum[k] == whole.minimum[k]);
      CHECK(s.maximum[k] == whole.maximum[k]);
    }
  }
}

TEST_CASE("parts of any length agree with the definitions", "[calibration]") {
  const auto x = normal_tokens(1500, 33, seed(), 1e4);
  const miq::host_executor exec({.threads = 2});
  const auto expected = exact(x);
  for (const std::int64_t first : {std::int64_t{1}, std::int64_t{2}, std::int64_t{500}, tile, std::int64_t{1499}}) {
    auto a = of(exec, x.view().rows_from(0, first));
    const auto b = of(exec, x.view().rows_from(first, 1500 - first), first);
    a.merge(exec, b);
    CHECK(a.tokens() == 1500);
    CHECK(a.next_token() == 1500);
    CHECK(worst_covariance_error(a.finish(exec), expected) < 0x1p-18);
    // and it goes on
    a.add(exec, x.view().rows_from(0, 700));
    CHECK(a.tokens() == 2200);
  }
}

TEST_CASE("which is merged into which changes no bit", "[calibration]") {
  const auto n = GENERATE(3, 600), m = GENERATE(100, 1024);
  const auto x = normal_tokens(n, 40, seed(), 3), y = normal_tokens(m, 40, seed(), -2);
  const miq::host_executor exec({.threads = 2});
  auto a = of(exec, x), b = of(exec, y, n);
  const auto other = a;
  a.merge(exec, b);
  b.merge(exec, other);
  CHECK(same_bits(a.finish(exec), b.finish(exec)));
}

TEST_CASE("empty accumulators merge as nothing", "[calibration]") {
  const miq::host_executor exec({.threads = 2});
  auto a = of(exec, normal_tokens(tile + 30, 21, seed()));
  const auto before = bytes_of(a);
  a.merge(exec, accumulator(21, {.first_token = 5}));
  CHECK(bytes_of(a) == before);
  accumulator empty(21);
  empty.merge(exec, a);
  CHECK(bytes_of(empty) == before);
}

TEST_CASE("exact columns stay exact when merged", "[calibration]") {
  const miq::host_executor exec({.threads = 2});
  auto x = normal_tokens(1200, 5, seed());
  for (std::int64_t t = 0; t < 1200; ++t) {
    x(t, 0) = 0.0F;
    x(t, 1) = 0.1F;
    x(t, 2) = t < 700 ? 1.0F : 2.0F;  // constant in each part, not in the whole
  }
  auto a = of(exec, x.view().rows_from(0, 700));
  a.merge(exec, of(exec, x.view().rows_from(700, 500)));
  const auto s = a.finish(exec);
  CHECK(s.is_dead(0));
  CHECK(s.is_constant(1));
  CHECK(s.covariance(1, 1) == 0.0F);
  CHECK_FALSE(s.is_constant(2));
  CHECK(s.covariance(2, 2) == Approx(700.0 * 500.0 / 1200.0 / 1200.0).epsilon(1e-7));
}

TEST_CASE("what does not belong together is refused, and nothing changes", "[calibration]") {
  const miq::host_executor exec({.threads = 2});
  accumulator a(4, {.sample_tokens = 8, .seed = 1});
  a.add(exec, normal_tokens(tile + 3, 4, seed()));
  const auto before = bytes_of(a);
  CHECK_THROWS_WITH(a.merge(exec, accumulator(5)), contains("4 columns") && contains("got 5"));
  CHECK_THROWS_WITH(a.merge(exec, accumulator(4)), contains("sample_tokens"));
  CHECK_THROWS_WITH(a.merge(exec, accumulator(4, {.sample_tokens = 8, .seed = 2})), contains("seed"));
  CHECK_THROWS_WITH(a.merge(exec, a), contains("itself"));
  const auto twin = a;  // has seen the same places
  CHECK_THROWS_WITH(a.merge(exec, twin), contains("first_token"));
  CHECK(bytes_of(a) == before);
}
