// `rank_correlation` of the device on the host: the same steps on a machine of plain loops, on one lane and on threads,
// against the definition in double and the host.
#include <miq/information/detail/rank_correlation/schedule.hpp>

#include <cstring>
#include <limits>

#include "information/support.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using namespace miq::information;
using namespace miq_test;
namespace body = miq::information::detail;
using miq::matrix;
using miq::matrix_view;

constexpr float nonsense = -7.0F;
constexpr float limit = 0.999999F;

struct outcome {
  matrix<float> mi;
  rank_correlation_result result;
};

/// `pieces`: sorts so many channels at a time, 0 as many as fit.
outcome run_all(matrix_view<const float> x, std::int32_t lanes = 0, std::int64_t pieces = 0) {
  const auto c = x.columns();
  outcome out{matrix<float>(c, c + 3, nonsense), {}};
  out.result.few_tokens = x.rows() < 100;
  body::rank_plan plan(x.rows(), c, true);
  if (pieces > 0) plan.sorting.channels_at_once = pieces;
  const nonsense_memory block(plan.layout);
  const host_machine machine(lanes);
  body::rank_correlation_of_all(machine, plan, block, x, matrix_view<float>(out.mi.data(), c, c, c + 3), limit,
                                &out.result);
  for (std::int64_t i = 0; i < c; ++i) {
    REQUIRE(out.mi(i, i) == 0.0F);
    for (std::int64_t j = 0; j < i; ++j) REQUIRE(std::memcmp(&out.mi(i, j), &out.mi(j, i), sizeof(float)) == 0);
    for (std::int64_t j = c; j < c + 3; ++j) REQUIRE(out.mi(i, j) == nonsense);
  }
  return out;
}

std::vector<float> run_list(matrix_view<const float> x, const std::vector<channel_pair>& pairs, std::int32_t lanes,
                            rank_correlation_result& result) {
  const body::rank_plan plan(x.rows(), x.columns(), false);
  const nonsense_memory block(plan.layout);
  const host_machine machine(lanes);
  std::vector<float> mi(pairs.size(), nonsense);
  body::rank_correlation_of_list(machine, plan, block, x, miq::vector_view<const channel_pair>(pairs),
                                 miq::vector_view<float>(mi), limit, &result);
  return mi;
}

/// The quantile of the normal distribution by bisection of its distribution function.
double quantile(double p) {
  double low = -10, high = 10;
  for (int k = 0; k < 80; ++k) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// Scores of the mean ranks of a channel, counted pair by pair.
std::vector<double> define_scores(matrix_view<const float> x, std::int64_t c) {
  std::vector<double> out;
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    double below = 0, equal = 0;
    for (std::int64_t s = 0; s < x.rows(); ++s) {
      below += x(s, c) < x(t, c);
      equal += x(s, c) == x(t, c);
    }
    out.push_back(quantile((below + (equal + 1) / 2) / (static_cast<double>(x.rows()) + 1)));
  }
  return out;
}

double define_information(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double mean_a = 0, mean_b = 0;
  for (std::size_t t = 0; t < a.size(); ++t) {
    mean_a += a[t] / n;
    mean_b += b[t] / n;
  }
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t t = 0; t < a.size(); ++t) {
    aa += (a[t] - mean_a) * (a[t] - mean_a);
    bb += (b[t] - mean_b) * (b[t] - mean_b);
    ab += (a[t] - mean_a) * (b[t] - mean_b);
  }
  if (aa < 1e-20 || bb < 1e-20) return 0;
  const auto most = static_cast<double>(limit) * static_cast<double>(limit);
  return -0.5 * std::log1p(-std::min(ab * ab / (aa * bb), most));
}

