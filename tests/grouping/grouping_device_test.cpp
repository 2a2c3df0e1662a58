// Grouping on a device against the host.
#include <miq/grouping/eigenpairs.hpp>
#include <miq/grouping/eigenpairs_cuda.hpp>
#include <miq/grouping/group_by_information.hpp>
#include <miq/grouping/group_by_information_cuda.hpp>
#include <miq/grouping/hierarchical.hpp>
#include <miq/grouping/hierarchical_cuda.hpp>
#include <miq/grouping/kmeans.hpp>
#include <miq/grouping/kmeans_cuda.hpp>
#include <miq/grouping/quality.hpp>
#include <miq/grouping/silhouette.hpp>
#include <miq/grouping/silhouette_cuda.hpp>
#include <miq/grouping/spectral.hpp>
#include <miq/grouping/spectral_cuda.hpp>
#include <miq/information/affinity_cuda.hpp>

#include "grouping/grouping_inputs.hpp"
#include "reference/grouping.hpp"
#include "test_support/device.hpp"

namespace {

using miq_test::reference::to_double;

/// Scratch of exactly so many bytes, at an odd address.
struct workspace {
  miq::device_array<std::byte> memory;
  miq::device_workspace view;
  workspace(const miq::cuda_executor& exec, std::int64_t bytes)
      : memory(bytes + 1, exec.stream(), exec.resource()), view{memory.data() + 1, bytes} {}
};

}  // namespace

TEST_CASE("k-means on a device finds clouds as the host does", "[grouping][device]") {
  MIQ_NEEDS_DEVICE();
  const auto d = GENERATE(1, 32, 45);
  miq::matrix<float> points(2111, d);
  for (std::int64_t i = 0; i < points.rows(); ++i)
    for (std::int64_t j = 0; j < d; ++j)
      points(i, j) = (j == 0 ? 30.0F * static_cast<float>(i % 6) : 0.0F) +
                     miq_test::unit(miq_test::seed(), static_cast<std::uint64_t>(i * d + j));
  const miq::grouping::kmeans_options options{.groups = 6};
  const auto host = miq::grouping::kmeans(miq_test::threads(2), points, options);

  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> there(exec, points.view());
  const workspace scratch(exec, miq::grouping::kmeans_workspace_bytes(points.rows(), d, options));
  const auto found = miq::grouping::kmeans(exec, there.read(), options, scratch.view);
  CHECK(found.groups == host.groups);
  CHECK(found.inertia == Approx(host.inertia).epsilon(1e-6));
  CHECK(found.converged);
  CHECK(miq_test::same_bits(found.centres, miq::grouping::kmeans(exec, there.read(), options).centres));
}

TEST_CASE("k-means on a device of one cloud has an inertia like the host's", "[grouping][device]") {
  MIQ_NEEDS_DEVICE();
  const auto points = miq_test::uniform_points(miq_test::seed(), 3001, 33);
  const miq::grouping::kmeans_options options{.groups = 31, .restarts = 20};
  const auto host = miq::grouping::kmeans(miq_test::threads(2), points, options);
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> there(exec, points.view());
  const auto found = miq::grouping::kmeans(exec, there.read(), options);
  CHECK(found.inertia == Approx(host.inertia).epsilon(0.01));
  CHECK(found.inertia >= miq_test::reference::within_groups(to_double(points), found.groups.labels()) * (1 - 1e-6));
  CHECK(found.groups.groups() == 31);
}

TEST_CASE("k-means on a device leaves no group empty where points coincide", "[grouping][device]") {
  MIQ_NEEDS_DEVICE();
  miq::matrix<float> points(400, 3);
  for (std::int64_t i = 0; i < points.rows(); ++i)
    for (std::int64_t j = 0; j < 3; ++j) points(i, j) = static_cast<float>((i % 4) * (j + 1));
  const miq::grouping::kmeans_options options{.groups = 7, .restarts = 2, .seed = 5};
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> there(exec, points.view());
  const auto found = miq::grouping::kmeans(exec, there.read(), options);
  CHECK(found.groups.groups() == 7);
  CHECK(found.inertia == 0);
  points(399, 2) = std::nanf("");
  const miq_test::device_matrix<float> bad(exec, points.view());
  CHECK_THROWS_WITH(miq::grouping::kmeans(exec, bad.read(), options),
                    "kmeans: points must be finite, got 1 values that are not");
}

