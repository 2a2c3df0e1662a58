// The steps of refit on a device, on one lane and on threads, against exact solutions, conjugate gradients in double
// and the host.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <miq/obs/detail/refit/schedule.hpp>
#include <miq/obs/refit.hpp>
#include <miq/obs/sweep.hpp>

#include "layer_data.hpp"
#include "reference/obs_oracle.hpp"
#include "refit_oracle.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using miq::matrix;
using miq::obs::damping_rule;
using miq::obs::refit_options;
using miq_test::to_double;

struct outcome {
  matrix<float> weights;
  std::vector<double> loss;  // all entries
  std::vector<double> row_loss;
  miq::obs::device_refit_result counts;

  bool operator==(const outcome& other) const {
    return std::memcmp(weights.data(), other.weights.data(), static_cast<std::size_t>(weights.size()) * 4) == 0 &&
           loss == other.loss && row_loss == other.row_loss && counts.losses == other.counts.losses &&
           counts.converged == other.counts.converged && counts.stopped == other.counts.stopped;
  }
};

/// A copy whose rows are `more` elements longer, with nonsense in what does not belong to the matrix.
template <class T>
matrix<T> padded(const matrix<T>& m, std::int64_t more, T nonsense) {
  matrix<T> out(m.rows(), m.columns() + more, nonsense);
  for (std::int64_t r = 0; r < m.rows(); ++r)
    for (std::int64_t c = 0; c < m.columns(); ++c) out(r, c) = m(r, c);
  return out;
}

struct problem : miq_test::masked_layer {
  using masked_layer::masked_layer;
  double damping = 0.01;
  damping_rule rule = damping_rule::mean_diagonal;

  MatrixXd damped() const {
    return miq_oracle::damped(to_double(hessian), damping, rule == damping_rule::own_diagonal);
  }
  double loss(const MatrixXd& w) const { return miq_oracle::quadratic_loss(w - to_double(target), damped()).sum(); }

  /// All matrices with leading dimensions of their own, the lower triangle of the Hessian nonsense.
  outcome run(refit_options options = {}, std::int32_t lanes = 0) const {
    options.damping = damping;
    options.rule = rule;
    const auto rows = target.rows(), columns = target.columns();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto w0 = padded(target, 3, nan);
    auto h = padded(hessian, 5, nan);
    for (std::int64_t r = 0; r < columns; ++r)
      for (std::int64_t c = 0; c < r; ++c) h(r, c) = nan;
    const auto mask = padded(kept, 1, std::uint8_t{1});
    const auto begin = start.size() == 0 ? matrix<float>() : padded(start, 2, nan);
    matrix<float> wide(rows, columns + 7, 7.0F);
    outcome out{matrix<float>(rows, columns),
                std::vector<double>(static_cast<std::size_t>(miq::obs::refit_loss_count(options)), -1.0),
                std::vector<double>(static_cast<std::size_t>(rows), -1.0),
                {}};
    miq::obs::refit_inputs<> in{.target = {w0.data(), rows, columns, columns + 3},
                                .hessian = {h.data(), columns, columns, columns + 5},
                                .kept = {mask.data(), rows, columns, columns + 1},
                                .start = {}};
    if (start.size() != 0) in.start = {begin.data(), rows, columns, columns + 2};
    const miq::obs::refit_outputs<> to{.weights = {wide.data(), rows, columns, columns + 7}, .row_loss = out.row_loss};
    const miq::obs::detail::refit_device_scratch plan(rows, columns, options);
    const miq_test::nonsense_memory memory(plan.layout);
    const miq_test::host_machine machine(lanes);
    miq::obs::detail::refit_steps(machine, in, to, options, plan, memory, out.loss.data(), &out.counts).run();
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) out.weights(r, c) = wide(r, c);
      for (std::int64_t c = columns; c < columns + 7; ++c) REQUIRE(wide(r, c) == 7.0F);
    }
    return out;
  }

  miq::obs::refit_result on_host(matrix<float>& out, refit_options options = {}) const {
    options.damping = damping;
    options.rule = rule;
    out = matrix<float>(target.rows(), target.columns());
    return miq::obs::refit(miq::host_executor({.threads = 2}),
                           {.target = target, .hessian = hessian, .kept = kept, .start = start},
                           {.weights = out, .row_loss = {}}, options);
  }
};