/// Whether information is that of a correlation within rounding of the expected one's. Scores and sums are in float: at
/// most 1024 products in a row, 2^-14 at worst, as a random walk 2^-19, four of which are allowed. Near a correlation
/// of 1 that is much in nats.
bool close(double got, double expected) {
  const auto information = [](double rho) {
    rho = std::clamp(rho, 0.0, static_cast<double>(limit));
    return -0.5 * std::log1p(-rho * rho);
  };
  const double rho = std::sqrt(-std::expm1(-2 * expected));
  const double slack = 0x1p-40 + 0x1p-22 * expected;
  return got >= information(rho - 0x1p-17) - slack && got <= information(rho + 0x1p-17) + slack;
}

matrix<float> mixed_channels(std::int64_t tokens, std::int64_t channels) {
  auto x = normal_tokens(tokens, channels, seed());
  for (std::int64_t t = 0; t < tokens; ++t) {
    if (channels > 1) x(t, 1) = std::max(x(t, 1), 0.0F);
    if (channels > 2) x(t, 2) = 3;
    if (channels > 3) x(t, 3) = std::floor(2 * x(t, 3));
    if (channels > 5) x(t, 5) = std::exp(x(t, 0));           // an increasing map of channel 0
    if (channels > 7) x(t, 7) = x(t, 7) > 0 ? 0.0F : -0.0F;  // one value
  }
  return x;
}

void check_all(matrix_view<const float> x, const outcome& got) {
  std::vector<std::vector<double>> scores;
  for (std::int64_t c = 0; c < x.columns(); ++c) scores.push_back(define_scores(x, c));
  matrix<float> host(x.columns(), x.columns());
  const auto expected = rank_correlation(miq::host_executor({.threads = 1}), x, host.view());
  CHECK(got.result.constant == expected.constant);
  CHECK(got.result.tied == expected.tied);
  CHECK(got.result.few_tokens == expected.few_tokens);
  CHECK(got.result.not_finite == 0);
  // A pair whose correlation lies within rounding of the limit may be clamped or not: exp has a few ties in float.
  const double most = -0.5 * std::log1p(-static_cast<double>(limit) * static_cast<double>(limit));
  std::int64_t perhaps = 0;
  for (std::int64_t i = 0; i < x.columns(); ++i)
    for (auto j = i + 1; j < x.columns(); ++j) {
      CAPTURE(i, j, got.mi(i, j), host(i, j));
      const auto value = define_information(scores[static_cast<std::size_t>(i)], scores[static_cast<std::size_t>(j)]);
      perhaps += close(most, value);
      REQUIRE(close(static_cast<double>(got.mi(i, j)), value));
      REQUIRE(close(static_cast<double>(got.mi(i, j)), static_cast<double>(host(i, j))));
    }
  CHECK(got.result.clamped <= perhaps);
}

}  // namespace

TEST_CASE("the device's rank correlation gives the definition", "[rank][body]") {
  const auto tokens = GENERATE(2, 3, 9, 31, 32, 33, 97, 300);
  const auto channels = GENERATE(1, 2, 9, 31, 33);
  const auto x = mixed_channels(tokens, channels);
  check_all(x, run_all(x));
}

TEST_CASE("the device's rank correlation has more than one chain of tokens", "[rank][body]") {
  const auto tokens = GENERATE(1023, 1024, 1025, 2100);
  const auto x = mixed_channels(tokens, 6);
  check_all(x, run_all(x));
}

TEST_CASE("the device's rank correlation has more than one panel", "[rank][body]") {
  const auto channels = GENERATE(512, 513, 530);
  const auto x = mixed_channels(10, channels);
  const auto got = run_all(x);
  matrix<float> host(channels, channels);
  const auto expected = rank_correlation(miq::host_executor({.threads = 1}), x, host.view());
  CHECK(got.result.constant == expected.constant);
  CHECK(got.result.tied == expected.tied);
  for (std::int64_t i = 0; i < channels; ++i)
    for (auto j = i + 1; j < channels; ++j) {
      const auto value = static_cast<double>(host(i, j));
      if (!close(static_cast<double>(got.mi(i, j)), value))
        FAIL("pair " << i << " " << j << ": " << got.mi(i, j) << " " << value);
    }
}

