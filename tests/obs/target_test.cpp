// The asymmetric target against least squares in double precision, on the tokens themselves.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <miq/calibration/cross_moments.hpp>
#include <miq/obs/factor.hpp>
#include <miq/obs/target.hpp>

#include "layer_data.hpp"
#include "test_support/catch.hpp"

namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using miq::matrix;
using miq::obs::damping_rule;
using miq_test::to_double;
using miq_test::to_float;

/// A layer in a model whose earlier layers have been compressed.
struct shifted_layer {
  MatrixXd dense, now;  // [tokens, c]: X and X~, exact in float
  matrix<float> weights, hessian, upper;
  matrix<float> difference;

  shifted_layer(std::uint64_t seed, std::int64_t rows, std::int64_t columns, const miq::obs::factor_options& options) {
    miq::random_stream random(seed);
    const auto tokens = 4 * columns + 8;
    MatrixXd x = miq_test::normal_matrix(random, tokens, columns);
    for (Eigen::Index c = 1; c < columns; ++c) x.col(c) += 0.7 * x.col(c - 1);
    dense = to_double(to_float(x));
    // What was lost depends on the inputs, so that it can be made up in part.
    const MatrixXd mixed =
        0.2 / std::sqrt(static_cast<double>(columns)) * (dense * miq_test::normal_matrix(random, columns, columns));
    now = to_double(to_float(dense + mixed + 0.05 * miq_test::normal_matrix(random, tokens, columns)));
    weights = to_float(0.05 * miq_test::normal_matrix(random, rows, columns));
    hessian = to_float(2.0 / static_cast<double>(tokens) * (now.transpose() * now));
    difference = to_float(2.0 / static_cast<double>(tokens) * (now.transpose() * (dense - now)));
    upper = matrix<float>(columns, columns);
    const miq::host_executor exec({.threads = 2});
    miq::obs::factor(exec, hessian.view(), upper.view(), options);
  }

  double error(const MatrixXd& w) const {
    return (dense * to_double(weights).transpose() - now * w.transpose()).squaredNorm() /
           static_cast<double>(dense.rows());
  }
};

}  // namespace

TEST_CASE("shift_target is damped least squares on the tokens", "[obs]") {
  const std::int64_t rows = GENERATE(1, 5, 67), columns = GENERATE(1, 2, 31, 64, 130);
  const auto rule = GENERATE(damping_rule::mean_diagonal, damping_rule::own_diagonal);
  const double strength = GENERATE(0.5, 1.0);
  CAPTURE(rows, columns);
  const shifted_layer layer(miq_test::seed(), rows, columns, {.damping = 0.02, .rule = rule});
  const miq::host_executor exec({.threads = 2});
  matrix<float> out(rows, columns, 7.0F);
  const auto result = miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(),
                                             out.view(), {.strength = strength});

  // The tokens with sqrt(n D / 2) beneath them, and what damping asks there, W: solved by orthogonal transformations.
  const auto n = layer.now.rows();
  const VectorXd diagonal = to_double(layer.hessian).diagonal();
  const double mean = diagonal.mean();
  MatrixXd stacked(n + columns, columns), wanted(n + columns, rows);
  const MatrixXd w = to_double(layer.weights);
  VectorXd damping(columns);
  for (Eigen::Index j = 0; j < columns; ++j)
    damping(j) = 0.02 * (rule == damping_rule::own_diagonal ? diagonal(j) : mean);
  const MatrixXd root = (damping * (static_cast<double>(n) / 2)).cwiseSqrt().asDiagonal();
  stacked << layer.now, root;
  wanted << layer.dense * w.transpose(), root * w.transpose();
  const MatrixXd best = stacked.colPivHouseholderQr().solve(wanted).transpose();
  const MatrixXd expected = w + strength * (best - w);
  // H of these tokens has a condition below 200 with damping; float carries the rest.
  CHECK((to_double(out) - expected).cwiseAbs().maxCoeff() < 2e-5 * w.cwiseAbs().maxCoeff());
  CHECK(result.change == Approx((expected - w).norm() / w.norm()).epsilon(1e-3));

  // The gain is that of the damped loss, and less than that of the output error.
  const auto loss = [&](const MatrixXd& q) {
    const MatrixXd moved = q - w;
    return layer.error(q) + 0.5 * (moved * damping.asDiagonal()).cwiseProduct(moved).sum();
  };
  CHECK(result.gain == Approx(loss(w) - loss(expected)).epsilon(1e-3));
  CHECK(layer.error(w) - layer.error(to_double(out)) >= result.gain * 0.999);
  CHECK(result.gain > 0);
}

