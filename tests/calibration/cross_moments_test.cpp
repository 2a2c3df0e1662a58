// Cross moments of two streams against their definition, in long double or in exact integers.
#include <cmath>
#include <limits>
#include <vector>

#include <miq/calibration/cross_moments.hpp>

#include "calibration/support.hpp"
#include "test_support/catch.hpp"

using miq::matrix;
using miq::matrix_view;
using miq::calibration::cross_moments;
using miq::calibration::cross_statistics;
using namespace miq_test;

namespace {

constexpr auto tile = cross_moments::tile_tokens;

struct exact_cross {
  std::vector<long double> first_mean, second_mean, first_variance, second_variance, moment;
};

exact_cross exact(matrix_view<const float> x, matrix_view<const float> y) {
  const auto a = static_cast<std::size_t>(x.columns()), b = static_cast<std::size_t>(y.columns());
  const auto n = static_cast<long double>(x.rows());
  exact_cross out{std::vector<long double>(a), std::vector<long double>(b), std::vector<long double>(a),
                  std::vector<long double>(b), std::vector<long double>(a * b)};
  const auto at = [](matrix_view<const float> m, std::int64_t t, std::size_t c) {
    return static_cast<long double>(m(t, static_cast<std::int64_t>(c)));
  };
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    for (std::size_t i = 0; i < a; ++i) out.first_mean[i] += at(x, t, i) / n;
    for (std::size_t j = 0; j < b; ++j) out.second_mean[j] += at(y, t, j) / n;
  }
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    for (std::size_t i = 0; i < a; ++i) {
      const auto away = at(x, t, i) - out.first_mean[i];
      out.first_variance[i] += away * away / n;
      for (std::size_t j = 0; j < b; ++j) out.moment[i * b + j] += 2 * at(x, t, i) * at(y, t, j) / n;
    }
    for (std::size_t j = 0; j < b; ++j) {
      const auto away = at(y, t, j) - out.second_mean[j];
      out.second_variance[j] += away * away / n;
    }
  }
  return out;
}

/// The largest error beyond the rounding of the result, as a share of sqrt(var x_i var y_j).
double worst_error(const cross_statistics& got, const exact_cross& expected) {
  long double worst = 0;
  const auto b = expected.second_mean.size();
  for (std::size_t i = 0; i < expected.first_mean.size(); ++i)
    for (std::size_t j = 0; j < b; ++j) {
      const auto moment = expected.moment[i * b + j];
      const auto value =
          static_cast<long double>(got.moment(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j)));
      const auto error = std::abs(value - moment) - 0x1.01p-24L * std::abs(moment) -
                         0x1p-50L * std::abs(expected.first_mean[i] * expected.second_mean[j]);
      if (error > 0)
        worst = std::max(worst, error / std::sqrt(expected.first_variance[i] * expected.second_variance[j]));
    }
  return static_cast<double>(worst);
}

cross_statistics moments_of(matrix_view<const float> x, matrix_view<const float> y, int threads = 2,
                            const miq::calibration::cross_moments_options& options = {}) {
  const miq::host_executor exec({.threads = threads});
  cross_moments seen(x.columns(), y.columns(), options);
  seen.add(exec, x, y);
  return seen.finish(exec);
}

bool same(const cross_statistics& a, const cross_statistics& b) {
  return a.tokens == b.tokens && same_bits(a.moment.view(), b.moment.view()) && same_bits(a.first_mean, b.first_mean) &&
         same_bits(a.second_mean, b.second_mean);
}

template <class T>
matrix<T> as(const matrix<float>& x) {
  matrix<T> out(x.rows(), x.columns());
  for (std::int64_t i = 0; i < x.size(); ++i) out.data()[i] = T(x.data()[i]);
  return out;
}

}  // namespace

TEST_CASE("cross moments equal the definition in long double", "[calibration]") {
  const auto a = GENERATE(1, 17, 64, 65), b = GENERATE(1, 63, 64, 131);
  const auto tokens = GENERATE(1, 2, 257, 512, 1100);
  CAPTURE(a, b, tokens);
  const auto x = normal_tokens(tokens, a, seed(), 0.5, 3), y = normal_tokens(tokens, b, seed() + 1, -2, 0.1);
  const auto got = moments_of(x, y);
  const auto expected = exact(x, y);
  REQUIRE(got.tokens == tokens);
  REQUIRE(got.moment.rows() == a);
  REQUIRE(got.moment.columns() == b);
  // As for the accumulator: chains of 256 float products, 4 sqrt(256) 2^-24, twice for the factor 2.
  CHECK(worst_error(got, expected) < 0x1p-17);
  for (std::size_t i = 0; i < expected.first_mean.size(); ++i)
    CHECK(static_cast<double>(got.first_mean[i]) == Approx(static_cast<double>(expected.first_mean[i])).epsilon(1e-7));
  for (std::size_t j = 0; j < expected.second_mean.size(); ++j)
    CHECK(static_cast<double>(got.second_mean[j]) ==
          Approx(static_cast<double>(expected.second_mean[j])).epsilon(1e-7));
}

