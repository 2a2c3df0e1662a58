#include <miq/information/histogram.hpp>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include <miq/core/random.hpp>

#include "histogram_reference.hpp"
#include "histogram_rules.hpp"
#include "reference_channels.hpp"
#include "test_support/catch.hpp"

using namespace miq::information;
using namespace miq_test;

namespace {

const miq::host_executor two({.threads = 2});
const float nan_value = std::numeric_limits<float>::quiet_NaN();

miq::vector_view<const float> row_of(const miq::matrix<float>& m, std::int64_t r) { return m.view().row(r); }

miq::matrix<float> transposed(const miq::matrix<float>& m) {
  miq::matrix<float> out(m.columns(), m.rows());
  for (std::int64_t r = 0; r < m.rows(); ++r)
    for (std::int64_t c = 0; c < m.columns(); ++c) out(c, r) = m(r, c);
  return out;
}

/// Channels with whole-number values 0 to `levels` - 1 that depend on each other: those are their bins.
miq::matrix<float> leveled_channels(std::int64_t tokens, const std::vector<int>& levels, miq::random_stream& random) {
  miq::matrix<float> x(tokens, static_cast<std::int64_t>(levels.size()));
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double shared = random.uniform();
    for (std::int64_t c = 0; c < x.columns(); ++c) {
      const auto n = levels[static_cast<std::size_t>(c)];
      const double u = random.below(2) == 0 ? shared : random.uniform();
      x(t, c) = std::floor(static_cast<float>(u) * static_cast<float>(n));
      if (t == 0) x(t, c) = 0;
      if (t == 1) x(t, c) = static_cast<float>(n - 1);  // so that the range is known
    }
  }
  return x;
}

/// H(X) + H(Y) - H(X, Y) from the definition, for values that are their own bins.
double counted_information(const miq::matrix<float>& x, std::int64_t i, std::int64_t j) {
  std::map<std::pair<float, float>, int> joint;
  std::map<float, int> of_x, of_y;
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    ++joint[{x(t, i), x(t, j)}];
    ++of_x[x(t, i)];
    ++of_y[x(t, j)];
  }
  double sum = 0;
  for (const auto& [cell, n] : joint) {
    const double p = static_cast<double>(n) / static_cast<double>(x.rows());
    sum += p * std::log(p * static_cast<double>(x.rows()) * static_cast<double>(x.rows()) /
                        (static_cast<double>(of_x[cell.first]) * of_y[cell.second]));
  }
  return sum;
}

}  // namespace

TEST_CASE("histogram information and entropies are NumPy's and scikit-learn's", "[histogram]") {
  const auto x = reference_channels();
  for (const auto& expected : histogram_reference)
    for (const auto how :
         {entropy_estimator::plug_in, entropy_estimator::miller_madow, entropy_estimator::james_stein}) {
      auto options = options_of(expected.rule);
      options.estimator = how;
      INFO("rule " << expected.rule << ", estimator " << static_cast<int>(how));
      miq::matrix<float> mi(5, 5, -1.0F);
      const auto result = histogram(two, x.view(), mi.view(), options);
      CHECK(result.most_bins == *std::max_element(std::begin(expected.bins), std::end(expected.bins)));
      CHECK(result.constant == 0);
      std::vector<float> entropies(5);
      histogram_entropy(two, x.view(), entropies, options);
      int pair = 0;
      for (std::int64_t i = 0; i < 5; ++i) {
        CHECK(static_cast<double>(entropies[static_cast<std::size_t>(i)]) ==
              Approx(expected.entropies[i][static_cast<int>(how)]).epsilon(1e-7));
        CHECK(mi(i, i) == 0.0F);
        for (std::int64_t j = i + 1; j < 5; ++j, ++pair) {
          CHECK(static_cast<double>(mi(i, j)) ==
                Approx(expected.information[pair][static_cast<int>(how)]).epsilon(1e-7).margin(1e-9));
          CHECK(mi(i, j) == mi(j, i));
        }
      }
    }
}