TEST_CASE("shift_target_to_outputs takes any target, and agrees with shift_target", "[obs]") {
  const std::int64_t rows = 33, columns = 70;
  const shifted_layer layer(miq_test::seed(), rows, columns, {});
  const miq::host_executor exec({.threads = 2});
  const MatrixXd w = to_double(layer.weights);
  const auto residual = [&](const MatrixXd& target) {
    return to_float(2.0 / static_cast<double>(layer.now.rows()) * layer.now.transpose() *
                    (target - layer.now * w.transpose()));
  };
  matrix<float> one(rows, columns), other(rows, columns);
  const auto a =
      miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(), one.view());
  const auto b = miq::obs::shift_target_to_outputs(
      exec, layer.weights.view(), residual(layer.dense * w.transpose()).view(), layer.upper.view(), other.view());
  CHECK((to_double(one) - to_double(other)).cwiseAbs().maxCoeff() < 1e-5 * w.cwiseAbs().maxCoeff());
  CHECK(a.gain == Approx(b.gain).epsilon(1e-4));

  // With next to no damping, outputs that some weights produce exactly give these weights.
  matrix<float> upper(columns, columns);
  miq::obs::factor(exec, layer.hessian.view(), upper.view(), {.damping = 1e-7});
  miq::random_stream random(miq_test::seed());
  const MatrixXd wanted = w + 0.01 * miq_test::normal_matrix(random, rows, columns);
  miq::obs::shift_target_to_outputs(exec, layer.weights.view(), residual(layer.now * wanted.transpose()).view(),
                                    upper.view(), other.view());
  CHECK((to_double(other) - wanted).cwiseAbs().maxCoeff() < 1e-4 * w.cwiseAbs().maxCoeff());
}

TEST_CASE("nothing to make up, or a strength of 0, leaves the weights to the bit", "[obs]") {
  const shifted_layer layer(miq_test::seed(), 9, 40, {});
  const miq::host_executor exec({.threads = 2});
  matrix<float> out(9, 40, 7.0F);
  const auto same = [&] { return std::memcmp(out.data(), layer.weights.data(), 9 * 40 * sizeof(float)) == 0; };
  const auto none = miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(),
                                           out.view(), {.strength = 0});
  CHECK(same());
  CHECK(none.change == 0);
  CHECK(none.gain == 0);
  std::fill_n(out.data(), out.size(), 7.0F);
  const matrix<float> zero(40, 40);
  const auto still = miq::obs::shift_target(exec, layer.weights.view(), zero.view(), layer.upper.view(), out.view());
  CHECK(same());
  CHECK(still.change == 0);
}