void check_losses(const problem& p, const outcome& got) {
  const auto last = static_cast<std::size_t>(got.counts.losses - 1);
  CHECK(got.loss.front() == Approx(p.loss(to_double(p.start))).epsilon(1e-4).margin(1e-12));
  CHECK(got.loss[last] == Approx(p.loss(to_double(got.weights))).epsilon(1e-4).margin(1e-7 * got.loss[0] + 1e-15));
  for (std::size_t k = 1; k < got.loss.size(); ++k) CHECK(got.loss[k] <= got.loss[k - 1]);
  for (std::size_t k = last; k < got.loss.size(); ++k) CHECK(got.loss[k] == got.loss[last]);
  double sum = 0;
  for (const double row : got.row_loss) sum += row;
  CHECK(sum == Approx(got.loss[last]).epsilon(1e-12));
  for (std::int64_t i = 0; i < got.weights.size(); ++i)
    if (p.kept.data()[i] == 0) REQUIRE(got.weights.data()[i] == 0.0F);
}

double largest(const MatrixXd& m) { return m.cwiseAbs().maxCoeff(); }

}  // namespace

TEST_CASE("the steps of refit reach the exact minimum on every row's support", "[obs][body]") {
  const std::int64_t rows = GENERATE(1, 37), columns = GENERATE(1, 2, 31, 33, 130, 300);
  const double share = GENERATE(0.3, 0.7);
  CAPTURE(rows, columns, share);
  problem p(miq_test::seed(), rows, columns, share);
  p.rule = GENERATE(damping_rule::mean_diagonal, damping_rule::own_diagonal);
  const auto got = p.run({.iterations = 60, .tolerance = 1e-8});
  check_losses(p, got);
  const MatrixXd wanted = miq_test::best_refit(p, p.damped());
  CHECK(largest(to_double(got.weights) - wanted) < 1e-3 * largest(to_double(p.target)));
  CHECK(got.loss.back() == Approx(p.loss(wanted)).epsilon(1e-4).margin(1e-7 * got.loss.front() + 1e-15));
  const VectorXd losses = miq_oracle::quadratic_loss(to_double(got.weights) - to_double(p.target), p.damped());
  for (std::size_t r = 0; r < got.row_loss.size(); ++r)
    CHECK(got.row_loss[r] ==
          Approx(losses(static_cast<Eigen::Index>(r))).epsilon(1e-3).margin(1e-6 * got.loss.front()));
  CHECK(got.counts.converged + got.counts.stopped == rows);  // stopped: float is at its end
  CHECK(got.counts.losses < 61);
  CHECK(got.counts.invalid == 0);
}

TEST_CASE("each iteration of the steps is one of conjugate gradients, and the host's", "[obs][body]") {
  const std::int64_t rows = GENERATE(1, 9, 32, 70), columns = GENERATE(5, 63, 64, 65, 131, 256, 257, 321, 523);
  const int iterations = GENERATE(1, 2, 4);
  if (rows > 9 && columns > 300 && iterations != 2) return;
  CAPTURE(rows, columns, iterations);
  const problem p(miq_test::seed(), rows, columns, 0.4);
  const auto got = p.run({.iterations = iterations, .tolerance = 0});
  check_losses(p, got);
  const MatrixXd wanted = miq_test::textbook_refit(p, p.damped(), iterations);
  REQUIRE(wanted.allFinite());
  CHECK(largest(to_double(got.weights) - wanted) < 1e-4 * largest(to_double(p.target)));
  CHECK(got.loss.back() == Approx(p.loss(wanted)).epsilon(1e-4).margin(1e-7 * got.loss.front() + 1e-15));
  matrix<float> host;
  const auto result = p.on_host(host, {.iterations = iterations, .tolerance = 0});
  CHECK(largest(to_double(got.weights) - to_double(host)) < 1e-5 * largest(to_double(p.target)));
  for (std::size_t k = 0; k < result.loss.size(); ++k)
    CHECK(got.loss[k] == Approx(result.loss[k]).epsilon(1e-5).margin(1e-7 * result.loss[0] + 1e-15));
}

TEST_CASE("the steps reach the host's loss from what a sweep leaves, with the default iterations", "[obs][body]") {
  const std::int64_t rows = 40, columns = GENERATE(200, 600);
  problem p(miq_test::seed(), rows, columns, 1);
  const miq::host_executor exec({.threads = 2});
  matrix<float> upper(columns, columns);
  p.damping = miq::obs::factor(exec, p.hessian.view(), upper.view()).damping;
  const auto swept = miq::obs::sweep(exec, {.weights = p.target, .upper = upper}, {.weights = p.start, .kept = p.kept},
                                     {.sparsity = 0.65});
  const auto got = p.run();
  matrix<float> host;
  const auto result = p.on_host(host);
  check_losses(p, got);
  CHECK(got.loss.front() == Approx(swept.loss).epsilon(1e-4));
  CHECK(got.loss.back() < 0.95 * swept.loss);
  REQUIRE(static_cast<std::size_t>(got.counts.losses) == result.loss.size());
  for (std::size_t k = 0; k < result.loss.size(); ++k) CHECK(got.loss[k] == Approx(result.loss[k]).epsilon(1e-5));
}

