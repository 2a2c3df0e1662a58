// Refit of kept weights against exact solutions and a plain conjugate-gradient iteration in double precision.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <miq/obs/refit.hpp>
#include <miq/obs/sweep.hpp>

#include "layer_data.hpp"
#include "reference/obs_oracle.hpp"
#include "refit_oracle.hpp"
#include "test_support/catch.hpp"

namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using miq::matrix;
using miq::obs::damping_rule;
using miq::obs::refit_options;
using miq::obs::refit_result;
using miq_test::to_double;

struct problem : miq_test::masked_layer {
  using masked_layer::masked_layer;
  double damping = 0.01;
  damping_rule rule = damping_rule::mean_diagonal;

  MatrixXd damped() const {
    return miq_oracle::damped(to_double(hessian), damping, rule == damping_rule::own_diagonal);
  }
  double loss(const MatrixXd& w) const { return miq_oracle::quadratic_loss(w - to_double(target), damped()).sum(); }

  refit_result run(matrix<float>& out, refit_options options = {}, int threads = 2,
                   std::vector<double>* row_loss = nullptr) const {
    options.damping = damping;
    options.rule = rule;
    out = matrix<float>(target.rows(), target.columns(), 7.0F);
    const miq::host_executor exec({.threads = threads});
    if (row_loss != nullptr) row_loss->assign(static_cast<std::size_t>(target.rows()), -1.0);
    return miq::obs::refit(
        exec, {.target = target, .hessian = hessian, .kept = kept, .start = start},
        {.weights = out,
         .row_loss = row_loss != nullptr ? miq::vector_view<double>(*row_loss) : miq::vector_view<double>()},
        options);
  }
};

void check_losses(const problem& p, const refit_result& result, const matrix<float>& out) {
  CHECK(result.loss.front() == Approx(p.loss(to_double(p.start))).epsilon(1e-4).margin(1e-12));
  CHECK(result.loss.back() == Approx(p.loss(to_double(out))).epsilon(1e-4).margin(1e-7 * result.loss.front() + 1e-15));
  for (std::size_t k = 1; k < result.loss.size(); ++k) CHECK(result.loss[k] <= result.loss[k - 1]);
  for (std::int64_t i = 0; i < out.size(); ++i)
    if (p.kept.data()[i] == 0) REQUIRE(out.data()[i] == 0.0F);
}

}  // namespace

TEST_CASE("refit reaches the exact minimum on every row's support", "[obs]") {
  const std::int64_t rows = GENERATE(1, 37), columns = GENERATE(1, 2, 31, 33, 130, 300);
  const double share = GENERATE(0.3, 0.7);
  CAPTURE(rows, columns, share);
  problem p(miq_test::seed(), rows, columns, share);
  p.rule = GENERATE(damping_rule::mean_diagonal, damping_rule::own_diagonal);
  matrix<float> out;
  std::vector<double> row_loss;
  const auto result = p.run(out, {.iterations = 100, .tolerance = 1e-8}, 2, &row_loss);
  check_losses(p, result, out);
  const MatrixXd wanted = miq_test::best_refit(p, p.damped());
  CHECK((to_double(out) - wanted).cwiseAbs().maxCoeff() < 1e-3 * to_double(p.target).cwiseAbs().maxCoeff());
  CHECK(result.loss.back() == Approx(p.loss(wanted)).epsilon(1e-4).margin(1e-7 * result.loss.front() + 1e-15));
  const VectorXd losses = miq_oracle::quadratic_loss(to_double(out) - to_double(p.target), p.damped());
  for (std::size_t r = 0; r < row_loss.size(); ++r)
    CHECK(row_loss[r] == Approx(losses(static_cast<Eigen::Index>(r))).epsilon(1e-3).margin(1e-6 * result.loss.front()));
  CHECK(result.converged + result.stopped == rows);  // stopped: float is at its end
  CHECK(result.loss.size() < 101);
}

