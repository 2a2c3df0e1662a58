// Importances and redundancy against closed forms, SciPy's digamma and plain double-precision algebra.
#include <miq/allocation/importance.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include <Eigen/Dense>

#include <miq/core/random.hpp>
#include "test_support/catch.hpp"

using miq::host_executor;
using miq::matrix;
using miq::allocation::group_importance;
using miq::allocation::group_reduction;
using miq::allocation::importance;
using miq::allocation::importance_measure;
using miq::allocation::importance_mix;
using miq::allocation::redundancy_given_others;
using miq::allocation::redundancy_options;
using miq::allocation::redundancy_result;
using miq::allocation::shrinkage;
using miq::calibration::statistics;

// GENERATE(a, b) of Catch2 2.13 keeps references to variables, and then to temporaries too: values({...}) copies.

namespace {

const float nan_value = std::numeric_limits<float>::quiet_NaN();
const float infinity = std::numeric_limits<float>::infinity();

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Statistics with a given covariance and nothing else of interest. Ranges are left out.
statistics with_covariance(const Eigen::MatrixXd& covariance, std::int64_t tokens) {
  statistics seen;
  seen.tokens = tokens;
  seen.covariance = matrix<float>(covariance.rows(), covariance.cols());
  for (std::int64_t i = 0; i < covariance.rows(); ++i)
    for (std::int64_t j = 0; j < covariance.cols(); ++j)
      seen.covariance(i, j) = static_cast<float>(covariance(std::min(i, j), std::max(i, j)));
  seen.mean.assign(at(covariance.rows()), 0.0F);
  seen.mean_absolute.assign(at(covariance.rows()), 1.0F);
  return seen;
}

/// Statistics of a sample [tokens, columns], from the definitions.
statistics of_sample(const Eigen::MatrixXd& sample) {
  const Eigen::RowVectorXd mean = sample.colwise().mean();
  const Eigen::MatrixXd centred = sample.rowwise() - mean;
  auto seen = with_covariance(centred.transpose() * centred / static_cast<double>(sample.rows()), sample.rows());
  for (std::int64_t j = 0; j < sample.cols(); ++j) {
    seen.mean[at(j)] = static_cast<float>(mean(j));
    seen.mean_absolute[at(j)] = static_cast<float>(sample.col(j).cwiseAbs().mean());
    seen.minimum.push_back(static_cast<float>(sample.col(j).minCoeff()));
    seen.maximum.push_back(static_cast<float>(sample.col(j).maxCoeff()));
  }
  return seen;
}

Eigen::MatrixXd normal_matrix(miq::random_stream& random, std::int64_t rows, std::int64_t columns) {
  Eigen::MatrixXd x(rows, columns);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) x(i, j) = random.normal();
  return x;
}

/// 1/2 ln(C_jj [C^-1]_jj), by a full inverse.
std::vector<double> redundancy_oracle(const Eigen::MatrixXd& covariance) {
  const Eigen::MatrixXd inverse = covariance.fullPivLu().inverse();
  std::vector<double> nats;
  for (std::int64_t j = 0; j < covariance.rows(); ++j) nats.push_back(0.5 * std::log(covariance(j, j) * inverse(j, j)));
  return nats;
}

struct redundancy {
  std::vector<float> nats;
  redundancy_result result;
};

redundancy redundancy_of(const statistics& seen, const redundancy_options& options = {}, int threads = 2) {
  redundancy out{std::vector<float>(at(seen.columns()), -1.0F), {}};
  out.result = redundancy_given_others(host_executor{{.threads = threads}}, seen.view(), out.nats, options);
  return out;
}