TEST_CASE("cross moments of small integers, against sums in integers", "[calibration]") {
  const std::int64_t tokens = 1024, a = 5, b = 3;
  matrix<float> x(tokens, a), y(tokens, b);
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t c = 0; c < a; ++c) x(t, c) = static_cast<float>((t * t + 3 * c * t + c) % 7 - 3);
    for (std::int64_t c = 0; c < b; ++c) y(t, c) = static_cast<float>((t * (c + 2) + t * t * c) % 11);
  }
  const auto got = moments_of(x, y);
  for (std::int64_t i = 0; i < a; ++i)
    for (std::int64_t j = 0; j < b; ++j) {
      std::int64_t sum = 0;
      for (std::int64_t t = 0; t < tokens; ++t)
        sum += static_cast<std::int64_t>(x(t, i)) * static_cast<std::int64_t>(y(t, j));
      CHECK(got.moment(i, j) == Approx(2.0 * static_cast<double>(sum) / 1024).epsilon(1e-6).margin(1e-5));
    }
}

TEST_CASE("a stream with itself gives the Hessian", "[calibration]") {
  const auto x = normal_tokens(3 * tile + 5, 70, seed(), 4);
  const auto crossed = moments_of(x, x);
  const auto statistics = statistics_of(x);
  const miq::host_executor exec({.threads = 2});
  matrix<float> hessian(70, 70);
  miq::calibration::hessian(exec, statistics.view(), hessian.view());
  for (std::int64_t i = 0; i < 70; ++i)
    for (std::int64_t j = 0; j < 70; ++j) REQUIRE(crossed.moment(i, j) == Approx(hessian(i, j)).epsilon(1e-6));
  CHECK(same_bits(crossed.first_mean, statistics.mean));
}

TEST_CASE("means of 10^4 deviations cost no accuracy between streams", "[calibration]") {
  auto x = normal_tokens(1500, 21, seed(), 1e4), y = normal_tokens(1500, 33, seed() + 1, -1e4);
  for (std::int64_t t = 700; t < 1500; ++t)
    for (std::int64_t c = 0; c < 21; ++c) x(t, c) += 500;
  CHECK(worst_error(moments_of(x, y), exact(x, y)) < 0x1p-17);
}

TEST_CASE("the difference of two close streams keeps its digits", "[calibration]") {
  // y = x + 2^-10 e in steps that float holds exactly, so that the exact moment of the difference is known.
  const std::int64_t tokens = 1200, columns = 19;
  auto x = normal_tokens(tokens, columns, seed(), 30, 2);
  matrix<float> y(tokens, columns), e(tokens, columns);
  miq::random_stream random(seed());
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x.data()[i] = std::round(x.data()[i] * 4096) / 4096;
    e.data()[i] = static_cast<float>(static_cast<double>(random.below(9)) - 3) / 1024;
    y.data()[i] = x.data()[i] + e.data()[i];
  }
  const auto got = moments_of(x, y, 2, {.difference = true});
  const auto expected = exact(x, e);
  CHECK(worst_error(got, expected) < 0x1p-17);
  // The difference of the two moments, each correct to its last digit, is not nearly as good.
  const auto whole = moments_of(x, y), own = moments_of(x, x);
  cross_statistics lost = got;
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) lost.moment(i, j) = whole.moment(i, j) - own.moment(i, j);
  CHECK(worst_error(lost, expected) > 16 * 0x1p-17);
}

TEST_CASE("batches and threads change no bit of the cross moments", "[calibration]") {
  const auto x = normal_tokens(2 * tile + 77, 70, seed(), 100), y = normal_tokens(2 * tile + 77, 9, seed() + 1);
  const auto expected = moments_of(x, y, 1);
  miq::random_stream random(seed());
  for (const int threads : {1, 2, 5}) {
    const miq::host_executor exec({.threads = threads});
    for (const std::uint64_t longest : {std::uint64_t{40}, std::uint64_t{1700}}) {
      cross_moments seen(70, 9);
      for (std::int64_t t = 0; t < x.rows();) {
        const auto count = std::min(x.rows() - t, static_cast<std::int64_t>(1 + random.below(longest)));
        seen.add(exec, x.view().rows_from(t, count), y.view().rows_from(t, count));
        t += count;
        if (random.below(8) == 0) (void)seen.finish(exec);  // looking does not touch
      }
      CHECK(seen.tokens() == x.rows());
      CHECK(same(seen.finish(exec), expected));
    }
  }
}