TEST_CASE("each iteration is one of conjugate gradients with symmetric Gauss-Seidel", "[obs]") {
  const std::int64_t rows = GENERATE(1, 9, 70), columns = GENERATE(5, 64, 131, 290);
  const int iterations = GENERATE(1, 2, 4);
  CAPTURE(rows, columns, iterations);
  const problem p(miq_test::seed(), rows, columns, 0.4);
  matrix<float> out;
  const auto result = p.run(out, {.iterations = iterations, .tolerance = 0});
  check_losses(p, result, out);
  const MatrixXd wanted = miq_test::textbook_refit(p, p.damped(), iterations);
  REQUIRE(wanted.allFinite());
  CHECK((to_double(out) - wanted).cwiseAbs().maxCoeff() < 1e-4 * to_double(p.target).cwiseAbs().maxCoeff());
  CHECK(result.loss.back() == Approx(p.loss(wanted)).epsilon(1e-4).margin(1e-7 * result.loss.front() + 1e-15));
}

TEST_CASE("without iterations refit is one Gauss-Seidel pass", "[obs]") {
  const std::int64_t rows = GENERATE(1, 35), columns = GENERATE(1, 33, 257, 300);
  const problem p(miq_test::seed(), rows, columns, 0.5);
  matrix<float> out;
  const auto result = p.run(out, {.iterations = 0});
  REQUIRE(result.loss.size() == 2);
  check_losses(p, result, out);
  const MatrixXd w = miq_test::gauss_seidel_refit(p, p.damped());
  CHECK((to_double(out) - w).cwiseAbs().maxCoeff() < 1e-5 * to_double(p.target).cwiseAbs().maxCoeff());
}

TEST_CASE("refit goes on from what a sweep leaves, and its loss is the sweep's", "[obs]") {
  const std::int64_t rows = 40, columns = 200;
  problem p(miq_test::seed(), rows, columns, 1);
  const miq::host_executor exec({.threads = 2});
  matrix<float> upper(columns, columns);
  const auto factored = miq::obs::factor(exec, p.hessian.view(), upper.view());
  p.damping = factored.damping;
  const auto swept = miq::obs::sweep(exec, {.weights = p.target, .upper = upper}, {.weights = p.start, .kept = p.kept},
                                     {.sparsity = 0.65});
  matrix<float> out;
  const auto result = p.run(out, {.iterations = 3});
  CHECK(result.loss.front() == Approx(swept.loss).epsilon(1e-4));
  CHECK(result.loss.back() < 0.95 * swept.loss);
  check_losses(p, result, out);
}

TEST_CASE("all kept, all masked, dead columns, no start", "[obs]") {
  const std::int64_t rows = 6, columns = 50;
  problem p(miq_test::seed(), rows, columns, 0.5);
  matrix<float> out;
  SECTION("all kept and nothing to do") {
    for (std::int64_t i = 0; i < p.kept.size(); ++i) p.kept.data()[i] = 1, p.start.data()[i] = p.target.data()[i];
    const auto result = p.run(out);
    CHECK(std::memcmp(out.data(), p.target.data(), static_cast<std::size_t>(out.size()) * sizeof(float)) == 0);
    CHECK(result.loss == std::vector<double>{0.0});
    CHECK(result.converged == rows);
  }
  SECTION("all masked") {
    for (std::int64_t i = 0; i < p.kept.size(); ++i) p.kept.data()[i] = 0, p.start.data()[i] = 3;  // not looked at
    const auto result = p.run(out);
    for (std::int64_t i = 0; i < out.size(); ++i) REQUIRE(out.data()[i] == 0.0F);
    CHECK(result.loss.back() == Approx(p.loss(MatrixXd::Zero(rows, columns))).epsilon(1e-5));
    CHECK(result.converged == rows);
  }
  SECTION("dead columns") {
    for (const std::int64_t dead : {0, 17, 49})
      for (std::int64_t c = 0; c < columns; ++c) p.hessian(dead, c) = p.hessian(c, dead) = 0;
    p.hessian(17, 20) = 1e-6F;  // what rounding may leave beside a zero diagonal
    for (std::int64_t r = 0; r < rows; ++r) p.start(r, 17) *= 0.5F;
    const auto result = p.run(out, {.iterations = 60, .tolerance = 1e-8});
    for (const std::int64_t dead : {0, 17, 49})
      for (std::int64_t r = 0; r < rows; ++r) CHECK(out(r, dead) == (p.kept(r, dead) != 0 ? p.target(r, dead) : 0.0F));
    CHECK(result.loss.back() == Approx(p.loss(miq_test::best_refit(p, p.damped()))).epsilon(1e-4));
    CHECK((to_double(out) - miq_test::best_refit(p, p.damped())).cwiseAbs().maxCoeff() < 1e-4);
  }
  SECTION("no start means the target") {
    matrix<float> again;
    const auto with = p.run(out);
    p.start = matrix<float>();
    const auto without = p.run(again);
    CHECK(std::memcmp(out.data(), again.data(), static_cast<std::size_t>(out.size()) * sizeof(float)) == 0);
    CHECK(with.loss == without.loss);
  }
}