template <class Error = miq::invalid_argument, class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("importance measures equal their formulas", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const std::int64_t columns = GENERATE(1, 7, 255, 256, 257, 613);
  const std::int64_t rows = GENERATE(1, 5, 131);
  const Eigen::MatrixXd sample = 3 * normal_matrix(random, 11, columns).array() + 0.5;
  const auto seen = of_sample(sample);
  matrix<float> weights(rows, columns + 3);  // a view with a leading dimension
  Eigen::MatrixXd w(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < columns; ++j) w(r, j) = weights(r, j) = static_cast<float>(random.normal());
  const miq::matrix_view<const float> view(weights.data(), rows, columns, columns + 3);

  const Eigen::ArrayXd amplitude = sample.cwiseAbs().colwise().mean().transpose();
  const Eigen::ArrayXd hessian = 2 * sample.cwiseAbs2().colwise().mean().transpose();
  const Eigen::ArrayXd weight = w.cwiseAbs().colwise().mean().transpose();
  const Eigen::ArrayXd sensitivity = w.cwiseAbs2().colwise().mean().transpose().cwiseSqrt().array() * amplitude;
  const Eigen::ArrayXd variance = (sample.rowwise() - sample.colwise().mean()).cwiseAbs2().colwise().mean().transpose();
  const auto scaled = [](const Eigen::ArrayXd& x) -> Eigen::ArrayXd { return x / x.maxCoeff(); };
  const Eigen::ArrayXd mixed = 0.25 * scaled(amplitude) + 0.25 * scaled(hessian) + 0.15 * scaled(weight) +
                               0.25 * scaled(sensitivity) + 0.10 * scaled(variance);

  const host_executor exec{{.threads = 3}};
  const auto check = [&](importance_measure measure, const Eigen::ArrayXd& expected) {
    std::vector<float> out(at(columns), -1.0F);
    importance(exec, view, seen.view(), measure, out);
    for (std::int64_t j = 0; j < columns; ++j)
      REQUIRE(double{out[at(j)]} == Approx(expected(j)).epsilon(1e-5));  // statistics are floats
  };
  check(importance_measure::amplitude, amplitude);
  check(importance_measure::hessian, hessian);
  check(importance_measure::weight, weight);
  check(importance_measure::sensitivity, sensitivity);
  check(importance_measure::variance, variance);
  check(importance_measure::mixed, mixed);
}

TEST_CASE("the mix is what it says", "[allocation]") {
  auto seen = with_covariance(Eigen::Vector3d(4, 0, 1).asDiagonal(), 5);
  seen.mean = {0, 0, 1};
  seen.mean_absolute = {2, 0, 1};
  const std::vector<float> w{1, -3, 2, -1, 1, 2};  // [2, 3]
  const host_executor exec{{.threads = 1}};
  const auto mixed = [&](const importance_mix& mix, std::vector<float> weights) {
    std::vector<float> out(3);
    importance(exec, {weights.data(), 2, 3}, seen.view(), importance_measure::mixed, out, mix);
    return out;
  };
  CHECK(mixed({2, 0, 0, 0, 0}, w) == std::vector<float>{2, 0, 1});
  CHECK(mixed({0, 1, 0, 0, 0}, w) == std::vector<float>{1, 0, 0.5});  // 8, 0, 4
  CHECK(mixed({0, 0, 1, 0, 0}, w) == std::vector<float>{0.5, 1, 1});  // 1, 2, 2
  CHECK(mixed({0, 0, 0, 1, 0}, w) == std::vector<float>{1, 0, 1});    // 2, 0, 2
  CHECK(mixed({0, 0, 0, 0, 1}, w) == std::vector<float>{1, 0, 0.25});
  CHECK(mixed({1, 0, 4, 0, 1}, std::vector<float>(6)) == std::vector<float>{2, 0, 0.75});  // no weights: adds nothing
}

TEST_CASE("importance without weights", "[allocation]") {
  const auto seen = with_covariance(Eigen::Vector2d(4, 1).asDiagonal(), 5);
  std::vector<float> out(2);
  importance(host_executor{{.threads = 1}}, {}, seen.view(), importance_measure::hessian, out);
  CHECK(out == std::vector<float>{8, 2});
}

