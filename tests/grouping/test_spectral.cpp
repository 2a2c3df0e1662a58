// Spectral grouping against scikit-learn's labels and on graphs whose groups are known.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <miq/grouping/spectral.hpp>

#include "grouping/grouping_inputs.hpp"
#include "grouping/reference_values.hpp"
#include "reference/grouping.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;
using miq::grouping::eigen_solver;
using miq::grouping::partition;
using miq::grouping::spectral;
using miq::grouping::spectral_options;

namespace {

/// Columns c with c % stride == r and r < graphs form a graph each, joined at random but connected; columns with
/// r >= graphs are isolated.
miq::matrix<float> separate_graphs(std::int64_t n, std::int64_t stride, std::int64_t graphs, std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> affinity(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j)
      if (i % stride == j % stride && i % stride < graphs && (i - j == stride || random.uniform() < 0.5))
        affinity(i, j) = affinity(j, i) = static_cast<float>(0.5 + random.uniform());
  return affinity;
}

/// Affinities exp(-gamma |x - y|^2) of points in the plane.
miq::matrix<float> gaussian_affinity(std::span<const float> points, double gamma) {
  const auto n = static_cast<std::int64_t>(points.size() / 2);
  miq::matrix<float> affinity(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j) {
      const auto a = static_cast<std::size_t>(2 * i), b = static_cast<std::size_t>(2 * j);
      const double x = static_cast<double>(points[a]) - static_cast<double>(points[b]);
      const double y = static_cast<double>(points[a + 1]) - static_cast<double>(points[b + 1]);
      affinity(i, j) = affinity(j, i) = static_cast<float>(std::exp(-gamma * (x * x + y * y)));
    }
  return affinity;
}

}  // namespace

TEST_CASE("moons, circles and blobs are grouped as scikit-learn does", "[grouping]") {
  namespace data = grouping_reference;
  struct planar {
    std::span<const float> points;
    double gamma;
    int groups;
    std::span<const int> labels;
  };
  for (const auto& expected :
       {planar{data::moons_points, data::moons_gamma, data::moons_groups, data::moons_labels},
        planar{data::circles_points, data::circles_gamma, data::circles_groups, data::circles_labels},
        planar{data::blobs_points, data::blobs_gamma, data::blobs_groups, data::blobs_labels}}) {
    const auto result = spectral(threads(2), gaussian_affinity(expected.points, expected.gamma),
                                 {.groups = expected.groups, .seed = miq_test::seed()});
    CHECK(reference::adjusted_rand(result.groups.labels(), expected.labels) == 1.0);
  }
}

TEST_CASE("random block models are grouped as scikit-learn does", "[grouping]") {
  for (const auto& expected : grouping_reference::block_models) {
    const auto model =
        make_block_model(expected.seed, std::span(expected.sizes).first(static_cast<std::size_t>(expected.blocks)),
                         expected.inside, expected.outside);
    const auto n = model.blocks.size();
    const auto result = spectral(threads(2), model.affinity, {.groups = expected.blocks, .seed = miq_test::seed()});
    INFO("block model " << expected.seed);
    CHECK(result.groups == partition(std::vector<std::int32_t>(expected.labels, expected.labels + n)).canonical());
    CHECK(result.isolated == 0);
    CHECK(result.components == 1);
    CHECK(result.solver == (n <= 256 ? eigen_solver::dense : eigen_solver::block_krylov));
    CHECK(result.eigen_converged);
    CHECK(result.kmeans_converged);
    const auto exact = reference::eigenvalues(reference::normalised_affinity(reference::to_double(model.affinity)));
    for (std::size_t j = 0; j < result.eigenvalues.size(); ++j)
      CHECK(result.eigenvalues[j] == Approx(exact(static_cast<Eigen::Index>(j))).margin(2e-6));
  }
}

TEST_CASE("every component of a disconnected graph is found", "[grouping]") {
  const int n = GENERATE(24, 211, 401, 900);
  for (const int graphs : {2, 3, 8}) {
    const auto affinity = separate_graphs(n, graphs, graphs, miq_test::seed());
    std::vector<std::int32_t> truth;
    for (int i = 0; i < n; ++i) truth.push_back(i % graphs);
    const auto same = spectral(threads(2), affinity, {.groups = graphs, .seed = miq_test::seed()});
    CHECK(same.components == graphs);
    CHECK(same.groups == partition(truth));
    // Fewer groups split no component.
    const auto fewer = spectral(threads(2), affinity, {.groups = graphs - 1, .seed = miq_test::seed()});
    for (int i = graphs; i < n; ++i)
      REQUIRE(fewer.groups.labels()[static_cast<std::size_t>(i)] ==
              fewer.groups.labels()[static_cast<std::size_t>(i % graphs)]);
    // One group more splits one component: where components are large, the next eigenvector belongs to one of them.
    if (n < 200) continue;
    const auto more = spectral(threads(2), affinity, {.groups = graphs + 1, .seed = miq_test::seed()});
    for (int j = 0; j < graphs; ++j) CHECK(more.eigenvalues[static_cast<std::size_t>(j)] == Approx(1).margin(2e-6));
    CHECK(more.eigenvalues[static_cast<std::size_t>(graphs)] < 0.999F);
    for (std::int64_t g = 0; g < graphs + 1; ++g)
      for (const auto member : more.groups.members(g)) REQUIRE(member % graphs == more.groups.members(g)[0] % graphs);
  }
}