TEST_CASE("the unit of a column changes nothing but the unit, to the bit", "[obs]") {
  const std::int64_t rows = 20, columns = 150;
  problem p(miq_test::seed(), rows, columns, 0.5);
  p.rule = damping_rule::own_diagonal;
  auto scaled = p;
  const auto factor = [](std::int64_t j) { return std::ldexp(1.0F, static_cast<int>(j * 5 % 13) - 6); };
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t k = 0; k < columns; ++k) scaled.hessian(k, c) *= factor(k) * factor(c);
    for (std::int64_t r = 0; r < rows; ++r) scaled.target(r, c) /= factor(c), scaled.start(r, c) /= factor(c);
  }
  const int iterations = GENERATE(0, 3);
  matrix<float> plain, other;
  const auto a = p.run(plain, {.iterations = iterations});
  const auto b = scaled.run(other, {.iterations = iterations});
  CHECK(a.loss == b.loss);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) REQUIRE(plain(r, c) == other(r, c) * factor(c));
}

TEST_CASE("a direction without curvature stops its row, and says so", "[obs]") {
  problem p(miq_test::seed(), 3, 2, 1);
  for (std::int64_t i = 0; i < 6; ++i) p.kept.data()[i] = 1, p.start.data()[i] = 0.0F;
  p.hessian(0, 0) = p.hessian(1, 1) = 1;
  p.hessian(0, 1) = p.hessian(1, 0) = 4;
  p.damping = 0;
  for (std::int64_t r = 0; r < 3; ++r) p.target(r, 0) = 1, p.target(r, 1) = -1;
  matrix<float> out;
  const auto result = p.run(out, {.iterations = 10});
  CHECK(result.stopped == 3);
  for (std::int64_t i = 0; i < 6; ++i) CHECK(std::isfinite(out.data()[i]));
}

TEST_CASE("rows that are done stop changing", "[obs]") {
  const problem p(miq_test::seed(), 30, 60, 0.5);
  matrix<float> rough, long_run;
  const auto some = p.run(rough, {.iterations = 1, .tolerance = 0.999});
  const auto more = p.run(long_run, {.iterations = 50, .tolerance = 0.999});
  CHECK(some.converged == 30);
  CHECK(more.loss == some.loss);
  CHECK(std::memcmp(rough.data(), long_run.data(), static_cast<std::size_t>(rough.size()) * sizeof(float)) == 0);
}