TEST_CASE("importance refuses bad input and leaves the output alone", "[allocation]") {
  const host_executor exec{{.threads = 2}};
  auto seen = with_covariance(Eigen::MatrixXd::Identity(3, 3), 5);
  matrix<float> w(2, 3, 1.0F);
  std::vector<float> out(3, 7.0F);
  auto measure = importance_measure::mixed;
  importance_mix mix;
  const auto message = [&] {
    const auto text = refusal([&] { importance(exec, w.view(), seen.view(), measure, out, mix); });
    CHECK(out == std::vector<float>(out.size(), 7.0F));
    return text;
  };
  SECTION("weights") {
    w(1, 2) = GENERATE(values<float>({nan_value, infinity, -infinity}));
    CHECK(contains(message(), "in row 1, column 2"));
    measure = importance_measure::weight;
    CHECK(contains(message(), "in row 1, column 2"));
  }
  SECTION("shape of the weights") {
    w = matrix<float>(2, 4);
    CHECK(contains(message(), "weights must be [rows, 3] to match the statistics, got [2, 4]"));
    w = matrix<float>(0, 3);
    CHECK(contains(message(), "got [0, 3]"));
  }
  SECTION("size of the output") {
    out.resize(2);
    CHECK(contains(message(), "out must hold 3 columns to match the statistics, got 2"));
  }
  SECTION("statistics") {
    SECTION("mean") {
      seen.mean[1] = nan_value;
      CHECK(contains(message(), "mean of column 1"));
    }
    SECTION("amplitude") {
      seen.mean_absolute[2] = GENERATE(values<float>({nan_value, -1.0F}));
      CHECK(contains(message(), "mean amplitude of column 2"));
    }
    SECTION("variance") {
      seen.covariance(1, 1) = GENERATE(values<float>({nan_value, -1.0F, infinity}));
      CHECK(contains(message(), "variance of column 1"));
    }
    SECTION("tokens") {
      seen.tokens = 0;
      CHECK(contains(message(), "at least 1 tokens, got 0"));
    }
    SECTION("sizes") {
      seen.mean.pop_back();
      CHECK(contains(message(), "must hold 3 means"));
    }
  }
  SECTION("mix") {
    mix.weight = GENERATE(-0.5, std::numeric_limits<double>::infinity());
    CHECK(contains(message(), "mix must be finite and not negative"));
    mix = {0, 0, 0, 0, 0};
    CHECK(contains(message(), "mix must not be all zero"));
  }
  SECTION("range") {
    seen.mean[0] = 3e38F;
    measure = importance_measure::hessian;
    CHECK(contains(message(), "column 0 has importance"));
  }
  SECTION("overlap") {
    CHECK(contains(refusal([&] {
                     importance(exec, w.view(), seen.view(), measure, {w.data() + 2, 3});
                   }),
                   "out must not overlap weights"));
    CHECK(contains(refusal([&] { importance(exec, w.view(), seen.view(), measure, seen.mean); }),
                   "out must not overlap statistics"));
    CHECK(w(1, 0) == 1);
  }
}

TEST_CASE("redundancy of two channels is their mutual information", "[allocation]") {
  // -1/2 ln(1 - rho^2), Cover & Thomas 2006, eq. 8.56
  const auto [rho, nats] = GENERATE(table<double, double>(
      {{0.0, 0.0}, {0.5, 0.143841036}, {-0.75, 0.413339287}, {0.9, 0.830365603}, {0.99, 1.958517774}}));
  const auto got = redundancy_of(with_covariance((Eigen::Matrix2d() << 1, rho, rho, 1).finished(), 1000));
  CHECK(got.result.used == shrinkage::none);
  CHECK(got.nats[0] == Approx(nats).epsilon(1e-5).margin(1e-9));
  CHECK(got.nats[1] == Approx(nats).epsilon(1e-5).margin(1e-9));
}