TEST_CASE("the block eigensolver on a device finds the largest pairs", "[grouping][device]") {
  MIQ_NEEDS_DEVICE();
  const auto n = GENERATE(150, 521, 1031);
  const auto count = 20;
  const auto m = miq_test::random_symmetric(miq_test::seed(), n);
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> there(exec, m.view());
  const workspace scratch(exec, miq::grouping::largest_eigenpairs_workspace_bytes(n, count));
  const auto found = miq::grouping::largest_eigenpairs(exec, there.read(), count, {}, scratch.view);
  CHECK(found.converged);
  CHECK(found.solver == (n < 257 ? miq::grouping::eigen_solver::dense : miq::grouping::eigen_solver::block_krylov));
  const auto a = to_double(m), v = to_double(found.vectors);
  const auto exact = miq_test::reference::eigenvalues(a);
  const double norm = std::max(std::abs(exact(0)), std::abs(exact(n - 1)));
  CHECK((v.transpose() * v - Eigen::MatrixXd::Identity(count, count)).cwiseAbs().maxCoeff() < 1e-5);
  for (int j = 0; j < count; ++j)
    CHECK(static_cast<double>(found.values[static_cast<std::size_t>(j)]) == Approx(exact(j)).margin(1e-5 * norm));
}

TEST_CASE("spectral clustering and silhouette on a device give what the host gives", "[grouping][device]") {
  MIQ_NEEDS_DEVICE();
  const std::vector<int> sizes = {290, 161, 333, 240};
  auto model = miq_test::make_block_model(miq_test::seed(), sizes, 1.0F, 0.05F);
  const auto n = model.affinity.rows();
  const bool isolated = GENERATE(false, true);
  if (isolated)
    for (const std::int64_t c : {std::int64_t{0}, n - 1})
      for (std::int64_t j = 0; j < n; ++j) model.affinity(c, j) = model.affinity(j, c) = 0;
  const miq::grouping::spectral_options options{.groups = isolated ? 5 : 4};
  const auto host = miq::grouping::spectral(miq_test::threads(2), model.affinity, options);
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> there(exec, model.affinity.view());
  const workspace scratch(exec, miq::grouping::spectral_workspace_bytes(n, options));
  const auto found = miq::grouping::spectral(exec, there.read(), options, scratch.view);
  CHECK(found.groups == host.groups);
  CHECK(found.isolated == host.isolated);
  CHECK(found.components == host.components);
  REQUIRE(found.eigenvalues.size() == host.eigenvalues.size());
  for (std::size_t j = 0; j < host.eigenvalues.size(); ++j)
    CHECK(static_cast<double>(found.eigenvalues[j]) == Approx(static_cast<double>(host.eigenvalues[j])).margin(2e-5));

  const auto distance = miq_test::hashed_distances(miq_test::seed(), n);
  const miq_test::device_matrix<float> far(exec, distance.view());
  CHECK(miq::grouping::silhouette(exec, far.read(), host.groups) ==
        miq::grouping::silhouette(miq_test::threads(2), distance, host.groups));
  const auto tree =
      miq::grouping::linkage(exec, miq_test::threads(2), far.read(), miq::grouping::linkage_method::average);
  CHECK(tree.cut_by_count(5) ==
        miq::grouping::linkage(miq_test::threads(2), distance, miq::grouping::linkage_method::average).cut_by_count(5));
}

TEST_CASE("information is grouped on a device as on the host", "[grouping][device]") {
  MIQ_NEEDS_DEVICE();
  const std::vector<int> sizes = {90, 61, 133, 40};
  const auto model = miq_test::make_block_model(miq_test::seed(), sizes, 0.6F, 0.02F);
  miq::grouping::information_grouping_options options;
  options.groups = 4;
  options.method = GENERATE(miq::grouping::grouping_method::spectral, miq::grouping::grouping_method::kmeans,
                            miq::grouping::grouping_method::hierarchical);
  options.normalisation =
      GENERATE(miq::information::normalisation::information_coefficient, miq::information::normalisation::none);
  const auto host = miq::grouping::group_by_information(miq_test::threads(2), model.affinity.view(), {}, options);
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const miq_test::device_matrix<float> there(exec, model.affinity.view());
  const auto found = miq::grouping::group_by_information(exec, there.read(), {}, options);
  CHECK(found.groups == host.groups);
  CHECK(found.isolated == host.isolated);
  CHECK(found.clipped == host.clipped);
}

TEST_CASE("a workspace that is too small is an error, not an overrun", "[grouping][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  const auto affinity = miq_test::hashed_distances(1, 300);
  const miq_test::device_matrix<float> there(exec, affinity.view());
  const workspace scratch(exec, miq::grouping::spectral_workspace_bytes(300, {.groups = 3}) - 1);
  CHECK_THROWS_AS(miq::grouping::spectral(exec, there.read(), {.groups = 3}, scratch.view), miq::out_of_memory);
}
