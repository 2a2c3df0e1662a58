// `prepare` and `compress` on a device: every result holds together by itself, and is as good as the host's.
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <miq/calibration/accumulator.hpp>
#include <miq/calibration/cross_moments.hpp>
#include <miq/cuda.hpp>

#include "compress/layer_checks.hpp"
#include "test_support/device.hpp"

namespace {

using miq::cuda_executor;
using miq::device_memory;
using miq::host_executor;
using miq::matrix;
using miq::matrix_view;
using miq_test::all_methods;
using miq_test::block_activations;
using miq_test::check_layer;
using miq_test::device_matrix;
using miq_test::random_weights;
using miq_test::same;
using miq_test::to_eigen;

/// The runtime's pool, counting what is out.
class counting_memory final : public miq::device_memory_resource {
 public:
  void* allocate(std::int64_t bytes, cudaStream_t stream) override {
    ++live;
    return miq::default_device_memory().allocate(bytes, stream);
  }
  void deallocate(void* memory, std::int64_t bytes, cudaStream_t stream) noexcept override {
    --live;
    miq::default_device_memory().deallocate(memory, bytes, stream);
  }
  int live = 0;
};

miq::calibration::device_statistics statistics_of(const cuda_executor& exec, const matrix<float>& x) {
  const device_matrix<float> there(exec, x.view());
  miq::calibration::device_accumulator seen(exec, x.columns());
  seen.add(exec, there.read());
  return seen.finish(exec);
}

}  // namespace

TEST_CASE("every method on a device gives parts that fit together, and loses what the host's does",
          "[compress][device]") {
  MIQ_NEEDS_DEVICE();
  const auto seed = miq_test::seed();
  const auto [rows, columns] = GENERATE(table<std::int64_t, std::int64_t>({{31, 48}, {127, 257}}));
  const auto x = block_activations(3 * columns, columns, 5, 0.6, seed);
  const auto weights = random_weights(rows, columns, seed + 1);
  const miq_test::stream stream;
  counting_memory memory;
  const cuda_executor exec(stream, {.resource = &memory});
  const int idle = memory.live;
  {
    const auto seen = statistics_of(exec, x);
    const auto seen_on_host = seen.fetch(exec);
    const device_matrix<float> there(exec, weights.view());
    for (const auto& [name, options] : all_methods(0.5, 4)) {
      INFO(name << ", " << rows << " x " << columns);
      const auto shared = miq::prepare(exec, seen.view(), options);
      const auto on_device = miq::compress(exec, there.read(), seen.view(), shared, options);
      const auto layer = miq::fetch(exec, on_device);
      check_layer(layer, weights, x, options);

      const host_executor host({.threads = 2});
      const auto host_shared = miq::prepare(host, seen_on_host.view(), options);
      const auto expected = miq::compress(host, weights.view(), seen_on_host.view(), host_shared, options);
      CHECK(shared.groups == host_shared.groups);
      CHECK(shared.order == host_shared.order);
      CHECK(shared.factor.damping == host_shared.factor.damping);
      CHECK(layer.report.storage.kept == expected.report.storage.kept);
      CHECK(layer.report.budget_bits == expected.report.budget_bits);
      CHECK(layer.report.headroom_bits == Approx(expected.report.headroom_bits).margin(1e-3));
      // One decision near its boundary changes those after it: losses agree, single weights need not.
      CHECK(layer.report.loss == Approx(expected.report.loss).epsilon(0.02));

      const auto again = miq::fetch(exec, miq::compress(exec, there.read(), seen.view(), shared, options));
      CHECK(same(again.weights, layer.weights));
      CHECK(same(again.kept, layer.kept));
    }
  }
  CHECK(memory.live == idle);
}