TEST_CASE("redundancy of autoregressive channels", "[allocation]") {
  // C_ij = rho^|i-j| has a tridiagonal inverse: 1/(1 - rho^2) at the ends, (1 + rho^2)/(1 - rho^2) between.
  const std::int64_t n = GENERATE(2, 3, 127, 128, 129, 257, 300);
  const double rho = GENERATE(0.3, -0.9);
  Eigen::MatrixXd covariance(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) covariance(i, j) = std::pow(rho, std::abs(i - j));
  const auto got = redundancy_of(with_covariance(covariance, 100'000));
  const double end = -0.5 * std::log1p(-rho * rho);
  const double between = end + 0.5 * std::log1p(rho * rho);
  for (std::int64_t j = 0; j < n; ++j)
    REQUIRE(got.nats[at(j)] == Approx(j == 0 || j == n - 1 ? end : between).epsilon(1e-5));
}

TEST_CASE("redundancy of compound symmetry", "[allocation]") {
  // (1 - rho) I + rho 1 1^T, by Sherman and Morrison.
  const std::int64_t n = GENERATE(2, 5, 64, 131);
  const double rho = GENERATE(0.1, 0.5, 0.95);
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Constant(n, n, rho);
  covariance.diagonal().setOnes();
  const auto got = redundancy_of(with_covariance(covariance, 10'000));
  const auto p = static_cast<double>(n);
  const double expected = 0.5 * std::log((1 + (p - 2) * rho) / ((1 - rho) * (1 + (p - 1) * rho)));
  for (const auto nats : got.nats) REQUIRE(nats == Approx(expected).epsilon(1e-5));
}

TEST_CASE("redundancy of a random covariance equals the full inverse", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const std::int64_t n = GENERATE(1, 6, 97, 200);
  const auto sample = normal_matrix(random, 3 * n + 1, n);
  const Eigen::MatrixXd covariance =
      sample.transpose() * sample / static_cast<double>(sample.rows()) + 0.1 * Eigen::MatrixXd::Identity(n, n);
  const auto seen = with_covariance(covariance, 3 * n + 1);
  const auto got = redundancy_of(seen);
  const auto expected = redundancy_oracle(covariance);
  CHECK(got.result.used == shrinkage::none);
  for (std::int64_t j = 0; j < n; ++j) REQUIRE(got.nats[at(j)] == Approx(expected[at(j)]).epsilon(1e-4).margin(1e-6));
}

TEST_CASE("redundancy does not see scales, and constant channels are not seen", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const Eigen::MatrixXd sample = normal_matrix(random, 50, 9) * normal_matrix(random, 9, 9);
  const Eigen::MatrixXd covariance = sample.transpose() * sample / 50;
  const auto plain = redundancy_of(with_covariance(covariance, 50));

  // Channels scaled by powers of two: the same to the bit. Channel 4 of 10 is constant.
  Eigen::MatrixXd wider = Eigen::MatrixXd::Zero(10, 10);
  for (std::int64_t i = 0; i < 9; ++i)
    for (std::int64_t j = 0; j < 9; ++j)
      wider(i + (i >= 4), j + (j >= 4)) = std::ldexp(covariance(i, j), static_cast<int>(2 * (i - j) + 4 * j));
  auto seen = with_covariance(wider, 50);
  const bool by_range = GENERATE(false, true);
  if (by_range) {  // rounding left it a variance, but its range says that it never changed
    seen.covariance(4, 4) = 1e-20F;
    seen.minimum.assign(10, -1.0F);
    seen.maximum.assign(10, 1.0F);
    seen.minimum[4] = 1.0F;
  }
  const auto scaled = redundancy_of(seen);
  CHECK(scaled.result.constant == 1);
  CHECK(scaled.result.bias == plain.result.bias);
  CHECK(scaled.nats[4] == 0);
  for (std::int64_t j = 0; j < 9; ++j) CHECK(scaled.nats[at(j + (j >= 4))] == plain.nats[at(j)]);

  const auto nothing = redundancy_of(with_covariance(Eigen::MatrixXd::Zero(3, 3), 5));
  CHECK(nothing.result.constant == 3);
  CHECK(nothing.nats == std::vector<float>(3));
}

TEST_CASE("the bias of the redundancy", "[allocation]") {
  SECTION("equals SciPy's digamma") {
    // 0.5 * (digamma((n - 1) / 2) - digamma((n - p) / 2)) by scipy.special
    const auto [tokens, columns, bias] =
        GENERATE(table<std::int64_t, std::int64_t, double>({{1000, 2, 0.00050125300688996788},
                                                            {257, 256, 3.4058144768545313},
                                                            {64, 7, 0.050886454814446314},
                                                            {3, 2, 0.6931471805599454},
                                                            {20000, 301, 0.0075575803966794197},
                                                            {10, 1, 0}}));
    CHECK(redundancy_of(with_covariance(Eigen::MatrixXd::Identity(columns, columns), tokens)).result.bias ==
          Approx(bias).epsilon(1e-12).margin(1e-15));
  }
  SECTION("is what Gaussian samples show, dependent or not") {
    miq::random_stream random(miq_test::seed());
    const std::int64_t p = 7;
    const std::int64_t tokens = GENERATE(12, 40);
    const int trials = 2000;
    // Well conditioned, and enough tokens: no sample comes near to singular, where `none` refuses.
    Eigen::MatrixXd mixing = Eigen::MatrixXd::Identity(p, p);
    mixing.diagonal(1).setConstant(0.7);
    const auto truth = redundancy_oracle(mixing.transpose() * mixing);
    double sum = 0;
    double squares = 0;
    double bias = 0;
    for (int trial = 0; trial < trials; ++trial) {
      const auto got = redundancy_of(of_sample(normal_matrix(random, tokens, p) * mixing), {shrinkage::none}, 1);
      const double excess = double{got.nats[2]} - truth[2];
      sum += excess;
      squares += excess * excess;
      bias = got.result.bias;
    }
    const double mean = sum / trials;
    const double standard_error = std::sqrt((squares / trials - mean * mean) / trials);
    CHECK(std::abs(mean - bias) < 6 * standard_error);
    CHECK(bias > 6 * standard_error);  // so that the check above can fail
  }
}

TEST_CASE("few tokens: the correlations are shrunk, and the result says so", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const std::int64_t columns = GENERATE(12, 150);
  const auto tokens = GENERATE_COPY(values<std::int64_t>({columns, columns / 3, 2}));
  // One common factor, so that there is something to shrink.
  const Eigen::MatrixXd sample =
      normal_matrix(random, tokens, columns) + 2 * normal_matrix(random, tokens, 1) * Eigen::RowVectorXd::Ones(columns);
  const auto seen = of_sample(sample);
  Eigen::MatrixXd correlation(columns, columns);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      correlation(i, j) =
          double{seen.covariance(i, j)} / std::sqrt(double{seen.covariance(i, i)} * double{seen.covariance(j, j)});
  const auto got = redundancy_of(seen);
  CHECK(got.result.few_tokens);
  CHECK(got.result.bias == 0);

  if (tokens > 2) {
    const Eigen::ArrayXXd squares = correlation.array().square();
    const double all = squares.sum() - squares.matrix().trace();
    const double variances = (1 - squares).square().sum() / static_cast<double>(tokens - 1);
    CHECK(got.result.used == shrinkage::estimated);
    CHECK(got.result.share == Approx(std::min(1.0, variances / all)).epsilon(1e-5));
  } else {  // two tokens: all correlations are 1 or -1, which the formula takes at its word
    CHECK(got.result.used == shrinkage::raised);
    CHECK(got.result.share > 0);
    CHECK(got.result.share < 1e-3);
  }
  Eigen::MatrixXd shrunk = (1 - got.result.share) * correlation;
  shrunk.diagonal().setOnes();
  const auto expected = redundancy_oracle(shrunk);
  const double relative = tokens > 2 ? 1e-5 : 1e-2;
  for (std::int64_t j = 0; j < columns; ++j)
    REQUIRE(got.nats[at(j)] == Approx(expected[at(j)]).epsilon(relative).margin(1e-6));

  const auto refused = refusal<miq::numerical_error>([&] { redundancy_of(seen, {shrinkage::none}); });
  CHECK(contains(refused, "has no inverse with a shrinkage of 0"));
}

TEST_CASE("perfectly correlated channels are told from the others", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  Eigen::MatrixXd sample = normal_matrix(random, 4000, 8);
  sample.col(5) = 4 * sample.col(1);  // a duplicate, exact in float too
  sample.col(6) = -sample.col(2);
  const auto seen = of_sample(sample);
  const auto got = redundancy_of(seen);
  CHECK((got.result.used == shrinkage::raised || got.result.used == shrinkage::estimated));
  CHECK(got.result.share > 0);
  CHECK_FALSE(got.result.few_tokens);
  const auto lowest_duplicate = std::min({got.nats[1], got.nats[5], got.nats[2], got.nats[6]});
  const auto highest_other = std::max({got.nats[0], got.nats[3], got.nats[4], got.nats[7]});
  CHECK(lowest_duplicate > 1);
  CHECK(highest_other < 0.05);
  CHECK_THROWS_AS(redundancy_of(seen, {shrinkage::none}), miq::numerical_error);
}

TEST_CASE("a matrix that is no covariance still ends", "[allocation]") {
  Eigen::MatrixXd impossible = Eigen::MatrixXd::Constant(3, 3, -0.9);
  impossible.diagonal().setOnes();
  const auto got = redundancy_of(with_covariance(impossible, 1000));
  CHECK(got.result.used == shrinkage::raised);
  for (const auto nats : got.nats) CHECK(std::isfinite(nats));
}

TEST_CASE("a given share of shrinkage", "[allocation]") {
  const double rho = 0.8;
  const auto seen = with_covariance((Eigen::Matrix2d() << 9, 3 * rho, 3 * rho, 1).finished(), 100);
  const double share = GENERATE(0.0, 0.25, 1.0);
  const auto got = redundancy_of(seen, {shrinkage::given, share});
  CHECK(got.result.used == shrinkage::given);
  CHECK(got.result.share == share);
  const double left = (1 - share) * rho;
  CHECK(got.nats[0] == Approx(-0.5 * std::log1p(-left * left)).epsilon(1e-5).margin(1e-9));
}

TEST_CASE("redundancy is the same to the bit for every number of threads", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  const auto seen = of_sample(normal_matrix(random, 500, 391) * normal_matrix(random, 391, 391));
  const auto one = redundancy_of(seen, {}, 1);
  CHECK(redundancy_of(seen, {}, 2).nats == one.nats);
  CHECK(redundancy_of(seen, {}, 5).nats == one.nats);
}

TEST_CASE("redundancy refuses bad input and leaves the output alone", "[allocation]") {
  const host_executor exec{{.threads = 1}};
  auto seen = with_covariance(Eigen::MatrixXd::Identity(3, 3), 5);
  std::vector<float> nats(3, 7.0F);
  redundancy_options options;
  const auto message = [&] {
    const auto text = refusal([&] { redundancy_given_others(exec, seen.view(), nats, options); });
    CHECK(nats == std::vector<float>(nats.size(), 7.0F));
    return text;
  };
  SECTION("covariance") {
    const auto bad = GENERATE(values<float>({nan_value, infinity}));
    seen.covariance(0, 2) = seen.covariance(2, 0) = bad;
    CHECK(contains(message(), "covariance of columns 0 and 2 must be finite"));
  }
  SECTION("variance") {
    seen.covariance(1, 1) = GENERATE(values<float>({nan_value, -1.0F}));
    CHECK(contains(message(), "variance of column 1"));
  }
  SECTION("shapes") {
    nats.resize(4, 7.0F);
    CHECK(contains(message(), "nats must hold 3 columns to match the statistics, got 4"));
    seen.covariance = matrix<float>(3, 4);
    CHECK(contains(message(), "must be square and not empty, got [3, 4]"));
    seen.covariance = matrix<float>();
    CHECK(contains(message(), "must be square and not empty, got [0, 0]"));
  }
  SECTION("ranges") {
    seen.minimum.assign(2, 0.0F);
    CHECK(contains(message(), "3 minima and maxima, or none, got 2 and 0"));
  }
  SECTION("tokens") {
    seen.tokens = 1;
    CHECK(contains(message(), "at least 2 tokens, got 1"));
  }
  SECTION("options") {
    options = {shrinkage::given, GENERATE(-0.1, 1.1, std::numeric_limits<double>::quiet_NaN())};
    CHECK(contains(message(), "share must be 0 to 1"));
    options = {shrinkage::raised};
    CHECK(contains(message(), "rule must be none, given or estimated"));
  }
  SECTION("overlap") {
    CHECK(contains(refusal([&] {
                     redundancy_given_others(exec, seen.view(), {seen.covariance.data() + 3, 3});
                   }),
                   "nats must not overlap statistics"));
  }
}

TEST_CASE("importance of groups", "[allocation]") {
  const host_executor exec{{.threads = 2}};
  const std::vector<float> columns{1, 2, 3, 4, 5, 6, 7};
  const std::vector<std::int32_t> labels{0, 1, 0, 2, 1, 0, 0};
  std::vector<float> out(3);
  group_importance(exec, columns, labels, out, group_reduction::sum);
  CHECK(out == std::vector<float>{17, 7, 4});
  group_importance(exec, columns, labels, out);
  CHECK(out == std::vector<float>{4.25, 3.5, 4});

  // Sums are taken in double: 2^24 + 1 + ... + 1 would stand still in float.
  std::vector<float> many(1025, 1.0F);
  many[0] = 0x1.0p24F;
  std::vector<float> one(1);
  group_importance(exec, many, std::vector<std::int32_t>(1025, 0), one, group_reduction::sum);
  CHECK(one[0] == 0x1.0p24F + 1024);
}

TEST_CASE("importance of groups refuses bad input and leaves the output alone", "[allocation]") {
  const host_executor exec{{.threads = 2}};
  std::vector<float> columns{1, 2, 3};
  std::vector<std::int32_t> labels{0, 1, 0};
  std::vector<float> out(2, 7.0F);
  auto reduction = group_reduction::mean;
  const auto message = [&] {
    const auto text = refusal([&] { group_importance(exec, columns, labels, out, reduction); });
    CHECK(out == std::vector<float>(out.size(), 7.0F));
    return text;
  };
  SECTION("label") {
    labels[2] = GENERATE(-1, 2);
    CHECK(contains(message(), "label of column 2 must be 0 to 1"));
  }
  SECTION("empty group") {
    out.resize(3, 7.0F);
    CHECK(contains(message(), "group 2 of 3 has no columns"));
  }
  SECTION("sizes") {
    labels.pop_back();
    CHECK(contains(message(), "labels must hold 3 columns to match the importances, got 2"));
  }
  SECTION("values") {
    columns[1] = GENERATE(values<float>({nan_value, infinity}));
    CHECK(contains(message(), "importance of column 1 must be finite"));
  }
  SECTION("range") {
    columns = {3e38F, 1, 3e38F};
    reduction = group_reduction::sum;
    CHECK(contains(message(), "beyond the range of float"));
  }
  SECTION("overlap") {
    CHECK(contains(refusal([&] {
                     group_importance(exec, columns, labels, {columns.data() + 1, 2});
                   }),
                   "out must not overlap"));
  }
}
