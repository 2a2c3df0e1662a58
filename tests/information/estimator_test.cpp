// What holds for every estimator, each at its own place in one table.
#include <miq/information/estimator.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <miq/core/random.hpp>

#include "test_support/catch.hpp"

using namespace miq::information;
using namespace miq_test;

namespace {

const miq::host_executor two({.threads = 2});

struct estimator_case {
  const char* name;
  estimator_options options;
  double noise;         ///< a bound on |estimate| of independent channels at 500 tokens, with many deviations of room
  bool matrix_is_list;  ///< the same bits from the matrix, the list and the pair
  bool permutation_to_bit;  ///< the same bits for permuted tokens
  bool monotone;            ///< unchanged, to the bit, by increasing maps
  double affine = 2e-4;     ///< what affine maps may change; a value on the edge of a bin may change sides
};

const estimator_case cases[] = {
    {"correlation", correlation_options{}, 0.05, false, false, false},
    {"rank_correlation", rank_correlation_options{}, 0.05, false, false, true},
    {"histogram", histogram_options{.bins = 6}, 0.09, true, true, false, 0.03},
    {"histogram", histogram_options{.edges = bin_edges::equal_frequency, .bins = 6}, 0.09, true, true, true},
    {"histogram", histogram_options{.bins = 6, .estimator = entropy_estimator::miller_madow}, 0.07, true, true, false,
     0.03},
    {"histogram", histogram_options{.bins = 6, .estimator = entropy_estimator::james_stein}, 0.07, true, true, false,
     0.03},
    {"knn", knn_options{}, 0.25, true, true, false},
    {"knn", knn_options{.neighbours = 4, .variant = ksg_variant::second}, 0.25, true, true, false},
    {"kde", kde_options{}, 0.25, false, false, false},
};

/// Dependent in several ways: linear, by squares, rectified (half zeros), discrete, heavy-tailed, independent.
miq::matrix<float> channels(std::int64_t tokens, miq::random_stream& random) {
  miq::matrix<float> x(tokens, 7);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double a = random.normal(), b = random.normal();
    x(t, 0) = static_cast<float>(a);
    x(t, 1) = static_cast<float>(0.8 * a + 0.6 * b);
    x(t, 2) = static_cast<float>(a * a + 0.3 * b);
    x(t, 3) = static_cast<float>(std::max(a + 0.5 * random.normal(), 0.0));
    x(t, 4) = static_cast<float>(std::floor(2 * b));
    x(t, 5) = static_cast<float>(random.normal() / (std::abs(b) + 0.05));
    x(t, 6) = static_cast<float>(random.normal());
  }
  return x;
}

miq::matrix<float> information_of(const miq::matrix<float>& x, const estimator_options& estimator, int threads = 2) {
  miq::matrix<float> mi(x.columns(), x.columns(), -7.0F);
  mutual_information(miq::host_executor({.threads = threads}), x.view(), mi.view(), estimator);
  return mi;
}

bool same_bits(const miq::matrix<float>& a, const miq::matrix<float>& b) {
  return std::equal(a.data(), a.data() + a.size(), b.data(), b.data() + b.size());
}

double furthest(const miq::matrix<float>& a, const miq::matrix<float>& b) {
  double most = 0;
  for (std::int64_t k = 0; k < a.size(); ++k)
    most = std::max(most, std::abs(static_cast<double>(a.data()[k]) - static_cast<double>(b.data()[k])));
  return most;
}

}  // namespace

TEST_CASE("every estimator: symmetry, threads, and the three entries", "[estimator]") {
  miq::random_stream random(seed());
  const auto x = channels(409, random);
  for (const auto& each : cases) {
    INFO(each.name << ", case " << &each - cases);
    CHECK(std::string(name_of(each.options)) == each.name);
    const auto mi = information_of(x, each.options, 1);
    CHECK(same_bits(mi, information_of(x, each.options, 2)));
    CHECK(same_bits(mi, information_of(x, each.options, 5)));
    std::vector<channel_pair> pairs;
    for (std::int64_t i = 0; i < 7; ++i) {
      CHECK(mi(i, i) == 0.0F);
      for (std::int64_t j = 0; j < 7; ++j) {
        CHECK(mi(i, j) == mi(j, i));
        pairs.push_back({i, j});
      }
    }
    std::vector<float> listed(pairs.size());
    mutual_information(two, x.view(), pairs, miq::vector_view<float>(listed), each.options);
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      const auto [i, j] = pairs[p];
      INFO("channels " << i << " and " << j);
      if (each.matrix_is_list)
        CHECK(listed[p] == mi(i, j));
      else
        CHECK(listed[p] == Approx(mi(i, j)).epsilon(1e-4).margin(1e-5));
      if (i == j) continue;
      std::vector<float> a, b;
      for (std::int64_t t = 0; t < x.rows(); ++t) {
        a.push_back(x(t, i));
        b.push_back(x(t, j));
      }
      const miq::vector_view<const float> va(a), vb(b);
      const double one = mutual_information(two, va, vb, each.options);
      CHECK(static_cast<float>(one) == listed[p]);
      CHECK(one == mutual_information(two, vb, va, each.options));
    }
  }
}