TEST_CASE("the target by the streams' moments, end to end, with a dead column", "[obs]") {
  const std::int64_t rows = 12, columns = 30;
  shifted_layer layer(miq_test::seed(), rows, columns, {});
  layer.dense.col(4).setZero();
  layer.now.col(4).setZero();
  const miq::host_executor exec({.threads = 2});
  const auto x = to_float(layer.dense), received = to_float(layer.now);
  miq::calibration::cross_moments apart(columns, columns, {.difference = true}), own(columns, columns);
  apart.add(exec, received, x);
  own.add(exec, received, received);
  const auto difference = apart.finish(exec).moment;
  const auto hessian = own.finish(exec).moment;
  matrix<float> upper(columns, columns), out(rows, columns);
  miq::obs::factor(exec, hessian.view(), upper.view());
  miq::obs::shift_target(exec, layer.weights.view(), difference.view(), upper.view(), out.view());
  for (std::int64_t r = 0; r < rows; ++r) CHECK(out(r, 4) == layer.weights(r, 4));
  CHECK(layer.error(to_double(out)) < 0.5 * layer.error(to_double(layer.weights)));
}

TEST_CASE("the target's ridge is its formula, keeps shares and does not notice units", "[obs]") {
  const std::int64_t rows = GENERATE(1, 17), columns = GENERATE(1, 5, 64);
  CAPTURE(rows, columns);
  const miq::host_executor exec({.threads = 2});
  shifted_layer layer(miq_test::seed(), rows, columns, {});
  const double share = 0.01;
  auto weights = to_double(layer.weights);
  if (columns > 3) {
    weights.col(2).setZero();    // nothing to be in proportion to: held as much as can be
    weights.col(3) *= 1.0 / 64;  // hardly matters
  }
  layer.weights = to_float(weights);
  auto held = layer.hessian;
  miq::obs::add_target_ridge(exec, layer.weights.view(), held.view(), share);
  const MatrixXd h = to_double(layer.hessian);
  const VectorXd v = weights.array().square().colwise().mean().transpose();
  const double mean = (h.diagonal().array() * v.array()).mean();
  for (Eigen::Index i = 0; i < columns; ++i)
    for (Eigen::Index j = 0; j < columns; ++j) {
      const double added = i != j ? 0 : (v(j) > 0 ? std::min(share * mean / v(j), 1e4 * h(j, j)) : 1e4 * h(j, j));
      CHECK(static_cast<double>(held(i, j)) == Approx(h(i, j) + added).epsilon(1e-5));
    }

  // A column in another unit: the ridge in that unit.
  auto scaled_weights = layer.weights;
  auto scaled = layer.hessian;
  for (std::int64_t r = 0; r < rows; ++r) scaled_weights(r, 0) /= 8;
  for (std::int64_t k = 0; k < columns; ++k) {
    scaled(0, k) *= 8;
    scaled(k, 0) *= 8;
  }
  miq::obs::add_target_ridge(exec, scaled_weights.view(), scaled.view(), share);
  for (std::int64_t k = 0; k < columns; ++k)
    CHECK(static_cast<double>(scaled(k, k)) ==
          Approx((k == 0 ? 64 : 1) * static_cast<double>(held(k, k))).epsilon(1e-5));

  const auto before = held;
  const auto refuses = [&](const char* part, auto&& call) {
    CHECK_THROWS_WITH(call(), miq_test::contains(part));
    CHECK(std::memcmp(before.data(), held.data(), sizeof(float) * static_cast<std::size_t>(held.size())) == 0);
  };
  refuses("share", [&] { miq::obs::add_target_ridge(exec, layer.weights.view(), held.view(), -1); });
  refuses("share", [&] {
    miq::obs::add_target_ridge(exec, layer.weights.view(), held.view(), std::numeric_limits<double>::infinity());
  });
  const matrix<float> wide(rows, columns + 1);
  refuses("hessian", [&] { miq::obs::add_target_ridge(exec, wide.view(), held.view(), share); });
  auto broken = layer.weights;
  broken(0, 0) = std::numeric_limits<float>::quiet_NaN();
  refuses("weights", [&] { miq::obs::add_target_ridge(exec, broken.view(), held.view(), share); });
}