TEST_CASE("without iterations the steps are one Gauss-Seidel pass", "[obs][body]") {
  const std::int64_t rows = GENERATE(1, 35), columns = GENERATE(1, 33, 257, 300);
  const problem p(miq_test::seed(), rows, columns, 0.5);
  const auto got = p.run({.iterations = 0});
  REQUIRE(got.loss.size() == 2);
  CHECK(got.counts.losses == 2);
  check_losses(p, got);
  const MatrixXd wanted = miq_test::gauss_seidel_refit(p, p.damped());
  CHECK(largest(to_double(got.weights) - wanted) < 1e-5 * largest(to_double(p.target)));
}

TEST_CASE("the steps: all kept, all masked, dead columns, no start, no rows", "[obs][body]") {
  const std::int64_t rows = 6, columns = 70;
  problem p(miq_test::seed(), rows, columns, 0.5);
  SECTION("all kept and nothing to do") {
    for (std::int64_t i = 0; i < p.kept.size(); ++i) p.kept.data()[i] = 1, p.start.data()[i] = p.target.data()[i];
    const auto got = p.run();
    CHECK(std::memcmp(got.weights.data(), p.target.data(), static_cast<std::size_t>(p.target.size()) * 4) == 0);
    CHECK(got.counts.losses == 1);
    CHECK(got.loss == std::vector<double>(3, 0.0));
    CHECK(got.counts.converged == rows);
  }
  SECTION("all masked, in all rows or in one") {
    const auto last = GENERATE(1, 6);
    for (std::int64_t i = 0; i < last * columns; ++i) p.kept.data()[i] = 0, p.start.data()[i] = 3;  // not looked at
    const auto got = p.run();
    for (std::int64_t i = 0; i < last * columns; ++i) REQUIRE(got.weights.data()[i] == 0.0F);
    const VectorXd losses = miq_oracle::quadratic_loss(-to_double(p.target), p.damped());
    for (std::int64_t r = 0; r < last; ++r)
      CHECK(got.row_loss[static_cast<std::size_t>(r)] == Approx(losses(r)).epsilon(1e-5));
    CHECK(got.counts.converged >= last);
    if (last == rows) CHECK(got.counts.losses == 1);
    if (last < rows) CHECK(got.counts.losses == 3);
  }
  SECTION("dead columns") {
    for (const std::int64_t dead : {0, 17, 69})
      for (std::int64_t c = 0; c < columns; ++c) p.hessian(dead, c) = p.hessian(c, dead) = 0;
    p.hessian(17, 20) = 1e-6F;  // what rounding may leave beside a zero diagonal
    for (std::int64_t r = 0; r < rows; ++r) p.start(r, 17) *= 0.5F;
    const int iterations = GENERATE(0, 60);
    const auto got = p.run({.iterations = iterations, .tolerance = 1e-8});
    for (const std::int64_t dead : {0, 17, 69})
      for (std::int64_t r = 0; r < rows; ++r)
        CHECK(got.weights(r, dead) == (p.kept(r, dead) != 0 ? p.target(r, dead) : 0.0F));
    if (iterations == 0) return;
    const MatrixXd wanted = miq_test::best_refit(p, p.damped());
    CHECK(got.loss.back() == Approx(p.loss(wanted)).epsilon(1e-4));
    CHECK(largest(to_double(got.weights) - wanted) < 1e-4);
  }
  SECTION("no column carries a signal") {
    p.hessian = matrix<float>(columns, columns, 0.0F);
    const auto got = p.run();
    for (std::int64_t i = 0; i < p.kept.size(); ++i)
      CHECK(got.weights.data()[i] == (p.kept.data()[i] != 0 ? p.target.data()[i] : 0.0F));
    CHECK(got.loss.back() == Approx(p.loss(to_double(got.weights))).epsilon(1e-6));
    CHECK(got.counts.converged == rows);
  }
  SECTION("no start means the target") {
    const auto with = p.run();
    p.start = matrix<float>();
    CHECK(p.run() == with);
  }
  SECTION("no rows") {
    p.target = p.start = matrix<float>(0, columns);
    p.kept = matrix<std::uint8_t>(0, columns);
    const auto got = p.run({.iterations = GENERATE(0, 2)});
    CHECK(got.counts.losses == 1);
    CHECK(got.loss[0] == 0);
  }
}