TEST_CASE("more components than groups: whole components, evenly", "[grouping]") {
  // Cliques of 5, 10, 6 and 7 columns: 10 and 5, 7 and 6.
  std::vector<std::int32_t> clique, truth;
  for (const auto& [size, group] : {std::pair{5, 0}, {10, 0}, {6, 1}, {7, 1}}) {
    clique.insert(clique.end(), static_cast<std::size_t>(size), size);
    truth.insert(truth.end(), static_cast<std::size_t>(size), group);
  }
  miq::matrix<float> affinity(28, 28);
  for (std::size_t i = 0; i < 28; ++i)
    for (std::size_t j = 0; j < 28; ++j)
      affinity(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j)) = clique[i] == clique[j] ? 1.0F : 0.0F;
  CHECK(spectral(threads(1), affinity, {.groups = 2}).groups == partition(truth));
}

TEST_CASE("components held together by a negligible affinity are not scattered", "[grouping]") {
  // Three groups wanted of eight nearly separate graphs: which are joined is open, but none may fall apart.
  for (const int n : {96, 408}) {
    auto affinity = separate_graphs(n, 8, 8, miq_test::seed());
    for (std::int64_t i = 1; i < 8; ++i) affinity(i - 1, i) = affinity(i, i - 1) = 1e-12F;
    const auto result = spectral(threads(2), affinity, {.groups = 3, .seed = miq_test::seed()});
    CHECK(result.components == 1);
    for (int i = 8; i < n; ++i)
      REQUIRE(result.groups.labels()[static_cast<std::size_t>(i)] ==
              result.groups.labels()[static_cast<std::size_t>(i % 8)]);
  }
}

TEST_CASE("isolated columns have the last group to themselves, and are counted", "[grouping]") {
  for (const int n : {30, 335}) {
    // Columns 0, 1, 2 modulo 5 form graphs, 3 and 4 are isolated.
    const auto affinity = separate_graphs(n, 5, 3, miq_test::seed());
    const auto result = spectral(threads(2), affinity, {.groups = 4, .seed = miq_test::seed()});
    CHECK(result.isolated == n / 5 * 2);
    CHECK(result.components == 3 + n / 5 * 2);
    CHECK(result.eigenvalues.empty());
    CHECK(spectral(threads(2), affinity, {.groups = 6}).eigenvalues.size() == 5);
    std::vector<std::int32_t> truth;
    for (int i = 0; i < n; ++i) truth.push_back(std::min(i % 5, 3));
    CHECK(result.groups == partition(truth));
    CHECK(spectral(threads(2), affinity, {.groups = 1}).groups == partition::single(n));
    const auto two = spectral(threads(2), affinity, {.groups = 2});
    for (int i = 0; i < n; ++i) REQUIRE(two.groups.labels()[static_cast<std::size_t>(i)] == (i % 5 >= 3));
  }
  // Two connected columns, four isolated ones, five groups: each connected one alone, three groups for the others.
  miq::matrix<float> affinity(6, 6);
  affinity(1, 4) = affinity(4, 1) = 1;
  CHECK(spectral(threads(1), affinity, {.groups = 5}).groups == partition({0, 1, 2, 3, 4, 3}));
  // Nothing connected: neighbours together.
  const auto none = spectral(threads(1), miq::matrix<float>(7, 7), {.groups = 3});
  CHECK(none.groups == partition::contiguous(7, 3));
  CHECK(none.isolated == 7);
  CHECK(none.components == 7);
}

TEST_CASE("the diagonal does not count", "[grouping]") {
  auto model = make_block_model(5, std::vector{20, 21, 22}, 1.0F, 0.4F);
  const auto plain = spectral(threads(1), model.affinity, {.groups = 3});
  for (std::int64_t i = 0; i < 63; ++i) model.affinity(i, i) = static_cast<float>(i * i);
  const auto same = spectral(threads(1), model.affinity, {.groups = 3});
  CHECK(same.groups == plain.groups);
  CHECK(same_bits(same.eigenvalues, plain.eigenvalues));
  // A column with affinity to itself alone is isolated.
  miq::matrix<float> affinity(3, 3);
  affinity(0, 1) = affinity(1, 0) = 1;
  affinity(2, 2) = 1;
  CHECK(spectral(threads(1), affinity, {.groups = 2}).isolated == 1);
}