TEST_CASE("a column that hardly fires is kept in proportion by the ridge", "[obs]") {
  const std::int64_t rows = 12, columns = 20, tokens = 400;
  const miq::host_executor exec({.threads = 1});
  miq::random_stream random(miq_test::seed());
  MatrixXd now = miq_test::normal_matrix(random, tokens, columns);
  now.col(7).setZero();
  now(3, 7) = 0.01;  // fires once, faintly
  const MatrixXd dense = now + 0.3 * miq_test::normal_matrix(random, tokens, columns);
  const auto weights = to_float(miq_test::normal_matrix(random, rows, columns));
  const auto hessian = to_float(2.0 / tokens * now.transpose() * now);
  const auto difference = to_float(2.0 / tokens * now.transpose() * (dense - now));
  const auto moved = [&](double share) {
    auto held = hessian;
    miq::obs::add_target_ridge(exec, weights.view(), held.view(), share);
    matrix<float> upper(columns, columns), target(rows, columns);
    miq::obs::factor(exec, held.view(), upper.view(), {.damping = 0.01, .rule = damping_rule::own_diagonal});
    miq::obs::shift_target(exec, weights.view(), difference.view(), upper.view(), target.view());
    return (to_double(target) - to_double(weights)).eval();
  };
  const auto plain = moved(0), held = moved(0.01);
  CHECK(plain.col(7).norm() > 20 * to_double(weights).col(7).norm());
  CHECK(held.col(7).norm() < to_double(weights).col(7).norm());
  // Columns that matter are hardly held.
  CHECK((held - plain).leftCols(7).norm() < 0.1 * plain.leftCols(7).norm());
}

TEST_CASE("shift_target is the same to the bit for any number of threads, strided or not", "[obs]") {
  const std::int64_t rows = 531, columns = 97;
  const shifted_layer layer(miq_test::seed(), rows, columns, {});
  const auto run = [&](int threads, miq::matrix_view<float> out) {
    const miq::host_executor exec({.threads = threads});
    return miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(), out);
  };
  matrix<float> one(rows, columns), wide(rows, columns + 3, 7.0F);
  const auto first = run(1, one.view());
  for (const int threads : {2, 5}) {
    const auto again = run(threads, miq::matrix_view<float>(wide.data(), rows, columns, columns + 3));
    CHECK(again.gain == first.gain);
    CHECK(again.change == first.change);
    for (std::int64_t r = 0; r < rows; ++r) {
      REQUIRE(std::memcmp(&wide(r, 0), &one(r, 0), static_cast<std::size_t>(columns) * sizeof(float)) == 0);
      REQUIRE(wide(r, columns) == 7.0F);
    }
  }
  std::vector<std::byte> scratch(static_cast<std::size_t>(miq::obs::target_workspace_bytes(rows, columns)));
  const miq::host_executor exec({.threads = 2});
  CHECK_THROWS_AS(miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(),
                                         wide.view(), {}, {scratch.data(), 1}),
                  miq::invalid_argument);
  CHECK_THROWS_AS(miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(),
                                         one.view(), {}, {scratch.data(), scratch.size() - 1}),
                  miq::out_of_memory);
  matrix<float> again(rows, columns);
  miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(), again.view(), {},
                         scratch);
  CHECK(std::memcmp(again.data(), one.data(), static_cast<std::size_t>(one.size()) * sizeof(float)) == 0);
}