TEST_CASE("every way of counting gives the counts", "[histogram]") {
  // Few cells are counted in four tables, many in one that is not read through.
  miq::random_stream random(seed());
  const auto tokens = GENERATE(2, 3, 63, 64, 65, 511, 512, 513, 1021);
  std::vector<int> levels = {2, 3, 6, 7, 16, 26, 27, 32, 33, 64, 65, 255, 256};
  const auto x = leveled_channels(tokens, levels, random);
  for (std::int64_t i = 0; i < x.columns(); ++i)
    for (std::int64_t j = 0; j < x.columns(); ++j) {
      if (i == j) continue;
      // 256 bins over 0 ... n - 1 keep different whole numbers apart.
      miq::matrix<float> two_channels(2, tokens);
      for (std::int64_t t = 0; t < tokens; ++t) {
        two_channels(0, t) = x(t, i);
        two_channels(1, t) = x(t, j);
      }
      const double got = histogram(two, row_of(two_channels, 0), row_of(two_channels, 1), {.bins = 256});
      INFO(tokens << " tokens, " << levels[static_cast<std::size_t>(i)] << " and "
                  << levels[static_cast<std::size_t>(j)] << " levels");
      CHECK(got == Approx(counted_information(x, i, j)).epsilon(1e-11).margin(1e-12));
      CHECK(got == histogram(two, row_of(two_channels, 1), row_of(two_channels, 0), {.bins = 256}));
    }
}

TEST_CASE("pair, list and matrix agree to the bit, whatever the threads", "[histogram]") {
  miq::random_stream random(seed());
  const auto channels = GENERATE(1, 2, 31, 33, 67);
  std::vector<int> levels;
  for (int c = 0; c < channels; ++c) levels.push_back(1 + static_cast<int>(random.below(40)));
  const auto x = leveled_channels(701, levels, random);
  const auto how = GENERATE(entropy_estimator::plug_in, entropy_estimator::james_stein);
  const histogram_options options{.bins = 20, .estimator = how};
  miq::matrix<float> mi(channels, channels, -1.0F);
  const auto result = histogram(miq::host_executor({.threads = 1}), x.view(), mi.view(), options);
  for (const int threads : {2, 5}) {
    miq::matrix<float> again(channels, channels, -1.0F);
    const auto same = histogram(miq::host_executor({.threads = threads}), x.view(), again.view(), options);
    CHECK(std::equal(mi.data(), mi.data() + mi.size(), again.data()));
    CHECK(same.negative == result.negative);
    CHECK(same.constant == result.constant);
  }
  std::vector<channel_pair> pairs;
  for (std::int64_t i = 0; i < channels; ++i)
    for (std::int64_t j = 0; j < channels; ++j)
      if (random.below(3) == 0) pairs.push_back({i, j});
  std::vector<float> listed(pairs.size());
  histogram(two, x.view(), pairs, listed, options);
  const auto rows = transposed(x);
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    const auto [i, j] = pairs[p];
    CHECK(listed[p] == mi(i, j));
    if (i != j) CHECK(static_cast<float>(histogram(two, row_of(rows, i), row_of(rows, j), options)) == listed[p]);
  }
}

TEST_CASE("tiles of channels count what pairs count", "[histogram]") {
  // More than a tile of channels; runs of tokens longer than the adders' sums; few and many codes, some too many for
  // tiles.
  miq::random_stream random(seed());
  const auto [channels, tokens] = GENERATE(std::pair{300, 5003}, std::pair{266, 31}, std::pair{530, 32});
  std::vector<int> levels;
  for (int c = 0; c < channels; ++c) {
    const int kinds[] = {1, 2, 3, 4, 5, 8, 9, 16, 17, 33, 64, 65, 100};
    levels.push_back(kinds[random.below(13)]);
  }
  const auto x = leveled_channels(tokens, levels, random);
  miq::matrix<float> mi(channels, channels);
  for (const auto how : {entropy_estimator::plug_in, entropy_estimator::miller_madow}) {
    const histogram_options options{.bins = 256, .estimator = how};
    histogram(two, x.view(), mi.view(), options);
    std::vector<channel_pair> pairs;
    for (std::int64_t i = 0; i < channels; ++i)
      for (std::int64_t j = i + 1; j < channels; ++j)
        if (random.below(4) == 0) pairs.push_back({i, j});
    std::vector<float> listed(pairs.size());
    histogram(two, x.view(), pairs, listed, options);
    std::int64_t different = 0;
    for (std::size_t p = 0; p < pairs.size(); ++p) different += listed[p] != mi(pairs[p].first, pairs[p].second);
    CHECK(different == 0);
    std::int64_t asymmetric = 0;
    for (std::int64_t i = 0; i < channels; ++i)
      for (std::int64_t j = 0; j < channels; ++j) asymmetric += mi(i, j) != mi(j, i);
    CHECK(asymmetric == 0);
  }
}