TEST_CASE("refit is the same to the bit for any number of threads, strided or not, in any scratch", "[obs]") {
  const std::int64_t rows = GENERATE(7, 300), columns = 270;
  const int iterations = GENERATE(0, 2);
  const problem p(miq_test::seed(), rows, columns, 0.4);
  matrix<float> one;
  const auto first = p.run(one, {.iterations = iterations}, 1);
  const miq::host_executor exec({.threads = 3});
  const auto leading = columns + 3;
  matrix<float> target(rows, leading, NAN), hessian(columns, leading, NAN), out(rows, leading, 7.0F);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) target(r, c) = p.target(r, c);
  for (std::int64_t r = 0; r < columns; ++r)
    for (std::int64_t c = r; c < columns; ++c) hessian(r, c) = p.hessian(r, c);  // the lower triangle is not read
  const refit_options options{.iterations = iterations, .damping = p.damping};
  const auto bytes = static_cast<std::size_t>(miq::obs::refit_workspace_bytes(rows, columns, options));
  std::vector<std::byte> scratch(bytes, std::byte{0xFF});
  const miq::obs::refit_inputs<> in{.target = {target.data(), rows, columns, leading},
                                    .hessian = {hessian.data(), columns, columns, leading},
                                    .kept = p.kept,
                                    .start = p.start};
  const miq::obs::refit_outputs<> to{.weights = {out.data(), rows, columns, leading}, .row_loss = {}};
  CHECK_THROWS_AS(miq::obs::refit(exec, in, to, options, {scratch.data(), bytes - 1}), miq::out_of_memory);
  double last = 0;
  const auto again = miq::obs::refit(exec, in, to, options, scratch, [&](std::string_view phase, double done) {
    CHECK(phase == "refit");
    CHECK(done > last);
    last = done;
    return true;
  });
  CHECK(last == 1.0);
  CHECK(again.loss == first.loss);
  for (std::int64_t r = 0; r < rows; ++r) {
    REQUIRE(std::memcmp(&out(r, 0), &one(r, 0), static_cast<std::size_t>(columns) * sizeof(float)) == 0);
    for (std::int64_t c = columns; c < leading; ++c) REQUIRE(out(r, c) == 7.0F);
  }
  CHECK_THROWS_AS(miq::obs::refit(exec, in, to, options, scratch, [](std::string_view, double) { return false; }),
                  miq::cancelled);
}

TEST_CASE("refit rejects what it cannot take, naming it, and leaves the output alone", "[obs]") {
  problem p(miq_test::seed(), 6, 20, 0.5);
  const miq::host_executor exec({.threads = 2});
  matrix<float> out(6, 20, 7.0F);
  const auto rejects = [&](const std::string& part, const refit_options& options = {}) {
    const auto call = [&] {
      miq::obs::refit(exec, {.target = p.target, .hessian = p.hessian, .kept = p.kept, .start = p.start},
                      {.weights = out, .row_loss = {}}, options);
    };
    CHECK_THROWS_WITH(call(), miq_test::contains(part));
    CHECK_THROWS_AS(call(), miq::invalid_argument);
    for (std::int64_t i = 0; i < out.size(); ++i) REQUIRE(out.data()[i] == 7.0F);
  };
  for (auto* m : {&p.target, &p.hessian, &p.start})
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      const float good = (*m)(3, 17);
      (*m)(3, 17) = bad;
      rejects("row 3, column 17");
      (*m)(3, 17) = good;
    }
  const float good = p.hessian(5, 5);
  p.hessian(5, 5) = -1;
  rejects("diagonal entry 5");
  p.hessian(5, 5) = good;
  rejects("iterations", {.iterations = -1});
  rejects("iterations", {.iterations = 1001});
  rejects("tolerance", {.tolerance = 1});
  rejects("tolerance", {.tolerance = std::numeric_limits<double>::quiet_NaN()});
  rejects("damping", {.damping = -1});
  p.start = matrix<float>(6, 19);
  rejects("start must be [6, 20] like target, got [6, 19]");
  p.start = matrix<float>();
  p.kept = matrix<std::uint8_t>(5, 20);
  rejects("kept must be [6, 20]");
  p.kept = matrix<std::uint8_t>(6, 20);
  p.hessian = matrix<float>(21, 21, 1.0F);
  rejects("21 columns like hessian");
  p.hessian = matrix<float>(20, 20, 1.0F);
  CHECK_THROWS_WITH(miq::obs::refit(exec, {.target = p.target, .hessian = p.hessian, .kept = p.kept, .start = {}},
                                    {.weights = p.target, .row_loss = {}}),
                    miq_test::contains("overlap"));
}