TEST_CASE("the steps of refit are the same to the bit for any number of lanes", "[obs][body][lanes]") {
  const std::int64_t rows = GENERATE(1, 37), columns = GENERATE(1, 70, 259);
  const int iterations = GENERATE(0, 2);
  CAPTURE(rows, columns, iterations);
  const problem p(miq_test::seed(), rows, columns, 0.4);
  const auto one = p.run({.iterations = iterations});
  for (const int lanes : {3, 8}) CHECK(p.run({.iterations = iterations}, lanes) == one);
}

TEST_CASE("the unit of a column changes nothing about the steps but the unit, to the bit", "[obs][body]") {
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
  const auto a = p.run({.iterations = iterations}), b = scaled.run({.iterations = iterations});
  CHECK(a.loss == b.loss);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) REQUIRE(a.weights(r, c) == b.weights(r, c) * factor(c));
}

TEST_CASE("the steps: a direction without curvature stops its row alone", "[obs][body]") {
  problem p(miq_test::seed(), 3, 2, 1);
  for (std::int64_t i = 0; i < 6; ++i) p.kept.data()[i] = 1, p.start.data()[i] = 0.0F;
  p.hessian(0, 0) = p.hessian(1, 1) = 1;
  p.hessian(0, 1) = p.hessian(1, 0) = 4;
  p.damping = 0;
  for (std::int64_t r = 0; r < 3; ++r) p.target(r, 0) = 1, p.target(r, 1) = -1;
  p.kept(2, 1) = 0;  // on this support there is curvature: the minimum is w0 + 4 * -1
  const auto got = p.run({.iterations = 10});
  CHECK(got.counts.stopped == 2);
  CHECK(got.counts.converged == 1);
  for (std::int64_t i = 0; i < 4; ++i) CHECK(got.weights.data()[i] == 0.0F);
  CHECK(got.weights(2, 0) == Approx(-3));
  CHECK(got.weights(2, 1) == 0.0F);
}

TEST_CASE("the steps: rows that are done stop changing, and the losses end where the host's do", "[obs][body]") {
  const problem p(miq_test::seed(), 30, 60, 0.5);
  const double tolerance = GENERATE(0.999, 0.02);
  const auto some = p.run({.iterations = 1, .tolerance = tolerance});
  const auto more = p.run({.iterations = 40, .tolerance = tolerance});
  matrix<float> host;
  const auto result = p.on_host(host, {.iterations = 40, .tolerance = tolerance});
  CHECK(static_cast<std::size_t>(more.counts.losses) == result.loss.size());
  CHECK(more.counts.converged == result.converged);
  CHECK(more.loss.back() == Approx(result.loss.back()).epsilon(1e-5));
  if (tolerance < 0.9) return;
  CHECK(some.counts.converged == 30);
  CHECK(more.counts.losses == some.counts.losses);
  CHECK(std::memcmp(some.weights.data(), more.weights.data(), static_cast<std::size_t>(some.weights.size()) * 4) == 0);
}

TEST_CASE("the steps of refit count what the host rejects", "[obs][body]") {
  const auto lanes = GENERATE(0, 8);
  problem p(miq_test::seed(), 6, 20, 0.5);
  CHECK(p.run({}, lanes).counts.invalid == 0);
  p.target(3, 17) = std::numeric_limits<float>::quiet_NaN();
  p.start(5, 19) = std::numeric_limits<float>::infinity();
  p.hessian(2, 4) = -std::numeric_limits<float>::infinity();
  p.hessian(5, 5) = -1;
  p.hessian(6, 7) = -1;  // may be
  CHECK(p.run({}, lanes).counts.invalid == 4);
}

TEST_CASE("scratch and scratch memory of the steps of refit", "[obs][body]") {
  using namespace miq::obs::detail;
  for (std::int64_t columns = 1; columns <= 28672; columns = columns < 600 ? columns + 1 : columns + 509)
    for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{4096}, std::int64_t{200'000}}) {
      const int iterations = columns % 2 == 0 ? 0 : 2;
      const refit_device_scratch plan(rows, columns, {.iterations = iterations});
      const auto floats = (iterations == 0 ? 1 : 4) * rows * columns + rows * 256 + (columns + 255) / 256 * 256 * 256;
      REQUIRE(plan.layout.bytes() >= 4 * (floats + 2 * columns) + 20 * rows);
      REQUIRE(plan.layout.bytes() <= 4 * (floats + 2 * columns) + 20 * rows + 12 * 64);
      refit_corners_body corners;
      corners.columns = columns;
      REQUIRE(corners.blocks() * corners.tall >= columns);
      refit_leaf_body<refit_solve::pass> leaf;
      leaf.a.rows = rows;
      REQUIRE(leaf.blocks() * leaf.tall >= rows);
      REQUIRE((leaf.blocks() - 1) * leaf.tall < rows);
    }
  CHECK(refit_leaf_body<refit_solve::back>{}.scratch_bytes() <= 48 * 1024);
}
