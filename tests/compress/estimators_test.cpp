// Every estimator and every way of grouping, through the one call.
#include <miq/calibration/accumulator.hpp>
#include <miq/compress.hpp>
#include <miq/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <miq/grouping/agreement.hpp>

#include "test_support/catch.hpp"

namespace {

using miq::host_executor;
using miq::matrix;
using namespace miq::information;

/// Column c is a monotone, uneven map of signal c % blocks and a little noise: linear estimators see less of it.
matrix<float> mapped_blocks(std::int64_t tokens, std::int64_t columns, std::int64_t blocks, std::uint64_t seed) {
  miq::random_stream random(seed);
  matrix<float> x(tokens, columns);
  std::vector<double> signal(static_cast<std::size_t>(blocks));
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (auto& s : signal) s = random.normal();
    for (std::int64_t c = 0; c < columns; ++c) {
      const double v = signal[static_cast<std::size_t>(c % blocks)] + 0.3 * random.normal();
      x(t, c) = static_cast<float>(c % 2 == 0 ? std::exp(v) : v);
    }
  }
  return x;
}

matrix<float> random_weights(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  miq::random_stream random(seed);
  matrix<float> w(rows, columns);
  for (std::int64_t k = 0; k < w.size(); ++k) w.data()[k] = static_cast<float>(random.normal());
  return w;
}

struct calibrated {
  miq::calibration::statistics seen;
  miq::calibration::token_sample sample;
};

calibrated calibrate(const host_executor& exec, const matrix<float>& x, std::int64_t sample_tokens) {
  miq::calibration::accumulator sums(x.columns(), {.sample_tokens = sample_tokens});
  sums.add(exec, x.view());
  return {sums.finish(exec), sums.sample()};
}

}  // namespace

TEST_CASE("every estimator and grouping finds the blocks of a layer's input", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const std::int64_t columns = 48, blocks = 4;
  const auto [seen, sample] = calibrate(exec, mapped_blocks(1500, columns, blocks, seed), 600);
  std::vector<std::int32_t> truth;
  for (std::int64_t c = 0; c < columns; ++c) truth.push_back(static_cast<std::int32_t>(c % blocks));
  const miq::grouping::partition expected(truth);
  const auto weights = random_weights(20, columns, seed + 1);

  // Bins of equal width would hold nearly all tokens of some of the lognormal channels in one.
  const estimator_options estimators[] = {
      correlation_options{}, rank_correlation_options{},
      histogram_options{.edges = miq::information::bin_edges::equal_frequency, .bins = 8}, knn_options{},
      kde_options{}};
  for (const auto& estimator : estimators)
    for (const auto grouping :
         {miq::column_grouping::spectral, miq::column_grouping::hierarchical, miq::column_grouping::kmeans})
      for (const bool balanced : {false, true}) {
        if (balanced && grouping == miq::column_grouping::hierarchical) continue;
        INFO(name_of(estimator) << ", grouping " << static_cast<int>(grouping) << ", balanced " << balanced);
        auto options = miq::mi_options(0.5, 4);
        options.estimator = estimator;
        options.grouping = grouping;
        options.balanced = balanced;
        options.groups = static_cast<int>(blocks);
        options.split_groups = false;
        const auto shared = miq::prepare(exec, seen.view(), sample.tokens.view(), options);
        CHECK(shared.information.index() == estimator.index());
        CHECK(shared.sample_tokens == (estimator.index() == 0 ? 1500 : 600));
        CHECK(miq::grouping::adjusted_rand_index(exec, shared.groups, expected) == 1.0);
        const auto layer = miq::compress(exec, weights.view(), seen.view(), sample.tokens.view(), options);
        CHECK(layer.groups == shared.groups);
        for (const auto& group : layer.report.groups) CHECK(group.mi_within > group.mi_between);
        CHECK(layer.report.storage.total() <= layer.report.budget_bits);
      }
}

TEST_CASE("the number of groups is found for any grouping", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const auto [seen, sample] = calibrate(exec, mapped_blocks(800, 40, 5, seed), 400);
  for (const auto grouping :
       {miq::column_grouping::spectral, miq::column_grouping::hierarchical, miq::column_grouping::kmeans}) {
    auto options = miq::mi_options(0.5, 4);
    options.estimator = rank_correlation_options{};
    options.grouping = grouping;
    options.groups = 0;
    options.max_groups = 9;
    INFO("grouping " << static_cast<int>(grouping));
    const auto shared = miq::prepare(exec, seen.view(), sample.tokens.view(), options);
    CHECK(shared.groups.groups() == 5);
    CHECK(shared.candidate_groups == std::vector<int>{2, 3, 4, 5, 6, 7, 8, 9});
    CHECK(std::max_element(shared.silhouettes.begin(), shared.silhouettes.end()) - shared.silhouettes.begin() == 3);
  }
}

TEST_CASE("groups by normalised information, and of a given multiple", "[compress]") {
  const auto seed = miq_test::seed();
  const host_executor exec({.threads = 2});
  const auto [seen, sample] = calibrate(exec, mapped_blocks(800, 40, 4, seed), 400);
  auto options = miq::mi_options(0.5, 4);
  options.groups = 4;
  options.estimator = histogram_options{.bins = 6};
  for (const auto how : {normalisation::arithmetic, normalisation::geometric, normalisation::minimum,
                         normalisation::maximum, normalisation::none, normalisation::correlation}) {
    options.normalisation = how;
    const auto shared = miq::prepare(exec, seen.view(), sample.tokens.view(), options);
    CHECK(shared.groups.groups() == 4);
    CHECK(shared.groups.size(0) == 10);
  }
  options.balanced = true;
  options.group_multiple = 16;  // 40 columns are three units of 16, one of which lacks 8
  options.groups = 3;
  const auto shared = miq::prepare(exec, seen.view(), sample.tokens.view(), options);
  std::vector<std::int64_t> sizes;
  for (std::int64_t g = 0; g < 3; ++g) sizes.push_back(shared.groups.size(g));
  CHECK(sizes == std::vector<std::int64_t>{16, 16, 8});
}

TEST_CASE("estimators from samples ask for them", "[compress]") {
  const host_executor exec({.threads = 1});
  const auto [seen, sample] = calibrate(exec, mapped_blocks(300, 12, 3, 1), 100);
  auto options = miq::mi_options(0.5, 4);
  options.estimator = knn_options{};
  CHECK_THROWS_WITH(miq::prepare(exec, seen.view(), options), miq_test::contains("the estimator knn needs samples"));
  const matrix<float> narrow(50, 11, 1.0F);
  CHECK_THROWS_WITH(miq::prepare(exec, seen.view(), narrow.view(), options), miq_test::contains("12 columns, got 11"));
  options.estimator = correlation_options{};
  options.normalisation = normalisation::arithmetic;
  CHECK_THROWS_WITH(miq::prepare(exec, seen.view(), options), miq_test::contains("information_coefficient"));
  options.estimator = knn_options{};
  CHECK_THROWS_WITH(miq::prepare(exec, seen.view(), sample.tokens.view(), options),
                    miq_test::contains("information_coefficient"));
  options.estimator = correlation_options{};
  options.normalisation = normalisation::information_coefficient;
  options.grouping = miq::column_grouping::hierarchical;
  options.balanced = true;
  CHECK_THROWS_WITH(miq::prepare(exec, seen.view(), options), miq_test::contains("balanced"));
  options.balanced = false;
  options.groups = 0;
  options.criterion = miq::grouping::group_count_criterion::eigengap;
  CHECK_THROWS_WITH(miq::prepare(exec, seen.view(), options), miq_test::contains("eigengap"));
}