TEST_CASE("groups on a device come from every estimator and every way of grouping", "[compress][device]") {
  MIQ_NEEDS_DEVICE();
  const auto seed = miq_test::seed();
  const std::int64_t columns = 45, rows = 20;
  const auto x = block_activations(400, columns, 3, 0.8, seed);
  const auto weights = random_weights(rows, columns, seed + 1);
  const miq_test::stream stream;
  const cuda_executor exec(stream);
  const auto seen = statistics_of(exec, x);
  const device_matrix<float> there(exec, weights.view()), samples(exec, x.view());
  const auto check = [&](const miq::compress_options& options, const char* name) {
    INFO(name);
    const auto shared = miq::prepare(exec, seen.view(), samples.read(), options);
    CHECK(shared.sample_tokens == 400);
    REQUIRE(shared.groups.groups() == 3);
    for (std::int64_t c = 3; c < columns; ++c)
      REQUIRE(shared.groups.labels()[static_cast<std::size_t>(c)] ==
              shared.groups.labels()[static_cast<std::size_t>(c % 3)]);
    const auto layer = miq::fetch(exec, miq::compress(exec, there.read(), seen.view(), shared, options));
    check_layer(layer, weights, x, options);
    for (const auto& group : layer.report.groups)  // parts of a group may be a single column
      if (group.columns > 1) CHECK(group.mi_within > std::abs(group.mi_between) + 0.1);
  };
  auto options = miq::mi_options(0.5, 4);
  options.groups = 3;
  options.estimator = miq::information::histogram_options{};
  check(options, "histogram");
  options.estimator = miq::information::knn_options{};
  check(options, "KSG");
  options.estimator = miq::information::kde_options{};
  check(options, "KDE");
  options.estimator = miq::information::rank_correlation_options{};
  check(options, "ranks");
  options.estimator = miq::information::correlation_options{};
  options.grouping = miq::column_grouping::hierarchical;
  check(options, "hierarchical");
  options.grouping = miq::column_grouping::kmeans;
  check(options, "k-means");
  options.grouping = miq::column_grouping::spectral;
  options.balanced = true;
  check(options, "balanced");
  options.balanced = false;
  options.groups = 0;
  check(options, "chosen number of groups");
}

TEST_CASE("what earlier layers lost is made up on a device as on the host", "[compress][device]") {
  MIQ_NEEDS_DEVICE();
  const auto seed = miq_test::seed();
  const std::int64_t columns = 50, rows = 33;
  const auto dense = block_activations(1500, columns, 6, 0.5, seed);
  const auto now = miq_test::drifted(dense, seed + 3);
  const auto weights = random_weights(rows, columns, seed + 1);
  const miq_test::stream stream;
  const cuda_executor exec(stream);
  const auto seen = statistics_of(exec, now);
  const device_matrix<float> there(exec, weights.view()), first(exec, now.view()), second(exec, dense.view());
  auto options = miq::mi_options(0.5, 4);
  options.order = miq::column_order::descending_diagonal;
  auto shared = miq::prepare(exec, seen.view(), options);
  const auto unaware = miq::fetch(exec, miq::compress(exec, there.read(), seen.view(), shared, options));
  CHECK(unaware.report.target_change == 0);
  miq::calibration::device_cross_moments drift(exec, columns, columns, {.difference = true});
  drift.add(exec, first.read(), second.read());
  shared.drift.emplace(exec, drift.finish(exec));
  const auto aware = miq::fetch(exec, miq::compress(exec, there.read(), seen.view(), shared, options));
  CHECK(aware.report.target_change > 0.1);

  const Eigen::MatrixXd wanted = to_eigen(dense) * to_eigen(weights).transpose();
  const auto error = [&](const miq::compressed_layer& layer) {
    return (wanted - to_eigen(now) * to_eigen(layer.weights).transpose()).squaredNorm() / wanted.squaredNorm();
  };
  CHECK(error(aware) < error(unaware));
  // With the bias's change the mean output is that of the dense layer.
  const Eigen::RowVectorXd mean = (to_eigen(now) * to_eigen(aware.weights).transpose()).colwise().mean();
  for (std::int64_t r = 0; r < rows; ++r)
    CHECK(mean(r) + static_cast<double>(aware.bias_change[static_cast<std::size_t>(r)]) ==
          Approx(wanted.col(r).mean()).margin(1e-3));
}

TEMPLATE_TEST_CASE("16-bit weights on a device are compressed as the floats that they are", "[compress][device]",
                   miq::float16, miq::bfloat16) {
  MIQ_NEEDS_DEVICE();
  const auto seed = miq_test::seed();
  const auto x = block_activations(300, 70, 4, 0.5, seed);
  auto weights = random_weights(40, 70, seed + 1);
  matrix<TestType> typed(40, 70);
  for (std::int64_t k = 0; k < weights.size(); ++k) {
    typed.data()[k] = TestType(weights.data()[k]);
    weights.data()[k] = static_cast<float>(typed.data()[k]);
  }
  const miq_test::stream stream;
  const cuda_executor exec(stream);
  const auto seen = statistics_of(exec, x);
  const device_matrix<float> there(exec, weights.view());
  const device_matrix<TestType> there_typed(exec, typed.view());
  const auto options = miq::mi_options(0.5, 4);
  const auto shared = miq::prepare(exec, seen.view(), options);
  const auto expected = miq::fetch(exec, miq::compress(exec, there.read(), seen.view(), shared, options));
  const auto got = miq::fetch(exec, miq::compress(exec, there_typed.read(), seen.view(), shared, options));
  CHECK(same(got.weights, expected.weights));
  CHECK(same(got.codes, expected.codes));
}