TEST_CASE("every estimator: independent channels near 0, constant ones at 0, equal ones at most", "[estimator]") {
  miq::random_stream random(seed());
  auto x = channels(500, random);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    x(t, 4) = 0.1F;     // constant, not exact in binary
    x(t, 2) = x(t, 0);  // equal
  }
  for (const auto& each : cases) {
    INFO(each.name << ", case " << &each - cases);
    miq::matrix<float> mi(7, 7, -7.0F);
    const auto result = mutual_information(two, x.view(), mi.view(), each.options);
    CHECK(common_result(result).constant == 1);
    for (std::int64_t c = 0; c < 7; ++c) CHECK(mi(c, 4) == 0.0F);
    CHECK(std::abs(mi(0, 6)) < each.noise);
    CHECK(std::abs(mi(5, 6)) < each.noise + 0.1F);
    CHECK(std::isfinite(mi(0, 2)));
    for (std::int64_t c = 0; c < 7; ++c)
      if (c != 0 && c != 2) CHECK(mi(0, 2) > mi(0, c));
    CHECK(mi(0, 2) > 1.0F);
  }
}

TEST_CASE("every estimator: affine maps, increasing maps, permuted tokens", "[estimator]") {
  miq::random_stream random(seed());
  auto x = channels(401, random);
  for (std::int64_t k = 0; k < x.size(); ++k)  // few enough bits that maps are exact
    x.data()[k] = std::round(std::clamp(x.data()[k], -30.0F, 30.0F) * 64) / 64;
  miq::matrix<float> affine(401, 7), mapped(401, 7), shuffled(401, 7);
  std::vector<std::int64_t> order(401);
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[random.below(k)]);
  for (std::int64_t t = 0; t < 401; ++t)
    for (std::int64_t c = 0; c < 7; ++c) {
      affine(t, c) = (c % 2 == 0 ? 4.0F : 0.125F) * x(t, c) + 16;
      mapped(t, c) = x(t, c) * std::abs(x(t, c));
      shuffled(t, c) = x(order[static_cast<std::size_t>(t)], c);
    }
  for (const auto& each : cases) {
    INFO(each.name << ", case " << &each - cases);
    const auto mi = information_of(x, each.options);
    CHECK(furthest(mi, information_of(affine, each.options)) < each.affine);
    if (each.permutation_to_bit)
      CHECK(same_bits(mi, information_of(shuffled, each.options)));
    else
      CHECK(furthest(mi, information_of(shuffled, each.options)) < 1e-4);
    if (each.monotone) CHECK(same_bits(mi, information_of(mapped, each.options)));
  }
}

TEST_CASE("every estimator: many ties give finite values without large negatives", "[estimator]") {
  miq::random_stream random(seed());
  miq::matrix<float> x(600, 4);
  for (std::int64_t t = 0; t < 600; ++t) {
    const double a = random.normal();
    x(t, 0) = static_cast<float>(std::max(a, 0.0));
    x(t, 1) = static_cast<float>(std::max(0.9 * a + 0.4 * random.normal(), 0.0));
    x(t, 2) = static_cast<float>(random.below(2));
    x(t, 3) = random.below(100) == 0 ? 1.0F : 0.0F;  // nearly constant
  }
  for (const auto& each : cases) {
    INFO(each.name << ", case " << &each - cases);
    const auto mi = information_of(x, each.options);
    for (std::int64_t k = 0; k < mi.size(); ++k) {
      CHECK(std::isfinite(mi.data()[k]));
      CHECK(mi.data()[k] > -0.5F);
    }
    CHECK(mi(0, 1) > 0.2F);
  }
}

TEST_CASE("every estimator: bad samples are refused by the name of the channel", "[estimator]") {
  miq::random_stream random(seed());
  auto x = channels(100, random);
  for (const auto& each : cases) {
    INFO(each.name << ", case " << &each - cases);
    miq::matrix<float> mi(7, 7, -7.0F);
    const auto untouched = [&] {
      return std::all_of(mi.data(), mi.data() + mi.size(), [](float v) { return v == -7.0F; });
    };
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      const float before = x(31, 5);
      x(31, 5) = bad;
      CHECK_THROWS_WITH(mutual_information(two, x.view(), mi.view(), each.options), contains("channel 5 at token 31"));
      x(31, 5) = before;
    }
    CHECK_THROWS_AS(mutual_information(two, x.view().rows_from(0, 1), mi.view(), each.options), miq::invalid_argument);
    CHECK_THROWS_AS(mutual_information(two, x.view().rows_from(0, 0), mi.view(), each.options), miq::invalid_argument);
    CHECK(untouched());
    CHECK_THROWS_AS(
        mutual_information(two, x.view(), mi.view(), each.options, [](std::string_view, double) { return false; }),
        miq::cancelled);
  }
}

TEST_CASE("entropies belong to the estimator", "[estimator]") {
  miq::random_stream random(seed());
  miq::matrix<float> x(4000, 2);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    x(t, 0) = static_cast<float>(2 * random.normal());
    x(t, 1) = -3;
  }
  const double exact = 0.5 * std::log(2 * 3.14159265358979 * 2.71828182845905 * 4);
  const auto entropies_by = [&](const estimator_options& estimator) {
    std::vector<float> h(2);
    entropies(two, x.view(), miq::vector_view<float>(h), estimator);
    return h;
  };
  for (const auto& each :
       {estimator_options(correlation_options{}), estimator_options(knn_options{}), estimator_options(kde_options{})}) {
    INFO(name_of(each));
    CHECK(entropies_of(each) == entropy_kind::differential);
    const auto h = entropies_by(each);
    CHECK(static_cast<double>(h[0]) == Approx(exact).margin(0.1));
    CHECK(h[1] == -std::numeric_limits<float>::infinity());
  }
  CHECK(entropies_of(histogram_options{}) == entropy_kind::discrete);
  const auto h = entropies_by(histogram_options{});
  CHECK((h[0] > 0 && h[0] < std::log(16.0F)));
  CHECK(h[1] == 0.0F);
  CHECK(entropies_of(rank_correlation_options{}) == entropy_kind::none);
  CHECK_THROWS_WITH(entropies_by(rank_correlation_options{}), contains("rank_correlation has none"));
}