TEST_CASE("shift_target rejects what it cannot take, naming it", "[obs]") {
  shifted_layer layer(miq_test::seed(), 6, 20, {});
  const miq::host_executor exec({.threads = 2});
  matrix<float> out(6, 20, 7.0F);
  const auto rejects = [&](const std::string& part, const miq::obs::target_options& options = {}) {
    const auto call = [&] {
      miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(), out.view(),
                             options);
    };
    CHECK_THROWS_WITH(call(), miq_test::contains(part));
    CHECK_THROWS_AS(call(), miq::invalid_argument);
    for (std::int64_t i = 0; i < out.size(); ++i) REQUIRE(out.data()[i] == 7.0F);
  };
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (auto* m : {&layer.weights, &layer.difference, &layer.upper}) {
    const float good = (*m)(3, 17);
    (*m)(3, 17) = nan;
    rejects("row 3, column 17");
    (*m)(3, 17) = good;
  }
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) rejects("strength", {.strength = bad});
  matrix<float> wrong(20, 21);
  CHECK_THROWS_WITH(miq::obs::shift_target(exec, layer.weights.view(), wrong.view(), layer.upper.view(), out.view()),
                    miq_test::contains("difference must be [20, 20], got [20, 21]"));
  CHECK_THROWS_WITH(
      miq::obs::shift_target_to_outputs(exec, layer.weights.view(), wrong.view(), layer.upper.view(), out.view()),
      miq_test::contains("residual must be [20, 6], got [20, 21]"));
  CHECK_THROWS_WITH(miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(),
                                           layer.weights.view()),
                    miq_test::contains("overlap"));
  // Moments that float can hold but whose products it cannot.
  for (std::int64_t i = 0; i < layer.difference.size(); ++i) layer.difference.data()[i] = 3e38F;
  for (std::int64_t i = 0; i < layer.weights.size(); ++i) layer.weights.data()[i] = 3e38F;
  CHECK_THROWS_AS(
      miq::obs::shift_target(exec, layer.weights.view(), layer.difference.view(), layer.upper.view(), out.view()),
      miq::numerical_error);
}

TEST_CASE("the corrected bias restores the mean output", "[obs]") {
  const std::int64_t rows = 7, columns = 33;
  shifted_layer layer(miq_test::seed(), rows, columns, {});
  layer.dense.array() += 3;
  layer.now.array() += 2.5;
  const miq::host_executor exec({.threads = 2});
  const auto q = to_float(0.9 * to_double(layer.weights));
  const auto means = [](const MatrixXd& x) {
    std::vector<float> out;
    for (Eigen::Index c = 0; c < x.cols(); ++c) out.push_back(static_cast<float>(x.col(c).mean()));
    return out;
  };
  const auto dense = means(layer.dense), now = means(layer.now);
  std::vector<float> bias(7), target(7), corrected(7), from_nothing(7);
  for (std::size_t r = 0; r < 7; ++r) bias[r] = static_cast<float>(r) - 3;
  miq::obs::mean_output(exec, layer.weights.view(), dense, target);
  miq::obs::correct_bias(exec, q.view(), now, target, bias, corrected);
  const VectorXd wanted = (layer.dense * to_double(layer.weights).transpose()).colwise().mean();
  const VectorXd got = (layer.now * to_double(q).transpose()).colwise().mean();
  for (std::size_t r = 0; r < 7; ++r) {
    const auto i = static_cast<Eigen::Index>(r);
    CHECK(static_cast<double>(target[r]) == Approx(wanted(i)).epsilon(1e-5).margin(1e-6));
    CHECK(got(i) + static_cast<double>(corrected[r]) ==
          Approx(wanted(i) + static_cast<double>(bias[r])).epsilon(1e-5).margin(1e-5));
  }
  miq::obs::correct_bias(exec, q.view(), now, target, {}, from_nothing);
  miq::obs::correct_bias(exec, q.view(), now, target, bias, bias);  // in place
  for (std::size_t r = 0; r < 7; ++r) {
    CHECK(bias[r] == corrected[r]);
    CHECK(from_nothing[r] == Approx(corrected[r] - (static_cast<float>(r) - 3)).margin(1e-6));
  }
  CHECK_THROWS_WITH(miq::obs::correct_bias(exec, q.view(), now, std::vector<float>(6), {}, corrected),
                    miq_test::contains("target must have 7 elements, got 6"));
  target[3] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(miq::obs::correct_bias(exec, q.view(), now, target, {}, corrected),
                    miq_test::contains("target must be finite, got inf at 3"));
}