TEST_CASE("a relabelled channel has the entropy for information, a constant one nothing", "[histogram]") {
  miq::random_stream random(seed());
  const auto levels = GENERATE(2, 5, 16, 40, 200);
  auto x = leveled_channels(3001, {levels, levels, levels, 1}, random);
  std::vector<int> relabelled(static_cast<std::size_t>(levels));
  std::iota(relabelled.begin(), relabelled.end(), 0);
  for (std::size_t k = relabelled.size(); k > 1; --k) std::swap(relabelled[k - 1], relabelled[random.below(k)]);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    x(t, 1) = x(t, 0);
    x(t, 2) = static_cast<float>(relabelled[static_cast<std::size_t>(x(t, 0))]);
    x(t, 3) = -7;
  }
  miq::matrix<float> mi(4, 4);
  std::vector<float> entropies(4);
  const histogram_options options{.bins = 256};
  const auto result = histogram(two, x.view(), mi.view(), options);
  histogram_entropy(two, x.view(), entropies, options);
  CHECK(mi(0, 1) == entropies[0]);
  CHECK(mi(0, 2) == entropies[0]);
  CHECK(entropies[1] == entropies[0]);
  CHECK(entropies[2] == entropies[0]);
  CHECK(entropies[3] == 0.0F);
  for (std::int64_t c = 0; c < 3; ++c) CHECK(mi(c, 3) == 0.0F);
  CHECK(result.constant == 1);
}

TEST_CASE("neither the order of tokens nor an affine map matters", "[histogram]") {
  miq::random_stream random(seed());
  miq::matrix<float> x(997, 3), shuffled(997, 3), mapped(997, 3);
  for (std::int64_t k = 0; k < x.size(); ++k)
    x.data()[k] = static_cast<float>(random.below(1024) + (k % 3 == 0 ? 0 : random.below(300))) / 1024;
  std::vector<std::int64_t> order(997);
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[random.below(k)]);
  for (std::int64_t t = 0; t < 997; ++t)
    for (std::int64_t c = 0; c < 3; ++c) {
      shuffled(t, c) = x(order[static_cast<std::size_t>(t)], c);
      mapped(t, c) = 4 * x(t, c) - 8;  // exact in float
    }
  for (const auto how : {entropy_estimator::plug_in, entropy_estimator::miller_madow, entropy_estimator::james_stein})
    for (const auto edges : {bin_edges::equal_width, bin_edges::equal_frequency}) {
      miq::matrix<float> a(3, 3), b(3, 3), c(3, 3);
      const histogram_options options{.edges = edges, .estimator = how};
      histogram(two, x.view(), a.view(), options);
      histogram(two, shuffled.view(), b.view(), options);
      histogram(two, mapped.view(), c.view(), options);
      CHECK(std::equal(a.data(), a.data() + 9, b.data()));
      CHECK(std::equal(a.data(), a.data() + 9, c.data()));
    }
  // Any increasing map keeps equal-frequency bins.
  for (std::int64_t k = 0; k < x.size(); ++k) mapped.data()[k] = x.data()[k] * x.data()[k];  // 22 bits: exact
  miq::matrix<float> a(3, 3), b(3, 3);
  histogram(two, x.view(), a.view(), {.edges = bin_edges::equal_frequency});
  histogram(two, mapped.view(), b.view(), {.edges = bin_edges::equal_frequency});
  CHECK(std::equal(a.data(), a.data() + 9, b.data()));
}

