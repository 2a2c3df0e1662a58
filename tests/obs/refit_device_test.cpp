// `refit` on a device against the host and exact solutions.
#include <cmath>
#include <limits>
#include <vector>

#include <miq/obs/refit.hpp>
#include <miq/obs/refit_cuda.hpp>

#include "layer_data.hpp"
#include "reference/obs_oracle.hpp"
#include "refit_oracle.hpp"
#include "test_support/device.hpp"

namespace {

using miq::device_memory;
using miq::matrix;
using miq::obs::device_refit_result;
using miq::obs::refit_options;
using miq_test::device_matrix;
using miq_test::masked_layer;
using miq_test::to_double;

/// A layer's copy on the device.
struct layer_on_device {
  device_matrix<float> target, hessian, start, weights;
  device_matrix<std::uint8_t> kept;

  layer_on_device(const miq::cuda_executor& exec, const masked_layer& p)
      : target(exec, p.target.view()),
        hessian(exec, p.hessian.view()),
        start(exec, p.start.view()),
        weights(exec, p.target.rows(), p.target.columns()),
        kept(exec, p.kept.view()) {}

  miq::obs::refit_inputs<device_memory> in() const {
    return {target.read(), hessian.read(), kept.read(), start.read()};
  }
  miq::obs::refit_outputs<device_memory> out() const { return {weights.view(), {}}; }
};

/// The largest deviation, as a share of the largest value; 0 of matrices of zeros.
double difference(const matrix<float>& a, const matrix<float>& b) {
  const double largest = (to_double(a) - to_double(b)).cwiseAbs().maxCoeff();
  return largest == 0 ? 0 : largest / to_double(b).cwiseAbs().maxCoeff();
}

}  // namespace

TEST_CASE("refit on a device gives the host's weights and losses", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const std::int64_t rows = GENERATE(1, 33, 130), columns = GENERATE(1, 63, 65, 257, 700);
  const int iterations = GENERATE(0, 2);
  CAPTURE(rows, columns, iterations);
  const masked_layer p(miq_test::seed(), rows, columns, 0.4);
  matrix<float> host(rows, columns);
  std::vector<double> host_rows(static_cast<std::size_t>(rows));
  const refit_options options{.iterations = iterations};
  const auto expected = miq::obs::refit(miq::host_executor({.threads = 2}), {p.target, p.hessian, p.kept, p.start},
                                        {host, host_rows}, options);

  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const layer_on_device layer(exec, p);
  const miq_test::device_vector<double> row_loss(exec, rows);
  const auto got = miq::obs::refit(exec, layer.in(), {layer.weights.view(), row_loss.view()}, options);
  REQUIRE(got.loss.size() == expected.loss.size());
  for (std::size_t k = 0; k < got.loss.size(); ++k)
    CHECK(got.loss[k] == Approx(expected.loss[k]).epsilon(1e-4).margin(1e-7 * expected.loss[0] + 1e-15));
  CHECK(difference(layer.weights.fetch(exec), host) < 1e-4);
  const auto rows_got = row_loss.fetch(exec);
  for (std::size_t r = 0; r < rows_got.size(); ++r)
    CHECK(rows_got[r] == Approx(host_rows[r]).epsilon(1e-3).margin(1e-6 * expected.loss[0] + 1e-15));
}

TEST_CASE("refit on a device reaches the exact minimum", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const masked_layer p(miq_test::seed(), 40, 300, 0.5);
  const Eigen::MatrixXd h = miq_oracle::damped(to_double(p.hessian), 0.01, false);
  const Eigen::MatrixXd wanted = miq_test::best_refit(p, h);
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const layer_on_device layer(exec, p);
  const auto got = miq::obs::refit(exec, layer.in(), layer.out(), {.iterations = 60, .tolerance = 1e-8});
  CHECK((to_double(layer.weights.fetch(exec)) - wanted).cwiseAbs().maxCoeff() < 1e-3 * wanted.cwiseAbs().maxCoeff());
  CHECK(got.loss.back() == Approx(miq_oracle::quadratic_loss(wanted - to_double(p.target), h).sum()).epsilon(1e-4));
  CHECK(got.converged + got.stopped == 40);
  for (std::size_t k = 1; k < got.loss.size(); ++k) CHECK(got.loss[k] <= got.loss[k - 1]);
}

TEST_CASE("refit on a device: in a workspace, on the default stream, in a graph", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  const masked_layer p(miq_test::seed(), 50, 130, 0.4);
  matrix<float> first;
  {
    const miq::cuda_executor exec(nullptr);
    const layer_on_device layer(exec, p);
    miq::obs::refit(exec, layer.in(), layer.out());
    first = layer.weights.fetch(exec);
  }
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const layer_on_device layer(exec, p);
  const auto bytes = miq::obs::refit_workspace_bytes(exec, 50, 130);
  const miq::device_array<std::byte> memory(bytes + 1, exec.stream(), exec.resource());
  const miq_test::device_vector<double> losses(exec, 3);
  const miq::device_array<device_refit_result> result(1, exec.stream(), exec.resource());
  const auto run = [&](std::int64_t given) {
    miq::obs::refit(exec, layer.in(), layer.out(), losses.view(),
                    miq::result_ref<device_refit_result, device_memory>(result.data()), {}, {memory.data() + 1, given});
  };
  CHECK_THROWS_AS(run(bytes - 1), miq::out_of_memory);
  run(bytes);  // loads the kernels, which a capture cannot
  exec.synchronise();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t graph_exec = nullptr;
  miq::check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "begin capture");
  run(bytes);
  miq::check_cuda(cudaStreamEndCapture(stream, &graph), "end capture");
  miq::check_cuda(cudaGraphInstantiate(&graph_exec, graph, 0), "instantiate");
  miq::check_cuda(
      cudaMemsetAsync(layer.weights.view().data(), 0, static_cast<std::size_t>(50 * 130) * sizeof(float), stream),
      "memset");
  miq::check_cuda(cudaGraphLaunch(graph_exec, stream), "launch");
  const auto again = layer.weights.fetch(exec);
  CHECK(difference(again, first) < 1e-6);
  CHECK(losses.fetch(exec)[2] > 0);
  static_cast<void>(cudaGraphExecDestroy(graph_exec));
  static_cast<void>(cudaGraphDestroy(graph));
}

TEST_CASE("refit on a device rejects shapes before and contents after", "[obs][device]") {
  MIQ_NEEDS_DEVICE();
  masked_layer p(miq_test::seed(), 6, 20, 0.5);
  p.target(3, 7) = std::numeric_limits<float>::quiet_NaN();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const layer_on_device layer(exec, p);
  CHECK_THROWS_AS(miq::obs::refit(exec, layer.in(), layer.out()), miq::invalid_argument);
  CHECK_THROWS_WITH(miq::obs::refit(exec, layer.in(), layer.out(), {.iterations = -1}),
                    miq_test::contains("iterations"));
  auto in = layer.in();
  in.kept = {};
  CHECK_THROWS_WITH(miq::obs::refit(exec, in, layer.out()), miq_test::contains("kept must be [6, 20]"));
}