TEST_CASE("groups of one, of all, and tiny problems", "[grouping]") {
  for (const int n : {1, 2, 3, 5, 13, 101, 263}) {
    auto affinity = random_symmetric(miq_test::seed(), n);
    for (std::int64_t i = 0; i < affinity.size(); ++i) affinity.data()[i] = std::abs(affinity.data()[i]);
    for (const int groups : {1, 2, 3, n - 1, n}) {
      if (groups < 1 || groups > n) continue;
      const auto result = spectral(threads(2), affinity, {.groups = groups, .seed = miq_test::seed()});
      CHECK(result.groups.groups() == groups);
      CHECK(result.groups.columns() == n);
      CHECK(result.groups == result.groups.canonical());
    }
    CHECK(spectral(threads(2), affinity, {.groups = n}).groups == partition::each_alone(n));
  }
}

TEST_CASE("identical columns, denormal and huge affinities", "[grouping]") {
  for (const float value : {1.0F, 1e-45F, 3e38F}) {
    miq::matrix<float> affinity(300, 300, value);
    const auto result = spectral(threads(2), affinity, {.groups = 4});
    CHECK(result.groups.groups() == 4);
    CHECK(result.isolated == 0);
    CHECK(result.components == 1);
    CHECK(result.eigenvalues[0] == Approx(1).margin(2e-6));
    // The complete graph: -1 / (n - 1) for all others.
    for (std::size_t j = 1; j < 4; ++j) CHECK(result.eigenvalues[j] == Approx(-1.0 / 299).margin(2e-6));
  }
}

TEST_CASE("spectral groups are the same to the bit for every number of threads, and for equal seeds", "[grouping]") {
  const auto model = make_block_model(miq_test::seed(), std::vector{100, 90, 80, 70, 61}, 1.0F, 0.9F);
  const spectral_options options{.groups = 9, .seed = miq_test::seed()};
  const auto one = spectral(threads(1), model.affinity, options);
  for (const int count : {1, 2, 5}) {
    const auto many = spectral(threads(count), model.affinity, options);
    CHECK(many.groups == one.groups);
    CHECK(same_bits(many.eigenvalues, one.eigenvalues));
    CHECK(many.inertia == one.inertia);
  }
}

TEST_CASE("what the eigensolver reports reaches the caller", "[grouping]") {
  // Without structure the eigenvalues of a random graph crowd: no block iteration reaches 1e-9 in single precision.
  auto affinity = random_symmetric(miq_test::seed(), 300);
  for (std::int64_t i = 0; i < affinity.size(); ++i) affinity.data()[i] = std::abs(affinity.data()[i]);
  const auto result = spectral(threads(2), affinity, {.groups = 4, .eigen_tolerance = 1e-12});
  CHECK(result.solver == eigen_solver::fallback);
  CHECK_FALSE(result.eigen_converged);
  CHECK(result.eigen_residual > 0);
  CHECK_THROWS_AS(spectral(threads(2), affinity, {.groups = 4, .eigen_tolerance = 1e-12, .dense_fallback = false}),
                  miq::numerical_error);
}

TEST_CASE("bad input of spectral is named", "[grouping]") {
  using miq_test::contains;
  const auto exec = threads(2);
  miq::matrix<float> affinity(80, 80, 1.0F);
  CHECK_THROWS_WITH(spectral(exec, miq::matrix<float>(8, 9)), contains("spectral: affinity must be [n, n]"));
  CHECK_THROWS_WITH(spectral(exec, miq::matrix<float>()), contains("n at least 1"));
  CHECK_THROWS_WITH(spectral(exec, affinity, {.groups = 81}), contains("at most the 80 columns of affinity, got 81"));
  CHECK_THROWS_WITH(spectral(exec, affinity, {.groups = 0}), contains("groups must be at least 1, got 0"));
  CHECK_THROWS_WITH(spectral(exec, affinity, {.restarts = 0}), contains("restarts"));
  CHECK_THROWS_WITH(spectral(exec, affinity, {.max_iterations = 0}), contains("max_iterations"));
  CHECK_THROWS_WITH(spectral(exec, affinity, {.tolerance = -1}), contains("tolerance"));
  CHECK_THROWS_WITH(spectral(exec, affinity, {.eigen_tolerance = std::numeric_limits<double>::quiet_NaN()}),
                    contains("eigen_tolerance"));
  affinity(2, 77) = 0.5F;
  CHECK_THROWS_WITH(spectral(exec, affinity), contains("symmetric to the bit, got 0.5 at [2, 77]"));
  affinity(2, 77) = affinity(77, 2) = -0.5F;
  CHECK_THROWS_WITH(spectral(exec, affinity), contains("must not be negative, got -0.5 at [2, 77]"));
  affinity(2, 77) = affinity(77, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(spectral(exec, affinity), contains("must be finite, got nan at [2, 77]"));
  affinity(2, 77) = affinity(77, 2) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(spectral(exec, affinity), contains("must be finite, got inf"));
}