TEST_CASE("dead, constant and duplicated columns on a device, and pruning alone", "[compress][device]") {
  MIQ_NEEDS_DEVICE();
  const auto seed = miq_test::seed();
  auto x = block_activations(400, 40, 4, 0.5, seed);
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    x(t, 3) = 0;          // dead
    x(t, 11) = 2.5F;      // constant
    x(t, 20) = x(t, 21);  // duplicated
  }
  const auto weights = random_weights(16, 40, seed + 1);
  const miq_test::stream stream;
  const cuda_executor exec(stream);
  const auto seen = statistics_of(exec, x);
  const device_matrix<float> there(exec, weights.view());
  for (const auto& [name, options] : all_methods(0.5, 4)) {
    INFO(name);
    const auto shared = miq::prepare(exec, seen.view(), options);
    const auto layer = miq::fetch(exec, miq::compress(exec, there.read(), seen.view(), shared, options));
    CHECK(layer.report.dead == 1);
    for (std::int64_t r = 0; r < 16; ++r) CHECK(layer.weights(r, 3) == 0);
    CHECK(std::isfinite(layer.report.loss));
  }
  auto options = miq::sparsegpt_options(0.5, 4);
  options.quantise = false;
  const auto shared = miq::prepare(exec, seen.view(), options);
  const auto pruned = miq::fetch(exec, miq::compress(exec, there.read(), seen.view(), shared, options));
  CHECK(pruned.codes.empty());
  CHECK(pruned.report.storage.total() == 16 * 20 * 16 + 16 * 40);
  for (std::int64_t k = 0; k < pruned.kept.size(); ++k)
    if (pruned.kept.data()[k] == 0) CHECK(pruned.weights.data()[k] == 0);
}

TEST_CASE("bad input and a stop leave nothing behind on a device", "[compress][device]") {
  MIQ_NEEDS_DEVICE();
  const auto seed = miq_test::seed();
  const auto x = block_activations(300, 32, 4, 0.5, seed);
  auto weights = random_weights(24, 32, seed + 1);
  const miq_test::stream stream;
  counting_memory memory;
  const cuda_executor exec(stream, {.resource = &memory});
  const auto seen = statistics_of(exec, x);
  const auto options = miq::mi_options(0.5, 4);
  const auto shared = miq::prepare(exec, seen.view(), options);
  const device_matrix<float> there(exec, weights.view()), wide(exec, random_weights(24, 33, seed).view());
  weights(5, 7) = std::numeric_limits<float>::quiet_NaN();
  const device_matrix<float> broken(exec, weights.view());
  const int before = memory.live;
  CHECK_THROWS_WITH(miq::compress(exec, broken.read(), seen.view(), shared, options),
                    miq_test::contains("weights must be finite, got 1"));
  CHECK_THROWS_WITH(miq::compress(exec, wide.read(), seen.view(), shared, options), miq_test::contains("33"));
  auto out_of_range = options;
  out_of_range.sparsity = 1;
  CHECK_THROWS_WITH(miq::compress(exec, there.read(), seen.view(), shared, out_of_range),
                    miq_test::contains("sparsity must be in [0, 1), got 1"));
  auto from_samples = options;
  from_samples.estimator = miq::information::knn_options{};
  CHECK_THROWS_AS(miq::prepare(exec, seen.view(), from_samples), miq::invalid_argument);

  std::set<std::string> phases;
  miq::compress(exec, there.read(), seen.view(), shared, options, [&](std::string_view phase, double) {
    phases.emplace(phase);
    return true;
  });
  CHECK(phases.size() > 3);
  for (const auto& phase : phases)
    CHECK_THROWS_AS(miq::compress(exec, there.read(), seen.view(), shared, options,
                                  [&](std::string_view now, double) { return now != phase; }),
                    miq::cancelled);
  CHECK(memory.live == before);
}

TEST_CASE("executors of several threads do not meet", "[compress][device]") {
  MIQ_NEEDS_DEVICE();
  const auto seed = miq_test::seed();
  const auto x = block_activations(300, 60, 4, 0.5, seed);
  const auto weights = random_weights(30, 60, seed + 1);
  const auto options = miq::mi_options(0.5, 4);
  constexpr std::size_t threads = 3;
  std::vector<matrix<float>> results(threads);
  std::vector<std::string> errors(threads);
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i)
    running.emplace_back([&, i] {
      try {
        const miq_test::stream stream;
        const cuda_executor exec(stream);
        const auto seen = statistics_of(exec, x);
        const device_matrix<float> there(exec, weights.view());
        const auto shared = miq::prepare(exec, seen.view(), options);
        results[i] = miq::fetch(exec, miq::compress(exec, there.read(), seen.view(), shared, options)).weights;
      } catch (const std::exception& e) {
        errors[i] = e.what();
      }
    });
  for (auto& thread : running) thread.join();
  for (std::size_t i = 0; i < threads; ++i) {
    CHECK(errors[i].empty());
    CHECK(same(results[i], results[0]));
  }
}