TEST_CASE("16-bit activations are taken as the floats they stand for", "[calibration]") {
  const auto x = normal_tokens(700, 33, seed()), y = normal_tokens(700, 20, seed() + 1);
  const auto x16 = as<miq::float16>(x);
  const auto y16 = as<miq::bfloat16>(y);
  matrix<float> xf(700, 33), yf(700, 20);
  for (std::int64_t i = 0; i < xf.size(); ++i) xf.data()[i] = x16.data()[i];
  for (std::int64_t i = 0; i < yf.size(); ++i) yf.data()[i] = y16.data()[i];
  const miq::host_executor exec({.threads = 2});
  cross_moments seen(33, 20), mixed(33, 20);
  seen.add(exec, x16.view(), y16.view());
  CHECK(same(seen.finish(exec), moments_of(xf, yf)));
  mixed.add(exec, x16.view(), y.view());
  CHECK(same(mixed.finish(exec), moments_of(xf, y)));
  CHECK_FALSE(same(moments_of(x, y), moments_of(xf, yf)));  // the rounding is there to be seen
}

TEST_CASE("merged cross moments are those of the whole stream", "[calibration]") {
  const auto tokens = GENERATE(2 * tile, 3 * tile + 100, 300);
  const auto cut = GENERATE(tile, 1, 200);
  const auto x = normal_tokens(tokens, 40, seed(), 50), y = normal_tokens(tokens, 70, seed() + 1, -3);
  const miq::host_executor exec({.threads = 2});
  cross_moments left(40, 70), right(40, 70);
  const auto first = std::min<std::int64_t>(cut, tokens - 1);
  left.add(exec, x.view().rows_from(0, first), y.view().rows_from(0, first));
  right.add(exec, x.view().rows_from(first, tokens - first), y.view().rows_from(first, tokens - first));
  auto merged = left;
  merged.merge(exec, right);
  CHECK(merged.tokens() == tokens);
  CHECK(worst_error(merged.finish(exec), exact(x, y)) < 0x1p-17);
  // It goes on, and an empty one changes nothing.
  const auto before = merged.finish(exec);
  merged.merge(exec, cross_moments(40, 70));
  CHECK(same(merged.finish(exec), before));
  cross_moments empty(40, 70);
  empty.merge(exec, merged);
  CHECK(empty.tokens() == tokens);
  merged.add(exec, x, y);
  CHECK(merged.tokens() == 2 * tokens);
  CHECK(same(left.finish(exec), moments_of(x.view().rows_from(0, first), y.view().rows_from(0, first))));
}

TEST_CASE("cross moments reject what they cannot take, and stay as they were", "[calibration]") {
  const miq::host_executor exec({.threads = 2});
  auto x = normal_tokens(600, 7, seed());
  const auto y = normal_tokens(600, 4, seed() + 1);
  cross_moments seen(7, 4);
  CHECK_THROWS_AS(seen.finish(exec), miq::invalid_argument);
  seen.add(exec, x, y);
  const auto before = seen.finish(exec);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity(), 0x1.1p58F}) {
    const float good = x(599, 6);
    x(599, 6) = bad;
    CHECK_THROWS_WITH(seen.add(exec, x, y), contains("first") && contains("token 599") && contains("column 6"));
    CHECK_THROWS_AS(seen.add(exec, x, y), miq::invalid_argument);
    x(599, 6) = good;
  }
  CHECK_THROWS_WITH(seen.add(exec, x, x), contains("second must be [600, 4], got [600, 7]"));
  CHECK_THROWS_WITH(seen.add(exec, y, y), contains("first must be [tokens, 7]"));
  CHECK_THROWS_AS(seen.add(exec, x, y.view().rows_from(0, 599)), miq::invalid_argument);
  CHECK_THROWS_AS(seen.merge(exec, seen), miq::invalid_argument);
  CHECK_THROWS_WITH(seen.merge(exec, cross_moments(7, 5)), contains("[7, 4], got [7, 5]"));
  CHECK(same(seen.finish(exec), before));
  CHECK_THROWS_AS(cross_moments(0, 4), miq::invalid_argument);
  CHECK_THROWS_WITH(cross_moments(3, 4, {.difference = true}), contains("3 and 4"));
  cross_moments difference(7, 7, {.difference = true});
  CHECK_THROWS_WITH(difference.merge(exec, cross_moments(7, 7)), contains("difference"));
}