TEST_CASE("histogram information converges to closed forms", "[histogram]") {
  miq::random_stream random(seed());
  struct study {
    const char* name;
    double nats;
    void (*draw)(miq::random_stream&, double&, double&);
    double small, large;  ///< tolerated at 10^4 tokens and 16 bins, and at 10^6 and 100; cells that the edge of a
                          ///< density cuts cost about 1 / bins
  };
  const study studies[] = {{"Gaussian, 0.5", 0.143841036,
                            [](miq::random_stream& r, double& x, double& y) {
                              x = r.normal();
                              y = 0.5 * x + std::sqrt(0.75) * r.normal();
                            },
                            0.03, 0.01},
                           {"Gaussian, 0.9", 0.830365603,
                            [](miq::random_stream& r, double& x, double& y) {
                              x = r.normal();
                              y = 0.9 * x + std::sqrt(0.19) * r.normal();
                            },
                            0.1, 0.02},
                           {"uniform with noise of 0.75", 0.333333333,
                            [](miq::random_stream& r, double& x, double& y) {
                              x = r.uniform();
                              y = x + 1.5 * r.uniform() - 0.75;
                            },
                            0.1, 0.025},
                           {"discrete and uniform", 1.054920168,
                            [](miq::random_stream& r, double& x, double& y) {
                              x = static_cast<double>(r.below(5));
                              y = x + 2 * r.uniform();
                            },
                            0.12, 0.03}};
  for (const auto& [name, nats, draw, small, large] : studies) {
    const auto error_at = [&, draw = draw, nats = nats](std::int64_t tokens, int bins) {
      miq::matrix<float> x(2, tokens);
      for (std::int64_t t = 0; t < tokens; ++t) {
        double a = 0, b = 0;
        draw(random, a, b);
        x(0, t) = static_cast<float>(a);
        x(1, t) = static_cast<float>(b);
      }
      return std::abs(
          histogram(two, row_of(x, 0), row_of(x, 1),
                    {.edges = bin_edges::equal_frequency, .bins = bins, .estimator = entropy_estimator::miller_madow}) -
          nats);
    };
    INFO(name);
    CHECK(error_at(10'000, 16) < small);
    CHECK(error_at(1'000'000, 100) < large);
  }
}

TEST_CASE("independent channels show the bias that theory gives, and corrections take it away", "[histogram]") {
  miq::random_stream random(seed());
  const std::int64_t tokens = 1000, channels = 40;
  miq::matrix<float> x(tokens, channels), mi(channels, channels);
  for (std::int64_t k = 0; k < x.size(); ++k) x.data()[k] = static_cast<float>(random.uniform());
  const auto mean = [&](entropy_estimator how) {
    histogram(two, x.view(), mi.view(), {.edges = bin_edges::equal_frequency, .estimator = how});
    return std::accumulate(mi.data(), mi.data() + mi.size(), 0.0) / static_cast<double>(channels * (channels - 1));
  };
  // 225 / 2000 by the chi-square limit; 4 tokens a cell are few enough for the next term to show.
  CHECK(mean(entropy_estimator::plug_in) == Approx(0.1125).margin(0.02));
  CHECK(std::abs(mean(entropy_estimator::miller_madow)) < 0.03);
  CHECK(std::abs(mean(entropy_estimator::james_stein)) < 0.02);
  const auto kept = histogram(two, x.view(), mi.view(),
                              {.edges = bin_edges::equal_frequency, .estimator = entropy_estimator::miller_madow});
  CHECK(kept.few_tokens);
  CHECK(kept.negative > 0);
  CHECK(*std::min_element(mi.data(), mi.data() + mi.size()) < 0.0F);
  const auto clipped = histogram(
      two, x.view(), mi.view(),
      {.edges = bin_edges::equal_frequency, .estimator = entropy_estimator::miller_madow, .clip_negative = true});
  CHECK(clipped.negative == kept.negative);
  CHECK(*std::min_element(mi.data(), mi.data() + mi.size()) == 0.0F);
}

TEST_CASE("differential entropies are those of known distributions", "[histogram]") {
  miq::random_stream random(seed());
  miq::matrix<float> x(200'000, 3);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    x(t, 0) = static_cast<float>(0.25 * random.uniform() + 100);
    x(t, 1) = static_cast<float>(3 * random.normal());
    x(t, 2) = 5;
  }
  std::vector<float> h(3);
  histogram_entropy(two, x.view(), h, {.bins = 100}, histogram_entropy_kind::differential);
  CHECK(h[0] == Approx(std::log(0.25)).margin(2e-3));
  CHECK(h[1] == Approx(0.5 * std::log(2 * 3.14159265358979 * 2.71828182845905 * 9)).margin(0.01));
  CHECK(h[2] == -std::numeric_limits<float>::infinity());
  CHECK_THROWS_WITH(
      histogram_entropy(two, x.view(), h, {.edges = bin_edges::equal_frequency}, histogram_entropy_kind::differential),
      contains("equal_width"));
}

TEST_CASE("bins: caps and missing spread are reported", "[histogram]") {
  miq::random_stream random(seed());
  miq::matrix<float> x(4000, 2), mi(2, 2);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    x(t, 0) = t == 0 ? 1e6F : static_cast<float>(random.normal());  // an outlier: millions of Freedman-Diaconis bins
    x(t, 1) = t % 10 == 0 ? static_cast<float>(random.normal()) : 0.0F;
  }
  const auto result = histogram(two, x.view(), mi.view(), {.rule = bin_count_rule::freedman_diaconis});
  CHECK(result.capped == 1);
  CHECK(result.spreadless == 1);
  CHECK(result.most_bins == 256);
  const auto lower = histogram(two, x.view(), mi.view(), {.rule = bin_count_rule::square_root, .max_bins = 50});
  CHECK(lower.capped == 2);
  CHECK(lower.most_bins == 50);
}

TEST_CASE("a channel with two values has two bins, whatever the rule", "[histogram]") {
  miq::matrix<float> x(8, 2);
  for (std::int64_t t = 0; t < 8; ++t) x(t, 0) = x(t, 1) = t < 4 ? 0.0F : 1.0F;
  for (const auto rule : {bin_count_rule::freedman_diaconis, bin_count_rule::sturges, bin_count_rule::square_root}) {
    std::vector<float> h(2);
    const auto result = histogram_entropy(two, x.view(), h, {.rule = rule});
    CHECK(result.constant == 0);
    CHECK(h[0] == Approx(std::log(2.0)));
  }
  std::vector<float> h(2);
  histogram_entropy(two, x.view(), h, {.rule = bin_count_rule::freedman_diaconis},
                    histogram_entropy_kind::differential);
  CHECK(h[0] == Approx(std::log(2.0) + std::log(0.5)).margin(1e-6));
}

TEST_CASE("shrunk information is never negative", "[histogram]") {
  miq::random_stream random(seed());
  miq::matrix<float> x(16, 40), mi(40, 40);
  for (std::int64_t k = 0; k < x.size(); ++k) x.data()[k] = static_cast<float>(random.normal());
  const auto result = histogram(two, x.view(), mi.view(), {.estimator = entropy_estimator::james_stein});
  CHECK(result.negative == 0);
  CHECK(*std::min_element(mi.data(), mi.data() + mi.size()) == 0.0F);
}

TEST_CASE("extreme values keep their order", "[histogram]") {
  const float big = std::numeric_limits<float>::max(), tiny = std::numeric_limits<float>::denorm_min();
  miq::matrix<float> x(2, 8);
  const float first[] = {-big, -big, 0, 0, -0.0F, big, big, big},
              second[] = {0, 0, tiny, tiny, tiny, 2 * tiny, 2 * tiny, 2 * tiny};
  std::copy_n(first, 8, x.data());
  std::copy_n(second, 8, x.data() + 8);
  for (const auto edges : {bin_edges::equal_width, bin_edges::equal_frequency}) {
    const double h = -(0.25 * std::log(0.25) + 2 * 0.375 * std::log(0.375));
    CHECK(histogram(two, row_of(x, 0), row_of(x, 1), {.edges = edges, .bins = 8}) == Approx(h).epsilon(1e-9));
  }
}

TEST_CASE("histogram refuses what it cannot use and leaves outputs alone", "[histogram]") {
  miq::matrix<float> x(10, 3, 1.0F), mi(3, 3, -2.0F), wrong(3, 2, -2.0F);
  for (std::int64_t t = 0; t < 10; ++t) x(t, 0) = static_cast<float>(t);
  const auto untouched = [&] { return std::all_of(mi.data(), mi.data() + 9, [](float v) { return v == -2.0F; }); };
  const auto check = [&](const histogram_options& options, const char* text) {
    CHECK_THROWS_WITH(histogram(two, x.view(), mi.view(), options), contains(text));
    CHECK(untouched());
  };
  check({.bins = 1}, "bins must be 2 to 256, got 1");
  check({.bins = 257}, "got 257");
  check({.max_bins = 1}, "max_bins");
  check({.edges = bin_edges::equal_frequency, .rule = bin_count_rule::freedman_diaconis}, "freedman_diaconis");
  CHECK_THROWS_WITH(histogram(two, x.view(), wrong.view()), contains("mi must be [3, 3]"));
  CHECK_THROWS_WITH(histogram(two, x.view().rows_from(0, 1), mi.view()), contains("at least 2 tokens, got 1"));
  const channel_pair beyond[] = {{0, 1}, {1, 3}};
  std::vector<float> two_values(2, -2.0F), one_value(1);
  CHECK_THROWS_WITH(histogram(two, x.view(), beyond, two_values), contains("got 3 in pair 1"));
  CHECK(two_values[0] == -2.0F);
  CHECK_THROWS_WITH(histogram(two, x.view(), beyond, one_value), contains("2 elements"));
  for (const float bad : {nan_value, std::numeric_limits<float>::infinity()}) {
    x(7, 2) = bad;
    CHECK_THROWS_WITH(histogram(two, x.view(), mi.view()), contains("channel 2 at token 7"));
    CHECK(untouched());
  }
  x(7, 2) = 1;
  CHECK_THROWS_AS(histogram(two, x.view(), mi.view(), {}, [](std::string_view, double) { return false; }),
                  miq::cancelled);
  double last = 0;
  bool rising = true;
  histogram(two, x.view(), mi.view(), {}, [&](std::string_view, double done) {
    rising = rising && done >= last && done <= 1;
    last = done;
    return true;
  });
  CHECK(rising);
}