TEST_CASE("the device's rank correlation on threads gives the same bits, and increasing maps change none",
          "[rank][body]") {
  auto x = mixed_channels(70, 9);
  const auto one = run_all(x), eight = run_all(x, 8);
  CHECK(same_bits(one.mi.view(), eight.mi.view()));
  CHECK(one.result.tied == eight.result.tied);
  CHECK(same_bits(one.mi.view(), run_all(x, 0, GENERATE(1, 2, 4)).mi.view()));
  CHECK(one.result.constant == eight.result.constant);
  const std::vector<channel_pair> pairs{{0, 1}, {6, 3}, {4, 4}, {8, 0}, {2, 1}};
  rank_correlation_result a, b;
  CHECK(same_bits(run_list(x, pairs, 0, a), run_list(x, pairs, 8, b)));
  for (std::int64_t t = 0; t < 70; ++t) x(t, 4) = std::exp(x(t, 4));
  CHECK(same_bits(one.mi.view(), run_all(x).mi.view()));
}

TEST_CASE("listed pairs of the device's rank correlation", "[rank][body]") {
  const auto x = mixed_channels(200, 9);
  std::vector<channel_pair> pairs;
  for (std::int64_t i = 0; i < 9; ++i)
    for (std::int64_t j = 0; j < 9; ++j) pairs.push_back({i, j});
  pairs.push_back({0, 9});
  pairs.push_back({-1, 0});
  rank_correlation_result result;
  const auto got = run_list(x, pairs, 0, result);
  for (std::size_t p = 0; p < 81; ++p) {
    const auto [i, j] = pairs[p];
    const auto value = i == j ? 0 : define_information(define_scores(x, i), define_scores(x, j));
    REQUIRE(close(static_cast<double>(got[p]), value));
    REQUIRE(got[p] == got[static_cast<std::size_t>(j * 9 + i)]);
  }
  CHECK((std::isnan(got[81]) && std::isnan(got[82])));
  CHECK(result.constant == 2);
  CHECK(result.clamped == 2);  // channels 0 and 5, either way round
}

TEST_CASE("channels that are not finite are counted, and NaN in the device's rank correlation", "[rank][body]") {
  auto x = mixed_channels(100, 10);
  x(50, 4) = std::numeric_limits<float>::quiet_NaN();
  x(99, 2) = -std::numeric_limits<float>::infinity();
  const auto got = run_all(x, GENERATE(0, 8));
  CHECK(got.result.not_finite == 2);
  CHECK(got.result.constant == 1);
  auto clean = x;
  for (const std::int64_t c : {2, 4})
    for (std::int64_t t = 0; t < 100; ++t) clean(t, c) = 1;
  const auto expected = run_all(clean);
  for (std::int64_t i = 0; i < 10; ++i)
    for (std::int64_t j = i + 1; j < 10; ++j) {
      const bool bad = i == 2 || i == 4 || j == 2 || j == 4;
      REQUIRE(std::isnan(got.mi(i, j)) == bad);
      if (!bad) REQUIRE(got.mi(i, j) == expected.mi(i, j));
    }
}

TEST_CASE("sorted channels come in pieces that fit", "[rank][body]") {
  for (const std::int64_t tokens : {2, 10'000, 1 << 24, (1 << 24) + 1, (1 << 30) - 1})
    for (const std::int64_t channels : {1, 13824, 28672}) {
      const body::rank_plan plan(tokens, channels, true);
      REQUIRE(plan.sorting.channels_at_once >= 1);
      REQUIRE(plan.sorting.channels_at_once <= channels);
      REQUIRE(plan.sorting.channels_at_once * tokens <= std::max<std::int64_t>(tokens, std::int64_t{1} << 24));
      REQUIRE(plan.leading % 4 == 0);
      REQUIRE(plan.layout.bytes() > 4 * channels * tokens);
    }
}
